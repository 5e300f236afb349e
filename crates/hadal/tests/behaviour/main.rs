//! What happens at the edges: infinite logits, NaN scores, empty batches, frozen layers, failing runs, training resumed.

mod accumulation;
mod activations;
mod attention;
mod averaging;
mod checkpointed;
mod data;
mod decoder;
mod further_losses;
mod health;
mod images;
mod layers;
mod losses;
mod metrics;
mod optimizers;
mod padded;
mod parts;
mod resume;
mod splits;
mod stopping;
mod stray_cells;
mod tables;
mod training;
mod views;

use hadal::prelude::*;
use hadal::{Error, Result};

#[track_caller]
fn says<T>(result: Result<T>, parts: &[&str]) {
    let error: Error = match result {
        Ok(_) => panic!("this should be an error that says {parts:?}"),
        Err(error) => error,
    };
    contains(&error.to_string(), parts);
}

/// The message of the panic in `f`.
#[track_caller]
fn panics<T>(f: impl FnOnce() -> T, parts: &[&str]) {
    let panic = match std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)) {
        Ok(_) => panic!("this should be a panic that says {parts:?}"),
        Err(panic) => panic,
    };
    let text = panic.downcast_ref::<String>().cloned();
    contains(&text.or(panic.downcast_ref::<&str>().map(|&text| text.to_owned())).unwrap(), parts);
}

#[track_caller]
fn contains(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "`{message}` does not say `{part}`");
    }
}

fn floats<const N: usize>(numbers: [f32; N], shape: impl Into<hadal::Shape>) -> Tensor {
    Tensor::from_slice(&numbers, shape)
}

fn labels<const N: usize>(numbers: [i64; N]) -> Tensor {
    Tensor::from_slice(&numbers, [N])
}

/// `n` points of the plane of `classes` classes, from a fixed seed.
fn points(n: usize, classes: usize) -> Dataset {
    let x = Tensor::randn([n, 2], &mut Rng::new(1));
    let labels: Vec<i64> = (0..n).map(|i| ((i * i + i / 3) % classes) as i64).collect();
    Dataset::new("points", x, Tensor::from_vec(labels, [n])).unwrap()
}
