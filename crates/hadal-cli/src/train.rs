//! `hadal train`.

use std::collections::BTreeMap;
use std::io::ErrorKind::AlreadyExists;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use hadal::format::check_writable;
use hadal::monitor::{note, print_line};
use hadal::prelude::*;
use hadal::train::{Callback, HeldFolder, RunFolder, TrainingState};
use hadal::{Error, MatmulPrecision, Result};

use crate::args::{DeviceName, Train};
use crate::config::{self, Config, PrecisionName};
use crate::defaults::complete;
use crate::interrupt::Interrupt;
use crate::members;
use crate::model;
use crate::network::trainer;
use crate::parts::{self, Parts};
use crate::recipe;
use crate::reporter::{Reporter, describe};
use crate::session::{DIGEST, Ended, Folder, SETTINGS, Session, check_source, repeatable, settings_in};
use crate::source::Source;
use crate::tune::Store;
use crate::watchers::{control, dashboard, health};

pub fn run(args: &Train) -> Result<ExitCode> {
    if args.device == DeviceName::Cuda {
        return Err(Error::Config("there is no GPU support yet; train with --device cpu, the default".into()));
    }
    if args.recipe.is_some() {
        return recipe::run(args);
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
        // In one that another run is using, this one will get a folder of its own.
        None => args.out.as_ref().map_or(Ok(()), |folder| {
            check_vacant(folder, args.overwrite)
                .or_else(|error| HeldFolder::is_taken(folder).then_some(()).ok_or(error))
        })?,
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
    if args.folds.is_some() || args.seeds.is_some() {
        if !args.quiet {
            describe(&source, &parts)?;
        }
        return members::run(args, &config, &source, &parts);
    }
    let model = trainer(&config, &parts)?;
    let held = take_folder(args, &source)?;
    let folder = held.as_ref().map(|held| held.path().to_owned());
    let interrupt = Interrupt::watch();
    let reporter = Reporter::new(args, &source, &parts, folder.as_deref());
    let page = match folder.as_deref().filter(|_| args.dashboard) {
        // Beside the other runs, where they lie in a folder of runs.
        Some(folder) => {
            let is_chosen = args.out.is_some() || args.resume.is_some();
            let root = folder.parent().filter(|_| !is_chosen).unwrap_or(folder);
            let interrupt = interrupt.clone();
            let (server, all) = dashboard(root, move || interrupt.status().is_some())?;
            print_line(&format!("The run is shown at {}", server.url_with_token()))?;
            Some((server, control(&all, folder)))
        }
        None => None,
    };
    let mut progress: Vec<Box<dyn Callback + '_>> = reporter.progress().into_iter().collect();
    if let Some(health) = health(args.health, &config, &parts, folder.as_deref()) {
        progress.push(Box::new(health));
    }
    if let Some((_, control)) = &page {
        progress.push(Box::new(control.clone()));
    }
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
            is_reported: !args.no_report,
        }),
        held,
        progress,
        interrupt: interrupt.clone(),
    };
    reporter.begin(&model.model, &config)?;
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
        reporter.stopped(&ended, interrupt.status().is_some())?;
        // Without a signal, it was stopped from the page.
        return Ok(ExitCode::from(interrupt.status().unwrap_or(0)));
    }
    let score = ended.model.evaluate(&parts.test)?;
    reporter.score(&score)?;
    let is_kept = resumed.as_ref().is_some_and(Interrupted::is_kept);
    if let Some(folder) = folder.as_deref().filter(|_| !is_kept) {
        keep(folder, &ended, &config, &source, &parts, &score)?;
    }
    reporter.end(&ended, &score)?;
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
        let text = config::commented(&repeatable, None)?;
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

/// The folder of the run, locked. Where another run is using --out, this one gets the next that is free.
fn take_folder(args: &Train, source: &Source) -> Result<Option<HeldFolder>> {
    match (&args.resume, &args.out) {
        (Some(folder), _) => HeldFolder::take(folder).map(Some),
        (None, Some(out)) => {
            let held = HeldFolder::take_or_next(out)?;
            if held.path() == out {
                // Another run may have come and gone since.
                check_vacant(out, args.overwrite)?;
            }
            Ok(Some(held))
        }
        (None, None) if args.no_out => Ok(None),
        (None, None) => HeldFolder::take(vacant(&source.name())?).map(Some),
    }
}

/// Makes a folder that no run has yet: `runs/<date>-<name>`, with a number if need be. Of several commands that ask at the same
/// moment, each gets its own.
pub fn vacant(name: &str) -> Result<PathBuf> {
    let date = jiff::tz::Offset::UTC.to_datetime(jiff::Timestamp::now()).date();
    // Without its extension.
    let name = [".csv", ".tsv", ".txt", ".gz", ".npz"].iter().fold(name.to_owned(), |name, end| name.replace(end, ""));
    let name = if name.is_empty() || name == "-" { "run".to_owned() } else { name };
    let runs = Path::new("runs");
    check_writable(runs)?;
    for number in 1..10_000 {
        let path = match number {
            1 => runs.join(format!("{date}-{name}")),
            number => runs.join(format!("{date}-{name}-{number}")),
        };
        match std::fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == AlreadyExists => {}
            Err(source) => return Err(Error::Io { path, action: "make the folder", source }),
        }
    }
    Err(Error::Config("runs/ holds 10,000 runs of today; choose a folder with --out".into()))
}

/// The source and its parts. Without a name, the built-in digits stand in for an MNIST that is not available.
pub fn data(config: &mut Config, data_dir: Option<&Path>) -> Result<(Source, Parts)> {
    let text = config.data.source.clone();
    let source = Source::of(&config.data)?;
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
