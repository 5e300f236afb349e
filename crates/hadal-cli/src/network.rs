//! The model, the loss and the optimizer that the settings describe.

use hadal::loss::balanced_class_weights;
use hadal::metric::{Metric, R2Score};
use hadal::monitor::note;
use hadal::nn::{Architecture, LayerConfig, Regularizer, Rescaling};
use hadal::prelude::*;
use hadal::{Error, Result, nearest};

use crate::config::{self, ClassWeightRule, ClassWeights, Config, LossName, OptimizerName, ScheduleName};
use crate::parts::Parts;
use crate::texts;

/// The model of these settings, ready to be trained.
pub fn trainer(config: &Config, parts: &Parts) -> Result<Trainer<Sequential>> {
    config::check(config).map_err(Error::Config)?;
    let seed = config.training.seed.unwrap_or(1);
    let scale = target_scale(parts);
    refuse_both_ways(&config.model)?;
    let model = match &config.model.layers {
        _ if parts.vocabulary.is_some() => texts::network(config, parts)?,
        Some(layers) => listed(layers, parts, scale)?,
        None => stacked(config, parts, scale)?,
    };
    let model = model.seed(seed).build()?;
    let output = model.output_shape();
    if output != Some([parts.outputs].into()) && parts.vocabulary.is_none() {
        let output = output.map_or("an unknown shape".to_owned(), |shape| format!("shape {shape}"));
        return Err(Error::Config(format!(
            "[model] layers end with {output}, but {} {} needed: {}",
            parts.outputs,
            if parts.outputs == 1 { "output is" } else { "outputs are" },
            match parts.outputs {
                1 => "the number to be predicted".to_owned(),
                outputs => format!("one for each of {outputs} classes or numbers"),
            }
        )));
    }
    let (loss, metrics) = measures(config, parts, scale)?;
    check_monitor(config, &metrics)?;
    Ok(Trainer::new(model, optimizer(config)?, loss, metrics).seed(seed))
}

/// Refuses a monitored value that no epoch reports.
fn check_monitor(config: &Config, metrics: &[Box<dyn Metric>]) -> Result<()> {
    let Some(monitor) = &config.training.monitor else { return Ok(()) };
    let own: Vec<&str> = ["loss"].into_iter().chain(metrics.iter().map(|metric| metric.name())).collect();
    let names: Vec<String> =
        own.iter().map(|name| format!("val_{name}")).chain(own.iter().map(|name| (*name).to_owned())).collect();
    if names.contains(monitor) {
        return Ok(());
    }
    // `acc`, as Keras calls it, is further from `accuracy` than the other names.
    let meant = own.iter().copied().find(|name| name.starts_with(monitor.as_str()));
    let meant = meant.or_else(|| nearest(monitor, names.iter().map(String::as_str)));
    let meant = meant.map_or(String::new(), |meant| format!("; did you mean `{meant}`?"));
    Err(Error::Config(format!(
        "the monitored value `{monitor}` (--monitor) is reported by no epoch{meant} (there are {})",
        names.join(", ")
    )))
}

/// Hidden layers are described once: by settings, or one by one.
fn refuse_both_ways(model: &crate::config::Model) -> Result<()> {
    let settings = [
        ("hidden", model.hidden.is_some()),
        ("activation", model.activation.is_some()),
        ("dropout", model.dropout.is_some()),
        ("l2", model.l2.is_some()),
        ("batch_norm", model.batch_norm.is_some()),
    ];
    match settings.iter().find(|(_, is_set)| *is_set && model.layers.is_some()) {
        Some((name, _)) => Err(Error::Config(format!(
            "[model] has layers and {name}; the layers stand in place of that setting, so give one of the two"
        ))),
        None => Ok(()),
    }
}

/// What the inputs need before the first layer.
fn inputs(parts: &Parts) -> Sequential {
    match &parts.table {
        Some(table) => table.encoder.network(),
        None => Sequential::new(parts.train.input_shape()),
    }
}

