//! The primitive kernels on the processor: checks dtypes, finds the buffers, and calls the kernel's file.

mod attention;
mod batch_norm;
pub(crate) mod buffer;
pub(crate) mod caches;
mod convolution;
mod copy;
mod dtypes;
mod elementwise;
pub(crate) mod float;
mod gelu;
mod gemm;
mod index;
mod layer_norm;
pub(crate) mod machine;
mod masked_softmax;
mod matmul;
mod order;
pub(crate) mod pages;
pub(crate) mod pool;
mod pooling;
mod random;
mod recurrent;
mod reduce;
mod rows;
pub(crate) mod shared;
pub(crate) mod simd;
mod strided;
pub(crate) mod threads;
pub(crate) mod update;

use crate::backend::{
    Backend, BinaryOp, CompareOp, Distribution, Epilogue, Geometry, HostData, RecurrentGradients, RecurrentLayer,
    ReduceOp, Storage, Then, UnaryOp, View,
};
use crate::dtype::DType;
use crate::precision::MatmulPrecision;
use crate::random::Key;
use crate::shape::{Layout, Shape};
use crate::update::{UpdateRule, WeightDecay};
use buffer::Buffer;
use convolution::Samples;
use dtypes::{BOOL, F32, F64, I64, U8, bilinear, both, floats32, floats64, indices, mismatch, same_kind};
use matmul::matmul;
use shared::Shared;

/// The processor as a device.
pub(crate) struct Cpu;

/// The buffer of a storage that nobody else holds.
fn exclusive<T: buffer::Plain>(buffer: &mut Shared<T>) -> &mut [T] {
    buffer.get_mut().expect("in-place kernels are called on unshared storages")
}

impl Backend for Cpu {
    fn upload(&self, data: HostData) -> Storage {
        match data {
            HostData::F32(values) => F32(Buffer::from_slice(&values)),
            HostData::F64(values) => F64(Buffer::from_slice(&values)),
            HostData::I64(values) => I64(Buffer::from_slice(&values)),
            HostData::U8(values) => U8(Buffer::from_slice(&values)),
            HostData::Bool(values) => {
                let mut buffer = Buffer::scratch(values.len());
                for (byte, value) in buffer.iter_mut().zip(values) {
                    *byte = u8::from(value);
                }
                BOOL(buffer)
            }
        }
    }

    fn to_host(&self, x: View) -> HostData {
        match x.storage {
            Storage::F32(values) => HostData::F32(copy::to_vec(values, x.layout)),
            Storage::F64(values) => HostData::F64(copy::to_vec(values, x.layout)),
            Storage::I64(values) => HostData::I64(copy::to_vec(values, x.layout)),
            Storage::U8(values) => HostData::U8(copy::to_vec(values, x.layout)),
            Storage::Bool(values) => {
                HostData::Bool(copy::to_vec(values, x.layout).into_iter().map(|byte| byte != 0).collect())
            }
        }
    }

    fn scratch(&self, elements: usize, dtype: DType) -> Storage {
        dtypes::scratch(elements, dtype)
    }

    fn full(&self, elements: usize, value: f64, dtype: DType) -> Storage {
        dtypes::full(elements, value, dtype)
    }

    fn random(&self, distribution: Distribution, key: Key, position: u64, elements: usize) -> Storage {
        F32(random::random(distribution, key, position, elements))
    }

    fn copy(&self, x: View) -> Storage {
        same_kind!(x.storage, |values| any: copy::copy(values, x.layout))
    }

    fn copy_into(&self, target: &mut Storage, layout: &Layout, x: View) {
        both!(target, x.storage, |to, from| any: copy::copy_into(exclusive(to), layout, from, x.layout));
    }

    fn add_into(&self, target: &mut Storage, layout: &Layout, x: View) {
        match (target, x.storage) {
            (Storage::F32(to), Storage::F32(from)) => copy::add_into(exclusive(to), layout, from, x.layout),
            (Storage::F64(to), Storage::F64(from)) => copy::add_into(exclusive(to), layout, from, x.layout),
            (other, _) => mismatch("add_into", other),
        }
    }

