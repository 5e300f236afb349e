//! Elements in order.

use super::axes::Axes;
use super::reduce::permuted;
use crate::backend::View;
use crate::tensor::Tensor;

/// # Order
///
/// Equal elements stay in their order; NaN counts as larger than all numbers, as in PyTorch. Gradients flow to where elements came
/// from.
impl Tensor {
    /// The elements in order along `axis`, smallest first, and the places where they were, as `i64`.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let (sorted, places) = Tensor::from([3, 1, 2]).sort(0);
    /// assert_eq!((sorted.to_vec::<i64>(), places.to_vec::<i64>()), (vec![1, 2, 3], vec![1, 2, 0]));
    /// ```
    #[track_caller]
    pub fn sort(&self, axis: isize) -> (Tensor, Tensor) {
        let places = self.argsort(axis);
        (self.gather(axis, &places), places)
    }

    /// [`sort`](Tensor::sort), largest first.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::from([3, 1, 2]).sort_descending(0).0.to_vec::<i64>(), [3, 2, 1]);
    /// ```
    #[track_caller]
    pub fn sort_descending(&self, axis: isize) -> (Tensor, Tensor) {
        let places = self.sorted_places("sort_descending", axis, true);
        (self.gather(axis, &places), places)
    }

    /// The places of the elements in order along `axis`, as `i64`, that of the smallest first.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::from([0.5, 0.1, 0.3]).argsort(0).to_vec::<i64>(), [1, 2, 0]);
    /// ```
    #[track_caller]
    pub fn argsort(&self, axis: isize) -> Tensor {
        self.sorted_places("argsort", axis, false)
    }

    /// [`argsort`](Tensor::argsort), that of the largest first.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::from([0.5, 0.1, 0.3]).argsort_descending(0).to_vec::<i64>(), [0, 2, 1]);
    /// ```
    #[track_caller]
    pub fn argsort_descending(&self, axis: isize) -> Tensor {
        self.sorted_places("argsort_descending", axis, true)
    }

    /// The `k` largest elements along `axis`, largest first, and their places, as `i64`.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let (values, places) = Tensor::from([0.1, 0.7, 0.2]).topk(2, 0);
    /// assert_eq!((values.to_vec::<f32>(), places.to_vec::<i64>()), (vec![0.7, 0.2], vec![1, 2]));
    /// ```
    ///
    /// # Panics
    /// If the axis has fewer than `k` elements.
    #[track_caller]
    pub fn topk(&self, k: usize, axis: isize) -> (Tensor, Tensor) {
        self.first_in_order("topk", k, axis, true)
    }

    /// The `k` smallest elements along `axis`, smallest first, and their places, as `i64`: PyTorch's `topk` with `largest=False`.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let (values, places) = Tensor::from([0.1, 0.7, 0.2]).topk_smallest(2, 0);
    /// assert_eq!((values.to_vec::<f32>(), places.to_vec::<i64>()), (vec![0.1, 0.2], vec![0, 2]));
    /// ```
    ///
    /// # Panics
    /// If the axis has fewer than `k` elements.
    #[track_caller]
    pub fn topk_smallest(&self, k: usize, axis: isize) -> (Tensor, Tensor) {
        self.first_in_order("topk_smallest", k, axis, false)
    }

    #[track_caller]
    fn first_in_order(&self, operation: &str, k: usize, axis: isize, descending: bool) -> (Tensor, Tensor) {
        let size = self.size(axis);
        assert!(k <= size, "{operation}: k is {k}, but axis {axis} of shape {} has only {size} elements", self.shape());
        let places = self.sorted_places(operation, axis, descending).narrow(axis, 0, k);
        (self.gather(axis, &places), places)
    }

    #[track_caller]
    fn sorted_places(&self, operation: &str, axis: isize, descending: bool) -> Tensor {
        let axis = self.shape().axis(axis, operation);
        let others = self.all_axes().without(&[axis]);
        let order: Axes = others.iter().copied().chain([axis]).collect();
        let layout = permuted(self.layout(), &order);
        let storage = self.backend().argsort(View { storage: &self.value().storage, layout: &layout }, descending);
        let places = Tensor::from_storage(layout.shape, storage);
        // Back to where the axis was.
        let mut inverse = vec![0; self.rank()];
        order.iter().enumerate().for_each(|(to, &from)| inverse[from] = to as isize);
        places.permute(&inverse)
    }
}
