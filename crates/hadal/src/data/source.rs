//! Where datasets are looked for, and how they are fetched.
//!
//! In order: the folder that was asked for, the folder that `HADAL_DATA_DIR` names, the platform's cache folder, and
//! (with the feature `download`) the network. Each folder is laid out as `<folder>/<dataset>/<file>`.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// A file of a dataset, as it was published.
#[derive(Clone, Copy, Debug)]
pub struct RemoteFile {
    /// Its name.
    pub name: &'static str,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its SHA-256, in hexadecimal.
    pub sha256: &'static str,
}

/// The cache folder for data, for example `~/.cache/hadal/data` on Linux.
///
/// ```
/// use hadal::data::source::cache_dir;
/// if let Some(folder) = cache_dir() {
///     println!("MNIST is looked for in {}", folder.join("mnist").display());
/// }
/// ```
pub fn cache_dir() -> Option<PathBuf> {
    use etcetera::BaseStrategy;
    Some(etcetera::choose_base_strategy().ok()?.cache_dir().join("hadal").join("data"))
}

/// Finds the folder that holds the dataset's `files`, fetching them into the cache if need be.
///
/// # Errors
/// If `asked` or `HADAL_DATA_DIR` holds the dataset only in part, or it is nowhere and cannot be fetched; the message
/// lists what was tried.
pub fn find(dataset: &str, files: &[RemoteFile], mirrors: &[&str], asked: Option<&Path>) -> Result<PathBuf> {
    // The first file that a folder lacks. What is there but no file is found when it is opened, and named as what it is.
    let missing = |folder: &Path| -> Result<Option<&RemoteFile>> {
        for file in files {
            let path = folder.join(file.name);
            match path.metadata() {
                Ok(_) => {}
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                    return Ok(Some(file));
                }
                Err(error) => return Err(Error::io(&path, "look for the file")(error)),
            }
        }
        Ok(None)
    };
    if let Some(asked) = asked {
        let folder = asked.join(dataset);
        return match missing(&folder)? {
            None => Ok(folder),
            Some(file) => Err(Error::file(
                &folder.join(file.name),
                format!(
                    "is missing; the data folder {} must hold {dataset}/{}{}",
                    asked.display(),
                    names(files),
                    parent_hint(asked, file)
                ),
            )),
        };
    }
    let mut tried = Vec::new();
    if let Some(named) = std::env::var_os("HADAL_DATA_DIR").filter(|value| !value.is_empty()) {
        let folder = Path::new(&named).join(dataset);
        match missing(&folder)? {
            None => return Ok(folder),
            Some(file) if folder.is_dir() => {
                let reason =
                    format!("is missing; HADAL_DATA_DIR is set to this folder, which must contain {}", names(files));
                return Err(Error::file(&folder.join(file.name), reason));
            }
            Some(file) => {
                tried.push(format!("{} (HADAL_DATA_DIR{})", folder.display(), parent_hint(Path::new(&named), file)));
            }
        }
    }
    match cache_dir().map(|cache| cache.join(dataset)) {
        None => tried.push("no cache folder (no home folder found)".into()),
        Some(folder) => {
            match missing(&folder) {
                Ok(None) => return Ok(folder),
                Ok(Some(_)) => tried.push(format!("{} (cache)", folder.display())),
                Err(error) => tried.push(format!("{error} (cache)")),
            }
            match fetch(&folder, files, mirrors) {
                Ok(()) => return Ok(folder),
                Err(reasons) => tried.extend(reasons),
            }
        }
    }
    Err(Error::Unavailable {
        dataset: dataset.to_owned(),
        tried: tried.join("; "),
        supply: format!(
            "to supply it, put {} into <folder>/{dataset}/ and pass --data-dir <folder> or set HADAL_DATA_DIR=<folder>",
            names(files)
        ),
    })
}

/// Advice for a folder that is the dataset's own.
fn parent_hint(folder: &Path, file: &RemoteFile) -> String {
    match folder.parent() {
        Some(parent) if folder.join(file.name).exists() => {
            let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
            format!("; the files are in {} itself: name the folder above it, {}", folder.display(), parent.display())
        }
        _ => String::new(),
    }
}

fn names(files: &[RemoteFile]) -> String {
    files.iter().map(|file| file.name).collect::<Vec<_>>().join(", ")
}

/// Without the feature `download`, nothing is fetched.
#[cfg(not(feature = "download"))]
fn fetch(_folder: &Path, _files: &[RemoteFile], _mirrors: &[&str]) -> Result<(), Vec<String>> {
    Err(vec!["no network (this build has no `download` feature)".into()])
}