    fn cast(&self, x: View, dtype: DType) -> Storage {
        /// One source dtype to each target.
        macro_rules! from {
            ($values:expr, $type:ty) => {
                match dtype {
                    DType::F32 => F32(elementwise::map($values, x.layout, |v: $type| v as f32)),
                    DType::F64 => F64(elementwise::map($values, x.layout, |v: $type| v as f64)),
                    DType::I64 => I64(elementwise::map($values, x.layout, |v: $type| v as i64)),
                    DType::U8 => U8(elementwise::map($values, x.layout, |v: $type| v as u8)),
                    DType::Bool => {
                        BOOL(elementwise::map($values, x.layout, |v: $type| u8::from(v != <$type>::default())))
                    }
                }
            };
        }
        match x.storage {
            Storage::F32(values) => from!(values, f32),
            Storage::F64(values) => from!(values, f64),
            Storage::I64(values) => from!(values, i64),
            Storage::U8(values) | Storage::Bool(values) => from!(values, u8),
        }
    }

    fn unary(&self, op: UnaryOp, x: View) -> Storage {
        same_kind!(x.storage, |values|
            floats: elementwise::float_unary(op, values, x.layout),
            integers: elementwise::integer_unary(op, values, x.layout))
    }

    fn gelu_with_gradient(&self, x: &mut Storage) -> Storage {
        same_kind!(x, |values| floats: gelu::with_gradient(exclusive(values)))
    }

    fn binary(&self, op: BinaryOp, a: View, b: View) -> Storage {
        both!(a.storage, b.storage, |x, y|
            floats: elementwise::float_binary(op, (x, a.layout), (y, b.layout)),
            integers: elementwise::integer_binary(op, (x, a.layout), (y, b.layout)))
    }

    fn binary_assign(&self, op: BinaryOp, target: &mut Storage, layout: &Layout, x: View) {
        assert!(layout.is_contiguous() && layout.offset == 0);
        match (target, x.storage) {
            (Storage::F32(to), Storage::F32(from)) => elementwise::float_assign(op, exclusive(to), from, x.layout),
            (Storage::F64(to), Storage::F64(from)) => elementwise::float_assign(op, exclusive(to), from, x.layout),
            (Storage::I64(to), Storage::I64(from)) => elementwise::integer_assign(op, exclusive(to), from, x.layout),
            (Storage::U8(to), Storage::U8(from)) => elementwise::integer_assign(op, exclusive(to), from, x.layout),
            (other, _) => mismatch("an in-place kernel", other),
        }
    }

    fn add_scaled(&self, target: &mut Storage, layout: &Layout, factor: f64, x: View) {
        assert!(layout.is_contiguous() && layout.offset == 0);
        match (target, x.storage) {
            (Storage::F32(to), Storage::F32(from)) => {
                let factor = factor as f32;
                elementwise::zip_assign(exclusive(to), from, x.layout, move |t, x| t + factor * x);
            }
            (Storage::F64(to), Storage::F64(from)) => {
                elementwise::zip_assign(exclusive(to), from, x.layout, move |t, x| t + factor * x);
            }
            (other, _) => mismatch("add_scaled", other),
        }
    }

    fn compare(&self, op: CompareOp, a: View, b: View) -> Storage {
        BOOL(both!(a.storage, b.storage, |x, y| any: elementwise::compare(op, (x, a.layout), (y, b.layout))))
    }

    fn select(&self, condition: View, a: View, b: View) -> Storage {
        let Storage::Bool(bits) = condition.storage else { mismatch("select", condition.storage) };
        let condition = (&bits[..], condition.layout);
        match (a.storage, b.storage) {
            (Storage::F32(x), Storage::F32(y)) => F32(elementwise::select(condition, (x, a.layout), (y, b.layout))),
            (Storage::F64(x), Storage::F64(y)) => F64(elementwise::select(condition, (x, a.layout), (y, b.layout))),
            (Storage::I64(x), Storage::I64(y)) => I64(elementwise::select(condition, (x, a.layout), (y, b.layout))),
            (Storage::U8(x), Storage::U8(y)) => U8(elementwise::select(condition, (x, a.layout), (y, b.layout))),
            (Storage::Bool(x), Storage::Bool(y)) => BOOL(elementwise::select(condition, (x, a.layout), (y, b.layout))),
            (other, _) => mismatch("select", other),
        }
    }

    fn reduce(&self, op: ReduceOp, x: View, axes: usize) -> Storage {
        if let (ReduceOp::Sum, Storage::U8(values) | Storage::Bool(values)) = (op, x.storage) {
            return I64(reduce::sum_bytes(values, x.layout, axes));
        }
        same_kind!(x.storage, |values|
            floats: reduce::reduce(op, values, x.layout, axes),
            integers: reduce::reduce(op, values, x.layout, axes))
    }

