//! Matrix products of any strides.
//!
//! Few rows, or few columns, are dot products of what is adjacent in memory ([`dots`]); matrices with many zeros are computed by
//! the places that are not zero ([`sparse`]); all else is multiplied tile by tile ([`blocks`]), in a [`format`] that says what is
//! packed; [`near`] is for small ones on one thread. What multiplies are the [`kernels`] for the processor at hand, which know nothing of the rest: imports point from here to the ways, from
//! there to formats, and on to kernels. Work is cut by the size of the result, never along the summed axis: the bits do not
//! depend on the number of threads.

// Elsewhere some kernels have no instance yet.
#![cfg_attr(not(target_arch = "x86_64"), allow(unused))]

#[cfg(target_arch = "x86_64")]
mod bf16;
mod blocks;
mod describe;
mod dots;
mod epilogue;
mod format;
mod formats;
pub(super) mod kernels;
mod matrix;
mod near;
mod out;
mod pack;
#[cfg(target_arch = "x86_64")]
mod pairs;
mod plain;
mod prepared;
pub(super) mod share;
mod sparse;

use super::threads::SharedMut;
use crate::precision::MatmulPrecision;
pub(super) use describe::describe;
pub(super) use epilogue::Epilogue;
use format::Format;
pub(super) use formats::Formats;
pub(super) use matrix::{Matrix, Sizes};
pub(super) use near::Near;
use out::Out;
pub(super) use pack::{transpose, transposed};
pub(super) use prepared::Prepared;
use share::{share, tiled};

/// Of several products, those of so many multiplications are shared out each by itself, smaller ones whole.
const LARGE: usize = 1 << 24;

/// The products of pairs of matrices, one after another in `out`, row-major; what follows is done to each.
pub(super) fn gemm<T: Formats>(
    pairs: &[(Matrix<T>, Matrix<T>)],
    sizes: Sizes,
    precision: MatmulPrecision,
    epilogue: Option<Epilogue<T>>,
    out: &mut [T],
) {
    let Sizes { rows, depth, columns } = sizes;
    let elements = pairs.len().checked_mul(rows).and_then(|elements| elements.checked_mul(columns));
    assert!(Some(out.len()) == elements, "gemm: the output does not have the size of the products");
    assert!(epilogue.is_none_or(|epilogue| epilogue.bias.len() == columns), "gemm: a bias for every column is needed");
    if rows == 0 || columns == 0 {
        return;
    }
    if depth == 0 {
        out.fill(T::ZERO);
    } else {
        for (a, b) in pairs {
            a.check(rows, depth);
            b.check(depth, columns);
        }
    }
    let base = SharedMut::new(out.as_mut_ptr());
    let target = |index: usize| {
        let base = SharedMut::new(base.pointer().wrapping_add(index * rows * columns));
        Out { base, row_stride: columns, column_stride: 1, flipped: false, epilogue }
    };
    if depth == 0 {
        (0..pairs.len()).for_each(|index| target(index).finish(0..rows, 0..columns));
        return;
    }
    let reduced = if sizes.work() < T::Reduced::SMALLEST { None } else { T::reduced(precision) };
    let speed = reduced.as_ref().map_or(1.0, Format::speed);
    if let [(a, b)] = *pairs
        && (dots::multiply(a, b, sizes, target(0)) || sparse::multiply(a, b, sizes, speed, target(0)))
    {
        return;
    }
    let one = |index: usize| {
        let (a, b) = pairs[index];
        dense(a, b, sizes, reduced.as_ref(), target(index));
    };
    let work = sizes.work();
    if pairs.len() == 1 || work >= LARGE {
        (0..pairs.len()).for_each(one);
    } else {
        share(pairs.len().saturating_mul(work), tiled::<T>(), pairs.len(), one);
    }
}

