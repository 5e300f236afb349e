//! What is taken where nothing is said.

use hadal::data::Task;
use hadal::nn::Activation;
use hadal::train::Recipe;

use crate::config::{Config, LossName, OptimizerName, PrecisionName, ScheduleName};
use crate::source::Source;
use crate::texts;

/// Sets all that is not set, once the data is known: `rows` samples for training, and the task.
pub fn complete(config: &mut Config, source: &Source, rows: usize, task: Task) {
    let lecture = matches!(source, Source::Mnist | Source::Digits);
    let recipe = Recipe::for_rows(rows);
    let is_table = matches!(source, Source::Table(_));
    let is_text = matches!(source, Source::Text(_));
    if is_text {
        texts::complete(config, rows);
    }
    let Config { model, loss, optimizer, training, .. } = config;
    if model.layers.is_none() && !is_text {
        let (hidden, dropout) = if is_table { (recipe.hidden, 0.0) } else { (vec![512, 512], 0.2) };
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
    let named = optimizer.name.is_some();
    let name = *optimizer.name.get_or_insert(match source {
        _ if lecture => OptimizerName::Rmsprop,
        Source::Text(_) => OptimizerName::Adamw,
        _ => OptimizerName::Adam,
    });
    let adam_by_rule = is_table && name == OptimizerName::Adam && !named;
    optimizer.learning_rate.get_or_insert(match name {
        OptimizerName::Sgd => 0.01,
        _ if adam_by_rule => recipe.learning_rate,
        // Over 2,000 steps of tinyshakespeare: test loss 1.829 with 0.002, 1.763 with 0.004, 1.773 with 0.006.
        OptimizerName::Adam | OptimizerName::Adamw if is_text => 0.004,
        _ => 0.001,
    });
    if matches!(name, OptimizerName::Sgd | OptimizerName::Rmsprop) {
        optimizer.momentum.get_or_insert(0.0);
    }
    optimizer.weight_decay.get_or_insert(match name {
        OptimizerName::Adamw if is_text => 0.1,
        OptimizerName::Adamw => 0.01,
        _ if adam_by_rule => recipe.weight_decay,
        _ => 0.0,
    });
    let (epochs, batch_size) = match source {
        Source::Table(_) => (recipe.epochs, recipe.batch_size),
        Source::Mnist | Source::Digits => (20, 128),
        // Small data needs many steps per epoch, large data fast ones.
        _ => (50, (rows / 100).next_power_of_two().clamp(16, 128)),
    };
    training.seed.get_or_insert(1);
    if !is_text {
        training.epochs.get_or_insert(epochs);
        training.batch_size.get_or_insert(batch_size);
    }
    training.test_batch_size.get_or_insert(if is_text { 64 } else { 1000 });
    training.schedule.get_or_insert(if is_table || is_text { ScheduleName::Cosine } else { ScheduleName::Constant });
    training.patience.get_or_insert(if lecture { 0 } else { 20 });
    training.monitor.get_or_insert_with(|| "val_loss".to_owned());
    training.min_delta.get_or_insert(0.0);
    training.keep_best.get_or_insert(!lecture);
    training.precision.get_or_insert(PrecisionName::Highest);
}
