//! `hadal evaluate`.

use hadal::data::{ImageFolder, Task, Text};
use hadal::format::image::Channels;
use hadal::monitor::{note, print_line};
use hadal::prelude::*;
use hadal::{Error, Result};

use crate::args::Evaluate;
use crate::arrays::{self, prepared};
use crate::holdout;
use crate::intervals::print_intervals;
use crate::model::{self, Trained};
use crate::network::{measures, trained_scale};
use crate::parts::{self, Parts};
use crate::several::check_is_one;
use crate::source::Source;
use crate::tables;
use crate::texts::in_other_words;

pub fn run(args: &Evaluate) -> Result<()> {
    check_is_one(&args.model)?;
    let trained = model::load(&args.model)?;
    let lecture = matches!(trained.source, Source::Mnist | Source::Digits);
    let (data, parts, name) = match &args.data {
        Some(text) => {
            trained.note_own_data(text);
            let data = other(text, &trained, args)?;
            let name = data.name().to_owned();
            let parts = Parts::only(data.clone(), &trained);
            (data, parts, name)
        }
        None => own(&trained, args)?,
    };
    let mut config = trained.config.clone();
    if args.data.is_some() {
        // The weights were those of the training part.
        config.loss.class_weights = None;
    }
    let scale = trained_scale(&trained.model);
    let (loss, metrics) = measures(&config, &parts, scale)?;
    let path = trained.path.clone();
    let trainer = Trainer::new(trained.model, Sgd::default(), loss, metrics);
    let error = |error: Error| Error::File { path: path.clone(), reason: error.to_string() };
    let score = trainer.evaluate(&data).map_err(error)?;
    let in_other_words = parts.vocabulary.as_ref().map_or(String::new(), |_| in_other_words(&score));
    print_line(&format!("{name}: {score}{in_other_words}"))?;
    print_intervals(&trainer, &data, &score)?;
    if args.holdout {
        let folder = if args.model.is_dir() { Some(args.model.as_path()) } else { args.model.parent() };
        folder.into_iter().for_each(|folder| holdout::look(folder, &score));
    }
    if lecture || parts.task == Task::Regression || parts.vocabulary.is_some() {
        return Ok(());
    }
    confusion(&trainer, &data, &parts)
}

/// The confusion matrix, with the names of the classes.
fn confusion(trainer: &Trainer<Sequential>, data: &Dataset, parts: &Parts) -> Result<()> {
    const MOST: usize = 20;
    if parts.outputs > MOST {
        return print_line(&format!("(no confusion matrix: {} classes)", parts.outputs));
    }
    let mut matrix = ConfusionMatrix::new();
    matrix.update(&trainer.predict(data)?, data.targets());
    let names: Vec<String> = (0..parts.outputs).map(|class| parts.class_name(class)).collect();
    let row = |class: usize| (0..parts.outputs).map(move |predicted| (class, predicted));
    let counts: Vec<Vec<String>> = (0..parts.outputs)
        .map(|class| row(class).map(|(class, predicted)| matrix.count(class, predicted).to_string()).collect())
        .collect();
    let width = names.iter().chain(counts.iter().flatten()).map(|text| text.chars().count()).max().unwrap_or(1).min(24);
    let cell = |text: &str| format!("{:>width$}", text.chars().take(width).collect::<String>());
    print_line("\nConfusion matrix (rows: true classes, columns: predicted)")?;
    let header: Vec<String> = names.iter().map(|name| cell(name)).collect();
    print_line(&format!("{}  {}", cell(""), header.join("  ")))?;
    for (name, row) in names.iter().zip(counts) {
        let row: Vec<String> = row.iter().map(|count| cell(count)).collect();
        print_line(&format!("{}  {}", cell(name), row.join("  ")))?;
    }
    Ok(())
}

