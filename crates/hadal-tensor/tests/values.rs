//! What operations compute, against plain loops over indices.

use hadal_tensor::{DType, Rng, Tensor, available_levels, concat, force_level, stack};
use proptest::prelude::*;

/// Element `index` of a tensor that was read out in row-major order, broadcast.
fn at(values: &[f64], shape: &[usize], index: &[usize]) -> f64 {
    let lead = index.len() - shape.len();
    let mut place = 0;
    for (axis, &size) in shape.iter().enumerate() {
        place = place * size + if size == 1 { 0 } else { index[lead + axis] };
    }
    values[place]
}

/// All indices of a shape in row-major order.
fn indices(shape: &[usize]) -> Vec<Vec<usize>> {
    let mut all = vec![vec![]];
    for &size in shape {
        all = all.into_iter().flat_map(|index| (0..size).map(move |i| [&index[..], &[i]].concat())).collect();
    }
    all
}

fn random(shape: &[usize], seed: u64) -> Tensor {
    Tensor::randn(shape, &mut Rng::new(seed)).to_dtype(DType::F64)
}

/// A tensor of this shape whose elements do not lie in row-major order.
fn scrambled(shape: &[usize], seed: u64) -> Tensor {
    let mut back: Vec<usize> = shape.to_vec();
    back.reverse();
    let order: Vec<isize> = (0..shape.len() as isize).rev().collect();
    random(&back, seed).permute(&order)
}

/// A shape and another that broadcasts with it.
fn broadcast_pair() -> impl Strategy<Value = (Vec<usize>, Vec<usize>)> {
    prop::collection::vec((0usize..5, 0u8..4), 0..4).prop_flat_map(|axes| {
        let a = axes.iter().map(|&(size, kind)| if kind == 0 { 1 } else { size }).collect::<Vec<_>>();
        let b = axes.iter().map(|&(size, kind)| if kind == 1 { 1 } else { size }).collect::<Vec<_>>();
        (0..=b.len(), any::<bool>()).prop_map(move |(cut, swap)| {
            let shorter = b[cut..].to_vec();
            if swap { (shorter, a.clone()) } else { (a.clone(), shorter) }
        })
    })
}

