//! Steps of optimizers: a formula for one number, applied to all.

use std::fmt::Debug;
use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::cpu::update::Piece;

/// The most state tensors that a formula keeps beside a parameter.
pub const MAX_STATES: usize = 3;

/// What a formula keeps for one number of a parameter; of those beyond [`Formula::STATES`], nothing is kept.
pub type States<'a, T> = [&'a mut T; MAX_STATES];

/// The formula of an optimizer's step for one number `w` with gradient `g`.
///
/// It is compiled into one loop over all numbers, for `f32` and `f64` and for each kind of vector instructions. The optimizer's own
/// state (momentum and the like) lies beside the parameter in tensors of its shape, which begin as zeros.
///
/// ```
/// use hadal_tensor::{Formula, Real, States, Tensor, WeightDecay};
/// /// `v = 0.9 v + g; w -= learning_rate * v`.
/// #[derive(Clone, Copy, Debug)]
/// struct Momentum {
///     learning_rate: f64,
/// }
///
/// impl Formula for Momentum {
///     const STATES: usize = 1;
///
///     #[inline(always)]
///     fn step<T: Real>(self, w: &mut T, g: T, [v, ..]: States<T>) {
///         let [learning_rate, momentum] = T::all([self.learning_rate, 0.9]);
///         *v = momentum * *v + g;
///         *w = *w - learning_rate * *v;
///     }
/// }
///
/// let (mut w, gradient) = (Tensor::from([1.0]), Tensor::from([1.0]));
/// let mut states = vec![w.zeros_like()];
/// for _ in 0..2 {
///     w.update(&Momentum { learning_rate: 0.1 }, WeightDecay::NONE, &mut states, &gradient);
/// }
/// assert!((w.item() - (1.0 - 0.1 - 0.19)).abs() < 1e-6);
/// ```
pub trait Formula: Copy + Debug + Sync {
    /// How many state tensors it keeps beside a parameter, at most [`MAX_STATES`].
    const STATES: usize;

    /// Changes the number and its states. It should be `#[inline(always)]`, or its loop will not use vector instructions.
    fn step<T: Real>(self, w: &mut T, g: T, states: States<T>);

    /// Whether states are kept that are [subnormal](f32::is_subnormal), nearer to 0 than 1.2e-38 in `f32`. Default: no, they become 0
    /// after the step. What shrinks by a share in each step ends there, where no gradient comes any more, and a step with such numbers
    /// takes a processor ten times as long. A formula that divides by a state, with nothing or very little added to it, should keep them.
    fn keeps_subnormal(self) -> bool {
        false
    }
}

/// A floating-point number as a [`Formula`] sees it: `f32` or `f64`.
pub trait Real:
    Copy
    + Debug
    + PartialOrd
    + Send
    + Sync
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + sealed::Sealed
{
    /// 0.
    const ZERO: Self;
    /// Infinity.
    const INFINITY: Self;
    /// The smallest positive number that is not subnormal.
    const MIN_POSITIVE: Self;

    /// The nearest number.
    fn from_f64(x: f64) -> Self;
    /// The square root.
    fn sqrt(self) -> Self;
    /// The absolute value.
    fn abs(self) -> Self;
    /// The larger; NaN if either is.
    fn larger(self, other: Self) -> Self;

    /// The nearest numbers, for the constants of a formula.
    ///
    /// ```
    /// use hadal_tensor::Real;
    /// let [rate, rest] = f32::all([0.9, 1.0 - 0.9]);
    /// assert_eq!((rate, rest), (0.9, 0.1));
    /// ```
    #[inline(always)]
    fn all<const N: usize>(numbers: [f64; N]) -> [Self; N] {
        numbers.map(Self::from_f64)
    }

    /// One piece of a step.
    #[doc(hidden)]
    fn run(rule: &dyn UpdateRule, piece: Piece<Self>);
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

macro_rules! real {
    ($type:ident, $run:ident) => {
        impl Real for $type {
            const ZERO: $type = 0.0;
            const INFINITY: $type = $type::INFINITY;
            const MIN_POSITIVE: $type = $type::MIN_POSITIVE;

            #[inline(always)]
            fn from_f64(x: f64) -> $type {
                x as $type
            }

            #[inline(always)]
            fn sqrt(self) -> $type {
                self.sqrt()
            }

            #[inline(always)]
            fn abs(self) -> $type {
                self.abs()
            }

            #[inline(always)]
            fn larger(self, other: $type) -> $type {
                crate::cpu::float::Number::larger(self, other)
            }

            fn run(rule: &dyn UpdateRule, piece: Piece<$type>) {
                rule.$run(piece);
            }
        }
    };
}

real!(f32, run_f32);
real!(f64, run_f64);

/// A [`Formula`] with its constants: the step of an optimizer.
pub trait UpdateRule: Debug + Sync {
    /// How many state tensors it keeps beside a parameter.
    fn states(&self) -> usize;
    #[doc(hidden)]
    fn run_f32(&self, piece: Piece<f32>);
    #[doc(hidden)]
    fn run_f64(&self, piece: Piece<f64>);
}

impl<F: Formula> UpdateRule for F {
    fn states(&self) -> usize {
        F::STATES
    }

    fn run_f32(&self, piece: Piece<f32>) {
        piece.apply(*self);
    }

    fn run_f64(&self, piece: Piece<f64>) {
        piece.apply(*self);
    }
}

/// The weight decay of an optimizer's step.
///
/// ```
/// use hadal_tensor::{Formula, Real, States, Tensor, WeightDecay};
/// /// `w -= g / 2`.
/// #[derive(Clone, Copy, Debug)]
/// struct Half;
///
/// impl Formula for Half {
///     const STATES: usize = 0;
///
///     #[inline(always)]
///     fn step<T: Real>(self, w: &mut T, g: T, _: States<T>) {
///         *w = *w - T::from_f64(0.5) * g;
///     }
/// }
///
/// let step = |decay| {
///     let mut w = Tensor::from([1.0]);
///     w.update(&Half, decay, &mut [], &Tensor::from([0.5]));
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
    /// What the parameter is multiplied by before the formula is applied: 1 for none.
    pub factor: f64,
}

impl WeightDecay {
    /// Neither.
    pub const NONE: WeightDecay = WeightDecay { coupled: 0.0, factor: 1.0 };
}
