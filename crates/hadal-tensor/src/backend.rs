//! The primitive kernels that a device provides. Every operation is written once, over these.
//!
//! Kernels may be asynchronous: only [`Backend::to_host`] waits. Inputs may have any strides; results are new,
//! contiguous storages. Shapes and dtypes have been checked by the operation that calls.

use crate::cpu::shared::Shared;
use crate::dtype::DType;
use crate::precision::MatmulPrecision;
use crate::random::Key;
use crate::shape::{Layout, Shape};

/// A device's memory, shared between the tensors that view it.
#[derive(Clone)]
pub(crate) enum Storage {
    F32(Shared<f32>),
    F64(Shared<f64>),
    I64(Shared<i64>),
    U8(Shared<u8>),
    /// One byte each, 0 or 1.
    Bool(Shared<u8>),
}

impl Storage {
    pub fn dtype(&self) -> DType {
        match self {
            Storage::F32(_) => DType::F32,
            Storage::F64(_) => DType::F64,
            Storage::I64(_) => DType::I64,
            Storage::U8(_) => DType::U8,
            Storage::Bool(_) => DType::Bool,
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Storage::F32(buffer) => buffer.len(),
            Storage::F64(buffer) => buffer.len(),
            Storage::I64(buffer) => buffer.len(),
            Storage::U8(buffer) | Storage::Bool(buffer) => buffer.len(),
        }
    }

    /// Whether nobody else holds this storage, so that writing in place is unseen.
    pub fn is_unshared(&mut self) -> bool {
        match self {
            Storage::F32(buffer) => buffer.get_mut().is_some(),
            Storage::F64(buffer) => buffer.get_mut().is_some(),
            Storage::I64(buffer) => buffer.get_mut().is_some(),
            Storage::U8(buffer) | Storage::Bool(buffer) => buffer.get_mut().is_some(),
        }
    }
}

/// Numbers on their way between Rust vectors and a device.
#[doc(hidden)]
#[derive(Debug)]
pub enum HostData {
    F32(Vec<f32>),
    F64(Vec<f64>),
    I64(Vec<i64>),
    U8(Vec<u8>),
    Bool(Vec<bool>),
}

/// A storage and where in it the elements lie.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub storage: &'a Storage,
    pub layout: &'a Layout,
}

/// Functions of one element. Scalars are given as `f64` and rounded to the tensor's dtype.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum UnaryOp {
    Neg,
    Exp,
    /// e^x - 1, exact near 0.
    Expm1,
    Ln,
    /// ln(1 + x), exact near 0.
    Ln1p,
    Sqrt,
    Sin,
    Cos,
    Atan,
    Tanh,
    Sigmoid,
    /// ln(1 + e^x).
    Softplus,
    /// The error function.
    Erf,
    /// 1 - erf(x), exact where that is small.
    Erfc,
    /// x Phi(x), Phi being the distribution function of the normal distribution.
    Gelu,
    /// x sigmoid(x).
    Silu,
    /// ln(cosh x).
    LogCosh,
    Relu,
    Abs,
    /// -1, 0 or 1; 0 at 0.
    Sign,
    Floor,
    AddScalar(f64),
    MulScalar(f64),
    DivScalar(f64),
    /// scalar - x
    RSubScalar(f64),
    /// scalar / x
    RDivScalar(f64),
    PowI(i32),
    /// The exponent is not rounded.
    PowF(f64),
    MaxScalar(f64),
    MinScalar(f64),
}

/// Functions of two elements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Pow,
    Max,
    Min,
    /// a, 0 where b <= 0: the gradient of relu.
    Gate,
    /// a (1 - b^2): the gradient of tanh from its output b.
    TanhGradient,
    /// a b (1 - b): the gradient of sigmoid from its output b.
    SigmoidGradient,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum CompareOp {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum ReduceOp {
    Sum,
    Max,
    Min,
}

/// Distributions that a tensor can be filled from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Distribution {
    /// Uniform on `[0, 1)`.
    Uniform,
    /// Standard normal distribution (mean 0, standard deviation 1).
    Normal,
    /// `value` with probability `p`, else 0.
    Bernoulli { p: f64, value: f64 },
}

