//! What the tests of a search share.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hadal::{Result, Rng};

use super::{Outcome, Search, Settings, Store, TrialRun, tune};
use crate::config::parse;
use crate::config::space::Space;

/// The space of a `[tune]` section.
pub fn space(text: &str) -> Space {
    Space::of(&parse(&format!("[tune]\n{text}")).unwrap()).unwrap()
}

pub fn learning_rates() -> Space {
    space("optimizer.learning_rate = { min = 1e-4, max = 1e-1, log = true }\nmodel.hidden = [[8], [16, 8]]\n")
}

pub fn settings(trials: usize, epochs: usize, workers: usize) -> Settings {
    Settings {
        seed: 3,
        trials,
        epochs,
        factor: 3,
        min_epochs: None,
        score: "accuracy".into(),
        higher_is_better: true,
        workers,
        about: serde_json::Map::new(),
    }
}

/// A score of the values, the trial and the epoch alone, with ties.
pub fn synthetic(run: &TrialRun) -> Result<Option<Outcome>> {
    let learning_rate = run.values.iter().find_map(|(_, value)| value.as_float()).unwrap();
    let noise = f64::from(Rng::with_stream(run.number as u64, run.until_epoch as u64).uniform());
    let score = 1.0 - 0.1 * (learning_rate.log10() + 2.5).abs() + 0.05 * noise - 0.3 / run.until_epoch as f64;
    let stopped = run.number.is_multiple_of(5) && run.until_epoch > 3;
    Ok(Some(Outcome { score: (score * 50.0).round() / 50.0, epochs: run.until_epoch - usize::from(stopped), stopped }))
}

/// [`synthetic`] after a time that differs from call to call.
pub fn synthetic_after_a_while(run: &TrialRun) -> Result<Option<Outcome>> {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let call = CALLS.fetch_add(1, Ordering::Relaxed) as u64;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().subsec_nanos();
    let deadline = Instant::now() + Duration::from_micros(Rng::with_stream(call, u64::from(now)).below(3000));
    std::thread::sleep(deadline.saturating_duration_since(Instant::now()));
    synthetic(run)
}

/// A search in a folder of its own or another's, its lines, and how often the objective was called.
pub struct Run {
    pub search: Result<Option<Search>>,
    pub lines: Vec<String>,
    pub calls: usize,
}

pub fn run(
    folder: &std::path::Path,
    space: &Space,
    settings: &Settings,
    objective: impl Fn(&TrialRun) -> Result<Option<Outcome>> + Sync,
) -> Run {
    let calls = AtomicUsize::new(0);
    let counted = |run: &TrialRun| {
        calls.fetch_add(1, Ordering::Relaxed);
        objective(run)
    };
    let mut lines = Vec::new();
    let search = Store::open(folder, space, settings)
        .and_then(|store| tune(space, settings, &counted, &store, &mut |line| lines.push(line.to_owned())));
    Run { search, lines, calls: calls.into_inner() }
}
