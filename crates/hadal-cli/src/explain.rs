//! `hadal explain`.

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

use hadal::data::Task;
use hadal::format::image;
use hadal::monitor::{csv_line, note, print_line};
use hadal::nn::Forward;
use hadal::prelude::*;
use hadal::{Error, Result};

use crate::args::Explain;
use crate::counted::counted;
use crate::model::{self, Trained};
use crate::network::{measures, trained_scale};
use crate::parts::{self, Parts};
use crate::predict::files;
use crate::several::check_is_one;
use crate::source::Source;
use crate::tables;

pub fn run(args: &Explain) -> Result<()> {
    check_is_one(&args.model)?;
    let trained = model::load(&args.model)?;
    match trained.source {
        Source::Table(_) => table(args, trained),
        Source::Images(_) | Source::Mnist | Source::Digits => images(args, &trained),
        Source::Arrays(_) | Source::Text(_) => Err(trained
            .error(format!("the model was trained on {}; explain is for tables and images", trained.source.kind()))),
    }
}

/// Columns by permutation importance.
fn table(args: &Explain, trained: Trained) -> Result<()> {
    let [path] = &args.data[..] else {
        return Err(Error::Config(format!("the model takes one table at a time, not {}", args.data.len())));
    };
    let Some(encoder) = trained.encoder() else { return Err(trained.error("has no encoder of a table")) };
    trained.note_own_data(&path.to_string_lossy());
    let table = tables::read_only(path, &trained.config)?;
    tables::note_ignored(&table, &encoder);
    let data = encoder.dataset(&table)?;
    if data.len() < 2 {
        return Err(Error::Data(format!(
            "{}: has {}, but explain shuffles each column among the rows, so it needs at least 2 rows (better hundreds)",
            table.name(),
            counted(data.len(), "row")
        )));
    }
    let parts = Parts::only(data.clone(), &trained);
    let mut config = trained.config.clone();
    config.loss.class_weights = None;
    let (loss, metrics) = measures(&config, &parts, trained_scale(&trained.model))?;
    let has_r2 = metrics.iter().any(|metric| metric.name() == "r2_score");
    let trainer = Trainer::new(trained.model, Sgd::default(), loss, metrics);
    // Targets that are all equal have no r2_score, which measures said.
    let (score, changes) = match encoder.task() {
        Task::Classification => ("accuracy", "falls"),
        Task::Regression if has_r2 => ("r2_score", "falls"),
        Task::Regression => ("loss", "rises"),
    };
    let ranges = encoder.input_ranges();
    let all = trainer.permutation_importance(&data, &ranges, score, args.repeats, args.seed)?;
    if all.iter().all(|own| own.mean == 0.0) {
        note(&format!(
            "{}: no column changes the {score} when it is shuffled: too few rows, or all alike, or the model answers the same everywhere",
            table.name()
        ));
    }
    if args.csv {
        print_line("column,importance,std")?;
        return all
            .into_iter()
            .try_for_each(|own| print_line(&csv_line([own.name, own.mean.to_string(), own.std.to_string()])));
    }
    print_line(&format!(
        "How much {score} {changes} on the {} of {} when a column is shuffled ({} each)\n",
        counted(data.len(), "row"),
        table.name(),
        counted(args.repeats, "time")
    ))?;
    let width = all.iter().map(|own| own.name.chars().count()).max().unwrap_or(0);
    let most = all.first().map_or(0.0, |own| own.mean).max(f64::MIN_POSITIVE);
    all.iter().try_for_each(|own| {
        let bar = "█".repeat((30.0 * (own.mean / most).max(0.0)).round() as usize);
        // Of one shuffle there is no deviation.
        let std = if args.repeats > 1 { format!(" ± {:.4}", own.std) } else { String::new() };
        print_line(format!("{:width$}  {:7.4}{std}  {bar}", own.name, own.mean).trim_end())
    })
}

