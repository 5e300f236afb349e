//! Whole tiles of 4 x 24 numbers of `f32` with AVX2, in assembly.
//!
//! Twelve registers of sums, three of a panel and one of the left matrix are all there are. Where several places along the summed axis are
//! written out, which saves counting and addresses, compilers move some of them to memory and back. How much it saves is in
//! `benches/README.md`.

use std::arch::asm;
use std::arch::x86_64::{__m256, _mm256_setzero_ps};
use std::ops::Range;

use super::avx2::avx2_wide_tiles;
use super::store::{Target, store, store_whole};
use super::tile::Tiles;
use super::vector::{LINE, NEAREST, SECOND, prefetch};

/// Rows of a tile.
const ROWS: usize = 4;
/// Numbers of a register.
const LANES: usize = 8;
/// Columns of a panel.
const WIDTH: usize = 3 * LANES;
/// Places along the summed axis that are written out.
const PLACES: usize = 8;

/// Adds to a row's sums the products of its number at a place, which is read from `$at`, and registers of columns.
macro_rules! row {
    ($at:literal, $($sum:literal += $columns:literal),+) => {
        concat!(
            "vbroadcastss {left}, dword ptr [", $at, " + {in_row}]",
            $("\n vfmadd231ps {", $sum, "}, {left}, {", $columns, "}"),+
        )
    };
}

/// Runs `$add` for each place along the summed axis, given how many places from `$a` and `$b` on it lies.
macro_rules! for_each_place {
    ($depth:expr, $a:ident, $b:ident, $add:ident) => {
        for _ in 0..$depth / PLACES {
            $add!(0);
            $add!(1);
            $add!(2);
            $add!(3);
            $add!(4);
            $add!(5);
            $add!(6);
            $add!(7);
            $a = $a.wrapping_add(PLACES * STEP);
            $b = $b.wrapping_add(PLACES * WIDTH);
        }
        for _ in 0..$depth % PLACES {
            $add!(0);
            $a = $a.wrapping_add(STEP);
            $b = $b.wrapping_add(WIDTH);
        }
    };
}

/// The sums of four rows, `row_stride` apart, whose numbers are `STEP` apart, and a panel.
///
/// # Safety
/// The processor must have AVX2 and FMA; `a` must be readable at `i * row_stride + k * STEP` for all `i < 4`, `k < depth`, and `b` at
/// `k * 24 + j` for all `k < depth`, `j < 24`.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn sums_of_panel<const STEP: usize>(
    mut a: *const f32,
    row_stride: usize,
    mut b: *const f32,
    depth: usize,
) -> [[__m256; 3]; ROWS] {
    let [
        [mut s00, mut s01, mut s02],
        [mut s10, mut s11, mut s12],
        [mut s20, mut s21, mut s22],
        [mut s30, mut s31, mut s32],
    ] = [[_mm256_setzero_ps(); 3]; ROWS];
    macro_rules! add {
        ($k:literal) => {
            // SAFETY: reads what the function's contract names at a place `k < depth`, and changes no registers but those named.
            unsafe {
                asm!(
                    "vmovups {x}, [{b} + {in_panel}]",
                    "vmovups {y}, [{b} + {in_panel} + 32]",
                    "vmovups {z}, [{b} + {in_panel} + 64]",
                    row!("{a}", "s00" += "x", "s01" += "y", "s02" += "z"),
                    row!("{a} + {row}", "s10" += "x", "s11" += "y", "s12" += "z"),
                    row!("{a} + 2 * {row}", "s20" += "x", "s21" += "y", "s22" += "z"),
                    row!("{a} + {three_rows}", "s30" += "x", "s31" += "y", "s32" += "z"),
                    a = in(reg) a,
                    b = in(reg) b,
                    row = in(reg) row_stride * size_of::<f32>(),
                    three_rows = in(reg) 3 * row_stride * size_of::<f32>(),
                    in_row = const $k * STEP * size_of::<f32>(),
                    in_panel = const $k * WIDTH * size_of::<f32>(),
                    x = out(ymm_reg) _,
                    y = out(ymm_reg) _,
                    z = out(ymm_reg) _,
                    left = out(ymm_reg) _,
                    s00 = inout(ymm_reg) s00,
                    s01 = inout(ymm_reg) s01,
                    s02 = inout(ymm_reg) s02,
                    s10 = inout(ymm_reg) s10,
                    s11 = inout(ymm_reg) s11,
                    s12 = inout(ymm_reg) s12,
                    s20 = inout(ymm_reg) s20,
                    s21 = inout(ymm_reg) s21,
                    s22 = inout(ymm_reg) s22,
                    s30 = inout(ymm_reg) s30,
                    s31 = inout(ymm_reg) s31,
                    s32 = inout(ymm_reg) s32,
                    options(pure, readonly, nostack),
                );
            }
        };
    }
    for_each_place!(depth, a, b, add);
    [[s00, s01, s02], [s10, s11, s12], [s20, s21, s22], [s30, s31, s32]]
}

