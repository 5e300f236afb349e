//! Filling tensors with random numbers, a block of four at a time, any piece by any thread.

use super::buffer::Buffer;
use super::simd::{Task, dispatch};
use super::threads::for_each_part;
use crate::backend::Distribution;
use crate::random::{Key, philox, unit};

/// Blocks that are generated side by side, so that the rounds run in vector registers.
const SIDE: usize = 16;

struct Fill<'a, F> {
    out: &'a mut [f32],
    key: Key,
    position: u64,
    f: F,
}

impl<F: Fn([u32; 4]) -> [f32; 4]> Task for Fill<'_, F> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Fill { out, key, mut position, f } = self;
        for group in out.chunks_mut(4 * SIDE) {
            let mut numbers = [0.0; 4 * SIDE];
            for block in 0..SIDE {
                let four = f(philox(key, position + block as u64));
                numbers[4 * block..4 * block + 4].copy_from_slice(&four);
            }
            group.copy_from_slice(&numbers[..group.len()]);
            position += SIDE as u64;
        }
    }
}

fn fill(out: &mut [f32], key: Key, position: u64, f: impl Fn([u32; 4]) -> [f32; 4] + Copy + Sync) {
    for_each_part(out, 16 * 1024, |start, out| {
        dispatch(Fill { out, key, position: position + (start / 4) as u64, f });
    });
}

pub(super) fn random(distribution: Distribution, key: Key, position: u64, elements: usize) -> Buffer<f32> {
    let mut out = Buffer::scratch(elements);
    match distribution {
        Distribution::Uniform => fill(&mut out, key, position, |words| words.map(unit)),
        Distribution::Normal => fill(&mut out, key, position, |[a, b, c, d]| {
            let ([p, q], [r, s]) = (normals(a, b), normals(c, d));
            [p, q, r, s]
        }),
        Distribution::Bernoulli { p, value } => {
            // A word is below p 2^32 with probability p; in 64 bits so that 1 is always.
            let (limit, value) = ((p * 4_294_967_296.0) as u64, value as f32);
            fill(&mut out, key, position, move |words| {
                words.map(|word| if u64::from(word) < limit { value } else { 0.0 })
            });
        }
    }
    out
}

/// Two independent normal numbers from two words (Box and Muller, 1958).
#[inline(always)]
fn normals(a: u32, b: u32) -> [f32; 2] {
    // 1 - u lies in (0, 1], whose logarithm is finite.
    let radius = (-2.0 * (1.0 - unit(a)).ln()).sqrt();
    let (sine, cosine) = (std::f32::consts::TAU * unit(b)).sin_cos();
    [radius * cosine, radius * sine]
}
