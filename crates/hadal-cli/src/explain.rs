//! `hadal explain`.

use std::path::{Path, PathBuf};

use hadal::data::Task;
use hadal::format::image;
use hadal::monitor::{csv_line, print_line};
use hadal::nn::Forward;
use hadal::prelude::*;
use hadal::{Error, Result};

use crate::args::Explain;
use crate::model::{self, Trained};
use crate::network::{measures, trained_scale};
use crate::parts::{self, Parts};
use crate::predict::files;
use crate::source::Source;

pub fn run(args: &Explain) -> Result<()> {
    let trained = model::load(&args.model)?;
    match trained.source {
        Source::Table(_) => table(args, trained),
        Source::Images(_) | Source::Mnist | Source::Digits => images(args, &trained),
        Source::Arrays(_) => Err(trained.error("the model was trained on arrays; explain is for tables and images")),
    }
}

/// Columns by permutation importance.
fn table(args: &Explain, trained: Trained) -> Result<()> {
    let [path] = &args.data[..] else {
        return Err(Error::Config(format!("the model takes one table at a time, not {}", args.data.len())));
    };
    let Some(encoder) = trained.encoder() else { return Err(trained.error("has no encoder of a table")) };
    let table = parts::read_only(path, &trained.config)?;
    let data = encoder.dataset(&table)?;
    let parts = Parts::only(data.clone(), &trained);
    let mut config = trained.config.clone();
    config.loss.class_weights = None;
    let (loss, metrics) = measures(&config, &parts, trained_scale(&trained.model))?;
    let trainer = Trainer::new(trained.model, Sgd::default(), loss, metrics);
    let score = if encoder.task() == Task::Classification { "accuracy" } else { "r2_score" };
    let ranges = encoder.input_ranges();
    let all = trainer.permutation_importance(&data, &ranges, score, args.repeats, args.seed)?;
    if args.csv {
        print_line("column,importance,std")?;
        return all
            .into_iter()
            .try_for_each(|own| print_line(&csv_line([own.name, own.mean.to_string(), own.std.to_string()])));
    }
    print_line(&format!(
        "How much {score} falls on the {} rows of {} when a column is shuffled ({} times each)\n",
        data.len(),
        table.name(),
        args.repeats
    ))?;
    let width = all.iter().map(|own| own.name.chars().count()).max().unwrap_or(0);
    let most = all.first().map_or(0.0, |own| own.mean).max(f64::MIN_POSITIVE);
    all.iter().try_for_each(|own| {
        let bar = "█".repeat((30.0 * (own.mean / most).max(0.0)).round() as usize);
        print_line(format!("{:width$}  {:7.4} ± {:.4}  {bar}", own.name, own.mean, own.std).trim_end())
    })
}

/// Which pixels change the score of the predicted class (Simonyan, Vedaldi and Zisserman, 2013), drawn for each image.
fn images(args: &Explain, trained: &Trained) -> Result<()> {
    let files = files(&args.data)?;
    std::fs::create_dir_all(&args.out).map_err(|source| Error::Io {
        path: args.out.clone(),
        action: "make the folder",
        source,
    })?;
    for path in files {
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
        let file = args.out.join(name(&path));
        image::write_png(&file, &pixels.to_dtype(DType::U8))?;
        let class = trained.classes.get(best).cloned().unwrap_or_else(|| best.to_string());
        print_line(&format!("{}: {class}; wrote {}", path.display(), file.display()))?;
    }
    Ok(())
}

/// The name of the picture for an image.
fn name(path: &Path) -> PathBuf {
    let stem = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy();
    PathBuf::from(format!("{stem}.saliency.png"))
}
