//! The tensor handle: inspection, moving numbers out, and its place in the record. How tensors are made stands in
//! [`creation`](crate::creation).

use std::sync::Arc;

use crate::autograd::Node;
use crate::backend::{Storage, View};
use crate::device::Device;
use crate::dtype::{DType, Element};
use crate::shape::{Layout, Shape};
use crate::update::{UpdateRule, WeightDecay};

/// An n-dimensional array with automatic differentiation.
///
/// Cloning is cheap: clones and views share storage. Tensors behave like values all the same: `x += ...` writes in
/// place only when nobody else can see it, and copies otherwise.
///
/// ```
/// use hadal_tensor::{Rng, Tensor};
/// let mut rng = Rng::new(0);
/// let x = Tensor::randn([64, 3], &mut rng);
/// let w = Tensor::randn([3, 4], &mut rng).requires_grad();
/// let loss = x.matmul(&w).tanh().powi(2).sum();
/// let grads = loss.backward();
/// assert_eq!(grads[&w].shape(), &[3, 4]);
/// ```
#[derive(Clone)]
pub struct Tensor(pub(crate) Arc<Inner>);

#[derive(Clone)]
pub(crate) struct Inner {
    pub value: Value,
    pub node: Option<Arc<Node>>,
}

/// A tensor's numbers without its history.
#[derive(Clone)]
pub(crate) struct Value {
    pub layout: Layout,
    pub storage: Storage,
}

impl Value {
    pub fn contiguous(shape: Shape, storage: Storage) -> Value {
        debug_assert_eq!(shape.elements(), storage.len());
        Value { layout: Layout::contiguous(shape), storage }
    }

    pub fn view(&self) -> View<'_> {
        View { storage: &self.storage, layout: &self.layout }
    }
}

impl Tensor {
    pub(crate) fn new(value: Value, node: Option<Arc<Node>>) -> Tensor {
        Tensor(Arc::new(Inner { value, node }))
    }

    pub(crate) fn from_storage(shape: Shape, storage: Storage) -> Tensor {
        Tensor::new(Value::contiguous(shape, storage), None)
    }

    pub(crate) fn value(&self) -> &Value {
        &self.0.value
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.0.value.layout
    }

    pub(crate) fn view(&self) -> View<'_> {
        self.0.value.view()
    }

    pub(crate) fn node(&self) -> Option<&Arc<Node>> {
        self.0.node.as_ref()
    }

    pub(crate) fn backend(&self) -> &'static dyn crate::backend::Backend {
        self.device().backend()
    }
}

/// # Looking at tensors
impl Tensor {
    /// The sizes of the axes.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::zeros([2, 3]).shape(), &[2, 3]);
    /// ```
    #[doc(alias = "size")]
    pub fn shape(&self) -> &Shape {
        &self.0.value.layout.shape
    }

    /// The size of `axis`, counted from the end when negative.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::zeros([2, 3]).size(-1), 3);
    /// ```
    ///
    /// # Panics
    /// If the tensor has no such axis.
    #[track_caller]
    pub fn size(&self, axis: isize) -> usize {
        self.shape()[self.shape().axis(axis, "size")]
    }

    /// The number of axes.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::zeros([2, 3]).rank(), 2);
    /// ```
    #[doc(alias = "dim")]
    #[doc(alias = "ndim")]
    pub fn rank(&self) -> usize {
        self.shape().rank()
    }

    /// The number of elements.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::zeros([2, 3]).elements(), 6);
    /// ```
    #[doc(alias = "numel")]
    #[doc(alias = "size")]
    #[doc(alias = "len")]
    pub fn elements(&self) -> usize {
        self.shape().elements()
    }

    /// The element type.
    ///
    /// ```
    /// use hadal_tensor::{DType, Tensor};
    /// assert_eq!(Tensor::from([1, 2]).dtype(), DType::I64);
    /// ```
    pub fn dtype(&self) -> DType {
        self.0.value.storage.dtype()
    }

    /// The device that holds the numbers.
    pub fn device(&self) -> Device {
        Device::Cpu
    }

    /// Whether the elements lie in row-major order without gaps.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert!(!Tensor::zeros([2, 3]).t().is_contiguous());
    /// ```
    pub fn is_contiguous(&self) -> bool {
        self.layout().is_contiguous()
    }

    /// The single element as an `f64`; waits for the device.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// assert_eq!(Tensor::from([1.0, 2.0]).sum().item(), 3.0);
    /// ```
    ///
    /// # Panics
    /// If the tensor does not hold exactly one element.
    #[track_caller]
    pub fn item(&self) -> f64 {
        assert!(
            self.elements() == 1,
            "item: a tensor of shape {} holds {} elements, not one; use to_vec",
            self.shape(),
            self.elements()
        );
        let offset = self.layout().offset;
        match &self.value().storage {
            Storage::F32(x) => f64::from(x[offset]),
            Storage::F64(x) => x[offset],
            Storage::I64(x) => x[offset] as f64,
            Storage::U8(x) | Storage::Bool(x) => f64::from(x[offset]),
        }
    }

