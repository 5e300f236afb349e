//! Least squares by Levenberg's and Marquardt's method.

use super::{Space, check_start, check_tolerance};
use crate::autograd::BackwardOptions;
use crate::linear_algebra::{Matrix, dot, least_squares, norm};
use crate::optim::check_positive;
use crate::{DType, Error, Result, Tensor};

/// The Levenberg-Marquardt method for nonlinear least squares: minimizes `|r(p)|^2`. Each step solves
/// `min |J d + r|^2 + lambda |D d|^2`, between Gauss and Newton's step (`lambda` 0) and a short one downhill (Levenberg, 1944;
/// Marquardt, 1963). `D` holds the largest lengths of the Jacobian's columns so far (Moré, 1978), which makes the method blind
/// to the parameters' units; `lambda` follows the ratio of promised to kept descent (Nielsen, 1999). Systems are solved by
/// Householder reflections, never through `Jᵀ J`.
///
/// ```
/// use hadal::optim::second_order::LevenbergMarquardt;
/// use hadal::prelude::*;
/// let (x, y) = (Tensor::from([1.0, 2.0, 3.0]), Tensor::from([2.1, 3.9, 6.0]));
/// let fit = LevenbergMarquardt::default().fit(|p| &p[0] * &x - &y, &[Tensor::full([1], 1.0)])?;
/// assert!((fit.parameters[0].item() - 1.992857).abs() < 1e-4);
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LevenbergMarquardt {
    iterations: usize,
    tolerance: f64,
    damping: f64,
}

/// What [`LevenbergMarquardt::fit`] found.
#[derive(Clone, Debug)]
pub struct LeastSquares {
    /// The parameters, shaped as the start.
    pub parameters: Vec<Tensor>,
    /// The sum of squared residuals there.
    pub sum_of_squares: f64,
    /// Steps tried.
    pub iterations: usize,
    /// Whether the method converged within the maximum number of iterations.
    pub converged: bool,
}

impl Default for LevenbergMarquardt {
    /// At most 20,000 iterations, until steps change no parameter by more than 1e-14 of itself; cautious first steps,
    /// with which all 27 of NIST's regression problems are solved from both their starts.
    fn default() -> LevenbergMarquardt {
        LevenbergMarquardt { iterations: 20_000, tolerance: 1e-14, damping: 30.0 }
    }
}

impl LevenbergMarquardt {
    /// The maximum number of iterations.
    pub fn max_iter(mut self, most: usize) -> LevenbergMarquardt {
        self.iterations = most;
        self
    }

    /// Stops when a step changes no parameter by more than this share of itself, or when the residuals are at right
    /// angles to the Jacobian's columns within it.
    pub fn tolerance(mut self, tolerance: f64) -> LevenbergMarquardt {
        self.tolerance = tolerance;
        self
    }

    /// The first `lambda`. Default: 30; small values begin with Gauss and Newton's step.
    pub fn damping(mut self, lambda: f64) -> LevenbergMarquardt {
        self.damping = lambda;
        self
    }