/// Which pixels change the score of the predicted class (Simonyan, Vedaldi and Zisserman, 2013), drawn for each image.
fn images(args: &Explain, trained: &Trained) -> Result<()> {
    if args.csv {
        return Err(Error::Config(
            "--csv is for tables; what a model of images looks at is written as pictures, to the folder --out".into(),
        ));
    }
    let mut files = files(&args.data)?;
    let mut seen = HashSet::new();
    files.retain(|path| seen.insert(path.clone()));
    let pictures: Vec<PathBuf> = names(&files).into_iter().map(|name| args.out.join(name)).collect();
    if let Some(there) = pictures.iter().find(|path| path.exists() && !args.overwrite) {
        return Err(Error::Config(format!(
            "{} already exists; choose another folder for --out, or pass --overwrite to replace it",
            there.display()
        )));
    }
    std::fs::create_dir_all(&args.out).map_err(|source| Error::Io {
        path: args.out.clone(),
        action: "make the folder",
        source,
    })?;
    for (path, file) in files.into_iter().zip(pictures) {
        let raw = parts::read_images(std::slice::from_ref(&path), trained)?;
        let (height, width) = (raw.size(-2), raw.size(-1));
        let raw = match trained.model.input_shape() {
            Some(shape) if shape.rank() == 1 => raw.flatten(1),
            _ => raw,
        };
        let x = match trained.model.preprocessing() {
            Some(own) => own.apply(&raw),
            None => raw.to_dtype(DType::F32) / 255.0,
        };
        let x = x.detach().requires_grad();
        let outputs = trained.model.forward(&x, &mut Context::evaluation());
        let best = outputs.argmax(1).item() as usize;
        // The logarithm: the score of a class that is nearly certain hardly changes.
        let gradients = outputs.narrow(1, best, 1).clamp(1e-30, 1.0).ln().sum().backward();
        let Some(gradient) = gradients.get(&x) else {
            return Err(trained.error("its prediction does not depend on the image"));
        };
        let shape = [gradient.elements() / (height * width), height, width];
        let strength = gradient.abs().reshape(shape).max_axes(&[0]);
        let most = strength.max().item();
        let pixels = if most > 0.0 { strength * (255.0 / most) } else { strength };
        image::write_png(&file, &pixels.to_dtype(DType::U8))?;
        let class = trained.classes.get(best).cloned().unwrap_or_else(|| best.to_string());
        print_line(&format!("{}: {class}; wrote {}", path.display(), file.display()))?;
    }
    Ok(())
}

/// The name of each image's picture: the image's with its folder, with more folders where two would have one name.
fn names(files: &[PathBuf]) -> Vec<String> {
    let parts = |path: &Path| -> Vec<String> {
        let normal = path.components().filter(|part| matches!(part, Component::Normal(_)));
        normal.map(|part| part.as_os_str().to_string_lossy().into_owned()).collect()
    };
    let longest = files.iter().map(|path| parts(path).len()).max().unwrap_or(1);
    let joined = |depth: usize, whole: bool| -> Vec<String> {
        let name = |path: &PathBuf| {
            let path = if whole { path.clone() } else { path.with_extension("") };
            let parts = parts(&path);
            parts[parts.len().saturating_sub(depth)..].join("_")
        };
        files.iter().map(name).collect()
    };
    let differ = |names: &Vec<String>| names.iter().collect::<HashSet<_>>().len() == names.len();
    let tries = [joined(2, false), joined(2, true)].into_iter().chain((3..=longest).map(|depth| joined(depth, true)));
    let numbered =
        || joined(2, true).into_iter().enumerate().map(|(place, name)| format!("{}_{name}", place + 1)).collect();
    let names: Vec<String> = tries.into_iter().find(differ).unwrap_or_else(numbered);
    names.into_iter().map(|name| format!("{name}.saliency.png")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_pictures_have_one_name() {
        let names = |files: &[&str]| names(&files.iter().map(PathBuf::from).collect::<Vec<_>>());
        assert_eq!(names(&["cat.png"]), ["cat.saliency.png"]);
        assert_eq!(names(&["/p/cats/0.png", "p/dogs/0.png"]), ["cats_0.saliency.png", "dogs_0.saliency.png"]);
        assert_eq!(names(&["a/0.png", "a/0.jpg"]), ["a_0.png.saliency.png", "a_0.jpg.saliency.png"]);
        assert_eq!(names(&["x/a/0.png", "y/a/0.png"]), ["x_a_0.png.saliency.png", "y_a_0.png.saliency.png"]);
        assert_eq!(names(&["a_b/0.png", "a/b_0.png"]), ["1_a_b_0.png.saliency.png", "2_a_b_0.png.saliency.png"]);
    }
}
