//! Operations in one pass against the steps that they stand for, and on any number of threads.

use std::panic::AssertUnwindSafe;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hadal_tensor::autograd::with_gradient;
use hadal_tensor::{Conv, DType, Rng, Tensor, available_levels, force_level, set_num_threads_exactly};

/// For tests that set the level or compare bits, which follow the level: one at a time.
fn alone() -> MutexGuard<'static, ()> {
    static LEVEL: Mutex<()> = Mutex::new(());
    LEVEL.lock().unwrap_or_else(PoisonError::into_inner)
}

fn random(shape: &[usize], seed: u64) -> Tensor {
    Tensor::randn(shape, &mut Rng::new(seed))
}

/// The largest difference.
fn apart(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.shape(), b.shape());
    (a.to_dtype(DType::F64) - b.to_dtype(DType::F64)).abs().max().item()
}

fn bits(x: &Tensor) -> Vec<u64> {
    x.to_dtype(DType::F64).to_vec::<f64>().into_iter().map(f64::to_bits).collect()
}

#[test]
fn a_masked_softmax_is_a_softmax_of_what_is_left() {
    let x = random(&[2, 3, 40, 70], 1);
    let (queries, keys) = (Tensor::arange(40).reshape([40, 1]), Tensor::arange(70));
    let later = keys.gt(&queries + 30);
    let some = random(&[2, 1, 1, 70], 2).gt(0.3);
    let minus = f64::NEG_INFINITY;
    let expected = (&x * 0.5).masked_fill(&later, minus).masked_fill(&some, minus).softmax(-1);
    assert!(apart(&x.masked_softmax(0.5, true, Some(&some)), &expected) < 1e-6);
    assert!(apart(&x.masked_softmax(0.5, false, None), &(&x * 0.5).softmax(-1)) < 1e-6);
    // Minus infinity is as good as a mask, and plus infinity takes everything.
    let gone = x.masked_fill(&later, minus).masked_fill(&some, minus);
    assert!(apart(&gone.masked_softmax(0.5, false, None), &expected) < 1e-6);
    let infinite = Tensor::from([[0.0, f32::INFINITY, f32::INFINITY, 3.0]]);
    assert_eq!(infinite.masked_softmax(1.0, false, None).to_vec::<f32>(), [0.0, 0.5, 0.5, 0.0]);
    // NaN is not passed over.
    for row in
        [[f32::NAN, f32::NEG_INFINITY], [f32::NEG_INFINITY, f32::NAN], [f32::NAN, 0.0], [f32::INFINITY, f32::NAN]]
    {
        let y = Tensor::from([row]).masked_softmax(1.0, false, None).to_vec::<f32>();
        assert!(y.iter().any(|y| y.is_nan()), "{row:?} gives {y:?}");
    }
}

#[test]
fn a_row_of_which_nothing_is_left_gives_zeros_and_no_gradient() {
    // Of 4 queries and 2 keys, the first two queries see nothing.
    let x = random(&[4, 2], 1).requires_grad();
    let y = x.masked_softmax(1.0, true, None);
    let gradient = (&y * random(&[4, 2], 2)).sum().backward()[&x].to_vec::<f32>();
    assert_eq!(y.to_vec::<f32>()[..4], [0.0; 4]);
    assert_eq!(y.to_vec::<f32>()[4..6], [1.0, 0.0]);
    assert_eq!(gradient[..4], [0.0; 4]);
    assert!(gradient[6] != 0.0 && gradient.iter().all(|g| g.is_finite()));
    assert_eq!(Tensor::full([1, 3], f64::NEG_INFINITY).masked_softmax(1.0, false, None).to_vec::<f32>(), [0.0; 3]);
}

