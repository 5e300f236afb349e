//! Normal noise.

use crate::{Rng, Tensor};

/// Adds normal noise; what leaves 0 to `white`, if there is one, is cut off.
pub(super) fn noise(values: &mut [f32], std: f32, white: Option<f32>, rng: &mut Rng) {
    let normal = Tensor::randn([values.len()], rng).to_vec::<f32>();
    values.iter_mut().zip(normal).for_each(|(value, normal)| *value += std * normal);
    if let Some(white) = white {
        values.iter_mut().for_each(|value| *value = value.clamp(0.0, white));
    }
}
