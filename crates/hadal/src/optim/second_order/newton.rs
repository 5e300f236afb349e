//! Newton's method, damped.

use super::{Minimum, Space, check_start, check_tolerance, hessian};
use crate::linear_algebra::{dot, norm, solve_positive_definite};
use crate::{Result, Tensor, no_grad};

/// Newton's method with damping: the step is `-(H + lambda I)^-1 g`, where `lambda` grows until `H + lambda I` is
/// positive definite and the step lowers the loss, and shrinks while steps succeed (Goldfeld, Quandt and Trotter,
/// Econometrica 34, 1966). Computes the full Hessian, so it is for up to a few thousand parameters.
///
/// ```
/// use hadal::optim::second_order::Newton;
/// use hadal::prelude::*;
/// // Rosenbrock's valley, whose minimum is at (1, 1).
/// let valley = |p: &[Tensor]| (1.0 - &p[0]).powi(2) + 100.0 * (&p[1] - p[0].powi(2)).powi(2);
/// let start = [-1.2, 1.0].map(|value: f64| Tensor::from_slice(&[value], []));
/// let minimum = Newton::default().minimize(valley, &start)?;
/// assert!(minimum.converged && (minimum.parameters[0].item() - 1.0).abs() < 1e-6);
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Newton {
    iterations: usize,
    tolerance: f64,
}

impl Default for Newton {
    /// At most 200 iterations, to a gradient of 1e-10 relative to the loss.
    fn default() -> Newton {
        Newton { iterations: 200, tolerance: 1e-10 }
    }
}

impl Newton {
    /// The maximum number of iterations.
    ///
    /// ```
    /// use hadal::optim::second_order::Newton;
    /// use hadal::prelude::*;
    /// let start = Tensor::from_slice(&[3.0f64], [1]);
    /// let minimum = Newton::default().max_iter(1).minimize(|p| p[0].powi(4).sum(), &[start])?;
    /// assert!(minimum.iterations <= 1 && !minimum.converged);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn max_iter(mut self, most: usize) -> Newton {
        self.iterations = most;
        self
    }

    /// Stops when the norm of the gradient is at most `tolerance * max(1, |loss|)`.
    pub fn tolerance(mut self, tolerance: f64) -> Newton {
        self.tolerance = tolerance;
        self
    }

    /// Minimizes `loss`, starting from `start`.
    ///
    /// ```
    /// use hadal::optim::second_order::Newton;
    /// use hadal::prelude::*;
    /// let start = Tensor::from_slice(&[3.0f64, -2.0], [2]);
    /// let minimum = Newton::default().minimize(|p| (&p[0] - 1.0).powi(2).sum(), &[start])?;
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
        let mut lambda = 0.0f64;
        let mut iterations = 0;
        while norm(&gradient) > self.tolerance * value.abs().max(1.0) && iterations < self.iterations {
            iterations += 1;
            let curvature = hessian::dense(&loss, &space.tensors(&x));
            let scale = (0..x.len()).map(|i| curvature.at(i, i).abs()).fold(1e-12, f64::max);
            let mut moved = false;
            // From no damping to steps too small to matter.
            while lambda <= 1e16 * scale && lambda.is_finite() {
                let mut damped = curvature.clone();
                (0..x.len()).for_each(|i| *damped.at_mut(i, i) += lambda);
                let step = solve_positive_definite(damped, &gradient);
                if let Some(step) = step {
                    let candidate: Vec<f64> = x.iter().zip(&step).map(|(x, s)| x - s).collect();
                    let there = no_grad(|| loss(&space.tensors(&candidate)).to_dtype(crate::DType::F64).item());
                    // Armijo: a little of what the slope promises must be kept.
                    if there.is_finite() && there <= value - 1e-4 * dot(&gradient, &step).max(0.0) {
                        moved = candidate != x;
                        x = candidate;
                        lambda = if lambda < 1e-10 * scale { 0.0 } else { lambda / 10.0 };
                        break;
                    }
                }
                lambda = if lambda == 0.0 { 1e-6 * scale } else { lambda * 10.0 };
            }
            if !moved {
                break;
            }
            (value, gradient) = space.value_and_gradient(&loss, &x)?;
        }
        let gradient_norm = norm(&gradient);
        Ok(Minimum {
            parameters: space.tensors(&x),
            loss: value,
            gradient_norm,
            iterations,
            // Rounding can stop progress just above the tolerance.
            converged: gradient_norm <= self.tolerance.sqrt() * value.abs().max(1.0) && iterations < self.iterations
                || gradient_norm <= self.tolerance * value.abs().max(1.0),
        })
    }
}
