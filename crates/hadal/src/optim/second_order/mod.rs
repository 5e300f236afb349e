//! Second-order optimization: Newton's method, L-BFGS, Levenberg-Marquardt, and Hessian-vector products.
//!
//! Near a minimum the loss is a bowl `1/2 xᵀ H x`, and the best step is not `learning_rate * g` but `H^-1 g`. Here: products with
//! the Hessian and its largest eigenvalues ([`hessian_vector_product`], [`largest_eigenvalues`]), and methods that
//! step by curvature: [`Newton`], [`Lbfgs`], and [`LevenbergMarquardt`] for sums of squares.
//!
//! All take a function of parameters and a start, and compute in the parameters' own dtype (use `f64`):
//!
//! ```
//! use hadal::optim::second_order::Newton;
//! use hadal::prelude::*;
//! // Rosenbrock's valley.
//! let loss = |p: &[Tensor]| {
//!     let (x, y) = (p[0].narrow(0, 0, 1), p[0].narrow(0, 1, 1));
//!     ((1.0 - &x).powi(2) + (y - x.powi(2)).powi(2) * 100.0).sum()
//! };
//! let start = Tensor::from_slice(&[-1.2f64, 1.0], [2]);
//! let minimum = Newton::default().minimize(loss, &[start])?;
//! assert!(minimum.converged && (minimum.parameters[0].to_vec::<f64>()[1] - 1.0).abs() < 1e-9);
//! # Ok::<(), hadal::Error>(())
//! ```

mod hessian;
mod lbfgs;
mod levenberg_marquardt;
mod line_search;
mod newton;

pub use hessian::{hessian, hessian_vector_product, largest_eigenvalues};
pub use lbfgs::Lbfgs;
pub use levenberg_marquardt::{LeastSquares, LevenbergMarquardt};
pub use newton::Newton;

use crate::{DType, Error, Result, Shape, Tensor};

/// The result of a minimization.
///
/// ```
/// use hadal::optim::second_order::{Minimum, Newton};
/// use hadal::prelude::*;
/// let start = Tensor::from_slice(&[3.0f64], [1]);
/// let minimum: Minimum = Newton::default().minimize(|p| (&p[0] - 1.0).powi(2).sum() + 5.0, &[start])?;
/// assert!(minimum.converged && (minimum.loss - 5.0).abs() < 1e-12);
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Minimum {
    /// The parameters, shaped as the start.
    pub parameters: Vec<Tensor>,
    /// The loss there.
    pub loss: f64,
    /// The 2-norm of the gradient there.
    pub gradient_norm: f64,
    /// Steps taken.
    pub iterations: usize,
    /// Whether the method converged within the maximum number of iterations.
    pub converged: bool,
}

/// Parameters as one vector, and back.
struct Space {
    shapes: Vec<Shape>,
    dtype: DType,
}

impl Space {
    fn new(start: &[Tensor]) -> Result<Space> {
        let Some(first) = start.first().filter(|_| start.iter().any(|tensor| tensor.elements() > 0)) else {
            return Err(Error::Config("there are no parameters to optimize".into()));
        };
        if !first.dtype().is_float() || start.iter().any(|tensor| tensor.dtype() != first.dtype()) {
            return Err(Error::Config(
                "parameters must be floating-point tensors of the same dtype, preferably f64".into(),
            ));
        }
        Ok(Space { shapes: start.iter().map(|tensor| *tensor.shape()).collect(), dtype: first.dtype() })
    }

    fn flat(tensors: &[Tensor]) -> Vec<f64> {
        tensors.iter().flat_map(|tensor| tensor.detach().to_dtype(DType::F64).to_vec::<f64>()).collect()
    }

    fn tensors(&self, flat: &[f64]) -> Vec<Tensor> {
        let mut rest = flat;
        self.shapes
            .iter()
            .map(|shape| {
                let (own, others) = rest.split_at(shape.elements());
                rest = others;
                Tensor::from_slice(own, shape).to_dtype(self.dtype)
            })
            .collect()
    }

    /// Tracked leaves with these values.
    fn leaves(&self, flat: &[f64]) -> Vec<Tensor> {
        self.tensors(flat).into_iter().map(Tensor::requires_grad).collect()
    }

    /// Loss and gradient at a point. Parameters that the loss does not depend on have gradient 0.
    fn value_and_gradient(&self, loss: &dyn Fn(&[Tensor]) -> Tensor, at: &[f64]) -> Result<(f64, Vec<f64>)> {
        let leaves = self.leaves(at);
        let value = loss(&leaves);
        if value.elements() != 1 || !value.is_tracked() {
            return Err(Error::Config(format!(
                "the loss must be a scalar that depends on the parameters; it has shape {}",
                value.shape()
            )));
        }
        let gradients = value.backward();
        let gradient = leaves.iter().map(|leaf| gradients.get(leaf).cloned().unwrap_or_else(|| leaf.zeros_like()));
        Ok((value.to_dtype(DType::F64).item(), Space::flat(&gradient.collect::<Vec<_>>())))
    }
}

/// A tolerance may be 0: then only the limit of iterations ends the search.
fn check_tolerance(tolerance: f64) -> Result<()> {
    if tolerance >= 0.0 {
        return Ok(());
    }
    Err(Error::Config(format!("tolerance {tolerance} must be 0 or positive, for example 1e-10")))
}

/// The start's loss must be a number.
fn check_start(loss: f64) -> Result<()> {
    if loss.is_finite() {
        return Ok(());
    }
    Err(Error::Data(format!("the loss is {loss} at the starting point; choose another starting point")))
}
