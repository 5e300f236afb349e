//! The lecture's workloads, whole.

#![allow(missing_docs)]

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use hadal::prelude::*;
use hadal_benches::{autograd_program, lecture_network};

fn lecture(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lecture");
    group.sample_size(10);
    group.bench_function("autograd program, 2,000 steps", |b| b.iter(|| autograd_program(2000)));
    let (train, _) = Digits::generate(0).expect("digits are generated");
    group.bench_function("epoch of 60,000 images, batch 128", |b| {
        b.iter_batched(
            lecture_network,
            |mut model| model.fit(&train, Fit::epochs(1).batch_size(128).quiet()).expect("the data fits"),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, lecture);
criterion_main!(benches);
