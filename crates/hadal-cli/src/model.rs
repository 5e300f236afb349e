//! What `train --out` writes and the other commands read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hadal::data::{Encoder, Vocabulary};
use hadal::monitor::note;
use hadal::nn::Forward;
use hadal::prelude::*;
use hadal::train::RunFolder;
use hadal::{Error, Result};

use crate::config::{self, Config};
use crate::parts::Parts;
use crate::source::Source;

/// The note in the model file that names the dataset.
const DATASET: &str = "hadal.dataset";
/// The note with the settings of the run, complete, as TOML.
const CONFIG: &str = "hadal.config";
/// The note with the names of the classes, as JSON.
const CLASSES: &str = "hadal.classes";
/// The note with the SHA-256 of the training data.
pub const DATA: &str = "hadal.data";

/// What a model file says of the run that made it.
pub fn notes(config: &Config, name: &str, parts: &Parts) -> Result<BTreeMap<String, String>> {
    let json = serde_json::to_string(&parts.classes).map_err(|error| Error::Config(error.to_string()))?;
    // How long it may take is not what it is: a run that is repeated by its step is the same.
    let mut config = config.clone();
    (config.training.time_limit, config.training.max_steps) = (None, None);
    config.training.learning_rate_changes = None;
    let pairs = [(DATASET, name.to_owned()), (CONFIG, config::to_toml(&config)?), (CLASSES, json)];
    let data = parts.digest.iter().map(|digest| (DATA, digest.clone()));
    Ok(pairs.into_iter().chain(data).map(|(key, value)| (key.to_owned(), value)).collect())
}

/// Refuses data that is not what the model with these notes was trained on.
pub fn check_data(notes: &BTreeMap<String, String>, parts: &Parts, path: &Path) -> Result<()> {
    match (notes.get(DATA), &parts.digest) {
        (Some(then), Some(now)) if then != now => Err(Error::File {
            path: path.to_owned(),
            reason: format!(
                "the data has changed since the model was trained: its SHA-256 was {then}, and is {now}, so its parts are no longer \
                 the same"
            ),
        }),
        _ => Ok(()),
    }
}

/// A trained model, with what its file says.
pub struct Trained {
    pub path: PathBuf,
    pub model: Sequential,
    pub config: Config,
    pub classes: Vec<String>,
    pub source: Source,
    notes: BTreeMap<String, String>,
}

impl Trained {
    /// Names the file whose model an error is about.
    pub fn error(&self, error: impl ToString) -> Error {
        Error::File { path: self.path.clone(), reason: error.to_string() }
    }

    /// Digits in the shape that the model takes: images, or rows of pixels.
    pub fn digits(&self, data: Dataset) -> Result<Dataset> {
        match self.model.input_shape() {
            Some(shape) => data.reshape(shape),
            None => Ok(data),
        }
    }

    /// What encodes a table's rows for the model.
    pub fn encoder(&self) -> Option<Encoder> {
        self.model.preprocessing().and_then(|own| own.encoder()).cloned()
    }

    /// The characters of the text that it was trained on; `None` if that was no text.
    pub fn vocabulary(&self) -> Option<Vocabulary> {
        matches!(self.source, Source::Text(_)).then(|| Vocabulary::of(&self.classes.concat()))
    }

    /// Refuses other data than that of the training.
    pub fn check_data(&self, parts: &Parts) -> Result<()> {
        check_data(&self.notes, parts, &self.path)
    }

    /// Refuses another test part than that which came with the training data.
    pub fn check_test(&self, test: &Dataset) -> Result<()> {
        match self.notes.get(DATA).and_then(|digest| digest.split_once(' ')) {
            Some((_, then)) if then != test.digest()? => {
                Err(self.error(format!("{} has changed since the model was trained", test.name())))
            }
            _ => Ok(()),
        }
    }

    /// What the training data was called.
    pub fn dataset(&self) -> &str {
        self.notes.get(DATASET).map_or("a dataset that it does not name", String::as_str)
    }

