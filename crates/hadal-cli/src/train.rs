//! `hadal train`.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use hadal::data::Task;
use hadal::monitor::{Console, JsonLogger, columns, note, print_line, wrapped};
use hadal::prelude::*;
use hadal::train::{Callback, RunFolder, TrainingState};
use hadal::{Error, MatmulPrecision, Result};

use crate::args::{DeviceName, Train};
use crate::config::{self, Config, PrecisionName};
use crate::counted::{counted, shortened};
use crate::defaults::complete;
use crate::interrupt::Interrupt;
use crate::intervals::print_intervals;
use crate::members;
use crate::model;
use crate::narrowed::narrowed;
use crate::outcome;
use crate::parts::{self, Parts};
use crate::session::{DIGEST, Ended, Folder, SETTINGS, Session, check_source, repeatable, settings_in};
use crate::source::Source;
use crate::summary::scores;
use crate::tune::Store;
use crate::watchers::{dashboard, health};

pub fn run(args: &Train) -> Result<ExitCode> {
    if args.device == DeviceName::Cuda {
        return Err(Error::Config("there is no GPU support yet; train with --device cpu, the default".into()));
    }
    let mut config = args.settings.config()?;
    if args.inexact && args.resume.is_none() {
        return Err(Error::Config("--inexact belongs to --resume RUN".into()));
    }
    if args.resume.is_some() && config != Config::default() {
        return Err(Error::Config(
            "--resume goes on with the settings of the run, in its config.toml: give no others (to train with other ones, \
             begin a new run: hadal train --config RUN/config.toml ...)"
                .into(),
        ));
    }
    let resumed = args.resume.as_deref().map(Interrupted::find).transpose()?;
    match &resumed {
        Some(run) => {
            config = run.config.clone();
            check_source(&config, &run.folder)?;
        }
        None => args.out.as_ref().map_or(Ok(()), |folder| check_vacant(folder, args.overwrite))?,
    }
    let (source, parts) = data(&mut config, args.data_dir.as_deref())?;
    complete(&mut config, &source, parts.train.len(), parts.task);
    if let Some(run) = &resumed {
        run.check(&config, &parts)?;
    }
    set_precision(&config);
    if !config.tune.is_empty() {
        note("[tune] has ranges for hadal tune; train uses the settings of the other sections");
    }
    let folder = match &args.resume {
        Some(folder) => Some(folder.clone()),
        None if args.no_out => None,
        None => Some(args.out.clone().map_or_else(|| vacant(&source.name()), Ok)?),
    };
    if args.folds.is_some() || args.seeds.is_some() {
        if !args.quiet {
            describe(&source, &parts)?;
        }
        return members::run(args, &config, &source, &parts, folder.as_deref());
    }
    let interrupt = Interrupt::watch();
    let is_terminal = std::io::stdout().is_terminal();
    let mut json = args.log_json.then(|| JsonLogger::new(std::io::stdout()));
    let page = match folder.as_deref().filter(|_| args.dashboard) {
        // Beside the other runs, where they lie in a folder of runs.
        Some(folder) => {
            let is_chosen = args.out.is_some() || args.resume.is_some();
            let root = folder.parent().filter(|_| !is_chosen).unwrap_or(folder);
            Some(dashboard(root, folder, &interrupt)?)
        }
        None => None,
    };
    let console = || Console::new(is_terminal).log_interval(args.log_interval);
    let mut progress: Vec<Box<dyn Callback + '_>> = match &mut json {
        Some(json) => vec![Box::new(json)],
        None if args.quiet => Vec::new(),
        None => vec![Box::new(console())],
    };
    if let Some(health) = health(args.health, &config) {
        progress.push(Box::new(health));
    }
    if let Some((_, control)) = &page {
        progress.push(Box::new(control.clone()));
    }
    let is_quiet = args.quiet || args.log_json;
    let session = Session {
        config: &config,
        source: &source,
        parts: &parts,
        folder: folder.as_deref().map(|path| Folder {
            path,
            checkpoint_every: args.checkpoint_every,
            resume: resumed.as_ref().is_some_and(|run| run.has_checkpoint),
            inexact: args.inexact,
            is_watched: !args.no_tensorboard,
        }),
        progress,
        interrupt: interrupt.clone(),
    };
    let model = session.trainer()?;
    if !is_quiet {
        describe(&source, &parts)?;
        let columns = columns().unwrap_or(usize::MAX);
        print_line(&format!("{}\n", narrowed(&model.summary().to_string(), columns)))?;
        print_line(&wrapped(&training_on(&source, &parts, &config), " ", columns))?;
    }
    if let Some(table) = &parts.table {
        // Looked for in all rows: a column that gives the target away does so everywhere.
        table.encoder.leaks(&table.columns)?.iter().for_each(|leak| note(&leak.to_string()));
    }
    let ended = session.run(model).inspect_err(|error| {
        let kept = folder.as_deref().filter(|folder| folder.join(RunFolder::CHECKPOINT).exists());
        if let (Error::Io { .. }, Some(folder)) = (error, kept) {
            note(&format!(
                "the last checkpoint is kept; when files can be written, hadal train --resume {} goes on",
                quoted(folder)
            ));
        }
    })?;
    if ended.is_suspended {
        // Without a signal, it was stopped from the page.
        let status = interrupt.status().unwrap_or(0);
        let verb = if interrupt.status().is_some() { "Interrupted" } else { "Stopped" };
        let place = format!("after epoch {} and step {}", ended.model.epochs(), ended.model.steps());
        let resume = folder.as_deref().map(|folder| format!("hadal train --resume {}", quoted(folder)));
        if let Some(json) = &mut json {
            json.line(&serde_json::json!({ "event": "interrupted", "resume": resume }))?;
            return Ok(ExitCode::from(status));
        }
        print_line(&match resume {
            Some(resume) => format!("{verb} {place}; go on with: {resume}"),
            None => format!("{verb} {place}; nothing was kept (--no-out)"),
        })?;
        return Ok(ExitCode::from(status));
    }
    let score = ended.model.evaluate(&parts.test)?;
    match &mut json {
        Some(json) => json.line(&serde_json::json!({ "event": "test", "scores": scores(&score) }))?,
        None => print_line(&format!("{} test: {score}{}", source.name(), baseline(&source, &parts)))?,
    }
    let is_kept = resumed.as_ref().is_some_and(Interrupted::is_kept);
    if let Some(folder) = folder.as_deref().filter(|_| !is_kept) {
        keep(folder, &ended, &config, &source, &parts, &score)?;
    }
    if let Some(json) = &mut json {
        json.line(&serde_json::json!({ "event": "end", "folder": folder, "seconds": ended.seconds }))?;
    }
    if is_quiet {
        return Ok(ExitCode::SUCCESS);
    }
    print_intervals(&ended.model, &parts.test, &score)?;
    if let Some(columns) = columns() {
        outcome::print(&ended.history, &ended.model, &parts, columns)?;
    }
    if let Some(step) = ended.timed_out {
        let recorded = if folder.is_some() { "; config.toml has it as max_steps" } else { "" };
        print_line(&format!("The time was up after step {step}{recorded}"))?;
    }
    print_line(&match &folder {
        Some(folder) => format!("The run is kept in {}", folder.display()),
        None => "Nothing was kept (--no-out)".to_owned(),
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Writes what the run came to, and the settings by which it can be repeated.
pub fn keep(
    folder: &Path,
    ended: &Ended,
    config: &Config,
    source: &Source,
    parts: &Parts,
    score: &hadal::train::Logs,
) -> Result<()> {
    let repeatable = repeatable(config, ended);
    if repeatable != *config {
        let text = config::commented(&repeatable)?;
        hadal::format::write_atomically(&folder.join(SETTINGS), |out| out.write_all(text.as_bytes()))?;
    }
    ended.summarize(folder, &repeatable, source, parts, score)
}

/// A path as a shell takes it.
pub fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = text.chars().all(|c| c.is_alphanumeric() || "/._-+@:,=%".contains(c));
    if is_plain { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// A run that is to go on.
pub struct Interrupted {
    pub folder: PathBuf,
    pub config: Config,
    pub has_checkpoint: bool,
    pub has_ended: bool,
    /// Those of the checkpoint.
    notes: BTreeMap<String, String>,
}

impl Interrupted {
    /// Reads its settings.
    pub fn find(folder: &Path) -> Result<Interrupted> {
        let config = settings_in(folder)?;
        let path = folder.join(RunFolder::CHECKPOINT);
        let has_checkpoint = path.exists();
        if !has_checkpoint && folder.join(RunFolder::SUMMARY).exists() {
            return Err(Error::File {
                path,
                reason: format!(
                    "is missing, but the run has ended (there is a {}): nothing is left to train",
                    RunFolder::SUMMARY
                ),
            });
        }
        if !has_checkpoint {
            note(&format!("{} has no checkpoint yet; training begins again", folder.display()));
            let data = std::fs::read_to_string(folder.join(DIGEST)).unwrap_or_default();
            let data = Some(data).filter(|data| !data.is_empty()).map(|data| (model::DATA.to_owned(), data));
            let (folder, notes) = (folder.to_owned(), data.into_iter().collect());
            return Ok(Interrupted { folder, config, has_checkpoint, has_ended: false, notes });
        }
        let state = TrainingState::load(&path)?;
        let has_ended = state.is_finished();
        let fault = |reason: String| Error::File { path: path.clone(), reason };
        let then = state.notes().get(SETTINGS).map(|text| config::parse(text)).transpose().map_err(fault)?;
        let Some(then) = then else { return Err(fault("holds no settings of a run of this command".to_owned())) };
        if let Some((name, before, now)) = config::difference(&then, &config) {
            // A run that ended when the time was up has its step in the settings since.
            let is_its_end = has_ended
                && ["training.time_limit", "training.max_steps", "training.learning_rate_changes"].contains(&&*name);
            if !is_its_end {
                return Err(fault(format!(
                    "is of a run with other settings than {SETTINGS}: {name} was {before}, and is {now}; put it back, or train anew"
                )));
            }
        }
        let (folder, notes) = (folder.to_owned(), state.notes().clone());
        Ok(Interrupted { folder, config: then, has_checkpoint, has_ended, notes })
    }

    /// The data must be that of the run.
    fn check(&self, config: &Config, parts: &Parts) -> Result<()> {
        if let Some((name, then, now)) = config::difference(&self.config, config) {
            return Err(Error::Config(format!(
                "{}: {name} was {then}, and the data now asks for {now}: the data is not that of the run",
                self.folder.display()
            )));
        }
        self.check_data(parts)?;
        if self.has_ended {
            note(&format!("{} has ended; there is nothing left to train", self.folder.display()));
        }
        Ok(())
    }

    pub fn check_data(&self, parts: &Parts) -> Result<()> {
        model::check_data(&self.notes, parts, &self.folder)
    }

    /// Whether nothing is left to do, nor to write.
    pub fn is_kept(&self) -> bool {
        self.has_ended && self.folder.join(RunFolder::SUMMARY).exists()
    }
}

/// A folder that no run has yet: `runs/<date>-<name>`, with a number if need be.
pub fn vacant(name: &str) -> Result<PathBuf> {
    let date = jiff::tz::Offset::UTC.to_datetime(jiff::Timestamp::now()).date();
    // Without its extension.
    let name = [".csv", ".tsv", ".txt", ".gz", ".npz"].iter().fold(name.to_owned(), |name, end| name.replace(end, ""));
    let name = if name.is_empty() || name == "-" { "run".to_owned() } else { name };
    let folder = |number: usize| match number {
        1 => format!("runs/{date}-{name}"),
        number => format!("runs/{date}-{name}-{number}"),
    };
    (1..10_000)
        .map(|number| PathBuf::from(folder(number)))
        .find(|folder| !folder.exists())
        .ok_or_else(|| Error::Config("runs/ holds 10,000 runs of today; choose a folder with --out".into()))
}

/// The source and its parts. Without a name, the built-in digits stand in for an MNIST that is not available.
pub fn data(config: &mut Config, data_dir: Option<&Path>) -> Result<(Source, Parts)> {
    let text = config.data.source.clone();
    let source = Source::find(text.as_deref().unwrap_or("mnist"))?;
    let parts = match parts::load(&source, config, data_dir, None) {
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

pub fn set_precision(config: &Config) {
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

/// Refuses a folder that holds a run already, so that no model is lost to a repeated command.
fn check_vacant(folder: &Path, overwrite: bool) -> Result<()> {
    if Store::is_in(folder) {
        return Err(Error::Config(format!(
            "{} is the folder of a search; choose another one for --out",
            folder.display()
        )));
    }
    let settings = Some(folder.join(SETTINGS)).filter(|path| path.exists());
    let Some(path) = RunFolder::existing_run(folder).or(settings).filter(|_| !overwrite) else { return Ok(()) };
    // The folder is refused, but a history that a killed run did not write is restored all the same.
    if let Ok((_, notes)) = Sequential::load(folder.join(RunFolder::MODEL)) {
        RunFolder::restore(folder, &notes);
    }
    let interrupted = folder.join(SETTINGS).exists() && !folder.join(RunFolder::SUMMARY).exists();
    let resume = if interrupted { format!("go on with it (--resume {}), ", quoted(folder)) } else { String::new() };
    let advice = "choose another folder for --out, or pass --overwrite to replace it";
    Err(Error::Config(format!("{} already exists; {resume}{advice}", path.display())))
}
