use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::mpsc;
use std::time::Duration;

use super::super::Control;
use super::*;
use crate::prelude::*;

#[test]
fn the_page_is_whole_and_its_header_lets_nothing_else_in() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path());
    for (path, kind) in
        [("/", "text/html"), ("/style.css", "text/css"), ("/app.js", "text/javascript"), ("/icon.svg", "image/svg")]
    {
        let answer = get(&server, path);
        assert!(answer.status == 200 && answer.head.contains(&format!("content-type: {kind}")), "{}", answer.head);
        assert!(
            answer.head.contains("content-security-policy: default-src 'none'; script-src 'self'; style-src 'self';")
        );
        assert!(
            answer.head.contains("x-content-type-options: nosniff") && answer.head.contains("x-frame-options: deny")
        );
    }
    let missing = get(&server, "/nowhere");
    assert_eq!((missing.status, missing.text()), (404, "there is no such page\n"));
    assert!(missing.head.contains("content-security-policy"));
}

#[test]
fn the_page_loads_nothing_from_elsewhere_and_writes_names_as_text_alone() {
    for (path, _, text) in super::super::page::FILES {
        for forbidden in
            ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "https://"]
        {
            assert!(!text.contains(forbidden), "{path} has {forbidden}");
        }
        assert!(!text.replace("http://www.w3.org/2000/svg", "").contains("http://"), "{path} has an address");
    }
    let (_, _, html) = super::super::page::FILES[0];
    for part in ["<script>", "<style", " onclick", " onload", " style=", "javascript:"] {
        assert!(!html.contains(part), "the page has {part}");
    }
}

#[test]
fn a_port_in_use_gives_way_to_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let server = Dashboard::serve([folder.path()]).port(port).start().unwrap();
    let own: u16 = host(&server).rsplit_once(':').unwrap().1.parse().unwrap();
    assert!(own > port, "{own} after {port}");
    assert_eq!(get(&server, "/").status, 200);
    let message = Dashboard::serve([folder.path()]).listen("192.0.2.1").start().map(|_| ()).unwrap_err().to_string();
    assert!(message.starts_with("the dashboard cannot listen at 192.0.2.1: port 7860: "), "{message}");
}

#[test]
fn pages_are_told_of_what_is_new() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("first");
    write_run(&run, 1, [0.5, 0.4]);
    let server = server(folder.path());
    let list = get(&server, "/api/runs").json();
    let version = list["version"].as_u64().unwrap();
    let mut stream = connect(&server);
    write!(stream, "GET /events HTTP/1.1\r\nHost: {}\r\n\r\n", host(&server)).unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap).filter(|line| line.starts_with("data: "));
    assert_eq!(lines.next().unwrap(), format!("data: {{\"version\":{version}}}"));
    let mut file = std::fs::OpenOptions::new().append(true).open(run.join("history.csv")).unwrap();
    file.write_all(b"3,0.25,0.7,0.1,x\n").unwrap();
    let told: serde_json::Value = serde_json::from_str(&lines.next().unwrap()[6..]).unwrap();
    assert!(told["version"].as_u64().unwrap() > version);
    let changed = get(&server, &format!("/api/runs?since={version}")).json();
    assert_eq!((&changed["runs"][0]["epochs"], changed["runs"].as_array().unwrap().len()), (&3.0.into(), 1));
    let quiet = get(&server, &format!("/api/runs?since={}", changed["version"])).json();
    assert_eq!(quiet["runs"], serde_json::json!([]));
}

#[test]
fn the_page_pauses_steers_and_stops_training() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path());
    let record = folder.path().join("control.csv");
    let control = server.control().record(&record);
    let (done, ended) = mpsc::channel();
    let training = std::thread::spawn(move || {
        let data = crate::data::synthetic::moons(100, 0.1, 1).unwrap();
        let model = Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
        let mut model = model.compile(Sgd::new(0.125), BinaryCrossentropy, Accuracy).unwrap();
        let outcome = model.fit(&data, Fit::epochs(1_000_000).callback(control).quiet()).map(|_| ());
        done.send(()).unwrap();
        outcome.unwrap();
        model.learning_rate_changes().to_vec()
    });
    let token = format!("X-Hadal-Token: {}", server.token());
    let ask = |body: &str| request(&server, "POST /api/control", &[&token], body);
    wait_for(&server, "/api/control", |status| status["step"].as_u64() > Some(3));
    assert_eq!(ask(r#"{"action":"pause"}"#).json()["is_paused"], true);
    let step = || get(&server, "/api/control").json()["step"].as_u64().unwrap();
    std::thread::sleep(Duration::from_millis(200));
    let before = step();
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(step(), before, "training is paused");
    for rate in ["0", "-1", "1e999", "\"x\""] {
        let answer = ask(&format!(r#"{{"action":"learning_rate","value":{rate}}}"#));
        assert_eq!(answer.status, 400, "{rate}: {}", answer.text());
    }
    ask(r#"{"action":"learning_rate","value":0.01}"#).json();
    ask(r#"{"action":"resume"}"#).json();
    wait_for(&server, "/api/control", |status| {
        status["step"].as_u64() > Some(before) && status["learning_rate"] == 0.01
    });
    assert!(ended.try_recv().is_err());
    assert_eq!(ask(r#"{"action":"stop"}"#).json()["is_stopped"], true);
    ended.recv_timeout(Duration::from_secs(10)).unwrap();
    let changes = training.join().unwrap();
    let record = std::fs::read_to_string(record).unwrap();
    let actions: Vec<&str> = record.lines().skip(1).filter_map(|line| line.split(',').nth(2)).collect();
    assert_eq!(actions, ["pause", "learning_rate", "resume", "stop"], "{record}");
    let change = record.lines().find(|line| line.ends_with(",learning_rate,0.01")).unwrap();
    // What is written down is what was done.
    assert_eq!(changes, [(change.split(',').next().unwrap().parse().unwrap(), 0.01)]);
}

#[test]
fn ctrl_c_ends_a_pause() {
    let data = crate::data::synthetic::moons(40, 0.1, 1).unwrap();
    let model = Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
    let mut model = model.compile(Sgd::new(0.1), BinaryCrossentropy, Accuracy).unwrap();
    let control = Control::default().interrupted_by(|| true);
    control.pause();
    model.fit(&data, Fit::epochs(2).callback(control).quiet()).unwrap();
}

#[test]
fn the_callback_serves_while_it_lives() {
    let folder = tempfile::tempdir().unwrap();
    let data = crate::data::synthetic::moons(40, 0.1, 1).unwrap();
    let model = Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
    let mut model = model.compile(Sgd::new(0.1), BinaryCrossentropy, Accuracy).unwrap();
    let dashboard = Dashboard::serve([folder.path()]).port(0);
    model.fit(&data, Fit::epochs(2).callback(dashboard).quiet()).unwrap();
}
