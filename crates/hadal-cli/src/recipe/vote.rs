//! The model that several networks are together: its probabilities are the mean of theirs. It lies in the folder that holds theirs.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use hadal::monitor::print_line;
use hadal::monitor::report::Report;
use hadal::nn::Ensemble;
use hadal::prelude::*;
use hadal::train::{Callback, Logs, RunFolder, Trained};
use hadal::{Error, Machine, Result, simd_level};

use crate::args::Train;
use crate::config::Config;
use crate::counted::counted;
use crate::intervals::print_intervals;
use crate::judged::Judged;
use crate::model;
use crate::network::measures;
use crate::parts::Parts;
use crate::recipe::mnist;
use crate::report::report;
use crate::source::Source;
use crate::summary::{Summary, scores};
use crate::train::quoted;

/// The note in the model file with the names of the networks' folders, as JSON.
const NETWORKS: &str = "hadal.networks";

/// The names of the networks whose vote is in a folder; `None` if there is no vote.
pub fn networks_in(folder: &Path) -> Option<Vec<String>> {
    let (_, notes) = hadal::format::safetensors::load(&folder.join(RunFolder::MODEL)).ok()?;
    serde_json::from_str(notes.get(NETWORKS)?).ok()
}

/// The networks in these folders as one, which judges several views of each image.
pub fn joined(folder: &Path, names: &[String]) -> Result<Sequential> {
    let load = |name: &String| Ok(Sequential::load(folder.join(name).join(RunFolder::MODEL))?.0);
    let networks = names.iter().map(load).collect::<Result<Vec<_>>>()?;
    Ensemble::of_views(Ensemble::of(networks)?, mnist::VIEW.parse()?, mnist::VIEWS)
}

/// A vote to be made of networks that have been trained.
pub struct Vote<'a> {
    pub folder: &'a Path,
    /// The folders of the networks, below that one.
    pub names: Vec<String>,
    /// What the networks have in common.
    pub config: &'a Config,
    pub source: &'a Source,
    pub parts: &'a Parts,
}

impl Vote<'_> {
    fn trainer(&self, model: Sequential) -> Result<Trainer<Sequential>> {
        let (loss, metrics) = measures(self.config, self.parts, None)?;
        let seed = self.config.training.seed.unwrap_or(1);
        Ok(Trainer::new(model, Sgd::default(), loss, metrics).seed(seed))
    }

    fn notes(&self) -> Result<BTreeMap<String, String>> {
        let mut notes = model::notes(self.config, &self.source.name(), self.parts)?;
        let names = serde_json::to_string(&self.names).map_err(|error| Error::Config(error.to_string()))?;
        notes.insert(NETWORKS.to_owned(), names);
        Ok(notes)
    }

    /// Writes the vote and what it comes to on the test part, and says so.
    pub fn keep(&self, args: &Train) -> Result<()> {
        let trainer = self.trainer(joined(self.folder, &self.names)?)?;
        let judge = self.trainer(Sequential::new([self.parts.outputs]).add(Flatten).build()?)?;
        // All views of all images by all networks take minutes.
        let judged = Judged::of(&trainer, judge, &self.parts.test)?;
        let score = judged.evaluate(&self.parts.test)?;
        trainer.model.save(self.folder.join(RunFolder::MODEL), &self.notes()?)?;
        self.summary(&score)?.write(self.folder)?;
        let name = format!("{} test, vote of {}", self.source.name(), counted(self.names.len(), "network"));
        print_line(&format!("{name}: {score}{}", wrong(&score, self.parts.test.len())))?;
        if !args.no_report {
            let report = report(self.folder, self.config, self.source, self.parts)?;
            report.repeat(self.commands()).on_trained(&judged)?;
        }
        if args.quiet {
            return Ok(());
        }
        print_intervals(&judged, &self.parts.test, &score)?;
        let page = Some(self.folder.join(Report::FILE)).filter(|page| page.exists());
        page.map_or(Ok(()), |page| print_line(&format!("A report is in {}", page.display())))?;
        print_line(&format!("The networks and their vote are kept in {}", self.folder.display()))
    }

    /// How the vote is repeated, and how it is checked that the same comes out.
    fn commands(&self) -> [String; 2] {
        let training = &self.config.training;
        let settings = [("seed", training.seed.unwrap_or(1)), ("epochs", training.epochs.unwrap_or(0) as u64)];
        let settings = settings.map(|(name, value)| format!(" --{name} {value}")).concat();
        [
            format!("hadal train {} --recipe best{settings} --out NEW", self.source.name()),
            format!("hadal verify {}", quoted(self.folder)),
        ]
    }

    /// The networks' times and steps together.
    fn summary(&self, score: &Logs) -> Result<Summary> {
        let read = |name: &String| Summary::read(&self.folder.join(name));
        let own = self.names.iter().map(read).collect::<Result<Vec<_>>>()?;
        let Parts { train, test, holdout, digest, .. } = self.parts;
        Ok(Summary {
            name: self.source.name(),
            data: digest.clone(),
            samples: [train.len(), test.len(), holdout.as_ref().map_or(0, Dataset::len)],
            seed: self.config.training.seed.unwrap_or(1),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            processor: Machine::this().processor(),
            instructions: simd_level().name().to_owned(),
            threads: hadal::num_threads(),
            ended: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs()),
            seconds: own.iter().map(|own| own.seconds).sum(),
            epochs: own.iter().map(|own| own.epochs).sum(),
            steps: own.iter().map(|own| own.steps).sum(),
            test: scores(score),
            settings: self.config.clone(),
        })
    }
}

/// ` (22 of 10000 wrong)`.
fn wrong(score: &Logs, samples: usize) -> String {
    let wrong = |accuracy: f64| ((1.0 - accuracy) * samples as f64).round();
    score.get("accuracy").map_or(String::new(), |accuracy| format!(" ({} of {samples} wrong)", wrong(accuracy)))
}
