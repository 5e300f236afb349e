//! Every operation's gradient against central differences in f64: plain, broadcast, strided, of size one, empty; and
//! once more differentiated.

mod recomputed;
mod recurrent;
mod windows;

use hadal_tensor::autograd::{BackwardOptions, check_gradients};
use hadal_tensor::{DType, Ellipsis, NewAxis, Padding, Rng, Step, Tensor, concat, einsum, no_grad, stack};

const TOLERANCE: f64 = 1e-7;

fn random(shape: &[usize], seed: u64) -> Tensor {
    Tensor::randn(shape, &mut Rng::new(seed)).to_dtype(DType::F64)
}

/// Away from 0 by at least 0.3: for functions with a kink, a pole or a branch there.
fn away_from_zero(shape: &[usize], seed: u64) -> Tensor {
    let x = random(shape, seed);
    &x + x.sign() * 0.3
}

fn positive(shape: &[usize], seed: u64) -> Tensor {
    random(shape, seed).abs() + 0.3
}

#[track_caller]
fn check(name: &str, f: impl Fn(&[Tensor]) -> Tensor, inputs: &[Tensor]) {
    // Weights make every element's gradient differ; without them, wrong places could cancel.
    let weighted = |inputs: &[Tensor]| {
        let y = f(inputs);
        &y * random(y.shape(), 99)
    };
    let error = check_gradients(weighted, inputs);
    let shapes: Vec<_> = inputs.iter().map(Tensor::shape).collect();
    assert!(error < TOLERANCE, "{name} on {shapes:?}: relative error {error:e}");
    // The gradient of the squared gradient: each operation's gradient is itself differentiable.
    let second = |inputs: &[Tensor]| {
        let leaves: Vec<Tensor> =
            inputs.iter().map(|x| if x.is_tracked() { x.clone() } else { x.clone().requires_grad() }).collect();
        let result = weighted(&leaves).sum();
        if !result.is_tracked() {
            return Tensor::zeros([1]).to_dtype(DType::F64);
        }
        let gradients = result.backward_with(BackwardOptions { create_graph: true, ..Default::default() });
        let squares = leaves.iter().filter_map(|leaf| gradients.get(leaf)).map(|g| g.powi(2).sum().reshape([1]));
        concat(&squares.collect::<Vec<_>>(), 0).sum()
    };
    let error = check_second(second, inputs);
    assert!(error < 1e-5, "{name} on {shapes:?}, second order: relative error {error:e}");
}

/// As `check_gradients`, for a function that itself walks back and so must be tracked while it is probed.
fn check_second(f: impl Fn(&[Tensor]) -> Tensor, inputs: &[Tensor]) -> f64 {
    let leaves: Vec<Tensor> = inputs.iter().map(|x| x.clone().requires_grad()).collect();
    let result = f(&leaves);
    if !result.is_tracked() {
        return 0.0;
    }
    let gradients = result.backward();
    let mut worst = 0.0f64;
    for (which, input) in inputs.iter().enumerate() {
        let values = input.to_vec::<f64>();
        let analytic = gradients.get(&leaves[which]).map_or(vec![0.0; values.len()], |g| g.to_vec::<f64>());
        for index in 0..values.len() {
            let at = |value: f64| {
                let mut moved = values.clone();
                moved[index] = value;
                let mut all = inputs.to_vec();
                all[which] = Tensor::from_vec(moved, input.shape());
                f(&all).item()
            };
            let numeric = (at(values[index] + 1e-5) - at(values[index] - 1e-5)) / 2e-5;
            let scale = analytic[index].abs().max(numeric.abs()).max(1.0);
            let error = (analytic[index] - numeric).abs() / scale;
            worst = if error.is_nan() { f64::INFINITY } else { worst.max(error) };
        }
    }
    worst
}