/// The update rule of an optimizer for a parameter `w` with gradient `g`.
///
/// The optimizer's own state (momentum and the like) lies beside the parameter in tensors of its shape; each
/// variant says how many it has and its formula.
///
/// ```
/// use hadal_tensor::{Tensor, UpdateRule, WeightDecay};
/// let rule = UpdateRule::Momentum { learning_rate: 0.1, momentum: 0.9, nesterov: false };
/// let (mut w, gradient) = (Tensor::from([1.0]), Tensor::from([1.0]));
/// let mut states = vec![w.zeros_like()];
/// for _ in 0..2 {
///     w.update(rule, WeightDecay::NONE, &mut states, &gradient);
/// }
/// assert!((w.item() - (1.0 - 0.1 - 0.19)).abs() < 1e-6);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum UpdateRule {
    /// No state: `w -= learning_rate * g`.
    Sgd {
        /// The learning rate.
        learning_rate: f64,
    },
    /// One state, `v`: `v = momentum * v + g; w -= learning_rate * v`, PyTorch's form. With `nesterov`,
    /// `w -= learning_rate * (g + momentum * v)`.
    Momentum {
        /// The learning rate.
        learning_rate: f64,
        /// The decay factor of `v`.
        momentum: f64,
        /// Whether to look ahead by one step.
        nesterov: bool,
    },
    /// One state, `v`: `v = momentum * v + learning_rate * g; w -= v`, the form in which the learning rate is part of the
    /// velocity. With `nesterov`, `w -= momentum * v + learning_rate * g`.
    Velocity {
        /// The learning rate.
        learning_rate: f64,
        /// The decay factor of `v`.
        momentum: f64,
        /// Whether to look ahead by one step.
        nesterov: bool,
    },
    /// One state, `s`: `s += g^2; w -= learning_rate * g / (sqrt(s) + epsilon)`.
    Adagrad {
        /// The learning rate.
        learning_rate: f64,
        /// Keeps the division finite.
        epsilon: f64,
    },
    /// Two states, `s` and `u`: `s = rho * s + (1 - rho) * g^2; d = sqrt(u + epsilon) / sqrt(s + epsilon) * g;
    /// u = rho * u + (1 - rho) * d^2; w -= learning_rate * d`.
    Adadelta {
        /// The learning rate.
        learning_rate: f64,
        /// The decay factor of `s` and `u`.
        rho: f64,
        /// Keeps the division finite.
        epsilon: f64,
    },
    /// One state, `s`: `s = rho * s + (1 - rho) * g^2; w -= learning_rate * g / sqrt(s + epsilon)` (Keras's form).
    RmsProp {
        /// The learning rate.
        learning_rate: f64,
        /// The decay factor of `s`.
        rho: f64,
        /// Keeps the division finite.
        epsilon: f64,
    },
    /// Two states, `s` and `v`: [`RmsProp`](UpdateRule::RmsProp)'s step goes into
    /// `v = momentum * v + learning_rate * g / sqrt(s + epsilon)`, then `w -= v` (Keras's form).
    RmsPropMomentum {
        /// The learning rate.
        learning_rate: f64,
        /// The decay factor of `s`.
        rho: f64,
        /// Keeps the division finite.
        epsilon: f64,
        /// The decay factor of `v`.
        momentum: f64,
    },
    /// Three states, `s`, `v` and `a`: as [`RmsPropMomentum`](UpdateRule::RmsPropMomentum), with the squared running mean
    /// `a = rho * a + (1 - rho) * g` taken off `s` under the root, down to 0.
    RmsPropCentered {
        /// The learning rate.
        learning_rate: f64,
        /// The decay factor of `s` and `a`.
        rho: f64,
        /// Keeps the division finite.
        epsilon: f64,
        /// The decay factor of `v`.
        momentum: f64,
    },
    /// Two states, `m` and `v`:
    /// `m = beta1 * m + (1 - beta1) g; v = beta2 * v + (1 - beta2) g^2; w -= learning_rate * m / (sqrt(v) + epsilon)`; the
    /// caller folds the bias correction of the step into `learning_rate` (Keras's form).
    Adam {
        /// The learning rate, bias correction included.
        learning_rate: f64,
        /// The decay factor of `m`.
        beta1: f64,
        /// The decay factor of `v`.
        beta2: f64,
        /// Keeps the division finite.
        epsilon: f64,
    },
    /// Three states, `m`, `v` and `h`: as [`Adam`](UpdateRule::Adam), divided by the root of the largest `v` so far,
    /// `h = max(h, v)`.
    AmsGrad {
        /// The learning rate, bias correction included.
        learning_rate: f64,
        /// The decay factor of `m`.
        beta1: f64,
        /// The decay factor of `v`.
        beta2: f64,
        /// Keeps the division finite.
        epsilon: f64,
    },
    /// Two states, `m` and `u`:
    /// `m = beta1 * m + (1 - beta1) g; u = max(beta2 * u, |g|); w -= learning_rate * m / (u + epsilon)`; the caller folds the
    /// bias correction of the step into `learning_rate` (Keras's form).
    Adamax {
        /// The learning rate, bias correction included.
        learning_rate: f64,
        /// The decay factor of `m`.
        beta1: f64,
        /// The decay factor of `u`.
        beta2: f64,
        /// Keeps the division finite.
        epsilon: f64,
    },
    /// Two states, `m` and `v`, moved as by [`Adam`](UpdateRule::Adam); then
    /// `w -= (momentum_rate * m + gradient_rate * g) / (sqrt(v / correction) + epsilon)`.
    Nadam {
        /// The learning rate of `m`, bias correction included.
        momentum_rate: f64,
        /// The learning rate of `g`, bias correction included.
        gradient_rate: f64,
        /// The decay factor of `m`.
        beta1: f64,
        /// The decay factor of `v`.
        beta2: f64,
        /// `1 - beta2^t`.
        correction: f64,
        /// Keeps the division finite.
        epsilon: f64,
    },
    /// One state, `m`: `w -= learning_rate * sign(beta1 * m + (1 - beta1) * g); m = beta2 * m + (1 - beta2) * g`.
    Lion {
        /// The learning rate.
        learning_rate: f64,
        /// The weight of `m` in the step.
        beta1: f64,
        /// The decay factor of `m`.
        beta2: f64,
    },
}

