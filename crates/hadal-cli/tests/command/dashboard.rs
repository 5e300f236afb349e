//! `hadal dashboard`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use super::support::{fails, hadal, text, write_table};

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
