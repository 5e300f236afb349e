//! What `train --out` writes and the other commands read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hadal::prelude::*;
use hadal::train::RunFolder;
use hadal::{Error, Result};

/// The note in the model file that names the dataset.
pub const DATASET: &str = "hadal.dataset";

/// A model for 28 x 28 digits, ready to be evaluated.
pub struct Trained {
    pub path: PathBuf,
    pub trainer: Trainer<Sequential>,
    pub notes: BTreeMap<String, String>,
}

impl Trained {
    /// Names the file whose model an error is about.
    pub fn error(&self, error: Error) -> Error {
        Error::File { path: self.path.clone(), reason: error.to_string() }
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
    let (input, output) = (model.input_shape(), model.output_shape());
    if input != Some([784].into()) || output != Some([10].into()) {
        let show = |shape: Option<Shape>| shape.map_or("unknown".to_owned(), |shape| shape.to_string());
        return Err(Error::Data(format!(
            "{}: the model has input shape {} and output shape {}; this command needs input shape [784] and output shape [10]",
            path.display(),
            show(input),
            show(output)
        )));
    }
    let trainer = model.compile(RmsProp::default(), CategoricalCrossentropy, [Accuracy])?;
    Ok(Trained { path, trainer, notes })
}