    fn arg_extreme(&self, op: ReduceOp, x: View) -> Storage {
        I64(match x.storage {
            Storage::F32(values) => reduce::arg_extreme(op, values, x.layout),
            Storage::F64(values) => reduce::arg_extreme(op, values, x.layout),
            Storage::I64(values) => reduce::arg_extreme(op, values, x.layout),
            Storage::U8(values) | Storage::Bool(values) => reduce::arg_extreme(op, values, x.layout),
        })
    }

    fn argsort(&self, x: View, descending: bool) -> Storage {
        I64(match x.storage {
            Storage::F32(values) => order::argsort(values, x.layout, descending),
            Storage::F64(values) => order::argsort(values, x.layout, descending),
            Storage::I64(values) => order::argsort(values, x.layout, descending),
            Storage::U8(values) | Storage::Bool(values) => order::argsort(values, x.layout, descending),
        })
    }

    fn cumulative_sum(&self, x: View) -> Storage {
        same_kind!(x.storage, |values|
            floats: order::cumulative_sum(values, x.layout),
            integers: order::cumulative_sum(values, x.layout))
    }

    fn softmax(&self, x: View, logarithm: bool) -> Storage {
        same_kind!(x.storage, |values| floats: reduce::softmax(values, x.layout, logarithm))
    }

    fn masked_softmax(&self, x: View, scale: f64, causal: bool, mask: Option<View>) -> Storage {
        let hidden = mask.map(|mask| match mask.storage {
            Storage::Bool(bytes) => masked_softmax::Hidden { bytes, layout: mask.layout },
            other => mismatch("a mask", other),
        });
        same_kind!(x.storage, |values| floats: masked_softmax::softmax(values, x.layout, scale, causal, hidden))
    }

    fn softmax_gradient(&self, y: View, g: View, scale: f64) -> Storage {
        match (y.storage, g.storage) {
            (Storage::F32(a), Storage::F32(b)) => F32(masked_softmax::gradient((a, y.layout), (b, g.layout), scale)),
            (Storage::F64(a), Storage::F64(b)) => F64(masked_softmax::gradient((a, y.layout), (b, g.layout), scale)),
            (other, _) => mismatch("the gradient of softmax", other),
        }
    }

    fn attention(&self, qkv: [View; 3], scale: f64, causal: bool, keep: bool) -> Option<(Storage, Option<Storage>)> {
        let layouts = qkv.map(|x| x.layout);
        match qkv.map(|x| x.storage) {
            [Storage::F32(q), Storage::F32(k), Storage::F32(v)] => {
                let (out, shares) = attention::Heads::new([q, k, v], layouts, scale, causal)?.forward(keep);
                Some((F32(out), shares.map(F32)))
            }
            [Storage::F64(q), Storage::F64(k), Storage::F64(v)] => {
                let (out, shares) = attention::Heads::new([q, k, v], layouts, scale, causal)?.forward(keep);
                Some((F64(out), shares.map(F64)))
            }
            [other, ..] => mismatch("attention", other),
        }
    }

    fn attention_gradients(
        &self,
        qkv: [View; 3],
        shares: View,
        g: View,
        scale: f64,
        causal: bool,
    ) -> [(Storage, Layout); 3] {
        let layouts = qkv.map(|x| x.layout);
        match (qkv.map(|x| x.storage), shares.storage, g.storage) {
            ([Storage::F32(q), Storage::F32(k), Storage::F32(v)], Storage::F32(shares), Storage::F32(numbers)) => {
                let heads = attention::Heads::new([q, k, v], layouts, scale, causal);
                heads.expect("as forward").backward(shares, (numbers, g.layout), F32)
            }
            ([Storage::F64(q), Storage::F64(k), Storage::F64(v)], Storage::F64(shares), Storage::F64(numbers)) => {
                let heads = attention::Heads::new([q, k, v], layouts, scale, causal);
                heads.expect("as forward").backward(shares, (numbers, g.layout), F64)
            }
            ([other, ..], ..) => mismatch("the gradients of attention", other),
        }
    }

    fn layer_norm(&self, x: View, weight: Option<View>, bias: Option<View>, epsilon: f64) -> Storage {
        match x.storage {
            Storage::F32(values) => {
                let (weight, bias) = (weight.map(floats32), bias.map(floats32));
                F32(layer_norm::forward(values, x.layout, weight.as_deref(), bias.as_deref(), epsilon))
            }
            Storage::F64(values) => {
                let (weight, bias) = (weight.map(floats64), bias.map(floats64));
                F64(layer_norm::forward(values, x.layout, weight.as_deref(), bias.as_deref(), epsilon))
            }
            other => mismatch("layer_norm", other),
        }
    }

