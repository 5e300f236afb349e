//! What `train --out` writes and the other commands read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hadal::prelude::*;
use hadal::{Error, Result};

pub const MODEL_FILE: &str = "model.safetensors";
pub const HISTORY_FILE: &str = "history.csv";
/// The note in the model file that names the data set.
pub const DATASET: &str = "hadal.dataset";

/// A model for 28 x 28 digits, ready to be evaluated.
pub struct Trained {
    pub path: PathBuf,
    pub trainer: Trainer<Sequential>,
    pub notes: BTreeMap<String, String>,
}

/// Reads the model in a folder, or a model file.
pub fn load(path: &Path) -> Result<Trained> {
    let path = if path.is_dir() { path.join(MODEL_FILE) } else { path.to_owned() };
    let (model, notes) = Sequential::load(&path)?;
    let (input, output) = (model.input_shape(), model.output_shape());
    if input != Some([784].into()) || output != Some([10].into()) {
        let show = |shape: Option<Shape>| shape.map_or("unknown".to_owned(), |shape| shape.to_string());
        return Err(Error::Data(format!(
            "{}: takes {} and gives {}; this command needs a model for digits, which takes [784] and gives [10]",
            path.display(),
            show(input),
            show(output)
        )));
    }
    let trainer = model.compile(RmsProp::default(), CategoricalCrossentropy, [Accuracy])?;
    Ok(Trained { path, trainer, notes })
}
