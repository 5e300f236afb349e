//! Weight initializers. For a weight `[out, in]`, fan-in is `in` and fan-out is `out`.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use crate::linear_algebra::{Matrix, orthonormal_rows};
use crate::{DType, Error, Result, Rng, Tensor};

/// A weight initializer.
///
/// ```
/// use hadal::prelude::*;
/// use hadal::nn::Initializer;
/// let weight = Initializer::HeNormal.make(&[512, 784], &mut Rng::new(0));
/// assert_eq!(weight.shape(), &[512, 784]);
/// let layer = Dense::new(512).activation(Relu).weight_initializer(Initializer::HeNormal);
/// # let _ = layer;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Initializer {
    /// Zeros: for biases.
    Zeros,
    /// The same number everywhere.
    Constant(f64),
    /// Uniform on `[-limit, limit)`.
    Uniform(f64),
    /// Normal distribution with mean 0 and this standard deviation.
    Normal(f64),
    /// Normal distribution with mean 0, truncated at two standard deviations; the standard deviation before truncation.
    TruncatedNormal(f64),
    /// Uniform with limit `sqrt(6 / (fan_in + fan_out))` (Glorot and Bengio, AISTATS 2010, eq. 16).
    #[doc(alias = "xavier_uniform")]
    GlorotUniform,
    /// Truncated normal distribution with variance `2 / (fan_in + fan_out)` after truncation (their eq. 12).
    #[doc(alias = "xavier_normal")]
    GlorotNormal,
    /// Uniform with limit `sqrt(6 / fan_in)` (He and others, ICCV 2015), for relu.
    #[doc(alias = "kaiming_uniform")]
    HeUniform,
    /// Truncated normal distribution with variance `2 / fan_in` after truncation (their eq. 10), for relu.
    #[doc(alias = "kaiming_normal")]
    HeNormal,
    /// Uniform with limit `sqrt(3 / fan_in)` (LeCun and others, Efficient BackProp, 1998, section 4.6), for selu.
    LecunUniform,
    /// Truncated normal distribution with variance `1 / fan_in` after truncation, for selu.
    LecunNormal,
    /// A random (semi-)orthogonal matrix, scaled by this gain (Saxe, McClelland and Ganguli, ICLR 2014).
    Orthogonal(f64),
    /// Uniform with limit `1 / sqrt(fan_in)`: He's uniform initialization with slope `sqrt(5)`.
    TorchUniform,
}

impl Initializer {
    /// Keras's default for the weights of dense layers.
    pub const KERAS_DEFAULT: Initializer = Initializer::GlorotUniform;
    /// PyTorch's default for weights and biases of linear layers.
    pub const TORCH_DEFAULT: Initializer = Initializer::TorchUniform;

    /// A tensor `[out, in]`, or `[out]` for a bias whose fan-in counts as `out`; `f32`.
    ///
    /// ```
    /// use hadal::nn::Initializer;
    /// use hadal::Rng;
    /// let weight = Initializer::GlorotUniform.make(&[2, 4], &mut Rng::new(0));
    /// assert!(weight.abs().max().item() <= 1.0); // sqrt(6 / (4 + 2))
    /// ```
    ///
    /// # Panics
    /// If the shape is not one of those.
    #[track_caller]
    pub fn make(self, shape: &[usize], rng: &mut Rng) -> Tensor {
        match *shape {
            [output, input] => self.make_for(shape, input, output, rng),
            [output] => self.make_for(shape, output, output, rng),
            _ => panic!("Initializer: weights are [out, in] or [out], not {shape:?}"),
        }
    }

