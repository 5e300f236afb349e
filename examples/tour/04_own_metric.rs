//! A metric of one's own: the share of predictions that are close enough, followed over training and validation.
use hadal::data::synthetic::{Curve, regression};
use hadal::prelude::*;

/// The share of predictions within `tolerance` of the target.
struct Within {
    tolerance: f64,
    close: f64,
    count: usize,
}

impl Within {
    fn new(tolerance: f64) -> Within {
        Within { tolerance, close: 0.0, count: 0 }
    }
}

impl Metric for Within {
    fn name(&self) -> &'static str {
        "within"
    }

    fn reset(&mut self) {
        *self = Within::new(self.tolerance);
    }

    fn update(&mut self, prediction: &Tensor, target: &Tensor) {
        self.close += (prediction - target).abs().le(self.tolerance).sum().item();
        self.count += target.elements();
    }

    fn compute(&self) -> f64 {
        self.close / self.count as f64
    }

    fn higher_is_better(&self) -> Option<bool> {
        Some(true)
    }
}

fn main() -> hadal::Result<()> {
    let (train, test) = (regression(Curve::Sine, 500, 0.05, 1)?, regression(Curve::Sine, 200, 0.05, 2)?);
    let mut model = Sequential::new([1]).add(Dense::new(32).activation(Tanh)).add(Dense::new(1)).compile(
        Adam::new(0.01),
        MeanSquaredError,
        Within::new(0.2),
    )?;
    let history = model.fit(&train, Fit::epochs(40).validation_data(&test).quiet())?;
    let within = history.get("val_within")?;
    println!("within 0.2: {:.0}% after the first epoch, {:.0}% after the last", 100.0 * within[0], 100.0 * within[39]);
    assert!(within[39] > 0.95 && within[39] > within[0]);
    Ok(())
}
