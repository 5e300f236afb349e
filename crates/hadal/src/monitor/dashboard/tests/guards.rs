use std::io::{Read, Write};
use std::time::{Duration, Instant};

use super::*;

const PAUSE: &str = r#"{"action":"pause"}"#;

#[test]
fn foreign_hosts_and_origins_are_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path());
    let port = host(&server).rsplit_once(':').unwrap().1.to_owned();
    let token = format!("X-Hadal-Token: {}", server.token());
    for headers in [
        &["Host: evil.example"][..],
        &[&format!("Host: evil.example:{port}")],
        &["Host: 127.0.0.1"],
        &["Host: 127.0.0.1:1"],
        &["Host:"],
        &["Origin: http://evil.example"],
        &["Origin: null"],
        &[&format!("Origin: https://127.0.0.1:{port}")],
        &["Origin: http://127.0.0.1:1"],
        &[&format!("Origin: http://127.0.0.1:{port}.evil.example")],
    ] {
        for line in ["GET /", "GET /api/runs", "GET /events", "POST /api/control"] {
            let headers: Vec<&str> = headers.iter().copied().chain([token.as_str()]).collect();
            let answer = request(&server, line, &headers, PAUSE);
            assert_eq!(answer.status, 403, "{line} {headers:?}");
            assert_eq!(answer.text().lines().count(), 1, "{}", answer.text());
            assert!(!answer.text().contains(server.token()));
        }
    }
    // Two hosts, or none.
    let twice = format!("GET / HTTP/1.1\r\nHost: {0}\r\nHost: {0}\r\nConnection: close\r\n\r\n", host(&server));
    assert!([400, 403].contains(&send(&server, twice.as_bytes()).status));
    assert!([400, 403].contains(&send(&server, b"GET / HTTP/1.0\r\n\r\n").status));
    let own = format!("Origin: http://localhost:{port}");
    assert_eq!(request(&server, "GET /api/runs", &[&own, &format!("Host: localhost:{port}")], "").status, 200);
}

#[test]
fn changes_need_the_token() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path());
    let almost = format!("X-Hadal-Token: {}0", &server.token()[..31]);
    let longer = format!("X-Hadal-Token: {}0", server.token());
    for header in ["X-Other: 1", "X-Hadal-Token:", "X-Hadal-Token: wrong", &almost, &longer] {
        if header.ends_with(server.token()) {
            continue;
        }
        for line in ["POST /api/control", "PUT /api/control", "DELETE /", "POST /nowhere"] {
            let answer = request(&server, line, &[header], PAUSE);
            assert_eq!(answer.status, 403, "{line} {header}");
            assert!(answer.text().contains("need the token that was printed at the start"), "{}", answer.text());
        }
    }
    assert!(!server.control().is_paused());
    let token = format!("X-Hadal-Token: {}", server.token());
    let answer = request(&server, "POST /api/control", &[&token], PAUSE);
    assert_eq!((answer.status, answer.text()), (400, "no training is going on here\n"));
    let answer = request(&server, "POST /api/control", &[&token], r#"{"action":"explode"}"#);
    assert!(answer.status == 400 && answer.text().contains("unknown variant `explode`"), "{}", answer.text());
    assert_eq!(request(&server, "GET /api/control?action=pause", &[&token], "").status, 200);
    assert_eq!(request(&server, "POST /api/control", &[&token], &"x".repeat(5000)).status, 413);
}

