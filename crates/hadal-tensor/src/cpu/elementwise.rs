//! Element-wise kernels: one loop per number of inputs, specialised for adjacent and for repeated elements.

use super::buffer::{Buffer, Plain};
use super::float::{Float, Number};
use super::simd::{Task, dispatch};
use super::strided::{Plan, Run, at};
use super::threads::for_each_part;
use crate::backend::{BinaryOp, CompareOp, UnaryOp};
use crate::shape::Layout;

/// Elements per piece of parallel work: smaller ones cost more to hand over than to compute.
pub(super) const PIECE: usize = 32 * 1024;

/// Elements of a piece, where there are so many in all: an even number of pieces, or one thread in two would wait for the last.
pub(super) fn piece(elements: usize) -> usize {
    if elements <= PIECE {
        return PIECE;
    }
    let pieces = elements.div_ceil(PIECE).next_multiple_of(2);
    // Whole cache lines.
    elements.div_ceil(pieces).next_multiple_of(64)
}

/// A function of one element. A closure will do for a few instructions; a longer function needs a type of its own
/// whose method is `#[inline(always)]`, or the loop around it stays scalar.
pub(super) trait Function<A, O>: Copy + Sync {
    fn of(self, x: A) -> O;
}

impl<A, O, F: Fn(A) -> O + Copy + Sync> Function<A, O> for F {
    #[inline(always)]
    fn of(self, x: A) -> O {
        self(x)
    }
}

struct Map<'a, A, O, F> {
    out: &'a mut [O],
    start: usize,
    plan: &'a Plan<1>,
    x: &'a [A],
    f: F,
}

impl<A: Copy, O: Copy, F: Function<A, O>> Task for Map<'_, A, O, F> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Map { out, start, plan, x, f } = self;
        let [step] = plan.steps();
        for Run { position, starts: [first], length } in plan.runs(start, out.len()) {
            let out = &mut out[position..position + length];
            if step == 1 {
                for (out, &x) in out.iter_mut().zip(&x[first..first + length]) {
                    *out = f.of(x);
                }
            } else if step == 0 && length > 0 {
                // What was repeated along the run, as by `expand`.
                out.fill(f.of(x[first]));
            } else {
                for (i, out) in out.iter_mut().enumerate() {
                    *out = f.of(at(x, first, step, i));
                }
            }
        }
    }
}

/// `f` of every element of a view.
pub(super) fn map<A: Plain, O: Plain>(x: &[A], layout: &Layout, f: impl Function<A, O>) -> Buffer<O> {
    let plan = Plan::new([layout]);
    let mut out = Buffer::scratch(layout.shape.elements());
    for_each_part(&mut out, piece(layout.shape.elements()), |start, out| {
        dispatch(Map { out, start, plan: &plan, x, f })
    });
    out
}

struct Zip<'a, A, O, F> {
    out: &'a mut [O],
    start: usize,
    plan: &'a Plan<2>,
    a: &'a [A],
    b: &'a [A],
    f: F,
}

impl<A: Copy, O, F: Fn(A, A) -> O> Task for Zip<'_, A, O, F> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Zip { out, start, plan, a, b, f } = self;
        let steps = plan.steps();
        for Run { position, starts: [i, j], length } in plan.runs(start, out.len()) {
            let out = &mut out[position..position + length];
            match steps {
                [1, 1] => {
                    for ((out, &a), &b) in out.iter_mut().zip(&a[i..i + length]).zip(&b[j..j + length]) {
                        *out = f(a, b);
                    }
                }
                [1, 0] => {
                    let b = b[j];
                    for (out, &a) in out.iter_mut().zip(&a[i..i + length]) {
                        *out = f(a, b);
                    }
                }
                [0, 1] => {
                    let a = a[i];
                    for (out, &b) in out.iter_mut().zip(&b[j..j + length]) {
                        *out = f(a, b);
                    }
                }
                [p, q] => {
                    for (k, out) in out.iter_mut().enumerate() {
                        *out = f(at(a, i, p, k), at(b, j, q, k));
                    }
                }
            }
        }
    }
}

