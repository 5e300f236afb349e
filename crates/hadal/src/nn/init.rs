//! How weights begin. For a weight `[out, in]`, fan-in is `in` and fan-out is `out`.

use crate::{Rng, Tensor};

/// Uniform on `[-limit, limit)`.
pub fn uniform(shape: &[usize], limit: f64, rng: &mut Rng) -> Tensor {
    (Tensor::rand(shape, rng) * 2.0 - 1.0) * limit
}

/// Uniform with limit `sqrt(6 / (fan_in + fan_out))`: Keras's default for dense layers (Glorot and Bengio, 2010, eq. 16).
pub fn glorot_uniform(output: usize, input: usize, rng: &mut Rng) -> Tensor {
    uniform(&[output, input], (6.0 / (input + output).max(1) as f64).sqrt(), rng)
}

/// Uniform with limit `1 / sqrt(fan_in)`: PyTorch's default for the weight and the bias of a linear layer (He's
/// uniform initialisation with slope `sqrt(5)`).
pub fn torch_linear_uniform(shape: &[usize], input: usize, rng: &mut Rng) -> Tensor {
    uniform(shape, 1.0 / (input.max(1) as f64).sqrt(), rng)
}
