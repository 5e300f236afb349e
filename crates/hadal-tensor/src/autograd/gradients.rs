//! The gradients that `backward` returns.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::{AddAssign, Index, MulAssign};

use crate::dtype::DType;
use crate::tensor::Tensor;

/// The gradients of one scalar with respect to every leaf it depends on, and to results of operations that
/// [`retain_grad`](Tensor::retain_grad) was called on. Norms, clipping and [`len`](Gradients::len) are about the leaves alone.
///
/// ```
/// use hadal_tensor::Tensor;
/// let w = Tensor::from([1.0, 2.0]).requires_grad();
/// let grads = w.powi(2).sum().backward();
/// assert_eq!(grads[&w].to_vec::<f32>(), [2.0, 4.0]);
/// assert!(grads.get(&Tensor::ones([2])).is_none());
/// ```
///
/// Indexing panics for a tensor that the scalar does not depend on; [`get`](Gradients::get) returns `None`.
#[derive(Clone, Debug, Default)]
pub struct Gradients {
    pub(super) leaves: BTreeMap<u64, Tensor>,
    pub(super) retained: BTreeMap<u64, Tensor>,
}

impl Gradients {
    /// The gradient with respect to `tensor`, of its shape; `None` if it did not take part, or is neither a leaf nor
    /// retained.
    #[doc(alias = "grad")]
    pub fn get(&self, tensor: &Tensor) -> Option<&Tensor> {
        let id = tensor.node()?.id;
        self.leaves.get(&id).or_else(|| self.retained.get(&id))
    }

    /// Takes the gradient with respect to `tensor` out.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let w = Tensor::from([3.0]).requires_grad();
    /// let mut grads = w.powi(2).sum().backward();
    /// assert_eq!(grads.remove(&w).unwrap().item(), 6.0);
    /// assert!(grads.is_empty());
    /// ```
    pub fn remove(&mut self, tensor: &Tensor) -> Option<Tensor> {
        let id = tensor.node()?.id;
        self.leaves.remove(&id).or_else(|| self.retained.remove(&id))
    }

    /// The number of gradients.
    pub fn len(&self) -> usize {
        self.leaves.len()
    }

    /// Whether no leaf has a gradient.
    pub fn is_empty(&self) -> bool {
        self.leaves.is_empty()
    }

    /// The global 2-norm of the gradients; waits for the device. Large and small numbers
    /// alike: their squares need not be numbers of their type.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let w = Tensor::from([3.0, 4.0]).requires_grad();
    /// assert_eq!((w.powi(2).sum() * 0.5).backward().norm(), 5.0);
    /// ```
    #[doc(alias = "get_total_norm")]
    pub fn norm(&self) -> f64 {
        let square = |gradient: &Tensor| gradient.detach().powi(2).sum().to_dtype(DType::F64).item();
        let squares: f64 = self.leaves.values().map(square).sum();
        // Squares that overflow, or vanish beside f32's smallest numbers, are taken again of scaled numbers.
        if squares.is_finite() && squares > 1e-30 {
            return squares.sqrt();
        }
        let largest = |gradient: &Tensor| {
            if gradient.elements() == 0 { 0.0 } else { gradient.detach().abs().max().to_dtype(DType::F64).item() }
        };
        let scale = self.leaves.values().map(largest).fold(0.0, |a: f64, b: f64| {
            if a.is_nan() {
                a
            } else if b.is_nan() {
                b
            } else {
                a.max(b)
            }
        });
        if scale == 0.0 || !scale.is_finite() {
            return scale;
        }
        let square = |gradient: &Tensor| (gradient.detach().to_dtype(DType::F64) / scale).powi(2).sum().item();
        scale * self.leaves.values().map(square).sum::<f64>().sqrt()
    }