/// The same of two registers of columns, the second `apart` from the first.
///
/// # Safety
/// As [`sums_of_panel`], but `b` must be readable at `k * 24 + j` and `k * 24 + apart + j` for all `k < depth`, `j < 8`.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn sums_of_two<const STEP: usize>(
    mut a: *const f32,
    row_stride: usize,
    mut b: *const f32,
    apart: usize,
    depth: usize,
) -> [[__m256; 2]; ROWS] {
    let [[mut s00, mut s01], [mut s10, mut s11], [mut s20, mut s21], [mut s30, mut s31]] =
        [[_mm256_setzero_ps(); 2]; ROWS];
    macro_rules! add {
        ($k:literal) => {
            // SAFETY: as above, with the second register `apart` from the first.
            unsafe {
                asm!(
                    "vmovups {x}, [{b} + {in_panel}]",
                    "vmovups {y}, [{b} + {apart} + {in_panel}]",
                    row!("{a}", "s00" += "x", "s01" += "y"),
                    row!("{a} + {row}", "s10" += "x", "s11" += "y"),
                    row!("{a} + 2 * {row}", "s20" += "x", "s21" += "y"),
                    row!("{a} + {three_rows}", "s30" += "x", "s31" += "y"),
                    a = in(reg) a,
                    b = in(reg) b,
                    row = in(reg) row_stride * size_of::<f32>(),
                    three_rows = in(reg) 3 * row_stride * size_of::<f32>(),
                    apart = in(reg) apart * size_of::<f32>(),
                    in_row = const $k * STEP * size_of::<f32>(),
                    in_panel = const $k * WIDTH * size_of::<f32>(),
                    x = out(ymm_reg) _,
                    y = out(ymm_reg) _,
                    left = out(ymm_reg) _,
                    s00 = inout(ymm_reg) s00,
                    s01 = inout(ymm_reg) s01,
                    s10 = inout(ymm_reg) s10,
                    s11 = inout(ymm_reg) s11,
                    s20 = inout(ymm_reg) s20,
                    s21 = inout(ymm_reg) s21,
                    s30 = inout(ymm_reg) s30,
                    s31 = inout(ymm_reg) s31,
                    options(pure, readonly, nostack),
                );
            }
        };
    }
    for_each_place!(depth, a, b, add);
    [[s00, s01], [s10, s11], [s20, s21], [s30, s31]]
}

/// Asks for where the sums of a panel go: a product that no longer lies near the processor would let each tile wait at its end.
#[inline(always)]
fn ask_for_sums(out: Target<f32>) {
    for row in 0..ROWS {
        let row = out.pointer.wrapping_add(row * out.row_stride);
        prefetch::<f32, NEAREST>(row);
        prefetch::<f32, NEAREST>(row.wrapping_add(WIDTH - 1));
    }
}

/// Asks for some of the cache lines of the next tile's rows, where they lie apart: the processor does not foresee them.
#[inline(always)]
fn ask_for_next_rows(a: *const f32, row_stride: usize, lines: Range<usize>) {
    for line in lines {
        let place = (ROWS + line % ROWS) * row_stride + line / ROWS * (LINE / size_of::<f32>());
        prefetch::<f32, SECOND>(a.wrapping_add(place));
    }
}

