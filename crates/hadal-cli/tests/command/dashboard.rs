//! `hadal dashboard`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use super::support::{epochs_in, fails, hadal, passes, text, until, write_table};

/// A dashboard that is ended with the test.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn runs_that_were_trained_are_served() {
    let home = tempfile::tempdir().unwrap();
    write_table(home.path());
    for seed in ["1", "2"] {
        let args = ["train", "t.csv", "--target", "kind", "--epochs", "2", "--seed", seed, "--quiet"];
        let output = hadal(home.path()).args(args).args(["--out", &format!("runs/seed-{seed}")]).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_hadal"));
    command.args(["dashboard", "--port", "0"]).current_dir(home.path()).env_clear().env("HOME", home.path());
    let mut child = Served(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(child.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let host = line.split("http://").nth(1).and_then(|rest| rest.split('/').next()).unwrap().to_owned();
    assert_eq!(line, format!("The dashboard is at http://{host}/ (Ctrl-C ends it)\n"));
    let mut stream = TcpStream::connect(&host).unwrap();
    write!(stream, "GET /api/runs HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let list: serde_json::Value = serde_json::from_str(body).unwrap();
    for (run, seed) in [(0, "1"), (1, "2")] {
        let run = &list["runs"][run];
        assert_eq!((&run["name"], &run["status"]), (&format!("seed-{seed}").into(), &"ended".into()));
        assert_eq!((&run["settings"]["training.seed"], &run["notes"]), (&seed.into(), &serde_json::json!([])));
        assert!(run["scores"]["test loss"].as_f64().is_some(), "{run}");
    }
}

#[test]
fn folders_that_are_not_there_are_said() {
    let home = tempfile::tempdir().unwrap();
    let output = hadal(home.path()).args(["dashboard"]).output().unwrap();
    fails(&output, &["runs: is not there", "hadal train writes them into runs"]);
    std::fs::write(home.path().join("file"), "").unwrap();
    let output = hadal(home.path()).args(["dashboard", "file"]).output().unwrap();
    fails(&output, &["file: is no folder"]);
    let output = hadal(home.path()).args(["dashboard", ".", "--listen", "no such name"]).output().unwrap();
    fails(&output, &["the dashboard cannot listen at no such name"]);
    let output = hadal(home.path()).args(["dashboard", ".", "--port", "70000"]).output().unwrap();
    fails(&output, &["70000"]);
}

/// Asks the server for something; the head and the body of its answer.
fn ask(host: &str, request: &str) -> (String, String) {
    let mut stream = TcpStream::connect(host).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

/// Asks for a change of training; the head of the answer.
fn post(host: &str, token: &str, body: &str) -> String {
    let head = format!("POST /api/control HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nX-Hadal-Token: {token}");
    let rest = format!("Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close", body.len());
    ask(host, &format!("{head}\r\n{rest}\r\n\r\n{body}")).0
}

#[test]
fn a_run_is_steered_and_stopped_from_its_page_and_can_be_repeated() {
    let home = tempfile::tempdir().unwrap();
    write_table(home.path());
    let mut command = Command::new(env!("CARGO_BIN_EXE_hadal"));
    let line = "train t.csv --target kind --epochs 1000000 --patience 0 --dashboard --out out --quiet";
    command.args(line.split_whitespace()).current_dir(home.path()).env_clear().env("HOME", home.path());
    let mut child = Served(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let mut printed = BufReader::new(child.0.stdout.take().unwrap());
    let mut line = String::new();
    printed.read_line(&mut line).unwrap();
    let (host, token) = line.trim().split_once("http://").unwrap().1.split_once("/#token=").unwrap();
    let post = |token: &str, body: &str| post(host, token, body);
    until("a checkpointed epoch", || epochs_in(&home.path().join("out")) >= 2);
    assert!(post("wrong", r#"{"action":"stop"}"#).starts_with("HTTP/1.1 403 "));
    let changed = post(token, r#"{"action":"learning_rate","value":0.0005}"#);
    assert!(changed.starts_with("HTTP/1.1 200 "), "{changed}");
    let then = epochs_in(&home.path().join("out"));
    until("two epochs more", || epochs_in(&home.path().join("out")) >= then + 2);
    assert!(post(token, r#"{"action":"stop"}"#).starts_with("HTTP/1.1 200 "));
    let mut rest = String::new();
    printed.read_to_string(&mut rest).unwrap();
    assert!(child.0.wait().unwrap().success());
    assert!(rest.starts_with("Stopped after epoch ") && rest.contains("hadal train --resume out"), "{rest}");
    let done = std::fs::read_to_string(home.path().join("out/control.csv")).unwrap();
    let actions: Vec<&str> = done.lines().skip(1).map(|line| line.split(',').nth(2).unwrap()).collect();
    assert_eq!(actions, ["learning_rate", "stop"]);
    let state = hadal_state(&home.path().join("out"));
    assert!(state.steps() > 0 && !state.is_finished());
    fails(
        &hadal(home.path()).args(["train", "t.csv", "--target", "kind", "--dashboard", "--no-out"]).output().unwrap(),
        &["cannot be used with"],
    );
}

#[test]
fn several_seeds_are_steered_and_stopped_from_one_page_and_can_be_repeated() {
    let home = tempfile::tempdir().unwrap();
    write_table(home.path());
    let plan = "train t.csv --target kind --epochs 1500 --patience 0 --seeds 2 --out out --threads 2";
    let mut command = Command::new(env!("CARGO_BIN_EXE_hadal"));
    command.args(plan.split_whitespace()).args(["--dashboard", "--quiet"]).current_dir(home.path());
    command.env_clear().env("HOME", home.path()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = Served(command.spawn().unwrap());
    let mut printed = BufReader::new(child.0.stdout.take().unwrap());
    let mut line = String::new();
    printed.read_line(&mut line).unwrap();
    assert!(line.starts_with("The runs are shown at http://"), "{line}");
    let (host, token) = line.trim().split_once("http://").unwrap().1.split_once("/#token=").unwrap();
    let seeds = ["seed-1", "seed-2"].map(|seed| home.path().join("out").join(seed));
    let epochs = || seeds.each_ref().map(|seed| epochs_in(seed));
    until("two epochs of each", || epochs().iter().all(|epochs| *epochs >= 2));
    for body in [r#"{"action":"pause"}"#, r#"{"action":"learning_rate","value":0.0005}"#] {
        assert!(post(host, token, body).starts_with("HTTP/1.1 200 "));
    }
    // Runs are looked for once in a second.
    let request = format!("GET /api/runs HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    until("both on the page", || {
        let list: serde_json::Value = serde_json::from_str(&ask(host, &request).1).unwrap();
        (&list["runs"][0]["name"], &list["runs"][1]["name"]) == (&"seed-1".into(), &"seed-2".into())
    });
    let then = epochs();
    assert!(post(host, token, r#"{"action":"resume"}"#).starts_with("HTTP/1.1 200 "));
    until("two epochs more", || epochs().iter().zip(then).all(|(now, then)| *now >= then + 2));
    assert!(post(host, token, r#"{"action":"stop"}"#).starts_with("HTTP/1.1 200 "));
    let mut rest = String::new();
    printed.read_to_string(&mut rest).unwrap();
    assert!(child.0.wait().unwrap().success());
    assert_eq!(rest, "Stopped; the same command with --out out goes on\n");
    passes(home.path(), &format!("{plan} --quiet"));
    for (seed, name) in seeds.iter().zip(["out/seed-1", "out/seed-2"]) {
        let done = std::fs::read_to_string(seed.join("control.csv")).unwrap();
        let actions: Vec<&str> = done.lines().skip(1).map(|line| line.split(',').nth(2).unwrap()).collect();
        assert_eq!(actions, ["pause", "learning_rate", "resume", "stop"], "{done}");
        let change = done.lines().nth(2).unwrap().split(',').next().unwrap();
        let settings = std::fs::read_to_string(seed.join("config.toml")).unwrap();
        let kept = settings.lines().find(|line| line.starts_with("learning_rate_changes")).unwrap();
        assert!(kept.contains(&format!("[{change}, 0.0005]")), "{kept}, step {change}");
        passes(home.path(), &format!("verify {name}"));
    }
    // Nothing is left to do: it is the same command still.
    passes(home.path(), &format!("{plan} --quiet"));
}

fn hadal_state(folder: &std::path::Path) -> ::hadal::train::TrainingState {
    ::hadal::train::TrainingState::load(folder.join("checkpoint.safetensors")).unwrap()
}

#[test]
fn a_network_that_cannot_learn_is_said_or_refused() {
    let home = tempfile::tempdir().unwrap();
    write_table(home.path());
    let hidden = ["8"; 12].join(",");
    let line = format!(
        "train t.csv --target kind --hidden {hidden} --activation sigmoid --epochs 40 --patience 0 --no-out -q"
    );
    let args: Vec<&str> = line.split_whitespace().collect();
    let output = hadal(home.path()).args(&args).output().unwrap();
    assert!(output.status.success());
    assert!(text(&output.stderr).contains("layers.0.weight"), "{}", text(&output.stderr));
    let output = hadal(home.path()).args(&args).args(["--health", "off"]).output().unwrap();
    assert!(!text(&output.stderr).contains("layers.0"), "{}", text(&output.stderr));
    fails(&hadal(home.path()).args(&args).args(["--health", "strict"]).output().unwrap(), &["layers.0.weight"]);
}
