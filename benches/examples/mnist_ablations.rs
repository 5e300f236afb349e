//! What each idea brings on MNIST: small networks trained on the first 16,000 training images, judged by the last 10,000. The test
//! images are not read. Usage: plain|norm|augment|cycle|scale|average
use hadal::data::Augment;
use hadal::optim::Schedule;
use hadal::prelude::*;
use hadal::train::ExponentialMovingAverage;

const BATCH: usize = 128;
const TRAINING: usize = 16_000;

fn main() -> hadal::Result<()> {
    let kind = std::env::args().nth(1).unwrap_or_default();
    // Each step has what those before it have.
    let step = ["plain", "norm", "augment", "cycle", "scale", "average"].iter().position(|name| *name == kind);
    let step = step.expect("one of plain, norm, augment, cycle, scale, average");
    let images = Mnist::load()?.0.reshape([1, 28, 28])?;
    let held_back = images.select(&(50_000..60_000).collect::<Vec<_>>())?;
    let mut training = images.select(&(0..TRAINING).collect::<Vec<_>>())?;
    if step >= 2 {
        let changes = Augment::new().shift(0.08).rotate(10.0);
        training = training.augment(if step == 4 { changes.scale(0.9, 1.1) } else { changes })?;
    }
    let mut network = Sequential::new([1, 28, 28]).seed(1);
    for (filters, padding, pools) in [(16, 1, true), (32, 1, false), (32, 1, true), (64, 1, false), (64, 0, false)] {
        let convolution = Conv2d::new(filters, 3).padding(padding);
        network = network.add(if step >= 1 { convolution.without_bias() } else { convolution });
        if pools {
            network = network.add(MaxPool2d::new(2));
        }
        if step >= 1 {
            network = network.add(BatchNorm::new());
        }
        network = network.add(Relu);
    }
    let (rate, schedule) = match step {
        0..=2 => (0.001, Schedule::Constant),
        3 | 4 => (0.003, Schedule::OneCycle { div_factor: 10.0, final_div_factor: 1e3, pct_start: 0.2 }),
        _ => (0.002, Schedule::Exponential { gamma: 0.8f64.powf(BATCH as f64 / TRAINING as f64) }),
    };
    let network = network.add(Flatten).add(Dense::new(10).activation(Softmax));
    let mut model = network.compile(Adam::new(rate), CategoricalCrossentropy, [Accuracy])?;
    let mut fit = Fit::epochs(8).batch_size(BATCH).validation_data(&held_back).schedule(schedule);
    if kind == "average" {
        fit = fit.callback(ExponentialMovingAverage::new(0.99).warm_up(true).validate(true));
    }
    model.fit(&training, fit)?;
    println!("{kind}: {}", model.evaluate(&held_back)?);
    Ok(())
}
