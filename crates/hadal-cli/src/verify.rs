//! `hadal verify`.

use std::path::Path;
use std::process::ExitCode;

use hadal::format::safetensors;
use hadal::monitor::print_line;
use hadal::train::{Every, RunFolder};
use hadal::{Error, Result, Tensor};

use crate::args::Verify;
use crate::config;
use crate::interrupt::Interrupt;
use crate::parts;
use crate::recipe::vote;
use crate::scratch::Scratch;
use crate::session::{Folder, SETTINGS, Session, check_source, settings_in};
use crate::source::Source;
use crate::summary::{Summary, scores};
use crate::train::{quoted, set_precision};

pub fn run(args: &Verify) -> Result<ExitCode> {
    let interrupt = Interrupt::watch();
    let data_dir = args.data_dir.as_deref();
    match vote::networks_in(&args.run) {
        Some(names) => of_vote(&args.run, &names, data_dir, &interrupt),
        None => of_run(&args.run, data_dir, &interrupt),
    }
}

/// Each network, one after another, and then whether their vote is theirs.
fn of_vote(folder: &Path, names: &[String], data_dir: Option<&Path>, interrupt: &Interrupt) -> Result<ExitCode> {
    for name in names {
        print_line(&format!("{name}, one of {}:", names.len()))?;
        let code = of_run(&folder.join(name), data_dir, interrupt)?;
        if code != ExitCode::SUCCESS {
            return Ok(code);
        }
    }
    let scratch = Scratch::new()?;
    let again = scratch.run().with_extension("safetensors");
    vote::joined(folder, names)?.save(&again, &Default::default())?;
    match of_models(&folder.join(RunFolder::MODEL), &again)? {
        None => {
            print_line("The vote is that of these networks, to the last bit")?;
            Ok(ExitCode::SUCCESS)
        }
        Some(difference) => {
            print_line(&format!("The vote is not that of these networks: {difference}"))?;
            Ok(ExitCode::FAILURE)
        }
    }
}

