//! How the values of a tensor are distributed.

use super::messages::HistogramProto;
use crate::{DType, Tensor};

/// The number of buckets, all of the same width. TensorFlow has 30 by default.
const BUCKETS: usize = 64;

/// The histogram of the finite values, if there are any, and how many are not finite.
pub(super) fn histogram(tensor: &Tensor) -> (Option<HistogramProto>, usize) {
    let tensor = tensor.detach();
    match tensor.dtype() {
        DType::F32 => of(&tensor.to_vec::<f32>()),
        _ => of(&tensor.to_dtype(DType::F64).to_vec::<f64>()),
    }
}

fn of<T: Copy + Into<f64>>(values: &[T]) -> (Option<HistogramProto>, usize) {
    let range = Range::of(values);
    let not_finite = values.len() - range.finite as usize;
    if range.finite == 0.0 {
        return (None, not_finite);
    }
    let (limits, counts) = range.count(values);
    let histogram = HistogramProto {
        min: range.min,
        max: range.max,
        num: range.finite,
        sum: range.sum,
        sum_squares: range.sum_squares,
        bucket_limit: limits,
        bucket: counts,
    };
    (Some(histogram), not_finite)
}

/// Least and largest value, sums and number, of the finite values.
struct Range {
    min: f64,
    max: f64,
    sum: f64,
    sum_squares: f64,
    finite: f64,
}

/// Values that are taken together, each with sums of its own, so that the processor adds several at once.
const LANES: usize = 8;

impl Range {
    fn of<T: Copy + Into<f64>>(values: &[T]) -> Range {
        let mut lanes = [[f64::INFINITY; LANES], [f64::NEG_INFINITY; LANES], [0.0; LANES], [0.0; LANES], [0.0; LANES]];
        let mut add = |lane: usize, value: f64| {
            let [min, max, sum, squares, finite] = &mut lanes;
            let is_finite = value.abs() < f64::INFINITY;
            let (least, largest, own) =
                if is_finite { (value, value, value) } else { (f64::INFINITY, f64::NEG_INFINITY, 0.0) };
            min[lane] = if least < min[lane] { least } else { min[lane] };
            max[lane] = if largest > max[lane] { largest } else { max[lane] };
            sum[lane] += own;
            squares[lane] += own * own;
            finite[lane] += if is_finite { 1.0 } else { 0.0 };
        };
        let (chunks, rest) = values.as_chunks::<LANES>();
        chunks.iter().for_each(|chunk| (0..LANES).for_each(|lane| add(lane, chunk[lane].into())));
        rest.iter().enumerate().for_each(|(lane, value)| add(lane, (*value).into()));
        let [min, max, sum, squares, finite] = lanes;
        Range {
            min: min.into_iter().fold(f64::INFINITY, f64::min),
            max: max.into_iter().fold(f64::NEG_INFINITY, f64::max),
            sum: sum.iter().sum(),
            sum_squares: squares.iter().sum(),
            finite: finite.iter().sum(),
        }
    }

    /// The upper ends of the buckets, and how many values are in each.
    fn count<T: Copy + Into<f64>>(&self, values: &[T]) -> (Vec<f64>, Vec<f64>) {
        // Halves, since the width of all of f64 is not finite.
        let (low, high) = (0.5 * self.min, 0.5 * self.max);
        if high <= low {
            return (vec![self.max], vec![self.finite]);
        }
        let width = (high - low) / BUCKETS as f64;
        let per_width = 1.0 / width;
        // Four tables, so that a value need not wait for the count of the one before; the last place is for what is not finite.
        let mut tables = [[0u32; BUCKETS + 1]; 4];
        let mut count = |table: usize, value: f64| {
            // The largest value belongs to the last bucket.
            let place = ((0.5 * value - low) * per_width).min((BUCKETS - 1) as f64) as usize;
            let is_finite = value.abs() < f64::INFINITY;
            tables[table][if is_finite { place } else { BUCKETS }] += 1;
        };
        let (chunks, rest) = values.as_chunks::<4>();
        chunks.iter().for_each(|chunk| (0..4).for_each(|table| count(table, chunk[table].into())));
        rest.iter().for_each(|value| count(0, (*value).into()));
        let limit =
            |bucket: usize| if bucket + 1 == BUCKETS { self.max } else { 2.0 * (low + (bucket + 1) as f64 * width) };
        let total = |bucket: usize| tables.iter().map(|table| f64::from(table[bucket])).sum();
        ((0..BUCKETS).map(limit).collect(), (0..BUCKETS).map(total).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_histogram_counts_every_finite_value_once() {
        let values = [0.0f32, 1.0, f32::NAN, 64.0, 31.9, f32::INFINITY, 32.0, f32::NEG_INFINITY, 63.99, 1.0, 5.5];
        let (found, not_finite) = histogram(&Tensor::from_slice(&values, [values.len()]));
        let found = found.unwrap();
        assert_eq!((found.min, found.max, found.num, not_finite), (0.0, 64.0, 8.0, 3));
        let counts = |bucket: usize| found.bucket[bucket];
        assert_eq!([0, 1, 5, 31, 32, 63].map(counts), [1.0, 2.0, 1.0, 1.0, 1.0, 2.0]);
        assert_eq!(found.bucket.iter().sum::<f64>(), 8.0);
        assert_eq!((found.bucket_limit[0], found.bucket_limit[63]), (1.0, 64.0));
        let sum = 1.0 + 64.0 + 31.9 + 32.0 + 63.99 + 1.0 + 5.5;
        assert!((found.sum - sum).abs() < 1e-4, "{}", found.sum);
    }

    #[test]
    fn tensors_without_finite_values_have_no_histogram() {
        assert_eq!(histogram(&Tensor::zeros([0])), (None, 0));
        assert_eq!(histogram(&Tensor::full([5], f64::NAN)), (None, 5));
    }

    #[test]
    fn equal_values_and_the_widest_range_are_counted() {
        let (equal, _) = histogram(&Tensor::full([10], 0.25));
        assert_eq!((equal.clone().unwrap().bucket, equal.unwrap().bucket_limit), (vec![10.0], vec![0.25]));
        let (widest, _) = histogram(&Tensor::from_slice(&[-f64::MAX, 0.0, f64::MAX], [3]));
        let widest = widest.unwrap();
        assert_eq!((widest.bucket[0], widest.bucket[32], widest.bucket[63]), (1.0, 1.0, 1.0));
        assert!(widest.bucket_limit.iter().all(|limit| limit.is_finite()));
        let (bytes, _) = histogram(&Tensor::from_slice(&[0u8, 255, 255], [3]));
        assert_eq!((bytes.clone().unwrap().bucket[0], bytes.unwrap().bucket[63]), (1.0, 2.0));
    }

    proptest! {
        #[test]
        fn values_lie_in_their_buckets(values in prop::collection::vec(-1e3f64..1e3, 1..200)) {
            let (found, _) = of(&values);
            let found = found.unwrap();
            prop_assert_eq!(found.bucket.iter().sum::<f64>(), values.len() as f64);
            prop_assert!(found.bucket_limit.is_sorted());
            // But for rounding at the ends of buckets.
            let width = (found.max - found.min) / BUCKETS as f64;
            for (limit, below) in found.bucket_limit.iter().zip(found.bucket.iter().scan(0.0, |sum, own| { *sum += own; Some(*sum) })) {
                let least = values.iter().filter(|value| **value < limit - 1e-9 * width).count() as f64;
                let most = values.iter().filter(|value| **value <= limit + 1e-9 * width).count() as f64;
                prop_assert!(least <= below && below <= most);
            }
        }
    }
}
