//! Numbers packed as they are: the format of the highest precision.

use super::format::{Format, Left};
use super::kernels::Gemm;
use super::kernels::tile::{TileKernel, Tiles};
use super::matrix::Matrix;
use super::pack;

/// Tiles of rows, at most, that read a right matrix where it lies; fewer where its rows [crowd](crowds). Measurements are in
/// `benches/README.md`.
const FEW: usize = 8;
const FEW_CROWDED: usize = 3;

/// Panels, at most, for which crowded rows of a left matrix are read where they lie by tiles of at most [`LOW`] rows, which leave some
/// of the eight places that the smallest nearest caches have for addresses 4 KiB apart.
const FEW_PANELS: usize = 12;
const LOW: usize = 6;

impl<T: Gemm> Format<T> for TileKernel<T> {
    type Packed = T;

    fn describe(&self) -> String {
        format!("tiles of {}", self.size())
    }

    fn depth(&self) -> usize {
        self.depth
    }

    fn tile_size(&self) -> (usize, usize) {
        (self.height, self.width)
    }

    fn panel_length(&self, depth: usize) -> usize {
        self.width * depth
    }

    fn pack_panels(&self, b: Matrix<T>, depth: usize, columns: usize, out: &mut [T]) {
        pack::panels(b, depth, columns, self.width, out);
    }

    fn left(&self, a: Matrix<T>, depth: usize, panels: usize) -> Left {
        // Rows of low tiles stay beside each other in the cache, and are read a few times only.
        let crowded = crowds::<T>(a.row_stride.unsigned_abs()) && (self.height > LOW || panels > FEW_PANELS);
        if a.column_stride == 1 && !crowded {
            return Left { packed: false, length: 0, row_stride: a.row_stride, depth_stride: 1 };
        }
        let length = self.height * depth;
        if a.column_stride == 1 {
            // A copy of the rows, which touches each only once.
            let row_stride = row_room::<T>(depth);
            return Left {
                packed: true,
                length: self.height * row_stride,
                row_stride: row_stride as isize,
                depth_stride: 1,
            };
        }
        Left { packed: true, length, row_stride: 1, depth_stride: self.height as isize }
    }

    fn pack_rows(&self, a: Matrix<T>, rows: usize, depth: usize, out: &mut [T]) {
        if a.column_stride == 1 {
            for (row, out) in out.chunks_exact_mut(row_room::<T>(depth)).enumerate().take(rows) {
                let start = a.at(row, 0);
                out[..depth].copy_from_slice(&a.data[start..start + depth]);
            }
        } else {
            pack::panels(a.flipped(), depth, rows, self.height, out);
        }
    }

    fn left_in_place<'a>(&self, a: Matrix<'a, T>) -> Option<Matrix<'a, T>> {
        Some(a)
    }

    fn right_in_place<'a>(&self, b: Matrix<'a, T>, rows: usize, depth: usize) -> Option<Matrix<'a, T>> {
        let pitch = usize::try_from(b.row_stride).ok().filter(|_| b.column_stride == 1)?;
        // To pack what is read a few times would take longer than to read it where it lies.
        let few = self.height * if crowds::<T>(pitch) { FEW_CROWDED } else { FEW };
        (rows <= few || self.reads_rows(pitch, rows, depth)).then_some(b)
    }

    unsafe fn tiles(&self, tiles: &Tiles<T, T>, direct: bool) {
        // SAFETY: the caller's contract.
        unsafe { if direct { (self.direct)(tiles) } else { (self.tiles)(tiles) } }
    }
}

/// Whether rows so many elements apart are multiples of 4 KiB apart: those share the few places that the nearest cache has for such
/// addresses.
fn crowds<T>(pitch: usize) -> bool {
    pitch > 0 && pitch.saturating_mul(size_of::<T>()).is_multiple_of(4096)
}

/// Elements from one copied row to the next: an odd number of cache lines, so that rows lie spread over the cache.
pub(super) fn row_room<T>(depth: usize) -> usize {
    let line = 64 / size_of::<T>();
    (depth.div_ceil(line) | 1) * line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::simd;

    #[test]
    fn rows_that_crowd_in_the_cache_are_packed_if_read_often() {
        for level in simd::available_levels() {
            simd::force_level(level);
            let kernel = f32::kernels().tiles.best_for(1024);
            let reads = |pitch, rows| kernel.reads_rows(pitch, rows, 512);
            let at_all = reads(784, 512);
            assert_eq!(at_all, kernel.width >= 32);
            // 4 KiB apart, and all at one place.
            assert_eq!([reads(1024, 512), reads(1024, 1), reads(0, 512)], [false, at_all, at_all]);
        }
    }

    #[test]
    fn rows_of_the_left_matrix_that_crowd_are_copied_if_tiles_are_high_or_read_them_often() {
        for level in simd::available_levels() {
            simd::force_level(level);
            for kernel in [16, 1024].map(|columns| f32::kernels().tiles.best_for(columns)) {
                let data = [0.0; 8];
                let copied = |row_stride, panels| {
                    let a = Matrix { data: &data, offset: 0, row_stride, column_stride: 1 };
                    kernel.left(a, 256, panels).packed
                };
                let is_high = kernel.height >= 8;
                assert_eq!([copied(1000, 1), copied(1000, 13)], [false; 2]);
                for apart in [1024, 2048, -1024] {
                    assert_eq!([copied(apart, 1), copied(apart, 12), copied(apart, 13)], [is_high, is_high, true]);
                }
            }
        }
    }
}
