//! Optimizer steps: one pass over parameter, gradient and state.

use super::copy::contiguous;
use super::float::Float;
use super::simd::{Task, dispatch};
use super::threads::{SharedMut, for_each_piece};
use crate::backend::UpdateRule;
use crate::shape::Layout;

const PIECE: usize = 32 * 1024;

/// One piece of a step with up to two states; unused ones are empty.
struct Step<'a, T, F> {
    parameter: &'a mut [T],
    states: [&'a mut [T]; 2],
    gradient: &'a [T],
    f: F,
}

/// A rule for one element: new parameter from old parameter, gradient and states, which it changes.
impl<T: Float, F: Fn(&mut T, T, &mut T, &mut T)> Task for Step<'_, T, F> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Step { parameter, states: [s, v], gradient, f } = self;
        let n = parameter.len();
        let (mut none, mut none_too) = (T::ZERO, T::ZERO);
        match (s.len() == n, v.len() == n) {
            (false, _) => {
                for (w, &g) in parameter.iter_mut().zip(gradient) {
                    f(w, g, &mut none, &mut none_too);
                }
            }
            (true, false) => {
                for ((w, &g), s) in parameter.iter_mut().zip(gradient).zip(s) {
                    f(w, g, s, &mut none);
                }
            }
            (true, true) => {
                for (((w, &g), s), v) in parameter.iter_mut().zip(gradient).zip(s).zip(v) {
                    f(w, g, s, v);
                }
            }
        }
    }
}

fn step<T: Float>(
    parameter: &mut [T],
    states: &mut [&mut [T]],
    gradient: &[T],
    f: impl Fn(&mut T, T, &mut T, &mut T) + Copy + Sync,
) {
    let length = parameter.len();
    assert!(gradient.len() == length && states.iter().all(|state| state.len() == length));
    let base = SharedMut::new(parameter.as_mut_ptr());
    let mut state_bases = [None; 2];
    for (base, state) in state_bases.iter_mut().zip(states.iter_mut()) {
        *base = Some(SharedMut::new(state.as_mut_ptr()));
    }
    for_each_piece(length.div_ceil(PIECE), |index| {
        let start = index * PIECE;
        let size = PIECE.min(length - start);
        // SAFETY: all buffers were checked to hold `length` elements and are borrowed exclusively by this function;
        // pieces of different indices do not overlap, and each runs once.
        let (parameter, states) = unsafe {
            let part = |base: Option<SharedMut<T>>| base.map_or(&mut [][..], |base| base.part(start, size));
            (base.part(start, size), state_bases.map(part))
        };
        dispatch(Step { parameter, states, gradient: &gradient[start..start + size], f });
    });
}

pub(super) fn update<T: Float>(
    rule: UpdateRule,
    parameter: &mut [T],
    states: &mut [&mut [T]],
    gradient: &[T],
    layout: &Layout,
) {
    let gradient = &contiguous(gradient, layout);
    let t = T::from_f64;
    match rule {
        UpdateRule::Sgd { rate } => {
            let rate = t(rate);
            step(parameter, states, gradient, move |w, g, _, _| *w = *w - rate * g);
        }
        UpdateRule::Momentum { rate, momentum } => {
            let (rate, momentum) = (t(rate), t(momentum));
            step(parameter, states, gradient, move |w, g, v, _| {
                *v = momentum * *v + g;
                *w = *w - rate * *v;
            });
        }
        UpdateRule::RmsProp { rate, rho, epsilon } => {
            let (rate, rho, rest, epsilon) = (t(rate), t(rho), t(1.0 - rho), t(epsilon));
            step(parameter, states, gradient, move |w, g, s, _| {
                *s = rho * *s + rest * (g * g);
                *w = *w - rate * g / (*s + epsilon).sqrt();
            });
        }
        UpdateRule::RmsPropMomentum { rate, rho, epsilon, momentum } => {
            let (rate, rho, rest, epsilon, momentum) = (t(rate), t(rho), t(1.0 - rho), t(epsilon), t(momentum));
            step(parameter, states, gradient, move |w, g, s, v| {
                *s = rho * *s + rest * (g * g);
                *v = momentum * *v + rate * g / (*s + epsilon).sqrt();
                *w = *w - *v;
            });
        }
        UpdateRule::Adam { rate, beta1, beta2, epsilon } => {
            let (rate, rest1, rest2, epsilon) = (t(rate), t(1.0 - beta1), t(1.0 - beta2), t(epsilon));
            step(parameter, states, gradient, move |w, g, m, v| {
                *m = *m + rest1 * (g - *m);
                *v = *v + rest2 * (g * g - *v);
                *w = *w - rate * *m / ((*v).sqrt() + epsilon);
            });
        }
    }
}
