//! Automatic differentiation: the computation graph and the backward pass.
//!
//! Each result of an operation on tracked tensors holds a `Node`: the nodes of the inputs and a closure that turns
//! the gradient of the result into those of the inputs. Ids grow as nodes are made, so taking the pending node with
//! the largest id is always right: no sort and no recursion, whatever the depth.

use std::cell::Cell;
use std::io::Write;
use std::sync::{Arc, Mutex, Once};

mod check;
mod gradients;
mod node;
mod received;
mod recompute;
mod trace;
mod walk;

pub use check::check_gradients;
pub use gradients::Gradients;
use node::Inputs;
pub(crate) use node::Node;
use received::Received;
pub(crate) use received::Slice;
pub use recompute::{checkpoint, with_recomputation};
pub use trace::{Origin, Scope, Trace};
pub(crate) use walk::Sink;
use walk::{Leaves, Pending};

use crate::dtype::DType;
use crate::shape::Shape;
use crate::tensor::{Tensor, Value};

/// The function that turned logits into probabilities; see [`with_logit_gradient`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputActivation {
    /// [`Tensor::sigmoid`].
    Sigmoid,
    /// [`Tensor::softmax`] over the last axis.
    Softmax,
}

thread_local! {
    static RECORDING: Cell<bool> = const { Cell::new(true) };
    static BACKWARD_COUNT: Cell<u64> = const { Cell::new(0) };
}

/// Wraps the result of the operation called `operation`; records `backward` if any input is tracked and recording is on.
///
/// The tensors that `backward` captures must be among `inputs`, or untracked.
#[track_caller]
pub(crate) fn record(
    operation: &'static str,
    value: Value,
    inputs: &[&Tensor],
    backward: impl Fn(&Tensor, &mut Sink) + Send + Sync + 'static,
) -> Tensor {
    if !records(inputs) {
        return unrecorded(operation, value, inputs);
    }
    let backward = move |gradient: &Tensor, _: &Arc<Node>, sink: &mut Sink| backward(gradient, sink);
    attach(operation, value, inputs, Inputs::of(inputs), backward, None)
}

/// Wraps the result of an operation that is not recorded.
#[track_caller]
pub(crate) fn unrecorded(operation: &'static str, value: Value, inputs: &[&Tensor]) -> Tensor {
    trace::check(operation, &value, inputs, None);
    Tensor::new(value, None)
}

/// [`unrecorded`] of an operation whose only input nobody else needs: its handle serves the result.
#[track_caller]
pub(crate) fn unrecorded_in_place(operation: &'static str, value: Value, mut input: Tensor) -> Tensor {
    trace::check(operation, &value, &[&input], None);
    let Some(inner) = Arc::get_mut(&mut input.0) else { return Tensor::new(value, None) };
    inner.value = value;
    inner.node = None;
    input
}

/// Like [`record`] for gradients that are computed from the operation's output, the closure's second argument.
#[track_caller]
pub(crate) fn record_with_output(
    operation: &'static str,
    value: Value,
    inputs: &[&Tensor],
    backward: impl Fn(&Tensor, &Tensor, &mut Sink) + Send + Sync + 'static,
) -> Tensor {
    record_squashing(operation, value, inputs, None, backward)
}

/// [`record_with_output`] for a function that [`with_logit_gradient`] is to find again.
#[track_caller]
pub(crate) fn record_squashing(
    operation: &'static str,
    value: Value,
    inputs: &[&Tensor],
    squashing: Option<OutputActivation>,
    backward: impl Fn(&Tensor, &Tensor, &mut Sink) + Send + Sync + 'static,
) -> Tensor {
    if !records(inputs) {
        return unrecorded(operation, value, inputs);
    }
    // The numbers without their node, which would hold itself; the walk brings it.
    let output = value.clone();
    let backward = move |gradient: &Tensor, node: &Arc<Node>, sink: &mut Sink| {
        backward(gradient, &Tensor::new(output.clone(), Some(node.clone())), sink);
    };
    attach(operation, value, inputs, Inputs::of(inputs), backward, squashing)
}

#[track_caller]
fn attach(
    operation: &'static str,
    value: Value,
    tensors: &[&Tensor],
    inputs: Inputs,
    backward: impl Fn(&Tensor, &Arc<Node>, &mut Sink) + Send + Sync + 'static,
    squashing: Option<OutputActivation>,
) -> Tensor {
    let node = Node::make(inputs, Mutex::new(Some(backward)), false, false, squashing);
    trace::check(operation, &value, tensors, Some(&node));
    Tensor::new(value, Some(node))
}