    /// Minimizes the sum of the squares of `residuals`, starting from `start`.
    ///
    /// ```
    /// use hadal::optim::second_order::LevenbergMarquardt;
    /// use hadal::prelude::*;
    /// let x = Tensor::from_slice(&[0.0f64, 1.0, 2.0, 3.0], [4]);
    /// let y = (&x * 0.5).exp() * 2.0;
    /// let start = [1.0f64, 1.0].map(|value| Tensor::from_slice(&[value], []));
    /// let fit = LevenbergMarquardt::default().fit(|p| &p[0] * (&x * &p[1]).exp() - &y, &start)?;
    /// assert!((fit.parameters[1].item() - 0.5).abs() < 1e-9);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a setting cannot work, there are no parameters, they are of different dtypes, there are fewer residuals than
    /// parameters, residuals do not depend on the parameters or are not finite at the start.
    pub fn fit(&self, residuals: impl Fn(&[Tensor]) -> Tensor, start: &[Tensor]) -> Result<LeastSquares> {
        check_tolerance(self.tolerance)?;
        check_positive("damping", self.damping, "30")?;
        let space = Space::new(start)?;
        let mut x = Space::flat(start);
        let n = x.len();
        let (mut r, mut jacobian) = linearize(&space, &residuals, &x)?;
        let mut sum = dot(&r, &r);
        check_start(sum)?;
        if r.len() < n {
            return Err(Error::Data(format!(
                "there are {} residuals for {n} parameters; at least as many residuals as parameters are needed",
                r.len()
            )));
        }
        let mut scale = vec![0.0f64; n];
        let (mut lambda, mut growth) = (self.damping, 2.0);
        let (mut iterations, mut converged) = (0, sum == 0.0);
        while !converged && iterations < self.iterations {
            iterations += 1;
            for (j, scale) in scale.iter_mut().enumerate() {
                *scale = scale.max(jacobian.column_norm(j));
            }
            let mut damped = Matrix::zeros(r.len() + n, n);
            damped.data[..r.len() * n].copy_from_slice(&jacobian.data);
            for (j, &scale) in scale.iter().enumerate() {
                *damped.at_mut(r.len() + j, j) = lambda.sqrt() * if scale > 0.0 { scale } else { 1.0 };
            }
            let mut right: Vec<f64> = r.iter().map(|r| -r).collect();
            right.resize(r.len() + n, 0.0);
            let step = least_squares(damped, right);
            let better = step.and_then(|step| {
                let small = x.iter().zip(&step).all(|(x, d)| d.abs() <= self.tolerance * x.abs());
                converged |= small;
                let candidate: Vec<f64> = x.iter().zip(&step).map(|(x, d)| x + d).collect();
                let there = values(&space, &residuals, &candidate);
                let lower = dot(&there, &there);
                // What the linear model promised: |r|^2 - |r + J d|^2.
                let predicted: Vec<f64> =
                    (0..r.len()).map(|i| r[i] + (0..n).map(|j| jacobian.at(i, j) * step[j]).sum::<f64>()).collect();
                let promised = sum - dot(&predicted, &predicted);
                (lower < sum).then(|| (candidate, lower, (sum - lower) / promised.max(f64::MIN_POSITIVE)))
            });
            let Some((candidate, lower, kept)) = better else {
                lambda *= growth;
                growth *= 2.0;
                if !lambda.is_finite() || lambda > 1e100 {
                    converged = at_right_angles(&r, &jacobian);
                    break;
                }
                continue;
            };
            (x, sum) = (candidate, lower);
            lambda *= (1.0 - (2.0 * kept - 1.0).powi(3)).clamp(1.0 / 3.0, 2.0);
            growth = 2.0;
            (r, jacobian) = linearize(&space, &residuals, &x)?;
            converged |= sum == 0.0;
        }
        Ok(LeastSquares { parameters: space.tensors(&x), sum_of_squares: sum, iterations, converged })
    }
}

/// Whether no column of the Jacobian can lower the residuals, up to rounding.
fn at_right_angles(r: &[f64], jacobian: &Matrix) -> bool {
    (0..jacobian.columns).all(|j| {
        let product: f64 = (0..jacobian.rows).map(|i| jacobian.at(i, j) * r[i]).sum();
        product.abs() <= 1e-7 * norm(r) * jacobian.column_norm(j)
    })
}

fn values(space: &Space, residuals: &dyn Fn(&[Tensor]) -> Tensor, at: &[f64]) -> Vec<f64> {
    crate::no_grad(|| residuals(&space.tensors(at)).to_dtype(DType::F64).to_vec::<f64>())
}

/// Residuals and their Jacobian. With `u` a vector of weights, `Jᵀ u` is one walk back; it is linear in `u`, so its
/// derivative with respect to `u`, one walk for each parameter, is a column of `J`.
fn linearize(space: &Space, residuals: &dyn Fn(&[Tensor]) -> Tensor, at: &[f64]) -> Result<(Vec<f64>, Matrix)> {
    let leaves = space.leaves(at);
    let r = residuals(&leaves);
    if !r.is_tracked() {
        return Err(Error::Config("the residuals do not depend on the parameters".into()));
    }
    let u = r.ones_like().requires_grad();
    let weighted = (&r * &u).sum().backward_with(BackwardOptions { create_graph: true, ..Default::default() });
    let m = r.elements();
    let mut jacobian = Matrix::zeros(m, at.len());
    let mut column = 0;
    for leaf in &leaves {
        let gradient = weighted.get(leaf).map(|gradient| gradient.reshape([leaf.elements()]));
        for element in 0..leaf.elements() {
            let own = gradient.as_ref().map(|gradient| gradient.narrow(0, element, 1).sum());
            if let Some(own) = own.filter(Tensor::is_tracked) {
                let walked = own.backward_with(BackwardOptions { retain_graph: true, ..Default::default() });
                let derivative = walked.get(&u).map(|d| d.to_dtype(DType::F64).to_vec::<f64>());
                for (row, value) in derivative.iter().flatten().enumerate() {
                    *jacobian.at_mut(row, column) = *value;
                }
            }
            column += 1;
        }
    }
    Ok((r.detach().to_dtype(DType::F64).to_vec::<f64>(), jacobian))
}
