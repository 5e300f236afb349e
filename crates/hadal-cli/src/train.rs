//! `hadal train`.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::Path;

use hadal::monitor::{Console, note, print_line};
use hadal::prelude::*;
use hadal::train::RunFolder;
use hadal::{Error, MatmulPrecision, Result};

use crate::args::{DatasetName, DeviceName, OptimizerName, PrecisionName, ScheduleName, Train};
use crate::model::DATASET;

pub fn run(args: &Train) -> Result<()> {
    if args.device == DeviceName::Cuda {
        return Err(Error::Config("there is no GPU support yet; train with --device cpu, the default".into()));
    }
    if let Some(threads) = args.threads {
        hadal::set_num_threads(threads);
    }
    let precision = match args.precision {
        PrecisionName::Highest => MatmulPrecision::Highest,
        PrecisionName::High => MatmulPrecision::High,
        PrecisionName::Medium => MatmulPrecision::Medium,
    };
    if precision != MatmulPrecision::Highest && !precision.is_faster() {
        note(&format!("precision {precision} is not faster on this processor; matrix products use precision highest"));
    }
    hadal::set_matmul_precision(precision);
    if let Some(folder) = &args.out {
        check_vacant(folder, args.overwrite)?;
    }
    let optimizer = optimizer(args)?;
    let (train, test) = data(args)?;
    let mut model = Sequential::new([784])
        .seed(args.seed)
        .add(Dense::new(512).activation(Relu))
        .add(Dropout::new(0.2))
        .add(Dense::new(512).activation(Relu))
        .add(Dropout::new(0.2))
        .add(Dense::new(10).activation(Softmax))
        .compile(optimizer, CategoricalCrossentropy, [Accuracy])?;
    let schedule = match args.schedule {
        ScheduleName::Constant => Schedule::Constant,
        ScheduleName::Cosine => Schedule::Cosine,
    };
    let mut fit = Fit::epochs(args.epochs)
        .batch_size(args.batch_size)
        .validation_data(&test)
        .validation_batch_size(args.test_batch_size)
        .schedule(schedule)
        .quiet();
    let folder =
        args.out.as_ref().map(|folder| open(folder, args.overwrite, &model.model, train.name())).transpose()?;
    if !args.quiet {
        print_line(&format!("{}\n", model.summary()))?;
        print_line(&format!(
            "Training on {}: {} images, {} to test, seed {}, {} {}",
            train.name(),
            train.len(),
            test.len(),
            args.seed,
            hadal::num_threads(),
            if hadal::num_threads() == 1 { "thread" } else { "threads" }
        ))?;
        fit = fit.callback(Console::new(std::io::stdout().is_terminal()).log_interval(args.log_interval));
    }
    if let Some(folder) = folder {
        fit = fit.callback(folder);
    }
    model.fit(&train, fit)?;
    print_line(&format!("{} test: {}", test.name(), model.evaluate(&test)?))?;
    if let Some(folder) = args.out.as_ref().filter(|_| !args.quiet) {
        let (model, history) = (folder.join(RunFolder::MODEL), folder.join(RunFolder::HISTORY));
        print_line(&format!("Wrote {} and {}", model.display(), history.display()))?;
    }
    Ok(())
}

/// Takes the folder for this run.
fn open(folder: &Path, overwrite: bool, model: &Sequential, dataset: &str) -> Result<RunFolder> {
    let notes = BTreeMap::from([(DATASET.to_owned(), dataset.to_owned())]);
    let run = RunFolder::open(folder, model.architecture(), notes)?;
    // Another run may have ended in it since it was found vacant.
    check_vacant(folder, overwrite)?;
    Ok(run)
}

/// Refuses a folder that holds a run already, so that no model is lost to a repeated command.
fn check_vacant(folder: &Path, overwrite: bool) -> Result<()> {
    let Some(path) = RunFolder::existing_run(folder).filter(|_| !overwrite) else { return Ok(()) };
    // The folder is refused, but a history that a killed run did not write is restored all the same.
    if let Ok((_, notes)) = Sequential::load(folder.join(RunFolder::MODEL)) {
        RunFolder::restore(folder, &notes);
    }
    let advice = "choose another folder for --out, or pass --overwrite to replace it";
    Err(Error::Config(format!("{} already exists; {advice}", path.display())))
}

fn optimizer(args: &Train) -> Result<Box<dyn Optimizer>> {
    Ok(match args.optimizer {
        OptimizerName::Sgd => Box::new(Sgd::new(args.lr.unwrap_or(0.01)).momentum(args.momentum)),
        OptimizerName::Rmsprop => Box::new(RmsProp::new(args.lr.unwrap_or(0.001)).momentum(args.momentum)),
        OptimizerName::Adam if args.momentum != 0.0 => {
            return Err(Error::Config(
                "--momentum cannot be used with adam; omit it, or use --optimizer sgd or rmsprop".into(),
            ));
        }
        OptimizerName::Adam => Box::new(Adam::new(args.lr.unwrap_or(0.001))),
    })
}

/// Training and test images. Without a name, the built-in digits stand in for an MNIST that is not available.
fn data(args: &Train) -> Result<(Dataset, Dataset)> {
    if args.dataset == Some(DatasetName::Digits) {
        return Digits::generate(0);
    }
    match Mnist::load_from(args.data_dir.as_deref()) {
        Err(Error::Unavailable { tried, supply, .. }) if args.dataset.is_none() => {
            note(&format!("MNIST is not available (tried {tried}); training on the built-in digits instead"));
            note(&supply);
            Digits::generate(0)
        }
        other => other,
    }
}
