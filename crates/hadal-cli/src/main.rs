//! The command `hadal`.
#![forbid(unsafe_code)]

mod args;
mod evaluate;
mod failure;
mod model;
mod predict;
mod train;

use std::process::ExitCode;

use args::{Args, Command};
use clap::Parser;
use hadal::monitor::eprint_line;

fn main() -> ExitCode {
    let command = Args::parse().command;
    let outcome = failure::catch(|| match command {
        Command::Train(args) => train::run(&args),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Predict(args) => predict::run(&args),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprint_line(&format!("error: {reason}"));
            ExitCode::FAILURE
        }
    }
}
