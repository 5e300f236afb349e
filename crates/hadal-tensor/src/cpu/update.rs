//! Optimizer steps: one pass over parameter, gradient and state.

use super::copy::contiguous;
use super::float::Float;
use super::simd::{Task, dispatch};
use super::threads::{SharedMut, for_each_piece};
use crate::backend::{UpdateRule, WeightDecay};
use crate::shape::Layout;

const PIECE: usize = 32 * 1024;

/// The states of a rule at one element.
type At<'a, T> = [&'a mut T; UpdateRule::MAX_STATES];

/// One piece of a step; states that the rule does not keep are empty.
struct Step<'a, T, F> {
    decay: (T, T),
    parameter: &'a mut [T],
    states: [&'a mut [T]; UpdateRule::MAX_STATES],
    gradient: &'a [T],
    f: F,
}

/// A rule for one element: changes the parameter and the states, given the gradient.
impl<T: Float, F: Fn(&mut T, T, At<T>)> Task for Step<'_, T, F> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Step { decay: (coupled, factor), parameter, states: [s, v, a], gradient, f } = self;
        let n = parameter.len();
        let (mut x, mut y, mut z) = (T::ZERO, T::ZERO, T::ZERO);
        let apply = |w: &mut T, g: T, states: At<T>| {
            let g = g + coupled * *w;
            *w = *w * factor;
            f(w, g, states);
        };
        match (s.len() == n, v.len() == n, a.len() == n) {
            (false, ..) => {
                for (w, &g) in parameter.iter_mut().zip(gradient) {
                    apply(w, g, [&mut x, &mut y, &mut z]);
                }
            }
            (true, false, _) => {
                for ((w, &g), s) in parameter.iter_mut().zip(gradient).zip(s) {
                    apply(w, g, [s, &mut y, &mut z]);
                }
            }
            (true, true, false) => {
                for (((w, &g), s), v) in parameter.iter_mut().zip(gradient).zip(s).zip(v) {
                    apply(w, g, [s, v, &mut z]);
                }
            }
            (true, true, true) => {
                for ((((w, &g), s), v), a) in parameter.iter_mut().zip(gradient).zip(s).zip(v).zip(a) {
                    apply(w, g, [s, v, a]);
                }
            }
        }
    }
}

fn step<T: Float>(
    decay: WeightDecay,
    parameter: &mut [T],
    states: &mut [&mut [T]],
    gradient: &[T],
    f: impl Fn(&mut T, T, At<T>) + Copy + Sync,
) {
    let length = parameter.len();
    assert!(gradient.len() == length && states.iter().all(|state| state.len() == length));
    let decay = (T::from_f64(decay.coupled), T::from_f64(decay.factor));
    let base = SharedMut::new(parameter.as_mut_ptr());
    let mut state_bases = [None; UpdateRule::MAX_STATES];
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
        dispatch(Step { decay, parameter, states, gradient: &gradient[start..start + size], f });
    });
}

