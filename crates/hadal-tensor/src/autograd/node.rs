//! The record: what operations leave behind for the backward pass.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::OutputActivation;
use super::walk::Sink;
use crate::tensor::Tensor;

/// One operation's place in the record. What it does in the backward pass stands in the node itself, so that recording takes one
/// allocation.
pub(crate) struct Node<B: Backward + ?Sized = dyn Backward> {
    pub id: u64,
    pub inputs: Inputs,
    pub leaf: bool,
    /// Whether the gradient of this result of an operation is reported; see [`Tensor::retain_grad`].
    pub retained: bool,
    /// The function that made the result, if it is one of these.
    pub squashing: Option<OutputActivation>,
    pub backward: B,
}

/// What an operation does in the backward pass.
pub(crate) trait Backward: Send + Sync {
    /// Takes the gradient of the result and the result's own node, and delivers the gradients of the inputs; what is needed for that
    /// is released, unless it is to be kept. False if it was released before.
    fn run(&self, gradient: &Tensor, node: &Arc<Node>, sink: &mut Sink, keep: bool) -> bool;

    /// Releases what is needed to run.
    fn release(&mut self);
}

/// A leaf has nothing to do.
struct Leaf;

impl Backward for Leaf {
    fn run(&self, _: &Tensor, _: &Arc<Node>, _: &mut Sink, _: bool) -> bool {
        true
    }

    fn release(&mut self) {}
}

impl<F: Fn(&Tensor, &Arc<Node>, &mut Sink) + Send + Sync> Backward for Mutex<Option<F>> {
    fn run(&self, gradient: &Tensor, node: &Arc<Node>, sink: &mut Sink, keep: bool) -> bool {
        let mut slot = self.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = if keep { None } else { slot.take() };
        let Some(backward) = taken.as_ref().or(slot.as_ref()) else { return false };
        backward(gradient, node, sink);
        true
    }

    fn release(&mut self) {
        *self.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// The nodes of an operation's inputs, `None` for those that need no gradient. Nearly all operations have at most two,
/// and are spared an allocation.
pub(crate) enum Inputs {
    Few([Option<Arc<Node>>; 2]),
    Many(Vec<Option<Arc<Node>>>),
}

impl Inputs {
    pub fn of(tensors: &[&Tensor]) -> Inputs {
        let node = |index: usize| tensors.get(index).and_then(|tensor| tensor.node().cloned());
        if tensors.len() <= 2 {
            Inputs::Few([node(0), node(1)])
        } else {
            Inputs::Many((0..tensors.len()).map(node).collect())
        }
    }

    fn as_mut_slice(&mut self) -> &mut [Option<Arc<Node>>] {
        match self {
            Inputs::Few(nodes) => nodes,
            Inputs::Many(nodes) => nodes,
        }
    }
}

impl std::ops::Deref for Inputs {
    type Target = [Option<Arc<Node>>];

    fn deref(&self) -> &[Option<Arc<Node>>] {
        match self {
            Inputs::Few(nodes) => nodes,
            Inputs::Many(nodes) => nodes,
        }
    }
}

static NEXT_ID: AtomicU64 = AtomicU64::new(0);

impl Node {
    pub fn leaf() -> Arc<Node> {
        Node::make(Inputs::Few([None, None]), Leaf, true, false, None)
    }

    /// The result of no operation but to hand the gradient on to `input`, and to have it reported.
    pub fn retained(input: Arc<Node>) -> Arc<Node> {
        let backward = |gradient: &Tensor, _: &Arc<Node>, sink: &mut Sink| sink.add(0, || gradient.clone());
        Node::make(Inputs::Few([Some(input), None]), Mutex::new(Some(backward)), false, true, None)
    }

    pub fn make(
        inputs: Inputs,
        backward: impl Backward + 'static,
        leaf: bool,
        retained: bool,
        squashing: Option<OutputActivation>,
    ) -> Arc<Node> {
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        Arc::new(Node { id, inputs, leaf, retained, squashing, backward })
    }

    pub fn is_leaf(&self) -> bool {
        self.leaf
    }

    pub fn is_retained(&self) -> bool {
        self.retained
    }
}

impl<B: Backward + ?Sized> Node<B> {
    /// Leaves nothing in the node, and adds its inputs to the list; the first stays out of it and is returned, for chains need no list.
    /// Leaves have nothing to take.
    fn take_apart(&mut self, list: &mut Vec<Arc<Node>>) -> Option<Arc<Node>> {
        let mut inputs = self.inputs.as_mut_slice().iter_mut().filter_map(Option::take).filter(|input| !input.leaf);
        let first = inputs.next();
        list.extend(inputs);
        self.backward.release();
        first
    }
}

impl<B: Backward + ?Sized> Drop for Node<B> {
    /// Takes long chains apart with a list instead of recursion. The closure's tensors point only to nodes among
    /// the inputs, which the list still holds while the closure goes.
    fn drop(&mut self) {
        let mut list = Vec::new();
        let mut next = self.take_apart(&mut list);
        while let Some(mut node) = next.or_else(|| list.pop()) {
            // Only the last holder of a node takes it apart. Where two threads let go of it at the same moment, and neither sees that it
            // is the last, the one that is begins a list of its own, one call deeper.
            next = Arc::get_mut(&mut node).and_then(|node| node.take_apart(&mut list));
        }
    }
}
