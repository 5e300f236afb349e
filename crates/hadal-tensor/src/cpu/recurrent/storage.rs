//! The kernels for what a device's memory may hold.

use super::Layer;
use crate::backend::{RecurrentGradients, RecurrentLayer, Storage, View};
use crate::cpu::{F32, F64, copy, exclusive, mismatch};

/// The numbers of a view in row-major order; its storage must be of this variant.
macro_rules! floats {
    ($variant:ident, $view:expr) => {
        match $view.storage {
            Storage::$variant(values) => copy::contiguous(values, $view.layout),
            other => mismatch("a recurrent layer", other),
        }
    };
}

/// Calls `$run` with a [`Layer`] of this variant.
macro_rules! with_layer {
    ($variant:ident, $layer:expr, |$name:ident| $run:expr) => {{
        let RecurrentLayer { cell, steps, hh, state } = $layer;
        let (sequences, units) = (state[0].layout.shape[0], hh.layout.shape[1]);
        let hh = floats!($variant, hh);
        let h = floats!($variant, state[0]);
        let c = state.get(1).map(|c| floats!($variant, c));
        let state = [&*h, c.as_deref().unwrap_or(&[])];
        let $name = Layer { cell, steps, units, sequences, hh: &hh, state };
        $run
    }};
}

/// All steps: see [`Backend::recurrent`](crate::backend::Backend::recurrent).
pub(in crate::cpu) fn forward(layer: RecurrentLayer, gates: &mut Storage, bias: Option<View>) -> [Storage; 2] {
    /// One number type.
    macro_rules! run {
        ($variant:ident, $gates:expr) => {{
            let bias = bias.map(|bias| floats!($variant, bias));
            with_layer!($variant, layer, |layer| {
                let (out, extra) = layer.forward(exclusive($gates), bias.as_deref());
                [$variant(out), $variant(extra)]
            })
        }};
    }
    match gates {
        Storage::F32(gates) => run!(F32, gates),
        Storage::F64(gates) => run!(F64, gates),
        other => mismatch("a recurrent layer", other),
    }
}

/// What is sent back: see [`Backend::recurrent_gradients`](crate::backend::Backend::recurrent_gradients).
pub(in crate::cpu) fn backward(
    layer: RecurrentLayer,
    gradient: View,
    gates: &Storage,
    given: [&Storage; 2],
) -> RecurrentGradients {
    /// One number type.
    macro_rules! run {
        ($variant:ident, $gates:expr, $out:expr, $extra:expr) => {{
            let gradient = floats!($variant, gradient);
            with_layer!($variant, layer, |layer| {
                let sent = layer.backward(&gradient, $gates, $extra, $out);
                RecurrentGradients {
                    input: $variant(sent.input),
                    hidden: sent.hidden.map($variant),
                    previous: $variant(sent.previous),
                    state: $variant(sent.state),
                }
            })
        }};
    }
    match (gates, given) {
        (Storage::F32(gates), [Storage::F32(out), Storage::F32(extra)]) => run!(F32, gates, out, extra),
        (Storage::F64(gates), [Storage::F64(out), Storage::F64(extra)]) => run!(F64, gates, out, extra),
        (other, _) => mismatch("a recurrent layer", other),
    }
}