#[cfg(feature = "download")]
use download::fetch;

#[cfg(feature = "download")]
mod download {
    use std::io::{Read, Write};
    use std::path::Path;
    use std::time::Duration;

    use sha2::{Digest, Sha256};

    use super::RemoteFile;
    use crate::format::{FolderLock, write_atomically};
    use crate::monitor::download::Meter;

    /// Fetches the files that are missing from the first mirror that has them; all reasons if none has. What another process
    /// is fetching is waited for.
    pub(super) fn fetch(folder: &Path, files: &[RemoteFile], mirrors: &[&str]) -> Result<(), Vec<String>> {
        let _lock = FolderLock::wait(folder).map_err(|error| vec![error.to_string()])?;
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_connect(Some(Duration::from_secs(10)))
            .timeout_recv_response(Some(Duration::from_secs(30)))
            .timeout_recv_body(Some(Duration::from_secs(600)))
            .build()
            .into();
        for file in files {
            let path = folder.join(file.name);
            if path.is_file() {
                continue;
            }
            let mut reasons = Vec::new();
            let fetched = mirrors.iter().any(|mirror| {
                let address = format!("{mirror}{}", file.name);
                match fetch_one(&agent, &address, file, &path) {
                    Ok(()) => true,
                    Err(reason) => {
                        reasons.push(format!("{address} ({reason})"));
                        false
                    }
                }
            });
            if !fetched {
                return Err(reasons);
            }
        }
        Ok(())
    }

    /// Fetches one file; it is kept only if its checksum is right.
    fn fetch_one(agent: &ureq::Agent, address: &str, file: &RemoteFile, path: &Path) -> Result<(), String> {
        let response = agent.get(address).call().map_err(|error| error.to_string())?;
        let mut body = response.into_body().into_reader();
        save(&mut body, file, path)
    }

    /// Copies `body` to `path` with a progress bar, atomically, unless its SHA-256 is wrong.
    pub(super) fn save(body: &mut dyn Read, file: &RemoteFile, path: &Path) -> Result<(), String> {
        let meter = Meter::start(file.name, file.bytes);
        let copy = |out: &mut dyn Write| {
            let mut hash = Sha256::new();
            let mut chunk = vec![0; 64 * 1024];
            // One byte more than announced is enough to know that the file is another.
            let mut left = file.bytes + 1;
            while left > 0 {
                let wanted = chunk.len().min(left as usize);
                let read = body.read(&mut chunk[..wanted])?;
                if read == 0 {
                    break;
                }
                hash.update(&chunk[..read]);
                out.write_all(&chunk[..read])?;
                meter.advance(read as u64);
                left -= read as u64;
            }
            let found: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
            if found == file.sha256 {
                return Ok(());
            }
            let reason = format!("checksum mismatch: SHA-256 is {found}, not {}; the file was not kept", file.sha256);
            Err(std::io::Error::other(reason))
        };
        write_atomically(path, copy).map_err(|error| error.to_string())
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        const EMPTY: RemoteFile = RemoteFile {
            name: "empty",
            bytes: 0,
            sha256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        };

        #[test]
        fn a_file_with_the_right_checksum_is_kept() {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("mnist/empty");
            save(&mut &b""[..], &EMPTY, &path).unwrap();
            assert!(path.is_file());
        }

        #[test]
        fn a_file_with_another_checksum_is_not_kept() {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("empty");
            let error = save(&mut &b"something else"[..], &EMPTY, &path).unwrap_err();
            assert!(error.contains("checksum mismatch"), "{error}");
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        }

        #[test]
        fn what_a_killed_download_left_is_removed() {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join(".hadal-killed"), "half").unwrap();
            std::fs::write(folder.path().join("empty"), "").unwrap();
            fetch(folder.path(), &[EMPTY], &[]).unwrap();
            assert!(!folder.path().join(".hadal-killed").exists() && folder.path().join("empty").exists());
        }

        #[test]
        fn an_unwritable_cache_is_a_clear_error() {
            let folder = tempfile::tempdir().unwrap();
            // A file where the folder should be: unwritable for every user, root included.
            let blocked = folder.path().join("cache");
            std::fs::write(&blocked, "").unwrap();
            let error = save(&mut &b""[..], &EMPTY, &blocked.join("mnist/empty")).unwrap_err();
            assert!(error.contains("cannot make the folder"), "{error}");
        }
    }
}