    /// A tensor of any shape with the given fans.
    ///
    /// ```
    /// use hadal::nn::Initializer;
    /// use hadal::Rng;
    /// // PyTorch's bias of a linear layer of 4 inputs.
    /// let bias = Initializer::TORCH_DEFAULT.make_for(&[100], 4, 100, &mut Rng::new(0));
    /// assert!(bias.abs().max().item() <= 0.5);
    /// ```
    ///
    /// # Panics
    /// If memory cannot address so many numbers.
    #[track_caller]
    pub fn make_for(self, shape: &[usize], fan_in: usize, fan_out: usize, rng: &mut Rng) -> Tensor {
        let (fan_in, both) = (fan_in.max(1) as f64, (fan_in as f64 + fan_out as f64).max(1.0));
        match self {
            Initializer::Zeros => Tensor::zeros(shape),
            Initializer::Constant(value) => Tensor::full(shape, value),
            Initializer::Uniform(limit) => uniform(shape, limit, rng),
            Initializer::Normal(std) => Tensor::randn(shape, rng) * std,
            Initializer::TruncatedNormal(std) => truncated_normal(shape, rng) * std,
            Initializer::GlorotUniform => uniform(shape, (6.0 / both).sqrt(), rng),
            Initializer::GlorotNormal => truncated_normal(shape, rng) * ((2.0 / both).sqrt() / truncated_std()),
            Initializer::HeUniform => uniform(shape, (6.0 / fan_in).sqrt(), rng),
            Initializer::HeNormal => truncated_normal(shape, rng) * ((2.0 / fan_in).sqrt() / truncated_std()),
            Initializer::LecunUniform => uniform(shape, (3.0 / fan_in).sqrt(), rng),
            Initializer::LecunNormal => truncated_normal(shape, rng) * (fan_in.sqrt().recip() / truncated_std()),
            Initializer::Orthogonal(gain) => orthogonal(shape, rng) * gain,
            Initializer::TorchUniform => uniform(shape, 1.0 / fan_in.sqrt(), rng),
        }
    }

    /// # Errors
    /// If a number is not finite.
    pub(super) fn check(self) -> Result<()> {
        use Initializer::{Constant, Normal, Orthogonal, TruncatedNormal, Uniform};
        match self {
            Constant(x) | Uniform(x) | Normal(x) | TruncatedNormal(x) | Orthogonal(x) if !x.is_finite() => {
                Err(Error::Config(format!("{self:?}: the value must be finite")))
            }
            _ => Ok(()),
        }
    }
}

/// Uniform on `[-limit, limit)`.
#[track_caller]
fn uniform(shape: &[usize], limit: f64, rng: &mut Rng) -> Tensor {
    (Tensor::rand(shape, rng) * 2.0 - 1.0) * limit
}

/// Standard normal, with what lies beyond two standard deviations drawn again.
#[track_caller]
fn truncated_normal(shape: &[usize], rng: &mut Rng) -> Tensor {
    let mut x = Tensor::randn(shape, rng);
    loop {
        let beyond = x.abs().gt(2.0);
        if beyond.to_dtype(DType::I64).sum().item() == 0.0 {
            return x;
        }
        x = beyond.where_(&Tensor::randn(shape, rng), &x);
    }
}

/// The standard deviation of [`truncated_normal`]: `sqrt(1 - 2 c phi(c) / (2 Phi(c) - 1))` at `c = 2`, 0.8796.
fn truncated_std() -> f64 {
    let density = (-2.0f64).exp() / (2.0 * PI).sqrt();
    let inside = Tensor::from_slice(&[std::f64::consts::SQRT_2], []).erf().item();
    (1.0 - 4.0 * density / inside).sqrt()
}

/// Random directions at right angles: normal rows, made orthonormal one after another.
fn orthogonal(shape: &[usize], rng: &mut Rng) -> Tensor {
    let rows = shape.first().copied().unwrap_or(1);
    let columns = shape.iter().skip(1).product::<usize>();
    let (short, long) = (rows.min(columns), rows.max(columns));
    let data = Tensor::randn([short, long], rng).to_dtype(DType::F64).to_vec::<f64>();
    let mut matrix = Matrix { rows: short, columns: long, data };
    orthonormal_rows(&mut matrix);
    let flat = Tensor::from_vec(matrix.data, [short, long]).to_dtype(DType::F32);
    if rows <= columns { flat.reshape(shape) } else { flat.t().reshape(shape) }
}
