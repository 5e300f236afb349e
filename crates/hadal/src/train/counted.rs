//! What counts of a batch.

use crate::data::Parts;
use crate::{Error, Result, Tensor};

/// Predictions, targets and sample weights of a batch, as losses and metrics get them: of outputs that are padded sequences, the steps up
/// to the end of each sequence alone, every one like a sample by itself.
pub(super) struct Counted {
    pub predictions: Parts,
    pub targets: Parts,
    pub weights: Option<Tensor>,
    /// The samples of the batch.
    pub samples: usize,
}

impl Counted {
    /// Leaves out what is beyond the `lengths` of sequences, which [`check_lengths`] has accepted.
    pub fn of(predictions: Parts, targets: &Parts, weights: Option<&Tensor>, lengths: Option<&[usize]>) -> Counted {
        let samples = predictions.first().size(0);
        let Some(lengths) = lengths else {
            return Counted { predictions, targets: targets.clone(), weights: weights.cloned(), samples };
        };
        let time = predictions.first().size(1);
        let index = |places: Vec<i64>| {
            let count = places.len();
            Tensor::from_vec(places, [count])
        };
        let rows = lengths.iter().enumerate().flat_map(|(sample, &length)| sample * time..sample * time + length);
        let rows = index(rows.map(|row| row as i64).collect());
        let pick = |_: usize, x: &Tensor| joined(x).index_select(0, &rows);
        let owner = lengths.iter().zip(0..).flat_map(|(&length, sample)| std::iter::repeat_n(sample, length));
        let weights = weights.map(|weights| weights.index_select(0, &index(owner.collect())));
        Counted { predictions: predictions.map(pick), targets: targets.map(pick), weights, samples }
    }
}

/// `[N, T, ..]` as `[N * T, ..]`.
pub(super) fn joined(x: &Tensor) -> Tensor {
    let mut sizes = vec![x.size(0) * x.size(1)];
    sizes.extend_from_slice(&x.shape()[2..]);
    x.reshape(sizes)
}

/// Checks that outputs and targets have a place for each step of sequences of these lengths.
pub(super) fn check_lengths(predictions: &Parts, targets: &Parts, lengths: &[usize]) -> Result<()> {
    let longest = lengths.iter().copied().max().unwrap_or(0);
    let time = predictions.first().shape().get(1).copied().unwrap_or(0);
    for (_, output) in predictions.iter() {
        if output.rank() < 3 || output.size(0) != lengths.len() || output.size(1) != time || time < longest {
            return Err(Error::Config(format!(
                "the context holds the lengths of {} padded sequences of up to {longest} steps at the end of the pass, but the output \
                 has shape {}, not [N, time, ..]; a module that mixes the steps calls ctx.set_lengths(None)",
                lengths.len(),
                output.shape()
            )));
        }
    }
    match targets.iter().find(|(_, target)| target.rank() < 2 || target.size(1) != time) {
        None => Ok(()),
        Some((_, target)) => Err(Error::Data(format!(
            "the model gives one output for each of {time} steps, so there is one target for each step, those of padding included: \
             [N, {time}, ..]; the targets have shape {}",
            target.shape()
        ))),
    }
}