    /// Whether the training data can be found again.
    pub fn names_its_data(&self) -> bool {
        self.config.data.source.is_some() || matches!(self.dataset(), "mnist" | "digits")
    }

    /// Notes that data is that which the model was trained on, if it is: its score says little.
    pub fn note_own_data(&self, data: &str) {
        let (Source::Table(own) | Source::Images(own) | Source::Arrays(own) | Source::Text(own)) = &self.source else {
            return;
        };
        let [own, given] = [own.as_path(), Path::new(data)].map(Path::canonicalize);
        if own.is_err() || own.ok() != given.ok() {
            return;
        }
        let honest = if self.config.split.holdout.is_some_and(|share| share > 0.0) || self.config.split.part.is_some() {
            "`hadal evaluate MODEL --holdout` judges by rows that training has not seen"
        } else {
            "`hadal evaluate MODEL` judges by its test part"
        };
        let honest = honest.replace("rows", &format!("{}s", self.source.sample()));
        note(&format!(
            "{data} is what the model was trained on: the {}s of its training part are among these; {honest}",
            self.source.sample()
        ));
    }

    /// Ready to predict.
    pub fn trainer(self) -> Trainer<Sequential> {
        // Neither the optimizer nor the loss has a part in predictions.
        Trainer::new(self.model, Sgd::default(), MeanSquaredError, ())
    }
}

/// Reads the model in a folder, whose history is restored if need be, or a model file.
pub fn load(path: &Path) -> Result<Trained> {
    let folder = path.is_dir().then_some(path);
    let path = folder.map_or(path.to_owned(), |folder| folder.join(RunFolder::MODEL));
    let (model, notes) = Sequential::load(&path)?;
    if let Some(folder) = folder {
        RunFolder::restore(folder, &notes);
    }
    let fault = |reason: String| Error::File { path: path.clone(), reason };
    let config = match notes.get(CONFIG) {
        Some(text) => config::parse(text).map_err(|reason| fault(format!("its configuration is damaged: {reason}")))?,
        None => Config::default(),
    };
    let classes = match notes.get(CLASSES) {
        Some(json) => serde_json::from_str(json).map_err(|error| fault(format!("its classes are damaged: {error}")))?,
        None => (0..10).map(|digit| digit.to_string()).collect(),
    };
    // Files without a configuration are of digits.
    let source = match (config.data.source.as_deref(), notes.get(DATASET).map(String::as_str)) {
        (None, Some("mnist")) | (Some("mnist"), _) => Source::Mnist,
        (None, Some("digits")) | (Some("digits"), _) => Source::Digits,
        (Some(text), _) => match model.preprocessing().and_then(|own| own.encoder()) {
            Some(_) => Source::Table(text.into()),
            None if config.data.text == Some(true) => Source::Text(text.into()),
            None if config.data.images == Some(true) => Source::Images(text.into()),
            None => Source::Arrays(text.into()),
        },
        // A program's own model of digits can predict.
        (None, _) => Source::Mnist,
    };
    if matches!(source, Source::Mnist | Source::Digits) {
        let (input, output) = (model.input_shape(), model.output_shape());
        let is_image = [Shape::from([784]), Shape::from([28, 28])].into_iter().any(|shape| input == Some(shape));
        if !is_image || output != Some([10].into()) {
            let show = |shape: Option<Shape>| shape.map_or("unknown".to_owned(), |shape| shape.to_string());
            return Err(fault(format!(
                "the model has input shape {} and output shape {}; this command needs input shape [784] or [28, 28] and output shape [10]",
                show(input),
                show(output)
            )));
        }
    }
    let trained = Trained { path: path.clone(), model, config, classes, source, notes };
    if let Some(vocabulary) = trained.vocabulary() {
        let outputs = trained.model.output_shape().and_then(|shape| shape.last().copied());
        if outputs != Some(vocabulary.len()) {
            return Err(fault(format!(
                "its vocabulary is damaged: it has {} characters, but the network has {} outputs",
                vocabulary.len(),
                outputs.unwrap_or(0)
            )));
        }
    }
    Ok(trained)
}
