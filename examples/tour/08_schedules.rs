//! Learning rate schedules: what each does to the learning rate, epoch by epoch.
use hadal::data::synthetic::moons;
use hadal::optim::ReduceLrOnPlateau;
use hadal::prelude::*;
use hadal::train::{Callback, Event, Flow};

/// Keeps the learning rate at the end of every epoch.
#[derive(Default)]
struct LearningRates(Vec<f64>);

impl Callback for LearningRates {
    fn on_event(&mut self, event: &Event) -> hadal::Result<Flow> {
        if let Event::EpochEnd { learning_rate, .. } = event {
            self.0.push(*learning_rate);
        }
        Ok(Flow::Continue)
    }
}

fn learning_rates(name: &str, settings: Fit) -> hadal::Result<Vec<f64>> {
    let data = moons(320, 0.2, 1)?;
    let mut model = Sequential::new([2])
        .add(Dense::new(16).activation(Relu))
        .add(Dense::new(1).activation(Sigmoid))
        .compile(Adam::new(0.1), BinaryCrossentropy, ())?;
    let mut rates = LearningRates::default();
    model.fit(&data, settings.callback(&mut rates).quiet())?;
    let text: Vec<String> = rates.0.iter().map(|rate| format!("{rate:.4}")).collect();
    println!("{name:>18}: {}", text.join(" "));
    Ok(rates.0)
}

fn main() -> hadal::Result<()> {
    let step = Schedule::Step { step_size: 3, gamma: 0.1 };
    let step = learning_rates("step", Fit::epochs(10).schedule_by_epoch(step))?;
    learning_rates("exponential", Fit::epochs(10).schedule_by_epoch(Schedule::Exponential { gamma: 0.8 }))?;
    let cosine = learning_rates("cosine", Fit::epochs(10).schedule(Schedule::Cosine))?;
    // Ten batches are an epoch: three epochs of warm-up.
    let warm_up = Schedule::WarmUp { warmup_steps: 30, then: Box::new(Schedule::Cosine) };
    let warm_up = learning_rates("warm-up and cosine", Fit::epochs(10).schedule(warm_up))?;
    let plateau = ReduceLrOnPlateau::new("loss").factor(0.5).patience(2).min_delta(0.01);
    let plateau = learning_rates("plateau", Fit::epochs(30).reduce_lr_on_plateau(plateau))?;
    assert!((step[9] - 1e-4).abs() < 1e-12);
    assert!(cosine.is_sorted_by(|a, b| a > b) && cosine[9] < 0.001);
    assert!(warm_up[0] < warm_up[3] && warm_up[9] < warm_up[3]);
    assert!(plateau[29] < plateau[0]);
    Ok(())
}