#[test]
fn functions_of_one_tensor() {
    type Function = fn(&Tensor) -> Tensor;
    let smooth: [(&str, Function); 19] = [
        ("neg", |x| -x),
        ("exp", Tensor::exp),
        ("expm1", Tensor::expm1),
        ("sin", Tensor::sin),
        ("cos", Tensor::cos),
        ("tanh", Tensor::tanh),
        ("atan", Tensor::atan),
        ("sigmoid", Tensor::sigmoid),
        ("softplus", Tensor::softplus),
        ("erf", Tensor::erf),
        ("erfc", Tensor::erfc),
        ("gelu", Tensor::gelu),
        ("silu", Tensor::silu),
        ("log_cosh", Tensor::log_cosh),
        ("powi 2", |x| x.powi(2)),
        ("powi 3", |x| x.powi(3)),
        ("scalars", |x| 3.0 - (x * 2.0 + 1.0) / 4.0 - 0.5),
        ("floor and sign are flat", |x| x * 1.0 + x.floor() + x.sign()),
        ("to_dtype", |x| x.to_dtype(DType::F64) * 2.0),
    ];
    let kinked: [(&str, Function); 5] = [
        ("relu", Tensor::relu),
        ("abs", Tensor::abs),
        ("clamp", |x| x.clamp(-0.15, 0.2)),
        ("recip", Tensor::recip),
        ("powi -2", |x| x.powi(-2)),
    ];
    let positives: [(&str, Function); 5] = [
        ("ln", Tensor::ln),
        ("log1p", Tensor::log1p),
        ("sqrt", Tensor::sqrt),
        ("powf", |x| x.powf(1.7)),
        ("scalar / x", |x| 2.0 / x),
    ];
    for shape in [&[4, 3][..], &[1], &[], &[0, 2], &[2, 1, 3]] {
        for (name, f) in smooth {
            check(name, |x| f(&x[0]), &[random(shape, 1)]);
            if shape.len() >= 2 {
                check(name, |x| f(&x[0].transpose(0, -1)), &[random(shape, 2)]);
            }
        }
        for (name, f) in kinked {
            check(name, |x| f(&x[0]), &[away_from_zero(shape, 3)]);
        }
        for (name, f) in positives {
            check(name, |x| f(&x[0]), &[positive(shape, 4)]);
        }
    }
}

#[test]
fn functions_of_two_tensors() {
    let pairs: [(&[usize], &[usize]); 8] = [
        (&[3, 4], &[3, 4]),
        (&[3, 4], &[4]),
        (&[3, 1], &[1, 4]),
        (&[], &[2, 3]),
        (&[1], &[1]),
        (&[0, 3], &[3]),
        (&[2, 3, 2], &[3, 1]),
        (&[5], &[2, 1]),
    ];
    for (a, b) in pairs {
        let (x, y) = (random(a, 1), random(b, 2));
        check("add", |x| &x[0] + &x[1], &[x.clone(), y.clone()]);
        check("sub", |x| &x[0] - &x[1], &[x.clone(), y.clone()]);
        check("mul", |x| &x[0] * &x[1], &[x.clone(), y.clone()]);
        check("div", |x| &x[0] / &x[1], &[x.clone(), away_from_zero(b, 2)]);
        check("pow", |x| x[0].pow(&x[1]), &[positive(a, 3), y.clone()]);
        check("maximum", |x| x[0].maximum(&x[1]), &[x.clone(), &y * 10.0]);
        check("minimum", |x| x[0].minimum(&x[1]), &[x.clone(), &y * 10.0]);
        let condition = random(b, 5).gt(0.0);
        check("where_", |x| condition.where_(&x[0], &x[1]), &[x.clone(), y.clone()]);
    }
    check("strided", |x| x[0].t() * x[1].slice_step(0, .., 2), &[random(&[3, 2], 1), random(&[4, 3], 2)]);
    check("itself", |x| &x[0] * &x[0] + &x[0], &[random(&[3], 1)]);
}

#[test]
fn equal_elements_share_the_gradient_of_a_maximum() {
    let x = Tensor::from_slice(&[1.0f64, 2.0], [2]).requires_grad();
    let y = Tensor::from_slice(&[1.0f64, 3.0], [2]);
    assert_eq!(x.maximum(&y).sum().backward()[&x].to_vec::<f64>(), [0.5, 0.0]);
    let x = Tensor::from_slice(&[2.0f64, 2.0, 1.0, 2.0], [4]).requires_grad();
    let third = 1.0 / 3.0;
    assert_eq!(x.max().backward()[&x].to_vec::<f64>(), [third, third, 0.0, third]);
}

