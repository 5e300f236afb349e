//! Products of f32 matrices in bf16: factors are rounded to one term, or split in two, and packed in pairs along the
//! summed axis, as the processor's instructions take them.
//!
//! With two terms, x = high + low, a product is high high + high low + low high; low low is below what f32 would keep.

use std::sync::OnceLock;

use super::format::{Format, Left};
use super::kernels::PAIR_KERNELS;
use super::kernels::pair::{Factors, PairKernel, WIDTH};
use super::kernels::tile::Tiles;
use super::matrix::Matrix;
use super::pairs;
use crate::cpu::simd::{SimdLevel, level};
use crate::precision::MatmulPrecision;

/// How factors become bf16, and what multiplies them.
#[derive(Clone, Copy)]
pub(crate) struct Bf16 {
    kernel: &'static PairKernel,
    /// 1 or 2.
    terms: usize,
}

impl Bf16 {
    /// What serves a precision; `None` where f32 is as fast.
    pub fn for_precision(precision: MatmulPrecision) -> Option<Bf16> {
        let terms = match precision {
            MatmulPrecision::Highest => return None,
            MatmulPrecision::High => 2,
            MatmulPrecision::Medium => 1,
        };
        let format = Bf16 { kernel: kernel()?, terms };
        (format.speed() > 1.0).then_some(format)
    }

    /// Pairs along the summed axis, as many as the kernel takes at once; those beyond `depth` are zero.
    fn padded_pairs(self, depth: usize) -> usize {
        depth.div_ceil(2).next_multiple_of(self.kernel.step)
    }

    /// Pairs from one row of a left matrix to the next: an odd number of cache lines, so that rows lie spread over the
    /// cache.
    fn row_stride(self, depth: usize) -> usize {
        (depth.div_ceil(2).div_ceil(16) | 1) * 16
    }
}

/// The fastest kernel that the processor has, if the system allows it.
fn kernel() -> Option<&'static PairKernel> {
    static FASTEST: OnceLock<Option<&PairKernel>> = OnceLock::new();
    if level() < SimdLevel::Avx512 {
        return None;
    }
    *FASTEST.get_or_init(|| {
        PAIR_KERNELS.iter().copied().find(|kernel| (kernel.present)()).filter(|kernel| (kernel.allowed)())
    })
}

impl Format<f32> for Bf16 {
    type Packed = u32;
    // Both matrices are packed, from wherever they lie: nothing is gained by the transposed product.
    const SMALLEST: usize = 1 << 16;

    fn speed(&self) -> f64 {
        let products = if self.terms == 1 { 1.0 } else { 3.0 };
        self.kernel.speed / products
    }

    fn describe(&self) -> String {
        let terms = if self.terms == 1 { "bf16" } else { "two terms of bf16" };
        format!("{terms} on {}, tiles of {} x {WIDTH}", self.kernel.name, self.kernel.height)
    }

    fn depth(&self) -> usize {
        1024
    }

    fn tile_size(&self) -> (usize, usize) {
        (self.kernel.height, WIDTH)
    }

    fn panel_length(&self, depth: usize) -> usize {
        self.terms * WIDTH * self.padded_pairs(depth)
    }

    fn pack_panels(&self, b: Matrix<f32>, depth: usize, columns: usize, out: &mut [u32]) {
        let padded = self.padded_pairs(depth);
        for (panel, out) in out.chunks_exact_mut(self.panel_length(depth)).enumerate() {
            let first = panel * WIDTH;
            let columns = WIDTH.min(columns - first);
            let b = b.from(0, first);
            // SAFETY: the processor has the kernel's instructions, `gemm` checked what the matrix holds, and a panel has room for the
            // pairs of all its columns.
            unsafe {
                if self.terms == 1 {
                    pairs::pack_columns(b, depth, columns, padded, [out]);
                } else {
                    pairs::pack_columns(b, depth, columns, padded, out.split_at_mut(WIDTH * padded).into());
                }
            }
        }
    }

