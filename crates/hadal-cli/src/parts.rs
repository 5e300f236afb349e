//! The samples of a run, read and divided into their parts.

use std::path::{Path, PathBuf};

use hadal::data::{Augment, Encoder, ImageFolder, Partition, Split, Stratify, Task, Vocabulary};
use hadal::format::digest_files;
use hadal::format::image::{self, Channels};
use hadal::monitor::note;
use hadal::nn::Forward;
use hadal::prelude::*;
use hadal::{Error, Result};

use crate::arrays;
use crate::config::{Colour, Config, Kind, SplitConfig, unsuited};
use crate::counted::{counted, shortened};
use crate::folds::Fold;
use crate::model::Trained;
use crate::source::Source;
use crate::tables::{self, TableParts};
use crate::texts;

/// Training, test and holdout part, ready for a model.
pub struct Parts {
    pub train: Dataset,
    pub test: Dataset,
    pub holdout: Option<Dataset>,
    /// Of a table.
    pub table: Option<TableParts>,
    /// Of a text.
    pub vocabulary: Option<Vocabulary>,
    /// The names of the labels; none for a regression, and none where labels are numbers.
    pub classes: Vec<String>,
    pub task: Task,
    /// The number of outputs.
    pub outputs: usize,
    /// What was found in images and arrays, in lines for a reader.
    pub found: Vec<String>,
    /// The SHA-256 of the data; none of standard input.
    pub digest: Option<String>,
}

impl Parts {
    /// Data that a trained model is evaluated on, without parts.
    pub fn only(data: Dataset, trained: &Trained) -> Parts {
        let outputs = trained.model.output_shape().map_or(1, |shape| shape.elements());
        let vocabulary = trained.vocabulary();
        let outputs = vocabulary.as_ref().map_or(outputs, Vocabulary::len);
        let task = if data.targets().dtype() == DType::I64 { Task::Classification } else { Task::Regression };
        let classes = trained.classes.clone();
        Parts {
            train: data.clone(),
            test: data,
            holdout: None,
            table: None,
            vocabulary,
            classes,
            task,
            outputs,
            found: Vec::new(),
            digest: None,
        }
    }

    /// What the columns of a table's rows are called, and the raw cells of a sample of the test part; `None` if this is no table.
    pub fn test_columns(&self) -> Option<(Vec<String>, impl Fn(usize) -> Vec<String> + use<>)> {
        self.table.as_ref().map(TableParts::test_columns)
    }

    /// The name of a class, or its label.
    pub fn class_name(&self, label: usize) -> String {
        self.classes.get(label).cloned().unwrap_or_else(|| label.to_string())
    }
}

/// The height, width and channels of the images that a model takes.
pub fn image_shape(model: &Sequential) -> Option<(usize, usize, Channels)> {
    match model.input_shape()?[..] {
        [height, width] => Some((height, width, Channels::Grey)),
        [3, height, width] => Some((height, width, Channels::Rgb)),
        _ => None,
    }
}

/// The images that a model is given, as bytes of its shape. Where it was trained on images as they are, they must have their
/// size; where `--size` resized those, these are resized.
pub fn read_images(files: &[PathBuf], trained: &Trained) -> Result<Tensor> {
    // A model of digits takes them as rows of 784 pixels.
    let is_of_digits = matches!(trained.source, Source::Mnist | Source::Digits);
    let shape = if is_of_digits { Some((28, 28, Channels::Grey)) } else { image_shape(&trained.model) };
    let (height, width, channels) = shape.ok_or_else(|| trained.error("takes no images"))?;
    if trained.config.data.size.is_none() {
        for path in files {
            let [own_height, own_width] = image::read_size(path)?;
            if [own_height, own_width] != [height, width] {
                let path = path.display();
                return Err(Error::Data(format!(
                    "{path}: is {own_width} x {own_height} pixels; the network takes {width} x {height} (train on a folder of \
                     images with --size to have them resized)"
                )));
            }
        }
    }
    image::read_many(files, channels, Some([height, width]))
}

/// How many samples are for training, and for what: without encoding them.
pub fn preview(source: &Source, config: &mut Config, data_dir: Option<&Path>) -> Result<(usize, Task)> {
    check_settings(source, config)?;
    match source {
        Source::Mnist => Ok((60_000, Task::Classification)),
        Source::Digits => Ok((60_000, Task::Classification)),
        Source::Table(path) => {
            let divided = tables::divided(&tables::read_table(path, config)?, config)?;
            Ok((divided.parts.train.rows(), divided.task))
        }
        _ => {
            let parts = load(source, config, data_dir, None)?;
            Ok((parts.train.len(), parts.task))
        }
    }
}