    /// The elements in row-major order; waits for the device.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let x = Tensor::from([[1, 2], [3, 4]]);
    /// assert_eq!(x.t().to_vec::<i64>(), [1, 3, 2, 4]);
    /// ```
    ///
    /// # Panics
    /// If `T` is not the tensor's dtype; convert with [`to_dtype`](Tensor::to_dtype) first.
    #[doc(alias = "numpy")]
    #[doc(alias = "tolist")]
    #[track_caller]
    pub fn to_vec<T: Element>(&self) -> Vec<T> {
        match T::from_storage(self.backend().to_host(self.view())) {
            Some(values) => values,
            None => panic!("to_vec: the tensor holds {}, not {}", self.dtype(), T::DTYPE),
        }
    }
}

/// # Gradients
impl Tensor {
    /// Makes this tensor a leaf that requires a gradient, as PyTorch's `requires_grad_`.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let w = Tensor::from([3.0]).requires_grad();
    /// assert_eq!(w.powi(2).sum().backward()[&w].item(), 6.0);
    /// ```
    ///
    /// # Panics
    /// If the dtype is not a floating-point type.
    #[doc(alias = "requires_grad_")]
    #[doc(alias = "Parameter")]
    #[track_caller]
    pub fn requires_grad(self) -> Tensor {
        assert!(
            self.dtype().is_float(),
            "requires_grad: only floating-point tensors have gradients, this one holds {}",
            self.dtype()
        );
        let value = match Arc::try_unwrap(self.0) {
            Ok(inner) => inner.value,
            Err(shared) => shared.value.clone(),
        };
        Tensor::new(value, Some(Node::leaf()))
    }

    /// The same numbers as a tensor whose gradient [`backward`](Tensor::backward) reports as well, though it is the result of
    /// an operation. The gradient goes on to the leaves. Leaves stay as they are.
    ///
    /// The gradient of a cross-entropy, which otherwise goes straight to the input of a sigmoid or softmax, goes through the
    /// retained probabilities, and is 0 where they are rounded to 0 or 1.
    ///
    /// ```
    /// use hadal_tensor::Tensor;
    /// let w = Tensor::from([1.0, 2.0]).requires_grad();
    /// let h = (&w * 3).retain_grad();
    /// let grads = h.powi(2).sum().backward();
    /// assert_eq!(grads[&h].to_vec::<f32>(), [6.0, 12.0]);
    /// assert_eq!(grads[&w].to_vec::<f32>(), [18.0, 36.0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor is not tracked.
    #[track_caller]
    pub fn retain_grad(self) -> Tensor {
        match self.node() {
            None => panic!(
                "retain_grad: this tensor of shape {} does not depend on a leaf; call requires_grad() on it instead",
                self.shape()
            ),
            Some(node) if node.is_leaf() => self,
            Some(node) => Tensor::new(self.value().clone(), Some(Node::retained(node.clone()))),
        }
    }

    /// Returns a tensor with the same values, detached from the computation graph.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let w = Tensor::from([3.0]).requires_grad();
    /// assert!(!w.detach().is_tracked());
    /// ```
    #[doc(alias = "stop_gradient")]
    pub fn detach(&self) -> Tensor {
        match self.node() {
            None => self.clone(),
            Some(_) => Tensor::new(self.value().clone(), None),
        }
    }

    /// Whether this tensor requires a gradient: it is a leaf made by `requires_grad`, or was computed from one.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let w = Tensor::ones([2]).requires_grad();
    /// assert!((&w * 2).is_tracked());
    /// ```
    pub fn is_tracked(&self) -> bool {
        self.0.node.is_some()
    }

    /// Whether this is a leaf made by [`requires_grad`](Tensor::requires_grad).
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let w = Tensor::ones([2]).requires_grad();
    /// assert!(w.is_leaf() && !(&w * 2).is_leaf());
    /// ```
    pub fn is_leaf(&self) -> bool {
        self.node().is_some_and(|node| node.is_leaf())
    }

    /// Whether this was made by [`retain_grad`](Tensor::retain_grad).
    pub(crate) fn is_retained(&self) -> bool {
        self.node().is_some_and(|node| node.is_retained())
    }