/// Gives `output` a custom gradient, as TensorFlow's `custom_gradient` and JAX's `custom_vjp`: `gradient(i, g)` is what input
/// `i` receives when the result receives `g`. It is called only for inputs that need a gradient.
///
/// ```
/// use hadal_tensor::{Tensor, autograd::with_gradient};
/// // Rounding whose gradient passes straight through.
/// let x = Tensor::from_slice(&[1.4f32], [1]).requires_grad();
/// let rounded = with_gradient(&(x.detach() + 0.5).floor(), &[&x], |_, g| g.clone());
/// assert_eq!((rounded.item(), rounded.sum().backward()[&x].item()), (1.0, 1.0));
/// ```
///
/// # Panics
/// `backward` panics if `gradient` returns a tensor whose shape or dtype is not that of the input.
#[doc(alias = "Function")]
#[doc(alias = "custom_gradient")]
#[track_caller]
pub fn with_gradient(
    output: &Tensor,
    inputs: &[&Tensor],
    gradient: impl Fn(usize, &Tensor) -> Tensor + Send + Sync + 'static,
) -> Tensor {
    let kinds: Vec<(Shape, DType)> = inputs.iter().map(|input| (*input.shape(), input.dtype())).collect();
    record("with_gradient", output.value().clone(), inputs, move |g, sink| {
        for (index, &kind) in kinds.iter().enumerate() {
            sink.add(index, || of_kind("with_gradient", index, kind, gradient(index, g)));
        }
    })
}

/// A gradient that was made outside, checked to fit input `index`.
fn of_kind(operation: &str, index: usize, (shape, dtype): (Shape, DType), gradient: Tensor) -> Tensor {
    assert!(
        *gradient.shape() == shape && gradient.dtype() == dtype,
        "{operation}: the gradient for input {index} is {} {}, the input is {dtype} {shape}",
        gradient.dtype(),
        gradient.shape()
    );
    gradient
}

/// The numbers of `output`, computed from `probabilities`, with a gradient that goes straight to the logits: the input of
/// the sigmoid or softmax that made `probabilities`. `gradient(g)` is what the logits receive when the result receives `g`.
/// So a loss on probabilities keeps its gradient where they are rounded to 0 or 1, as Keras's losses do.
///
/// `None` if `probabilities` are not tracked, or not the direct result of `function`.
///
/// ```
/// use hadal_tensor::{Tensor, autograd::{OutputActivation, with_logit_gradient}};
/// // -ln p for a probability that is 0 in f32: its gradient in the logit is p - 1.
/// let logit = Tensor::from_slice(&[-200.0f32], [1]).requires_grad();
/// let p = logit.sigmoid();
/// let (loss, q) = (-(p.detach() + 1e-7).ln(), p.clone());
/// let loss = with_logit_gradient(&loss, &p, OutputActivation::Sigmoid, move |g| g * (&q - 1.0)).unwrap();
/// assert_eq!(loss.sum().backward()[&logit].item(), -1.0);
/// ```
///
/// # Panics
/// `backward` panics if `gradient` returns a tensor whose shape or dtype is not that of `probabilities`.
#[track_caller]
pub fn with_logit_gradient(
    output: &Tensor,
    probabilities: &Tensor,
    function: OutputActivation,
    gradient: impl Fn(&Tensor) -> Tensor + Send + Sync + 'static,
) -> Option<Tensor> {
    let node = probabilities.node().filter(|node| node.squashing == Some(function))?;
    let logits = node.inputs.first()?.clone()?;
    if !records(&[probabilities]) {
        return Some(output.detach());
    }
    let kind = (*probabilities.shape(), probabilities.dtype());
    // The probabilities are an input too, though they receive nothing: `gradient` may hold them.
    let inputs = Inputs::Few([Some(logits), Some(node.clone())]);
    let backward = move |g: &Tensor, _: &Arc<Node>, sink: &mut Sink| {
        sink.add(0, || of_kind("with_logit_gradient", 0, kind, gradient(g)));
    };
    let value = output.value().clone();
    Some(attach("with_logit_gradient", value, &[output, probabilities], inputs, backward, None))
}

/// The function that made this tensor, if it is the direct and tracked result of one of these.
pub fn output_activation(tensor: &Tensor) -> Option<OutputActivation> {
    let mut node = tensor.node()?;
    while node.retained {
        node = node.inputs.first()?.as_ref()?;
    }
    node.squashing
}

/// How often this thread has called `backward`.
#[doc(hidden)]
pub fn backward_count() -> u64 {
    BACKWARD_COUNT.get()
}

/// Says once that the program is built without optimization: training is then more than 70 times slower.
fn note_slow_build() {
    static ONCE: Once = Once::new();
    if env!("HADAL_OPT_LEVEL") == "0" {
        ONCE.call_once(|| {
            let _ = writeln!(
                std::io::stderr(),
                "note: Hadal is built without optimization, which makes it more than 70 times slower; add to Cargo.toml:\n\
                 [profile.dev.package.\"*\"]\nopt-level = 3"
            );
        });
    }
}

/// Whether an operation on `inputs` would be recorded.
pub(crate) fn records(inputs: &[&Tensor]) -> bool {
    inputs.iter().any(|tensor| tensor.is_tracked()) && RECORDING.get()
}

