//! L-BFGS.

use std::collections::VecDeque;

use super::line_search::{Trial, strong_wolfe};
use super::{Minimum, Space, check_start, check_tolerance};
use crate::linear_algebra::{dot, norm};
use crate::{Result, Tensor};

/// Limited-memory BFGS (Liu and Nocedal, Mathematical Programming 45, 1989): the inverse Hessian is guessed from the
/// last steps and the changes of the gradient along them; each step satisfies the strong Wolfe conditions. Full-batch.
///
/// ```
/// use hadal::optim::second_order::Lbfgs;
/// use hadal::prelude::*;
/// // Rosenbrock's valley, whose minimum is at (1, 1).
/// let valley = |p: &[Tensor]| (1.0 - &p[0]).powi(2) + 100.0 * (&p[1] - p[0].powi(2)).powi(2);
/// let start = [-1.2, 1.0].map(|value: f64| Tensor::from_slice(&[value], []));
/// let minimum = Lbfgs::default().minimize(valley, &start)?;
/// assert!(minimum.converged && (minimum.parameters[0].item() - 1.0).abs() < 1e-6);
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Lbfgs {
    history: usize,
    iterations: usize,
    tolerance: f64,
}

impl Default for Lbfgs {
    /// History size 10, at most 1,000 iterations, tolerance 1e-10.
    fn default() -> Lbfgs {
        Lbfgs { history: 10, iterations: 1000, tolerance: 1e-10 }
    }
}

impl Lbfgs {
    /// The history size: the number of past updates used to approximate the inverse Hessian.
    pub fn history_size(mut self, steps: usize) -> Lbfgs {
        self.history = steps;
        self
    }

    /// The maximum number of iterations.
    ///
    /// ```
    /// use hadal::optim::second_order::Lbfgs;
    /// use hadal::prelude::*;
    /// let start = Tensor::from_slice(&[3.0f64], [1]);
    /// let minimum = Lbfgs::default().max_iter(1).minimize(|p| p[0].powi(4).sum(), &[start])?;
    /// assert!(minimum.iterations <= 1 && !minimum.converged);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn max_iter(mut self, most: usize) -> Lbfgs {
        self.iterations = most;
        self
    }

    /// Stops when the norm of the gradient is at most `tolerance * max(1, |loss|)`.
    pub fn tolerance(mut self, tolerance: f64) -> Lbfgs {
        self.tolerance = tolerance;
        self
    }

    /// Minimizes `loss`, starting from `start`.
    ///
    /// ```
    /// use hadal::optim::second_order::Lbfgs;
    /// use hadal::prelude::*;
    /// let start = Tensor::from_slice(&[3.0f64, -2.0], [2]);
    /// let minimum = Lbfgs::default().minimize(|p| (&p[0] - 1.0).powi(2).sum(), &[start])?;
    /// assert!(minimum.loss < 1e-12);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the tolerance is negative or NaN, there are no parameters, they are of different dtypes, the loss is not one number
    /// that depends on them, or it is not finite at the start.
    pub fn minimize(&self, loss: impl Fn(&[Tensor]) -> Tensor, start: &[Tensor]) -> Result<Minimum> {
        check_tolerance(self.tolerance)?;
        let space = Space::new(start)?;
        let mut x = Space::flat(start);
        let (mut value, mut gradient) = space.value_and_gradient(&loss, &x)?;
        check_start(value)?;
        // Steps, changes of the gradient, and 1 / (their product).
        let mut past: VecDeque<(Vec<f64>, Vec<f64>, f64)> = VecDeque::new();
        let mut iterations = 0;
        while norm(&gradient) > self.tolerance * value.abs().max(1.0) && iterations < self.iterations {
            let mut direction = descend(&gradient, &past);
            let mut slope = dot(&direction, &gradient);
            if slope >= 0.0 || !slope.is_finite() {
                past.clear();
                direction = gradient.iter().map(|g| -g).collect();
                slope = dot(&direction, &gradient);
            }
            let first = if past.is_empty() { 1.0 / norm(&gradient).max(1.0) } else { 1.0 };
            let found = strong_wolfe(value, slope, first, |step| {
                let candidate: Vec<f64> = x.iter().zip(&direction).map(|(x, d)| x + step * d).collect();
                let (value, gradient) = space.value_and_gradient(&loss, &candidate)?;
                let slope = dot(&gradient, &direction);
                Ok(Trial { step, value, slope, rest: (candidate, gradient) })
            })?;
            let Some(Trial { value: lower, rest: (candidate, new_gradient), .. }) = found else {
                if past.is_empty() {
                    break;
                }
                // The guess of the curvature may be to blame: once more along the gradient.
                past.clear();
                continue;
            };
            iterations += 1;
            let s: Vec<f64> = candidate.iter().zip(&x).map(|(new, old)| new - old).collect();
            let y: Vec<f64> = new_gradient.iter().zip(&gradient).map(|(new, old)| new - old).collect();
            let product = dot(&s, &y);
            if product > 1e-14 * norm(&s) * norm(&y) {
                past.push_back((s, y, 1.0 / product));
                if past.len() > self.history {
                    past.pop_front();
                }
            }
            (x, value, gradient) = (candidate, lower, new_gradient);
        }
        let gradient_norm = norm(&gradient);
        Ok(Minimum {
            parameters: space.tensors(&x),
            loss: value,
            gradient_norm,
            iterations,
            converged: gradient_norm <= self.tolerance * value.abs().max(1.0),
        })
    }
}

/// `-H g` by the two-loop recursion (Nocedal and Wright, algorithm 7.4).
fn descend(gradient: &[f64], past: &VecDeque<(Vec<f64>, Vec<f64>, f64)>) -> Vec<f64> {
    let mut q = gradient.to_vec();
    let mut weights = Vec::with_capacity(past.len());
    for (s, y, rho) in past.iter().rev() {
        let weight = rho * dot(s, &q);
        q.iter_mut().zip(y).for_each(|(q, y)| *q -= weight * y);
        weights.push(weight);
    }
    if let Some((_, y, rho)) = past.back() {
        let scale = 1.0 / (rho * dot(y, y));
        q.iter_mut().for_each(|q| *q *= scale);
    }
    for ((s, y, rho), weight) in past.iter().zip(weights.into_iter().rev()) {
        let correction = weight - rho * dot(y, &q);
        q.iter_mut().zip(s).for_each(|(q, s)| *q += correction * s);
    }
    q.iter_mut().for_each(|q| *q = -*q);
    q
}