/// Hidden layers of one kind, and the output layer.
fn stacked(config: &Config, parts: &Parts, scale: Option<(f64, f64)>) -> Result<Sequential> {
    let own = &config.model;
    let mut model = inputs(parts);
    if parts.table.is_none() && parts.train.input_shape().rank() != 1 {
        model = model.add(Flatten);
    }
    let activation = own.activation.unwrap_or(Relu);
    for &units in own.hidden.as_deref().unwrap_or_default() {
        let mut dense = Dense::new(units);
        if let Some(l2) = own.l2.filter(|l2| *l2 > 0.0) {
            dense = dense.weight_regularizer(Regularizer::l2(l2));
        }
        model = if own.batch_norm == Some(true) {
            model.add(dense).add(BatchNorm::new()).add(activation)
        } else {
            model.add(dense.activation(activation))
        };
        if let Some(rate) = own.dropout.filter(|rate| *rate > 0.0) {
            model = model.add(Dropout::new(rate));
        }
    }
    let output = Dense::new(parts.outputs);
    Ok(match parts.task {
        hadal::data::Task::Classification => model.add(output.activation(Softmax)),
        hadal::data::Task::Regression => with_units(model.add(output), scale),
    })
}

/// The layers that a file lists.
fn listed(layers: &[LayerConfig], parts: &Parts, scale: Option<(f64, f64)>) -> Result<Sequential> {
    let start = inputs(parts).architecture();
    let layers = start.layers.into_iter().chain(layers.iter().cloned()).collect();
    let model = Sequential::from_architecture(&Architecture { layers, ..start })?;
    Ok(with_units(model, scale))
}

/// The prediction in the units of the target.
fn with_units(model: Sequential, scale: Option<(f64, f64)>) -> Sequential {
    match scale {
        Some((mean, std)) => model.add(Rescaling::new(std, mean)),
        None => model,
    }
}

/// Mean and standard deviation of a target that is a number.
fn target_scale(parts: &Parts) -> Option<(f64, f64)> {
    if let Some(table) = &parts.table {
        return table.encoder.target_scale();
    }
    let targets = parts.train.targets();
    if !targets.dtype().is_float() {
        return None;
    }
    let numbers = targets.to_dtype(DType::F64).to_vec::<f64>();
    let count = numbers.len() as f64;
    let mean = numbers.iter().map(|number| number / count).sum::<f64>();
    let std = numbers.iter().map(|number| (number - mean).powi(2) / count).sum::<f64>().sqrt();
    Some((mean, if std as f32 > 0.0 { std } else { 1.0 }))
}

type Measures = (Losses, Vec<Box<dyn Metric>>);

/// The mean and the standard deviation of the targets that a model for a regression was trained on.
pub fn trained_scale(model: &Sequential) -> Option<(f64, f64)> {
    let rescaling: Rescaling = model.architecture().layers.last()?.get()?;
    Some((rescaling.offset(), rescaling.scale()))
}

/// The loss and the metrics; `scale` is the mean and the standard deviation of a regression's targets in training.
pub fn measures(config: &Config, parts: &Parts, scale: Option<(f64, f64)>) -> Result<Measures> {
    let scale = (parts.task == hadal::data::Task::Regression).then(|| scale.unwrap_or((0.0, 1.0)));
    let own = &config.loss;
    let name = own.name.unwrap_or(LossName::CategoricalCrossentropy);
    let Some((_, std)) = scale else {
        if name != LossName::CategoricalCrossentropy {
            return Err(Error::Config(
                "the loss of classes is categorical_crossentropy; the others are for a regression (--task regression)"
                    .into(),
            ));
        }
        let loss = CategoricalCrossentropy::default().label_smoothing(own.label_smoothing.unwrap_or(0.0));
        // Networks for texts end with logits.
        let loss = if parts.vocabulary.is_some() { loss.from_logits() } else { loss };
        let weights = match &own.class_weights {
            None => None,
            Some(ClassWeights::Rule(ClassWeightRule::Balanced)) => {
                Some(balanced_class_weights(parts.train.targets(), parts.outputs)?)
            }
            Some(ClassWeights::Each(weights)) => Some(check_weights(weights, parts)?),
        };
        let loss: Box<dyn Loss> = match weights {
            Some(weights) => Box::new(loss.class_weights(&weights)),
            None => Box::new(loss),
        };
        return Ok((Losses::weighted(loss, 1.0), vec![Box::new(Accuracy)]));
    };
    if own.class_weights.is_some() || own.label_smoothing.is_some_and(|smoothing| smoothing != 0.0) {
        return Err(Error::Config(
            "class_weights and label_smoothing are for classes, but this is a regression".into(),
        ));
    }
    // In units of the target's spread, so that its size does not depend on the target's units.
    let losses = match name {
        LossName::MeanSquaredError => Losses::weighted(MeanSquaredError, 1.0 / (std * std)),
        LossName::MeanAbsoluteError => Losses::weighted(MeanAbsoluteError, 1.0 / std),
        LossName::Huber => Losses::weighted(Huber::new(std), 1.0 / (std * std)),
        LossName::CategoricalCrossentropy => {
            return Err(Error::Config(
                "categorical_crossentropy is for classes, but this is a regression; use mean_squared_error".into(),
            ));
        }
    };
    let mut metrics: Vec<Box<dyn Metric>> = vec![Box::new(hadal::metric::MeanAbsoluteError::new())];
    match [&parts.train, &parts.test].into_iter().find(|part| is_constant(part)) {
        Some(part) => note(&format!("{}: all targets are equal, so there is no r2_score", part.name())),
        None => metrics.push(Box::new(R2Score::new())),
    }
    Ok((losses, metrics))
}

