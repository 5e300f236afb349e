//! Hessian-vector products, the full Hessian and its eigenvalues.

use super::Space;
use crate::autograd::BackwardOptions;
use crate::linear_algebra::{Matrix, dot, eigenvalues, norm};
use crate::{DType, Gradients, Result, Rng, Tensor};

/// The gradient of `loss` at `at`, recorded so that it can be differentiated again, and the leaves it belongs to.
fn recorded_gradient(loss: &dyn Fn(&[Tensor]) -> Tensor, at: &[Tensor]) -> (Vec<Tensor>, Vec<Tensor>) {
    let leaves: Vec<Tensor> = at.iter().map(|tensor| tensor.detach().requires_grad()).collect();
    let first = loss(&leaves).backward_with(BackwardOptions { create_graph: true, ..Default::default() });
    let gradient = leaves.iter().map(|leaf| first.get(leaf).cloned().unwrap_or_else(|| leaf.zeros_like())).collect();
    (leaves, gradient)
}

/// The derivative of `gradient · direction` with respect to every leaf.
fn differentiate(leaves: &[Tensor], gradient: &[Tensor], direction: &[Tensor]) -> Vec<Tensor> {
    let products = gradient.iter().zip(direction).map(|(g, v)| (g * v.detach()).sum());
    let product = products.reduce(|a, b| a + b);
    let second = match product {
        Some(product) if product.is_tracked() => {
            product.backward_with(BackwardOptions { retain_graph: true, ..Default::default() })
        }
        // A gradient that does not depend on the parameters: the loss is linear.
        _ => Gradients::default(),
    };
    leaves.iter().map(|leaf| second.get(leaf).cloned().unwrap_or_else(|| leaf.zeros_like())).collect()
}

/// The Hessian-vector product `H v`, with `H` the Hessian of `loss` at `at`, by differentiating `gradient · v` (Pearlmutter,
/// Neural Computation 6, 1994): about the cost of two gradients, whatever the number of parameters.
///
/// ```
/// use hadal::optim::second_order::hessian_vector_product;
/// use hadal::prelude::*;
/// let x = Tensor::from_slice(&[1.0f64, 2.0], [2]);
/// let v = Tensor::from_slice(&[1.0f64, 0.0], [2]);
/// let product = hessian_vector_product(|p| p[0].powi(3).sum(), &[x], &[v]);
/// assert_eq!(product[0].to_vec::<f64>(), [6.0, 0.0]);
/// ```
///
/// # Panics
/// If the loss is not a tracked scalar, or a direction does not have the shape of its parameter.
#[doc(alias = "hvp")]
#[track_caller]
pub fn hessian_vector_product(loss: impl Fn(&[Tensor]) -> Tensor, at: &[Tensor], direction: &[Tensor]) -> Vec<Tensor> {
    assert!(
        at.len() == direction.len() && at.iter().zip(direction).all(|(x, v)| x.shape() == v.shape()),
        "hessian_vector_product: directions must have the parameters' shapes"
    );
    let (leaves, gradient) = recorded_gradient(&loss, at);
    differentiate(&leaves, &gradient, direction)
}

/// The whole Hessian of `loss` at `at`, `[n, n]` in `f64` for `n` parameters in all: `n` products, for small `n`.
///
/// ```
/// use hadal::optim::second_order::hessian;
/// use hadal::prelude::*;
/// let x = Tensor::from_slice(&[1.0f64, 2.0], [2]);
/// let matrix = hessian(|p| p[0].powi(3).sum(), &[x]);
/// assert_eq!(matrix.to_vec::<f64>(), [6.0, 0.0, 0.0, 12.0]);
/// ```
///
/// # Panics
/// If the loss is not a tracked scalar.
#[track_caller]
pub fn hessian(loss: impl Fn(&[Tensor]) -> Tensor, at: &[Tensor]) -> Tensor {
    let n = at.iter().map(Tensor::elements).sum::<usize>();
    Tensor::from_vec(dense(&loss, at).data, [n, n])
}