#[test]
fn layer_norm_is_its_formula() {
    for (rows, features) in [(700, 128), (3, 5000), (1, 1), (5, 17)] {
        let x = (random(&[rows, features], 1) + 3.0).requires_grad();
        let (w, b) = (random(&[features], 2).requires_grad(), random(&[features], 3).requires_grad());
        let weights = random(&[rows, features], 4);
        let y = x.layer_norm(Some(&w), Some(&b), 1e-5);
        let g = (&y * &weights).sum().backward();
        let wide = |x: &Tensor| x.detach().to_dtype(DType::F64).requires_grad();
        let (x64, w64, b64) = (wide(&x), wide(&w), wide(&b));
        let centered = &x64 - x64.mean_keepdim(&[-1]);
        let expected = &centered / (centered.powi(2).mean_keepdim(&[-1]) + 1e-5).sqrt() * &w64 + &b64;
        let steps = (&expected * weights.to_dtype(DType::F64)).sum().backward();
        assert!(apart(&y, &expected) < 1e-5);
        for (got, expected) in [(&g[&x], &steps[&x64]), (&g[&w], &steps[&w64]), (&g[&b], &steps[&b64])] {
            let scale = expected.abs().max().item().max(1.0);
            assert!(apart(got, expected) / scale < 2e-6, "{rows} x {features}: {}", apart(got, expected) / scale);
        }
    }
}

#[test]
fn the_gradient_of_gelu_is_within_rounding_of_that_in_f64() {
    let _alone = alone();
    let x: Vec<f32> = (-20_000..=20_000).map(|i| i as f32 * 1e-3).collect();
    let x = Tensor::from_slice(&x, [x.len()]);
    let gradient = |x: &Tensor| {
        let x = x.detach().requires_grad();
        x.gelu().sum().backward()[&x].clone()
    };
    for level in available_levels() {
        force_level(level);
        assert!(apart(&gradient(&x), &gradient(&x.to_dtype(DType::F64))) < 3e-7);
    }
    let far = Tensor::from([f32::NEG_INFINITY, -1e30, -0.0, 1e30, f32::INFINITY]);
    assert_eq!(gradient(&far).to_vec::<f32>(), [0.0, 0.0, 0.5, 1.0, 1.0]);
    assert!(gradient(&Tensor::from([f32::NAN])).item().is_nan());
}

#[test]
fn threads_do_not_matter() {
    let _alone = alone();
    let run = |threads| {
        set_num_threads_exactly(threads);
        let x = random(&[12, 64, 130], 1).requires_grad();
        let w = random(&[130], 2).requires_grad();
        let normal = x.layer_norm(Some(&w), Some(&w), 1e-5);
        let y = normal.matmul(&normal.t()).masked_softmax(0.1, true, None).matmul(&normal).gelu();
        let y = y.attention(&normal, &x, true);
        let g = (&y * random(y.shape(), 3)).sum().backward();
        [&y, &g[&x], &g[&w]].map(|x| x.to_vec::<f32>().into_iter().map(f32::to_bits).collect::<Vec<_>>())
    };
    let one = run(1);
    assert!(run(2) == one && run(3) == one);
}

#[test]
fn a_linear_layer_of_sequences_is_one_of_their_rows() {
    let _alone = alone();
    let (x, w, b) = (random(&[3, 5, 7], 1), random(&[4, 7], 2), random(&[4], 3));
    let rows = x.reshape([15, 7]).linear(&w, Some(&b)).to_vec::<f32>();
    assert_eq!(x.linear(&w, Some(&b)).to_vec::<f32>(), rows);
    assert_eq!(x.transpose(0, 1).linear(&w, Some(&b)).transpose(0, 1).to_vec::<f32>(), rows);
    assert_eq!(Tensor::zeros([0, 5, 7]).linear(&w, Some(&b)).shape(), &[0, 5, 4]);
    assert_eq!(Tensor::zeros([2, 0, 7]).linear_relu(&w, None).shape(), &[2, 0, 4]);
}

#[test]
fn attention_is_its_steps() {
    let _alone = alone();
    let sizes = [(2, 3, 64, 64, 32, 32), (1, 2, 70, 30, 8, 33), (3, 1, 1, 50, 16, 5), (1, 1, 100, 200, 7, 12)];
    for (level, dtype) in available_levels().into_iter().flat_map(|level| [(level, DType::F32), (level, DType::F64)]) {
        force_level(level);
        let tolerance = if dtype == DType::F32 { 1e-5 } else { 1e-13 };
        for (samples, heads, queries, keys, size, width) in sizes {
            let leaf =
                |rows, columns, seed| random(&[samples, heads, rows, columns], seed).to_dtype(dtype).requires_grad();
            let (q, k, v) = (leaf(queries, size, 1), leaf(keys, size, 2), leaf(keys, width, 3));
            for causal in [false, true] {
                let run = |y: Tensor| {
                    let g = (&y * random(y.shape(), 4).to_dtype(dtype)).sum().backward();
                    [y.detach(), g[&q].clone(), g[&k].clone(), g[&v].clone()]
                };
                let shares = q.matmul(&k.t()).masked_softmax(1.0 / (size as f64).sqrt(), causal, None);
                let steps = run(shares.matmul(&v));
                for (one, steps) in run(q.attention(&k, &v, causal)).iter().zip(&steps) {
                    let error = apart(one, steps);
                    assert!(
                        error < tolerance,
                        "{queries} queries, {keys} keys, causal {causal}, {level:?}, {dtype}: {error:e}"
                    );
                }
            }
        }
    }
}

