//! Runs whose files cannot be written for a while: a full disk, a folder that is read-only.

#![cfg(unix)]

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::support::*;

fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    write_table(home.path());
    home
}

/// A small file system, as long as this lives.
struct Mounted(PathBuf);

impl Mounted {
    /// `None` where this user may not mount any.
    fn at(folder: &Path) -> Option<Mounted> {
        std::fs::create_dir(folder).unwrap();
        let mount =
            std::process::Command::new("mount").args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]).arg(folder).output();
        mount.is_ok_and(|output| output.status.success()).then(|| Mounted(folder.to_owned()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

/// Needs a small file system, which root can mount.
#[cfg(target_os = "linux")]
#[test]
fn training_goes_on_with_one_note_where_the_disk_is_full() {
    let home = home();
    let at = home.path();
    let disk = at.join("disk");
    let Some(_mounted) = Mounted::at(&disk) else {
        println!("skipped: no file system can be mounted here");
        return;
    };
    let plan = "train t.csv --target kind --epochs 250 --patience 0 --hidden 16 -q --checkpoint-every 20";
    passes(at, &format!("{plan} --out whole"));
    let trained = |out: &str, is_freed: bool| {
        let out = disk.join(out);
        let mut child = begin(at, &format!("{plan} --out {}", out.display()));
        until("two epochs", || epochs_in(&out) >= 2 && out.join("checkpoint.safetensors").exists());
        let fill = disk.join("fill");
        assert!(std::fs::write(&fill, vec![0; 16 << 20]).is_err(), "the disk is full");
        if is_freed {
            std::thread::sleep(std::time::Duration::from_millis(50));
            std::fs::remove_file(&fill).unwrap();
            return (child.wait_with_output().unwrap(), out);
        }
        // Whatever a file that is replaced leaves is taken, too.
        let mut filling = std::fs::OpenOptions::new().append(true).open(&fill).unwrap();
        while child.try_wait().unwrap().is_none() {
            let _ = filling.write_all(&[0; 4096]);
            std::thread::sleep(std::time::Duration::from_micros(100));
        }
        let output = child.wait_with_output().unwrap();
        std::fs::remove_file(&fill).unwrap();
        (output, out)
    };
    let (freed, out) = trained("freed", true);
    succeeds(&freed);
    are_equal(&at.join("whole"), &out);
    let notes = text(&freed.stderr);
    assert!(notes.lines().all(|line| line.contains("training goes on")), "{notes}");
    std::fs::remove_dir_all(&out).unwrap();
    let (full, out) = trained("full", false);
    let notes = text(&full.stderr);
    assert_eq!(full.status.code(), Some(1), "{notes}");
    let lines: Vec<&str> = notes.lines().collect();
    // Now and then there is room for a checkpoint; what fails after it is said again.
    let [said @ .., resume, error] = &lines[..] else { panic!("{notes}") };
    let is_said = |line: &&str| line.contains("No space left on device") && line.contains("training goes on");
    assert!(!said.is_empty() && said.iter().all(is_said), "{notes}");
    assert!(resume.contains("hadal train --resume") && resume.contains("the last checkpoint is kept"), "{notes}");
    assert!(error.starts_with("error: ") && error.contains("No space left on device"), "{notes}");
    let resumed = run(at, &format!("train --resume {} -q", out.display()));
    // The room may have run out between a model and its history.
    let notes = text(&resumed.stderr);
    assert!(notes.lines().all(|line| line.contains("it was restored from the ")), "{notes}");
    assert!(std::fs::read(out.join("history.csv")).unwrap() == std::fs::read(at.join("whole/history.csv")).unwrap());
}

/// Root may write anywhere: it runs the command as nobody.
#[cfg(unix)]
#[test]
fn training_goes_on_with_one_note_where_its_folder_becomes_read_only() {
    use std::os::unix::fs::PermissionsExt;
    let home = home();
    let at = home.path();
    std::fs::set_permissions(at, std::fs::Permissions::from_mode(0o777)).unwrap();
    let is_root = std::process::Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
    let user: &[&str] =
        if is_root { &["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] } else { &["env"] };
    let command = |line: &str| {
        let mut command = std::process::Command::new(user[0]);
        command.args(&user[1..]).arg(env!("CARGO_BIN_EXE_hadal")).args(line.split_whitespace());
        command
            .current_dir(at)
            .env("HOME", at)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        command
    };
    if !command("--version").output().is_ok_and(|output| output.status.success()) {
        println!("skipped: no other user can run the command");
        return;
    }
    let out = at.join("out");
    let endless = "train t.csv --target kind --epochs 1000000 --patience 0 -q --out out --checkpoint-every 1";
    let child = command(endless).spawn().unwrap();
    until("two epochs", || epochs_in(&out) >= 2 && out.join("checkpoint.safetensors").exists());
    let mode = |mode| std::fs::set_permissions(&out, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o555);
    let then = epochs_in(&out);
    std::thread::sleep(std::time::Duration::from_millis(300));
    signal(&child, &["INT"]);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "it went on until it was interrupted");
    assert!(epochs_in(&out) <= then + 1);
    let notes = text(&output.stderr);
    // The second is of the report, which is written when training stops.
    let [said, report] = &notes.lines().collect::<Vec<_>>()[..] else { panic!("{notes}") };
    assert!(
        said.starts_with("note: ") && said.contains("Permission denied") && said.contains("training goes on"),
        "{notes}"
    );
    assert!(
        report.starts_with("note: the report could not be written") && report.contains("Permission denied"),
        "{notes}"
    );
    mode(0o755);
    let before = hadal::train::TrainingState::load(out.join("checkpoint.safetensors")).unwrap().epochs();
    let child = command("train --resume out -q").spawn().unwrap();
    until("more epochs", || epochs_in(&out) > before + 2);
    signal(&child, &["INT"]);
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
}
