//! Training of 100 million parameters with and without checkpoints: the steps' times in milliseconds, and that of a copy of all
//! parameters and states. Usage: FOLDER [STEPS]
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use hadal::prelude::*;
use hadal::train::{Checkpoint, Every};

/// Inputs and units of the large layer: 100 million weights.
const WIDTH: usize = 10_000;
const BATCH: usize = 16;
/// Steps that are not counted: memory is asked for.
const WARM: usize = 3;

/// Milliseconds from the end of one step to that of the next, checkpoints in between included.
fn train(data: &Dataset, checkpoint: Option<Checkpoint>) -> hadal::Result<Vec<f64>> {
    let model = Sequential::new([WIDTH]).add(Dense::new(WIDTH).activation(Relu)).add(Dense::new(1));
    let mut model = model.compile(Sgd::new(1e-6).momentum(0.9), MeanSquaredError, ())?;
    let mut ends = Vec::new();
    let mut fit = Fit::epochs(1).batch_size(BATCH).quiet().on_event(|event: &Event| {
        if let Event::BatchEnd { .. } = event {
            ends.push(Instant::now());
        }
        Ok(Flow::Continue)
    });
    if let Some(checkpoint) = checkpoint {
        fit = fit.callback(checkpoint);
    }
    model.fit(data, fit)?;
    Ok(ends.windows(2).skip(WARM).map(|pair| (pair[1] - pair[0]).as_secs_f64() * 1e3).collect())
}

fn report(name: &str, times: &[f64]) {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    let longest: Vec<String> = sorted.iter().rev().take(3).map(|time| format!("{time:.0}")).collect();
    println!("{name}: median {:.0}, longest {}", sorted[sorted.len() / 2], longest.join(" "));
}

fn main() -> hadal::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().expect("a folder for the checkpoint");
    let steps = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(60);
    let path = Path::new(&folder).join("checkpoint.safetensors");
    let mut rng = Rng::new(1);
    let samples = BATCH * steps;
    let data = Dataset::new("noise", Tensor::randn([samples, WIDTH], &mut rng), Tensor::randn([samples, 1], &mut rng))?;
    for _ in 0..3 {
        // Weights and momenta, into memory that the system has just given, as a step's is while a checkpoint holds the old.
        let state = vec![1.0f32; 2 * WIDTH * WIDTH];
        let start = Instant::now();
        let mut copy = black_box(state.clone());
        let new = start.elapsed();
        copy.copy_from_slice(black_box(&state));
        let again = start.elapsed() - new;
        println!("copy: {:.0}, into the same memory again {:.0}", new.as_secs_f64() * 1e3, again.as_secs_f64() * 1e3);
        drop((state, black_box(copy)));
        report("without", &train(&data, None)?);
        report("with", &train(&data, Some(Checkpoint::new(&path).every(Every::Steps(20))))?);
    }
    let size = path.metadata().expect("the checkpoint has been written").len();
    println!("file: {:.0} MB", size as f64 / 1e6);
    Ok(())
}
