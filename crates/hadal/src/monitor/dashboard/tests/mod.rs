//! The dashboard as a browser meets it, and as those do who are kept out.

mod guards;
mod keeping;
mod reading;
mod samples;
mod serving;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{Dashboard, Server};

/// A server of the runs in a folder, at a free port, without a cache.
pub(super) fn server(folder: &Path) -> Server {
    Dashboard::serve([folder]).port(0).cache(folder.join(".cache")).start().unwrap()
}

/// `127.0.0.1:port`.
pub(super) fn host(server: &Server) -> String {
    server.url().trim_start_matches("http://").trim_end_matches('/').to_owned()
}

pub(super) fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(host(server)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

pub(super) struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> serde_json::Value {
        assert_eq!(self.status, 200, "{}", self.text());
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// Sends bytes as they are, and reads until the server closes.
pub(super) fn send(server: &Server, bytes: &[u8]) -> Answer {
    let mut stream = connect(server);
    // The server may refuse before it has read all.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let split = answer.windows(4).position(|four| four == b"\r\n\r\n").map_or(answer.len(), |at| at + 4);
    let head = String::from_utf8_lossy(&answer[..split]).to_lowercase();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Answer { status, head, body: answer[split..].to_vec() }
}

/// A request with these lines in its header.
pub(super) fn request(server: &Server, line: &str, headers: &[&str], body: &str) -> Answer {
    let mut text = format!("{line} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    if !headers.iter().any(|header| header.starts_with("Host:")) {
        text += &format!("Host: {}\r\n", host(server));
    }
    headers.iter().for_each(|header| text += &format!("{header}\r\n"));
    send(server, format!("{text}\r\n{body}").as_bytes())
}

pub(super) fn get(server: &Server, path: &str) -> Answer {
    request(server, &format!("GET {path}"), &[], "")
}

/// Asks until the answer is as wanted: what is read in the background takes a moment.
#[track_caller]
pub(super) fn wait_for(server: &Server, path: &str, wanted: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
    let began = Instant::now();
    loop {
        let answer = get(server, path).json();
        if wanted(&answer) {
            return answer;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "{path} still answers {answer}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A run folder of two epochs.
pub(super) fn write_run(folder: &Path, seed: u32, losses: [f64; 2]) {
    std::fs::create_dir_all(folder).unwrap();
    let [first, second] = losses;
    let history =
        format!("epoch,loss,val_loss,learning_rate,dataset\n1,{first},0.9,0.1,\"a,b\"\n2,{second},0.8,0.1,\"a,b\"\n");
    std::fs::write(folder.join("history.csv"), history).unwrap();
    std::fs::write(folder.join("timing.csv"), "epoch,seconds\n1,2\n2,4\n").unwrap();
    let settings = format!("[optimizer]\nname = \"adam\"\n[training]\nbatch_size = 10\nseed = {seed}\n");
    std::fs::write(folder.join("config.toml"), settings).unwrap();
    let summary = r#"{"samples": [100, 20, 0], "epochs": 2, "steps": 20, "test": {"loss": 0.8}}"#;
    std::fs::write(folder.join("summary.json"), summary).unwrap();
}
