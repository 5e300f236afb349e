//! Single operations at the sizes of the lecture's network.

#![allow(missing_docs)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hadal::WeightDecay;
use hadal::prelude::*;

fn products(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("matmul");
    let mut rng = Rng::new(1);
    for (batch, input, output) in [(128, 784, 512), (128, 512, 512), (128, 512, 10), (1024, 1024, 1024)] {
        let (x, w) = (Tensor::randn([batch, input], &mut rng), Tensor::randn([output, input], &mut rng));
        let g = Tensor::randn([batch, output], &mut rng);
        group.throughput(Throughput::Elements(2 * (batch * input * output) as u64));
        group.bench_function(format!("forward {batch} x {input} x {output}"), |b| b.iter(|| x.matmul(&w.t())));
        group.bench_function(format!("input gradient {batch} x {input} x {output}"), |b| b.iter(|| g.matmul(&w)));
        group.bench_function(format!("weight gradient {batch} x {input} x {output}"), |b| b.iter(|| g.t().matmul(&x)));
    }
    group.finish();
}

fn functions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("128 x 512");
    let mut rng = Rng::new(1);
    let x = Tensor::randn([128, 512], &mut rng);
    let bias = Tensor::randn([512], &mut rng);
    group.throughput(Throughput::Elements(128 * 512));
    group.bench_function("relu", |b| b.iter(|| x.relu()));
    group.bench_function("tanh", |b| b.iter(|| x.tanh()));
    group.bench_function("exp", |b| b.iter(|| x.exp()));
    group.bench_function("add bias", |b| b.iter(|| &x + &bias));
    group.bench_function("sum over rows", |b| b.iter(|| x.sum_axes(&[0])));
    group.bench_function("softmax", |b| b.iter(|| x.softmax(1)));
    group.bench_function("dropout mask", |b| b.iter(|| Tensor::bernoulli_scaled([128, 512], 0.8, 1.25, &mut rng)));
    group.finish();
}

fn updates(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("update of 10 million parameters");
    let n = 10_000_000;
    let (mut w, g) = (Tensor::zeros([n]), Tensor::full([n], 1e-3));
    group.throughput(Throughput::Elements(n as u64));
    let optimizers: [Box<dyn Optimizer>; 3] =
        [Box::new(Sgd::new(1e-3)), Box::new(RmsProp::new(1e-3)), Box::new(Adam::new(1e-3))];
    for optimizer in optimizers {
        optimizer.update_rule(1e-3, 1, &mut |rule| {
            let mut states: Vec<Tensor> = (0..rule.states()).map(|_| w.zeros_like()).collect();
            group.sample_size(20).bench_function(optimizer.name(), |b| {
                b.iter(|| w.update(rule, WeightDecay::NONE, &mut states, black_box(&g)));
            });
        });
    }
    group.finish();
}

criterion_group!(benches, products, functions, updates);
criterion_main!(benches);