#[test]
fn an_infinite_value_reaches_few_queries_before_it_and_no_gradient_of_others() {
    let _alone = alone();
    for level in available_levels() {
        force_level(level);
        for (queries, keys) in [(32, 32), (64, 64), (20, 50), (50, 20)] {
            for place in [5, 13, keys - 1] {
                let leaf = |rows: usize, seed| random(&[1, 1, rows, 8], seed);
                let mut v = leaf(keys, 3).to_vec::<f32>();
                v[place * 8..][..8].fill(f32::INFINITY);
                let (q, k, v) = (leaf(queries, 1).requires_grad(), leaf(keys, 2), Tensor::from_vec(v, [1, 1, keys, 8]));
                let y = q.attention(&k, &v, true);
                let is_finite = |row: &[f32]| row.iter().all(|x| x.is_finite());
                let finite = y.to_vec::<f32>().chunks(8).take_while(|row| is_finite(row)).count();
                // The first query that attends to it is in a group of at most sixteen.
                let first = (place + queries).saturating_sub(keys);
                assert!(finite <= first && finite + 15 >= first, "{queries}, {keys}, {place}, {level:?}: {finite}");
                let sent = y.narrow(2, 0, finite).sum().backward()[&q].narrow(2, 0, finite).to_vec::<f32>();
                assert!(is_finite(&sent), "{queries}, {keys}, {place}, {level:?}");
            }
        }
    }
}

#[test]
fn queries_keys_and_values_of_one_tensor_receive_what_they_would_apart() {
    let _alone = alone();
    for dtype in [DType::F32, DType::F64] {
        // Heads of one tensor that has 3 times as many, or more, and who is what; the sizes with samples or rows of one, too.
        for (samples, heads, rows, size) in [(2, 3, 20, 7), (1, 2, 33, 8), (3, 1, 1, 4)] {
            for (parts, order) in [(3, [0, 1, 2]), (3, [2, 1, 0]), (4, [0, 1, 2]), (4, [1, 2, 3])] {
                let x = random(&[samples, rows, parts * heads, size], 1).to_dtype(dtype).requires_grad();
                let part = |which| x.narrow(2, which * heads, heads).transpose(1, 2);
                let separate = order.map(|which| part(which).detach().contiguous().requires_grad());
                let weights = random(&[samples, heads, rows, size], 2).to_dtype(dtype);
                let loss = |[q, k, v]: &[Tensor; 3]| (q.attention(k, v, true) * &weights).sum();
                let received = loss(&order.map(part)).backward();
                let expected = loss(&separate).backward();
                for (which, leaf) in order.iter().zip(&separate) {
                    let got = received[&x].narrow(2, which * heads, heads).transpose(1, 2);
                    assert_eq!(bits(&got), bits(&expected[leaf]), "{dtype}, {parts} parts, {order:?}, {which}");
                }
                let rest = (0..parts).filter(|which| !order.contains(which));
                rest.for_each(|which| {
                    assert_eq!(received[&x].narrow(2, which * heads, heads).abs().sum().item(), 0.0);
                });
                // What comes from elsewhere is added, and does not show in what has been sent.
                let both = (loss(&order.map(part)) + (&x * 2.0).sum()).backward();
                assert!(apart(&both[&x], &(&received[&x] + 2.0)) < 1e-5, "{dtype}, {parts} parts, {order:?}");
            }
        }
    }
}

