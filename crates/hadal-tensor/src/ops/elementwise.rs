//! Element-wise functions of one tensor.

use super::arithmetic::{binary_value, check_float};
use crate::autograd::{
    OutputActivation, record, record_squashing, record_with_output, records, unrecorded, unrecorded_in_place,
};
use crate::backend::{BinaryOp, UnaryOp};
use crate::dtype::DType;
use crate::tensor::{Tensor, Value};

/// `g (Phi(x) + x phi(x))`, with the normal distribution's Phi and its density phi; step by step where that is differentiated
/// again. Beyond 40 it is 0 or 1, and held there, so that no infinity meets a 0.
fn gelu_gradient(g: &Tensor, x: &Tensor) -> Tensor {
    if !records(&[g, x]) {
        return Tensor::new(binary_value("gelu", BinaryOp::GeluGradient, g, x), None);
    }
    let x = x.clamp(-40.0, 40.0);
    let distribution = (&x * -std::f64::consts::FRAC_1_SQRT_2).erfc() * 0.5;
    let density = (x.powi(2) * -0.5).exp() * (0.5 * std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2);
    g * (distribution + x * density)
}

/// `s (1 + x (1 - s))` with `s` the sigmoid of x, whose factor x is held finite.
fn silu_gradient(x: &Tensor) -> Tensor {
    x.sigmoid() * (x.clamp(-1e30, 1e30) * (-x).sigmoid() + 1.0)
}

/// What the public methods call it.
fn name(op: UnaryOp) -> &'static str {
    use UnaryOp::*;
    match op {
        Neg => "neg",
        Exp => "exp",
        Expm1 => "expm1",
        Ln => "ln",
        Ln1p => "log1p",
        Sqrt => "sqrt",
        Sin => "sin",
        Cos => "cos",
        Atan => "atan",
        Tanh => "tanh",
        Sigmoid => "sigmoid",
        Softplus => "softplus",
        Erf => "erf",
        Erfc => "erfc",
        Gelu => "gelu",
        Silu => "silu",
        LogCosh => "log_cosh",
        Relu => "relu",
        Abs => "abs",
        Sign => "sign",
        Floor => "floor",
        AddScalar(_) => "add",
        RSubScalar(_) => "sub",
        MulScalar(_) => "mul",
        DivScalar(_) => "div",
        RDivScalar(_) => "recip",
        PowI(..0) => "powi with a negative exponent",
        PowI(_) => "powi",
        PowF(_) => "powf",
        MaxScalar(_) | MinScalar(_) => "clamp",
    }
}

#[doc = include_str!("accuracy.md")]
impl Tensor {
    /// [`unary`](Tensor::unary) of a tensor that nobody else needs: its handle serves the result, where nothing is recorded.
    #[track_caller]
    pub(super) fn into_unary(self, op: UnaryOp) -> Tensor {
        if records(&[&self]) || !self.dtype().is_float() {
            return self.unary(op);
        }
        let value = Value::contiguous(*self.shape(), self.backend().unary(op, self.view()));
        unrecorded_in_place(name(op), value, self)
    }

