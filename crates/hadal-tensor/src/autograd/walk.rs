//! What a backward pass has still to visit, and where gradients are delivered.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use super::node::Node;
use crate::tensor::Tensor;

/// The operations that a backward walk has still to visit, with what they have received so far.
#[derive(Default)]
pub(crate) struct Pending {
    /// That with the largest id: the only one in a chain.
    last: Option<(Arc<Node>, Tensor)>,
    others: BTreeMap<u64, (Arc<Node>, Tensor)>,
}

impl Pending {
    pub fn add(&mut self, node: &Arc<Node>, gradient: Tensor) {
        match &mut self.last {
            Some((last, sum)) if last.id == node.id => *sum += &gradient,
            Some((last, _)) if last.id > node.id => match self.others.entry(node.id) {
                Entry::Vacant(entry) => {
                    entry.insert((node.clone(), gradient));
                }
                Entry::Occupied(mut entry) => entry.get_mut().1 += &gradient,
            },
            last => {
                if let Some(before) = last.replace((node.clone(), gradient)) {
                    self.others.insert(before.0.id, before);
                }
            }
        }
    }

    /// That with the largest id, which no other will add to.
    pub fn take_last(&mut self) -> Option<(Arc<Node>, Tensor)> {
        let last = self.last.take();
        self.last = self.others.pop_last().map(|(_, next)| next);
        last
    }

    pub fn get(&self, id: u64) -> Option<&Tensor> {
        let last = self.last.as_ref().filter(|(last, _)| last.id == id);
        last.or_else(|| self.others.get(&id)).map(|(_, gradient)| gradient)
    }
}

/// Where a backward closure delivers the gradients of an operation's inputs.
pub(crate) struct Sink<'a> {
    pub inputs: &'a [Option<Arc<Node>>],
    pub pending: &'a mut Pending,
    pub leaves: &'a mut BTreeMap<u64, Tensor>,
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
        let Some(node) = &self.inputs[index] else { return };
        let gradient = gradient();
        if !node.leaf {
            return self.pending.add(node, gradient);
        }
        match self.leaves.entry(node.id) {
            Entry::Vacant(entry) => {
                entry.insert(gradient);
            }
            Entry::Occupied(mut entry) => *entry.get_mut() += &gradient,
        }
    }
}
