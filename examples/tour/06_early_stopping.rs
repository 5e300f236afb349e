//! Early stopping: training ends when the validation loss no longer falls, and the model gets its best weights back.
use hadal::data::synthetic::moons;
use hadal::prelude::*;

fn main() -> hadal::Result<()> {
    let (train, validation) = (moons(60, 0.35, 1)?, moons(500, 0.35, 2)?);
    let mut model = Sequential::new([2])
        .add(Dense::new(128).activation(Relu))
        .add(Dense::new(128).activation(Relu))
        .add(Dense::new(1).activation(Sigmoid))
        .compile(Adam::new(0.003), BinaryCrossentropy, [Accuracy])?;
    let mut stopping = EarlyStopping::new("val_loss").patience(15).restore_best_weights(true);
    let fit = Fit::epochs(500).validation_data(&validation).callback(&mut stopping).quiet();
    let history = model.fit(&train, fit)?;
    let (last, restored) = (history.last("val_loss")?, model.evaluate(&validation)?);
    println!("{stopping}"); // stopped after epoch 21: val_loss was best after epoch 6 (0.3722)
    println!("validation loss of the last epoch {last:.4}, of the best weights {:.4}", restored["loss"]);
    assert!(history.epochs.len() < 500 && stopping.stopped_epoch() == Some(history.epochs.len()));
    assert!(Some(history.epochs.len() - 15) == stopping.best_epoch());
    assert!((restored["loss"] - stopping.best().unwrap()).abs() < 1e-9 && restored["loss"] < last);
    Ok(())
}
