//! `hadal predict`.

use std::path::{Path, PathBuf};

use hadal::format::image::{self, read_png, read_png_size};
use hadal::monitor::{csv_line, note, print_line};
use hadal::prelude::*;
use hadal::{Error, Result, stack};

use crate::aligned::aligned;
use crate::args::Predict;
use crate::arrays;
use crate::model::{self, Trained};
use crate::parts;
use crate::several::check_is_one;
use crate::source::Source;
use crate::tables;
use crate::train::quoted;

pub fn run(args: &Predict) -> Result<()> {
    check_is_one(&args.model)?;
    let trained = model::load(&args.model)?;
    if args.invert && matches!(trained.source, Source::Table(_) | Source::Arrays(_)) {
        return Err(Error::Config(format!(
            "--invert is for images, but the model was trained on {}",
            trained.source.kind()
        )));
    }
    match trained.source {
        Source::Mnist | Source::Digits => digits(args, trained),
        Source::Table(_) => table(args, trained),
        Source::Images(_) => images(args, trained),
        Source::Arrays(_) => arrays(args, trained),
        Source::Text(_) => Err(trained.error(format!(
            "the model was trained on a text, which it continues: hadal generate {} --prompt TEXT",
            quoted(&args.model)
        ))),
    }
}

/// The only thing to be predicted.
fn only<'a>(args: &'a Predict, what: &str) -> Result<&'a Path> {
    match &args.data[..] {
        [path] => Ok(path),
        several => Err(Error::Config(format!("the model takes one {what} at a time, not {}", several.len()))),
    }
}

fn table(args: &Predict, trained: Trained) -> Result<()> {
    let path = only(args, "table")?;
    if path.is_dir() {
        return Err(Error::Data(format!("the model was trained on a table, but {} is a folder", path.display())));
    }
    let table = tables::read_only(path, &trained.config)?;
    let Some(encoder) = trained.encoder() else { return Err(trained.error("has no encoder of a table")) };
    tables::note_ignored(&table, &encoder);
    let lines = (0..table.rows()).map(|row| table.line(row).to_string()).collect();
    let classes = Classes::of(&trained);
    let target = classes.key("line", encoder.target());
    let outputs = trained.trainer().predict(&table)?;
    print(args, "line", lines, &target, &classes, &outputs)
}

fn images(args: &Predict, trained: Trained) -> Result<()> {
    let files = files(&args.data)?;
    let mut inputs = parts::read_images(&files, &trained)?;
    if args.invert {
        inputs = (255.0 - inputs).to_dtype(DType::U8);
    }
    let classes = Classes::of(&trained);
    let outputs = trained.trainer().predict(&inputs)?;
    let names = files.iter().map(|path| path.display().to_string()).collect();
    print(args, "file", names, "class", &classes, &outputs)
}

/// All images that were named, and those in folders.
pub fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() { files.extend(image::list(path)?) } else { files.push(path.clone()) }
    }
    Ok(files)
}

fn arrays(args: &Predict, trained: Trained) -> Result<()> {
    let path = only(args, "array")?;
    let inputs = arrays::inputs(path, &trained)?;
    let samples = (0..inputs.len()).map(|sample| sample.to_string()).collect();
    let classes = Classes::of(&trained);
    let outputs = trained.trainer().predict(&inputs)?;
    print(args, "sample", samples, "prediction", &classes, &outputs)
}

fn digits(args: &Predict, trained: Trained) -> Result<()> {
    // All images are read before anything is printed: a bad one costs no half answer.
    let images = args.data.iter().map(|path| {
        let [height, width] = read_png_size(path)?;
        if [height, width] != [28, 28] {
            let path = path.display();
            return Err(Error::Data(format!("{path}: is {width} x {height} pixels; the network takes 28 x 28")));
        }
        let image = read_png(path)?;
        Ok(if args.invert { 1.0 - image } else { image })
    });
    let images = stack(&images.collect::<Result<Vec<_>>>()?, 0);
    if !args.invert && images.mean().item() > 0.5 {
        note(
            "these images look dark on light, but the model was trained on light digits on a dark background; try --invert",
        );
    }
    let (path, classes) = (trained.path.clone(), Classes::of(&trained));
    let error = |error: Error| Error::File { path: path.clone(), reason: error.to_string() };
    // As rows of pixels, or as they are.
    let images = if trained.model.input_shape() == Some([784].into()) { images.flatten(1) } else { images };
    let outputs = trained.trainer().predict(&images).map_err(error)?;
    let names = args.data.iter().map(|path| path.display().to_string()).collect();
    print(args, "file", names, "class", &classes, &outputs)
}

