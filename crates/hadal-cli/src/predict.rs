//! `hadal predict`.

use std::path::{Path, PathBuf};

use hadal::format::image::{self, read_png, read_png_size};
use hadal::monitor::{csv_line, note, print_line};
use hadal::prelude::*;
use hadal::{Error, Result, stack};

use crate::args::Predict;
use crate::arrays;
use crate::model::{self, Trained};
use crate::parts;
use crate::source::Source;
use crate::tables;

pub fn run(args: &Predict) -> Result<()> {
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

/// Prints a line for each sample: its name, the class with its probability or the numbers.
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
    if args.csv {
        let columns = match (is_class, width) {
            (true, _) => {
                let each =
                    (0..width).filter(|_| args.probabilities).map(|label| format!("probability_{}", class(label)));
                [target.to_owned(), "probability".to_owned()].into_iter().chain(each).collect()
            }
            (false, 1) => vec![target.to_owned()],
            (false, _) => (0..width).map(|output| format!("{target}_{output}")).collect(),
        };
        print_line(&csv_line([what.to_owned()].into_iter().chain(columns)))?;
    }
    for (name, outputs) in names.into_iter().zip(outputs.chunks(width)) {
        if !is_class {
            let numbers: Vec<String> = outputs.iter().map(f32::to_string).collect();
            print_line(&match (args.csv, args.json) {
                (true, _) => csv_line([name].into_iter().chain(numbers)),
                (_, true) => {
                    let numbers = outputs.iter().copied().map(json_number).collect::<Vec<_>>().join(", ");
                    let numbers = if width == 1 { numbers } else { format!("[{numbers}]") };
                    format!("{{{}: {}, {}: {numbers}}}", json(what), json_name(what, &name), json(target))
                }
                _ => format!("{}{name}: {}", prefix(what), numbers.join(" ")),
            })?;
            continue;
        }
        let best = (0..width).max_by(|&a, &b| outputs[a].total_cmp(&outputs[b]).then(b.cmp(&a))).unwrap_or(0);
        let (label, chance) = (class(best), outputs[best]);
        let all = if args.probabilities { outputs } else { &[] };
        print_line(&match (args.csv, args.json) {
            (true, _) => csv_line([name, label, chance.to_string()].into_iter().chain(all.iter().map(f32::to_string))),
            (_, true) => {
                let (what, name, target, label) = (json(what), json_name(what, &name), json(target), json(&label));
                let each = all.iter().enumerate().map(|(label, chance)| {
                    format!(", {}: {}", json(&format!("probability_{}", class(label))), json_number(*chance))
                });
                let (chance, each) = (json_number(chance), each.collect::<String>());
                format!("{{{what}: {name}, {target}: {label}, \"probability\": {chance}{each}}}")
            }
            _ if args.probabilities => {
                let percent = |(label, chance): (usize, &f32)| format!("{} {:.2}%", class(label), 100.0 * chance);
                let each: Vec<String> = all.iter().enumerate().map(percent).collect();
                format!("{}{name}: {label} ({})", prefix(what), each.join(", "))
            }
            _ => format!("{}{name}: {label} ({:.2}%)", prefix(what), 100.0 * chance),
        })?;
    }
    Ok(())
}

/// Files say what they are.
fn prefix(what: &str) -> String {
    if what == "file" { String::new() } else { format!("{what} ") }
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
