//! Arrays and images: their targets, what was found in them, and their parts.

use std::path::Path;

use hadal::data::{NumPy, Partition, Task, check_target_spread};
use hadal::monitor::note;
use hadal::prelude::*;
use hadal::{Error, Result};

use crate::config::Config;
use crate::counted::{counted, shortened};
use crate::folds::Fold;
use crate::model::Trained;
use crate::parts::{Parts, split, stratify_by_default};

/// The arrays of a folder or an archive, with `y` as the task needs it: by its type, if no task is set.
pub fn load(path: &Path, task: Option<Task>) -> Result<Dataset> {
    let arrays = NumPy::open(path)?;
    let data = match task {
        Some(Task::Classification) => arrays.classification(),
        Some(Task::Regression) => arrays.regression(),
        None => arrays,
    }
    .dataset()?;
    if data.input_shape().elements() == 0 {
        return Err(no_features(data.name(), data.len(), &data.input_shape()));
    }
    // One number for each sample is what a network with one output predicts: `[N]` becomes `[N, 1]`.
    if !data.targets().dtype().is_float() || data.targets().rank() != 1 {
        return Ok(data);
    }
    let targets = data.targets().reshape([data.len(), 1]);
    data.with_targets(targets)
}

fn no_features(name: &str, samples: usize, shape: &Shape) -> Error {
    let sizes: Vec<usize> = [samples].into_iter().chain(shape[..].iter().copied()).collect();
    Error::Data(format!("{name}: `x` has shape {sizes:?}: no numbers, so there is nothing to predict from"))
}

/// Samples ready for a trained model: of the shape and the type that it was trained on, and transformed as those were.
pub fn prepared(data: Dataset, trained: &Trained) -> Result<Dataset> {
    let (name, shape) = (data.name(), data.input_shape());
    if let Some(own) = trained.model.input_shape().filter(|own| *own != shape) {
        return Err(Error::Data(format!(
            "{name}: each sample has shape {shape}, but the model was trained on samples of shape {own}"
        )));
    }
    let Some(own) = trained.model.preprocessing() else { return Ok(data) };
    let dtype = data.input_dtype().to_string();
    if own.dtype() != dtype {
        return Err(Error::Data(format!(
            "{name}: the inputs are {dtype}, but the model was trained on {}; give them as they were in training",
            own.dtype()
        )));
    }
    data.preprocessed_by(own)
}

/// Inputs without targets, ready for a trained model.
pub fn inputs(path: &Path, trained: &Trained) -> Result<Dataset> {
    let inputs = NumPy::read_inputs(path)?;
    if inputs.size(0) == 0 {
        let shape = inputs.shape();
        return Err(Error::Data(format!("{}: `x` has shape {shape}: there are no samples to predict", path.display())));
    }
    let none = Tensor::zeros([inputs.size(0)]);
    prepared(Dataset::new(&path.display().to_string(), inputs, none)?, trained)
}