#[test]
fn reductions() {
    for shape in [&[3, 4][..], &[2, 3, 2], &[1, 1], &[5]] {
        let x = random(shape, 1);
        check("sum", |x| x[0].sum(), std::slice::from_ref(&x));
        check("mean", |x| x[0].mean(), std::slice::from_ref(&x));
        check("max", |x| x[0].max(), std::slice::from_ref(&x));
        check("min", |x| x[0].min(), std::slice::from_ref(&x));
        for axis in 0..shape.len() as isize {
            check("sum_axes", |x| x[0].sum_axes(&[axis]), std::slice::from_ref(&x));
            check("sum_keepdim", |x| x[0].sum_keepdim(&[axis]) * &x[0], std::slice::from_ref(&x));
            check("mean_axes", |x| x[0].mean_axes(&[axis]), std::slice::from_ref(&x));
            check("mean_keepdim", |x| x[0].mean_keepdim(&[axis]), std::slice::from_ref(&x));
            check("max_axes", |x| x[0].max_axes(&[axis]), std::slice::from_ref(&x));
            check("min_axes", |x| x[0].min_axes(&[axis]), std::slice::from_ref(&x));
            check("softmax", |x| x[0].softmax(axis), std::slice::from_ref(&x));
            check("log_softmax", |x| x[0].log_softmax(axis), std::slice::from_ref(&x));
        }
    }
    for shape in [&[3, 4][..], &[2, 3, 3], &[2, 1, 2, 5], &[1, 1], &[2, 3, 0]] {
        let x = random(shape, 1);
        let mask = random(shape, 7).gt(0.0);
        check("masked_softmax", |x| x[0].masked_softmax(0.7, false, None), std::slice::from_ref(&x));
        check("masked_softmax, causal", |x| x[0].masked_softmax(1.3, true, None), std::slice::from_ref(&x));
        check("masked_softmax with a mask", |x| x[0].masked_softmax(1.3, true, Some(&mask)), std::slice::from_ref(&x));
        let row = mask.narrow(0, 0, 1);
        check("masked_softmax of a view", |x| x[0].t().masked_softmax(2.0, false, Some(&row.t())), &[x]);
    }
    check("sum of two axes", |x| x[0].sum_axes(&[0, 2]), &[random(&[2, 3, 4], 1)]);
    check("sum of a transposed view", |x| x[0].t().sum_axes(&[1]), &[random(&[3, 4], 1)]);
    check("empty", |x| x[0].sum_axes(&[0]), &[random(&[0, 3], 1)]);
}

#[test]
fn products() {
    let pairs: [(&[usize], &[usize]); 9] = [
        (&[3, 4], &[4, 2]),
        (&[1, 1], &[1, 1]),
        (&[2, 3, 4], &[2, 4, 2]),
        (&[2, 3, 4], &[4, 2]),
        (&[3, 1, 2, 2], &[2, 2, 1]),
        (&[4], &[4, 2]),
        (&[3, 4], &[4]),
        (&[4], &[4]),
        (&[2, 0], &[0, 3]),
    ];
    for (a, b) in pairs {
        check("matmul", |x| x[0].matmul(&x[1]), &[random(a, 1), random(b, 2)]);
    }
    check("transposed", |x| x[0].t().matmul(&x[1].t()), &[random(&[4, 3], 1), random(&[2, 4], 2)]);
    let affine: [(&[usize], &[usize]); 6] = [
        (&[3, 4], &[2, 4]),
        (&[1, 1], &[1, 1]),
        (&[4], &[2, 4]),
        (&[2, 3, 4], &[5, 4]),
        (&[0, 4], &[2, 4]),
        (&[2, 0], &[3, 0]),
    ];
    for (x, weight) in affine {
        let inputs = [random(x, 1), random(weight, 2), random(&weight[..1], 3)];
        check("linear", |x| x[0].linear(&x[1], Some(&x[2])), &inputs);
        check("linear_relu", |x| x[0].linear_relu(&x[1], Some(&x[2])), &inputs);
        check("linear_gelu", |x| x[0].linear_gelu(&x[1], Some(&x[2])), &inputs);
        check("linear without bias", |x| x[0].linear_relu(&x[1], None), &inputs[..2]);
        check("linear_gelu without bias", |x| x[0].linear_gelu(&x[1], None), &inputs[..2]);
    }
    let (x, weight) = (random(&[3, 4], 1), random(&[2, 4], 2));
    check("linear_gelu, of the bias alone", |b| x.linear_gelu(&weight, Some(&b[0])), &[random(&[2], 3)]);
    let strided = [random(&[4, 3], 1), random(&[4, 2], 2), random(&[2], 3)];
    check("linear of views", |x| x[0].t().linear(&x[1].t(), Some(&x[2])), &strided);
}

