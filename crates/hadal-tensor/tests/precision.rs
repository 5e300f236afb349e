//! How exact matrix products are, at each precision, on each instruction set that the processor has.

use std::sync::{Mutex, MutexGuard, PoisonError};

use hadal_tensor::{
    MatmulPrecision, Rng, SimdLevel, Tensor, available_levels, force_level, set_matmul_precision,
    set_num_threads_exactly,
};

/// MatmulPrecision, instruction set and number of threads are the process's: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    LOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

fn at_each(precisions: &[MatmulPrecision], mut test: impl FnMut(MatmulPrecision, SimdLevel)) {
    let _alone = alone();
    for level in available_levels() {
        force_level(level);
        for &precision in precisions {
            set_matmul_precision(precision);
            test(precision, level);
        }
    }
    set_matmul_precision(MatmulPrecision::Highest);
}

/// Factors `[rows, depth]` and `[depth, columns]`: random, or with rows and columns scaled from 1e-12 to 1e12 and half of
/// each row tiny beside the rest.
fn factors((rows, depth, columns): (usize, usize, usize), badly_scaled: bool) -> (Tensor, Tensor) {
    let mut rng = Rng::new(3);
    let (a, b) = (Tensor::randn([rows, depth], &mut rng), Tensor::randn([depth, columns], &mut rng));
    if !badly_scaled {
        return (a, b);
    }
    let scales = |count: usize| (0..count).map(|i| 10.0_f32.powi((i * 7 % 25) as i32 - 12)).collect::<Vec<_>>();
    let tiny = (0..depth).map(|k| if k % 2 == 0 { 1.0 } else { 1e-6 }).collect::<Vec<f32>>();
    let a = a * Tensor::from_vec(scales(rows), [rows, 1]) * Tensor::from_vec(tiny, [1, depth]);
    (a, b * Tensor::from_vec(scales(columns), [1, columns]))
}

/// The largest and the root mean square error against f64, each divided by the root of the sum of the squares of what was
/// added up.
fn errors(product: &[f32], a: &Tensor, b: &Tensor) -> (f64, f64) {
    let (rows, depth, columns) = (a.size(0), a.size(1), b.size(1));
    let (a, b) = (a.to_vec::<f32>(), b.to_vec::<f32>());
    let (mut largest, mut squares) = (0.0_f64, 0.0);
    for i in 0..rows {
        for j in 0..columns {
            let terms = (0..depth).map(|k| f64::from(a[i * depth + k]) * f64::from(b[k * columns + j]));
            let (exact, size) = terms.fold((0.0, 0.0), |(sum, size), term| (sum + term, size + term * term));
            let error = (f64::from(product[i * columns + j]) - exact).abs() / f64::sqrt(size);
            largest = largest.max(error);
            squares += error * error;
        }
    }
    (largest, f64::sqrt(squares / (rows * columns) as f64))
}

/// The product as three loops over f32 give it.
fn naive(a: &Tensor, b: &Tensor) -> Vec<f32> {
    let (rows, depth, columns) = (a.size(0), a.size(1), b.size(1));
    let (a, b) = (a.to_vec::<f32>(), b.to_vec::<f32>());
    let dot = |i: usize, j: usize| (0..depth).fold(0.0, |sum: f32, k| sum + a[i * depth + k] * b[k * columns + j]);
    (0..rows * columns).map(|place| dot(place / columns, place % columns)).collect()
}

const SIZES: [(usize, usize, usize); 3] = [(128, 784, 96), (61, 1100, 130), (8, 512, 200)];

#[test]
fn the_highest_is_at_most_twice_as_far_from_the_truth_as_plain_f32() {
    at_each(&[MatmulPrecision::Highest], |_, level| {
        for sizes in SIZES {
            for badly_scaled in [false, true] {
                let (a, b) = factors(sizes, badly_scaled);
                let ours = errors(&a.matmul(&b).to_vec::<f32>(), &a, &b);
                let plain = errors(&naive(&a, &b), &a, &b);
                let case = format!("{sizes:?} at {level:?}, badly scaled {badly_scaled}: {ours:?} against {plain:?}");
                assert!(ours.0 <= 2.0 * plain.0 && ours.1 <= 2.0 * plain.1, "{case}");
            }
        }
    });
}

#[test]
fn instruction_sets_agree_at_the_highest() {
    for sizes in SIZES {
        let (a, b) = factors(sizes, false);
        let mut first: Option<Vec<f32>> = None;
        at_each(&[MatmulPrecision::Highest], |_, level| {
            let product = a.matmul(&b).to_vec::<f32>();
            let first = first.get_or_insert_with(|| product.clone());
            let size = f64::sqrt(sizes.1 as f64);
            for (x, y) in product.iter().zip(first.iter()) {
                assert!(f64::from((x - y).abs()) <= 1e-5 * size, "{sizes:?} at {level:?}: {x} and {y}");
            }
        });
    }
}

