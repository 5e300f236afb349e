//! `hadal train`.

use std::io::IsTerminal;
use std::path::Path;

use hadal::data::Task;
use hadal::monitor::{Console, note, print_line};
use hadal::prelude::*;
use hadal::train::RunFolder;
use hadal::{Error, MatmulPrecision, Result};

use crate::args::{DeviceName, Train};
use crate::config::{Config, PrecisionName};
use crate::counted::{counted, shortened};
use crate::defaults::complete;
use crate::model;
use crate::network::{schedule, trainer};
use crate::parts::{self, Parts};
use crate::source::Source;

pub fn run(args: &Train) -> Result<()> {
    if args.device == DeviceName::Cuda {
        return Err(Error::Config("there is no GPU support yet; train with --device cpu, the default".into()));
    }
    if let Some(threads) = args.threads {
        hadal::set_num_threads(threads);
    }
    let mut config = args.settings.config()?;
    if let Some(folder) = &args.out {
        check_vacant(folder, args.overwrite)?;
    }
    let (source, parts) = data(&mut config, args)?;
    complete(&mut config, &source, parts.train.len(), parts.task);
    set_precision(&config);
    if !config.tune.is_empty() {
        note("[tune] has ranges for a search; train uses the settings of the other sections");
    }
    let mut model = trainer(&config, &parts)?;
    let folder = args.out.as_ref().map(|folder| open(folder, args.overwrite, &model.model, &config, &source, &parts));
    let folder = folder.transpose()?;
    if !args.quiet {
        describe(&source, &parts)?;
        print_line(&format!("{}\n", model.summary()))?;
        print_line(&training_on(&source, &parts, &config))?;
    }
    if let Some(table) = &parts.table {
        // Looked for in all rows: a column that gives the target away does so everywhere.
        table.encoder.leaks(&table.columns)?.iter().for_each(|leak| note(&leak.to_string()));
    }
    fit(&mut model, &parts, &config, args, folder)?;
    let name = source.name();
    print_line(&format!("{name} test: {}{}", model.evaluate(&parts.test)?, baseline(&source, &parts)))?;
    if args.quiet {
        return Ok(());
    }
    match &args.out {
        Some(folder) => {
            let (model, history) = (folder.join(RunFolder::MODEL), folder.join(RunFolder::HISTORY));
            print_line(&format!("Wrote {} and {}", model.display(), history.display()))
        }
        None if matches!(source, Source::Mnist | Source::Digits) => Ok(()),
        None => print_line("The model was not kept; --out FOLDER keeps it"),
    }
}

/// The source and its parts. Without a name, the built-in digits stand in for an MNIST that is not available.
fn data(config: &mut Config, args: &Train) -> Result<(Source, Parts)> {
    let text = config.data.source.clone();
    let source = Source::find(text.as_deref().unwrap_or("mnist"))?;
    let parts = match parts::load(&source, config, args.data_dir.as_deref(), None) {
        Err(Error::Unavailable { tried, supply, .. }) if text.is_none() => {
            note(&format!("MNIST is not available (tried {tried}); training on the built-in digits instead"));
            note(&supply);
            config.data.source = Some("digits".to_owned());
            return Ok((Source::Digits, parts::load(&Source::Digits, config, None, None)?));
        }
        other => other?,
    };
    config.data.source = Some(text.unwrap_or_else(|| "mnist".to_owned()));
    Ok((source, parts))
}

fn set_precision(config: &Config) {
    let precision = match config.training.precision.unwrap_or(PrecisionName::Highest) {
        PrecisionName::Highest => MatmulPrecision::Highest,
        PrecisionName::High => MatmulPrecision::High,
        PrecisionName::Medium => MatmulPrecision::Medium,
    };
    if precision != MatmulPrecision::Highest && !precision.is_faster() {
        note(&format!("precision {precision} is not faster on this processor; matrix products use precision highest"));
    }
    hadal::set_matmul_precision(precision);
}