#[test]
fn names_in_addresses_never_become_paths() {
    let folder = tempfile::tempdir().unwrap();
    write_run(&folder.path().join("runs/first"), 1, [0.5, 0.4]);
    std::fs::write(folder.path().join("secret"), "secret").unwrap();
    let server = server(&folder.path().join("runs"));
    get(&server, "/api/runs").json();
    for path in [
        "/../secret",
        "/..%2fsecret",
        "/%2e%2e/secret",
        "//etc/passwd",
        "/api/image?run=0&tag=../../secret",
        "/api/text?run=0&tag=..%2F..%2Fsecret",
        "/api/image?run=../../secret&tag=x",
        "/api/histograms?run=99999999999999999999&tag=x",
        "/api/scalars?tag=loss&runs=../secret&x=/etc/passwd",
        "/api/scalars?tag=loss&runs=0&x=step&weight=1",
        "/api/scalars?tag=loss&runs=0&x=step&weight=NaN",
    ] {
        let answer = get(&server, path);
        assert!([400, 404].contains(&answer.status), "{path}: {}", answer.status);
        assert!(!answer.text().contains("secret\n"), "{}", answer.text());
    }
    let none = get(&server, "/api/scalars?tag=..%2Fsecret&runs=0,7,-1,..&x=step&buckets=0").json();
    assert_eq!(none["curves"], serde_json::json!([]));
}

#[test]
fn garbage_and_endless_requests_end_their_own_connection_alone() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path());
    for bytes in [
        &b"\0\xff\xfegarbage\r\n\r\n"[..],
        b"\r\n\r\n\r\n",
        b"GET",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"",
    ] {
        let answer = send(&server, bytes);
        assert!([0, 400, 408].contains(&answer.status), "{bytes:?}: {}", answer.status);
    }
    let endless = format!("GET / HTTP/1.1\r\nHost: {}\r\nX: {}", host(&server), "x".repeat(1 << 20));
    assert!([0, 431].contains(&send(&server, endless.as_bytes()).status));
    // A header that never ends, and a body that never comes.
    let token = server.token();
    for text in [
        "GET / HTTP/1.1\r\nX: ".to_owned(),
        format!(
            "POST /api/control HTTP/1.1\r\nHost: {}\r\nX-Hadal-Token: {token}\r\nContent-Length: 9\r\n\r\n",
            host(&server)
        ),
    ] {
        let began = Instant::now();
        let answer = send(&server, text.as_bytes());
        assert!([0, 408].contains(&answer.status), "{}", answer.status);
        assert!(began.elapsed() < Duration::from_secs(5), "it is not waited for");
    }
    assert_eq!(get(&server, "/").status, 200);
}

#[test]
fn a_hundred_clients_at_once_are_served_and_may_leave_in_mid_stream() {
    let folder = tempfile::tempdir().unwrap();
    write_run(&folder.path().join("first"), 1, [0.5, 0.4]);
    let server = server(folder.path());
    std::thread::scope(|scope| {
        for number in 0..100 {
            let server = &server;
            scope.spawn(move || {
                let mut stream = connect(server);
                write!(stream, "GET /events HTTP/1.1\r\nHost: {}\r\n\r\n", host(server)).unwrap();
                let mut first = [0; 64];
                stream.read_exact(&mut first).unwrap();
                assert!(first.starts_with(b"HTTP/1.1 200"));
                if number % 2 == 0 {
                    drop(stream);
                    assert_eq!(get(server, "/app.js").status, 200);
                } else {
                    assert_eq!(get(server, "/api/runs").json()["runs"].as_array().unwrap().len(), 1);
                }
            });
        }
    });
    assert_eq!(get(&server, "/").status, 200);
}

#[test]
fn clients_that_do_not_read_hold_up_nobody() {
    let folder = tempfile::tempdir().unwrap();
    write_run(&folder.path().join("first"), 1, [0.5, 0.4]);
    let server = server(folder.path());
    let ask = format!("GET /app.js HTTP/1.1\r\nHost: {}\r\n\r\n", host(&server)).repeat(200);
    let slow: Vec<_> = (0..20)
        .map(|_| {
            let mut stream = connect(&server);
            stream.set_write_timeout(Some(Duration::from_millis(50))).unwrap();
            let _ = stream.write_all(ask.as_bytes());
            stream
        })
        .collect();
    let began = Instant::now();
    assert_eq!(get(&server, "/api/runs").status, 200);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    // Nor does the server's end wait for them.
    let began = Instant::now();
    drop(server);
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    drop(slow);
}