    /// Applies `op`; each operation's gradient stands in one line here, `g` being the gradient of the output `y`.
    #[track_caller]
    pub(crate) fn unary(&self, op: UnaryOp) -> Tensor {
        use UnaryOp::*;
        match op {
            Neg | Abs | Sign | Relu | PowI(0..) | MaxScalar(_) | MinScalar(_) => assert!(
                self.dtype() != DType::Bool,
                "{}: bool tensors do not support arithmetic; convert them with to_dtype() first",
                name(op)
            ),
            _ if !self.dtype().is_float() => check_float(name(op), self),
            _ => {}
        }
        let value = Value::contiguous(*self.shape(), self.backend().unary(op, self.view()));
        let name = name(op);
        if !records(&[self]) {
            return unrecorded(name, value, &[self]);
        }
        let x = self.clone();
        match op {
            Exp => record_with_output(name, value, &[self], |g, y, to| to.add(0, || g * y)),
            Sqrt => record_with_output(name, value, &[self], |g, y, to| to.add(0, || g * 0.5 / y)),
            Tanh => record_with_output(name, value, &[self], |g, y, to| to.add(0, || g.tanh_gradient(y))),
            Sigmoid => record_squashing(name, value, &[self], Some(OutputActivation::Sigmoid), |g, y, to| {
                to.add(0, || g.sigmoid_gradient(y));
            }),
            Softplus => record(name, value, &[self], move |g, to| to.add(0, || g * x.sigmoid())),
            Erf => record(name, value, &[self], move |g, to| {
                to.add(0, || g * (x.powi(2) * -1.0).exp() * std::f64::consts::FRAC_2_SQRT_PI);
            }),
            Erfc => record(name, value, &[self], move |g, to| {
                to.add(0, || g * (x.powi(2) * -1.0).exp() * -std::f64::consts::FRAC_2_SQRT_PI);
            }),
            Gelu => record(name, value, &[self], move |g, to| to.add(0, || gelu_gradient(g, &x))),
            Silu => record(name, value, &[self], move |g, to| to.add(0, || g * silu_gradient(&x))),
            LogCosh => record(name, value, &[self], move |g, to| to.add(0, || g * x.tanh())),
            Relu => record_with_output(name, value, &[self], |g, y, to| to.add(0, || g.gate(y))),
            Neg => record(name, value, &[self], |g, to| to.add(0, || -g)),
            AddScalar(_) => record(name, value, &[self], |g, to| to.add(0, || g.clone())),
            RSubScalar(_) => record(name, value, &[self], |g, to| to.add(0, || -g)),
            MulScalar(s) => record(name, value, &[self], move |g, to| to.add(0, || g * s)),
            DivScalar(s) => record(name, value, &[self], move |g, to| to.add(0, || g / s)),
            // Flat almost everywhere, and recorded all the same: the gradient is 0, not missing.
            Sign | Floor | PowI(0) | PowF(0.0) => record(name, value, &[self], |g, to| to.add(0, || g.zeros_like())),
            RDivScalar(_) => record_with_output(name, value, &[self], move |g, y, to| to.add(0, || -(g / &x) * y)),
            // Not y + 1, which cancels far below 0.
            Expm1 => record(name, value, &[self], move |g, to| to.add(0, || g * x.exp())),
            Ln1p => record(name, value, &[self], move |g, to| to.add(0, || g / (&x + 1.0))),
            Ln => record(name, value, &[self], move |g, to| to.add(0, || g / &x)),
            Sin => record(name, value, &[self], move |g, to| to.add(0, || g * x.cos())),
            Cos => record(name, value, &[self], move |g, to| to.add(0, || -(g * x.sin()))),
            Atan => record(name, value, &[self], move |g, to| to.add(0, || g / (x.powi(2) + 1.0))),
            Abs => record(name, value, &[self], move |g, to| to.add(0, || g * x.unary(Sign))),
            PowI(2) => record(name, value, &[self], move |g, to| to.add(0, || g * (&x * 2.0))),
            PowI(n) => record(name, value, &[self], move |g, to| {
                // The smallest i32 has none below it.
                let below = || n.checked_sub(1).map_or_else(|| x.powi(n) / &x, |below| x.powi(below));
                to.add(0, || g * (below() * f64::from(n)));
            }),
            PowF(p) => record(name, value, &[self], move |g, to| to.add(0, || g * (x.powf(p - 1.0) * p))),
            MaxScalar(s) => record(name, value, &[self], move |g, to| to.add(0, || g * x.ge(s).to_dtype(x.dtype()))),
            MinScalar(s) => record(name, value, &[self], move |g, to| to.add(0, || g * x.le(s).to_dtype(x.dtype()))),
        }
    }

    /// e^x.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::from([0.0]).exp().to_vec::<f32>(), [1.0]);
    /// ```
    #[track_caller]
    pub fn exp(&self) -> Tensor {
        self.unary(UnaryOp::Exp)
    }

    /// The natural logarithm; -infinity at 0, NaN below.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::from([1.0, 0.0]).ln().to_vec::<f32>(), [0.0, f32::NEG_INFINITY]);
    /// ```
    #[doc(alias = "log")]
    #[track_caller]
    pub fn ln(&self) -> Tensor {
        self.unary(UnaryOp::Ln)
    }

    /// The square root; NaN below 0.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::from([4.0, 9.0]).sqrt().to_vec::<f32>(), [2.0, 3.0]);
    /// ```
    #[track_caller]
    pub fn sqrt(&self) -> Tensor {
        self.unary(UnaryOp::Sqrt)
    }