/// Whether all samples have the same target, in which there is no variance to explain.
fn is_constant(data: &Dataset) -> bool {
    let targets = data.targets();
    let rows = targets.to_dtype(DType::F64).to_vec::<f64>();
    let width = targets.elements() / targets.size(0).max(1);
    (0..width).any(|column| rows.chunks(width).all(|row| row[column] == rows[column]))
}

fn check_weights(weights: &[f64], parts: &Parts) -> Result<Vec<f64>> {
    if weights.len() != parts.outputs {
        return Err(Error::Config(format!(
            "class_weights has {} numbers, but there are {} classes: {}",
            weights.len(),
            parts.outputs,
            parts.classes.join(", ")
        )));
    }
    // In f32, in which the loss is computed.
    let fits = |weight: &f64| *weight == 0.0 || (1e-30..=1e30).contains(&(*weight as f32));
    if weights.iter().all(fits) && weights.iter().any(|weight| *weight > 0.0) {
        return Ok(weights.to_vec());
    }
    Err(Error::Config(format!(
        "class_weights {weights:?} must each be 0 or positive, between 1e-30 and 1e30, and one positive"
    )))
}

fn optimizer(config: &Config) -> Result<Box<dyn Optimizer>> {
    let own = &config.optimizer;
    let name = own.name.unwrap_or(OptimizerName::Adam);
    let learning_rate = own.learning_rate.unwrap_or(0.001);
    let momentum = own.momentum.unwrap_or(0.0);
    let weight_decay = own.weight_decay.unwrap_or(0.0);
    if momentum != 0.0 && matches!(name, OptimizerName::Adam | OptimizerName::Adamw) {
        return Err(Error::Config(
            "--momentum cannot be used with adam; omit it, or use --optimizer sgd or rmsprop".into(),
        ));
    }
    Ok(match name {
        OptimizerName::Sgd => Box::new(Sgd::new(learning_rate).momentum(momentum).weight_decay(weight_decay)),
        OptimizerName::Rmsprop => Box::new(RmsProp::new(learning_rate).momentum(momentum).weight_decay(weight_decay)),
        OptimizerName::Adam => Box::new(Adam::new(learning_rate).weight_decay(weight_decay)),
        OptimizerName::Adamw if config.data.text == Some(true) => {
            Box::new(texts::adamw(config, learning_rate, weight_decay))
        }
        OptimizerName::Adamw => Box::new(AdamW::new(learning_rate).weight_decay(weight_decay)),
    })
}

/// The learning rate over the run.
pub fn schedule(config: &Config) -> Schedule {
    match config.training.schedule.unwrap_or(ScheduleName::Constant) {
        ScheduleName::Constant => Schedule::Constant,
        ScheduleName::Cosine => Schedule::Cosine,
        ScheduleName::OneCycle => Schedule::OneCycle { div_factor: 25.0, final_div_factor: 1e4, pct_start: 0.3 },
    }
}