/// The SHA-256 of a source's files, or of what was made of standard input, which is read once.
fn digest_of(source: &Source, parts: &Parts) -> Result<Option<String>> {
    let (root, files) = match source {
        Source::Table(path) if path == Path::new("-") => {
            return Ok(Some(format!("{}-{}", parts.train.digest()?, parts.test.digest()?)));
        }
        Source::Table(path) => (path, vec![path.clone()]),
        Source::Images(path) => (path, image::list(path)?),
        Source::Arrays(path) if path.is_dir() => (path, ["x.npy", "y.npy"].map(|name| path.join(name)).to_vec()),
        Source::Arrays(path) | Source::Text(path) => (path, vec![path.clone()]),
        Source::Mnist | Source::Digits => return Ok(None),
    };
    digest_files(root, &files).map(Some)
}

/// Reads a source and divides it. `encoder` is that of a trained model, if there is one: else it is fitted to the training part.
pub fn load(source: &Source, config: &mut Config, data_dir: Option<&Path>, encoder: Option<&Encoder>) -> Result<Parts> {
    check_settings(source, config)?;
    let mut digest = None;
    let mut parts = match source {
        Source::Mnist | Source::Digits => {
            let data = match source {
                Source::Mnist => Mnist::load_from(data_dir)?,
                _ => Digits::generate(0)?,
            };
            digest = Some(format!("{} {}", data.0.digest()?, data.1.digest()?));
            own_test(data, config)
        }
        Source::Table(path) => tables::parts_of(&tables::read_table(path, config)?, config, encoder),
        Source::Images(path) => {
            config.data.images = Some(true);
            let folder = images(path, config)?;
            let classes = folder.classes().to_vec();
            arrays::divided(folder.load()?, classes, config)
        }
        Source::Arrays(path) => arrays::divided(arrays::load(path, config.data.task)?, Vec::new(), config),
        Source::Text(path) => texts::parts_of(path, config),
    }?;
    parts.digest = digest.map_or_else(|| digest_of(source, &parts), |digest| Ok(Some(digest)))?;
    parts.train = parts.train.renamed(&source.name());
    if let Some(augment) = &config.preprocess.augment {
        check_mixup(augment, &parts)?;
        parts.train = parts.train.augment(augment.clone())?;
    }
    Ok(parts)
}

/// The classes that mixup is told are those of the data; a regression has none.
fn check_mixup(augment: &Augment, parts: &Parts) -> Result<()> {
    let steps = serde_json::to_value(augment).unwrap_or_default();
    let mixed = steps["steps"].as_array().into_iter().flatten().filter_map(|step| step["mixup"]["classes"].as_u64());
    for classes in mixed {
        let is = match parts.task {
            Task::Regression => "this is a regression, which has none".to_owned(),
            Task::Classification if classes != parts.outputs as u64 => format!("there are {}", parts.outputs),
            Task::Classification => continue,
        };
        return Err(Error::Config(format!("augment: mixup is told of {classes} classes, but {is}")));
    }
    Ok(())
}

/// Refuses settings that have no meaning for the source, so that none is ignored in silence.
fn check_settings(source: &Source, config: &Config) -> Result<()> {
    let Some((section, key, group)) = unsuited(config, source.data_kind()) else { return Ok(()) };
    let name = match (section, key) {
        ("text", _) => "[text]",
        (_, "kinds") => "kinds (--as)",
        _ => key,
    };
    let hint = match source {
        Source::Text(_) if group.kinds.contains(&Kind::Digits) => return Err(texts::unsuited(name)),
        Source::Text(_) => "; a .txt file is a table where --target names the column to be predicted",
        Source::Table(_) if group.kinds == [Kind::Text] => {
            "; --text says that a file of another name than .txt is a text"
        }
        _ => "",
    };
    Err(Error::Config(format!("the setting {name} is for {}, but the source is {}{hint}", group.what, source.kind())))
}

/// Data that brings its own test part; a holdout part is taken from the training part when it is asked for.
fn own_test((train, test): (Dataset, Dataset), config: &mut Config) -> Result<Parts> {
    if config.data.task == Some(Task::Regression) {
        return Err(Error::Config(format!("the digits of {} are classes, but the task is regression", test.name())));
    }
    // Steps for images need to know which pixels are neighbours.
    let (train, test) = match &config.preprocess.augment {
        Some(_) => (train.reshape([28, 28])?, test.reshape([28, 28])?),
        None => (train, test),
    };
    let seed = config.training.seed.unwrap_or(1);
    let split = &mut config.split;
    if let Some(share) = split.test.filter(|share| *share > 0.0) {
        return Err(Error::Config(format!(
            "{} has a test part of its own, so its share cannot be {share}; set the holdout part alone, --split 85/0/15 for \
             example",
            test.name()
        )));
    }
    let fraction = match (split.train, split.holdout) {
        (Some(train), Some(holdout)) if (train + holdout - 1.0).abs() > 1e-9 => {
            return Err(Error::Config(format!("[split]: train and holdout add up to {}, not to 1", train + holdout)));
        }
        (_, Some(holdout)) => holdout,
        (train, None) => 1.0 - train.unwrap_or(1.0),
    };
    if let Some(fold) = Fold::of(config)? {
        // The images of the test part are not those of any fold.
        let split = &mut config.split;
        let mut own = Split::new(1.0 - fraction, 0.0, fraction).seed(*split.seed.get_or_insert(seed));
        if split.stratify == Some(true) {
            own = own.stratified();
        }
        let Partition { train, test, holdout } = fold.of_dataset(&train, &own, &[])?;
        return Ok(digits(train, test, holdout));
    }
    let split = &mut config.split;
    let (train, holdout) = if fraction == 0.0 {
        (train, None)
    } else {
        let mut halves = Split::train_test(fraction).seed(*split.seed.get_or_insert(seed));
        if split.stratify == Some(true) {
            halves = halves.stratified();
        }
        let Partition { train, test: holdout, .. } = train.split(&halves)?;
        (train, Some(holdout))
    };
    Ok(digits(train, test, holdout))
}

