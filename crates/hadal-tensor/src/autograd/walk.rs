//! What a backward pass has still to visit, and where gradients are delivered.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use super::node::Node;
use super::received::{Received, Slice};
use crate::tensor::Tensor;

/// A gradient on its way to a tensor, or to a slice of it.
enum Gradient {
    Whole(Tensor),
    Slice(Slice, Tensor),
}

impl Gradient {
    fn add_to(self, received: &mut Received) {
        match self {
            Gradient::Whole(gradient) => received.add(&gradient),
            Gradient::Slice(slice, part) => received.add_slice(&slice, &part),
        }
    }

    /// As the first that its tensor receives.
    fn received(self) -> Received {
        match self {
            Gradient::Whole(gradient) => Received::Whole(gradient),
            Gradient::Slice(slice, part) => Received::slice(&slice, &part),
        }
    }
}

/// What leaves have received, by node.
pub(crate) type Leaves = BTreeMap<u64, Received>;

/// The operations that a backward walk has still to visit, with what they have received so far.
#[derive(Default)]
pub(crate) struct Pending {
    /// That with the largest id: the only one in a chain.
    last: Option<(Arc<Node>, Received)>,
    others: BTreeMap<u64, (Arc<Node>, Received)>,
}

impl Pending {
    pub fn add(&mut self, node: &Arc<Node>, gradient: Tensor) {
        self.deliver(node, Gradient::Whole(gradient));
    }

    fn deliver(&mut self, node: &Arc<Node>, gradient: Gradient) {
        match &mut self.last {
            Some((last, received)) if last.id == node.id => gradient.add_to(received),
            Some((last, _)) if last.id > node.id => match self.others.entry(node.id) {
                Entry::Vacant(entry) => {
                    entry.insert((node.clone(), gradient.received()));
                }
                Entry::Occupied(mut entry) => gradient.add_to(&mut entry.get_mut().1),
            },
            last => {
                if let Some(before) = last.replace((node.clone(), gradient.received())) {
                    self.others.insert(before.0.id, before);
                }
            }
        }
    }

    /// That with the largest id, which no other will add to.
    pub fn take_last(&mut self) -> Option<(Arc<Node>, Tensor)> {
        let last = self.last.take();
        self.last = self.others.pop_last().map(|(_, next)| next);
        last.map(|(node, received)| (node, received.into_whole()))
    }

    pub fn get(&mut self, id: u64) -> Option<&mut Received> {
        let last = self.last.as_mut().filter(|(last, _)| last.id == id);
        last.or_else(|| self.others.get_mut(&id)).map(|(_, received)| received)
    }
}

/// Where a backward closure delivers the gradients of an operation's inputs.
pub(crate) struct Sink<'a> {
    pub inputs: &'a [Option<Arc<Node>>],
    pub pending: &'a mut Pending,
    pub leaves: &'a mut Leaves,
}

impl Sink<'_> {
    /// Sends the gradient through `result`, the same numbers computed again from the same inputs by other operations, which can be
    /// differentiated again.
    pub fn send_through(&mut self, result: &Tensor, gradient: &Tensor) {
        if let Some(node) = result.node() {
            self.pending.add(node, gradient.clone());
        }
    }

    /// Adds `gradient()` to what input `index` has received; not computed when that input needs none.
    pub fn add(&mut self, index: usize, gradient: impl FnOnce() -> Tensor) {
        self.deliver(index, || Gradient::Whole(gradient()));
    }

    /// The same of a gradient that is 0 but for a slice.
    pub fn add_slice(&mut self, index: usize, slice: Slice, part: &Tensor) {
        self.deliver(index, || Gradient::Slice(slice, part.clone()));
    }

    fn deliver(&mut self, index: usize, gradient: impl FnOnce() -> Gradient) {
        let Some(node) = &self.inputs[index] else { return };
        let gradient = gradient();
        if !node.leaf {
            return self.pending.deliver(node, gradient);
        }
        match self.leaves.entry(node.id) {
            Entry::Vacant(entry) => {
                entry.insert(gradient.received());
            }
            Entry::Occupied(mut entry) => gradient.add_to(entry.get_mut()),
        }
    }
}