    /// e^x - 1, without the loss of digits that subtracting 1 near x = 0 would bring.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::from_slice(&[1e-9f32], [1]).expm1().to_vec::<f32>(), [1e-9]);
    /// ```
    #[doc(alias = "exp_m1")]
    #[track_caller]
    pub fn expm1(&self) -> Tensor {
        self.unary(UnaryOp::Expm1)
    }

    /// ln(1 + x), without the loss of digits that adding 1 to a small x would bring.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::from_slice(&[1e-9f32], [1]).log1p().to_vec::<f32>(), [1e-9]);
    /// ```
    #[doc(alias = "ln_1p")]
    #[track_caller]
    pub fn log1p(&self) -> Tensor {
        self.unary(UnaryOp::Ln1p)
    }

    /// The sine, in radians.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::from([0.0]).sin().to_vec::<f32>(), [0.0]);
    /// ```
    #[track_caller]
    pub fn sin(&self) -> Tensor {
        self.unary(UnaryOp::Sin)
    }

    /// The cosine, in radians.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::from([0.0]).cos().to_vec::<f32>(), [1.0]);
    /// ```
    #[track_caller]
    pub fn cos(&self) -> Tensor {
        self.unary(UnaryOp::Cos)
    }

    /// The angle whose tangent is x, in radians between -pi/2 and pi/2.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert!((Tensor::scalar(1.0).atan().item() - std::f64::consts::FRAC_PI_4).abs() < 1e-6);
    /// ```
    #[doc(alias = "arctan")]
    #[track_caller]
    pub fn atan(&self) -> Tensor {
        self.unary(UnaryOp::Atan)
    }

