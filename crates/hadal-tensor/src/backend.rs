//! The primitive kernels that a device provides. Every operation is written once, over these.
//!
//! Kernels may be asynchronous: only [`Backend::to_host`] waits. Inputs may have any strides; results are new,
//! contiguous storages. Shapes and dtypes have been checked by the operation that calls.

use crate::cpu::shared::Shared;
use crate::dtype::DType;
use crate::precision::MatmulPrecision;
use crate::random::Key;
use crate::recurrent::{RecurrentCell, Steps};
use crate::shape::{Layout, Shape};
use crate::update::{UpdateRule, WeightDecay};

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

    /// Whether both are one storage.
    pub fn is(&self, other: &Storage) -> bool {
        match (self, other) {
            (Storage::F32(a), Storage::F32(b)) => std::ptr::eq(&a[..], &b[..]),
            (Storage::F64(a), Storage::F64(b)) => std::ptr::eq(&a[..], &b[..]),
            (Storage::I64(a), Storage::I64(b)) => std::ptr::eq(&a[..], &b[..]),
            (Storage::U8(a) | Storage::Bool(a), Storage::U8(b) | Storage::Bool(b)) => std::ptr::eq(&a[..], &b[..]),
            _ => false,
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
    /// a (Phi(b) + b phi(b)): the gradient of gelu at b.
    GeluGradient,
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

/// What follows a matrix product or a convolution in the same pass: a bias for each column or filter is added, and what is negative
/// becomes 0 if `relu`.
#[derive(Clone, Copy)]
pub(crate) struct Epilogue<'a> {
    pub bias: View<'a>,
    pub relu: bool,
}

/// What follows a batch normalization in the same pass.
#[derive(Clone, Copy)]
pub(crate) enum Then<A> {
    Nothing,
    /// What is negative becomes 0.
    Relu,
    /// These numbers are added, one to each; then what is negative becomes 0.
    AddRelu(A),
}

impl<A> Then<A> {
    pub fn as_ref(&self) -> Then<&A> {
        match self {
            Then::Nothing => Then::Nothing,
            Then::Relu => Then::Relu,
            Then::AddRelu(added) => Then::AddRelu(added),
        }
    }

    pub fn map<B>(self, f: impl FnOnce(A) -> B) -> Then<B> {
        match self {
            Then::Nothing => Then::Nothing,
            Then::Relu => Then::Relu,
            Then::AddRelu(added) => Then::AddRelu(f(added)),
        }
    }
}

/// A recurrent layer in one direction: its recurrent weight, and the state it begins with.
#[derive(Clone, Copy)]
pub(crate) struct RecurrentLayer<'a> {
    pub cell: RecurrentCell,
    pub steps: &'a Steps,
    /// `[gates * units, units]`.
    pub hh: View<'a>,
    /// `h`, and `c` of an LSTM, `[sequences, units]` each.
    pub state: &'a [View<'a>],
}

/// What a recurrent layer sends back.
pub(crate) struct RecurrentGradients {
    /// To the gates' parts that come from the input, `[rows, gates * units]`.
    pub input: Storage,
    /// To those that come from the state, where they are others.
    pub hidden: Option<Storage>,
    /// No gradient: the hidden state before each step, `[rows, units]`.
    pub previous: Storage,
    /// To the state in the beginning, `[states * sequences, units]`.
    pub state: Storage,
}

/// The sizes of a convolution or a pooling, in three dimensions, of which the first may be of size 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Geometry {
    pub batch: usize,
    pub channels: usize,
    /// Channels of the output.
    pub filters: usize,
    pub groups: usize,
    pub input: [usize; 3],
    pub kernel: [usize; 3],
    pub output: [usize; 3],
    pub stride: [usize; 3],
    pub padding: [usize; 3],
    pub dilation: [usize; 3],
    /// How many of the three there are for the caller.
    pub dimensions: usize,
}

/// What a device must be able to do.
pub(crate) trait Backend: Sync {
    fn upload(&self, data: HostData) -> Storage;
    /// Waits for the numbers and copies them out in row-major order.
    fn to_host(&self, x: View) -> HostData;

    /// Numbers of arbitrary value, of which all are to be written before one is read.
    fn scratch(&self, elements: usize, dtype: DType) -> Storage;
    fn full(&self, elements: usize, value: f64, dtype: DType) -> Storage;
    fn random(&self, distribution: Distribution, key: Key, position: u64, elements: usize) -> Storage;

    /// A contiguous copy.
    fn copy(&self, x: View) -> Storage;
    /// Writes `x` into the elements of `target` that `layout` names; `target` must be unshared.
    fn copy_into(&self, target: &mut Storage, layout: &Layout, x: View);
    /// Adds `x` to the elements of `target` that `layout` names; `target` must be unshared, and of floats.
    fn add_into(&self, target: &mut Storage, layout: &Layout, x: View);
    fn cast(&self, x: View, dtype: DType) -> Storage;