#[test]
fn attention_with_a_result_larger_than_memory_is_a_clean_panic() {
    let (q, k) = (random(&[2, 3], 1), random(&[1, 3], 2));
    let v = Tensor::ones([1, 1]).expand([1, 1 << 57]);
    let panic = std::panic::catch_unwind(AssertUnwindSafe(|| q.attention(&k, &v, true))).unwrap_err();
    let message = panic.downcast::<String>().map_or_else(|_| "no message".into(), |message| *message);
    assert!(message.starts_with("out of memory"), "{message}");
}

#[test]
fn a_linear_layer_with_gelu_is_both_steps() {
    let _alone = alone();
    for level in available_levels() {
        force_level(level);
        for dtype in [DType::F32, DType::F64] {
            let leaf = |shape: &[usize], seed| (random(shape, seed) * 2.0).to_dtype(dtype).requires_grad();
            for (rows, bias) in [(&[3, 50, 7][..], true), (&[40, 7], false), (&[7], true), (&[0, 7], true)] {
                let (x, w, b) = (leaf(rows, 1), leaf(&[90, 7], 2), leaf(&[90], 3));
                let b = bias.then_some(&b);
                let run = |y: &Tensor| {
                    let g = (y * random(y.shape(), 4).to_dtype(dtype)).sum().backward();
                    let leaves = [Some(&x), Some(&w), b].into_iter().flatten();
                    leaves.map(|leaf| &g[leaf]).chain([y]).map(bits).collect::<Vec<_>>()
                };
                let both = run(&x.linear_gelu(&w, b));
                assert!(both == run(&x.linear(&w, b).gelu()), "{dtype} {rows:?} at {level:?}");
                let y = hadal_tensor::no_grad(|| x.linear_gelu(&w, b));
                assert_eq!(both.last(), Some(&bits(&y)));
            }
        }
    }
}

#[test]
fn a_convolution_with_relu_is_both_steps() {
    let _alone = alone();
    // Sums of products with and without strides and groups, and minimal filtering.
    let settings: [(&[usize], &[usize], Conv); 4] = [
        (&[3, 2, 9, 11], &[5, 2, 3, 2], Conv::new().padding(1)),
        (&[3, 4, 9, 11], &[6, 2, 3, 3], Conv::new().stride([2, 3]).groups(2)),
        (&[2, 6, 8, 8], &[6, 1, 3, 3], Conv::new().padding(1).groups(6)),
        (&[4, 64, 17, 17], &[64, 64, 3, 3], Conv::new().padding(1)),
    ];
    for (x, w, conv) in settings {
        let inputs = [random(x, 1), random(w, 2), random(&w[..1], 3)].map(|x| x.requires_grad());
        let [x, w, b] = &inputs;
        let (fused, steps) = (x.conv_relu(w, Some(b), conv), x.conv(w, Some(b), conv).relu());
        assert_eq!(fused.to_vec::<f32>(), steps.to_vec::<f32>());
        let weights = random(fused.shape(), 4);
        let [fused, steps] = [fused, steps].map(|y| (y * &weights).sum().backward());
        for x in &inputs {
            assert_eq!(fused[x].to_vec::<f32>(), steps[x].to_vec::<f32>());
        }
    }
}

#[test]
fn parts_are_assigned_in_place_unless_somebody_else_sees_them() {
    let mut x = Tensor::zeros([2, 4, 3]);
    let before = x.clone();
    x.assign_narrow(1, 2, &Tensor::ones([2, 2, 3]));
    assert_eq!((before.sum().item(), x.sum().item()), (0.0, 12.0));
    assert_eq!(x.sum_axes(&[0, 2]).to_vec::<f32>(), [0.0, 0.0, 6.0, 6.0]);
    let part = x.narrow(1, 2, 1);
    x.assign_narrow(1, 0, &part);
    assert_eq!(x.sum_axes(&[0, 2]).to_vec::<f32>(), [6.0, 0.0, 6.0, 6.0]);
    let mut leaf = Tensor::zeros([2]).requires_grad();
    leaf.assign_narrow(0, 1, &Tensor::ones([1]));
    assert!(leaf.is_leaf() && leaf.to_vec::<f32>() == [0.0, 1.0]);
    let says = |f: &dyn Fn(), part: &str| {
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).unwrap_err();
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or(panic.downcast_ref::<&str>().map(|&text| text.to_owned())).unwrap();
        assert!(text.contains(part), "`{text}` does not say `{part}`");
    };
    says(&|| x.clone().assign_narrow(1, 3, &Tensor::ones([2, 2, 3])), "does not fit into f32 [2, 4, 3] from place 3");
    says(&|| x.clone().assign_narrow(1, usize::MAX, &Tensor::ones([2, 2, 3])), "does not fit");
    says(&|| x.clone().assign_narrow(1, 0, &Tensor::arange(24).reshape([2, 4, 3])), "i64");
    let tracked = with_gradient(&x, &[&leaf], |_, g| g.sum().reshape([1]).repeat(&[2]));
    says(&|| tracked.clone().assign_narrow(1, 0, &Tensor::ones([2, 2, 3])), "recorded");
    says(&|| drop(x.masked_softmax(0.0, false, None)), "positive number");
    says(&|| drop(x.masked_softmax(1.0, false, Some(&x))), "must be bool");
    says(&|| drop(x.masked_softmax(1.0, false, Some(&Tensor::ones([5, 3]).gt(0.0)))), "broadcast to [2, 4, 3]");
    says(&|| drop(x.layer_norm(Some(&Tensor::ones([4])), None, 1e-5)), "needs [3]");
}