/// The Hessian, made symmetric.
pub(super) fn dense(loss: &dyn Fn(&[Tensor]) -> Tensor, at: &[Tensor]) -> Matrix {
    let (leaves, gradient) = recorded_gradient(loss, at);
    let n = at.iter().map(Tensor::elements).sum();
    let mut matrix = Matrix::zeros(n, n);
    let mut row = 0;
    for (which, tensor) in at.iter().enumerate() {
        for element in 0..tensor.elements() {
            let mut direction: Vec<Tensor> = at.iter().map(Tensor::zeros_like).collect();
            let mut unit = vec![0.0; tensor.elements()];
            unit[element] = 1.0;
            direction[which] = Tensor::from_vec(unit, tensor.shape()).to_dtype(tensor.dtype());
            let product = Space::flat(&differentiate(&leaves, &gradient, &direction));
            matrix.data[row * n..(row + 1) * n].copy_from_slice(&product);
            row += 1;
        }
    }
    for i in 0..n {
        for j in 0..i {
            let mean = (matrix.at(i, j) + matrix.at(j, i)) / 2.0;
            (*matrix.at_mut(i, j), *matrix.at_mut(j, i)) = (mean, mean);
        }
    }
    matrix
}

/// The `count` largest eigenvalues of the Hessian of `loss` at `at`, largest first, by Lanczos's method with full
/// reorthogonalization (Golub and Van Loan, section 10.3): one product with the Hessian an iteration, never the matrix.
/// The largest of all, `L`, bounds the learning rate of gradient descent: above `2 / L` it diverges.
///
/// Fewer are returned when there are fewer parameters.
///
/// ```
/// use hadal::optim::second_order::largest_eigenvalues;
/// use hadal::prelude::*;
/// let curvature = Tensor::from_slice(&[1.0f64, 4.0, 9.0], [3]);
/// let x = Tensor::zeros([3]).to_dtype(DType::F64);
/// let values = largest_eigenvalues(|p| (p[0].powi(2) * &curvature).sum() * 0.5, &[x], 2, &mut Rng::new(0))?;
/// assert!((values[0] - 9.0).abs() < 1e-9 && (values[1] - 4.0).abs() < 1e-9);
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// # Errors
/// If there are no parameters, or they are of different dtypes.
#[track_caller]
pub fn largest_eigenvalues(
    loss: impl Fn(&[Tensor]) -> Tensor,
    at: &[Tensor],
    count: usize,
    rng: &mut Rng,
) -> Result<Vec<f64>> {
    let space = Space::new(at)?;
    let (leaves, gradient) = recorded_gradient(&loss, at);
    let n: usize = at.iter().map(Tensor::elements).sum();
    let most = n.min((4 * count).max(count + 40));
    let mut basis: Vec<Vec<f64>> = Vec::new();
    let (mut diagonal, mut beside): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
    let mut found: Vec<f64> = Vec::new();
    let mut v = Tensor::randn([n], rng).to_dtype(DType::F64).to_vec::<f64>();
    let length = norm(&v);
    v.iter_mut().for_each(|x| *x /= length);
    loop {
        let mut next = Space::flat(&differentiate(&leaves, &gradient, &space.tensors(&v)));
        diagonal.push(dot(&next, &v));
        basis.push(v);
        for _ in 0..2 {
            for known in &basis {
                let projection = dot(&next, known);
                next.iter_mut().zip(known).for_each(|(x, y)| *x -= projection * y);
            }
        }
        let k = basis.len();
        let length = norm(&next);
        let mut projected = Matrix::zeros(k, k);
        for i in 0..k {
            *projected.at_mut(i, i) = diagonal[i];
            if i + 1 < k {
                (*projected.at_mut(i, i + 1), *projected.at_mut(i + 1, i)) = (beside[i], beside[i]);
            }
        }
        let mut values = eigenvalues(projected);
        values.truncate(count);
        let scale = values.first().map_or(1.0, |x: &f64| x.abs()).max(f64::MIN_POSITIVE);
        let settled = values.len() == count.min(n)
            && found.len() == values.len()
            && values.iter().zip(&found).all(|(a, b)| (a - b).abs() <= 1e-12 * scale);
        if settled || k >= most {
            return Ok(values);
        }
        found = values;
        if length <= 1e-13 * scale {
            // The vectors so far span a space that the Hessian maps into itself: go on from outside it.
            next = Tensor::randn([n], rng).to_dtype(DType::F64).to_vec::<f64>();
            for _ in 0..2 {
                for known in &basis {
                    let projection = dot(&next, known);
                    next.iter_mut().zip(known).for_each(|(x, y)| *x -= projection * y);
                }
            }
            beside.push(0.0);
        } else {
            beside.push(length);
        }
        let length = norm(&next);
        next.iter_mut().for_each(|x| *x /= length);
        v = next;
    }
}