impl UpdateRule {
    /// The maximum number of state tensors of a rule.
    pub const MAX_STATES: usize = 3;

    /// How many state tensors the rule keeps beside a parameter.
    ///
    /// ```
    /// use hadal_tensor::UpdateRule;
    /// assert_eq!(UpdateRule::Sgd { learning_rate: 0.1 }.states(), 0);
    /// assert_eq!(UpdateRule::Adagrad { learning_rate: 0.1, epsilon: 1e-10 }.states(), 1);
    /// ```
    pub fn states(&self) -> usize {
        use UpdateRule::*;
        match self {
            Sgd { .. } => 0,
            Momentum { .. } | Velocity { .. } | Adagrad { .. } | RmsProp { .. } | Lion { .. } => 1,
            Adadelta { .. } | RmsPropMomentum { .. } | Adam { .. } | Adamax { .. } | Nadam { .. } => 2,
            RmsPropCentered { .. } | AmsGrad { .. } => 3,
        }
    }
}

/// The weight decay of an optimizer step.
///
/// ```
/// use hadal_tensor::{Tensor, UpdateRule, WeightDecay};
/// let step = |decay| {
///     let mut w = Tensor::from([1.0]);
///     w.update(UpdateRule::Sgd { learning_rate: 0.5 }, decay, &mut [], &Tensor::from([0.5]));
///     w.item()
/// };
/// assert_eq!(step(WeightDecay::NONE), 0.75);
/// assert_eq!(step(WeightDecay { coupled: 0.5, ..WeightDecay::NONE }), 0.5); // the gradient is 0.5 + 0.5
/// assert_eq!(step(WeightDecay { factor: 0.5, ..WeightDecay::NONE }), 0.25); // half of 1, then the step
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WeightDecay {
    /// Added to the gradient, times the parameter: `g + coupled * w` (an L2 penalty).
    pub coupled: f64,
    /// What the parameter is multiplied by before the rule is applied: 1 for none.
    pub factor: f64,
}

