//! Random numbers that depend on the seed alone, never on threads.
//!
//! The generator is Philox4x32-10 (Salmon and others, "Parallel random numbers: as easy as 1, 2, 3", SC 2011): block
//! `position` of stream `stream` under `seed` is a pure function of the three, so any piece of a tensor can be
//! drawn by any thread, and by any device, with the same bits.

/// A stream of random numbers: a place in the sequence that belongs to a seed.
///
/// ```
/// use hadal_tensor::{Rng, Tensor};
/// let mut rng = Rng::new(7);
/// let a = Tensor::rand([3], &mut rng);
/// let again = Tensor::rand([3], &mut Rng::new(7));
/// assert_eq!(a.to_vec::<f32>(), again.to_vec::<f32>());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rng {
    key: Key,
    position: u64,
}

/// What picks a sequence: seed and stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub seed: u64,
    pub stream: u64,
}

impl Rng {
    /// The start of stream 0 under `seed`.
    #[doc(alias = "manual_seed")]
    #[doc(alias = "default_rng")]
    pub fn new(seed: u64) -> Rng {
        Rng::with_stream(seed, 0)
    }

    /// The start of a stream of its own: numbers of two streams under one seed are independent.
    ///
    /// ```
    /// use hadal_tensor::Rng;
    /// assert_ne!(Rng::with_stream(0, 1).uniform(), Rng::with_stream(0, 2).uniform());
    /// ```
    #[doc(alias = "spawn")]
    pub fn with_stream(seed: u64, stream: u64) -> Rng {
        Rng { key: Key { seed, stream }, position: 0 }
    }

    /// The seed, the stream, and how many blocks of four numbers have been drawn: all it takes to resume.
    ///
    /// ```
    /// use hadal_tensor::Rng;
    /// let mut rng = Rng::new(0);
    /// rng.uniform();
    /// let mut resumed = Rng::from_state(rng.state());
    /// assert_eq!(resumed.uniform(), rng.uniform());
    /// ```
    #[doc(alias = "get_rng_state")]
    pub fn state(&self) -> (u64, u64, u64) {
        (self.key.seed, self.key.stream, self.position)
    }

    /// The generator at a [`state`](Rng::state) read earlier.
    #[doc(alias = "set_rng_state")]
    pub fn from_state((seed, stream, position): (u64, u64, u64)) -> Rng {
        Rng { key: Key { seed, stream }, position }
    }

    /// Sets aside blocks for `numbers` 32-bit draws; returns the key and the first block's position.
    pub(crate) fn reserve(&mut self, numbers: usize) -> (Key, u64) {
        let start = self.position;
        self.position = self.position.wrapping_add((numbers as u64).div_ceil(4));
        (self.key, start)
    }

    /// A uniform integer in `0..limit` (without bias, by Lemire's method with rejection).
    ///
    /// ```
    /// use hadal_tensor::Rng;
    /// assert!(Rng::new(0).below(6) < 6);
    /// ```
    ///
    /// # Panics
    /// If `limit` is 0.
    #[doc(alias = "randint")]
    #[doc(alias = "integers")]
    pub fn below(&mut self, limit: u64) -> u64 {
        assert!(limit > 0, "Rng::below: the limit must be at least 1");
        loop {
            let (key, position) = self.reserve(4);
            let words = philox(key, position);
            let word = u64::from(words[0]) << 32 | u64::from(words[1]);
            let product = u128::from(word) * u128::from(limit);
            if (product as u64) >= limit.wrapping_neg() % limit {
                return (product >> 64) as u64;
            }
        }
    }

    /// A uniform number in `[0, 1)` with 24 random bits.
    ///
    /// ```
    /// use hadal_tensor::Rng;
    /// assert!((0.0..1.0).contains(&Rng::new(0).uniform()));
    /// ```
    #[doc(alias = "rand")]
    #[doc(alias = "random")]
    pub fn uniform(&mut self) -> f32 {
        let (key, position) = self.reserve(4);
        unit(philox(key, position)[0])
    }

    /// The numbers `0..n` in random order (Fisher and Yates).
    ///
    /// ```
    /// use hadal_tensor::Rng;
    /// let mut order = Rng::new(0).permutation(4);
    /// order.sort();
    /// assert_eq!(order, [0, 1, 2, 3]);
    /// ```
    #[doc(alias = "randperm")]
    #[doc(alias = "shuffle")]
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order = crate::cpu::buffer::vec_with_room(n);
        order.extend(0..n);
        for last in (1..n).rev() {
            order.swap(last, self.below(last as u64 + 1) as usize);
        }
        order
    }
}

/// The top 24 bits as a number in `[0, 1)`.
#[inline(always)]
pub(crate) fn unit(word: u32) -> f32 {
    (word >> 8) as f32 * (1.0 / (1 << 24) as f32)
}

/// Block `position` of the sequence: ten Philox rounds over (position, stream), keyed by the seed.
#[inline(always)]
pub(crate) fn philox(key: Key, position: u64) -> [u32; 4] {
    philox_rounds(
        [position as u32, (position >> 32) as u32, key.stream as u32, (key.stream >> 32) as u32],
        [key.seed as u32, (key.seed >> 32) as u32],
    )
}

#[inline(always)]
fn philox_rounds(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let a = u64::from(counter[0]) * 0xD251_1F53;
        let b = u64::from(counter[2]) * 0xCD9E_8D57;
        counter = [(b >> 32) as u32 ^ counter[1] ^ key[0], b as u32, (a >> 32) as u32 ^ counter[3] ^ key[1], a as u32];
        key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
    }
    counter
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers that the Random123 library publishes for Philox4x32-10.
    #[test]
    fn philox_gives_random123_known_answers() {
        let cases = [
            ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
            ([u32::MAX; 4], [u32::MAX; 2], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
            (
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ];
        for (counter, key, expected) in cases {
            assert_eq!(philox_rounds(counter, key), expected);
        }
    }

    #[test]
    fn permutation_holds_each_number_once() {
        for n in [0, 1, 2, 17, 1000] {
            let mut order = Rng::new(3).permutation(n);
            order.sort_unstable();
            assert_eq!(order, (0..n).collect::<Vec<_>>());
        }
    }
}
