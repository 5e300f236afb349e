//! All operations, given arguments.

use hadal_tensor::autograd::with_gradient;
use hadal_tensor::{
    Conv, Ellipsis, Formula, Interpolation, NewAxis, Padding, Pool, REST, Real, RecurrentCell, RecurrentWeights, Rng,
    States, Step, Steps, Tensor, WeightDecay, concat, einsum, stack,
};

use super::Arguments;

pub type Operation = (&'static str, Box<dyn Fn(&Arguments) -> Tensor>);

/// Operations whose results depend on their inputs alone.
pub fn operations() -> Vec<Operation> {
    fn op(name: &'static str, f: impl Fn(&Arguments) -> Tensor + 'static) -> Operation {
        (name, Box::new(f))
    }
    vec![
        op("add", |a| &a.x + &a.y),
        op("sub", |a| &a.x - &a.y),
        op("mul", |a| &a.x * &a.y),
        op("div", |a| &a.x / &a.y),
        op("neg", |a| -&a.x),
        op("add_number", |a| &a.x + a.number),
        op("sub_number", |a| a.number - &a.x),
        op("mul_number", |a| a.number * &a.x),
        op("div_number", |a| &a.x / a.number),
        op("number_div", |a| a.number / &a.x),
        op("add_integer", |a| &a.x + a.start as i64),
        op("integer_sub", |a| a.end as i64 - &a.x),
        op("mul_integer", |a| &a.x * -(a.start as i64)),
        op("div_integer", |a| &a.x / a.end as i64),
        op("add_f32", |a| &a.x + a.number as f32),
        op("sub_usize", |a| &a.x - a.start),
        op("mul_i32", |a| &a.x * -(a.end as i32)),
        op("div_u8", |a| &a.x / a.end as u8),
        op("lt_usize", |a| a.x.lt(a.start)),
        op("pow", |a| a.x.pow(&a.y)),
        op("maximum", |a| a.x.maximum(&a.y)),
        op("minimum", |a| a.x.minimum(&a.y)),
        op("eq", |a| a.x.eq(&a.y)),
        op("ne", |a| a.x.ne(a.number)),
        op("lt", |a| a.x.lt(a.number)),
        op("le", |a| a.x.le(a.start as i64)),
        op("gt", |a| a.x.gt(&a.y)),
        op("ge", |a| a.x.ge(a.number)),
        op("where_", |a| a.x.gt(0).where_(&a.y, &a.z)),
        op("exp", |a| a.x.exp()),
        op("ln", |a| a.x.ln()),
        op("sqrt", |a| a.x.sqrt()),
        op("expm1", |a| a.x.expm1()),
        op("sin", |a| a.x.sin()),
        op("cos", |a| a.x.cos()),
        op("atan", |a| a.x.atan()),
        op("tanh", |a| a.x.tanh()),
        op("sigmoid", |a| a.x.sigmoid()),
        op("softplus", |a| a.x.softplus()),
        op("erf", |a| a.x.erf()),
        op("log1p", |a| a.x.log1p()),
        op("erfc", |a| a.x.erfc()),
        op("gelu", |a| a.x.gelu()),
        op("silu", |a| a.x.silu()),
        op("log_cosh", |a| a.x.log_cosh()),
        op("relu", |a| a.x.relu()),
        op("abs", |a| a.x.abs()),
        op("sign", |a| a.x.sign()),
        op("floor", |a| a.x.floor()),
        op("recip", |a| a.x.recip()),
        op("powi", |a| a.x.powi(a.axis.clamp(-4, 4) as i32)),
        op("powf", |a| a.x.powf(a.number)),
        op("clamp", |a| a.x.clamp(-a.number.abs(), a.number)),
        op("to_dtype", |a| a.x.to_dtype(a.dtype)),
        op("gather", |a| a.x.gather(a.axis, &a.index)),
        op("scatter_add", |a| a.x.scatter_add(a.axis, &a.index, a.shape.clone())),
        op("index_select", |a| a.x.index_select(a.axis, &a.index)),
        op("one_hot", |a| a.index.one_hot(a.start)),
        op("concat", |a| concat(&[a.x.clone(), a.y.clone(), a.x.clone()], a.axis)),
        op("stack", |a| stack(&[a.x.clone(), a.x.clone()], a.axis)),
        op("matmul", |a| a.x.matmul(&a.y)),
        op("matmul_turned", |a| a.x.matmul(&a.x.t())),
        op("linear", |a| a.x.linear(&a.y, Some(&a.z))),
        op("linear_relu", |a| a.x.linear_relu(&a.y, None)),
        op("linear_gelu", |a| a.x.linear_gelu(&a.y, Some(&a.z))),
        op("attention", |a| a.x.attention(&a.y, &a.z, a.start.is_multiple_of(2))),
        op("attention_to_itself", |a| a.x.attention(&a.x, &a.x, a.start.is_multiple_of(2))),
        op("recurrent", |a| {
            let weights = RecurrentWeights { ih: &a.y, hh: &a.z, bias: None };
            a.x.recurrent(RecurrentCell::Lstm, weights, &[a.x.clone(), a.y.clone()], &Steps::of(a.start, a.end)).0
        }),
        op("recurrent_linear", |a| {
            // Weights that fit: as many units as rows.
            let square = a.x.matmul(&a.x.t());
            let weights = RecurrentWeights { ih: &a.x, hh: &square, bias: None };
            let state = Tensor::zeros([a.end, square.size(0)]).to_dtype(a.x.dtype());
            let rows = if a.start > 1 { Steps::of(a.start, a.end) } else { Steps::of(square.size(0), 1).reversed() };
            a.x.recurrent(RecurrentCell::Tanh, weights, &[state], &rows).0
        }),
        op("sum", |a| a.x.sum()),
        op("sum_axes", |a| a.x.sum_axes(&a.axes)),
        op("sum_keepdim", |a| a.x.sum_keepdim(&a.axes)),
        op("mean", |a| a.x.mean()),
        op("mean_axes", |a| a.x.mean_axes(&a.axes)),
        op("mean_keepdim", |a| a.x.mean_keepdim(&a.axes)),
        op("max", |a| a.x.max()),
        op("max_axes", |a| a.x.max_axes(&a.axes)),
        op("min", |a| a.x.min()),
        op("min_axes", |a| a.x.min_axes(&a.axes)),
        op("argmax", |a| a.x.argmax(a.axis)),
        op("argmin", |a| a.x.argmin(a.axis)),
        op("softmax", |a| a.x.softmax(a.axis)),
        op("log_softmax", |a| a.x.log_softmax(a.axis)),
        op("masked_softmax", |a| {
            let mask = (a.number < 1.0).then(|| a.z.gt(0));
            a.x.masked_softmax(0.5, a.axis > 0, mask.as_ref())
        }),
        op("layer_norm", |a| {
            let y = Some(&a.y).filter(|_| a.number < 1.0);
            a.x.layer_norm(y, Some(&a.z).filter(|_| a.axis > 0), 0.1)
        }),
        op("flip", |a| a.x.flip(&a.axes)),
        op("roll", |a| a.x.roll(a.other_axis, a.axis)),
        op("repeat", |a| a.x.repeat(&a.shape)),
        op("split", |a| all(&a.x.split(a.start, a.axis))),
        op("split_by_sizes", |a| all(&a.x.split([a.start, a.end], a.axis))),
        op("chunk", |a| all(&a.x.chunk(a.start, a.axis))),
        op("pad", |a| a.x.pad(&[(a.start, a.end)], Padding::Constant(a.number))),
        op("pad_reflect", |a| a.x.pad(&[(a.start, a.end)], Padding::Reflect)),
        op("pad_replicate", |a| a.x.pad(&[(a.start, a.end), (1, 0)], Padding::Replicate)),
        op("sort", |a| a.x.sort(a.axis).0),
        op("sort_descending", |a| a.x.sort_descending(a.axis).1),
        op("argsort", |a| a.x.argsort(a.axis)),
        op("argsort_descending", |a| a.x.argsort_descending(a.axis)),
        op("topk", |a| a.x.topk(a.start, a.axis).0),
        op("topk_smallest", |a| a.x.topk_smallest(a.start, a.axis).1),
        op("cumsum", |a| a.x.cumsum(a.axis)),
        op("cumprod", |a| a.x.cumprod(a.axis)),
        op("var", |a| a.x.var(&a.axes, a.start)),
        op("std", |a| a.x.std(&a.axes, 1)),
        op("norm", |a| a.x.norm(a.number, &a.axes)),
        op("logsumexp", |a| a.x.logsumexp(&a.axes)),
        op("tril", |a| a.x.tril(a.axis)),
        op("triu", |a| a.x.triu(a.axis)),
        op("diag", |a| a.x.diag(a.axis)),
        op("outer", |a| a.x.outer(&a.y)),
        op("eye", |a| Tensor::eye(a.start)),
        op("eye_of_sizes", |a| Tensor::eye([a.start, a.end])),
        op("arange_step", |a| Tensor::arange_step(0.0, a.number, a.axis as f64)),
        op("linspace", |a| Tensor::linspace(a.number, 1.0, a.start)),
        op("masked_fill", |a| a.x.masked_fill(&a.y.gt(0), a.number)),
        op("einsum", |a| einsum("ij,jk->ki", &[&a.x, &a.y])),
        op("einsum_ellipsis", |a| einsum("...ij,...jk", &[&a.x, &a.y])),
        op("einsum_trace", |a| einsum("ii,ij", &[&a.x, &a.y])),
        op("i", |a| a.x.i((.., a.start..a.end, a.axis))),
        op("i_step", |a| a.x.i((Step(a.other_axis.., a.axis), Ellipsis, NewAxis))),
        op("i_places", |a| a.x.i((Ellipsis, &a.index))),
        op("layer_norm", |a| a.x.layer_norm(Some(&a.y), Some(&a.z), a.number)),
        op("masked_softmax", |a| a.x.masked_softmax(a.number, a.start % 2 == 0, Some(&a.y.gt(0)))),
        op("batch_norm", |a| a.x.batch_norm(&a.y, &a.z, a.number).0),
        op("batch_norm_relu", |a| a.x.batch_norm_relu(&a.y, &a.z, a.number, None).0),
        op("batch_norm_add_relu", |a| a.x.batch_norm_relu(&a.y, &a.z, a.number, Some(&a.z)).0),
        op("batch_norm_by", |a| a.x.batch_norm_by(&a.y, &a.z, &a.y, &a.z, a.number)),
        op("conv", |a| a.x.conv(&a.y, Some(&a.z), Conv::new().stride(a.start).padding(a.end))),
        op("conv_relu", |a| a.x.conv_relu(&a.y, Some(&a.z), Conv::new().stride(a.start).padding(a.end))),
        op("conv_with_dilation", |a| a.x.conv(&a.y, None, Conv::new().dilation(a.start).groups(a.end))),
        op("conv_transpose", |a| a.x.conv_transpose(&a.y, None, Conv::new().stride(a.start).padding(a.end))),
        op("conv_with_same_padding", |a| a.x.conv(&a.y, None, Conv::new().stride(a.start).same_padding())),
        op("max_pool_rounded_up", |a| a.x.max_pool(Pool::new(a.start).stride(a.end).ceil_mode(true))),
        op("max_pool_with_same_padding", |a| a.x.max_pool(Pool::new(a.start).stride(a.end).same_padding())),
        op("avg_pool_rounded_up", |a| a.x.avg_pool(Pool::new(a.start).stride(a.end).ceil_mode(true))),
        op("avg_pool_with_same_padding", |a| a.x.avg_pool(Pool::new(a.start).stride(a.end).same_padding())),
        op("max_pool", |a| a.x.max_pool(Pool::new(a.start).padding(a.end).dilation(2))),
        op("avg_pool", |a| a.x.avg_pool(Pool::new(a.start).stride(a.end))),
        op("adaptive_avg_pool", |a| a.x.adaptive_avg_pool(a.start)),
        op("adaptive_max_pool", |a| a.x.adaptive_max_pool([a.start, a.end])),
        op("interpolate", |a| a.x.interpolate(a.start, Interpolation::Linear)),
        op("interpolate_by", |a| a.x.interpolate_by(a.number, Interpolation::Linear)),
        op("interpolate_nearest_by", |a| a.x.interpolate_by(a.number, Interpolation::Nearest)),
        op("interpolate_nearest", |a| a.x.interpolate(a.start, Interpolation::Nearest)),
        op("unfold", |a| a.x.unfold(Pool::new(a.start).padding(a.end))),
        op("fold", |a| a.x.fold([a.start, a.end], Pool::new(2))),
        op("reshape", |a| a.x.reshape(a.shape.clone())),
        op("reshape_rest", |a| {
            let mut sizes = a.shape.clone();
            sizes.insert(a.start.min(sizes.len()), REST);
            a.x.reshape(sizes)
        }),
        op("flatten", |a| a.x.flatten(a.axis)),
        op("transpose", |a| a.x.transpose(a.axis, a.other_axis)),
        op("t", |a| a.x.t()),
        op("permute", |a| a.x.permute(&a.axes)),
        op("narrow", |a| a.x.narrow(a.axis, a.start, a.end)),
        op("slice", |a| a.x.slice(a.axis, a.start..=a.end)),
        op("slice_from", |a| a.x.slice(a.axis, a.start..)),
        op("slice_step", |a| a.x.slice_step(a.axis, ..a.end, a.start)),
        op("expand", |a| a.x.expand(a.shape.clone())),
        op("unsqueeze", |a| a.x.unsqueeze(a.axis)),
        op("squeeze", |a| a.x.squeeze(a.axis)),
        op("contiguous", |a| a.x.contiguous()),
        op("zeros_like", |a| a.x.zeros_like()),
        op("ones_like", |a| a.x.ones_like()),
        op("detach", |a| a.x.detach()),
        op("requires_grad", |a| a.x.clone().requires_grad()),
        op("retain_grad", |a| a.x.clone().retain_grad()),
        op("to_string", |a| Tensor::arange(a.x.to_string().len() + format!("{:?}", a.x).len())),
        op("full_of", |a| Tensor::full_of(a.shape.clone(), a.number, a.dtype)),
        op("full", |a| Tensor::full(a.shape.clone(), a.number)),
        op("scalar", |a| Tensor::scalar(a.number)),
        op("zeros", |a| Tensor::zeros(a.shape.clone())),
        op("ones", |a| Tensor::ones(a.shape.clone())),
        op("arange", |a| Tensor::arange(a.start)),
        op("from_slice", |a| Tensor::from_slice(&[1.0f32, 2.0], a.shape.clone())),
        op("from_vec", |a| Tensor::from_vec(vec![1i64, 2, 3], a.shape.clone())),
        op("bytes_from", |a| {
            let filled = Tensor::bytes_from(a.shape.clone(), |bytes| {
                bytes.fill(7);
                Ok::<(), ()>(())
            });
            filled.unwrap()
        }),
        op("rand", |a| Tensor::rand(a.shape.clone(), &mut Rng::new(1))),
        op("randn", |a| Tensor::randn(a.shape.clone(), &mut Rng::new(1))),
        op("bernoulli", |a| Tensor::bernoulli(a.shape.clone(), a.number, &mut Rng::new(1))),
        op("bernoulli_scaled", |a| Tensor::bernoulli_scaled(a.shape.clone(), 0.5, a.number, &mut Rng::new(1))),
        op("permutation", |a| Tensor::permutation(a.start, &mut Rng::new(1))),
        op("size", |a| Tensor::arange(a.x.size(a.axis).min(9))),
        op("item", |a| Tensor::scalar(a.x.item())),
        op("add_assign", |a| changed(a, |x| *x += &a.y)),
        op("sub_assign", |a| changed(a, |x| *x -= a.number)),
        op("mul_assign", |a| changed(a, |x| *x *= a.start as i64)),
        op("div_assign", |a| changed(a, |x| *x /= &a.y)),
        op("add_scaled", |a| changed(a, |x| x.add_scaled(a.number, &a.y))),
        op("assign", |a| changed(a, |x| x.assign(&a.y))),
        op("assign_narrow", |a| changed(a, |x| x.assign_narrow(a.axis, a.start, &a.y))),
        op("update", |a| {
            let mut state = [a.y.zeros_like()];
            changed(a, |x| x.update(&Momentum, WeightDecay::NONE, &mut state, &a.y))
        }),
        op("with_gradient", |a| with_gradient(&a.x.detach(), &[&a.x], |_, g| g * 2.0)),
    ]
}

/// Parts of unequal sizes, in one.
#[track_caller]
fn all(parts: &[Tensor]) -> Tensor {
    let flat: Vec<Tensor> = parts.iter().map(|part| part.reshape([part.elements()])).collect();
    concat(&flat, 0)
}

#[derive(Clone, Copy, Debug)]
struct Momentum;

impl Formula for Momentum {
    const STATES: usize = 1;

    #[inline(always)]
    fn step<T: Real>(self, w: &mut T, g: T, [v, ..]: States<T>) {
        *v = T::from_f64(0.9) * *v + g;
        *w = *w - *v;
    }
}

/// The first argument after a change in place; that of a copy of its handle is not to be seen.
#[track_caller]
fn changed(a: &Arguments, change: impl FnOnce(&mut Tensor)) -> Tensor {
    let mut x = a.x.clone();
    change(&mut x);
    x
}
