//! The command `hadal`.
#![forbid(unsafe_code)]

mod args;
mod config;
mod defaults;
mod evaluate;
mod explain;
mod failure;
mod init;
mod model;
mod network;
mod parts;
mod predict;
mod source;
mod train;
mod tune;

use std::process::ExitCode;

use args::{Args, Command};
use clap::Parser;
use hadal::monitor::eprint_line;

fn main() -> ExitCode {
    survive_file_limits();
    let command = Args::parse().command;
    let outcome = failure::catch(|| match command {
        Command::Train(args) => train::run(&args),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Predict(args) => predict::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Init(args) => init::run(&args),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprint_line(&format!("error: {reason}"));
            ExitCode::FAILURE
        }
    }
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
