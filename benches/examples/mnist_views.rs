//! What the views of `hadal train mnist --recipe best` were chosen by: both kinds of its networks, trained for 20 epochs on the first 50,000
//! training images, and their mean over views of the last 10,000, changed as in training and less. The test images are not read.
use std::collections::BTreeMap;

use hadal::data::Augment;
use hadal::nn::Ensemble;
use hadal::optim::Schedule;
use hadal::prelude::*;
use hadal_benches::{Convolutions, normalized_network};

const SMALL_WINDOWS: Convolutions =
    &[(3, 32, false), (3, 32, true), (3, 64, false), (3, 64, true), (3, 128, false), (3, 128, false)];
const LARGE_WINDOWS: Convolutions =
    &[(5, 32, true), (3, 64, false), (3, 64, false), (3, 64, true), (3, 128, false), (3, 128, false), (3, 128, false)];

/// So much of the changes in training.
fn changes(share: f64) -> Augment {
    Augment::new()
        .shift(0.1 * share)
        .rotate(15.0 * share)
        .scale(1.0 - 0.15 * share, 1.0 + 0.15 * share)
        .shear(10.0 * share)
}

fn trained(convolutions: Convolutions, training: &Dataset) -> hadal::Result<Sequential> {
    let network = normalized_network(convolutions).add(Dropout::new(0.4)).add(Dense::new(10).activation(Softmax));
    let sgd = Sgd::new(0.1).momentum(0.9).weight_decay(0.001);
    let mut model = network.compile(sgd, CategoricalCrossentropy, [Accuracy])?.seed(1);
    let cycle = Schedule::OneCycle { div_factor: 25.0, final_div_factor: 1e4, pct_start: 0.3 };
    model.fit(training, Fit::epochs(20).batch_size(128).schedule(cycle))?;
    Ok(model.model)
}

fn main() -> hadal::Result<()> {
    let images = Mnist::load()?.0.reshape([1, 28, 28])?;
    let held_back = images.select(&(50_000..60_000).collect::<Vec<_>>())?;
    let training = images.select(&(0..50_000).collect::<Vec<_>>())?.augment(changes(1.0))?;
    let mean = Ensemble::of([trained(SMALL_WINDOWS, &training)?, trained(LARGE_WINDOWS, &training)?])?;
    let file = "target/examples/mnist_views.safetensors";
    mean.save(file, &BTreeMap::new())?;
    for (share, views) in [(0.0, 1), (0.25, 8), (0.5, 8), (0.75, 8), (1.0, 8)] {
        let mean = Sequential::load(file)?.0;
        let model = Ensemble::of_views(mean, changes(share), views)?;
        let model = model.compile(Adam::default(), CategoricalCrossentropy, [Accuracy])?;
        println!("views changed by {share} of what the training's are: {}", model.evaluate(&held_back)?);
    }
    Ok(())
}
