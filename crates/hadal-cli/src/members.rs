//! Several runs that are judged together: the folds of a cross-validation, or the same run with several seeds.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use hadal::format::write_atomically;
use hadal::monitor::{csv_line, print_line};
use hadal::train::{Logs, RunFolder};
use hadal::{Error, Result};

use crate::args::Train;
use crate::config::{self, Config};
use crate::defaults::complete;
use crate::interrupt::Interrupt;
use crate::intervals::intervals;
use crate::network::trainer;
use crate::parts::{self, Parts};
use crate::runs::mean_and_std;
use crate::session::{Folder, SETTINGS, Session};
use crate::source::Source;
use crate::train::{Interrupted, keep, quoted};
use crate::tune::workers::run_in_order;

/// One of the runs.
struct Member {
    /// `fold 2 of 5`, `seed 3`.
    name: String,
    config: Config,
    folder: Option<PathBuf>,
}

/// Trains all of them, as many at a time as there are threads, and prints their scores with mean and standard deviation. `config` is
/// complete, and `parts` are its own.
pub fn run(args: &Train, config: &Config, source: &Source, parts: &Parts, folder: Option<&Path>) -> Result<ExitCode> {
    if let (Some(folds), Some(own)) = (args.folds, config.split.folds) {
        return Err(Error::Config(format!(
            "the configuration has [split] folds = {own}, and --folds asks for {folds}; leave one out"
        )));
    }
    if args.folds.is_some() && *source == Source::Table("-".into()) {
        return Err(Error::Config("--folds needs a file: standard input is read once".into()));
    }
    let members = members(args, config, folder);
    if let Some(seed) =
        members.iter().filter_map(|member| member.config.training.seed).find(|seed| i64::try_from(*seed).is_err())
    {
        return Err(Error::Config(format!("--seeds: {seed} is larger than any seed; begin with a smaller --seed")));
    }
    folder.map_or(Ok(()), |folder| check_vacant(folder, &members, args.overwrite))?;
    // Before the first is trained.
    for member in members.iter().filter(|member| member.has_begun(args)) {
        member.begun(args, &Data::of(member, args, source, parts)?)?;
    }
    let threads = hadal::num_threads();
    let workers = threads.min(members.len());
    // The bits do not depend on it: each member ends as it would alone.
    hadal::set_num_threads((threads / workers).max(1));
    let interrupt = Interrupt::watch();
    if !args.quiet {
        print_line(&format!("{} runs, {workers} at a time", members.len()))?;
    }
    let one = |member: &Member| train(member, args, source, parts, &interrupt);
    let results = run_in_order(&members, workers, one, |member, result| {
        if let Ok(Ok(Some((score, interval)))) = result {
            // What cannot be printed must not end the runs.
            let _ = print_line(&format!("{}: {score}", member.name));
            let shown = interval.as_ref().filter(|_| !args.quiet);
            let _ = shown.map_or(Ok(()), |line| print_line(&format!("  {line}")));
        }
    });
    hadal::set_num_threads(threads);
    let mut scores = Vec::new();
    for (member, result) in members.iter().zip(results) {
        let named = |error: Error| Error::Data(format!("{}: {error}", member.name));
        match result.unwrap_or_else(|panic| Err(Error::Data(panic))).map_err(named)? {
            Some((score, _)) => scores.push(score),
            None => {
                print_line(&match &member.folder {
                    Some(path) => format!(
                        "Interrupted; the same command with --out {} goes on",
                        quoted(path.parent().unwrap_or(path))
                    ),
                    None => "Interrupted; nothing was kept (--no-out)".to_owned(),
                })?;
                return Ok(ExitCode::from(interrupt.status().unwrap_or(130)));
            }
        }
    }
    print_line(&format!("{} test, mean and standard deviation of {}: {}", source.name(), kind(args), spread(&scores)))?;
    let Some(folder) = folder else { return Ok(ExitCode::SUCCESS) };
    write(folder, &members, &scores)?;
    if !args.quiet {
        print_line(&format!("The runs are kept in {}", folder.display()))?;
    }
    Ok(ExitCode::SUCCESS)
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

/// Trains a member; `None` if it was interrupted.
fn train(
    member: &Member,
    args: &Train,
    source: &Source,
    parts: &Parts,
    interrupt: &Interrupt,
) -> Result<Option<(Logs, Option<String>)>> {
    let data = Data::of(member, args, source, parts)?;
    let (config, parts) = (&data.config, data.parts());
    let begun = member.begun(args, &data)?;
    let folder = member.folder.as_deref().map(|path| Folder {
        path,
        checkpoint_every: args.checkpoint_every,
        resume: begun.as_ref().is_some_and(|run| run.has_checkpoint),
        inexact: false,
    });
    let model = trainer(config, parts)?;
    let session = Session { config, source, parts, folder, progress: Vec::new(), interrupt: interrupt.clone() };
    let ended = session.run(model)?;
    if ended.is_suspended {
        return Ok(None);
    }
    let score = ended.model.evaluate(&parts.test)?;
    if let Some(folder) = member.folder.as_ref().filter(|_| !begun.is_some_and(|run| run.is_kept())) {
        keep(folder, &ended, config, source, parts, &score)?;
    }
    let interval = intervals(&ended.model, &parts.test, &score)?;
    Ok(Some((score, interval)))
}

/// `loss 0.4101 ± 0.0213  accuracy 0.8210 ± 0.0120`.
fn spread(scores: &[Logs]) -> String {
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
fn write(folder: &Path, members: &[Member], scores: &[Logs]) -> Result<()> {
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
        let is_own = members.iter().any(|member| member.folder.as_ref() == Some(&run));
        if !is_own {
            return Err(Error::Config(format!(
                "{} holds a run that is none of these; choose another folder for --out, or remove it",
                run.display()
            )));
        }
        if !overwrite && !run.join(SETTINGS).exists() {
            return Err(Error::Config(format!(
                "{} holds a run without settings ({SETTINGS}); choose another folder for --out, or pass --overwrite to replace it",
                run.display()
            )));
        }
    }
    Ok(())
}