    /// Replaces the values in place, as PyTorch's `copy_`. A leaf stays the same leaf.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let mut w = Tensor::zeros([2]).requires_grad();
    /// w.assign(&Tensor::from([1.0, 2.0]));
    /// assert!(w.is_leaf() && w.to_vec::<f32>() == [1.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If shape or dtype differ.
    #[doc(alias = "copy_")]
    #[doc(alias = "set_")]
    #[track_caller]
    pub fn assign(&mut self, value: &Tensor) {
        assert!(
            self.shape() == value.shape() && self.dtype() == value.dtype(),
            "assign: cannot assign {} {} to a tensor of {} {}",
            value.dtype(),
            value.shape(),
            self.dtype(),
            self.shape()
        );
        let node = self.0.node.clone();
        *self = Tensor::new(value.value().clone(), node);
    }

    /// Replaces the part of `axis` that begins at `start` by `value`, in place where nobody else sees the numbers, on a copy
    /// otherwise. It is not recorded.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let mut x = Tensor::zeros([2, 3]);
    /// x.assign_narrow(1, 1, &Tensor::ones([2, 2]));
    /// assert_eq!(x.to_vec::<f32>(), [0.0, 1.0, 1.0, 0.0, 1.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If the part reaches past the axis, another size or the dtype differs, or the tensor is the result of recorded operations.
    #[doc(alias = "slice_assign")]
    #[doc(alias = "index_copy_")]
    #[track_caller]
    pub fn assign_narrow(&mut self, axis: isize, start: usize, value: &Tensor) {
        let at = self.shape().axis(axis, "assign_narrow");
        let fits = value.rank() == self.rank() && value.dtype() == self.dtype() && {
            let end = start.saturating_add(value.shape()[at]);
            end <= self.shape()[at] && *value.shape() == self.shape().with(at, value.shape()[at])
        };
        assert!(
            fits,
            "assign_narrow: {} {} does not fit into {} {} from place {start} of axis {at} on",
            value.dtype(),
            value.shape(),
            self.dtype(),
            self.shape()
        );
        assert!(
            !self.is_tracked() || self.is_leaf(),
            "assign_narrow: the tensor is the result of recorded operations; detach() it first"
        );
        let layout = Layout::contiguous(*self.shape()).narrow(at, start, value.shape()[at]);
        self.copy_at(&layout, value);
    }

    /// Copies `value` to the elements that `layout` names in a contiguous tensor of this shape, in place.
    pub(crate) fn copy_at(&mut self, layout: &Layout, value: &Tensor) {
        // Held first: when both share storage, this makes the copy below happen.
        let value = value.value().clone();
        let backend = self.backend();
        backend.copy_into(&mut self.make_unshared().storage, layout, value.view());
    }

    /// Adds `value` to those elements, in place.
    pub(crate) fn add_at(&mut self, layout: &Layout, value: &Tensor) {
        let value = value.value().clone();
        let backend = self.backend();
        backend.add_into(&mut self.make_unshared().storage, layout, value.view());
    }

    /// The numbers in storage that only this tensor sees, contiguous: what an in-place kernel writes to.
    pub(crate) fn make_unshared(&mut self) -> &mut Value {
        if Arc::get_mut(&mut self.0).is_none() {
            self.0 = Arc::new((*self.0).clone());
        }
        let backend = self.backend();
        let inner = Arc::get_mut(&mut self.0).expect("just made unshared");
        // All of the storage: a view of a part, even if it is the only one left, is copied, and the rest is freed.
        let layout = &inner.value.layout;
        let whole =
            layout.is_contiguous() && layout.offset == 0 && layout.shape.elements() == inner.value.storage.len();
        if !whole || !inner.value.storage.is_unshared() {
            let storage = backend.copy(inner.value.view());
            inner.value = Value::contiguous(inner.value.layout.shape, storage);
        }
        &mut inner.value
    }

    /// One step of an optimizer: changes `self` and `states` in place by `rule`, usually a [`Formula`](crate::Formula), `decay` and
    /// `gradient`, in one pass.
    ///
    /// # Panics
    /// If the rule keeps another number of states, or a shape or dtype differs from the parameter's.
    #[track_caller]
    pub fn update(&mut self, rule: &dyn UpdateRule, decay: WeightDecay, states: &mut [Tensor], gradient: &Tensor) {
        assert!(
            states.len() == rule.states(),
            "update: {rule:?} keeps {} states, {} were given",
            rule.states(),
            states.len()
        );
        for (what, tensor) in std::iter::once(("gradient", gradient)).chain(states.iter().map(|state| ("state", state)))
        {
            assert!(
                tensor.shape() == self.shape() && tensor.dtype() == self.dtype(),
                "update: the {what} is {} {}, the parameter {} {}",
                tensor.dtype(),
                tensor.shape(),
                self.dtype(),
                self.shape()
            );
        }
        assert!(self.dtype().is_float(), "update: the parameter holds {}", self.dtype());
        let backend = self.backend();
        let mut states: Vec<&mut Storage> = states.iter_mut().map(|state| &mut state.make_unshared().storage).collect();
        let parameter = self.make_unshared();
        backend.update(rule, decay, &mut parameter.storage, &mut states, gradient.view());
    }
}
