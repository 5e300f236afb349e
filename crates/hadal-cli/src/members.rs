//! Several runs that are judged together: the folds of a cross-validation, or the same run with several seeds.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hadal::format::write_atomically;
use hadal::monitor::dashboard::{Control, Server};
use hadal::monitor::{csv_line, print_line};
use hadal::train::{Callback, Event, Flow, HeldFolder, Logs, RunFolder};
use hadal::{Error, Result};

use crate::args::Train;
use crate::config::{self, Config};
use crate::defaults::complete;
use crate::interrupt::Interrupt;
use crate::intervals::intervals;
use crate::network::trainer;
use crate::parts::{self, Parts};
use crate::recipe::vote;
use crate::runs::mean_and_std;
use crate::session::{Folder, SETTINGS, Session};
use crate::source::Source;
use crate::train::{Interrupted, keep, quoted, vacant};
use crate::tune::workers::run_in_order;
use crate::watchers::{control, dashboard, health};

/// One of the runs.
pub struct Member {
    /// `fold 2 of 5`, `seed 3`.
    pub name: String,
    pub config: Config,
    pub folder: Option<PathBuf>,
}

/// Trains all of them, as many at a time as there are threads, and prints their scores with mean and standard deviation. `config` is
/// complete, and `parts` are its own.
pub fn run(args: &Train, config: &Config, source: &Source, parts: &Parts) -> Result<ExitCode> {
    if let (Some(folds), Some(own)) = (args.folds, config.split.folds) {
        return Err(Error::Config(format!(
            "the configuration has [split] folds = {own}, and --folds asks for {folds}; leave one out"
        )));
    }
    if args.folds.is_some() && *source == Source::Table("-".into()) {
        return Err(Error::Config("--folds needs a file: standard input is read once".into()));
    }
    if args.folds.is_some() && parts.vocabulary.is_some() {
        return Err(Error::Config(
            "--folds is not for a text: its first part is for training, its last for tests (--seeds trains several times)".into(),
        ));
    }
    let seeds = members(args, config, None).into_iter().filter_map(|member| member.config.training.seed);
    if let Some(seed) = seeds.into_iter().find(|seed| i64::try_from(*seed).is_err()) {
        return Err(Error::Config(format!("--seeds: {seed} is larger than any seed; begin with a smaller --seed")));
    }
    let held = take_folder(args, source)?;
    let folder = held.as_ref().map(HeldFolder::path);
    let members = members(args, config, folder);
    let scores = match train(args, source, parts, &members, folder)? {
        Ending::Scores(scores) => scores,
        Ending::Stopped(code) => return Ok(code),
    };
    print_line(&format!("{} test, mean and standard deviation of {}: {}", source.name(), kind(args), spread(&scores)))?;
    let Some(folder) = folder else { return Ok(ExitCode::SUCCESS) };
    write(folder, &members, &scores)?;
    if !args.quiet {
        print_line(&format!("The runs are kept in {}", folder.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What came of several runs.
pub enum Ending {
    /// The scores on the test part, in the order of the members.
    Scores(Vec<Logs>),
    /// The status to leave with: they are to be gone on with.
    Stopped(ExitCode),
}

/// Trains members, as many at a time as there are threads, or goes on with those that are in their folders, below `folder`. `parts` are
/// those of all but folds.
pub fn train(
    args: &Train,
    source: &Source,
    parts: &Parts,
    members: &[Member],
    folder: Option<&Path>,
) -> Result<Ending> {
    folder.map_or(Ok(()), |folder| check_vacant(folder, members, args.overwrite))?;
    // Before the first is trained.
    for member in members.iter().filter(|member| member.has_begun(args)) {
        member.begun(args, &Data::of(member, args, source, parts)?)?;
    }
    let threads = hadal::num_threads();
    let workers = threads.min(members.len());
    // The bits do not depend on it: each member ends as it would alone.
    hadal::set_num_threads((threads / workers).max(1));
    let (interrupt, others) = (Interrupt::watch(), Others::default());
    let page = folder.filter(|_| args.dashboard).map(|folder| serve(folder, &interrupt, &others)).transpose()?;
    let control = page.as_ref().map(|(_, control)| control);
    let common = Common { args, source, parts, interrupt, others, control };
    if !args.quiet {
        print_line(&format!("{} runs, {workers} at a time", members.len()))?;
    }
    let results = run_in_order(
        members,
        workers,
        |member| common.train(member),
        |member, result| {
            if let Ok(Ok(Some((score, interval)))) = result {
                // What cannot be printed must not end the runs.
                let _ = print_line(&format!("{}: {score}", member.name));
                let shown = interval.as_ref().filter(|_| !args.quiet);
                let _ = shown.map_or(Ok(()), |line| print_line(&format!("  {line}")));
            }
        },
    );
    hadal::set_num_threads(threads);
    let named = members.iter().zip(results).map(|(member, result)| {
        let result = result.unwrap_or_else(|panic| Err(Error::Data(panic)));
        result.map_err(|error| Error::Data(format!("{}: {error}", member.name)))
    });
    // An error comes first: it is why the others stopped.
    Ok(match named.collect::<Result<Vec<_>>>()?.into_iter().collect::<Option<Vec<_>>>() {
        Some(scores) => Ending::Scores(scores.into_iter().map(|(score, _)| score).collect()),
        None => Ending::Stopped(common.stopped(folder)?),
    })
}

/// The folder of the runs, locked. The same command with the same --out goes on with them, so that another folder is never taken in its
/// place.
pub fn take_folder(args: &Train, source: &Source) -> Result<Option<HeldFolder>> {
    match &args.out {
        Some(out) => HeldFolder::take(out).map(Some),
        None if args.no_out => Ok(None),
        None => HeldFolder::take(vacant(&source.name())?).map(Some),
    }
}

/// A page that shows all members; what its buttons do is done to all that are training.
fn serve(folder: &Path, interrupt: &Interrupt, others: &Others) -> Result<(Server, Control)> {
    let (interrupt, others) = (interrupt.clone(), others.clone());
    let (server, control) = dashboard(folder, move || interrupt.status().is_some() || others.have_failed())?;
    print_line(&format!("The runs are shown at {}", server.url_with_token()))?;
    Ok((server, control))
}

fn kind(args: &Train) -> String {
    match (args.folds, args.seeds) {
        (Some(folds), _) => format!("{folds} folds"),
        (None, seeds) => format!("{} seeds", seeds.unwrap_or(1)),
    }
}

fn members(args: &Train, config: &Config, folder: Option<&Path>) -> Vec<Member> {
    let below = |name: String| folder.map(|folder| folder.join(name));
    if let Some(folds) = args.folds {
        let member = |number: usize| {
            let mut config = config.clone();
            (config.split.folds, config.split.fold) = (Some(folds), Some(number));
            Member { name: format!("fold {number} of {folds}"), config, folder: below(format!("fold-{number}")) }
        };
        return (1..=folds).map(member).collect();
    }
    let first = config.training.seed.unwrap_or(1);
    let member = |offset: u64| {
        let seed = first.wrapping_add(offset);
        let mut config = config.clone();
        config.training.seed = Some(seed);
        // The parts stay the same: what differs is the seed of the training alone.
        config.split.seed.get_or_insert(first);
        Member { name: format!("seed {seed}"), config, folder: below(format!("seed-{seed}")) }
    };
    (0..args.seeds.unwrap_or(1) as u64).map(member).collect()
}

impl Member {
    /// Whether its folder holds a run that it may go on with.
    fn has_begun(&self, args: &Train) -> bool {
        !args.overwrite && self.folder.as_ref().is_some_and(|folder| folder.join(SETTINGS).exists())
    }

    /// The run in its folder, which must be its own.
    fn begun(&self, args: &Train, data: &Data) -> Result<Option<Interrupted>> {
        let Some(folder) = self.folder.as_ref().filter(|_| self.has_begun(args)) else { return Ok(None) };
        let run = Interrupted::find(folder)?;
        if let Some((name, then, now)) = config::difference(&run.config, &data.config) {
            return Err(Error::Config(format!(
                "{} holds a run with other settings: its {name} was {then}, not {now}; choose another folder for --out, or pass \
                 --overwrite to replace it",
                folder.display()
            )));
        }
        run.check_data(data.parts())?;
        Ok(Some(run))
    }
}

/// What a member is trained on.
struct Data<'a> {
    /// Complete.
    config: Config,
    common: &'a Parts,
    /// Those of a fold.
    own: Option<Parts>,
}

impl<'a> Data<'a> {
    fn of(member: &Member, args: &Train, source: &Source, common: &'a Parts) -> Result<Data<'a>> {
        let mut config = member.config.clone();
        let load = |_| parts::load(source, &mut config, args.data_dir.as_deref(), None);
        let own = args.folds.map(load).transpose()?;
        let parts = own.as_ref().unwrap_or(common);
        complete(&mut config, source, parts.train.len(), parts.task);
        Ok(Data { config, common, own })
    }

    fn parts(&self) -> &Parts {
        self.own.as_ref().unwrap_or(self.common)
    }
}

/// What the members have in common.
struct Common<'a> {
    args: &'a Train,
    source: &'a Source,
    parts: &'a Parts,
    interrupt: Interrupt,
    others: Others,
    /// What the buttons of the dashboard do.
    control: Option<&'a Control>,
}

impl Common<'_> {
    /// Trains a member; `None` if it was interrupted. An error ends the others, too, which leave checkpoints.
    fn train(&self, member: &Member) -> Result<Option<(Logs, Option<String>)>> {
        if self.is_over() {
            return Ok(None);
        }
        self.train_alone(member).inspect_err(|_| self.others.fail())
    }

    fn is_over(&self) -> bool {
        self.interrupt.status().is_some() || self.others.have_failed() || self.control.is_some_and(Control::is_stopped)
    }

    fn train_alone(&self, member: &Member) -> Result<Option<(Logs, Option<String>)>> {
        let Common { args, source, .. } = *self;
        let data = Data::of(member, args, source, self.parts)?;
        let (config, parts) = (&data.config, data.parts());
        let begun = member.begun(args, &data)?;
        let folder = member.folder.as_deref();
        let mut progress: Vec<Box<dyn Callback>> = vec![Box::new(self.others.clone())];
        if let Some(health) = health(args.health, config, parts, folder) {
            progress.push(Box::new(health.run_name(&member.name)));
        }
        if args.recipe.is_some() && !args.quiet {
            progress.push(Box::new(Lines { name: member.name.clone(), epochs: config.training.epochs.unwrap_or(0) }));
        }
        if let (Some(all), Some(folder)) = (self.control, folder) {
            progress.push(Box::new(control(all, folder)));
        }
        let place = folder.map(|path| Folder {
            path,
            checkpoint_every: args.checkpoint_every,
            resume: begun.as_ref().is_some_and(|run| run.has_checkpoint),
            inexact: false,
            is_watched: !args.no_tensorboard,
            is_reported: !args.no_report,
        });
        let model = trainer(config, parts)?;
        let interrupt = self.interrupt.clone();
        let session = Session { config, source, parts, folder: place, held: None, progress, interrupt };
        let ended = session.run(model)?;
        if ended.is_suspended {
            return Ok(None);
        }
        let score = ended.model.evaluate(&parts.test)?;
        if let Some(folder) = folder.filter(|_| !begun.is_some_and(|run| run.is_kept())) {
            keep(folder, &ended, config, source, parts, &score)?;
        }
        let interval = intervals(&ended.model, &parts.test, &score)?;
        Ok(Some((score, interval)))
    }

    /// Training has stopped before its end, by a signal or from the dashboard.
    fn stopped(&self, folder: Option<&Path>) -> Result<ExitCode> {
        let signal = self.interrupt.status();
        let verb = if signal.is_some() { "Interrupted" } else { "Stopped" };
        print_line(&match folder {
            Some(folder) => format!("{verb}; the same command with --out {} goes on", quoted(folder)),
            None => format!("{verb}; nothing was kept (--no-out)"),
        })?;
        Ok(ExitCode::from(signal.unwrap_or(0)))
    }
}

/// Suspends a member when another has failed.
#[derive(Clone, Default)]
struct Others(Arc<AtomicBool>);

impl Others {
    fn fail(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn have_failed(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Callback for Others {
    fn on_event(&mut self, _event: &Event) -> Result<Flow> {
        Ok(if self.have_failed() { Flow::Suspend } else { Flow::Continue })
    }
}

/// Prints a line after each epoch of a member, which may take minutes.
struct Lines {
    name: String,
    epochs: usize,
}

impl Callback for Lines {
    fn on_event(&mut self, event: &Event) -> Result<Flow> {
        if let Event::EpochEnd { epoch, logs, .. } = event {
            // What cannot be printed must not end the runs.
            let _ = print_line(&format!("{}, epoch {epoch} of {}: {logs}", self.name, self.epochs));
        }
        Ok(Flow::Continue)
    }

    fn only_watches(&self) -> bool {
        true
    }
}

/// `loss 0.4101 ± 0.0213  accuracy 0.8210 ± 0.0120`.
pub fn spread(scores: &[Logs]) -> String {
    let parts = names(scores).into_iter().map(|name| {
        let values: Vec<f64> = scores.iter().filter_map(|score| score.get(&name)).collect();
        // R² is not defined where all targets of a test part are equal.
        let of = if values.len() < scores.len() { format!(" (of {})", values.len()) } else { String::new() };
        if values.len() < 2 {
            return format!("{name} {:.4}{of}", values[0]);
        }
        let (mean, std) = mean_and_std(&values);
        match &*name {
            "accuracy" => format!("{name} {:.2}% ± {:.2}%{of}", 100.0 * mean, 100.0 * std),
            _ => format!("{name} {mean:.4} ± {std:.4}{of}"),
        }
    });
    parts.collect::<Vec<_>>().join("  ")
}

/// The names of all scores.
fn names(scores: &[Logs]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (name, _) in scores.iter().flat_map(Logs::iter) {
        if !names.iter().any(|own| own == name) {
            names.push(name.to_owned());
        }
    }
    names
}

/// The scores of all members, as a file in their folder.
pub fn write(folder: &Path, members: &[Member], scores: &[Logs]) -> Result<()> {
    let names = names(scores);
    let mut text = csv_line(["run".to_owned()].into_iter().chain(names.clone())) + "\n";
    for (member, score) in members.iter().zip(scores) {
        let values = names.iter().map(|name| score.get(name).map_or(String::new(), |value| value.to_string()));
        text += &(csv_line([member.name.clone()].into_iter().chain(values)) + "\n");
    }
    write_atomically(&folder.join("scores.csv"), |out| out.write_all(text.as_bytes()))
}

/// Refuses a folder that holds other runs than these, or one that cannot be gone on with.
fn check_vacant(folder: &Path, members: &[Member], overwrite: bool) -> Result<()> {
    let below = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    for run in below.chain([folder.to_owned()]).filter(|path| RunFolder::existing_run(path).is_some()) {
        // A vote lies beside its networks.
        let is_vote = run == folder && vote::networks_in(folder).is_some_and(|names| names.len() == members.len());
        let is_own = is_vote || members.iter().any(|member| member.folder.as_ref() == Some(&run));
        if !is_own {
            return Err(Error::Config(format!(
                "{} holds a run that is none of these; choose another folder for --out, or remove it",
                run.display()
            )));
        }
        if !overwrite && !is_vote && !run.join(SETTINGS).exists() {
            return Err(Error::Config(format!(
                "{} holds a run without settings ({SETTINGS}); choose another folder for --out, or pass --overwrite to replace it",
                run.display()
            )));
        }
    }
    Ok(())
}