    fn layer_norm_gradient(&self, x: View, g: View, weight: Option<View>, epsilon: f64) -> (Storage, Storage) {
        match (x.storage, g.storage) {
            (Storage::F32(a), Storage::F32(b)) => {
                let weight = weight.map(floats32);
                let (dx, sums) = layer_norm::backward((a, x.layout), (b, g.layout), weight.as_deref(), epsilon);
                (F32(dx), F32(sums))
            }
            (Storage::F64(a), Storage::F64(b)) => {
                let weight = weight.map(floats64);
                let (dx, sums) = layer_norm::backward((a, x.layout), (b, g.layout), weight.as_deref(), epsilon);
                (F64(dx), F64(sums))
            }
            (other, _) => mismatch("the gradient of layer_norm", other),
        }
    }

    fn batch_norm(&self, x: View, weight: View, bias: View, epsilon: f64, then: Then<View>) -> (Storage, Storage) {
        let sizes = batch_norm::Sizes::of(x.layout);
        match x.storage {
            Storage::F32(_) => {
                let (x, weight, bias, then) = (floats32(x), floats32(weight), floats32(bias), then.map(floats32));
                let (y, statistics) =
                    batch_norm::forward(&x, &weight, &bias, sizes, epsilon, then.as_ref().map(|added| &**added));
                (F32(y), F32(statistics))
            }
            Storage::F64(_) => {
                let (x, weight, bias, then) = (floats64(x), floats64(weight), floats64(bias), then.map(floats64));
                let (y, statistics) =
                    batch_norm::forward(&x, &weight, &bias, sizes, epsilon, then.as_ref().map(|added| &**added));
                (F64(y), F64(statistics))
            }
            other => mismatch("batch_norm", other),
        }
    }

    fn batch_norm_by(&self, x: View, statistics: [View; 2], weight: View, bias: View, epsilon: f64) -> Storage {
        let (sizes, others) = (batch_norm::Sizes::of(x.layout), [statistics[0], statistics[1], weight, bias]);
        match x.storage {
            Storage::F32(_) => F32(batch_norm::forward_by(&floats32(x), others.map(floats32), sizes, epsilon)),
            Storage::F64(_) => F64(batch_norm::forward_by(&floats64(x), others.map(floats64), sizes, epsilon)),
            other => mismatch("batch_norm_by", other),
        }
    }

    fn batch_norm_gradient(
        &self,
        x: View,
        g: View,
        [weight, bias]: [View; 2],
        statistics: View,
        epsilon: f64,
        relu: bool,
    ) -> (Storage, Storage) {
        let sizes = batch_norm::Sizes::of(x.layout);
        match x.storage {
            Storage::F32(_) => {
                let [x, g, weight, bias, statistics] = [x, g, weight, bias, statistics].map(floats32);
                let (dx, sums) = batch_norm::backward(&x, &g, [&weight, &bias, &statistics], sizes, epsilon, relu);
                (F32(dx), F32(sums))
            }
            Storage::F64(_) => {
                let [x, g, weight, bias, statistics] = [x, g, weight, bias, statistics].map(floats64);
                let (dx, sums) = batch_norm::backward(&x, &g, [&weight, &bias, &statistics], sizes, epsilon, relu);
                (F64(dx), F64(sums))
            }
            other => mismatch("the gradient of batch_norm", other),
        }
    }

    fn matmul(&self, a: View, b: View, epilogue: Option<Epilogue>) -> Storage {
        let relu = epilogue.is_some_and(|epilogue| epilogue.relu);
        let bias = epilogue.map(|epilogue| self.copy(epilogue.bias));
        match (a.storage, b.storage, &bias) {
            (Storage::F32(x), Storage::F32(y), None) => F32(matmul((x, a.layout), (y, b.layout), None)),
            (Storage::F64(x), Storage::F64(y), None) => F64(matmul((x, a.layout), (y, b.layout), None)),
            (Storage::F32(x), Storage::F32(y), Some(Storage::F32(bias))) => {
                F32(matmul((x, a.layout), (y, b.layout), Some(gemm::Epilogue { bias, relu })))
            }
            (Storage::F64(x), Storage::F64(y), Some(Storage::F64(bias))) => {
                F64(matmul((x, a.layout), (y, b.layout), Some(gemm::Epilogue { bias, relu })))
            }
            (other, ..) => mismatch("matmul", other),
        }
    }

    fn matmul_speed(&self, precision: MatmulPrecision) -> f64 {
        gemm::speed_at(precision)
    }