    fn left(&self, _a: Matrix<f32>, depth: usize, _panels: usize) -> Left {
        let (row_stride, height) = (self.row_stride(depth), self.tile_size().0);
        let length = self.terms * height * row_stride;
        Left { packed: true, length, row_stride: row_stride as isize, depth_stride: 1 }
    }

    fn pack_rows(&self, a: Matrix<f32>, rows: usize, depth: usize, out: &mut [u32]) {
        let (row_stride, height) = (self.row_stride(depth), self.tile_size().0);
        if self.terms == 1 {
            // SAFETY: the processor has the kernel's instructions, `gemm` checked what the matrix holds, and each row has room for its
            // pairs.
            return unsafe { pairs::pack_rows(a, rows, depth, row_stride, [out]) };
        }
        for (tile, out) in out.chunks_exact_mut(2 * height * row_stride).enumerate().take(rows.div_ceil(height)) {
            let (first, parts) = (tile * height, out.split_at_mut(height * row_stride));
            // SAFETY: as above.
            unsafe { pairs::pack_rows(a.from(first, 0), height.min(rows - first), depth, row_stride, parts.into()) };
        }
    }

    fn left_in_place<'a>(&self, _a: Matrix<'a, f32>) -> Option<Matrix<'a, u32>> {
        None
    }

    fn right_in_place<'a>(&self, _b: Matrix<'a, f32>, _rows: usize, _depth: usize) -> Option<Matrix<'a, u32>> {
        None
    }

    fn piece(&self, mut work: impl FnMut()) {
        // SAFETY: only kernels that are present and allowed get here.
        unsafe { (self.kernel.piece)(&mut work) }
    }

    unsafe fn tiles(&self, tiles: &Tiles<u32, f32>, _direct: bool) {
        let (padded, row_stride) = (self.padded_pairs(tiles.depth), self.row_stride(tiles.depth));
        // Where the second terms lie, behind the first.
        let left = tiles.a.wrapping_add(self.tile_size().0 * row_stride);
        let right = tiles.b.wrapping_add(WIDTH * padded);
        let factors =
            [(tiles.a, tiles.b), (tiles.a, right), (left, tiles.b)].map(|(left, right)| Factors { left, right });
        let factors = if self.terms == 1 { &factors[..1] } else { &factors[..] };
        // SAFETY: the caller's contract: rows and panels were packed for whole tiles, by term; the processor has these
        // instructions, and this runs within `piece`.
        unsafe { (self.kernel.tiles)(tiles, factors, row_stride, padded) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::gemm::blocks;
    use crate::cpu::gemm::matrix::Sizes;
    use crate::cpu::gemm::out::Out;
    use crate::cpu::threads::SharedMut;
    use proptest::prelude::*;

    /// All kernels that this processor has, and the system allows.
    fn available() -> impl Iterator<Item = &'static PairKernel> {
        let there = |kernel: &&PairKernel| (kernel.present)() && (kernel.allowed)();
        PAIR_KERNELS.iter().copied().filter(there)
    }

    /// A number of bf16, as the processor rounds: to the nearest, ties to even.
    fn rounded(x: f32) -> f64 {
        let bits = x.to_bits();
        f32::from_bits((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff_0000).into()
    }

    /// Numbers of mixed signs and sizes, none of them small enough to be flushed to zero.
    fn numbers(length: usize, seed: usize) -> Vec<f32> {
        let number = |i: usize| (((i * 7919 + seed) * 2654435761 % 100_003) as f32 / 50_001.5 - 1.0) * 3.0;
        (0..length).map(|i| number(i) + 1e-3).collect()
    }

    fn product(format: Bf16, a: Matrix<f32>, b: Matrix<f32>, sizes: Sizes, flipped: bool) -> Vec<f32> {
        let Sizes { rows, depth, columns } = sizes;
        let mut out = vec![f32::NAN; rows * columns];
        let base = SharedMut::new(out.as_mut_ptr());
        let target = Out { base, row_stride: columns, column_stride: 1, flipped: false, epilogue: None };
        if flipped {
            let sizes = Sizes { rows: columns, depth, columns: rows };
            blocks::multiply_in(&format, b.flipped(), a.flipped(), sizes, target.flipped());
        } else {
            blocks::multiply_in(&format, a, b, sizes, target);
        }
        out
    }

    fn check(sizes: Sizes, (turn_a, turn_b): (bool, bool), gap: usize) {
        let Sizes { rows, depth, columns } = sizes;
        let strides = |rows: usize, columns: usize, turned: bool| {
            if turned { (1, (rows + gap) as isize) } else { ((columns + gap) as isize, 1) }
        };
        let (left, right) = (numbers((rows + gap) * (depth + gap), 1), numbers((depth + gap) * (columns + gap), 2));
        let ((ar, ac), (br, bc)) = (strides(rows, depth, turn_a), strides(depth, columns, turn_b));
        let a = Matrix { data: &left, offset: 0, row_stride: ar, column_stride: ac };
        let b = Matrix { data: &right, offset: 0, row_stride: br, column_stride: bc };
        for (kernel, terms, flipped) in available()
            .flat_map(|kernel| [(kernel, 1, false), (kernel, 1, true), (kernel, 2, false), (kernel, 2, true)])
        {
            let out = product(Bf16 { kernel, terms }, a, b, sizes, flipped);
            for (place, &got) in out.iter().enumerate() {
                let (i, j) = (place / columns, place % columns);
                let (mut exact, mut size) = (0.0, 0.0);
                for k in 0..depth {
                    let (x, y) = (left[a.at(i, k)], right[b.at(k, j)]);
                    let (x, y) = if terms == 1 { (rounded(x), rounded(y)) } else { (x.into(), y.into()) };
                    exact += x * y;
                    size += (x * y).abs();
                }
                // Sums are in f32; what two terms leave out is 2^-16 of a factor.
                let bound = size * if terms == 1 { 4e-6 } else { 4e-5 } + 1e-30;
                let error = (f64::from(got) - exact).abs();
                assert!(
                    error <= bound,
                    "({i}, {j}) of {rows} x {depth} x {columns} by {} in {terms} terms, flipped {flipped}: \
                     error {error:.2e} above {bound:.2e}",
                    kernel.name
                );
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn products_are_those_of_rounded_factors(
            rows in 1usize..70, depth in 1usize..70, columns in 1usize..70,
            turned in any::<(bool, bool)>(), gap in 0usize..3,
        ) {
            check(Sizes { rows, depth, columns }, turned, gap);
        }
    }

    #[test]
    fn deep_and_wide_products_meet_without_seams() {
        for (rows, depth, columns) in [(5, 2100, 33), (100, 40, 300), (33, 30, 2100)] {
            for turned in [(false, false), (true, false), (false, true), (true, true)] {
                check(Sizes { rows, depth, columns }, turned, 1);
            }
        }
    }

    #[test]
    fn infinities_and_nan_come_out_as_in_f32() {
        let sizes = Sizes { rows: 2, depth: 40, columns: 2 };
        for (special, sign) in [(f32::INFINITY, 1.0), (f32::NEG_INFINITY, -1.0), (f32::NAN, f32::NAN), (f32::MAX, 1.0)]
        {
            let (mut left, right) = (vec![1.0; 80], vec![0.5; 80]);
            left[7] = special;
            let a = Matrix { data: &left, offset: 0, row_stride: 40, column_stride: 1 };
            let b = Matrix { data: &right, offset: 0, row_stride: 2, column_stride: 1 };
            for (kernel, terms) in available().flat_map(|kernel| [(kernel, 1), (kernel, 2)]) {
                let out = product(Bf16 { kernel, terms }, a, b, sizes, false);
                let case = format!("{special} by {} in {terms} terms: {out:?}", kernel.name);
                assert!(out[2] == 20.0 && out[3] == 20.0, "{case}");
                if special.is_nan() {
                    assert!(out[0].is_nan() && out[1].is_nan(), "{case}");
                } else if special == f32::MAX && terms == 2 {
                    assert!((out[0] / (f32::MAX / 2.0) - 1.0).abs() < 1e-4, "{case}");
                } else {
                    assert!(out[0] == sign * f32::INFINITY && out[1] == sign * f32::INFINITY, "{case}");
                }
            }
        }
    }
}
