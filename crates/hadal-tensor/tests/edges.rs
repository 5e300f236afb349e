//! Where formulas would give NaN or nothing: derivatives at edges, views without elements, extreme magnitudes.

use hadal_tensor::autograd::BackwardOptions;
use hadal_tensor::{Conv, DType, Formula, Gradients, Real, States, Tensor, WeightDecay, concat, stack};

fn leaf(values: &[f32]) -> Tensor {
    Tensor::from_slice(values, [values.len()]).requires_grad()
}

fn first(y: &Tensor) -> Gradients {
    y.sum().backward()
}

/// The second derivative of a function of one number.
fn second(f: impl Fn(&Tensor) -> Tensor, x: f64) -> f64 {
    let x = Tensor::from_slice(&[x], [1]).requires_grad();
    let gradients = f(&x).sum().backward_with(BackwardOptions { create_graph: true, ..Default::default() });
    let slope = gradients[&x].sum();
    if slope.is_tracked() { slope.backward()[&x].item() } else { 0.0 }
}

#[test]
fn powers_have_finite_derivatives_at_their_edges() {
    let (a, b) = (leaf(&[0.0, 0.0, 0.0, 2.0, 1e-45, f32::NAN, 2.0]), leaf(&[2.0, 0.0, 1.0, 0.0, 0.0, 0.0, -3e38]));
    let gradients = first(&a.pow(&b));
    assert_eq!(gradients[&a].to_vec::<f32>(), [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
    let in_exponent = gradients[&b].to_vec::<f32>();
    assert_eq!(in_exponent[..3], [0.0; 3]);
    assert!((in_exponent[3] - std::f32::consts::LN_2).abs() < 1e-6 && in_exponent[4].is_finite());
    for power in [0.0, 1.0, 2.0, 3.0] {
        let x = leaf(&[0.0, -1.5]);
        let gradients = first(&x.powf(power))[&x].to_vec::<f32>();
        let exact = if power == 0.0 { 0.0 } else { power as f32 * (-1.5f32).powf(power as f32 - 1.0) };
        assert_eq!(gradients, [f32::from(u8::from(power == 1.0)), exact]);
        let curvature = second(|x| x.powf(power), 0.0);
        assert_eq!(curvature, if power == 2.0 { 2.0 } else { 0.0 }, "power {power}");
        assert_eq!(second(|x| x.powi(power as i32), 0.0), curvature);
    }
    // By the mixed derivative, away from the edge, nothing has changed: of a^b at b = 0 it is 1 / a.
    let (a, b) = (Tensor::from_slice(&[2.0f64], [1]).requires_grad(), Tensor::zeros([1]).to_dtype(DType::F64));
    let b = b.requires_grad();
    let gradients = a.pow(&b).sum().backward_with(BackwardOptions { create_graph: true, ..Default::default() });
    assert!((gradients[&a].sum().backward()[&b].item() - 0.5).abs() < 1e-12);
}

#[test]
fn flat_functions_have_a_gradient_of_zero() {
    for f in [|x: &Tensor| x.powi(0), |x: &Tensor| x.powf(0.0), Tensor::sign, Tensor::floor] {
        let x = leaf(&[-1.5, 0.0, 2.5]);
        assert_eq!(first(&f(&x))[&x].to_vec::<f32>(), [0.0; 3]);
    }
    assert!(Tensor::from_slice(&[f32::NAN], [1]).sign().item().is_nan());
}

#[test]
fn quotients_have_gradients_where_their_square_would_overflow() {
    let quotient = |a: f32, b: f32| {
        let (a, b) = (leaf(&[a]), leaf(&[b]));
        let gradients = first(&(&a / &b));
        (gradients[&a].item(), gradients[&b].item())
    };
    let near = |a: f64, b: f64| (a - b).abs() <= 1e-5 * b.abs();
    for (a, b) in [(1e-30, 1e-30), (1e30, 1e30), (2.0, 1e25), (3e-20, 1e-25), (1e-38, 1e-20)] {
        let (by_a, by_b) = quotient(a, b);
        let (a, b) = (f64::from(a), f64::from(b));
        assert!(near(by_a, 1.0 / b), "{a} / {b}: {by_a}");
        let exact = -a / (b * b);
        assert!(near(by_b, exact) || exact.abs() < 1e-37, "{a} / {b}: {by_b}, not {exact}");
    }
    let x = leaf(&[1e25]);
    assert!(near(first(&(1e25 / &x))[&x].item(), -1e-25));
    // A gradient that the quotient of numbers first would lose to infinity.
    let (a, b) = (leaf(&[1.0]), leaf(&[1e-20]));
    let gradients = ((&a / &b) * 1e-30).sum().backward();
    assert!(near(gradients[&b].item(), -1e10));
}

#[test]
fn the_smallest_power_has_a_gradient() {
    let x = leaf(&[1.0, 2.0]);
    assert_eq!(first(&x.powi(i32::MIN))[&x].to_vec::<f32>(), [i32::MIN as f32, -0.0]);
}

#[test]
fn nan_is_not_stopped_on_its_way_back() {
    let (a, b) = (leaf(&[f32::NAN, 1.0]), leaf(&[0.0, f32::NAN]));
    for y in [a.maximum(&b), a.minimum(&b)] {
        let gradients = first(&y);
        assert_eq!((gradients[&a].to_vec::<f32>(), gradients[&b].to_vec::<f32>()), (vec![1.0; 2], vec![1.0; 2]));
    }
    assert_eq!(first(&a.relu())[&a].to_vec::<f32>(), [1.0, 1.0]);
}

#[test]
fn softmax_of_infinite_logits_is_its_limit() {
    let x = Tensor::from_slice(&[f32::INFINITY, 0.0, f32::NEG_INFINITY, 0.0, f32::NEG_INFINITY, 0.0], [2, 3]);
    assert_eq!(x.softmax(1).to_vec::<f32>(), [1.0, 0.0, 0.0, 0.5, 0.0, 0.5]);
    let log = x.log_softmax(1).to_vec::<f32>();
    assert_eq!(log[..3], [0.0, f32::NEG_INFINITY, f32::NEG_INFINITY]);
    assert!(Tensor::full([1, 2], f64::NEG_INFINITY).softmax(1).to_vec::<f32>()[0].is_nan());
    assert!(Tensor::from_slice(&[f32::INFINITY, f32::NAN], [1, 2]).softmax(1).to_vec::<f32>()[0].is_nan());
}

#[test]
fn norms_of_very_large_and_small_gradients_are_right() {
    for (size, limit) in [(1e20f32, 1.0), (3e38, 1.0), (1e-25, 1e-30), (1e-44, 1e-50)] {
        let w = leaf(&[1.0; 4]);
        let mut gradients = (&w * f64::from(size)).sum().backward();
        let norm = gradients.norm();
        assert!((norm / (2.0 * f64::from(size)) - 1.0).abs() < 1e-6, "{size}: {norm}");
        if size > 1e-30 {
            gradients.clip_norm(limit);
            assert!((gradients.norm() / limit - 1.0).abs() < 1e-5, "{size}: {}", gradients.norm());
        }
    }
    let w = leaf(&[1.0, 1.0]);
    let mut gradients = (&w * &Tensor::from_slice(&[f32::NAN, 1.0], [2])).sum().backward();
    assert!(gradients.clip_norm(1.0).is_nan());
}

/// Views without elements, some of which begin behind the end of their storage.
fn empty_views() -> Vec<Tensor> {
    let (rows, columns, full) = (Tensor::zeros([0, 4]), Tensor::zeros([4, 0]), Tensor::zeros([3, 4]));
    vec![
        rows.slice(1, 1..),
        rows.slice(1, 4..),
        rows.slice_step(1, 1.., 2),
        columns.slice(0, 3..),
        columns.slice(0, 1..).t(),
        rows.t().slice(0, 2..),
        full.slice(0, 3..),
        full.slice(0, 3..).slice(1, 2..),
        full.slice(1, 4..),
        full.narrow(0, 1, 0).t(),
        full.unsqueeze(0).slice(0, 1..).permute(&[2, 0, 1]).slice(0, 1..),
        Tensor::zeros([1, 1]).slice(0, 1..).expand([0, 5]).slice(1, 2..),
    ]
}

#[test]
fn every_operation_takes_views_of_nothing() {
    for x in empty_views() {
        let shape = x.shape().to_vec();
        let last = x.rank() as isize - 1;
        let x = x.requires_grad();
        assert!(x.to_vec::<f32>().is_empty());
        let all = [
            x.exp(),
            x.contiguous(),
            &x + &x,
            &x * 2.0,
            &x / &x,
            x.maximum(&x),
            x.pow(&x),
            x.clamp(0.0, 1.0),
            x.t(),
            x.gt(0.0).where_(&x, &x),
            x.reshape([0]),
            x.flatten(0),
            x.unsqueeze(0),
            x.softmax(last),
            x.log_softmax(0),
            x.sum_axes(&[0]),
            x.sum_keepdim(&[last]),
            x.matmul(&x.t()),
            x.t().matmul(&x),
            concat(&[x.clone(), x.clone()], 0),
            concat(&[x.clone(), x.clone()], last),
            stack(&[x.clone(), x.clone()], 1),
            x.narrow(0, 0, 0),
            x.slice_step(last, .., 3),
            x.index_select(0, &Tensor::arange(0)),
            x.gather(0, &Tensor::zeros(x.shape()).to_dtype(DType::I64)),
            x.scatter_add(0, &Tensor::zeros(x.shape()).to_dtype(DType::I64), x.shape()),
        ];
        for (index, y) in all.iter().enumerate() {
            let gradients = y.sum().backward();
            assert_eq!(y.sum().item(), 0.0);
            if let Some(gradient) = gradients.get(&x) {
                assert_eq!(gradient.shape()[..], shape, "operation {index}");
            }
        }
        let mut y = x.detach();
        y += 1.0;
        y *= &x.detach();
        y.add_scaled(2.0, &x.detach());
        assert_eq!((y.mean().item().is_nan(), y.elements()), (true, 0));
    }
}

#[test]
fn in_place_operations_on_views_that_alone_own_their_storage_touch_the_view_alone() {
    let mut x = Tensor::ones([4]).narrow(0, 0, 0);
    x += 1.0;
    assert_eq!(x.elements(), 0);
    let mut x = Tensor::ones([1_000_000]).narrow(0, 0, 2);
    let before = hadal_tensor::live_bytes();
    x += &Tensor::from_slice(&[1.0f32, 2.0], [2]);
    assert_eq!(x.to_vec::<f32>(), [2.0, 3.0]);
    assert!(before.saturating_sub(hadal_tensor::live_bytes()) >= 3_000_000, "the large storage is freed");
    let mut w = Tensor::ones([6]).narrow(0, 0, 3).requires_grad();
    w -= 0.5 * &w.powi(2).sum().backward()[&w];
    assert_eq!(w.to_vec::<f32>(), [0.0; 3]);
}

#[test]
fn gradients_at_bounds_and_beside_nan_are_as_documented() {
    let x = Tensor::from_slice(&[-1.0f32, 0.0, 0.5, 1.0, 2.0], [5]).requires_grad();
    assert_eq!(x.clamp(0.0, 1.0).sum().backward()[&x].to_vec::<f32>(), [0.0, 1.0, 1.0, 1.0, 0.0]);
    let x = Tensor::from_slice(&[1.0f32, f32::NAN, 2.0], [3]).requires_grad();
    assert!(x.max().item().is_nan());
    assert!(x.max().backward()[&x].to_vec::<f32>().iter().all(|g| g.is_nan()));
}

#[test]
fn a_stride_beyond_the_axes_has_one_place() {
    let (x, w) = (Tensor::ones([1, 1, 2, 3]), Tensor::ones([1, 1, 1, 1]));
    for stride in [3, 1 << 57, isize::MAX as usize, usize::MAX] {
        for conv in [Conv::new().stride(stride), Conv::new().stride(stride).same_padding()] {
            assert_eq!(x.conv(&w, None, conv).to_vec::<f32>(), [1.0], "stride {stride}");
        }
        // The window begins in the padding, and the first element of the input is its last.
        let (x, w) = (x.clone().requires_grad(), Tensor::ones([1, 1, 2, 2]));
        let y = x.conv(&w, None, Conv::new().stride(stride.max(4)).padding(1));
        let gradients = y.sum().backward();
        assert_eq!((y.elements(), y.item()), (1, 1.0), "stride {stride}");
        assert_eq!(gradients.get(&x).unwrap().to_vec::<f32>(), [1.0, 0.0, 0.0, 0.0, 0.0, 0.0], "stride {stride}");
    }
}

#[test]
fn what_a_padding_near_the_largest_number_sends_back_goes_where_it_came_from() {
    let padding = (1 << 63) - 6;
    let (x, w) = (Tensor::arange(10).to_dtype(DType::F32).reshape([1, 1, 10]).requires_grad(), Tensor::ones([1, 1, 1]));
    let y = x.conv(&w, None, Conv::new().padding(padding).stride(1 << 63));
    assert_eq!(y.to_vec::<f32>(), [0.0, 6.0]);
    let mut expected = [0.0; 10];
    expected[6] = 1.0;
    assert_eq!(y.sum().backward()[&x].to_vec::<f32>(), expected);
}

#[test]
fn convolutions_of_nothing_take_windows_of_any_size() {
    let huge = 1 << 40;
    let (x, w) = (Tensor::zeros([2, 0, 5]).requires_grad(), Tensor::zeros([3, 0, huge]).requires_grad());
    let bias = Tensor::from([1.0, -2.0, 3.0]).requires_grad();
    let conv = Conv::new().padding(huge / 2);
    let y = x.conv(&w, Some(&bias), conv);
    assert_eq!(y.to_vec::<f32>(), [1.0, -2.0, 3.0].repeat(2).iter().flat_map(|&b| [b; 6]).collect::<Vec<f32>>());
    let relu = x.conv_relu(&w, Some(&bias), conv);
    assert_eq!(relu.slice(0, 1..).to_vec::<f32>()[..12], [[1.0; 6], [0.0; 6]].concat());
    let gradients = relu.sum().backward();
    assert_eq!(gradients.get(&bias).unwrap().to_vec::<f32>(), [12.0, 0.0, 12.0]);
    assert_eq!(gradients.get(&w).unwrap().shape(), w.shape());
    let transposed = Tensor::zeros([2, 0, 5]).conv_transpose(&Tensor::zeros([0, 3, 1 << 10]), Some(&bias), Conv::new());
    assert_eq!(transposed.shape(), &[2, 3, 1028]);
    assert_eq!(transposed.sum().item(), 2.0 * 1028.0 * 2.0);
}

#[test]
fn norms_and_deviations_of_zero_have_a_gradient_of_zero() {
    let flat = |name: &str, f: &dyn Fn(&Tensor) -> Tensor, x: [f64; 3], value: f64, gradient: [f64; 3]| {
        let x = Tensor::from_slice(&x, [3]).requires_grad();
        let y = f(&x);
        assert_eq!(y.item(), value, "{name}");
        let found = y.backward().get(&x).unwrap().to_vec::<f64>();
        let close = found.iter().zip(&gradient).all(|(found, expected)| (found - expected).abs() < 1e-12);
        assert!(close, "{name}: {found:?}");
    };
    for p in [0.5, 1.0, 1.5, 2.0, 3.0, f64::INFINITY, f64::NEG_INFINITY, -1.0] {
        flat(&format!("norm {p}"), &|x| x.norm(p, &[0]), [0.0; 3], 0.0, [0.0; 3]);
    }
    flat("norm 2 of some zeros", &|x| x.norm(2.0, &[0]), [3.0, 0.0, -4.0], 5.0, [0.6, 0.0, -0.8]);
    // (sqrt(4) + sqrt(1))^2, whose slopes are 3 / 2 and -3.
    flat("norm 0.5 of a zero", &|x| x.norm(0.5, &[0]), [4.0, 0.0, -1.0], 9.0, [1.5, 0.0, -3.0]);
    flat("norm -1 of a zero", &|x| x.norm(-1.0, &[0]), [4.0, 0.0, -1.0], 0.0, [0.0; 3]);
    flat("std of equal numbers", &|x| x.std(&[0], 1), [2.0; 3], 0.0, [0.0; 3]);
    // And so have the gradients, as far as they are differentiated again.
    for p in [0.5, 1.5, 2.0, 3.0, -1.0] {
        for numbers in [[0.0; 3], [2.0, 0.0, -1.0]] {
            let x = Tensor::from_slice(&numbers, [3]).requires_grad();
            let options = BackwardOptions { create_graph: true, ..Default::default() };
            let first = x.norm(p, &[0]).backward_with(options)[&x].clone();
            let second = first.powi(2).sum().backward();
            assert!(second.get(&x).is_none_or(|g| g.to_vec::<f64>().iter().all(|g| g.is_finite())), "norm {p}");
        }
    }
    assert!(Tensor::from([f32::NAN, 0.0]).requires_grad().norm(2.0, &[0]).item().is_nan());
}

/// `v = v / 2 + g; w -= v`.
#[derive(Clone, Copy, Debug)]
struct Halves {
    keeps: bool,
}

impl Formula for Halves {
    const STATES: usize = 1;

    #[inline(always)]
    fn step<T: Real>(self, w: &mut T, g: T, [v, ..]: States<T>) {
        *v = T::from_f64(0.5) * *v + g;
        *w = *w - *v;
    }

    fn keeps_subnormal(self) -> bool {
        self.keeps
    }
}

#[test]
fn states_of_optimizers_are_never_subnormal_unless_their_formula_keeps_them() {
    let least = f32::MIN_POSITIVE;
    let before = [least, 2.0 * least, -least, -3.0 * least, 0.0, 1.0, f32::NAN, f32::INFINITY, 1e-45];
    let after = |keeps: bool| {
        let mut states = vec![Tensor::from(before)];
        let mut w = states[0].zeros_like();
        let g = w.clone();
        w.update(&Halves { keeps }, WeightDecay::NONE, &mut states, &g);
        // The step itself is by the state as it was computed.
        assert_eq!(w.to_vec::<f32>()[..2], [-0.5 * least, -least]);
        states[0].to_vec::<f32>()
    };
    let same = |found: Vec<f32>, expected: [f32; 9]| {
        let equal = found.iter().zip(expected).all(|(&a, b)| a == b || (a.is_nan() && b.is_nan()));
        assert!(equal, "{found:?}, not {expected:?}");
    };
    same(after(true), before.map(|v| 0.5 * v));
    same(after(false), [0.0, least, 0.0, -1.5 * least, 0.0, 0.5, f32::NAN, f32::INFINITY, 0.0]);
    let mut states = vec![Tensor::from_slice(&[f64::MIN_POSITIVE, 1e-300], [2])];
    let mut w = states[0].zeros_like();
    let g = w.clone();
    w.update(&Halves { keeps: false }, WeightDecay::NONE, &mut states, &g);
    assert_eq!(states[0].to_vec::<f64>(), [0.0, 5e-301]);
}
