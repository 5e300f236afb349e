//! The dashboard in a real browser: what it shows of a training that goes on, and what its buttons do.
#![cfg(all(feature = "dashboard", feature = "image"))]

use std::process::Command;
use std::time::Duration;

use hadal::monitor::dashboard::Dashboard;
use hadal::monitor::tensorboard::TensorBoard;
use hadal::prelude::*;
use hadal::train::{Every, RunFolder};

/// A Python that can open a browser, or a line that says why the test is skipped.
fn python(test: &str) -> Option<String> {
    let python = std::env::var("HADAL_PYTHON").unwrap_or_else(|_| "python3".into());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/dashboard/browser.py");
    let has = Command::new(&python).args([script, "--check"]).output();
    if !has.is_ok_and(|output| output.status.success()) {
        println!("skipped: {test} ({python} has no playwright with a Chromium; HADAL_PYTHON may name one that has)");
        return None;
    }
    Some(python)
}

/// Slow enough to be watched.
struct Slow;

impl Callback for Slow {
    fn on_event(&mut self, event: &Event) -> hadal::Result<Flow> {
        if let Event::BatchEnd { .. } = event {
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(Flow::Continue)
    }
}

#[test]
fn a_browser_watches_training_pauses_it_and_stops_it_with_a_checkpoint() {
    let Some(python) = python("a_browser_watches_training_pauses_it_and_stops_it_with_a_checkpoint") else { return };
    let folder = tempfile::tempdir().unwrap();
    let runs = folder.path().join("runs");
    let live = runs.join("live <img src=x onerror=alert(1)> \"\u{1F40B}\"");
    let (train, test) =
        (hadal::data::synthetic::moons(400, 0.2, 1).unwrap(), hadal::data::synthetic::moons(200, 0.2, 2).unwrap());
    let model = || {
        let layers = Sequential::new([2]).add(Dense::new(16).activation(Relu)).add(Dense::new(1).activation(Sigmoid));
        layers.compile(Adam::new(0.01), BinaryCrossentropy, [Accuracy]).unwrap()
    };
    for (seed, rate) in [(1, 0.01), (2, 0.01), (1, 0.1)] {
        let path = runs.join(format!("ended-{seed}-{rate}"));
        let settings = format!("[optimizer]\nlearning_rate = {rate}\n[training]\nseed = {seed}\nbatch_size = 32\n");
        let mut model = model();
        let run = RunFolder::open(&path, model.model.architecture(), Default::default()).unwrap();
        let board = TensorBoard::new(&path).validation_data(&test).image_shape([1, 2]);
        let fit = Fit::epochs(6).batch_size(32).validation_data(&test).callback(run.file("config.toml", settings));
        model.fit(&train, fit.callback(board).quiet()).unwrap();
    }
    let server = Dashboard::serve([&runs]).port(0).cache(folder.path().join("cache")).start().unwrap();
    let control = server.control();
    let path = live.clone();
    let training = std::thread::spawn(move || {
        let mut model = model();
        let run = RunFolder::open(&path, model.model.architecture(), Default::default()).unwrap();
        let run = run.checkpoint(Every::Steps(1_000_000), Default::default());
        let board = TensorBoard::new(&path).every_steps(5).validation_data(&test);
        let control = control.record(path.join("control.csv"));
        let fit = Fit::epochs(100_000).batch_size(32).validation_data(&test).callback(run).callback(board);
        model.fit(&train, fit.callback(control).callback(Slow).quiet()).unwrap();
    });
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/dashboard/browser.py");
    let output = Command::new(python).arg(script).arg(server.url_with_token()).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    // Whatever went wrong, training has to end.
    server.control().stop();
    training.join().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
    println!("{}", String::from_utf8_lossy(&said));
    assert!(live.join(RunFolder::CHECKPOINT).exists());
    let record = std::fs::read_to_string(live.join("control.csv")).unwrap();
    let actions: Vec<&str> = record.lines().skip(1).filter_map(|line| line.split(',').nth(2)).collect();
    assert_eq!(&actions[..4], ["pause", "learning_rate", "resume", "stop"], "{record}");
}