fn of_run(run: &Path, data_dir: Option<&Path>, interrupt: &Interrupt) -> Result<ExitCode> {
    let mut config = settings_in(run)?;
    if !run.join(RunFolder::SUMMARY).exists() {
        return Err(Error::File {
            path: run.join(RunFolder::SUMMARY),
            reason: format!(
                "is missing: the run has not ended, and cannot be compared; go on with it (hadal train --resume {})",
                quoted(run)
            ),
        });
    }
    let summary = Summary::read(run)?;
    if let Some((name, then, now)) = config::difference(&summary.settings, &config) {
        print_line(&format!("The settings are not the same: {name} was {then}, and is {now} in {SETTINGS}"))?;
        return Ok(ExitCode::FAILURE);
    }
    if config.data.source.as_deref() == Some("-") {
        return Err(Error::Config(format!(
            "{}: the run was trained on a table from standard input, which cannot be read again",
            run.display()
        )));
    }
    check_source(&config, run)?;
    let source = Source::of(&config.data)?;
    let parts = parts::load(&source, &mut config, data_dir, None)?;
    if summary.data != parts.digest {
        let show = |digest: &Option<String>| digest.clone().unwrap_or_else(|| "unknown".to_owned());
        print_line(&format!(
            "The data is not the same: its SHA-256 was {}, and is {}",
            show(&summary.data),
            show(&parts.digest)
        ))?;
        return Ok(ExitCode::FAILURE);
    }
    print_line("The data is the same")?;
    set_precision(&config);
    let scratch = Scratch::new()?;
    let path = &scratch.run();
    let again = Folder {
        path,
        checkpoint_every: Every::Steps(usize::MAX),
        resume: false,
        inexact: false,
        is_watched: false,
        is_reported: false,
    };
    let session = Session {
        config: &config,
        source: &source,
        parts: &parts,
        folder: Some(again),
        held: None,
        progress: Vec::new(),
        interrupt: interrupt.clone(),
    };
    let model = session.trainer()?;
    let ended = session.run(model)?;
    if let Some(status) = interrupt.status().filter(|_| ended.is_suspended) {
        print_line("Interrupted; history, weights and scores were not compared")?;
        return Ok(ExitCode::from(status));
    }
    let differences =
        [history(run, path)?, weights(run, path)?, of_scores(&summary, &scores(&ended.model.evaluate(&parts.test)?))];
    let mut is_same = true;
    for (what, difference) in ["history", "weights", "scores"].into_iter().zip(differences) {
        match difference {
            None => {
                let are = if what == "history" { "is" } else { "are" };
                print_line(&format!("The {what} {are} the same, to the last bit"))?;
            }
            Some(difference) => {
                is_same = false;
                let differ = if what == "history" { "differs" } else { "differ" };
                print_line(&format!("The {what} {differ}: {difference}"))?;
            }
        }
    }
    let own = hadal::simd_level().name();
    if !is_same && own != summary.instructions {
        print_line(&format!(
            "(the run was made with the vector instructions {}, and this processor has {own}: the last bits differ by rounding)",
            summary.instructions
        ))?;
    }
    Ok(if is_same { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The first line that is not the same.
fn history(run: &Path, again: &Path) -> Result<Option<String>> {
    let read = |folder: &Path| {
        let path = folder.join(RunFolder::HISTORY);
        std::fs::read_to_string(&path).map_err(|source| Error::Io { path, action: "read the history", source })
    };
    let (then, now) = (read(run)?, read(again)?);
    let (mut then, mut now) = (then.lines(), now.lines());
    for line in 1.. {
        match (then.next(), now.next()) {
            (None, None) => break,
            (then, now) if then == now => {}
            (then, now) => {
                let show = |line: Option<&str>| line.map_or("no line".to_owned(), |line| format!("`{line}`"));
                return Ok(Some(format!("line {line} was {}, and is {}", show(then), show(now))));
            }
        }
    }
    Ok(None)
}

/// The first number that is not the same.
fn weights(run: &Path, again: &Path) -> Result<Option<String>> {
    let last = run.join(RunFolder::LAST);
    if last.exists() != again.join(RunFolder::LAST).exists() {
        return Ok(Some(format!("{} is there, or in the repeated run, alone", last.display())));
    }
    let names = [RunFolder::MODEL, RunFolder::LAST].into_iter().filter(|name| run.join(name).exists());
    for name in names {
        if let Some(difference) = of_models(&run.join(name), &again.join(name))? {
            return Ok(Some(format!("{name}: {difference}")));
        }
    }
    Ok(None)
}

/// The first number of two files that is not the same.
fn of_models(run: &Path, again: &Path) -> Result<Option<String>> {
    let (then, _) = safetensors::load(run)?;
    let (now, _) = safetensors::load(again)?;
    if let Some(name) =
        then.keys().find(|name| !now.contains_key(*name)).or(now.keys().find(|name| !then.contains_key(*name)))
    {
        return Ok(Some(format!("`{name}` is in one of the models alone")));
    }
    Ok(then.iter().find_map(|(name, then)| different(name, then, now.get(name)?)))
}

fn different(name: &str, then: &Tensor, now: &Tensor) -> Option<String> {
    if then.shape() != now.shape() || then.dtype() != now.dtype() {
        return Some(format!("`{name}` was {} {}, and is {} {}", then.dtype(), then.shape(), now.dtype(), now.shape()));
    }
    let numbers = |tensor: &Tensor| tensor.to_dtype(hadal::DType::F64).to_vec::<f64>();
    let pairs = numbers(then).into_iter().zip(numbers(now)).enumerate();
    let mut pairs = pairs.filter(|(_, (then, now))| then.to_bits() != now.to_bits());
    pairs.next().map(|(place, (then, now))| format!("`{name}`, element {place}, was {then}, and is {now}"))
}

fn of_scores(summary: &Summary, now: &std::collections::BTreeMap<String, f64>) -> Option<String> {
    if summary.test.keys().ne(now.keys()) {
        return Some("other scores were computed".to_owned());
    }
    let mut pairs = summary.test.iter().zip(now.values());
    pairs
        .find(|((_, then), now)| then.to_bits() != now.to_bits())
        .map(|((name, then), now)| format!("{name} was {then}, and is {now}"))
}
