//! The dashboard in a real browser: what it shows of a training that goes on, and what its buttons do.
#![cfg(all(feature = "dashboard", feature = "image"))]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use hadal::monitor::dashboard::Dashboard;
use hadal::monitor::tensorboard::{Log, TensorBoard, push_record};
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

/// A field of a protocol buffer that holds bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut length = bytes.len();
    while length >= 128 {
        out.push(length as u8 | 128);
        length >>= 7;
    }
    out.push(length as u8);
    [&out, bytes].concat()
}

/// Appends a confusion matrix to an events file.
fn push_confusion(path: &Path, step: u8, classes: &str, counts: &[f32]) {
    let floats: Vec<u8> = counts.iter().flat_map(|count| count.to_le_bytes()).collect();
    let plugin = [field(1, b"hadal_confusion_matrix"), field(2, classes.as_bytes())].concat();
    let parts = [
        field(1, b"confusion_matrix"),
        field(9, &field(1, &plugin)),
        field(8, &[vec![1 << 3, 1], field(5, &floats)].concat()),
    ];
    let mut bytes = std::fs::read(path).unwrap();
    push_record(&mut bytes, &[vec![2 << 3, step], field(5, &field(1, &parts.concat()))].concat());
    std::fs::write(path, bytes).unwrap();
}

/// What the callbacks write of classes, samples and the machine.
fn write_more(run: &Path) {
    let mut log = Log::open(run).unwrap();
    for step in (50..=500).step_by(50) {
        log.step(step).scalar("system/memory", 3e8 + 1e6 * step as f64).unwrap();
        log.scalar("system/processor", 1.9).unwrap();
        log.scalar("dead_units/0 dense", step as f64 / 1000.0).unwrap();
    }
    let mut rng = Rng::new(1);
    for class in 0..10 {
        let labels = Tensor::rand([400], &mut rng);
        let right = labels.lt(0.5).to_dtype(DType::F64);
        let probabilities = 0.7 * &right + 0.3 * Tensor::rand([400], &mut rng).to_dtype(DType::F64);
        log.pr_curve(&format!("precision_recall/class {class}"), &right, &probabilities).unwrap();
    }
    for sample in 1..=16 {
        let tag = format!("mistakes/{sample:02}: sample {sample} is 4, predicted <b>9</b>");
        log.image(&tag, &Tensor::rand([28, 28], &mut rng)).unwrap();
    }
    log.text("mistakes", "| sample | class | predicted |\n| --- | --- | --- |\n| 1 | 4 | 9 |\n").unwrap();
    log.text("predictions", "| sample | class | predicted |\n| --- | --- | --- |\n| 1 | 4 | 4 |\n").unwrap();
    let text = "# Notes\nA <script>alert(1)</script> **bold** [bad](javascript:alert(1)) [good](https://a.example/) \u{1F40B}\n";
    log.text("notes", text).unwrap();
    let path = log.path().to_owned();
    drop(log);
    let classes = r#"{"classes": ["cat", "<img src=x onerror=alert(2)>"]}"#;
    push_confusion(&path, 100, classes, &[90.0, 10.0, 25.0, 75.0]);
    let finding = r#"[{"kind": "dead_units", "layer": null, "epoch": 3, "step": 150,
        "text": "three quarters of <b>layer 0</b> are dead", "advice": "a smaller learning rate"}]"#;
    std::fs::write(run.join("health.json"), finding).unwrap();
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
        write_more(&path);
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