/// What a model predicts.
struct Classes {
    /// Whether it is classes, and not numbers.
    are_predicted: bool,
    /// Their names; labels without one are numbers.
    names: Vec<String>,
}

impl Classes {
    fn of(trained: &Trained) -> Classes {
        Classes {
            are_predicted: trained.config.data.task != Some(hadal::data::Task::Regression),
            names: trained.classes.clone(),
        }
    }

    /// What a table's target is called in CSV and JSON: by its name, unless that is one of the other columns'. `what` is the first.
    fn key(&self, what: &str, target: &str) -> String {
        let is_taken = target == what
            || self.are_predicted && target == "probability"
            || self.are_predicted && self.names.iter().any(|name| target == format!("probability_{name}"));
        if is_taken { format!("predicted_{target}") } else { target.to_owned() }
    }
}

/// Prints a row for each sample: its name, the class with its probability or the numbers.
fn print(
    args: &Predict,
    what: &str,
    names: Vec<String>,
    target: &str,
    classes: &Classes,
    outputs: &Tensor,
) -> Result<()> {
    let width = outputs.size(1);
    let outputs = outputs.to_vec::<f32>();
    let is_class = classes.are_predicted;
    if args.probabilities && !is_class {
        return Err(Error::Config("--probabilities is for classes, but the model predicts numbers".into()));
    }
    let class = |label: usize| classes.names.get(label).cloned().unwrap_or_else(|| label.to_string());
    let columns = match (is_class, width) {
        (true, _) => {
            let each = (0..width).filter(|_| args.probabilities).map(|label| format!("probability_{}", class(label)));
            [target.to_owned(), "probability".to_owned()].into_iter().chain(each).collect()
        }
        (false, 1) => vec![target.to_owned()],
        (false, _) => (0..width).map(|output| format!("{target}_{output}")).collect(),
    };
    let best =
        |outputs: &[f32]| (0..width).max_by(|&a, &b| outputs[a].total_cmp(&outputs[b]).then(b.cmp(&a))).unwrap_or(0);
    let samples = || names.iter().zip(outputs.chunks(width));
    if args.json {
        return samples().try_for_each(|(name, outputs)| {
            let (what, name) = (json(what), json_name(what, name));
            let values: Vec<String> = if is_class {
                let label = best(outputs);
                let all = if args.probabilities { outputs } else { &[] };
                [json(&class(label)), json_number(outputs[label])]
                    .into_iter()
                    .chain(all.iter().copied().map(json_number))
                    .collect()
            } else {
                outputs.iter().copied().map(json_number).collect()
            };
            if !is_class && width > 1 {
                return print_line(&format!("{{{what}: {name}, {}: [{}]}}", json(target), values.join(", ")));
            }
            let pairs = columns.iter().zip(values).map(|(column, value)| format!(", {}: {value}", json(column)));
            print_line(&format!("{{{what}: {name}{}}}", pairs.collect::<String>()))
        });
    }
    let row = |name: &String, outputs: &[f32], chance: fn(f32) -> String| -> Vec<String> {
        if !is_class {
            return [name.clone()].into_iter().chain(outputs.iter().map(f32::to_string)).collect();
        }
        let label = best(outputs);
        let all = if args.probabilities { outputs } else { &[] };
        let each = [outputs[label]].into_iter().chain(all.iter().copied()).map(chance);
        [name.clone(), class(label)].into_iter().chain(each).collect()
    };
    let header: Vec<String> = [what.to_owned()].into_iter().chain(columns.clone()).collect();
    if args.csv {
        print_line(&csv_line(header))?;
        return samples()
            .try_for_each(|(name, outputs)| print_line(&csv_line(row(name, outputs, |chance| chance.to_string()))));
    }
    let rows = samples().map(|(name, outputs)| row(name, outputs, |chance| format!("{:.2}%", 100.0 * chance)));
    let rows: Vec<Vec<String>> = [header].into_iter().chain(rows).collect();
    aligned(&rows).iter().try_for_each(|line| print_line(line))
}

/// Lines and samples are numbers, files are text.
fn json_name(what: &str, name: &str) -> String {
    if what == "file" { json(name) } else { name.to_owned() }
}

/// JSON has no word for a number that is none.
fn json_number(number: f32) -> String {
    if number.is_finite() { number.to_string() } else { "null".to_owned() }
}

fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