#[test]
fn lower_precisions_keep_to_the_errors_that_they_document() {
    at_each(&[MatmulPrecision::High, MatmulPrecision::Medium], |precision, level| {
        let bound = if precision == MatmulPrecision::High { 2e-5 } else { 6e-3 };
        for sizes in SIZES {
            for badly_scaled in [false, true] {
                let (a, b) = factors(sizes, badly_scaled);
                let (_, error) = errors(&a.matmul(&b).to_vec::<f32>(), &a, &b);
                assert!(
                    error <= bound,
                    "{sizes:?} at {precision} and {level:?}, badly scaled {badly_scaled}: {error:.1e}"
                );
            }
        }
    });
}

#[test]
fn gradients_are_products_of_the_same_precision() {
    at_each(&[MatmulPrecision::Medium, MatmulPrecision::High, MatmulPrecision::Highest], |precision, level| {
        let (a, b) = factors((128, 300, 200), false);
        let (a, b) = (a.requires_grad(), b.requires_grad());
        let gradients = a.matmul(&b).sum().backward();
        let ones = Tensor::ones([128, 200]);
        let (of_a, of_b) = (ones.matmul(&b.t()), a.t().matmul(&ones));
        let case = format!("{precision} at {level:?}");
        assert_eq!(gradients[&a].to_vec::<f32>(), of_a.to_vec::<f32>(), "{case}");
        assert_eq!(gradients[&b].to_vec::<f32>(), of_b.to_vec::<f32>(), "{case}");
    });
}

#[test]
fn the_number_of_threads_does_not_change_a_bit_at_any_precision() {
    at_each(&[MatmulPrecision::Medium, MatmulPrecision::High, MatmulPrecision::Highest], |precision, level| {
        // Threads pack for themselves: one group of columns and several, one strip of rows and several, more rows than columns and fewer.
        let several = [(600, 70, 300), (300, 70, 600), (500, 300, 60), (30, 70, 900), (64, 600, 64), (90, 140, 10)];
        for sizes in SIZES.into_iter().chain(several) {
            let (a, b) = factors(sizes, false);
            let [turned_a, turned_b] = [&a, &b].map(|x| x.t().contiguous().t());
            // What relu leaves is computed another way.
            let sparse = a.relu() * (&a - 1.0).relu();
            for (a, b) in [(&a, &b), (&sparse, &b), (&turned_a, &b), (&a, &turned_b), (&turned_a, &turned_b)] {
                let products: Vec<Vec<f32>> = [1, 2, 5]
                    .into_iter()
                    .map(|threads| {
                        set_num_threads_exactly(threads);
                        a.matmul(b).to_vec::<f32>()
                    })
                    .collect();
                assert!(products.iter().all(|x| x == &products[0]), "{sizes:?} at {precision} and {level:?}");
            }
        }
    });
}

#[test]
fn products_of_a_batch_are_those_of_its_matrices() {
    at_each(&[MatmulPrecision::Highest, MatmulPrecision::Medium], |precision, level| {
        let mut rng = Rng::new(5);
        // Small ones are shared out whole, large ones each by itself.
        for size in [40, 300] {
            let (a, b) = (Tensor::randn([3, size, size], &mut rng), Tensor::randn([3, size, size], &mut rng));
            let together = a.matmul(&b);
            for i in 0..3 {
                let alone = a.narrow(0, i, 1).squeeze(0).matmul(&b.narrow(0, i, 1).squeeze(0));
                let same = together.narrow(0, i, 1).to_vec::<f32>() == alone.to_vec::<f32>();
                assert!(same, "matrix {i} of {size} at {precision} and {level:?}");
            }
        }
    });
}

#[test]
fn a_bias_and_relu_in_the_same_pass_give_the_bits_of_separate_steps() {
    at_each(&[MatmulPrecision::Highest, MatmulPrecision::High, MatmulPrecision::Medium], |precision, level| {
        // Small, few rows, several blocks across and deep, nothing to sum, nothing at all.
        let sizes = [(3, 4, 5), (4, 64, 100), (130, 300, 301), (40, 1100, 60), (60, 30, 2100), (3, 0, 4), (0, 3, 4)];
        for (rows, depth, columns) in sizes {
            let (x, weight) = factors((rows, depth, columns), false);
            let (weight, bias) = (weight.t().contiguous(), Tensor::randn([columns], &mut Rng::new(8)));
            // Many zeros on the left, and on the right.
            let thin = |x: &Tensor| (x - 1.0).relu();
            for (x, weight) in [(x.clone(), weight.clone()), (thin(&x), weight.clone()), (x.clone(), thin(&weight))] {
                let case = format!("{rows} x {depth} x {columns} at {precision} and {level:?}");
                let sum = x.matmul(&weight.t()) + &bias;
                for (together, apart) in
                    [(x.linear(&weight, Some(&bias)), sum.clone()), (x.linear_relu(&weight, Some(&bias)), sum.relu())]
                {
                    assert_eq!(together.shape(), apart.shape(), "{case}");
                    let bits = |x: &Tensor| x.to_vec::<f32>().into_iter().map(f32::to_bits).collect::<Vec<_>>();
                    assert!(bits(&together) == bits(&apart), "{case}");
                }
                assert_eq!(x.linear(&weight, None).to_vec::<f32>(), x.matmul(&weight.t()).to_vec::<f32>(), "{case}");
            }
        }
    });
}
