//! mixup (Zhang and others, 2018).

use crate::{DType, Error, Result, Rng, Tensor, for_each_part};

/// What a sample is mixed with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Mix {
    /// The other sample's position in the batch.
    pub other: usize,
    /// The share of the sample's own.
    pub lambda: f32,
}

/// For the sample at `position` of a batch of `samples`.
pub(super) fn draw(position: usize, samples: usize, alpha: f64, rng: &mut Rng) -> Mix {
    if samples < 2 {
        return Mix { other: position, lambda: 1.0 };
    }
    let other = rng.below(samples as u64 - 1) as usize;
    Mix { other: other + usize::from(other >= position), lambda: beta(alpha, rng) as f32 }
}

/// A number from the beta distribution with both parameters `alpha`: the share of the first of two gamma variates,
/// from their logarithms, since those of a small `alpha` underflow.
fn beta(alpha: f64, rng: &mut Rng) -> f64 {
    let (a, b) = (log_gamma_variate(alpha, rng), log_gamma_variate(alpha, rng));
    1.0 / (1.0 + (b - a).exp())
}

/// The logarithm of a variate of the gamma distribution (Marsaglia and Tsang, "A simple method for generating gamma
/// variables", ACM TOMS 2000), for a shape below 1 from that of a shape above.
fn log_gamma_variate(shape: f64, rng: &mut Rng) -> f64 {
    // In (0, 1], whose logarithm is finite.
    let uniform = |rng: &mut Rng| 1.0 - f64::from(rng.uniform());
    let less = if shape < 1.0 { uniform(rng).ln() / shape } else { 0.0 };
    let d = if shape < 1.0 { shape + 1.0 } else { shape } - 1.0 / 3.0;
    loop {
        let radius = (-2.0 * uniform(rng).ln()).sqrt();
        let normal = radius * (std::f64::consts::TAU * f64::from(rng.uniform())).cos();
        let v = (1.0 + normal / (9.0 * d).sqrt()).powi(3);
        if v > 0.0 && uniform(rng).ln() < 0.5 * normal * normal + d - d * v + d * v.ln() {
            return (d * v).ln() + less;
        }
    }
}

/// `lambda * own + (1 - lambda) * other`, for samples of `length` values.
pub(super) fn mix_inputs(inputs: &[f32], length: usize, mixes: &[Mix]) -> Vec<f32> {
    let mut out = inputs.to_vec();
    for_each_part(&mut out, length.max(1), |start, own| {
        let Mix { other, lambda } = mixes[start / length];
        let other = &inputs[other * length..][..length];
        own.iter_mut().zip(other).for_each(|(own, other)| *own = lambda * *own + (1.0 - lambda) * other);
    });
    out
}

/// The targets, mixed as the inputs; integer labels become probabilities of classes first.
pub(super) fn mix_targets(targets: &Tensor, mixes: &[Mix], classes: usize) -> Result<Tensor> {
    let targets = if targets.dtype().is_float() { targets.clone() } else { probabilities(targets, classes)? };
    let others = mixes.iter().map(|mix| mix.other as i64).collect();
    let others = targets.index_select(0, &Tensor::from_vec(others, [mixes.len()]));
    let mut shape = vec![1; targets.rank()];
    shape[0] = mixes.len();
    let lambda = Tensor::from_vec(mixes.iter().map(|mix| mix.lambda).collect(), shape).to_dtype(targets.dtype());
    Ok(&targets * &lambda + others * (1.0 - lambda))
}

fn probabilities(labels: &Tensor, classes: usize) -> Result<Tensor> {
    let samples = labels.size(0);
    if labels.elements() != samples {
        return Err(Error::Data(format!(
            "augment: mixup takes one integer label for each sample, or float targets, not targets of {} and shape {}",
            labels.dtype(),
            labels.shape()
        )));
    }
    let labels = labels.to_dtype(DType::I64).reshape([samples]);
    if let Some((sample, label)) =
        labels.to_vec::<i64>().into_iter().enumerate().find(|(_, label)| !(0..classes as i64).contains(label))
    {
        return Err(Error::Data(format!(
            "augment: mixup is for {classes} classes, labels from 0 to {}; target {sample} of the batch is {label}",
            classes - 1
        )));
    }
    Ok(labels.one_hot(classes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lambda_has_the_moments_of_the_beta_distribution() {
        for alpha in [0.01, 0.2, 1.0, 8.0] {
            let numbers: Vec<f64> = (0..20_000).map(|stream| beta(alpha, &mut Rng::with_stream(1, stream))).collect();
            assert!(numbers.iter().all(|number| (0.0..=1.0).contains(number)));
            let mean = numbers.iter().sum::<f64>() / 20_000.0;
            let variance = numbers.iter().map(|number| (number - 0.5).powi(2)).sum::<f64>() / 20_000.0;
            let expected = 1.0 / (4.0 * (2.0 * alpha + 1.0));
            assert!((mean - 0.5).abs() < 5.0 * (expected / 20_000.0).sqrt(), "alpha {alpha}: mean {mean}");
            assert!((variance / expected - 1.0).abs() < 0.06, "alpha {alpha}: {variance} instead of {expected}");
        }
    }

    #[test]
    fn the_other_sample_is_any_but_the_own() {
        let mut seen = [0; 5];
        for stream in 0..4000 {
            seen[draw(2, 5, 1.0, &mut Rng::with_stream(0, stream)).other] += 1;
        }
        assert_eq!(seen[2], 0);
        assert!([0, 1, 3, 4].iter().all(|i| (850..1150).contains(&seen[*i])), "{seen:?}");
        assert_eq!(draw(0, 1, 1.0, &mut Rng::new(0)), Mix { other: 0, lambda: 1.0 });
    }

    #[test]
    fn inputs_and_targets_are_mixed_by_the_same_shares() {
        let mixes = [Mix { other: 1, lambda: 0.75 }, Mix { other: 0, lambda: 0.5 }];
        assert_eq!(mix_inputs(&[0.0, 4.0, 8.0, 0.0], 2, &mixes), [2.0, 3.0, 4.0, 2.0]);
        let labels = mix_targets(&Tensor::from([0, 2]), &mixes, 3).unwrap();
        assert_eq!(labels.to_vec::<f32>(), [0.75, 0.0, 0.25, 0.5, 0.0, 0.5]);
        let numbers = mix_targets(&Tensor::from([[0.0], [8.0]]), &mixes, 3).unwrap();
        assert_eq!((numbers.shape().to_vec(), numbers.to_vec::<f32>()), (vec![2, 1], vec![2.0, 4.0]));
    }
}
