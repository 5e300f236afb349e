//! The command `hadal`.
#![forbid(unsafe_code)]

mod aligned;
mod args;
mod arrays;
mod config;
mod counted;
mod dashboard;
mod defaults;
mod evaluate;
mod explain;
mod failure;
mod folds;
mod generate;
mod holdout;
mod init;
mod interrupt;
mod intervals;
mod judged;
mod members;
mod model;
mod narrowed;
mod network;
mod outcome;
mod parts;
mod predict;
mod recipe;
mod report;
mod reporter;
mod runs;
mod scratch;
mod session;
mod several;
mod source;
mod summary;
mod tables;
mod texts;
mod train;
mod tune;
mod verify;
mod version;
mod watchers;

use std::process::ExitCode;

use args::{Args, Command};
use hadal::monitor::eprint_line;
use hadal::{Error, Result, SimdLevel, chosen_simd_level};

fn main() -> ExitCode {
    survive_file_limits();
    let args = Args::read();
    let outcome = failure::catch(|| match args.command {
        Some(command) => run(command),
        None => version::run(args.verbose).map(|()| ExitCode::SUCCESS),
    });
    match outcome {
        Ok(code) => code,
        Err(reason) => {
            eprint_line(&format!("error: {reason}"));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    vector_instructions()?;
    if let Some(threads) = command.threads() {
        hadal::set_num_threads(threads);
    }
    let done = |()| ExitCode::SUCCESS;
    match command {
        Command::Train(args) => train::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Tune(args) => tune::command::run(&args),
        Command::Evaluate(args) => evaluate::run(&args).map(done),
        Command::Predict(args) => predict::run(&args).map(done),
        Command::Generate(args) => generate::run(&args).map(done),
        Command::Explain(args) => explain::run(&args).map(done),
        Command::Init(args) => init::run(&args).map(done),
        Command::Dashboard(args) => dashboard::run(&args).map(done),
        Command::Runs(args) => runs::run(&args).map(done),
    }
}

/// The level in use, if `HADAL_SIMD` names one that there is.
fn vector_instructions() -> Result<SimdLevel> {
    chosen_simd_level().map_err(Error::Config)
}

/// A file that grows beyond the shell's limit (`ulimit -f`) ends a process without a word, unless it takes the signal: then
/// the write fails, and the error says so.
fn survive_file_limits() {
    #[cfg(unix)]
    {
        use std::sync::{Arc, atomic::AtomicBool};
        // Without a handler the command is as fragile as any other, and works.
        let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::new(AtomicBool::new(false)));
    }
}