    /// The hyperbolic tangent.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::from([0.0, 100.0]).tanh().to_vec::<f32>(), [0.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn tanh(&self) -> Tensor {
        self.unary(UnaryOp::Tanh)
    }

    /// The logistic function 1 / (1 + e^-x).
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::from([0.0]).sigmoid().to_vec::<f32>(), [0.5]);
    /// ```
    #[doc(alias = "expit")]
    #[doc(alias = "logistic")]
    #[track_caller]
    pub fn sigmoid(&self) -> Tensor {
        self.unary(UnaryOp::Sigmoid)
    }

    /// ln(1 + e^x), without overflow; its gradient is the sigmoid.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::from([200.0]).softplus().to_vec::<f32>(), [200.0]);
    /// ```
    #[track_caller]
    pub fn softplus(&self) -> Tensor {
        self.unary(UnaryOp::Softplus)
    }

    /// The error function, `2 / sqrt(pi)` times the integral of `e^(-t^2)` from 0 to x.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert!((Tensor::scalar(1.0).erf().item() - 0.842701).abs() < 1e-6);
    /// ```
    #[track_caller]
    pub fn erf(&self) -> Tensor {
        self.unary(UnaryOp::Erf)
    }

    /// 1 - erf(x), without the loss of digits where erf(x) is near 1.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert!((Tensor::scalar(5.0).erfc().item() / 1.5374597944e-12 - 1.0).abs() < 1e-6);
    /// ```
    #[track_caller]
    pub fn erfc(&self) -> Tensor {
        self.unary(UnaryOp::Erfc)
    }

    /// x Phi(x) with the normal distribution's Phi (Hendrycks and Gimpel, 2016): PyTorch's exact `gelu`.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert!((Tensor::scalar(1.0).gelu().item() - 0.841345).abs() < 1e-6);
    /// ```
    #[track_caller]
    pub fn gelu(&self) -> Tensor {
        self.unary(UnaryOp::Gelu)
    }

    /// x sigmoid(x) (Elfwing, Uchibe and Doya, 2018), also called swish.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert!((Tensor::scalar(1.0).silu().item() - 0.731059).abs() < 1e-6);
    /// ```
    #[doc(alias = "swish")]
    #[track_caller]
    pub fn silu(&self) -> Tensor {
        self.unary(UnaryOp::Silu)
    }

    /// ln(cosh x), without overflow and without loss of digits near 0; its gradient is tanh.
    #[doc(alias = "logcosh")]
    #[track_caller]
    pub fn log_cosh(&self) -> Tensor {
        self.unary(UnaryOp::LogCosh)
    }

    /// max(x, 0); the gradient at 0 is 0.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::from_slice(&[-1.0f32, 2.0], [2]).relu().to_vec::<f32>(), [0.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn relu(&self) -> Tensor {
        self.unary(UnaryOp::Relu)
    }

    /// |x|; the gradient at 0 is 0.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::from([-2, 3]).abs().to_vec::<i64>(), [2, 3]);
    /// ```
    #[doc(alias = "absolute")]
    #[track_caller]
    pub fn abs(&self) -> Tensor {
        self.unary(UnaryOp::Abs)
    }

    /// -1, 0 or 1; NaN for NaN, and zeros keep their sign. The gradient is 0.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::from([-2.5, 0.0, 7.0]).sign().to_vec::<f32>(), [-1.0, 0.0, 1.0]);
    /// ```
    #[doc(alias = "sgn")]
    #[track_caller]
    pub fn sign(&self) -> Tensor {
        self.unary(UnaryOp::Sign)
    }

    /// The largest whole number not above x. The gradient is 0.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::from([1.7, -1.2]).floor().to_vec::<f32>(), [1.0, -2.0]);
    /// ```
    #[track_caller]
    pub fn floor(&self) -> Tensor {
        self.unary(UnaryOp::Floor)
    }

    /// 1 / x.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::from([4.0]).recip().to_vec::<f32>(), [0.25]);
    /// ```
    #[doc(alias = "reciprocal")]
    #[track_caller]
    pub fn recip(&self) -> Tensor {
        self.unary(UnaryOp::RDivScalar(1.0))
    }

    /// x^n for a whole n.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::from([3.0, -2.0]).powi(2).to_vec::<f32>(), [9.0, 4.0]);
    /// ```
    #[doc(alias = "pow")]
    #[doc(alias = "power")]
    #[doc(alias = "square")]
    #[track_caller]
    pub fn powi(&self, n: i32) -> Tensor {
        self.unary(UnaryOp::PowI(n))
    }

    /// x^p for a real p; NaN where x is negative and p not whole.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::from([9.0]).powf(0.5).to_vec::<f32>(), [3.0]);
    /// ```
    #[doc(alias = "pow")]
    #[doc(alias = "power")]
    #[doc(alias = "float_power")]
    #[track_caller]
    pub fn powf(&self, p: f64) -> Tensor {
        self.unary(UnaryOp::PowF(p))
    }

    /// Clamps all elements to `[low, high]`; NaN stays NaN. Gradients pass where nothing was cut, at the bounds themselves
    /// included: at a bound PyTorch passes 0, and JAX half of it.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::from([-2.0, 0.5, 3.0]).clamp(0.0, 1.0).to_vec::<f32>(), [0.0, 0.5, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If `low` is above `high` or either is NaN, or a bound of integers is a fraction.
    #[doc(alias = "clip")]
    #[track_caller]
    pub fn clamp(&self, low: f64, high: f64) -> Tensor {
        assert!(low <= high, "clamp: the lower bound {low} is not below the upper bound {high}");
        for bound in [low, high] {
            // Bounds beyond the type's own cut nothing.
            let whole = self.dtype().is_float() || bound.fract() == 0.0 || bound.is_infinite();
            assert!(whole, "clamp: the bound {bound} is not an integer, the tensor holds {}", self.dtype());
        }
        self.unary(UnaryOp::MaxScalar(low)).into_unary(UnaryOp::MinScalar(high))
    }

    /// Converts to another dtype. Gradients are propagated between floating-point types.
    ///
    /// Into integers, floats are rounded toward zero and cut to the type's range (NaN becomes 0), and wider integers keep
    /// their lowest bits, as in Rust and NumPy. Into `bool`, every value but 0 is true.
    ///
    /// ```
    /// # use hadal_tensor::{DType, Tensor};
    /// let pixels = Tensor::from_slice(&[0u8, 255], [2]).to_dtype(DType::F32) / 255.0;
    /// assert_eq!(pixels.to_vec::<f32>(), [0.0, 1.0]);
    /// ```
    #[doc(alias = "astype")]
    #[doc(alias = "to")]
    #[doc(alias = "type")]
    #[doc(alias = "float")]
    #[doc(alias = "long")]
    #[doc(alias = "double")]
    #[doc(alias = "cast")]
    #[track_caller]
    pub fn to_dtype(&self, dtype: DType) -> Tensor {
        let from = self.dtype();
        if from == dtype {
            return self.clone();
        }
        let value = Value::contiguous(*self.shape(), self.backend().cast(self.view(), dtype));
        if !dtype.is_float() {
            return Tensor::new(value, None);
        }
        record("to_dtype", value, &[self], move |g, to| to.add(0, || g.to_dtype(from)))
    }
}