    fn convolution(&self, x: View, w: View, epilogue: Option<Epilogue>, geometry: &Geometry) -> Storage {
        let relu = epilogue.is_some_and(|epilogue| epilogue.relu);
        let bias = epilogue.map(|epilogue| self.copy(epilogue.bias));
        match (x.storage, w.storage, &bias) {
            (_, _, None) => bilinear!(x, w, |a, b| {
                convolution::forward(&Samples::new(a, x.layout), &copy::contiguous(b, w.layout), None, geometry)
            }),
            (Storage::F32(a), Storage::F32(b), Some(Storage::F32(bias))) => {
                let (a, b) = (Samples::new(a, x.layout), copy::contiguous(b, w.layout));
                F32(convolution::forward(&a, &b, Some(gemm::Epilogue { bias, relu }), geometry))
            }
            (Storage::F64(a), Storage::F64(b), Some(Storage::F64(bias))) => {
                let (a, b) = (Samples::new(a, x.layout), copy::contiguous(b, w.layout));
                F64(convolution::forward(&a, &b, Some(gemm::Epilogue { bias, relu }), geometry))
            }
            (other, ..) => mismatch("a convolution", other),
        }
    }

    fn convolution_input(&self, y: View, w: View, geometry: &Geometry) -> Storage {
        bilinear!(y, w, |a, b| {
            convolution::input(&Samples::new(a, y.layout), &copy::contiguous(b, w.layout), geometry)
        })
    }

    fn convolution_weight(&self, x: View, y: View, geometry: &Geometry) -> Storage {
        bilinear!(x, y, |a, b| {
            convolution::weight(&Samples::new(a, x.layout), &Samples::new(b, y.layout), geometry)
        })
    }

    fn largest(&self, x: View, geometry: &Geometry, with_places: bool) -> (Storage, Option<Storage>) {
        pooling::largest(x, geometry, with_places)
    }

    fn recurrent(&self, layer: RecurrentLayer, gates: &mut Storage, bias: Option<View>) -> [Storage; 2] {
        recurrent::storage::forward(layer, gates, bias)
    }

    fn recurrent_gradients(
        &self,
        layer: RecurrentLayer,
        gradient: View,
        gates: &Storage,
        given: [&Storage; 2],
    ) -> RecurrentGradients {
        recurrent::storage::backward(layer, gradient, gates, given)
    }

    fn out_of_range(&self, index: View, size: usize) -> Option<i64> {
        let (values, layout) = indices(index);
        index::out_of_range(values, layout, size)
    }

    fn gather(&self, x: View, axis: usize, index: View) -> Storage {
        let (index, index_layout) = indices(index);
        same_kind!(x.storage, |values| any: index::gather(values, x.layout, axis, index, index_layout))
    }

    fn scatter_add(&self, shape: Shape, axis: usize, index: View, x: View) -> Storage {
        let index = indices(index);
        same_kind!(x.storage, |values|
            floats: index::scatter_add(shape, axis, index, (values, x.layout)),
            integers: index::scatter_add(shape, axis, index, (values, x.layout)))
    }

    fn index_select(&self, x: View, index: View) -> Storage {
        let (index, index_layout) = indices(index);
        same_kind!(x.storage, |values| any: index::index_select(values, x.layout, index, index_layout))
    }

    fn index_add(&self, shape: Shape, index: View, x: View) -> Storage {
        let index = indices(index);
        same_kind!(x.storage, |values|
            floats: index::index_add(shape, index, (values, x.layout)),
            integers: index::index_add(shape, index, (values, x.layout)))
    }

    fn update(
        &self,
        rule: &dyn UpdateRule,
        decay: WeightDecay,
        parameter: &mut Storage,
        states: &mut [&mut Storage],
        gradient: View,
    ) {
        /// The states' buffers, which have the parameter's dtype.
        macro_rules! run {
            ($variant:ident, $parameter:expr, $gradient:expr) => {{
                let mut buffers: Vec<&mut [_]> = states
                    .iter_mut()
                    .map(|state| match &mut **state {
                        Storage::$variant(buffer) => exclusive(buffer),
                        other => mismatch("update", other),
                    })
                    .collect();
                update::update(rule, decay, exclusive($parameter), &mut buffers, ($gradient, gradient.layout));
            }};
        }
        match (parameter, gradient.storage) {
            (Storage::F32(w), Storage::F32(g)) => run!(F32, w, g),
            (Storage::F64(w), Storage::F64(g)) => run!(F64, w, g),
            (other, _) => mismatch("update", other),
        }
    }
}
