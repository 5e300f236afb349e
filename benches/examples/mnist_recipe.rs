//! What `hadal train mnist --recipe best` was chosen by: networks trained for 14 epochs on the first 50,000 training images and judged by
//! the last 10,000, on one thread. The test images are not read.
//! Usage: small|dropout|changes|bent|deep|all|elastic|adamw|decay|more_decay|deeper
use hadal::data::Augment;
use hadal::nn::Ensemble;
use hadal::optim::Schedule;
use hadal::prelude::*;
use hadal_benches::{Convolutions, normalized_network};

const SMALL: Convolutions = &[(3, 24, true), (3, 48, false), (3, 48, true), (3, 96, false), (3, 96, false)];
const DEEP: Convolutions =
    &[(3, 32, false), (3, 32, true), (3, 64, false), (3, 64, true), (3, 128, false), (3, 128, false)];
const DEEPER: Convolutions =
    &[(5, 32, true), (3, 64, false), (3, 64, false), (3, 64, true), (3, 128, false), (3, 128, false), (3, 128, false)];

fn main() -> hadal::Result<()> {
    let few = Augment::new().shift(0.08).rotate(10.0).scale(0.9, 1.1);
    let many = Augment::new().shift(0.1).rotate(15.0).scale(0.85, 1.15).shear(10.0);
    let adam = || Box::new(Adam::new(0.003)) as Box<dyn Optimizer>;
    let sgd = |weight_decay| {
        Box::new(Sgd::new(0.1).momentum(0.9).nesterov(true).weight_decay(weight_decay)) as Box<dyn Optimizer>
    };
    let kind = std::env::args().nth(1).unwrap_or_default();
    let (convolutions, changes, dropout, optimizer) = match kind.as_str() {
        "small" => (SMALL, few, 0.0, adam()),
        "dropout" => (SMALL, few, 0.4, adam()),
        "changes" => (SMALL, many, 0.0, adam()),
        "bent" => (SMALL, few.elastic(6.0, 4.0), 0.0, adam()),
        "deep" => (DEEP, few, 0.0, adam()),
        "all" => (DEEP, many, 0.4, adam()),
        "elastic" => (DEEP, many.elastic(30.0, 4.0), 0.4, adam()),
        "adamw" => (DEEP, many, 0.4, Box::new(AdamW::new(0.003).weight_decay(0.05)) as _),
        "decay" => (DEEP, many, 0.4, sgd(0.0005)),
        "more_decay" => (DEEP, many, 0.4, sgd(0.001)),
        "deeper" => (DEEPER, many, 0.4, sgd(0.0005)),
        _ => panic!("one of small, dropout, changes, bent, deep, all, elastic, adamw, decay, more_decay, deeper"),
    };
    hadal::set_num_threads(1);
    let images = Mnist::load()?.0.reshape([1, 28, 28])?;
    let held_back = images.select(&(50_000..60_000).collect::<Vec<_>>())?;
    let training = images.select(&(0..50_000).collect::<Vec<_>>())?.augment(changes.clone())?;
    let mut network = normalized_network(convolutions);
    if dropout > 0.0 {
        network = network.add(Dropout::new(dropout));
    }
    let network = network.add(Dense::new(10).activation(Softmax));
    let mut model = network.compile(optimizer, CategoricalCrossentropy, [Accuracy])?.seed(1);
    let cycle = Schedule::OneCycle { div_factor: 10.0, final_div_factor: 1e3, pct_start: 0.2 };
    model.fit(&training, Fit::epochs(14).batch_size(128).validation_data(&held_back).schedule(cycle))?;
    println!("{kind}: {}", model.evaluate(&held_back)?);
    let views = Ensemble::of_views(model.model, changes, 8)?;
    let views = views.compile(Adam::default(), CategoricalCrossentropy, [Accuracy])?;
    println!("{kind}, mean of 8 views: {}", views.evaluate(&held_back)?);
    Ok(())
}