/// The test or holdout part of the data that the model was trained on.
fn own(trained: &Trained, args: &Evaluate) -> Result<(Dataset, Parts, String)> {
    if !trained.names_its_data() {
        return Err(trained.error(format!(
            "the model was trained on {}; give the data to be evaluated: mnist or digits",
            trained.dataset()
        )));
    }
    if trained.source == Source::Table("-".into()) {
        return Err(trained.error(
            "the model was trained on a table from standard input, which cannot be read again; give the data to be evaluated: \
             a file, or - for standard input",
        ));
    }
    let mut config = trained.config.clone();
    // In a cross-validation, a fold of the training images is the test part.
    let has_own_test = !args.holdout && trained.config.split.fold.is_none();
    if trained.source == Source::Mnist && has_own_test {
        let test = Mnist::load_test(args.data_dir.as_deref())?;
        trained.check_test(&test)?;
        let test = trained.digits(test)?;
        let name = format!("{} test", test.name());
        return Ok((test.clone(), Parts::only(test, trained), name));
    }
    if trained.source == Source::Digits && has_own_test {
        let test = trained.digits(Digits::generate_test(0)?)?;
        let name = format!("{} test", test.name());
        return Ok((test.clone(), Parts::only(test, trained), name));
    }
    let parts = parts::load(&trained.source, &mut config, args.data_dir.as_deref(), trained.encoder().as_ref())?;
    trained.check_data(&parts)?;
    let (part, what) = if args.holdout {
        let Some(holdout) = parts.holdout.clone() else {
            if parts.vocabulary.is_some() {
                return Err(
                    trained.error("a text has no holdout part; judge by another text: hadal evaluate MODEL OTHER.txt")
                );
            }
            return Err(trained.error("the model was trained without a holdout part (--split 70/15/15 makes one)"));
        };
        (holdout, "holdout")
    } else {
        (parts.test.clone(), "test")
    };
    let name = format!("{} {what}", trained.dataset());
    // What is judged stands in place of the test part.
    Ok((part.clone(), Parts { test: part, ..parts }, name))
}

/// Other data, prepared as the training data was.
fn other(text: &str, trained: &Trained, args: &Evaluate) -> Result<Dataset> {
    let source = Source::find(text)?;
    let wrong =
        || Error::Data(format!("the model was trained on {}, but {text} is {}", trained.source.kind(), source.kind()));
    let digits = matches!(trained.source, Source::Mnist | Source::Digits);
    match &source {
        Source::Mnist if digits => trained.digits(Mnist::load_test(args.data_dir.as_deref())?),
        Source::Digits if digits => trained.digits(Digits::generate_test(0)?),
        Source::Table(path) if matches!(trained.source, Source::Text(_)) => self::text(path, trained),
        Source::Table(path) => {
            let encoder = trained.encoder().ok_or_else(wrong)?;
            let table = tables::read_only(path, &trained.config)?;
            tables::note_ignored(&table, &encoder);
            encoder.dataset(&table)
        }
        Source::Images(path) if matches!(trained.source, Source::Images(_)) => images(path, trained),
        Source::Arrays(path) if matches!(trained.source, Source::Arrays(_)) => {
            prepared(arrays::load(path, trained.config.data.task)?, trained)
        }
        _ => Err(wrong()),
    }
}

/// A text whose characters are among the model's.
fn text(path: &std::path::Path, trained: &Trained) -> Result<Dataset> {
    let (Some(vocabulary), Some(context)) = (trained.vocabulary(), trained.config.text.context) else {
        return Err(trained.error("does not say what text it was trained on"));
    };
    let text = Text::read(path)?;
    if text.len() <= context {
        return Err(Error::File {
            path: path.to_owned(),
            reason: format!(
                "has {} characters, but the model is evaluated on sequences of {context} and the character that follows each: at least {} are \
                 needed",
                text.len(),
                context + 1
            ),
        });
    }
    text.with_vocabulary(&vocabulary)?.dataset(context)
}

/// A folder of images whose classes are among the model's.
fn images(path: &std::path::Path, trained: &Trained) -> Result<Dataset> {
    let (height, width, channels) =
        parts::image_shape(&trained.model).ok_or_else(|| trained.error("takes no images"))?;
    let folder = ImageFolder::open(path)?.size(height, width);
    let folder = if channels == Channels::Grey { folder.grey() } else { folder.rgb() };
    let mut labels = Vec::new();
    for class in folder.classes() {
        let label = trained.classes.iter().position(|own| own == class).ok_or_else(|| {
            Error::Data(format!(
                "{}: the class `{class}` was never seen in training; there are {}",
                path.display(),
                trained.classes.join(", ")
            ))
        })?;
        labels.push(label as i64);
    }
    let missing: Vec<&str> =
        trained.classes.iter().filter(|own| !folder.classes().contains(own)).map(String::as_str).collect();
    if !missing.is_empty() {
        note(&format!("{} has no images of {}", path.display(), missing.join(", ")));
    }
    let data = folder.load()?;
    let targets: Vec<i64> = data.targets().to_vec::<i64>().into_iter().map(|label| labels[label as usize]).collect();
    let samples = targets.len();
    prepared(data.with_targets(Tensor::from_vec(targets, [samples]))?, trained)
}