/// One product of matrices of which nothing is known.
fn dense<T: Formats>(a: Matrix<T>, b: Matrix<T>, sizes: Sizes, reduced: Option<&T::Reduced>, out: Out<T>) {
    if blocks::multiply_small(a, b, sizes, out) {
        return;
    }
    match reduced {
        Some(format) => blocks::multiply_in(format, a, b, sizes, out),
        None => blocks::multiply(a, b, sizes, out),
    }
}

/// How fast large products of `f32` are at a precision, against the highest.
pub(super) fn speed_at(precision: MatmulPrecision) -> f64 {
    f32::reduced(precision).map_or(1.0, |format| format.speed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::simd;
    use proptest::prelude::*;

    /// A matrix of the given sizes with pseudo-random elements, row- or column-major, with gaps and an offset.
    fn matrix(rows: usize, columns: usize, transposed: bool, gap: usize, offset: usize) -> (Vec<f64>, isize, isize) {
        let (outer, inner) = if transposed { (columns, rows) } else { (rows, columns) };
        let stride = inner + gap;
        let data = (0..offset + outer * stride).map(|i| ((i * 7919 + 13) % 101) as f64 / 50.0 - 1.0).collect();
        if transposed { (data, 1, stride as isize) } else { (data, stride as isize, 1) }
    }

    fn check<T: Formats + Into<f64>>(sizes: Sizes, flips: (bool, bool), gap: usize, offset: usize, tolerance: f64) {
        let Sizes { rows, depth, columns } = sizes;
        let (a, ar, ac) = matrix(rows, depth, flips.0, gap, offset);
        let (b, br, bc) = matrix(depth, columns, flips.1, gap, offset);
        let narrow = |x: &[f64]| x.iter().map(|&x| T::from_f64(x)).collect::<Vec<T>>();
        let (left, right) = (narrow(&a), narrow(&b));
        let mut out = vec![T::from_f64(f64::NAN); rows * columns];
        let pair = (
            Matrix { data: &left, offset, row_stride: ar, column_stride: ac },
            Matrix { data: &right, offset, row_stride: br, column_stride: bc },
        );
        gemm(&[pair], sizes, MatmulPrecision::Highest, None, &mut out);
        for i in 0..rows {
            for j in 0..columns {
                let exact: f64 = (0..depth).map(|k| left[pair.0.at(i, k)].into() * right[pair.1.at(k, j)].into()).sum();
                let error = (out[i * columns + j].into() - exact).abs();
                let bound = tolerance * (depth as f64 + 1.0);
                assert!(error <= bound, "({i}, {j}) of {rows} x {depth} x {columns}: error {error} above {bound}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn every_kernel_agrees_with_the_naive_product(
            rows in 0usize..40, depth in 0usize..40, columns in 0usize..70,
            flips in any::<(bool, bool)>(), gap in 0usize..3, offset in 0usize..3,
        ) {
            let sizes = Sizes { rows, depth, columns };
            for level in simd::available_levels() {
                simd::force_level(level);
                check::<f32>(sizes, flips, gap, offset, 2e-7);
                check::<f64>(sizes, flips, gap, offset, 4e-16);
            }
        }
    }

    /// A product in which seven of eight elements of one matrix are zero; `spoiled` stands somewhere in the other.
    fn check_sparse<T: Formats + Into<f64>>(sizes: Sizes, flips: (bool, bool), zeros_left: bool, spoiled: Option<f64>) {
        let Sizes { rows, depth, columns } = sizes;
        let (mut a, ar, ac) = matrix(rows, depth, flips.0, 1, 2);
        let (mut b, br, bc) = matrix(depth, columns, flips.1, 1, 2);
        let (thin, full) = if zeros_left { (&mut a, &mut b) } else { (&mut b, &mut a) };
        (0..thin.len()).filter(|i| i * 2654435761 % 17 > 1).for_each(|i| thin[i] = 0.0);
        let (row_stride, column_stride) = if zeros_left { (br, bc) } else { (ar, ac) };
        let middle =
            2 + (rows.min(depth) / 2) * row_stride as usize + (columns.min(depth) / 2) * column_stride as usize;
        full[middle] = spoiled.unwrap_or(full[middle]);
        let narrow = |x: &[f64]| x.iter().map(|&x| T::from_f64(x)).collect::<Vec<T>>();
        let (left, right) = (narrow(&a), narrow(&b));
        let a = Matrix { data: &left, offset: 2, row_stride: ar, column_stride: ac };
        let b = Matrix { data: &right, offset: 2, row_stride: br, column_stride: bc };
        let mut out = vec![T::from_f64(f64::NAN); rows * columns];
        let base = SharedMut::new(out.as_mut_ptr());
        let bias: Vec<T> = (0..columns).map(|j| T::from_f64(j as f64 / 4.0)).collect();
        let epilogue = Some(Epilogue { bias: &bias, relu: false });
        let target = Out { base, row_stride: columns, column_stride: 1, flipped: false, epilogue };
        sparse::run(a, b, sizes, zeros_left, target);
        let mut not_finite = 0;
        for (i, row) in out.chunks_exact(columns).enumerate() {
            for (j, &got) in row.iter().enumerate() {
                let term = |k: usize| left[a.at(i, k)].into() * right[b.at(k, j)].into();
                let exact = (0..depth).map(term).sum::<f64>() + bias[j].into();
                let size = (0..depth).map(|k| term(k).abs()).sum::<f64>() + bias[j].into();
                let got = got.into();
                let same =
                    (got - exact).abs() <= 5e-6 * size || (!exact.is_finite() && got.to_string() == exact.to_string());
                assert!(same, "({i}, {j}) of {rows} x {depth} x {columns}: {got}, not {exact}");
                not_finite += usize::from(!exact.is_finite());
            }
        }
        assert_eq!(not_finite > 0, spoiled.is_some());
    }

    #[test]
    fn zeros_are_skipped_without_a_trace() {
        for level in simd::available_levels() {
            simd::force_level(level);
            // With rows, places and columns left over, in one piece and several, one pass and several, listed at once and not.
            for (rows, depth, columns) in
                [(130, 300, 101), (64, 530, 50), (50, 90, 700), (515, 66, 49), (49, 530, 515), (50, 2100, 150)]
            {
                for flips in [(false, false), (true, false), (false, true), (true, true)] {
                    for (zeros_left, spoiled) in
                        [(true, None), (false, None), (true, Some(f64::NAN)), (false, Some(f64::INFINITY))]
                    {
                        let sizes = Sizes { rows, depth, columns };
                        check_sparse::<f32>(sizes, flips, zeros_left, spoiled);
                        check_sparse::<f64>(sizes, flips, zeros_left, spoiled);
                    }
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        /// Each matrix with an offset and gaps of its own, its axes perhaps run through backwards or both apart.
        #[test]
        fn any_strides_give_the_naive_product(
            rows in 1usize..30, depth in 1usize..40, columns in 1usize..50,
            turned in any::<(bool, bool)>(), backwards in any::<[bool; 4]>(), steps in (1isize..3, 1isize..3),
            offsets in (0usize..9, 0usize..9), gap in 0usize..3,
        ) {
            let sizes = Sizes { rows, depth, columns };
            let strides = |rows: usize, columns: usize, turned: bool, step: isize| {
                let (outer, inner) = if turned { (columns, rows) } else { (rows, columns) };
                let stride = inner as isize * step + gap as isize;
                let length = outer * stride as usize;
                if turned { (step, stride, length) } else { (stride, step, length) }
            };
            let place = |rows: usize, columns: usize, turned, step, offset: usize, back: [bool; 2]| {
                let (mut down, mut across, length) = strides(rows, columns, turned, step);
                let mut first = offset as isize;
                if back[0] {
                    first += (rows as isize - 1) * down;
                    down = -down;
                }
                if back[1] {
                    first += (columns as isize - 1) * across;
                    across = -across;
                }
                (first as usize, down, across, offset + length)
            };
            let (a_first, ar, ac, a_length) =
                place(rows, depth, turned.0, steps.0, offsets.0, [backwards[0], backwards[1]]);
            let (b_first, br, bc, b_length) =
                place(depth, columns, turned.1, steps.1, offsets.1, [backwards[2], backwards[3]]);
            let numbers = |length: usize| (0..length).map(|i| ((i * 7919 + 13) % 101) as f32 / 50.0 - 1.0).collect();
            let (left, right): (Vec<f32>, Vec<f32>) = (numbers(a_length), numbers(b_length));
            let a = Matrix { data: &left, offset: a_first, row_stride: ar, column_stride: ac };
            let b = Matrix { data: &right, offset: b_first, row_stride: br, column_stride: bc };
            for level in simd::available_levels() {
                simd::force_level(level);
                let mut out = vec![f32::NAN; rows * columns];
                gemm(&[(a, b)], sizes, MatmulPrecision::Highest, None, &mut out);
                for (index, &got) in out.iter().enumerate() {
                    let (i, j) = (index / columns, index % columns);
                    let term = |k: usize| f64::from(left[a.at(i, k)]) * f64::from(right[b.at(k, j)]);
                    let error = (f64::from(got) - (0..depth).map(term).sum::<f64>()).abs();
                    assert!(error <= 2e-7 * (depth as f64 + 1.0), "({i}, {j}) at {level:?}: {error:e}");
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn few_rows_or_columns_are_the_naive_product_with_bias_and_relu(
            few in 1usize..14, many in 1usize..90, depth in 60usize..300, by_columns in any::<bool>(), gap in 0usize..3,
        ) {
            let (rows, columns) = if by_columns { (many, few) } else { (few, many) };
            let narrow = |(data, down, across): (Vec<f64>, isize, isize)| {
                (data.into_iter().map(|x| x as f32).collect::<Vec<_>>(), down, across)
            };
            let (left, ar, ac) = narrow(matrix(rows, depth, false, gap, 1));
            let (right, br, bc) = narrow(matrix(depth, columns, true, gap, 2));
            let a = Matrix { data: &left, offset: 1, row_stride: ar, column_stride: ac };
            let b = Matrix { data: &right, offset: 2, row_stride: br, column_stride: bc };
            let bias: Vec<f32> = (0..columns).map(|j| j as f32 / 4.0 - 1.0).collect();
            for level in simd::available_levels() {
                simd::force_level(level);
                let mut out = vec![f32::NAN; rows * columns];
                let epilogue = Epilogue { bias: &bias, relu: true };
                gemm(&[(a, b)], Sizes { rows, depth, columns }, MatmulPrecision::Highest, Some(epilogue), &mut out);
                for (index, &got) in out.iter().enumerate() {
                    let (i, j) = (index / columns, index % columns);
                    let term = |k: usize| f64::from(left[a.at(i, k)]) * f64::from(right[b.at(k, j)]);
                    let exact = (0..depth).map(term).sum::<f64>() + f64::from(bias[j]);
                    let error = (f64::from(got) - exact.max(0.0)).abs();
                    assert!(error < 4e-7 * (depth as f64 + 1.0), "({i}, {j}) at {level:?}: {error:e}");
                }
            }
        }
    }

    #[test]
    fn blocks_meet_without_seams() {
        for level in simd::available_levels() {
            simd::force_level(level);
            for (rows, depth, columns) in
                [(385, 3, 257), (13, 1025, 33), (400, 600, 300), (50, 40, 2100), (40, 530, 1024)]
            {
                for flips in [(false, false), (true, false), (false, true), (true, true)] {
                    check::<f32>(Sizes { rows, depth, columns }, flips, 0, 0, 4e-7);
                }
            }
        }
    }
}
