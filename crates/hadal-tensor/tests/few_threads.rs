//! A system that cannot start as many threads as are asked for.

#![cfg(target_os = "linux")]

use std::process::Command;

use hadal_tensor::{Tensor, num_threads, set_num_threads_exactly};

/// Set where the test runs itself under a limit.
const LIMITED: &str = "HADAL_TEST_LIMITED";

#[test]
fn threads_that_cannot_be_started_are_done_without() {
    if std::env::var_os(LIMITED).is_some() {
        set_num_threads_exactly(256);
        assert_eq!(Tensor::ones([600, 600]).matmul(&Tensor::ones([600, 600])).mean().item(), 600.0);
        assert!((1..256).contains(&num_threads()), "{} threads", num_threads());
        return;
    }
    let output = Command::new("sh")
        .args(["-c", "ulimit -v 600000; exec \"$@\"", "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "threads_that_cannot_be_started_are_done_without", "--nocapture"])
        .env(LIMITED, "1")
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    assert_eq!(error.matches("note: no more threads can be started").count(), 1, "{error}");
}
