//! Early stopping by hand: a callback that stops when the validation loss no longer falls, and keeps the best weights.
use hadal::data::synthetic::moons;
use hadal::prelude::*;
use hadal::train::{Callback, Event, Flow};

struct EarlyStopping {
    patience: usize,
    best: f64,
    best_epoch: usize,
    weights: Vec<(String, Tensor)>,
}

impl EarlyStopping {
    fn new(patience: usize) -> EarlyStopping {
        EarlyStopping { patience, best: f64::INFINITY, best_epoch: 0, weights: Vec::new() }
    }
}

impl Callback for EarlyStopping {
    fn on_event(&mut self, event: &Event) -> hadal::Result<Flow> {
        if let Event::EpochEnd { epoch, logs, model, .. } = event {
            if logs["val_loss"] < self.best {
                (self.best, self.best_epoch) = (logs["val_loss"], *epoch);
                self.weights = model.state_dict();
            }
            if epoch - self.best_epoch >= self.patience {
                return Ok(Flow::Stop);
            }
        }
        Ok(Flow::Continue)
    }
}

fn main() -> hadal::Result<()> {
    let (train, validation) = (moons(60, 0.35, 1)?, moons(500, 0.35, 2)?);
    let mut model = Sequential::new([2])
        .add(Dense::new(128).activation(Relu))
        .add(Dense::new(128).activation(Relu))
        .add(Dense::new(1).activation(Sigmoid))
        .compile(Adam::new(0.003), BinaryCrossentropy, [Accuracy])?;
    let mut stopping = EarlyStopping::new(15);
    let fit = Fit::epochs(500).validation_data(&validation).callback(&mut stopping).quiet();
    let history = model.fit(&train, fit)?;
    let last = history.last("val_loss")?;
    model.model.load_state_dict(&stopping.weights.into_iter().collect())?;
    let restored = model.evaluate(&validation)?;
    println!("stopped after {} of 500 epochs, validation loss {last:.4}", history.epochs.len());
    println!("weights of epoch {} restored: {restored}", stopping.best_epoch);
    assert!(history.epochs.len() < 500);
    assert!((restored["loss"] - stopping.best).abs() < 1e-9 && restored["loss"] < last);
    Ok(())
}