/// Divides arrays or images: bytes are divided by 255, features or channels standardized by the training part.
pub fn divided(data: Dataset, classes: Vec<String>, config: &mut Config) -> Result<Parts> {
    if config.data.task == Some(Task::Regression) && !classes.is_empty() {
        return Err(Error::Config(format!(
            "{}: folders of images are classes, but the task is regression",
            data.name()
        )));
    }
    let targets = data.targets();
    let (task, outputs, counts) = if targets.dtype() == DType::I64 {
        let counts = class_counts(&data, &classes, config.data.task.is_some())?;
        (Task::Classification, counts.len(), counts)
    } else {
        check_numbers(&data)?;
        (Task::Regression, targets.elements() / targets.size(0), Vec::new())
    };
    let found = if classes.is_empty() { found_arrays(&data, &counts) } else { found_images(&data, &classes, &counts) };
    config.data.task = Some(task);
    if task == Task::Classification {
        let named = |(label, count): (usize, usize)| {
            let name = classes.get(label).cloned().unwrap_or_else(|| label.to_string());
            (name, count)
        };
        let present: Vec<(String, usize)> = counts.into_iter().enumerate().map(named).filter(|own| own.1 > 0).collect();
        // Labels of numbers need not be in training: where nearly all are rare, the parts are random.
        let spare: usize = present.iter().map(|(_, count)| if *count < 3 { 0 } else { count - 1 }).sum();
        if (spare as f64) < (1.0 - config.split.train.unwrap_or(0.7)) * data.len() as f64
            && config.split.stratify.is_none()
        {
            note(&format!(
                "{}: most classes are too rare for parts with the same shares of classes; the parts are random",
                data.name()
            ));
            config.split.stratify = Some(false);
        }
        stratify_by_default(config, &present, "sample")?;
        check_strata(&data, config, &present)?;
    }
    config.split.stratify.get_or_insert(false);
    if data.input_dtype() == DType::I64 && takes_indices(config, &data) {
        if config.preprocess.standardize == Some(true) {
            return Err(Error::Config(
                "[preprocess] standardize makes other numbers of `x`, but the first of [model] layers takes indices: leave it out"
                    .into(),
            ));
        }
        config.preprocess.standardize = Some(false);
    }
    let is_raw = data.preprocessing()[0].transforms().is_empty();
    let data = if is_raw && data.input_dtype() == DType::U8 { data.divide(255.0) } else { data };
    let split = split(config, None)?;
    let mut parts = match Fold::of(config)? {
        Some(fold) => fold.of_dataset(&data, &split, &classes)?,
        None => data.split(&split)?,
    };
    if *config.preprocess.standardize.get_or_insert(true) {
        parts.train = parts.train.standardize()?;
        parts.test = parts.test.preprocessed_as(&parts.train)?;
        parts.holdout = parts.holdout.map(|part| part.preprocessed_as(&parts.train)).transpose()?;
    }
    let Partition { train, test, holdout } = parts;
    Ok(Parts { train, test, holdout, table: None, vocabulary: None, classes, task, outputs, found, digest: None })
}

/// Whether the network begins with a layer, such as an embedding, for which integers are indices.
fn takes_indices(config: &Config, data: &Dataset) -> bool {
    let first = config.model.layers.iter().flatten().next().and_then(|layer| layer.layer().ok());
    let sizes: Vec<usize> = [1].into_iter().chain(data.input_shape()[..].iter().copied()).collect();
    first.is_some_and(|layer| layer.check_inputs(&Tensor::zeros(sizes).to_dtype(DType::I64)).is_ok())
}

/// A class with one sample cannot be in several parts. It is named here, where its name is known.
fn check_strata(data: &Dataset, config: &Config, classes: &[(String, usize)]) -> Result<()> {
    let own = &config.split;
    if own.stratify != Some(true) || own.rare_in_training == Some(true) || own.fold.is_some() {
        return Ok(());
    }
    match classes.iter().find(|(_, count)| *count == 1) {
        None => Ok(()),
        Some((name, _)) => Err(Error::Data(format!(
            "{}: class `{name}` has only 1 sample; to be stratified, each class needs at least 2 (or set rare_in_training in [split])",
            data.name()
        ))),
    }
}

/// Of targets that are all equal nothing can be learned, and little of those that f32 hardly tells apart.
fn check_numbers(data: &Dataset) -> Result<()> {
    let numbers = data.targets().to_vec::<f32>();
    let row = numbers.len() / data.len();
    if numbers.chunks(row).all(|own| own == &numbers[..row]) {
        // From here on f32 skips whole numbers.
        let rounded = if numbers[..row].iter().any(|number| number.abs() >= 16_777_216.0) { " in f32" } else { "" };
        return Err(Error::Data(format!(
            "{}: all targets in `y` are equal{rounded} ({}); nothing can be learned from that",
            data.name(),
            numbers[..row].iter().map(f32::to_string).collect::<Vec<_>>().join(", ")
        )));
    }
    for place in 0..row {
        let own = || numbers.iter().skip(place).step_by(row).map(|number| f64::from(*number));
        let count = data.len() as f64;
        let mean = own().map(|number| number / count).sum::<f64>();
        let std = own().map(|number| (number - mean).powi(2) / count).sum::<f64>().sqrt();
        if own().any(|number| number != f64::from(numbers[place])) {
            let what = if row == 1 { "`y`".to_owned() } else { format!("column {place} of `y`") };
            let refuse = |reason: String| Error::Data(format!("{}: {what} {reason}", data.name()));
            check_target_spread(mean, std).map_err(refuse)?;
        }
    }
    Ok(())
}