#[test]
fn attention() {
    // Queries, keys and values: one and several heads, as many keys as queries, more, fewer, one, none.
    let shapes: [[&[usize]; 3]; 9] = [
        [&[2, 3, 5, 4], &[2, 3, 5, 4], &[2, 3, 5, 4]],
        [&[1, 2, 3, 2], &[1, 2, 20, 2], &[1, 2, 20, 3]],
        [&[1, 2, 15, 2], &[1, 2, 4, 2], &[1, 2, 4, 3]],
        [&[2, 1, 1, 3], &[2, 1, 1, 3], &[2, 1, 1, 1]],
        [&[1, 1, 2, 3], &[1, 1, 0, 3], &[1, 1, 0, 2]],
        [&[0, 2, 2, 3], &[0, 2, 2, 3], &[0, 2, 2, 3]],
        [&[3, 4, 2], &[3, 5, 2], &[3, 5, 3]],
        [&[4, 2], &[5, 2], &[5, 3]],
        [&[1, 2, 1, 3, 2], &[1, 2, 1, 4, 2], &[1, 2, 1, 4, 2]],
    ];
    for [q, k, v] in shapes {
        let inputs = [random(q, 1), random(k, 2), random(v, 3)];
        for causal in [false, true] {
            check("attention", |x| x[0].attention(&x[1], &x[2], causal), &inputs);
        }
    }
    let joint = [random(&[2, 5, 6, 3], 1)];
    let head = |x: &Tensor, which: usize| x.narrow(2, which * 2, 2).transpose(1, 2);
    check("attention of views", |x| head(&x[0], 0).attention(&head(&x[0], 1), &head(&x[0], 2), true), &joint);
    let turned = [random(&[2, 4, 3, 5], 1)];
    check("attention of columns", |x| x[0].t().attention(&x[0].t(), &x[0].t(), true), &turned);
}

#[test]
fn views() {
    let x = || [random(&[2, 3, 4], 1)];
    check("reshape", |x| x[0].reshape([4, 6]), &x());
    check("reshape of a view", |x| x[0].transpose(0, 2).reshape([6, 4]), &x());
    check("flatten", |x| x[0].flatten(1), &x());
    check("transpose", |x| x[0].transpose(0, 1), &x());
    check("permute", |x| x[0].permute(&[2, 0, 1]), &x());
    check("narrow", |x| x[0].narrow(2, 1, 2), &x());
    check("slice", |x| x[0].slice(1, 1..), &x());
    check("slice_step", |x| x[0].slice_step(2, 1.., 2), &x());
    check("slice of a view", |x| x[0].t().slice(1, 1..3).slice_step(2, .., 2), &x());
    check("empty slice", |x| x[0].slice(1, 1..1), &x());
    check("slices side by side", |x| x[0].slice(2, ..1) * x[0].slice(2, 2..3) * x[0].slice(2, 3..), &x());
    check("slices that overlap", |x| x[0].slice(2, ..3).t() * x[0].slice(2, 1..).t(), &x());
    check("slices of two axes", |x| x[0].slice(0, 1..).slice(1, ..2) * x[0].slice(1, 1..), &x());
    check("a slice of itself", |x| &x[0] * x[0].slice(1, 1..2), &x());
    check("unsqueeze and squeeze", |x| x[0].unsqueeze(-1).unsqueeze(0).squeeze(0), &x());
    check("contiguous", |x| x[0].t().contiguous(), &x());
    check("expand", |x| x[0].expand([5, 3, 2]), &[random(&[3, 1], 1)]);
    check("expand a scalar", |x| x[0].expand([2, 2]), &[random(&[], 1)]);
}

#[test]
fn joining_and_indexing() {
    let (a, b) = (random(&[2, 3], 1), random(&[2, 3], 2));
    for axis in [0, 1, -1] {
        check("concat", |x| concat(&[x[0].clone(), x[1].clone(), x[0].clone()], axis), &[a.clone(), b.clone()]);
        check("stack", |x| stack(x, axis), &[a.clone(), b.clone()]);
    }
    let index = Tensor::from_slice(&[2i64, 0, 2, 1], [2, 2]);
    check("gather", |x| x[0].gather(1, &index), &[random(&[2, 3], 1)]);
    check("scatter_add", |x| x[0].scatter_add(1, &index, [2, 3]), &[random(&[2, 2], 1)]);
    let rows = Tensor::from_slice(&[1i64, 1, 0], [3]);
    for axis in [0, 1] {
        check("index_select", |x| x[0].index_select(axis, &rows), &[random(&[2, 3], 1)]);
    }
}

