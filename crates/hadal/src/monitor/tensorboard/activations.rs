//! What each layer makes of the first samples: histograms, and units that are active for none of them.

use super::Log;
use crate::nn::{Activation, Context, Conv1d, ConvTranspose1d, Layer, LayerKind, Sequential};
use crate::{DType, Result, Tensor, no_grad};

/// Logs what the layers give for `inputs`. Histograms are left out of layers that give the same numbers as they take.
pub(super) fn log_activations(log: &mut Log, model: &Sequential, inputs: &Tensor, histograms: bool) -> Result<()> {
    if !histograms && !model.layers().iter().any(|layer| can_die(&**layer)) {
        return Ok(());
    }
    no_grad(|| {
        let mut ctx = Context::evaluation();
        let mut x = inputs.clone();
        for (index, layer) in model.layers().iter().enumerate() {
            x = layer.forward(&x, &mut ctx);
            let name = format!("{index} {}", layer.label());
            if histograms && !layer.keeps_values() {
                log.histogram(&format!("activations/{name}"), &x)?;
            }
            if can_die(&**layer) {
                log.scalar(&format!("dead_units/{name}"), dead_share(&units_last(&**layer, &x)))?;
            }
        }
        Ok(())
    })
}

/// Whether a unit can give 0 for all samples, and so have no gradient: by an activation that is 0 for numbers that are negative
/// enough.
fn can_die(layer: &dyn Layer) -> bool {
    match layer.output_activation() {
        // Gelu and Silu by rounding: below -5.5 and -103 with f32.
        Some(Activation::Relu | Activation::HardSigmoid | Activation::Gelu | Activation::Silu) => true,
        Some(Activation::LeakyRelu(slope)) => slope == 0.0,
        Some(Activation::Elu(alpha)) => alpha == 0.0,
        _ => false,
    }
}

/// The units as the last axis: those of pictures are the channels, axis 1.
fn units_last(layer: &dyn Layer, outputs: &Tensor) -> Tensor {
    // The outputs of `TimeDistributed` have three axes, too.
    let over_sequences = [Conv1d::NAME, ConvTranspose1d::NAME].contains(&layer.config().kind());
    if outputs.rank() >= 4 || over_sequences { outputs.transpose(1, -1) } else { outputs.clone() }
}

/// The share of the units, which are the last axis, that are 0 for all samples.
fn dead_share(outputs: &Tensor) -> f64 {
    let units = outputs.shape().last().copied().unwrap_or(1);
    let mut is_active = vec![false; units];
    for sample in outputs.detach().to_dtype(DType::F32).to_vec::<f32>().chunks(units.max(1)) {
        is_active.iter_mut().zip(sample).for_each(|(is_active, output)| *is_active |= *output != 0.0);
    }
    is_active.iter().filter(|is_active| !**is_active).count() as f64 / units.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Chain, Residual};
    use crate::prelude::*;

    #[test]
    fn a_unit_is_dead_that_is_0_for_all_samples() {
        assert_eq!(dead_share(&Tensor::from([[0.0, 1.0, 0.0, -0.0], [0.0, 0.0, f32::NAN, 0.0]])), 0.5);
        assert_eq!(dead_share(&Tensor::from([[[0.0, 0.0], [0.0, 2.0]]])), 0.5);
        assert_eq!(dead_share(&Tensor::zeros([3, 2])), 1.0);
    }

    #[test]
    fn units_die_by_activations_that_are_0_for_negative_numbers() {
        let of = |activation: Activation| can_die(&Dense::new(2).activation(activation));
        for (activation, dies) in [
            (Relu, true),
            (Gelu, true),
            (Silu, true),
            (HardSigmoid, true),
            (LeakyRelu(0.0), true),
            (LeakyRelu(0.01), false),
            (Elu(1.0), false),
            (Sigmoid, false),
            (Tanh, false),
            (Activation::Identity, false),
        ] {
            assert_eq!(of(activation), dies, "{activation}");
            // What can die is 0, and has no gradient, where the numbers are negative enough; nothing else is.
            let x = Tensor::full([1], -200.0).requires_grad();
            let y = activation.apply(&x);
            let is_dead = y.item() == 0.0 && y.sum().backward()[&x].item() == 0.0;
            assert!(is_dead || !dies, "{activation}");
        }
        assert!(can_die(&Conv2d::new(2, 3).activation(Relu)) && !can_die(&Conv2d::new(2, 3)));
        assert!(can_die(&Relu));
        assert!(can_die(&Chain::new().add(Dense::new(2)).add(Relu)));
        assert!(!can_die(&Chain::new().add(Relu).add(Dense::new(2))));
        assert!(!can_die(&Residual::new().add(Relu)), "the shortcut is added");
    }

    #[test]
    fn the_units_of_pictures_are_their_channels() {
        // Of three channels, the second is 0 throughout.
        let x = Tensor::from([1.0, 0.0, 2.0]).reshape([1, 3, 1, 1]) * Tensor::ones([2, 3, 2, 5]);
        assert_eq!(dead_share(&units_last(&Relu, &x)), 1.0 / 3.0);
        let (sequence, steps) = (x.i((.., .., 0)), x.i((.., .., 0)).transpose(1, 2));
        assert_eq!(dead_share(&units_last(&Conv1d::new(3, 1), &sequence)), 1.0 / 3.0);
        assert_eq!(dead_share(&units_last(&Dense::new(3), &steps)), 1.0 / 3.0);
    }
}