/// What was found in the data, before the network.
fn describe(source: &Source, parts: &Parts) -> Result<()> {
    let Some(table) = &parts.table else {
        parts.found.iter().try_for_each(|line| print_line(line))?;
        return if parts.found.is_empty() { Ok(()) } else { print_line("") };
    };
    let columns = counted(table.encoder.input_columns().len(), "column");
    let inputs = counted(table.encoder.features(), "input");
    print_line(&format!("{}: {}; {}\n", source.name(), table.dialect, counted(table.rows, "row")))?;
    print_line(&format!("{}\n", table.encoder.report(&table.columns)))?;
    let target = table.encoder.target();
    print_line(&match parts.task {
        Task::Classification => format!(
            "Classification: `{target}` has the classes {}, predicted from {columns} ({inputs})",
            shortened(&parts.classes),
        ),
        Task::Regression => format!("Regression: `{target}` is a number, predicted from {columns} ({inputs})"),
    })
}

/// The line before the first epoch.
fn training_on(source: &Source, parts: &Parts, config: &Config) -> String {
    let holdout = parts.holdout.as_ref().map_or(String::new(), |part| format!(", {} held out", part.len()));
    let how = match &config.split {
        split if split.part.is_some() => " (parts as the table says)",
        split if split.group.is_some() => " (by group)",
        split if split.order.is_some() => " (in order)",
        split if split.stratify == Some(true) => " (stratified)",
        _ => "",
    };
    format!(
        "Training on {}: {}, {} to test{holdout}{how}, seed {}, {}",
        source.name(),
        counted(parts.train.len(), source.sample()),
        parts.test.len(),
        config.training.seed.unwrap_or(1),
        counted(hadal::num_threads(), "thread")
    )
}

/// What guessing would reach: always the most frequent class of the training part.
fn baseline(source: &Source, parts: &Parts) -> String {
    if matches!(source, Source::Mnist | Source::Digits) || parts.task == Task::Regression {
        return String::new();
    }
    let count = |data: &Dataset| {
        let mut counts = vec![0usize; parts.outputs];
        data.targets().to_vec::<i64>().into_iter().for_each(|label| counts[label as usize] += 1);
        counts
    };
    let Some((most, _)) = count(&parts.train).into_iter().enumerate().max_by_key(|(_, count)| *count) else {
        return String::new();
    };
    let share = 100.0 * count(&parts.test)[most] as f64 / parts.test.len() as f64;
    format!(" (always `{}`: {share:.2}%)", parts.class_name(most))
}

fn fit(
    model: &mut Trainer<Sequential>,
    parts: &Parts,
    config: &Config,
    args: &Train,
    folder: Option<RunFolder>,
) -> Result<()> {
    let own = &config.training;
    let mut fit = Fit::epochs(own.epochs.unwrap_or(20))
        .batch_size(own.batch_size.unwrap_or(32))
        .validation_data(&parts.test)
        .validation_batch_size(own.test_batch_size.unwrap_or(1000))
        .schedule(schedule(config))
        .quiet();
    if !args.quiet {
        fit = fit.callback(Console::new(std::io::stdout().is_terminal()).log_interval(args.log_interval));
    }
    if let Some(folder) = folder {
        fit = fit.callback(folder);
    }
    let monitor = own.monitor.clone().unwrap_or_else(|| "val_loss".to_owned());
    let mut stop = EarlyStopping::new(monitor.clone())
        .patience(own.patience.unwrap_or(0))
        .min_delta(own.min_delta.unwrap_or(0.0))
        .restore_best_weights(own.keep_best == Some(true));
    let mut best = KeepBest::new(monitor);
    if own.patience.is_some_and(|patience| patience > 0) {
        model.fit(&parts.train, fit.callback(&mut stop))?;
    } else if own.keep_best == Some(true) {
        model.fit(&parts.train, fit.callback(&mut best))?;
    } else {
        model.fit(&parts.train, fit)?;
    }
    Ok(())
}

/// Takes the folder for this run.
fn open(
    folder: &Path,
    overwrite: bool,
    model: &Sequential,
    config: &Config,
    source: &Source,
    parts: &Parts,
) -> Result<RunFolder> {
    let notes = model::notes(config, &source.name(), parts)?;
    let mut run = RunFolder::open(folder, model.architecture(), notes)?;
    if config.training.keep_best == Some(true) {
        run = run.keep_best(config.training.monitor.clone().unwrap_or_else(|| "val_loss".to_owned()));
    }
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
