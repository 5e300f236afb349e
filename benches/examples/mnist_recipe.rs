//! What `hadal train mnist --recipe best` was chosen by: networks trained for 14 epochs on the first 50,000 training images and judged by
//! the last 10,000, on one thread. The test images are not read. Usage: small|dropout|changes|bent|deep
use hadal::data::Augment;
use hadal::optim::Schedule;
use hadal::prelude::*;

/// Filters of convolutions by 3 x 3, and whether maxima of 2 x 2 follow.
type Filters = &'static [(usize, bool)];
const SMALL: Filters = &[(24, true), (48, false), (48, true), (96, false), (96, false)];
const DEEP: Filters = &[(32, false), (32, true), (64, false), (64, true), (128, false), (128, false)];

fn main() -> hadal::Result<()> {
    let few = Augment::new().shift(0.08).rotate(10.0).scale(0.9, 1.1);
    let many = Augment::new().shift(0.1).rotate(15.0).scale(0.85, 1.15).shear(10.0);
    let kind = std::env::args().nth(1).unwrap_or_default();
    let (filters, changes, dropout) = match kind.as_str() {
        "small" => (SMALL, few, None),
        "dropout" => (SMALL, few, Some(0.4)),
        "changes" => (SMALL, many, None),
        "bent" => (SMALL, few.elastic(6.0, 4.0), None),
        "deep" => (DEEP, few, None),
        _ => panic!("one of small, dropout, changes, bent, deep"),
    };
    hadal::set_num_threads(1);
    let images = Mnist::load()?.0.reshape([1, 28, 28])?;
    let held_back = images.select(&(50_000..60_000).collect::<Vec<_>>())?;
    let training = images.select(&(0..50_000).collect::<Vec<_>>())?.augment(changes)?;
    let mut network = Sequential::new([1, 28, 28]).seed(1);
    for (place, &(count, pools)) in filters.iter().enumerate() {
        // The last window has nothing around it.
        let padding = usize::from(place + 1 < filters.len());
        network = network.add(Conv2d::new(count, 3).padding(padding).without_bias());
        if pools {
            network = network.add(MaxPool2d::new(2));
        }
        network = network.add(BatchNorm::new()).add(Relu);
    }
    network = network.add(Flatten);
    if let Some(rate) = dropout {
        network = network.add(Dropout::new(rate));
    }
    let network = network.add(Dense::new(10).activation(Softmax));
    let mut model = network.compile(Adam::new(0.003), CategoricalCrossentropy, [Accuracy])?.seed(1);
    let cycle = Schedule::OneCycle { div_factor: 10.0, final_div_factor: 1e3, pct_start: 0.2 };
    model.fit(&training, Fit::epochs(14).batch_size(128).validation_data(&held_back).schedule(cycle))?;
    println!("{kind}: {}", model.evaluate(&held_back)?);
    Ok(())
}
