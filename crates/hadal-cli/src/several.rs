//! Folders that hold several runs, where one is needed.

use std::path::{Path, PathBuf};

use hadal::train::RunFolder;
use hadal::{Error, Result};

use crate::counted::shortened;
use crate::session::SETTINGS;
use crate::tune::Store;

/// Refuses the folder of a search or of several runs; the message names one of them to give instead. What is no such folder is
/// for others to judge.
pub fn check_is_one(folder: &Path) -> Result<()> {
    let fault = |reason: String| Err(Error::File { path: folder.to_owned(), reason });
    if is_run(folder) {
        return Ok(());
    }
    if Store::is_in(folder) {
        let winner = folder.join("winner");
        let advice = if winner.join(RunFolder::SUMMARY).exists() {
            format!("give its best run, {}", winner.display())
        } else {
            "it has no winner yet: the same hadal tune command with this --out goes on with it".to_owned()
        };
        return fault(format!("is the folder of a search, not of a run; {advice}"));
    }
    let names = runs_in(folder);
    let Some(first) = names.first() else { return Ok(()) };
    let all = |prefix: &str| names.iter().all(|name| name.starts_with(prefix));
    let what = match names.len() {
        _ if all("network-") => {
            "holds networks whose vote is missing (the same hadal train --recipe command with this --out goes on)"
        }
        1 => "holds a run, but is none",
        _ if all("fold-") => "is the folder of a cross-validation, not of a run",
        _ if all("seed-") => "is the folder of runs with several seeds, not of one run",
        _ => "is a folder of several runs, not of one",
    };
    let others = if names.len() > 1 { format!(" (there are {})", shortened(&names)) } else { String::new() };
    fault(format!("{what}; give one run, for example {}{others}", folder.join(first).display()))
}

fn is_run(folder: &Path) -> bool {
    RunFolder::existing_run(folder).is_some() || folder.join(SETTINGS).exists() && !Store::is_in(folder)
}

/// The names of the runs in a folder, `fold-2` before `fold-10`. What cannot be read is none.
fn runs_in(folder: &Path) -> Vec<String> {
    let below = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let runs: Vec<PathBuf> = below.filter(|path| is_run(path)).collect();
    let mut names: Vec<String> =
        runs.iter().filter_map(|run| Some(run.file_name()?.to_string_lossy().into_owned())).collect();
    names.sort_by_key(|name| (name.len(), name.clone()));
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(of: &[&str]) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        for file in of {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let at = folder.path().display().to_string();
        check_is_one(folder.path()).err().map(|error| error.to_string().replace(&at, "AT"))
    }

    #[test]
    fn a_folder_of_several_runs_is_named_with_one_of_them() {
        for (files, words) in [
            (
                &["fold-10/history.csv", "fold-2/config.toml", "fold-1/model.safetensors", "scores.csv"][..],
                "AT: is the folder of a cross-validation, not of a run; give one run, for example AT/fold-1 (there are fold-1, fold-2, \
                 fold-10)",
            ),
            (
                &["seed-3/history.csv", "seed-4/history.csv"],
                "runs with several seeds, not of one run; give one run, for example AT/seed-3",
            ),
            (&["b/config.toml", "a/config.toml", "c/notes.txt"], "for example AT/a (there are a, b)"),
            (&["a/config.toml"], "AT: holds a run, but is none; give one run, for example AT/a"),
            (
                &["search.json", "config.toml", "winner/summary.json"],
                "of a search, not of a run; give its best run, AT/winner",
            ),
            (&["search.json", "config.toml"], "it has no winner yet: the same hadal tune command"),
        ] {
            let message = message(files).unwrap_or_default();
            assert!(message.contains(words), "{files:?}: {message}");
        }
    }

    #[test]
    fn runs_and_other_folders_pass() {
        for files in
            [&["model.safetensors", "seed-1/model.safetensors"][..], &["config.toml"], &["notes.txt", "a/b"], &[]]
        {
            assert_eq!(message(files), None, "{files:?}");
        }
    }
}