impl WeightDecay {
    /// Neither.
    pub const NONE: WeightDecay = WeightDecay { coupled: 0.0, factor: 1.0 };
}

/// What follows a matrix product in the same pass: a bias `[n]` is added, and what is negative becomes 0 if `relu`.
#[derive(Clone, Copy)]
pub(crate) struct Epilogue<'a> {
    pub bias: View<'a>,
    pub relu: bool,
}

/// What a device must be able to do.
pub(crate) trait Backend: Sync {
    fn upload(&self, data: HostData) -> Storage;
    /// Waits for the numbers and copies them out in row-major order.
    fn to_host(&self, x: View) -> HostData;

    fn full(&self, elements: usize, value: f64, dtype: DType) -> Storage;
    fn random(&self, distribution: Distribution, key: Key, position: u64, elements: usize) -> Storage;

    /// A contiguous copy.
    fn copy(&self, x: View) -> Storage;
    /// Writes `x` into the elements of `target` that `layout` names; `target` must be unshared.
    fn copy_into(&self, target: &mut Storage, layout: &Layout, x: View);
    fn cast(&self, x: View, dtype: DType) -> Storage;

    fn unary(&self, op: UnaryOp, x: View) -> Storage;
    /// Both views have the same shape (broadcast by their strides) and dtype.
    fn binary(&self, op: BinaryOp, a: View, b: View) -> Storage;
    /// `target = op(target, x)` in place; `target` must be unshared, `layout` contiguous.
    fn binary_assign(&self, op: BinaryOp, target: &mut Storage, layout: &Layout, x: View);
    /// `target += factor * x` in place, under the same conditions.
    fn add_scaled(&self, target: &mut Storage, layout: &Layout, factor: f64, x: View);
    fn compare(&self, op: CompareOp, a: View, b: View) -> Storage;
    /// `condition ? a : b`.
    fn select(&self, condition: View, a: View, b: View) -> Storage;

    /// Reduces the last `axes` axes of `x`. Sums of bytes and truth values are `i64`.
    fn reduce(&self, op: ReduceOp, x: View, axes: usize) -> Storage;
    /// The index of the largest (or smallest) element along the last axis: the first of equals; the first NaN if there is one.
    fn arg_extreme(&self, op: ReduceOp, x: View) -> Storage;
    /// Softmax along the last axis, or its logarithm.
    fn softmax(&self, x: View, logarithm: bool) -> Storage;

    /// `[batch.., m, k] x [batch.., k, n]`, both with the same batch axes, and what follows.
    fn matmul(&self, a: View, b: View, epilogue: Option<Epilogue>) -> Storage;
    /// How fast large products of `f32` are at a precision, against the highest; 1 where they are computed as at the highest.
    fn matmul_speed(&self, precision: MatmulPrecision) -> f64;

    /// The first index that is negative or not below `size`. A device that cannot tell without waiting returns `None`
    /// and reads such places as it likes, within its memory.
    fn out_of_range(&self, index: View, size: usize) -> Option<i64>;
    /// `out[.., i, ..] = x[.., index[.., i, ..], ..]` along `axis`, `index` with the shape of the result.
    fn gather(&self, x: View, axis: usize, index: View) -> Storage;
    /// Zeros of `shape` with `x` added at the places that [`gather`](Backend::gather) would read.
    fn scatter_add(&self, shape: Shape, axis: usize, index: View, x: View) -> Storage;
    /// Whole slices of `x` along its first axis.
    fn index_select(&self, x: View, index: View) -> Storage;
    /// Zeros of `shape` with the slices of `x` added at `index` of the first axis.
    fn index_add(&self, shape: Shape, index: View, x: View) -> Storage;

    /// One optimizer step in place; all targets unshared and contiguous.
    fn update(
        &self,
        rule: UpdateRule,
        decay: WeightDecay,
        parameter: &mut Storage,
        states: &mut [&mut Storage],
        gradient: View,
    );
}
