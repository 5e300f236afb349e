//! How kinds of numbers meet: no operation loses a fraction, comparisons are by value, sums of small integers widen.

use hadal_tensor::{DType, Pool, Rng, Tensor};
use proptest::prelude::*;

fn integers(values: &[i64]) -> Tensor {
    Tensor::from_slice(values, [values.len()])
}

fn bytes(values: &[u8]) -> Tensor {
    Tensor::from_slice(values, [values.len()])
}

fn floats(x: &Tensor) -> Vec<f32> {
    x.to_vec::<f32>()
}

#[test]
fn fractions_are_kept() {
    let x = integers(&[10, 7]);
    assert_eq!(floats(&(&x / 2.0)), [5.0, 3.5]);
    assert_eq!(floats(&(&x / 2)), [5.0, 3.5]);
    assert_eq!(floats(&(&x / integers(&[4, 2]))), [2.5, 3.5]);
    assert_eq!(floats(&(21 / &x)), [2.1, 3.0]);
    assert_eq!(floats(&(&x * 0.9)), [9.0, 0.9 * 7.0]);
    assert_eq!(floats(&(&x + 0.5)), [10.5, 7.5]);
    assert_eq!(floats(&(0.5 - &x)), [-9.5, -6.5]);
    assert_eq!(floats(&(&x * 2.0)), [20.0, 14.0]);
    assert_eq!(floats(&(bytes(&[3]) - 0.25)), [2.75]);
    assert_eq!(integers(&[2, 4]).mean().to_vec::<f32>(), [3.0]);
    assert_eq!(integers(&[2, 5]).mean_axes(&[0]).to_vec::<f32>(), [3.5]);
    assert_eq!(integers(&[i64::MAX, i64::MAX]).mean().to_vec::<f32>(), [i64::MAX as f32]);
    assert_eq!(bytes(&[255, 254]).mean_keepdim(&[0]).to_vec::<f32>(), [254.5]);
    assert_eq!(integers(&[2, 5]).gt(2).mean().to_vec::<f32>(), [0.5]);
}

#[test]
fn integers_beside_integers_stay_exact() {
    let large = (1i64 << 53) + 1;
    let x = integers(&[large, -3]);
    assert_eq!((&x + 2).to_vec::<i64>(), [large + 2, -1]);
    assert_eq!((&x - large).to_vec::<i64>(), [0, -3 - large]);
    assert_eq!((1 - &x).to_vec::<i64>(), [1 - large, 4]);
    assert_eq!((3 * &x).to_vec::<i64>(), [3 * large, -9]);
    let mut y = x.clone();
    y += 1;
    y *= 2;
    y -= large;
    assert_eq!(y.to_vec::<i64>(), [2 * (large + 1) - large, -4 - large]);
    // Beside floats a number is a float, whatever its spelling.
    assert_eq!(floats(&(Tensor::ones([1]) / 2 + 1)), [1.5]);
}

#[test]
fn comparisons_are_by_value() {
    let truths = |x: Tensor| x.to_vec::<bool>();
    assert_eq!(truths(bytes(&[255]).lt(256.0)), [true]);
    assert_eq!(truths(bytes(&[255]).lt(256)), [true]);
    assert_eq!(truths(bytes(&[0]).gt(-1)), [true]);
    assert_eq!(truths(integers(&[0, 1]).lt(0.5)), [true, false]);
    assert_eq!(truths(integers(&[0, 1]).eq(0.5)), [false, false]);
    let large = (1i64 << 53) + 1;
    assert_eq!(truths(integers(&[large]).eq(large as f64)), [false]);
    assert_eq!(truths(integers(&[large]).gt(large as f64)), [true]);
    assert_eq!(truths(integers(&[i64::MAX]).lt(9_223_372_036_854_775_808.0)), [true]);
    assert_eq!(truths(Tensor::full([1], f64::INFINITY).gt(1e300)), [true]);
    assert_eq!(truths(Tensor::full([1], 3e38).lt(1e300)), [true]);
    assert_eq!(truths(Tensor::full([1], 0.1).eq(0.1)), [true], "rounded as the tensor's own numbers are");
    assert_eq!(truths(integers(&[1]).eq(1).eq(2)), [false]);
}

