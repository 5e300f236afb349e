//! Keys and values of what has been seen of a sequence.

use crate::{DType, Tensor};

/// The keys and values of the places so far, `[N, H, S, D]`, with room for more.
#[derive(Clone)]
pub(super) struct Cache {
    keys: Tensor,
    values: Tensor,
    length: usize,
}

impl Cache {
    /// Those of the first piece.
    pub fn new(keys: &Tensor, values: &Tensor) -> Cache {
        Cache { length: keys.size(2), keys: keys.contiguous(), values: values.contiguous() }
    }

    /// How many places there are.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Appends those of the next piece. Room doubles where it is needed, so that each place is copied once or twice.
    #[track_caller]
    pub fn push(&mut self, keys: &Tensor, values: &Tensor) {
        assert!(
            keys.size(0) == self.keys.size(0),
            "MultiHeadAttention: this piece has {} samples, but the sequence began with {}",
            keys.size(0),
            self.keys.size(0)
        );
        let length = self.length + keys.size(2);
        if length > self.keys.size(2) {
            let room = length.next_power_of_two();
            self.keys = with_room(&self.keys.narrow(2, 0, self.length), room);
            self.values = with_room(&self.values.narrow(2, 0, self.length), room);
        }
        self.keys.assign_narrow(2, self.length, keys);
        self.values.assign_narrow(2, self.length, values);
        self.length = length;
    }

    pub fn keys(&self) -> Tensor {
        self.keys.narrow(2, 0, self.length)
    }

    pub fn values(&self) -> Tensor {
        self.values.narrow(2, 0, self.length)
    }
}

/// The keys and values, `[N, H, S, D]`, of a whole sequence that does not change: what a decoder attends to beside its own.
#[derive(Clone)]
pub(super) struct Memory {
    sequence: Tensor,
    pub keys: Tensor,
    pub values: Tensor,
}

impl Memory {
    pub fn new(sequence: &Tensor, keys: Tensor, values: Tensor) -> Memory {
        Memory { sequence: sequence.clone(), keys, values }
    }

    /// Whether they are those of this sequence. To compare it takes far less time than to project it.
    pub fn is_of(&self, sequence: &Tensor) -> bool {
        let same = |a: &Tensor, b: &Tensor| a.elements() == 0 || a.eq(b).to_dtype(DType::I64).min().item() == 1.0;
        self.sequence.shape() == sequence.shape() && same(&self.sequence, sequence)
    }
}

fn with_room(x: &Tensor, places: usize) -> Tensor {
    let mut sizes = x.shape().to_vec();
    sizes[2] = places;
    let mut roomy = Tensor::full_of(sizes, 0.0, x.dtype());
    roomy.assign_narrow(2, 0, x);
    roomy
}