    /// Clips the norm of all gradients together to `max_norm`, in place; returns the norm before (Pascanu and others, ICML 2013,
    /// algorithm 1; PyTorch's `clip_grad_norm_`). Gradients that are not finite are left unchanged.
    ///
    /// ```
    /// use hadal_tensor::Tensor;
    /// let w = Tensor::from_slice(&[3.0f32, 4.0], [2]).requires_grad();
    /// let mut grads = (w.powi(2).sum() * 0.5).backward();
    /// assert_eq!(grads.clip_norm(1.0), 5.0);
    /// assert!((grads.norm() - 1.0).abs() < 1e-6);
    /// ```
    ///
    /// # Panics
    /// If `max_norm` is not positive.
    #[doc(alias = "clip_grad_norm_")]
    #[track_caller]
    pub fn clip_norm(&mut self, max_norm: f64) -> f64 {
        assert!(max_norm > 0.0, "clip_norm: max_norm must be positive, not {max_norm}");
        let norm = self.norm();
        if norm > max_norm && norm.is_finite() {
            self.leaves.values_mut().for_each(|gradient| *gradient *= max_norm / norm);
        }
        norm
    }

    /// Clips every element to `[-clip_value, clip_value]`, in place (PyTorch's `clip_grad_value_`).
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let w = Tensor::from([3.0, -0.25]).requires_grad();
    /// let mut grads = w.powi(2).sum().backward();
    /// grads.clip_value(1.0);
    /// assert_eq!(grads[&w].to_vec::<f32>(), [1.0, -0.5]);
    /// ```
    ///
    /// # Panics
    /// If `clip_value` is not positive.
    #[doc(alias = "clip_grad_value_")]
    #[track_caller]
    pub fn clip_value(&mut self, clip_value: f64) {
        assert!(clip_value > 0.0, "clip_value: clip_value must be positive, not {clip_value}");
        self.leaves.values_mut().for_each(|gradient| *gradient = gradient.detach().clamp(-clip_value, clip_value));
    }
}

/// Adds the gradients of another scalar, as PyTorch's `backward` does to those that are there: gradient accumulation. A tensor that
/// has a gradient on one side only keeps it.
///
/// ```
/// use hadal_tensor::{Gradients, Tensor};
/// let w = Tensor::from([1.0, 2.0]).requires_grad();
/// let mut sum = Gradients::default();
/// for x in [Tensor::from([1.0, 0.0]), Tensor::from([3.0, 4.0])] {
///     sum += (&w * x).sum().backward();
/// }
/// sum *= 0.5; // the mean of both
/// assert_eq!(sum[&w].to_vec::<f32>(), [2.0, 2.0]);
/// ```
impl AddAssign for Gradients {
    #[track_caller]
    fn add_assign(&mut self, other: Gradients) {
        for (own, other) in [(&mut self.leaves, other.leaves), (&mut self.retained, other.retained)] {
            for (id, gradient) in other {
                match own.entry(id) {
                    Entry::Vacant(entry) => {
                        entry.insert(gradient);
                    }
                    Entry::Occupied(mut entry) => *entry.get_mut() += &gradient,
                }
            }
        }
    }
}

/// Multiplies all gradients by a number.
impl MulAssign<f64> for Gradients {
    fn mul_assign(&mut self, factor: f64) {
        self.leaves.values_mut().chain(self.retained.values_mut()).for_each(|gradient| *gradient *= factor);
    }
}

impl Index<&Tensor> for Gradients {
    type Output = Tensor;

    #[track_caller]
    fn index(&self, tensor: &Tensor) -> &Tensor {
        let shape = tensor.shape();
        match self.get(tensor) {
            Some(gradient) => gradient,
            None if tensor.is_leaf() || tensor.is_retained() => {
                panic!("gradients: the result does not depend on this tensor")
            }
            None if tensor.is_tracked() => panic!(
                "gradients: this tensor of shape {shape} is not a leaf but the result of an operation, for example of a \
                 product after requires_grad(); call requires_grad() after the operation, or retain_grad() on its result"
            ),
            None => panic!(
                "gradients: this tensor of shape {shape} is not a leaf; call requires_grad() on it before it is used"
            ),
        }
    }
}
