//! Optimizer steps: one pass over parameter, gradient and state.

use super::copy::contiguous;
use super::elementwise::piece;
use super::float::Float;
use super::simd::{Task, dispatch};
use super::threads::{SharedMut, for_each_piece};
use crate::shape::Layout;
use crate::update::{Formula, MAX_STATES, Real, States, UpdateRule, WeightDecay};

pub(super) fn update<T: Float + Real>(
    rule: &dyn UpdateRule,
    decay: WeightDecay,
    parameter: &mut [T],
    states: &mut [&mut [T]],
    (gradient, layout): (&[T], &Layout),
) {
    let gradient = &contiguous(gradient, layout);
    let length = parameter.len();
    assert!(gradient.len() == length && states.iter().all(|state| state.len() == length));
    let base = SharedMut::new(parameter.as_mut_ptr());
    let mut state_bases = [None; MAX_STATES];
    for (base, state) in state_bases.iter_mut().zip(states.iter_mut()) {
        *base = Some(SharedMut::new(state.as_mut_ptr()));
    }
    let piece = piece(length);
    for_each_piece(length.div_ceil(piece), |index| {
        let start = index * piece;
        let size = piece.min(length - start);
        // SAFETY: all buffers were checked to hold `length` elements and are borrowed exclusively by this function;
        // pieces of different indices do not overlap, and each runs once.
        let (parameter, states) = unsafe {
            let part = |base: Option<SharedMut<T>>| base.map_or(&mut [][..], |base| base.part(start, size));
            (base.part(start, size), state_bases.map(part))
        };
        T::run(rule, Piece { decay, parameter, states, gradient: &gradient[start..start + size] });
    });
}

/// Numbers that one thread updates; states that the formula does not keep are empty.
pub struct Piece<'a, T> {
    pub(crate) decay: WeightDecay,
    pub(crate) parameter: &'a mut [T],
    pub(crate) states: [&'a mut [T]; MAX_STATES],
    pub(crate) gradient: &'a [T],
}

impl<T: Real> Piece<'_, T> {
    /// One step by a formula.
    pub fn apply(self, formula: impl Formula) {
        dispatch(Step { formula, piece: self });
    }
}

struct Step<'a, T, F> {
    formula: F,
    piece: Piece<'a, T>,
}

impl<T: Real, F: Formula> Task for Step<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Step { formula, piece: Piece { decay, parameter, states: [a, b, c], gradient } } = self;
        let [coupled, factor] = T::all([decay.coupled, decay.factor]);
        let least = if formula.keeps_subnormal() { T::ZERO } else { T::MIN_POSITIVE };
        let apply = |w: &mut T, g: T, mut states: States<T>| {
            let g = g + coupled * *w;
            *w = *w * factor;
            formula.step(w, g, states.each_mut().map(|state| &mut **state));
            for state in states.into_iter().take(F::STATES) {
                *state = if state.abs() < least { T::ZERO } else { *state };
            }
        };
        let (mut x, mut y, mut z) = (T::ZERO, T::ZERO, T::ZERO);
        let numbers = parameter.iter_mut().zip(gradient);
        match F::STATES {
            0 => numbers.for_each(|(w, &g)| apply(w, g, [&mut x, &mut y, &mut z])),
            1 => numbers.zip(a).for_each(|((w, &g), a)| apply(w, g, [a, &mut y, &mut z])),
            2 => numbers.zip(a).zip(b).for_each(|(((w, &g), a), b)| apply(w, g, [a, b, &mut z])),
            _ => numbers.zip(a).zip(b).zip(c).for_each(|((((w, &g), a), b), c)| apply(w, g, [a, b, c])),
        }
    }
}