proptest! {
    #[test]
    fn comparisons_with_any_number_agree_with_exact_arithmetic(
        x in prop_oneof![any::<i64>(), -3i64..300, Just(i64::MAX), Just(i64::MIN)],
        y in prop_oneof![
            any::<f64>(), (-4i64..300).prop_map(|n| n as f64 / 2.0), Just(f64::INFINITY), Just(f64::NEG_INFINITY),
            Just(f64::NAN), any::<i64>().prop_map(|n| n as f64),
        ],
    ) {
        /// How an integer compares with a float, exactly.
        fn exact(x: i64, y: f64) -> Option<std::cmp::Ordering> {
            use std::cmp::Ordering::*;
            if y.is_nan() {
                None
            } else if y >= 1e30 {
                Some(Less)
            } else if y <= -1e30 {
                Some(Greater)
            } else {
                let whole = y.floor();
                Some((x as i128).cmp(&(whole as i128)).then(if y > whole { Less } else { Equal }))
            }
        }
        let mut cases = vec![(integers(&[x]), x)];
        if let Ok(byte) = u8::try_from(x) {
            cases.push((bytes(&[byte]), x));
        }
        if x == 0 || x == 1 {
            cases.push((Tensor::from_slice(&[x == 1], [1]), x));
        }
        for (tensor, x) in cases {
            let order = exact(x, y);
            let answers = [tensor.eq(y), tensor.ne(y), tensor.lt(y), tensor.le(y), tensor.gt(y), tensor.ge(y)];
            let expected = [
                order == Some(std::cmp::Ordering::Equal),
                order != Some(std::cmp::Ordering::Equal),
                order == Some(std::cmp::Ordering::Less),
                matches!(order, Some(o) if o.is_le()),
                order == Some(std::cmp::Ordering::Greater),
                matches!(order, Some(o) if o.is_ge()),
            ];
            for (index, (answer, expected)) in answers.iter().zip(expected).enumerate() {
                prop_assert_eq!(answer.to_vec::<bool>()[0], expected, "{} {} {}: {}", tensor.dtype(), x, y, index);
            }
        }
    }
}

#[test]
fn sums_of_small_integers_are_wide() {
    let ones = Tensor::ones([5000]).to_dtype(DType::U8);
    assert_eq!(ones.sum().to_vec::<i64>(), [5000]);
    assert_eq!(Tensor::ones([3, 300]).to_dtype(DType::U8).sum_axes(&[1]).to_vec::<i64>(), [300; 3]);
    assert_eq!(Tensor::ones([300, 3]).to_dtype(DType::U8).t().sum_keepdim(&[1]).to_vec::<i64>(), [300; 3]);
    assert_eq!(ones.eq(1).sum().to_vec::<i64>(), [5000]);
    let many = Tensor::full_of([1], 200.0, DType::U8).expand([3, 70_000]);
    assert_eq!(many.sum().to_vec::<i64>(), [3 * 70_000 * 200]);
    let places = Tensor::zeros([300]).to_dtype(DType::I64);
    assert_eq!(ones.narrow(0, 0, 300).scatter_add(0, &places, [2]).to_vec::<i64>(), [300, 0]);
    // Where windows meet, two of 200 are more than a u8 holds; and truth values are counted.
    let windows = Tensor::full_of([1, 4, 2], 200.0, DType::U8);
    assert_eq!(windows.fold([2, 3], Pool::new(2).stride(1)).to_vec::<i64>(), [200, 400, 200, 200, 400, 200]);
    assert_eq!(windows.gt(0).fold([2, 3], Pool::new(2).stride(1)).to_vec::<i64>(), [1, 2, 1, 1, 2, 1]);
    assert_eq!(Tensor::zeros([0]).to_dtype(DType::Bool).sum().to_vec::<i64>(), [0]);
}

#[test]
fn clamping_integers_keeps_them_integers() {
    assert_eq!(integers(&[-5, 5]).clamp(-2.0, f64::INFINITY).to_vec::<i64>(), [-2, 5]);
    assert_eq!(bytes(&[5, 250]).clamp(-7.0, 300.0).to_vec::<u8>(), [5, 250]);
}

#[test]
fn division_is_not_multiplication_by_the_reciprocal() {
    let of = |x: f32, s: f64| floats(&(Tensor::from_slice(&[x], [1]) / s))[0];
    assert_eq!(of(169.0, 13.0), 13.0);
    assert_eq!(of(0.0, 1e-40), 0.0);
    assert_eq!((Tensor::from_slice(&[49.0f64], [1]) / 49.0).item(), 1.0);
    assert_eq!(Tensor::ones([41]).mean().item(), 1.0);
    assert_eq!(Tensor::ones([3, 41]).mean_axes(&[1]).to_vec::<f32>(), [1.0; 3]);
    assert_eq!(Tensor::ones([41, 3]).mean_keepdim(&[0]).to_vec::<f32>(), [1.0; 3]);
    let mut x = Tensor::from_slice(&[169.0f32], [1]);
    x /= 13.0;
    assert_eq!(x.item(), 13.0);
    let x = Tensor::from_slice(&[169.0f32], [1]).requires_grad();
    assert_eq!(((&x * 169.0) / 13.0).sum().backward()[&x].item(), f64::from(1.0f32 / 13.0 * 169.0));
    let row = Tensor::zeros([1, 49]).softmax(1);
    assert_eq!(floats(&row), [1.0f32 / 49.0; 49]);
}

proptest! {
    #[test]
    fn quotients_are_rounded_once(x in any::<f32>(), s in any::<f32>(), seed in 0u64..100) {
        let same = |a: f32, b: f32| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
        prop_assert!(same(floats(&(Tensor::from_slice(&[x], [1]) / f64::from(s)))[0], x / s));
        prop_assert!(same(floats(&(f64::from(s) / Tensor::from_slice(&[x], [1])))[0], s / x));
        let row = Tensor::randn([7], &mut Rng::new(seed));
        prop_assert!(same(row.mean().item() as f32, row.sum().item() as f32 / 7.0));
    }
}
