//! What a recurrent layer is made of: its cell, its weights, and which rows of packed sequences belong to which step.

use std::ops::Range;
use std::sync::Arc;

use crate::tensor::Tensor;

/// What one step of a recurrent layer computes, as PyTorch's cells do. `x` is the step's input and `h` the hidden state before it;
/// `i(v)` stands for `x W_ihᵀ + b_ih` and `h(v)` for `h W_hhᵀ + b_hh`, cut into gates of equal size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecurrentCell {
    /// `h' = tanh(i + h)` (Elman, Cognitive Science 14, 1990).
    Tanh,
    /// `h' = relu(i + h)`.
    Relu,
    /// Long short-term memory (Hochreiter and Schmidhuber, Neural Computation 9, 1997; with the forget gate of Gers, Schmidhuber and
    /// Cummins, 2000), gates in the order i, f, g, o: `c' = sigmoid(f) c + sigmoid(i) tanh(g)`, `h' = sigmoid(o) tanh(c')`.
    Lstm,
    /// Gated recurrent unit (Cho and others, EMNLP 2014), gates in the order r, z, n, the reset after the product:
    /// `n = tanh(i_n + sigmoid(r) h_n)`, `h' = (1 - sigmoid(z)) n + sigmoid(z) h`.
    Gru,
}

impl RecurrentCell {
    /// How many gates it has: its weights have so many times as many rows as there are units.
    ///
    /// ```
    /// use hadal_tensor::RecurrentCell;
    /// assert_eq!((RecurrentCell::Tanh.gates(), RecurrentCell::Lstm.gates(), RecurrentCell::Gru.gates()), (1, 4, 3));
    /// ```
    pub fn gates(self) -> usize {
        match self {
            RecurrentCell::Tanh | RecurrentCell::Relu => 1,
            RecurrentCell::Lstm => 4,
            RecurrentCell::Gru => 3,
        }
    }

    /// How many tensors its state has: 2 for an LSTM, `h` and `c`; else 1.
    ///
    /// ```
    /// use hadal_tensor::RecurrentCell;
    /// assert_eq!((RecurrentCell::Gru.states(), RecurrentCell::Lstm.states()), (1, 2));
    /// ```
    pub fn states(self) -> usize {
        if self == RecurrentCell::Lstm { 2 } else { 1 }
    }
}

/// The weights of a recurrent layer in one direction, as PyTorch has them.
#[derive(Clone, Copy)]
pub struct RecurrentWeights<'a> {
    /// `[gates * units, features]`.
    pub ih: &'a Tensor,
    /// `[gates * units, units]`.
    pub hh: &'a Tensor,
    /// That of the input and that of the state, `[gates * units]` each.
    pub bias: Option<[&'a Tensor; 2]>,
}

/// Which rows of packed sequences belong to which step: first the rows of all sequences at step 0, then those at step 1, and so on,
/// the longest sequence first in each, as in PyTorch's `PackedSequence`. A sequence that has ended has no rows.
///
/// ```
/// use hadal_tensor::Steps;
/// // Three sequences of 3, 2 and 1 steps.
/// let steps = Steps::packed(&[3, 2, 1]);
/// assert_eq!((steps.count(), steps.rows()), (3, 6));
/// assert_eq!(Steps::of(100, 32).rows(), 3200);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steps {
    /// Where the rows of each step begin, and where the last end.
    starts: Arc<[usize]>,
    reversed: bool,
}

impl Steps {
    /// So many steps of a batch of sequences of that length.
    ///
    /// # Panics
    /// If the rows are more than memory can address.
    #[track_caller]
    pub fn of(steps: usize, batch: usize) -> Steps {
        if batch == 0 {
            return Steps::packed(&[]);
        }
        assert!(
            steps.checked_mul(batch).is_some_and(|rows| rows <= crate::MAX_ELEMENTS),
            "Steps: {steps} steps of {batch} sequences are more than memory can address"
        );
        let mut starts = crate::cpu::buffer::vec_with_room(steps + 1);
        starts.extend((0..=steps).map(|step| step * batch));
        Steps { starts: starts.into(), reversed: false }
    }

    /// Steps of sequences that differ in length: how many have each step, PyTorch's `batch_sizes`.
    ///
    /// # Panics
    /// If a step has more sequences than the one before, or none.
    #[track_caller]
    pub fn packed(batch_sizes: &[usize]) -> Steps {
        let mut starts = Vec::with_capacity(batch_sizes.len() + 1);
        starts.push(0usize);
        let mut before = usize::MAX;
        for (step, &size) in batch_sizes.iter().enumerate() {
            assert!(
                size > 0 && size <= before,
                "Steps: step {step} has {size} sequences; batch sizes must be at least 1, and must not grow"
            );
            before = size;
            match starts[step].checked_add(size) {
                Some(next) if next <= crate::MAX_ELEMENTS => starts.push(next),
                _ => panic!("Steps: the batch sizes add up to more than memory can address"),
            }
        }
        Steps { starts: starts.into(), reversed: false }
    }

    /// The same rows in the other direction: each sequence from its own end to its beginning.
    pub fn reversed(&self) -> Steps {
        Steps { starts: self.starts.clone(), reversed: !self.reversed }
    }

    /// The number of steps: that of the longest sequence.
    pub fn count(&self) -> usize {
        self.starts.len() - 1
    }

    /// The number of rows: the steps of all sequences.
    pub fn rows(&self) -> usize {
        self.starts[self.count()]
    }

    /// The number of sequences that have any step.
    pub(crate) fn sequences(&self) -> usize {
        self.starts.get(1).copied().unwrap_or(0)
    }

    /// The rows of each step, in the order in which they are taken.
    pub(crate) fn in_order(&self) -> impl DoubleEndedIterator<Item = Range<usize>> + use<'_> {
        let last = self.count().wrapping_sub(1);
        (0..self.count()).map(move |turn| {
            let step = if self.reversed { last - turn } else { turn };
            self.starts[step]..self.starts[step + 1]
        })
    }
}
