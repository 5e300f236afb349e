//! `hadal train mnist --recipe best`: several networks with the settings of a recipe, and what they give together.

mod mnist;
pub mod vote;

use std::process::ExitCode;

use clap::ValueEnum;
use hadal::monitor::print_line;
use hadal::{Error, Result};

use crate::args::Train;
use crate::config::{self, Config, Model};
use crate::defaults::complete;
use crate::members::{self, Ending};
use crate::train::{data, set_precision};

/// The recipes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RecipeName {
    /// The fewest errors, for MNIST
    Best,
}

/// Trains the networks of the recipe, each into a folder of its own, and writes their vote beside them.
pub fn run(args: &Train) -> Result<ExitCode> {
    let mut config = settings(args)?;
    mnist::complete(&mut config)?;
    let (source, parts) = data(&mut config, args.data_dir.as_deref())?;
    complete(&mut config, &source, parts.train.len(), parts.task);
    // Each network has its own.
    config.model = Model::default();
    set_precision(&config);
    let held = members::take_folder(args, &source)?.ok_or_else(|| Error::Config("--recipe needs a folder".into()))?;
    let folder = held.path();
    let members = mnist::members(&config, folder);
    let scores = match members::train(args, &source, &parts, &members, Some(folder))? {
        Ending::Scores(scores) => scores,
        Ending::Stopped(code) => return Ok(code),
    };
    members::write(folder, &members, &scores)?;
    let count = members.len();
    print_line(&format!(
        "{} test, mean and standard deviation of {count} networks: {}",
        source.name(),
        members::spread(&scores)
    ))?;
    let names = members.iter().map(|member| member.name.clone()).collect();
    vote::Vote { folder, names, config: &config, source: &source, parts: &parts }.keep(args)?;
    Ok(ExitCode::SUCCESS)
}

/// What the command line says, which is no more than a recipe leaves open.
fn settings(args: &Train) -> Result<Config> {
    let mut given = args.settings.config()?;
    let source = given.data.source.get_or_insert("mnist".to_owned());
    if source != "mnist" {
        return Err(Error::Config(format!(
            "--recipe best is for mnist, not for {source}; train on it without --recipe (for a table, hadal tune searches for good \
             settings)"
        )));
    }
    let mut open = Config::default();
    open.data.source = Some(source.clone());
    open.training.seed = given.training.seed;
    open.training.epochs = given.training.epochs;
    match config::difference(&open, &given) {
        Some((name, _, value)) => Err(Error::Config(format!(
            "--recipe best decides everything but --seed and --epochs, and {name} = {value} was given; leave it out, or train without \
             --recipe"
        ))),
        None => Ok(open),
    }
}