/// `f` of every pair of elements of two views of one shape.
pub(super) fn zip<A: Plain, O: Plain>(
    (a, left): (&[A], &Layout),
    (b, right): (&[A], &Layout),
    f: impl Fn(A, A) -> O + Copy + Sync,
) -> Buffer<O> {
    let plan = Plan::new([left, right]);
    let mut out = Buffer::scratch(left.shape.elements());
    for_each_part(&mut out, piece(left.shape.elements()), |start, out| {
        dispatch(Zip { out, start, plan: &plan, a, b, f })
    });
    out
}

struct ZipAssign<'a, T, F> {
    target: &'a mut [T],
    start: usize,
    plan: &'a Plan<1>,
    x: &'a [T],
    f: F,
}

impl<T: Copy, F: Fn(T, T) -> T> Task for ZipAssign<'_, T, F> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let ZipAssign { target, start, plan, x, f } = self;
        let [step] = plan.steps();
        for Run { position, starts: [first], length } in plan.runs(start, target.len()) {
            let target = &mut target[position..position + length];
            if step == 1 {
                for (target, &x) in target.iter_mut().zip(&x[first..first + length]) {
                    *target = f(*target, x);
                }
            } else if step == 0 {
                let x = x[first];
                for target in target.iter_mut() {
                    *target = f(*target, x);
                }
            } else {
                for (i, target) in target.iter_mut().enumerate() {
                    *target = f(*target, at(x, first, step, i));
                }
            }
        }
    }
}

/// `target = f(target, x)` in place.
pub(super) fn zip_assign<T: Plain>(target: &mut [T], x: &[T], layout: &Layout, f: impl Fn(T, T) -> T + Copy + Sync) {
    let plan = Plan::new([layout]);
    for_each_part(target, piece(layout.shape.elements()), |start, target| {
        dispatch(ZipAssign { target, start, plan: &plan, x, f })
    });
}

/// Adds terms to sums, on this thread.
pub(super) fn add_to<T: Float>(sums: &mut [T], terms: &[T]) {
    dispatch(AddTo(sums, terms));
}

struct AddTo<'a, T>(&'a mut [T], &'a [T]);

impl<T: Float> Task for AddTo<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        for (sum, &term) in self.0.iter_mut().zip(self.1) {
            *sum = *sum + term;
        }
    }
}

struct Select<'a, T> {
    out: &'a mut [T],
    start: usize,
    plan: &'a Plan<3>,
    condition: &'a [u8],
    a: &'a [T],
    b: &'a [T],
}

impl<T: Plain> Task for Select<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Select { out, start, plan, condition, a, b } = self;
        let [p, q, r] = plan.steps();
        for Run { position, starts: [i, j, k], length } in plan.runs(start, out.len()) {
            let out = &mut out[position..position + length];
            if p == 1 && q == 1 && r == 1 {
                let values = a[j..j + length].iter().zip(&b[k..k + length]);
                for ((out, &chosen), (&a, &b)) in out.iter_mut().zip(&condition[i..i + length]).zip(values) {
                    *out = if chosen != 0 { a } else { b };
                }
            } else if p == 1 && q == 0 && r == 1 {
                let a = a[j];
                for ((out, &chosen), &b) in out.iter_mut().zip(&condition[i..i + length]).zip(&b[k..k + length]) {
                    *out = if chosen != 0 { a } else { b };
                }
            } else if p == 1 && q == 1 && r == 0 {
                let b = b[k];
                for ((out, &chosen), &a) in out.iter_mut().zip(&condition[i..i + length]).zip(&a[j..j + length]) {
                    *out = if chosen != 0 { a } else { b };
                }
            } else {
                for (n, out) in out.iter_mut().enumerate() {
                    *out = if at(condition, i, p, n) != 0 { at(a, j, q, n) } else { at(b, k, r, n) };
                }
            }
        }
    }
}

/// `condition ? a : b` over three views of one shape.
pub(super) fn select<T: Plain>(
    (condition, c): (&[u8], &Layout),
    (a, left): (&[T], &Layout),
    (b, right): (&[T], &Layout),
) -> Buffer<T> {
    let plan = Plan::new([c, left, right]);
    let mut out = Buffer::scratch(c.shape.elements());
    for_each_part(&mut out, piece(c.shape.elements()), |start, out| {
        dispatch(Select { out, start, plan: &plan, condition, a, b })
    });
    out
}

