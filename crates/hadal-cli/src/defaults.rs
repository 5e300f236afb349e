//! What is taken where nothing is said.

use hadal::data::Task;
use hadal::nn::Activation;

use crate::config::{Config, LossName, OptimizerName, PrecisionName, ScheduleName};
use crate::source::Source;

/// Sets all that is not set, once the data is known: `rows` samples for training, and the task.
pub fn complete(config: &mut Config, source: &Source, rows: usize, task: Task) {
    let lecture = matches!(source, Source::Mnist | Source::Digits);
    let Config { model, loss, optimizer, training, .. } = config;
    if model.layers.is_none() {
        let (hidden, dropout) = match source {
            Source::Table(_) => (vec![128, 64], 0.1),
            _ => (vec![512, 512], 0.2),
        };
        model.hidden.get_or_insert(hidden);
        model.activation.get_or_insert(Activation::Relu);
        model.dropout.get_or_insert(dropout);
        model.l2.get_or_insert(0.0);
        model.batch_norm.get_or_insert(false);
    }
    loss.name.get_or_insert(match task {
        Task::Classification => LossName::CategoricalCrossentropy,
        Task::Regression => LossName::MeanSquaredError,
    });
    if task == Task::Classification {
        loss.label_smoothing.get_or_insert(0.0);
    }
    let name = *optimizer.name.get_or_insert(if lecture { OptimizerName::Rmsprop } else { OptimizerName::Adamw });
    optimizer.learning_rate.get_or_insert(if name == OptimizerName::Sgd { 0.01 } else { 0.001 });
    if matches!(name, OptimizerName::Sgd | OptimizerName::Rmsprop) {
        optimizer.momentum.get_or_insert(0.0);
    }
    optimizer.weight_decay.get_or_insert(if name == OptimizerName::Adamw { 0.01 } else { 0.0 });
    training.seed.get_or_insert(1);
    training.epochs.get_or_insert(if lecture { 20 } else { 100 });
    training.batch_size.get_or_insert(if lecture { 128 } else { batch_size(rows) });
    training.test_batch_size.get_or_insert(1000);
    training.schedule.get_or_insert(ScheduleName::Constant);
    training.patience.get_or_insert(if lecture { 0 } else { 20 });
    training.monitor.get_or_insert_with(|| "val_loss".to_owned());
    training.min_delta.get_or_insert(0.0);
    training.keep_best.get_or_insert(!lecture);
    training.precision.get_or_insert(PrecisionName::Highest);
}

/// Small data needs many steps per epoch, large data fast ones.
fn batch_size(rows: usize) -> usize {
    (rows / 100).next_power_of_two().clamp(16, 256)
}