proptest! {
    #[test]
    fn binary_operations_broadcast_like_numpy((a, b) in broadcast_pair(), strided in any::<bool>()) {
        let make = if strided { scrambled } else { random };
        let (x, y) = (make(&a, 1), make(&b, 2));
        let sum = &x * 2.0 - &y;
        let (p, q) = (x.to_vec::<f64>(), y.to_vec::<f64>());
        let expected: Vec<f64> =
            indices(sum.shape()).iter().map(|i| at(&p, &a, i) * 2.0 - at(&q, &b, i)).collect();
        prop_assert_eq!(sum.to_vec::<f64>(), expected);
        let less = x.lt(&y);
        let expected: Vec<bool> = indices(less.shape()).iter().map(|i| at(&p, &a, i) < at(&q, &b, i)).collect();
        prop_assert_eq!(less.to_vec::<bool>(), expected);
    }

    #[test]
    fn reductions_over_any_axes(
        shape in prop::collection::vec(1usize..5, 1..4), mask in 1usize..8, strided in any::<bool>(),
    ) {
        let axes: Vec<isize> = (0..shape.len() as isize).filter(|axis| mask >> axis & 1 == 1).collect();
        let x = if strided { scrambled(&shape, 3) } else { random(&shape, 3) };
        let values = x.to_vec::<f64>();
        let kept: Vec<usize> =
            (0..shape.len()).map(|a| if axes.contains(&(a as isize)) { 1 } else { shape[a] }).collect();
        let mut sums = vec![0.0; kept.iter().product()];
        let mut highest = vec![f64::NEG_INFINITY; sums.len()];
        for (index, value) in indices(&shape).iter().zip(values) {
            let mut place = 0;
            for (axis, &size) in kept.iter().enumerate() {
                place = place * size + if size == 1 { 0 } else { index[axis] };
            }
            sums[place] += value;
            highest[place] = highest[place].max(value);
        }
        let got = x.sum_keepdim(&axes);
        prop_assert_eq!(&got.shape()[..], &kept[..]);
        for (got, sum) in got.to_vec::<f64>().iter().zip(&sums) {
            prop_assert!((got - sum).abs() < 1e-12);
        }
        prop_assert_eq!(x.max_axes(&axes).to_vec::<f64>(), highest);
    }

    #[test]
    fn long_sums_are_right_whatever_their_layout(rows in 1usize..400, columns in 1usize..700) {
        let x = Tensor::full_of([rows, columns], 1.0, DType::F64);
        prop_assert_eq!(x.sum().item(), (rows * columns) as f64);
        prop_assert_eq!(x.sum_axes(&[0]).to_vec::<f64>(), vec![rows as f64; columns]);
        prop_assert_eq!(x.t().sum_axes(&[0]).to_vec::<f64>(), vec![columns as f64; rows]);
        let x = Tensor::full_of([rows, 3, columns], 1.0, DType::F64);
        prop_assert_eq!(x.sum_axes(&[0, 2]).to_vec::<f64>(), vec![(rows * columns) as f64; 3]);
    }

    #[test]
    fn slices_concatenate_back(shape in prop::collection::vec(1usize..5, 1..4), axis in 0usize..3, cut in 0usize..5) {
        let axis = axis % shape.len();
        let cut = cut.min(shape[axis]);
        let x = scrambled(&shape, 4);
        let parts = [x.slice(axis as isize, ..cut), x.slice(axis as isize, cut..)];
        prop_assert_eq!(concat(&parts, axis as isize).to_vec::<f64>(), x.to_vec::<f64>());
    }

    #[test]
    fn softmax_sums_to_one_and_agrees_with_its_logarithm(rows in 1usize..6, columns in 1usize..40, scale in 0.0f64..200.0) {
        let x = random(&[rows, columns], 5) * scale;
        for x in [x.clone(), x.to_dtype(DType::F32)] {
            let y = x.softmax(1).to_dtype(DType::F64);
            for sum in y.sum_axes(&[1]).to_vec::<f64>() {
                prop_assert!((sum - 1.0).abs() < 1e-5);
            }
            let logarithm = x.log_softmax(1).to_dtype(DType::F64);
            for (y, logarithm) in y.to_vec::<f64>().iter().zip(logarithm.to_vec::<f64>()) {
                prop_assert!((y - logarithm.exp()).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn every_instruction_set_gives_the_same_bits(n in 0usize..200, columns in 1usize..40) {
        let mut results = Vec::new();
        for level in available_levels() {
            force_level(level);
            let mut rng = Rng::new(6);
            let x = Tensor::randn([n, columns], &mut rng) * 3.0;
            let y = Tensor::rand([n, columns], &mut rng);
            let all = [
                x.exp(), x.tanh(), x.sigmoid(), x.relu(), x.abs().ln(), &x * &y + &x / (&y + 1.0), x.softmax(1),
                x.sum_axes(&[0]), x.sum_axes(&[1]), x.sum().reshape([1]), x.powi(3), x.maximum(&y),
            ];
            let bits = |t: &Tensor| t.to_vec::<f32>().into_iter().map(f32::to_bits).collect::<Vec<_>>();
            results.push(all.iter().flat_map(bits).collect::<Vec<_>>());
        }
        force_level(*available_levels().last().unwrap());
        for other in &results[1..] {
            prop_assert_eq!(&results[0], other);
        }
    }
}

#[test]
fn integers_and_truth_values() {
    let a = Tensor::from_slice(&[1i64, -2, 3], [3]);
    assert_eq!((&a * 2 + &a).to_vec::<i64>(), [3, -6, 9]);
    assert_eq!(a.powi(2).sum().item(), 14.0);
    assert_eq!(a.abs().to_vec::<i64>(), [1, 2, 3]);
    let bytes = Tensor::from_slice(&[250u8, 10], [2]);
    assert_eq!((&bytes + 10).to_vec::<u8>(), [4, 20], "bytes wrap");
    assert_eq!((&bytes - 10).to_vec::<u8>(), [240, 0]);
    assert_eq!(bytes.to_dtype(DType::F32).to_vec::<f32>(), [250.0, 10.0]);
    assert_eq!(Tensor::from_slice(&[1.9f32, -1.9, 300.0], [3]).to_dtype(DType::I64).to_vec::<i64>(), [1, -1, 300]);
    let truths = a.gt(0.0);
    assert_eq!(truths.to_vec::<bool>(), [true, false, true]);
    assert_eq!(truths.to_dtype(DType::I64).sum().item(), 2.0);
    assert_eq!(Tensor::from_slice(&[0.0f32, 0.5], [2]).to_dtype(DType::Bool).to_vec::<bool>(), [false, true]);
}

#[test]
fn nan_is_not_lost() {
    let x = Tensor::from_slice(&[1.0f32, f32::NAN, 3.0], [3]);
    assert!(x.max().item().is_nan() && x.min().item().is_nan() && x.sum().item().is_nan());
    assert!(x.relu().to_vec::<f32>()[1].is_nan());
    assert!(x.clamp(0.0, 1.0).to_vec::<f32>()[1].is_nan());
    assert!(x.maximum(&Tensor::zeros([3])).to_vec::<f32>()[1].is_nan());
    assert!(Tensor::zeros([3]).maximum(&x).to_vec::<f32>()[1].is_nan());
    assert_eq!(x.argmax(0).item(), 1.0);
    assert_eq!(x.eq(&x).to_vec::<bool>(), [true, false, true]);
}

#[test]
fn argmax_takes_the_first_of_equals() {
    let x = Tensor::from_slice(&[1.0f32, 5.0, 5.0, 7.0, 7.0, 0.0], [2, 3]);
    assert_eq!(x.argmax(1).to_vec::<i64>(), [1, 0]);
    assert_eq!(x.argmax(0).to_vec::<i64>(), [1, 1, 0]);
    assert_eq!(x.argmax(-1).shape(), &[2]);
}

#[test]
fn stack_puts_a_new_axis_anywhere() {
    let (a, b) = (Tensor::zeros([2]), Tensor::ones([2]));
    assert_eq!(stack(&[a.clone(), b.clone()], 0).to_vec::<f32>(), [0.0, 0.0, 1.0, 1.0]);
    assert_eq!(stack(&[a, b], -1).to_vec::<f32>(), [0.0, 1.0, 0.0, 1.0]);
}

#[test]
fn random_numbers_have_the_moments_they_should() {
    let n = 1_000_000;
    let mut rng = Rng::new(11);
    let moments = |x: &Tensor| {
        let x = x.to_dtype(DType::F64);
        let mean = x.mean().item();
        (mean, (&x - mean).powi(2).mean().item())
    };
    // Five standard errors: 1 in two million would fail by chance, and the seed is fixed.
    let (mean, variance) = moments(&Tensor::rand([n], &mut rng));
    assert!((mean - 0.5).abs() < 0.0015 && (variance - 1.0 / 12.0).abs() < 0.0004, "{mean} {variance}");
    let (mean, variance) = moments(&Tensor::randn([n], &mut rng));
    assert!(mean.abs() < 0.005 && (variance - 1.0).abs() < 0.008, "{mean} {variance}");
    let (mean, _) = moments(&Tensor::bernoulli([n], 0.3, &mut rng));
    assert!((mean - 0.3).abs() < 0.0023, "{mean}");
    assert_eq!(Tensor::bernoulli([100], 1.0, &mut rng).sum().item(), 100.0);
    assert_eq!(Tensor::bernoulli([100], 0.0, &mut rng).sum().item(), 0.0);
}

#[test]
fn a_tensor_drawn_in_one_piece_equals_one_drawn_in_two() {
    let whole = Tensor::rand([100_000], &mut Rng::new(3)).to_vec::<f32>();
    let mut rng = Rng::new(3);
    let first = Tensor::rand([40_000], &mut rng).to_vec::<f32>();
    let second = Tensor::rand([60_000], &mut Rng::from_state(rng.state())).to_vec::<f32>();
    assert_eq!(whole, [first, second].concat());
}

/// Numbers in each layout that loops are specialised for: as they lie, repeated along the last axis or along all, turned.
fn layouts(seed: u64) -> [Tensor; 4] {
    [
        random(&[3, 70], seed),
        random(&[3, 1], seed).expand([3, 70]),
        random(&[], seed).expand([3, 70]),
        scrambled(&[3, 70], seed),
    ]
}

#[test]
fn where_and_functions_of_one_number_give_the_same_in_every_layout() {
    let values = |x: &Tensor| x.to_vec::<f64>();
    for x in layouts(1) {
        assert_eq!(values(&-&x), values(&x).iter().map(|x| -x).collect::<Vec<_>>());
        // The conditions lie as their numbers do, or are repeated.
        for condition in [x.gt(0.0), x.gt(0.0).narrow(1, 5, 1).expand([3, 70])] {
            let chosen = condition.to_vec::<bool>();
            for a in layouts(2) {
                for b in layouts(3) {
                    let pairs = values(&a).into_iter().zip(values(&b));
                    let expected: Vec<f64> =
                        chosen.iter().zip(pairs).map(|(&chosen, (a, b))| if chosen { a } else { b }).collect();
                    assert_eq!(values(&condition.where_(&a, &b)), expected);
                }
            }
        }
    }
}