pub(super) fn update<T: Float>(
    rule: UpdateRule,
    decay: WeightDecay,
    parameter: &mut [T],
    states: &mut [&mut [T]],
    (gradient, layout): (&[T], &Layout),
) {
    let gradient = &contiguous(gradient, layout);
    let t = T::from_f64;
    // One line per formula; each call makes a loop of its own.
    macro_rules! each {
        (|$w:ident, $g:ident, $states:pat_param| $body:block) => {
            step(decay, parameter, states, gradient, move |$w: &mut T, $g: T, $states: At<T>| $body)
        };
    }
    match rule {
        UpdateRule::Sgd { learning_rate } => {
            let learning_rate = t(learning_rate);
            each!(|w, g, _| { *w = *w - learning_rate * g });
        }
        UpdateRule::Momentum { learning_rate, momentum, nesterov: false } => {
            let (learning_rate, momentum) = (t(learning_rate), t(momentum));
            each!(|w, g, [v, ..]| {
                *v = momentum * *v + g;
                *w = *w - learning_rate * *v;
            });
        }
        UpdateRule::Momentum { learning_rate, momentum, nesterov: true } => {
            let (learning_rate, momentum) = (t(learning_rate), t(momentum));
            each!(|w, g, [v, ..]| {
                *v = momentum * *v + g;
                *w = *w - learning_rate * (g + momentum * *v);
            });
        }
        UpdateRule::Velocity { learning_rate, momentum, nesterov: false } => {
            let (learning_rate, momentum) = (t(learning_rate), t(momentum));
            each!(|w, g, [v, ..]| {
                *v = momentum * *v + learning_rate * g;
                *w = *w - *v;
            });
        }
        UpdateRule::Velocity { learning_rate, momentum, nesterov: true } => {
            let (learning_rate, momentum) = (t(learning_rate), t(momentum));
            each!(|w, g, [v, ..]| {
                *v = momentum * *v + learning_rate * g;
                *w = *w - (momentum * *v + learning_rate * g);
            });
        }
        UpdateRule::Adagrad { learning_rate, epsilon } => {
            let (learning_rate, epsilon) = (t(learning_rate), t(epsilon));
            each!(|w, g, [s, ..]| {
                *s = *s + g * g;
                *w = *w - learning_rate * g / ((*s).sqrt() + epsilon);
            });
        }
        UpdateRule::Adadelta { learning_rate, rho, epsilon } => {
            let (learning_rate, rho, rest, epsilon) = (t(learning_rate), t(rho), t(1.0 - rho), t(epsilon));
            each!(|w, g, [s, u, _]| {
                *s = rho * *s + rest * (g * g);
                let d = (*u + epsilon).sqrt() / (*s + epsilon).sqrt() * g;
                *u = rho * *u + rest * (d * d);
                *w = *w - learning_rate * d;
            });
        }
        UpdateRule::RmsProp { learning_rate, rho, epsilon } => {
            let (learning_rate, rho, rest, epsilon) = (t(learning_rate), t(rho), t(1.0 - rho), t(epsilon));
            each!(|w, g, [s, ..]| {
                *s = rho * *s + rest * (g * g);
                *w = *w - learning_rate * g / (*s + epsilon).sqrt();
            });
        }
        UpdateRule::RmsPropMomentum { learning_rate, rho, epsilon, momentum } => {
            let (learning_rate, rho, rest, epsilon, momentum) =
                (t(learning_rate), t(rho), t(1.0 - rho), t(epsilon), t(momentum));
            each!(|w, g, [s, v, _]| {
                *s = rho * *s + rest * (g * g);
                *v = momentum * *v + learning_rate * g / (*s + epsilon).sqrt();
                *w = *w - *v;
            });
        }
        UpdateRule::RmsPropCentered { learning_rate, rho, epsilon, momentum } => {
            let (learning_rate, rho, rest, epsilon, momentum) =
                (t(learning_rate), t(rho), t(1.0 - rho), t(epsilon), t(momentum));
            each!(|w, g, [s, v, a]| {
                *s = rho * *s + rest * (g * g);
                *a = rho * *a + rest * g;
                // A variance, which rounding would make negative where the gradient stays the same. Where the squares overflow
                // it is infinite, and the step 0.
                let variance = if *s == T::HIGHEST { *s } else { (*s - *a * *a).larger(T::ZERO) };
                *v = momentum * *v + learning_rate * g / (variance + epsilon).sqrt();
                *w = *w - *v;
            });
        }
        UpdateRule::Adam { learning_rate, beta1, beta2, epsilon } => {
            let (learning_rate, rest1, rest2, epsilon) = (t(learning_rate), t(1.0 - beta1), t(1.0 - beta2), t(epsilon));
            let (beta1, beta2) = (t(beta1), t(beta2));
            each!(|w, g, [m, v, _]| {
                *m = beta1 * *m + rest1 * g;
                *v = beta2 * *v + rest2 * (g * g);
                *w = *w - learning_rate * *m / ((*v).sqrt() + epsilon);
            });
        }
        UpdateRule::AmsGrad { learning_rate, beta1, beta2, epsilon } => {
            let (learning_rate, rest1, rest2, epsilon) = (t(learning_rate), t(1.0 - beta1), t(1.0 - beta2), t(epsilon));
            let (beta1, beta2) = (t(beta1), t(beta2));
            each!(|w, g, [m, v, h]| {
                *m = beta1 * *m + rest1 * g;
                *v = beta2 * *v + rest2 * (g * g);
                *h = (*h).larger(*v);
                *w = *w - learning_rate * *m / ((*h).sqrt() + epsilon);
            });
        }
        UpdateRule::Adamax { learning_rate, beta1, beta2, epsilon } => {
            let (learning_rate, rest1, beta1, beta2, epsilon) =
                (t(learning_rate), t(1.0 - beta1), t(beta1), t(beta2), t(epsilon));
            each!(|w, g, [m, u, _]| {
                *m = beta1 * *m + rest1 * g;
                let size = if g < T::ZERO { -g } else { g };
                *u = (beta2 * *u).larger(size);
                *w = *w - learning_rate * *m / (*u + epsilon);
            });
        }
        UpdateRule::Nadam { momentum_rate, gradient_rate, beta1, beta2, correction, epsilon } => {
            let (momentum_rate, gradient_rate, unbias) = (t(momentum_rate), t(gradient_rate), t(1.0 / correction));
            let (rest1, rest2, epsilon) = (t(1.0 - beta1), t(1.0 - beta2), t(epsilon));
            let (beta1, beta2) = (t(beta1), t(beta2));
            each!(|w, g, [m, v, _]| {
                *m = beta1 * *m + rest1 * g;
                *v = beta2 * *v + rest2 * (g * g);
                *w = *w - (momentum_rate * *m + gradient_rate * g) / ((*v * unbias).sqrt() + epsilon);
            });
        }
        UpdateRule::Lion { learning_rate, beta1, beta2 } => {
            let (learning_rate, beta1, beta2) = (t(learning_rate), t(beta1), t(beta2));
            let (rest1, rest2) = (T::ONE - beta1, T::ONE - beta2);
            each!(|w, g, [m, ..]| {
                let direction = beta1 * *m + rest1 * g;
                let step = if direction > T::ZERO {
                    learning_rate
                } else if direction < T::ZERO {
                    -learning_rate
                } else {
                    // 0, or NaN, which is not to be hidden.
                    direction
                };
                *w = *w - step;
                *m = beta2 * *m + rest2 * g;
            });
        }
    }
}