/// How many samples each class has; an error or a note, where the labels are hardly those of classes.
fn class_counts(data: &Dataset, classes: &[String], is_told: bool) -> Result<Vec<usize>> {
    let labels = data.targets().to_vec::<i64>();
    let refuse = |reason: String| Err(Error::Data(format!("{}: {reason}", data.name())));
    let (least, most) =
        labels.iter().fold((i64::MAX, i64::MIN), |(least, most), &label| (least.min(label), most.max(label)));
    if least < 0 {
        return refuse(format!("has label {least}; classes are numbered from 0 on"));
    }
    if least == most {
        return refuse(format!("every label in `y` is {most}; two classes are needed"));
    }
    let samples = labels.len();
    if most as usize >= samples && classes.is_empty() {
        return refuse(format!(
            "the largest label in `y` is {most}, so there would be {} classes, but there are only {}; number the classes from 0 on \
             without gaps: y = np.unique(y, return_inverse=True)[1]; for numbers, --task regression",
            most as u64 + 1,
            counted(samples, "sample")
        ));
    }
    let mut counts = vec![0; classes.len().max(most as usize + 1)];
    labels.iter().for_each(|label| counts[*label as usize] += 1);
    let distinct = counts.iter().filter(|count| **count > 0).count();
    if !is_told && classes.is_empty() && distinct > 100 && samples < 2 * distinct {
        note(&format!(
            "{}: `y` has {distinct} classes for {samples} samples; if it holds numbers, --task regression predicts them",
            data.name()
        ));
    }
    Ok(counts)
}

/// "pics: 40 images of 24 x 20 pixels (height x width), grey; 2 classes: cats (20), dogs (20)".
fn found_images(data: &Dataset, classes: &[String], counts: &[usize]) -> Vec<String> {
    let shape = data.input_shape();
    let (channels, height, width) = match shape[..] {
        [channels, height, width] => (channels, height, width),
        [height, width] => (1, height, width),
        _ => (1, 1, shape.elements()),
    };
    let each: Vec<String> = classes.iter().zip(counts).map(|(class, count)| format!("{class} ({count})")).collect();
    vec![format!(
        "{}: {} of {height} x {width} pixels (height x width), {}; {} classes: {}",
        data.name(),
        counted(data.len(), "image"),
        if channels == 1 { "grey" } else { "rgb" },
        classes.len(),
        shortened(&each)
    )]
}

/// "a: x: f32 [400, 12]; y: i64 [400]", and what is predicted.
fn found_arrays(data: &Dataset, counts: &[usize]) -> Vec<String> {
    let y = data.targets();
    let sizes: Vec<usize> = [data.len()].into_iter().chain(data.input_shape()[..].iter().copied()).collect();
    let task = if counts.is_empty() {
        let numbers = y.elements() / y.size(0);
        let what =
            if numbers == 1 { "`y` is a number".to_owned() } else { format!("`y` has {numbers} numbers per sample") };
        format!("Regression: {what} (floats; for classes, integers or --task classification)")
    } else {
        let present = counts.iter().enumerate().filter(|(_, count)| **count > 0);
        let each: Vec<String> = present.map(|(label, count)| format!("{label} ({count})")).collect();
        let classes = each.len();
        format!(
            "Classification: {classes} classes: {} (integers; for numbers, floats or --task regression)",
            shortened(&each)
        )
    };
    vec![format!("{}: x: {} {sizes:?}; y: {} {}", data.name(), data.input_dtype(), y.dtype(), y.shape()), task]
}