    fn unary(&self, op: UnaryOp, x: View) -> Storage;
    /// gelu of `x`, which becomes the derivative there; `x` must be unshared.
    fn gelu_with_gradient(&self, x: &mut Storage) -> Storage;
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
    /// The places of each row's elements in order, those of equal ones in their order, NaN as the largest.
    fn argsort(&self, x: View, descending: bool) -> Storage;
    /// The sum of each element and those before it in its row.
    fn cumulative_sum(&self, x: View) -> Storage;
    /// Softmax along the last axis, or its logarithm.
    fn softmax(&self, x: View, logarithm: bool) -> Storage;
    /// Softmax of `scale * x` along the last axis, over the elements where `mask` (of the shape of `x`) is false and, if `causal`,
    /// those up to `i + S - T` in row `i` of `[.., T, S]`; zeros where there are none.
    fn masked_softmax(&self, x: View, scale: f64, causal: bool, mask: Option<View>) -> Storage;
    /// `scale * y (g - sum(g y))` along the last axis: the gradient of a softmax of `scale * x` from its output `y`.
    fn softmax_gradient(&self, y: View, g: View, scale: f64) -> Storage;
    /// Attention of queries `[N, H, T, D]` to keys `[N, H, S, D]` and values `[N, H, S, V]` in one pass over the heads, where the device has
    /// such a one that is faster than its parts: the result `[N, T, H, V]` and, to `keep`, the shares `[N, H, T, S]`, the
    /// [`masked_softmax`](Backend::masked_softmax) of the scores.
    fn attention(&self, qkv: [View; 3], scale: f64, causal: bool, keep: bool) -> Option<(Storage, Option<Storage>)>;
    /// What [`attention`](Backend::attention) sends back to queries, keys and values when its result, seen as `[N, H, T, V]`, receives
    /// `g`: `[N, T, H, D]`, `[N, S, H, D]` and `[N, S, H, V]`, which may be parts of one storage.
    fn attention_gradients(
        &self,
        qkv: [View; 3],
        shares: View,
        g: View,
        scale: f64,
        causal: bool,
    ) -> [(Storage, Layout); 3];
    /// `(x - mean) / sqrt(variance + epsilon) * weight + bias` along the last axis.
    fn layer_norm(&self, x: View, weight: Option<View>, bias: Option<View>, epsilon: f64) -> Storage;
    /// The gradient for `x` of [`layer_norm`](Backend::layer_norm), and those for weight and bias in groups of rows, whose number
    /// is the device's choice: `[groups, 2, features]`.
    fn layer_norm_gradient(&self, x: View, g: View, weight: Option<View>, epsilon: f64) -> (Storage, Storage);

    /// Batch normalization of `[N, C, ..]` and what follows, and its statistics `[2, C]`: means and variances.
    fn batch_norm(&self, x: View, weight: View, bias: View, epsilon: f64, then: Then<View>) -> (Storage, Storage);
    /// The same by other statistics than those of `x`, means and variances `[C]`.
    fn batch_norm_by(&self, x: View, statistics: [View; 2], weight: View, bias: View, epsilon: f64) -> Storage;
    /// The gradient for `x` of [`batch_norm`](Backend::batch_norm), followed by relu or by nothing, and those for weight and bias, `[2, C]`.
    fn batch_norm_gradient(
        &self,
        x: View,
        g: View,
        affine: [View; 2],
        statistics: View,
        epsilon: f64,
        relu: bool,
    ) -> (Storage, Storage);

    /// `[batch.., m, k] x [batch.., k, n]`, both with the same batch axes, and what follows.
    fn matmul(&self, a: View, b: View, epilogue: Option<Epilogue>) -> Storage;
    /// How fast large products of `f32` are at a precision, against the highest; 1 where they are computed as at the highest.
    fn matmul_speed(&self, precision: MatmulPrecision) -> f64;

    /// `[N, C, input]` and `[O, C / groups, kernel]` to `[N, O, output]`; the bias is `[O]`.
    fn convolution(&self, x: View, w: View, epilogue: Option<Epilogue>, geometry: &Geometry) -> Storage;
    /// `[N, O, output]` and `[O, C / groups, kernel]` to `[N, C, input]`: what a convolution sends back to its input.
    fn convolution_input(&self, y: View, w: View, geometry: &Geometry) -> Storage;
    /// `[N, C, input]` and `[N, O, output]` to `[O, C / groups, kernel]`: what a convolution sends back to its weight.
    fn convolution_weight(&self, x: View, y: View, geometry: &Geometry) -> Storage;
    /// The largest element of each window, and, where that is asked for, its place within its channel, as `i64`; negative for a window
    /// outside.
    fn largest(&self, x: View, geometry: &Geometry, with_places: bool) -> (Storage, Option<Storage>);

    /// All steps of a recurrent layer. `gates`, contiguous and unshared, are the gates' parts that come from the input, with all biases but
    /// `bias`, which a GRU's new state has within the reset, `[rows, gates * units]`; they become what the gates let through. Gives the
    /// hidden states and below them the states at the end, and what [`recurrent_gradients`](Backend::recurrent_gradients) needs beside.
    fn recurrent(&self, layer: RecurrentLayer, gates: &mut Storage, bias: Option<View>) -> [Storage; 2];
    /// What is sent back, given the gradient of the hidden states and the states at the end, and what
    /// [`recurrent`](Backend::recurrent) left in `gates` and gave.
    fn recurrent_gradients(
        &self,
        layer: RecurrentLayer,
        gradient: View,
        gates: &Storage,
        given: [&Storage; 2],
    ) -> RecurrentGradients;

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
        rule: &dyn UpdateRule,
        decay: WeightDecay,
        parameter: &mut Storage,
        states: &mut [&mut Storage],
        gradient: View,
    );
}