#[test]
fn rearranging() {
    for shape in [&[2, 3, 4][..], &[1, 1, 1], &[2, 0, 3]] {
        let x = [random(shape, 1)];
        check("flip", |x| x[0].flip(&[0, -1]), &x);
        check("flip of a view", |x| x[0].transpose(0, 2).flip(&[1]), &x);
        check("roll", |x| x[0].roll(2, -1), &x);
        check("repeat", |x| x[0].repeat(&[2, 1, 3, 2]), &x);
        check("split", |x| x[0].split(2, 2).pop().unwrap(), &x);
        check("chunk", |x| x[0].chunk(2, 0).remove(0), &x);
        check("pad", |x| x[0].pad(&[(1, 0), (2, 1)], Padding::Constant(0.0)), &x);
        check("pad by a number", |x| x[0].pad(&[(1, 2)], Padding::Constant(1.5)), &x);
        check("tril", |x| x[0].tril(0), &x);
        check("triu", |x| x[0].triu(1), &x);
        check("i", |x| x[0].i((.., .., Step(.., -2))), &x);
        check("cumsum", |x| x[0].cumsum(1), &x);
        check("cumsum of a view", |x| x[0].transpose(0, 2).cumsum(0), &x);
        check("cumprod", |x| x[0].cumprod(-1), &x);
    }
    let x = [random(&[2, 3, 4], 1)];
    check("pad by reflection", |x| x[0].pad(&[(2, 1), (1, 3)], Padding::Reflect), &x);
    check("pad by replication", |x| x[0].pad(&[(2, 1), (1, 3)], Padding::Replicate), &x);
    check("i with places", |x| x[0].i((1, 1.., &Tensor::from([3, 0, 3]))), &x);
    check("i with a new axis", |x| x[0].i((Ellipsis, NewAxis, -1)), &x);
    check("sort", |x| x[0].sort(1).0, &x);
    check("sort_descending", |x| x[0].sort_descending(-1).0, &x);
    check("topk", |x| x[0].topk(2, 2).0, &x);
    check("diag of a matrix", |x| x[0].i(0).diag(0), &x);
    check("diag of a vector", |x| x[0].i((0, 0)).diag(0), &x);
    check("diag below", |x| x[0].i(0).diag(-1), &x);
    check("diag of a vector, above", |x| x[0].i((0, 0)).diag(2), &x);
    check("topk_smallest", |x| x[0].topk_smallest(2, 1).0, &x);
    check("split by sizes", |x| &x[0].split([1, 3], 2)[1] * 2.0, &x);
    let zeros = Tensor::from_slice(&[2.0f64, 0.0, 3.0, 0.0, 1.0], [5]);
    check("cumprod with zeros", |x| x[0].cumprod(0), &[zeros]);
    check("outer", |x| x[0].outer(&x[1]), &[random(&[3], 1), random(&[4], 2)]);
    check("masked_fill", |x| x[0].masked_fill(&random(&[4], 5).gt(0.0), 2.0), &[random(&[3, 4], 1)]);
}

#[test]
fn statistics() {
    for shape in [&[3, 4][..], &[2, 3, 2]] {
        let x = [random(shape, 1)];
        for axes in [&[0][..], &[-1], &[0, 1]] {
            check("var", |x| x[0].var(axes, 1), &x);
            check("var of a population", |x| x[0].var(axes, 0), &x);
            check("std", |x| x[0].std(axes, 1), &x);
            check("norm 1", |x| x[0].norm(1.0, axes), &[away_from_zero(shape, 1)]);
            check("norm 2", |x| x[0].norm(2.0, axes), &x);
            check("norm 3", |x| x[0].norm(3.0, axes), &[away_from_zero(shape, 1)]);
            check("norm infinity", |x| x[0].norm(f64::INFINITY, axes), &x);
            check("logsumexp", |x| x[0].logsumexp(axes), &x);
        }
    }
}