/// Functions that integers have too; `None` for the others.
fn number_unary<T: Number>(op: UnaryOp, x: &[T], layout: &Layout) -> Option<Buffer<T>> {
    use UnaryOp::*;
    Some(match op {
        Neg => map(x, layout, T::negative),
        Relu => map(x, layout, T::relu),
        Abs => map(x, layout, T::absolute),
        Sign => map(x, layout, |x: T| {
            if x > T::ZERO {
                T::ONE
            } else if x < T::ZERO {
                T::ZERO.minus(T::ONE)
            } else {
                x
            }
        }),
        PowI(2) => map(x, layout, |x: T| x.times(x)),
        PowI(n @ 0..) => map(x, layout, move |x: T| x.powi(n)),
        MaxScalar(s) => {
            let s = T::from_f64(s);
            map(x, layout, move |x: T| x.larger(s))
        }
        MinScalar(s) => {
            let s = T::from_f64(s);
            map(x, layout, move |x: T| x.smaller(s))
        }
        _ => return None,
    })
}

pub(super) fn integer_unary<T: Number>(op: UnaryOp, x: &[T], layout: &Layout) -> Buffer<T> {
    number_unary(op, x, layout).unwrap_or_else(|| unreachable!("{op:?} is checked to be called on floats"))
}

/// The longer functions of one element, as types so that they are inlined wherever they are used.
mod functions {
    use super::{Float, Function};

    macro_rules! functions {
        ($($name:ident $method:ident),*) => {$(
            #[derive(Clone, Copy)]
            pub struct $name;
            impl<T: Float> Function<T, T> for $name {
                #[inline(always)]
                fn of(self, x: T) -> T {
                    x.$method()
                }
            }
        )*};
    }
    functions!(Exp exp, Expm1 expm1, Ln ln, Ln1p ln_1p, Sqrt sqrt, Sin sin, Cos cos, Atan atan, Tanh tanh, Sigmoid sigmoid,
        Softplus softplus, Erf erf, Erfc erfc, Gelu gelu, Silu silu, LogCosh log_cosh, Floor floor);
}

pub(super) fn float_unary<T: Float>(op: UnaryOp, x: &[T], layout: &Layout) -> Buffer<T> {
    use UnaryOp::*;
    match op {
        Exp => map(x, layout, functions::Exp),
        Expm1 => map(x, layout, functions::Expm1),
        Ln => map(x, layout, functions::Ln),
        Ln1p => map(x, layout, functions::Ln1p),
        Sqrt => map(x, layout, functions::Sqrt),
        Sin => map(x, layout, functions::Sin),
        Cos => map(x, layout, functions::Cos),
        Atan => map(x, layout, functions::Atan),
        Tanh => map(x, layout, functions::Tanh),
        Sigmoid => map(x, layout, functions::Sigmoid),
        Softplus => map(x, layout, functions::Softplus),
        Erf => map(x, layout, functions::Erf),
        Erfc => map(x, layout, functions::Erfc),
        Gelu => map(x, layout, functions::Gelu),
        Silu => map(x, layout, functions::Silu),
        LogCosh => map(x, layout, functions::LogCosh),
        Floor => map(x, layout, functions::Floor),
        AddScalar(s) => {
            let s = T::from_f64(s);
            map(x, layout, move |x: T| x + s)
        }
        MulScalar(s) => {
            let s = T::from_f64(s);
            map(x, layout, move |x: T| x * s)
        }
        DivScalar(s) => {
            let s = T::from_f64(s);
            map(x, layout, move |x: T| x / s)
        }
        RSubScalar(s) => {
            let s = T::from_f64(s);
            map(x, layout, move |x: T| s - x)
        }
        RDivScalar(s) => {
            let s = T::from_f64(s);
            map(x, layout, move |x: T| s / x)
        }
        PowI(n @ ..0) => map(x, layout, move |x: T| x.powi(n)),
        PowF(p) => map(x, layout, move |x: T| x.powf64(p)),
        _ => number_unary(op, x, layout).unwrap_or_else(|| unreachable!("{op:?} is listed above")),
    }
}

