//! Machines that are small, and terminals that are gone.

use crate::support::*;

#[test]
fn a_reader_that_leaves_early_is_no_panic() {
    let (home, data) = (tempfile::tempdir().unwrap(), small_mnist());
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_hadal"))
        .args(["train", "mnist", "--epochs", "2", "--data-dir"])
        .arg(data.path())
        .current_dir(home.path())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(!text(&output.stderr).contains("panicked"), "{}", text(&output.stderr));
}

#[cfg(target_os = "linux")]
#[test]
fn a_standard_error_that_cannot_be_written_to_changes_nothing_else() {
    let (home, data) = (tempfile::tempdir().unwrap(), small_mnist());
    trained(home.path(), data.path());
    write_png(&home.path().join("dark.png"), 28, 28, 250);
    for redirection in ["2>/dev/full", "2>&-"] {
        let code = format!("exec \"$@\" {redirection}");
        let output = shell(home.path(), &code, &["predict", "out", "dark.png"]);
        assert!(succeeds(&output).contains("\ndark.png "));
        let output = shell(home.path(), &code, &["evaluate", "nowhere"]);
        assert_eq!(output.status.code(), Some(1));
        let output = shell(home.path(), &code, &["train", "--threads", "none"]);
        assert_eq!(output.status.code(), Some(2));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_does_not_fit_into_memory_is_an_error() {
    let (home, data) = (tempfile::tempdir().unwrap(), small_mnist());
    // A header that claims 2 GiB, and as many bytes as could hold them.
    let mut random = hadal::Rng::new(1);
    let noise: Vec<u8> = (0..2_200_000).map(|_| random.below(256) as u8).collect();
    for (name, sizes) in [(NAMES[0], &[2_739_000, 28, 28][..]), (NAMES[1], &[2_739_000])] {
        let bytes = idx(0x800 + sizes.len() as u32, sizes, &noise);
        std::fs::write(data.path().join("mnist").join(name), gzip(&bytes)).unwrap();
    }
    let args = ["train", "mnist", "--threads", "1", "--data-dir", data.path().to_str().unwrap()];
    let output = shell(home.path(), "ulimit -v 1000000; exec \"$@\"", &args);
    fails(&output, &[NAMES[0], "needs 2.0 GiB of memory, more than is available"]);
}

/// Whatever the limit, there is a result, or one line that says why not.
#[cfg(target_os = "linux")]
#[test]
fn small_machines_give_results_or_one_error() {
    let (home, data) = (tempfile::tempdir().unwrap(), small_mnist());
    trained(home.path(), data.path());
    write_png(&home.path().join("image.png"), 28, 28, 0);
    let data = data.path().to_str().unwrap();
    let train = ["train", "mnist", "--epochs", "1", "--data-dir", data];
    let many = ["train", "mnist", "--epochs", "1", "--threads", "256", "--data-dir", data];
    let evaluate = ["evaluate", "out", "--data-dir", data];
    let predict = ["predict", "out", "image.png"];
    for limit in [60_000, 150_000, 300_000, 400_000, 600_000, 1_000_000] {
        for args in [&train[..], &many, &evaluate, &predict] {
            let output = shell(home.path(), &format!("ulimit -v {limit}; exec \"$@\""), args);
            let error = text(&output.stderr);
            let all = format!("{args:?} with {limit} KiB: {:?}, {error}", output.status);
            assert!(!error.contains("panicked"), "{all}");
            match output.status.code() {
                Some(0) => assert_eq!(error.matches("error:").count(), 0, "{all}"),
                Some(1) => assert_eq!(error.matches("error: ").count(), 1, "{all}"),
                _ => panic!("{all}"),
            }
            assert!(limit < 600_000 || output.status.success(), "{all}");
        }
    }
}

#[cfg(unix)]
#[test]
fn a_limit_on_the_size_of_files_is_an_error_that_leaves_the_old_run() {
    let (home, data) = (tempfile::tempdir().unwrap(), small_mnist());
    let out = trained(home.path(), data.path());
    let before = files_below(&out);
    let train = ["train", "mnist", "--out", "out", "--overwrite", "--data-dir", data.path().to_str().unwrap()];
    let output = shell(home.path(), "ulimit -f 1000; exec \"$@\"", &train);
    fails(&output, &["out/model.safetensors: cannot write the file", "File too large"]);
    // What the run that failed wrote for TensorBoard lies beside it until the next run.
    let after = files_below(&out)
        .into_iter()
        .filter(|file| before.contains(file) || !file.to_string_lossy().contains("events.out.tfevents."));
    assert_eq!(after.collect::<Vec<_>>(), before);
    succeeds(&hadal(home.path()).args(["evaluate", "out", "--data-dir"]).arg(data.path()).output().unwrap());
}
