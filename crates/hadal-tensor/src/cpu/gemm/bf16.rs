//! Products of f32 matrices in bf16: factors are rounded to one term, or split in two, and packed in pairs along the
//! summed axis, as the processor's instructions take them.
//!
//! With two terms, x = high + low, a product is high high + high low + low high; low low is below what f32 would keep.

use std::arch::x86_64::__m512;
use std::sync::OnceLock;

use super::format::{Format, Left};
use super::tile::{Tile, tiles};
use super::{Matrix, Out, Sizes, amx, blocks, pairs};
use crate::cpu::simd::{SimdLevel, level};
use crate::precision::{Precision, precision};

/// Products of fewer multiplications gain nothing.
const SMALLEST: usize = 1 << 16;

/// What computes products of bf16.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Units {
    /// AVX-512 with bf16, twice as fast as with f32.
    Vectors,
    /// Matrix tile units.
    Tiles,
}

/// The processor's units for bf16, if using them is faster than f32.
fn units() -> Option<Units> {
    static UNITS: OnceLock<Option<Units>> = OnceLock::new();
    if level() != SimdLevel::Avx512 {
        return None;
    }
    *UNITS.get_or_init(|| {
        if !is_x86_feature_detected!("avx512bf16") || !is_x86_feature_detected!("avx512bw") {
            None
        } else if amx::present() {
            // A system that withholds the tiles leaves vector units that are slower than in f32, on these processors.
            amx::allowed().then_some(Units::Tiles)
        } else {
            Some(Units::Vectors)
        }
    })
}

/// How factors become bf16, and what multiplies them.
#[derive(Clone, Copy)]
pub(super) struct Bf16 {
    pub units: Units,
    /// 1 or 2.
    pub terms: usize,
}

impl Bf16 {
    /// For the precision in use; `None` where f32 is as fast.
    pub fn in_use() -> Option<Bf16> {
        let terms = match precision() {
            Precision::Highest => return None,
            Precision::High => 2,
            Precision::Medium => 1,
        };
        let units = units()?;
        // Three products of half the time are no gain.
        (units == Units::Tiles || terms == 1).then_some(Bf16 { units, terms })
    }

    /// How fast products are, against f32 on the vector units.
    pub fn speed(self) -> f64 {
        let products = if self.terms == 1 { 1.0 } else { 3.0 };
        match self.units {
            Units::Vectors => 2.0 / products,
            Units::Tiles => 10.0 / products,
        }
    }

    /// Pairs along the summed axis, as many as the units take at once; those beyond `depth` are zero.
    fn padded_pairs(self, depth: usize) -> usize {
        match self.units {
            Units::Vectors => depth.div_ceil(2),
            Units::Tiles => depth.div_ceil(2).next_multiple_of(amx::PAIRS),
        }
    }

    /// Pairs from one row of a left matrix to the next: an odd number of cache lines, so that rows lie spread over the
    /// cache.
    fn row_stride(self, depth: usize) -> usize {
        (depth.div_ceil(2).div_ceil(16) | 1) * 16
    }
}

/// Computes the product in bf16 if it is large enough; false, with nothing done, otherwise.
pub(super) fn multiply(format: Bf16, a: Matrix<f32>, b: Matrix<f32>, sizes: Sizes, out: Out<f32>) -> bool {
    if sizes.rows * sizes.depth * sizes.columns < SMALLEST {
        return false;
    }
    blocks::multiply(|_| format, a, b, sizes, out);
    true
}

impl Format<f32> for Bf16 {
    type Packed = u32;
    const DEPTH: usize = 1024;

    fn tile_size(&self) -> (usize, usize) {
        match self.units {
            Units::Vectors => (12, pairs::WIDTH),
            Units::Tiles => (amx::SIDE, pairs::WIDTH),
        }
    }

    fn panel_length(&self, depth: usize) -> usize {
        self.terms * pairs::WIDTH * self.padded_pairs(depth)
    }

    fn pack_panels(&self, b: Matrix<f32>, depth: usize, columns: usize, out: &mut [u32]) {
        let padded = self.padded_pairs(depth);
        for (panel, out) in out.chunks_exact_mut(self.panel_length(depth)).enumerate() {
            let first = panel * pairs::WIDTH;
            let columns = pairs::WIDTH.min(columns - first);
            let mut terms = out.chunks_exact_mut(pairs::WIDTH * padded);
            let (high, low) = (terms.next().expect("one term at least"), terms.next());
            // SAFETY: `units` names the instructions, and a panel has room for the pairs of all its columns.
            unsafe { pairs::pack_columns(b.from(0, first), depth, columns, padded, high, low) };
        }
    }

    fn left(&self, _a: Matrix<f32>, depth: usize) -> Left {
        let (row_stride, height) = (self.row_stride(depth), self.tile_size().0);
        let length = self.terms * height * row_stride;
        Left { packed: true, length, row_stride: row_stride as isize, depth_stride: 1 }
    }

    fn pack_rows(&self, a: Matrix<f32>, rows: usize, depth: usize, out: &mut [u32]) {
        let (row_stride, height) = (self.row_stride(depth), self.tile_size().0);
        if self.terms == 1 {
            // SAFETY: `units` names the instructions, and each row has room for its pairs.
            return unsafe { pairs::pack_rows(a, rows, depth, row_stride, out, None) };
        }
        for (tile, out) in out.chunks_exact_mut(2 * height * row_stride).enumerate().take(rows.div_ceil(height)) {
            let first = tile * height;
            let (high, low) = out.split_at_mut(height * row_stride);
            // SAFETY: as above.
            unsafe { pairs::pack_rows(a.from(first, 0), height.min(rows - first), depth, row_stride, high, Some(low)) };
        }
    }

    fn in_place<'a>(&self, _matrix: Matrix<'a, f32>) -> Option<Matrix<'a, u32>> {
        None
    }

    fn piece(&self, work: impl FnOnce()) {
        match self.units {
            Units::Vectors => work(),
            Units::Tiles => amx::with_tiles(work),
        }
    }

    unsafe fn tile(&self, mut tile: Tile<u32, f32>, _direct: bool) {
        let padded = self.padded_pairs(tile.depth);
        let (row_stride, depth) = (self.row_stride(tile.depth), tile.depth);
        tile.depth = padded;
        match self.units {
            // SAFETY: the caller's contract; the processor has these instructions.
            Units::Vectors => unsafe { tiles_bf16::<u32, f32, __m512, 2, false>(tile) },
            Units::Tiles => {
                let low = (amx::SIDE * self.row_stride(depth), pairs::WIDTH * padded);
                // SAFETY: the caller's contract: rows and panels were packed for whole tiles, by term.
                unsafe { amx::tile(&tile, row_stride, (self.terms == 2).then_some(low)) }
            }
        }
    }
}

tiles!(
    #[target_feature(enable = "avx512f,avx512bf16")]
    tiles_bf16,
    sums_bf16,
    1 2 3 4 5 6 7 8 9 10 11 12
);