/// Calls `$go` with the function of two elements that `$op` names, so that each use gets loops of its own.
macro_rules! with_function {
    ($op:expr, $t:ident, $go:expr) => {{
        let go = $go;
        match $op {
            BinaryOp::Add => go.call(|a: $t, b: $t| a.plus(b)),
            BinaryOp::Sub => go.call(|a: $t, b: $t| a.minus(b)),
            BinaryOp::Mul => go.call(|a: $t, b: $t| a.times(b)),
            BinaryOp::Max => go.call(|a: $t, b: $t| a.larger(b)),
            BinaryOp::Min => go.call(|a: $t, b: $t| a.smaller(b)),
            BinaryOp::Gate => go.call(|a: $t, b: $t| if b <= $t::ZERO { $t::ZERO } else { a }),
            _ => return None,
        }
    }};
}

/// How a function of two elements is applied: into a new buffer, or in place.
trait Apply<T> {
    type Output;
    fn call(self, f: impl Fn(T, T) -> T + Copy + Sync) -> Self::Output;
}

struct Into<'a, T>((&'a [T], &'a Layout), (&'a [T], &'a Layout));

impl<T: Plain> Apply<T> for Into<'_, T> {
    type Output = Buffer<T>;
    fn call(self, f: impl Fn(T, T) -> T + Copy + Sync) -> Buffer<T> {
        zip(self.0, self.1, f)
    }
}

struct InPlace<'a, T>(&'a mut [T], &'a [T], &'a Layout);

impl<T: Plain> Apply<T> for InPlace<'_, T> {
    type Output = ();
    fn call(self, f: impl Fn(T, T) -> T + Copy + Sync) {
        zip_assign(self.0, self.1, self.2, f);
    }
}

fn number_binary<T: Number, A: Apply<T>>(op: BinaryOp, apply: A) -> Option<A::Output> {
    Some(with_function!(op, T, apply))
}

fn float_binary_with<T: Float, A: Apply<T>>(op: BinaryOp, apply: A) -> A::Output {
    match op {
        BinaryOp::Div => apply.call(|a: T, b: T| a / b),
        BinaryOp::Pow => apply.call(|a: T, b: T| a.powf(b)),
        BinaryOp::TanhGradient => apply.call(|a: T, b: T| a * (T::ONE - b * b)),
        BinaryOp::SigmoidGradient => apply.call(|a: T, b: T| a * (b * (T::ONE - b))),
        // Long, and used in several loops: it would not be inlined into them otherwise.
        BinaryOp::GeluGradient => apply.call(
            #[inline(always)]
            |a: T, b: T| a * b.gelu_gradient(),
        ),
        _ => number_binary(op, apply).unwrap_or_else(|| unreachable!("{op:?} is listed above")),
    }
}

pub(super) fn float_binary<T: Float>(op: BinaryOp, a: (&[T], &Layout), b: (&[T], &Layout)) -> Buffer<T> {
    float_binary_with(op, Into(a, b))
}

pub(super) fn integer_binary<T: Number>(op: BinaryOp, a: (&[T], &Layout), b: (&[T], &Layout)) -> Buffer<T> {
    number_binary(op, Into(a, b)).unwrap_or_else(|| unreachable!("{op:?} is checked to be called on floats"))
}

pub(super) fn float_assign<T: Float>(op: BinaryOp, target: &mut [T], x: &[T], layout: &Layout) {
    float_binary_with(op, InPlace(target, x, layout));
}

pub(super) fn integer_assign<T: Number>(op: BinaryOp, target: &mut [T], x: &[T], layout: &Layout) {
    number_binary(op, InPlace(target, x, layout))
        .unwrap_or_else(|| unreachable!("{op:?} is checked to be called on floats"));
}

pub(super) fn compare<T: Plain + PartialOrd>(op: CompareOp, a: (&[T], &Layout), b: (&[T], &Layout)) -> Buffer<u8> {
    match op {
        CompareOp::Eq => zip(a, b, |a, b| u8::from(a == b)),
        CompareOp::Ne => zip(a, b, |a, b| u8::from(a != b)),
        CompareOp::Lt => zip(a, b, |a, b| u8::from(a < b)),
        CompareOp::Le => zip(a, b, |a, b| u8::from(a <= b)),
        CompareOp::Gt => zip(a, b, |a, b| u8::from(a > b)),
        CompareOp::Ge => zip(a, b, |a, b| u8::from(a >= b)),
    }
}