/// The tiles of four rows of which each number is `STEP` from the next.
///
/// # Safety
/// As [`TileKernel::tiles`](super::tile::TileKernel::tiles), with `rows == 4`, `depth_stride == STEP`, `row_stride` not negative and
/// `b_stride == 24`.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn whole_tiles<const STEP: usize>(tiles: &Tiles<f32, f32>) {
    let Tiles { depth, columns, a, out, .. } = *tiles;
    let row_stride = tiles.row_stride as usize;
    let (whole, rest) = (columns / WIDTH, columns % WIDTH);
    // A register of columns alone has too few sums for the processor to multiply all the time: with the last panel it is two and two.
    let straddles = whole > 0 && (1..=LANES).contains(&rest);
    let panels = if straddles { whole - 1 } else { whole };
    let panel = |index: usize| tiles.b.wrapping_add(index * tiles.panel_step);
    let lines = ROWS * depth * size_of::<f32>() / LINE;
    // SAFETY: the caller's contract: four rows are readable, and all columns of each of the panels, of which there are `whole`, and one more if
    // `rest > 0`. Where it straddles, panels `whole - 1` and `whole` are there: read are columns 0 to 16 of the former, then its last
    // eight and the first eight of the latter, of which no more than `rest` are stored.
    unsafe {
        for index in 0..panels {
            let out = out.at_column(index * WIDTH);
            ask_for_sums(out);
            if STEP == 1 {
                ask_for_next_rows(a, row_stride, index * lines / panels..(index + 1) * lines / panels);
            }
            let sums = sums_of_panel::<STEP>(a, row_stride, panel(index), depth);
            store_whole(sums, out.pointer, out.row_stride, out.accumulate);
        }
        let out = out.at_column(panels * WIDTH);
        if straddles {
            ask_for_sums(out);
            ask_for_sums(out.at_column(LANES));
            let sums = sums_of_two::<STEP>(a, row_stride, panel(panels), LANES, depth);
            store_whole(sums, out.pointer, out.row_stride, out.accumulate);
            let last = panel(panels).wrapping_add(2 * LANES);
            let sums = sums_of_two::<STEP>(a, row_stride, last, tiles.panel_step.wrapping_sub(2 * LANES), depth);
            store(&sums, out.at_column(2 * LANES), LANES + rest);
        } else if rest > 0 {
            avx2_wide_tiles::<f32, f32, __m256, 3, false>(&Tiles { columns: rest, b: panel(panels), out, ..*tiles });
        }
    }
}

/// Tiles of any number of rows, at any strides.
///
/// # Safety
/// As [`TileKernel::tiles`](super::tile::TileKernel::tiles).
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn tiles(tiles: &Tiles<f32, f32>) {
    let whole = tiles.rows == ROWS && tiles.row_stride >= 0 && tiles.b_stride == WIDTH;
    // SAFETY: the caller's contract, and what was just looked at.
    unsafe {
        match tiles.depth_stride {
            1 if whole => whole_tiles::<1>(tiles),
            4 if whole => whole_tiles::<4>(tiles),
            _ => avx2_wide_tiles::<f32, f32, __m256, 3, false>(tiles),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::simd::{SimdLevel, available_levels};

    /// `rows` x `depth` times `columns`, the left matrix by rows or packed, as a tile function computes it: the bits, also of what lies
    /// around the product.
    fn bits(
        run: unsafe fn(&Tiles<f32, f32>),
        (rows, depth, columns): (usize, usize, usize),
        packed: bool,
        accumulate: bool,
    ) -> Vec<u32> {
        let numbers = |count: usize, seed: usize| -> Vec<f32> {
            (0..count).map(|i| ((i * 7919 + seed) % 1009) as f32 / 504.5 - 1.0).collect()
        };
        let (row_stride, depth_stride) = if packed { (1, ROWS) } else { (depth + 3, 1) };
        // Both end with the last number that may be read.
        let a = numbers((rows - 1) * row_stride + (depth - 1) * depth_stride + 1, 1);
        let panel_step = WIDTH * depth + 5;
        let b = numbers((columns.div_ceil(WIDTH) - 1) * panel_step + WIDTH * depth, 2);
        let down = columns + 7;
        let mut out = numbers(ROWS * down + 9, 3);
        let pointer = out[9..].as_mut_ptr();
        let tiles = Tiles {
            rows,
            depth,
            columns,
            a: a.as_ptr(),
            row_stride: row_stride as isize,
            depth_stride: depth_stride as isize,
            b: b.as_ptr(),
            b_stride: WIDTH,
            panel_step,
            out: Target { pointer, row_stride: down, accumulate },
        };
        // SAFETY: the caller has looked for the level; the three matrices were made for these sizes and strides.
        unsafe { run(&tiles) };
        out.into_iter().map(f32::to_bits).collect()
    }

    #[test]
    fn tiles_in_assembly_have_the_bits_of_those_that_are_compiled() {
        if !available_levels().contains(&SimdLevel::Avx2) {
            println!("skipped: the processor has no AVX2");
            return;
        }
        let compiled = avx2_wide_tiles::<f32, f32, __m256, 3, false>;
        // Places left over or not; one, two and three registers at the end, whole and in part, with panels before them or not.
        for depth in [1, 7, 8, 9, 16, 43] {
            for columns in [3, 8, 13, 16, 20, 24, 25, 27, 32, 33, 40, 41, 48, 53, 56, 77, 95, 128] {
                for (rows, packed, accumulate) in
                    [(4, false, false), (4, true, false), (4, false, true), (4, true, true), (3, true, false)]
                {
                    let sizes = (rows, depth, columns);
                    let [got, expected] = [tiles, compiled].map(|run| bits(run, sizes, packed, accumulate));
                    assert!(got == expected, "{sizes:?}, packed {packed}, accumulate {accumulate}");
                }
            }
        }
    }
}
