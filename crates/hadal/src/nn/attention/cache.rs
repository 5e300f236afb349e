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

    /// Whether they are those of this sequence. To compare takes one operation for each of its numbers, to project it as many as there are
    /// features.
    pub fn is_of(&self, sequence: &Tensor) -> bool {
        let own = &self.sequence;
        let same = || own.elements() == 0 || own.eq(sequence).to_dtype(DType::I64).min().item() == 1.0;
        own.shape() == sequence.shape() && own.dtype() == sequence.dtype() && same()
    }
}

fn with_room(x: &Tensor, places: usize) -> Tensor {
    let mut sizes = x.shape().to_vec();
    sizes[2] = places;
    let mut roomy = Tensor::full_of(sizes, 0.0, x.dtype());
    roomy.assign_narrow(2, 0, x);
    roomy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memory_is_of_one_sequence() {
        let (sequence, keys) = (Tensor::arange(6).to_dtype(DType::F32).reshape([1, 3, 2]), Tensor::zeros([1, 1, 3, 2]));
        let memory = Memory::new(&sequence, keys.clone(), keys.clone());
        assert!(memory.is_of(&sequence) && memory.is_of(&(&sequence + 0.0)));
        for other in [&sequence + 1.0, sequence.reshape([3, 1, 2]), sequence.to_dtype(DType::F64)] {
            assert!(!memory.is_of(&other));
        }
        let empty = Tensor::zeros([0, 3, 2]);
        assert!(Memory::new(&empty, keys.clone(), keys).is_of(&empty));
    }
}