#[test]
fn normalizations() {
    for shape in [&[3, 4][..], &[5], &[2, 3, 4], &[1, 1], &[0, 3]] {
        let features = &shape[shape.len() - 1..];
        let inputs = [random(shape, 1), random(features, 2), random(features, 3)];
        check("layer_norm", |x| x[0].layer_norm(Some(&x[1]), Some(&x[2]), 0.1), &inputs);
        check("layer_norm without bias", |x| x[0].layer_norm(Some(&x[1]), None, 0.1), &inputs[..2]);
        let without_weight = [inputs[0].clone(), inputs[2].clone()];
        check("layer_norm without weight", |x| x[0].layer_norm(None, Some(&x[1]), 0.1), &without_weight);
        check("layer_norm alone", |x| x[0].layer_norm(None, None, 0.1), &inputs[..1]);
    }
    for shape in [&[3, 2, 4][..], &[2, 3, 2, 5], &[1, 1, 2], &[4, 3], &[2, 2, 17, 2]] {
        let channels = &shape[1..2];
        let inputs = [random(shape, 1), random(channels, 2), random(channels, 3)];
        check("batch_norm", |x| x[0].batch_norm(&x[1], &x[2], 0.1).0, &inputs);
        check("batch_norm_relu", |x| x[0].batch_norm_relu(&x[1], &x[2], 0.1, None).0, &inputs);
        let [x, weight, bias] = inputs;
        let inputs = [x, weight, bias, random(shape, 4)];
        check("batch_norm_relu of a sum", |x| x[0].batch_norm_relu(&x[1], &x[2], 0.1, Some(&x[3])).0, &inputs);
    }
    for shape in [&[3, 2, 4][..], &[1, 1], &[4, 3], &[0, 2, 3], &[2, 2, 0], &[2, 3, 2, 5]] {
        let channels = &shape[1..2];
        let variance = random(channels, 4).powi(2) + 0.5;
        let inputs = [random(shape, 1), random(channels, 2), variance, random(channels, 3), random(channels, 5)];
        check("batch_norm_by", |x| x[0].batch_norm_by(&x[1], &x[2], &x[3], &x[4], 0.1), &inputs);
    }
    let view = [random(&[3, 4, 2], 1), random(&[3], 2), random(&[3], 3)];
    check("batch_norm of a view", |x| x[0].transpose(0, 1).batch_norm(&x[1], &x[2], 0.1).0, &view);
    let view = [random(&[4, 3], 1), random(&[4], 2)];
    check("layer_norm of a view", |x| x[0].t().layer_norm(Some(&x[1]), None, 0.1), &view);
}

#[test]
fn equations() {
    let (a, b, c) = (random(&[2, 3], 1), random(&[3, 4], 2), random(&[2, 3, 3], 3));
    for equation in ["ij,jk->ik", "ij,jk", "ij,jk->kij", "ij,jk->", "ij,jk->j"] {
        check(equation, |x| einsum(equation, &[&x[0], &x[1]]), &[a.clone(), b.clone()]);
    }
    for equation in ["bii->b", "bij->jb", "bii->bi", "bij->"] {
        check(equation, |x| einsum(equation, &[&x[0]]), std::slice::from_ref(&c));
    }
    check("three", |x| einsum("bij,bj,jk->bk", &[&x[0], &x[1], &x[2]]), &[c.clone(), a.clone(), b.clone()]);
    for equation in ["...i,...ij->...j", "i...,...j", "...i,i...->", "...,..."] {
        check(equation, |x| einsum(equation, &[&x[0], &x[1]]), &[random(&[2, 1, 3], 1), random(&[3, 3], 2)]);
    }
    check("size one", |x| einsum("ij,jk->ik", &[&x[0], &x[1]]), &[random(&[2, 1], 1), random(&[3, 4], 2)]);
    check("empty", |x| einsum("ij,jk->ik", &[&x[0], &x[1]]), &[random(&[2, 0], 1), random(&[0, 3], 2)]);
}

#[test]
fn networks_of_operations_agree_too() {
    let inputs = [random(&[5, 3], 1), random(&[3, 4], 2), random(&[4], 3), random(&[4, 2], 4)];
    let labels = Tensor::from_slice(&[0i64, 1, 1, 0, 1], [5, 1]);
    check(
        "two layers and a loss",
        |x| -(x[0].matmul(&x[1]) + &x[2]).tanh().matmul(&x[3]).log_softmax(1).gather(1, &labels).mean(),
        &inputs,
    );
}

#[test]
fn the_hessian_of_a_quadratic_is_its_matrix() {
    let a = random(&[3, 3], 1);
    let a = no_grad(|| &a + a.t());
    let x = random(&[3], 2).requires_grad();
    let value = x.matmul(&a.matmul(&x)) * 0.5;
    let gradients = value.backward_with(BackwardOptions { create_graph: true, ..Default::default() });
    for row in 0..3 {
        let options = BackwardOptions { retain_graph: true, ..Default::default() };
        let second = gradients[&x].narrow(0, row, 1).sum().backward_with(options);
        let expected = a.narrow(0, row, 1).to_vec::<f64>();
        for (got, expected) in second[&x].to_vec::<f64>().iter().zip(expected) {
            assert!((got - expected).abs() < 1e-12, "{got} {expected}");
        }
    }
}
