//! The feedforward network of transformers, and what else encoder and decoder layers share.

use super::settings::Settings;
use crate::nn::{Context, Dropout, Forward, LayerNorm, Linear};
use crate::{Error, Result, Rng, Tensor};

/// Dropout of what a part of a layer adds.
pub(super) fn drop(settings: &Settings, x: Tensor, ctx: &mut Context) -> Tensor {
    if settings.dropout > 0.0 { Dropout::new(settings.dropout).forward(&x, ctx) } else { x }
}

/// `linear2(dropout(activation(linear1(x))))` (Vaswani and others, NeurIPS 2017, eq. 2).
#[track_caller]
pub(super) fn feedforward(
    settings: &Settings,
    (linear1, linear2): (&Linear, &Linear),
    x: &Tensor,
    ctx: &mut Context,
) -> Tensor {
    let hidden = linear1.activated(x, settings.activation);
    let rate = settings.feedforward_dropout.unwrap_or(settings.dropout);
    let hidden = if rate > 0.0 { Dropout::new(rate).forward(&hidden, ctx) } else { hidden };
    linear2.forward(&hidden, ctx)
}

/// What a part of a layer beside its shortcut is given: of `x + dropout(part(norm(x)))`, or of the original, `norm(x +
/// dropout(part(x)))`. Two functions around the part, not one with a closure: messages name the caller's line only through plain calls.
#[track_caller]
pub(super) fn before_part(settings: &Settings, norm: &LayerNorm, x: &Tensor, ctx: &mut Context) -> Tensor {
    if settings.norm_first { norm.forward(x, ctx) } else { x.clone() }
}

/// What such a part and its shortcut give, where `y` is the part's output.
#[track_caller]
pub(super) fn after_part(settings: &Settings, norm: &LayerNorm, x: &Tensor, y: Tensor, ctx: &mut Context) -> Tensor {
    let sum = drop(settings, y, ctx) + x;
    if settings.norm_first { sum } else { norm.forward(&sum, ctx) }
}

/// The two linear layers for `features` features, as PyTorch makes them.
pub(super) fn make_linear(settings: &Settings, features: usize, rng: &mut Rng) -> (Linear, Linear) {
    let make = |input: usize, output: usize, rng: &mut Rng| {
        let linear = Linear::new(input, output, rng);
        if settings.use_bias { linear } else { Linear::from_weights(linear.weight, None) }
    };
    (make(features, settings.feedforward, rng), make(settings.feedforward, features, rng))
}

pub(super) fn make_norm(settings: &Settings, features: usize) -> LayerNorm {
    let norm = LayerNorm::with(features).epsilon(settings.epsilon);
    if settings.use_bias { norm } else { norm.without_bias() }
}

/// Checks the settings of a layer, and counts the weights of its linear layers and of `norms` normalizations.
pub(super) fn plan(layer: &str, settings: &Settings, features: usize, norms: usize) -> Result<usize> {
    let units = settings.feedforward;
    if units == 0 {
        return Err(Error::Config(format!("{layer}: the feedforward network needs at least 1 unit, not 0")));
    }
    for rate in [Some(settings.dropout), settings.feedforward_dropout].into_iter().flatten() {
        if !(0.0..1.0).contains(&rate) {
            return Err(Error::Config(format!("{layer}: the dropout rate {rate} is not within [0, 1)")));
        }
    }
    crate::optim::check_positive_in_f32(&format!("{layer}: epsilon"), settings.epsilon, "1e-5")?;
    let biases = if settings.use_bias { units.saturating_add(features.saturating_mul(1 + norms)) } else { 0 };
    let weights = units.saturating_mul(features).saturating_mul(2);
    Ok(weights.saturating_add(biases).saturating_add(features.saturating_mul(norms)))
}