/// Parts of images of digits.
fn digits(train: Dataset, test: Dataset, holdout: Option<Dataset>) -> Parts {
    Parts {
        train,
        test,
        holdout,
        table: None,
        vocabulary: None,
        classes: (0..10).map(|digit| digit.to_string()).collect(),
        task: Task::Classification,
        outputs: 10,
        found: Vec::new(),
        digest: None,
    }
}

/// Sets the shares of the parts that are not set.
fn complete_shares(own: &mut SplitConfig) -> Result<()> {
    if own.train.is_none() && own.test.is_none() && own.holdout.is_none() {
        let Split { train, test, holdout, .. } = Split::default();
        (own.train, own.test, own.holdout) = (Some(train), Some(test), Some(holdout));
    }
    // What is not said is the rest.
    let given = [own.train, own.test, own.holdout];
    let sum = given.iter().flatten().sum::<f64>();
    if sum > 1.0 + 1e-9 {
        return Err(Error::Config(format!("[split]: train, test and holdout add up to {sum}, not to 1")));
    }
    let rest = 1.0 - sum;
    let rest = if rest.abs() < 1e-9 { 0.0 } else { rest };
    match given {
        [None, _, _] => {
            (own.train, own.test, own.holdout) = (Some(rest), own.test.or(Some(0.0)), own.holdout.or(Some(0.0)))
        }
        [Some(_), None, _] => (own.test, own.holdout) = (Some(rest), own.holdout.or(Some(0.0))),
        [Some(_), Some(_), None] => own.holdout = Some(rest),
        _ => {}
    }
    Ok(())
}

/// The settings of the split, completed.
pub fn split(config: &mut Config, target: Option<&str>) -> Result<Split> {
    let own = &mut config.split;
    complete_shares(own)?;
    let mut split = Split::new(own.train.unwrap_or(0.0), own.test.unwrap_or(0.0), own.holdout.unwrap_or(0.0));
    split.seed = *own.seed.get_or_insert(config.training.seed.unwrap_or(1));
    (split.group, split.order, split.part) = (own.group.clone(), own.order.clone(), own.part.clone());
    split.rare_in_training = own.rare_in_training == Some(true);
    if own.stratify == Some(true) {
        split.stratify = match target {
            Some(target) => Stratify::Column(target.to_owned()),
            None => Stratify::Target,
        };
    }
    split.check()?;
    Ok(split)
}

/// Whether the parts are to have the classes in the same shares, unless it is said: by default they are, and classes with fewer
/// samples than there are parts are for training. So training sees each class, whatever the seed.
pub fn stratify_by_default(config: &mut Config, classes: &[(String, usize)], sample: &str) -> Result<()> {
    let own = &mut config.split;
    complete_shares(own)?;
    if own.stratify.is_some() || own.group.is_some() || own.order.is_some() || own.part.is_some() || classes.is_empty()
    {
        return Ok(());
    }
    own.stratify = Some(true);
    let parts = if own.holdout.is_some_and(|share| share > 0.0) { 3 } else { 2 };
    let named = |(name, count): &(String, usize)| format!("`{name}` ({})", counted(*count, sample));
    let rare: Vec<String> = classes.iter().filter(|(_, count)| *count < parts).map(named).collect();
    if *own.rare_in_training.get_or_insert(true) && !rare.is_empty() {
        note(&format!(
            "too rare for {parts} parts, and so for training alone: {}; the score says nothing about {}",
            shortened(&rare),
            if rare.len() == 1 { "this class" } else { "these classes" }
        ));
    }
    Ok(())
}

/// The folder of images, with the size and the channels that were asked for.
fn images(path: &Path, config: &Config) -> Result<ImageFolder> {
    let mut folder = ImageFolder::open(path)?;
    if let Some([height, width]) = config.data.size {
        folder = folder.size(height, width);
    }
    Ok(match config.data.colour {
        Some(Colour::Grey) => folder.grey(),
        Some(Colour::Rgb) => folder.rgb(),
        None => folder,
    })
}