#[test]
fn a_batch_norm_with_relu_has_the_bits_of_the_steps() {
    let _alone = alone();
    let bits = |x: &Tensor| x.to_dtype(DType::F64).to_vec::<f64>().into_iter().map(f64::to_bits).collect::<Vec<_>>();
    for level in available_levels() {
        force_level(level);
        let shapes = [&[3, 2, 5][..], &[2, 3, 17, 9], &[40, 5], &[2, 3, 70, 70], &[2, 1, 1]];
        for (shape, dtype) in shapes.into_iter().flat_map(|shape| [(shape, DType::F32), (shape, DType::F64)]) {
            let leaf = |shape: &[usize], seed| random(shape, seed).to_dtype(dtype).requires_grad();
            let leaves = [leaf(shape, 1), leaf(&shape[1..2], 2), leaf(&shape[1..2], 3), leaf(shape, 4)];
            let [x, weight, bias, other] = &leaves;
            let up = random(shape, 5).to_dtype(dtype);
            for added in [None, Some(other)] {
                let (fused, mean, variance) = x.batch_norm_relu(weight, bias, 1e-3, added);
                let (normal, wanted_mean, wanted_variance) = x.batch_norm(weight, bias, 1e-3);
                let steps = added.map_or(normal.clone(), |added| &normal + added).relu();
                assert_eq!(bits(&fused), bits(&steps), "{shape:?}");
                assert_eq!((bits(&mean), bits(&variance)), (bits(&wanted_mean), bits(&wanted_variance)));
                let (got, wanted) = ((fused * &up).sum().backward(), (steps * &up).sum().backward());
                for leaf in leaves.iter().filter(|leaf| added.is_some() || !std::ptr::eq(*leaf, other)) {
                    assert_eq!(bits(&got[leaf]), bits(&wanted[leaf]), "{shape:?}");
                }
            }
        }
    }
}

#[test]
fn a_batch_norm_with_relu_passes_nan_on_and_says_what_does_not_fit() {
    let x = Tensor::from([[[f32::NAN, 1.0]], [[2.0, 3.0]]]).requires_grad();
    let (one, zero) = (Tensor::ones([1]), Tensor::zeros([1]));
    let y = x.batch_norm_relu(&one, &zero, 1e-3, None).0;
    assert!(y.to_vec::<f32>().iter().all(|y| y.is_nan()));
    assert!(y.sum().backward()[&x].to_vec::<f32>().iter().all(|g| g.is_nan()));
    let refused = |x: Tensor, added: Tensor| {
        let call = std::panic::AssertUnwindSafe(|| x.batch_norm_relu(&one, &zero, 1e-3, Some(&added)));
        *std::panic::catch_unwind(call).expect_err("was taken").downcast::<String>().expect("a text")
    };
    let x = Tensor::ones([2, 1, 2]);
    let message = refused(x.clone(), Tensor::ones([2, 1, 1]));
    assert!(
        message.contains("what is added has shape [2, 1, 1], but must have that of the input, [2, 1, 2]"),
        "{message}"
    );
    assert!(refused(x, Tensor::ones([2, 1, 2]).to_dtype(DType::F64)).contains("dtypes f32 and f64 differ"));
}