/// Runs `f` with gradient computation disabled, as PyTorch's `no_grad`.
///
/// ```
/// use hadal_tensor::{Tensor, no_grad};
/// let w = Tensor::ones([2]).requires_grad();
/// assert!(!no_grad(|| &w * 2.0).is_tracked());
/// ```
#[doc(alias = "inference_mode")]
#[doc(alias = "stop_gradient")]
pub fn no_grad<T>(f: impl FnOnce() -> T) -> T {
    let _restore = set_recording(false);
    f()
}

/// Puts recording back to what it was, also after a panic.
#[doc(hidden)]
#[must_use]
pub struct Restore(bool);

impl Drop for Restore {
    fn drop(&mut self) {
        RECORDING.set(self.0);
    }
}

/// Turns recording on or off until the guard goes: [`no_grad`] without a closure, in which panics could not name the caller's line.
#[doc(hidden)]
pub fn set_recording(on: bool) -> Restore {
    Restore(RECORDING.replace(on))
}

/// Options of [`Tensor::backward_with`].
///
/// ```
/// use hadal_tensor::{Tensor, autograd::BackwardOptions};
/// // The second derivative of x^3.
/// let x = Tensor::from([2.0]).requires_grad();
/// let first = x.powi(3).sum().backward_with(BackwardOptions { create_graph: true, ..Default::default() });
/// let second = first[&x].sum().backward();
/// assert_eq!((first[&x].item(), second[&x].item()), (12.0, 12.0));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackwardOptions {
    /// Keep the computation graph after the backward pass. Default: free it.
    pub retain_graph: bool,
    /// Build a graph of the gradients, so that they can be differentiated again. Implies `retain_graph`.
    pub create_graph: bool,
}

impl Tensor {
    /// Computes the gradients of this scalar with respect to all leaves, and to results on which
    /// [`retain_grad`](Tensor::retain_grad) was called, and frees the computation graph.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let w = Tensor::from([1.0, 2.0]).requires_grad();
    /// assert_eq!((&w * &w).sum().backward()[&w].to_vec::<f32>(), [2.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor holds more than one element, is not tracked, or its record was released by an earlier walk.
    #[doc(alias = "grad")]
    #[track_caller]
    pub fn backward(&self) -> Gradients {
        self.backward_with(BackwardOptions::default())
    }

    /// [`backward`](Tensor::backward) with options: walk twice, or differentiate the gradients again.
    ///
    /// ```
    /// use hadal_tensor::{Tensor, autograd::BackwardOptions};
    /// // d2/dx2 of x^3 is 6x.
    /// let x = Tensor::from_slice(&[2.0f64], []).requires_grad();
    /// let first = x.powi(3).backward_with(BackwardOptions { create_graph: true, ..Default::default() });
    /// assert_eq!(first[&x].backward()[&x].item(), 12.0);
    /// ```
    ///
    /// # Panics
    /// As [`backward`](Tensor::backward).
    #[doc(alias = "retain_graph")]
    #[doc(alias = "create_graph")]
    #[track_caller]
    pub fn backward_with(&self, options: BackwardOptions) -> Gradients {
        assert!(
            self.elements() == 1,
            "backward: shape {} holds {} elements; reduce to one first, for example with sum()",
            self.shape(),
            self.elements()
        );
        let Some(root) = self.node() else {
            panic!("backward: this tensor does not require a gradient; call requires_grad() on the parameters");
        };
        note_slow_build();
        BACKWARD_COUNT.set(BACKWARD_COUNT.get() + 1);
        let keep = options.retain_graph || options.create_graph;
        // A guard, not a closure: panics are to name the caller's line.
        let _restore = set_recording(options.create_graph);
        walk(root, self.ones_like(), keep, &[])
    }
}

/// Walks the graph back from `root`, which receives `gradient`; `keep` keeps what is needed to do it again. At the nodes of `ends`, which
/// are retained, it goes no further.
#[track_caller]
fn walk(root: &Arc<Node>, gradient: Tensor, keep: bool, ends: &[u64]) -> Gradients {
    let mut gradients = Gradients::default();
    let (mut pending, mut leaves) = (Pending::default(), Leaves::default());
    if root.leaf {
        leaves.insert(root.id, Received::Whole(gradient));
    } else {
        pending.add(root, gradient);
    }
    let paused = trace::pause();
    while let Some((node, gradient)) = pending.take_last() {
        if node.retained {
            gradients.retained.insert(node.id, gradient.clone());
            if ends.contains(&node.id) {
                continue;
            }
        }
        let mut sink = Sink { inputs: &node.inputs, pending: &mut pending, leaves: &mut leaves };
        if !node.backward.run(&gradient, &node, &mut sink, keep) {
            panic!(
                "backward: the computation graph was freed by an earlier backward(); to call it twice, use backward_with with \
                 retain_graph"
            );
        }
        if paused.was_tracing {
            trace::check_gradients(&node, |id| {
                let received = pending.get(id).or_else(|| leaves.get_mut(&id))?;
                Some(received.whole().clone())
            });
        }
    }
    gradients.leaves = leaves.into_iter().map(|(id, received)| (id, received.into_whole())).collect();
    gradients
}
