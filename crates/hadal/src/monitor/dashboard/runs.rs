//! Finds the runs below folders, and follows them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::cache::Cache;
use super::events::MARK;
use super::kept::WORTH;
use super::run::Run;
use crate::train::RunFolder;

/// How deep below a folder runs are looked for, and in how many folders.
const DEEPEST: usize = 5;
const MOST_FOLDERS: usize = 20_000;

/// How often a run is looked at which has not changed for a while: every so many polls.
const SELDOM: u64 = 8;

/// All runs. Each has a lock of its own, so that reading one does not hold up the others.
pub(super) struct Runs {
    roots: Vec<PathBuf>,
    /// Where what was read of long events files is kept.
    cache: Option<Cache>,
    state: Mutex<State>,
    /// Numbers the changes.
    changes: AtomicU64,
}

#[derive(Default)]
struct State {
    runs: Vec<Arc<Mutex<Run>>>,
    by_path: HashMap<PathBuf, usize>,
    folders: HashMap<PathBuf, Folder>,
    notes: Vec<String>,
    polls: u64,
    /// The poll in which each run changed last.
    active: Vec<u64>,
}

/// What a folder holds.
#[derive(Clone, Default)]
struct Folder {
    modified: Option<SystemTime>,
    files: Vec<String>,
    folders: Vec<PathBuf>,
}

/// A lock whose holder panicked is as good as any other: what it guards is read anew from files.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Runs {
    pub fn new(roots: Vec<PathBuf>, cache: Option<PathBuf>) -> Runs {
        Runs { roots, cache: cache.map(Cache::new), state: Mutex::default(), changes: AtomicU64::new(0) }
    }

    /// The number of the last change.
    pub fn version(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    pub fn next_version(&self) -> u64 {
        self.changes.fetch_add(1, Ordering::AcqRel) + 1
    }

    pub fn roots(&self) -> &[PathBuf] {
        &self.roots
    }

    pub fn notes(&self) -> Vec<String> {
        lock(&self.state).notes.clone()
    }

    pub fn all(&self) -> Vec<Arc<Mutex<Run>>> {
        lock(&self.state).runs.clone()
    }

    pub fn get(&self, id: usize) -> Option<Arc<Mutex<Run>>> {
        lock(&self.state).runs.get(id).cloned()
    }

    /// Has the events files of a run read, from the next poll on; tells whether they have been.
    pub fn wants_events(&self, run: &mut Run) -> bool {
        if !std::mem::replace(&mut run.wants_events, true) {
            let mut state = lock(&self.state);
            let polls = state.polls;
            state.active[run.id] = polls;
        }
        run.events.is_some()
    }

    /// Reads a run's files themselves: what was kept of them is damaged.
    pub fn read_anew(&self, run: &mut Run) {
        if let Some(cache) = &self.cache {
            [run.path.clone(), run.path.join(RunFolder::HISTORY)].iter().for_each(|path| cache.forget(path));
        }
        run.read_anew();
        run.changed = self.next_version();
    }

    /// Looks for new runs, and for what is new in those that there are.
    pub fn poll(&self) {
        let mut state = lock(&self.state);
        state.polls += 1;
        let mut found = Vec::new();
        state.notes.clear();
        for root in &self.roots {
            let before = found.len();
            state.find(root, root, 0, &mut found);
            if found.len() == before && !root.is_dir() {
                state.notes.push(format!("{} is not there (hadal train makes runs)", root.display()));
            }
        }
        if state.folders.len() >= MOST_FOLDERS {
            state.notes.push(format!("there are more than {MOST_FOLDERS} folders; runs in others are not shown"));
        }
        let gone: Vec<usize> = {
            let found: std::collections::HashSet<&Path> = found.iter().map(|(path, ..)| path.as_path()).collect();
            state.by_path.iter().filter(|(path, _)| !found.contains(path.as_path())).map(|(_, id)| *id).collect()
        };
        let mut due = Vec::new();
        for (path, root, files) in found {
            let id = match state.by_path.get(&path) {
                Some(id) => *id,
                None => {
                    let id = state.runs.len();
                    let run = Run::new(id, self.name(&path, &root), path.clone());
                    state.runs.push(Arc::new(Mutex::new(run)));
                    state.by_path.insert(path, id);
                    let polls = state.polls;
                    state.active.push(polls);
                    id
                }
            };
            let is_quiet = state.polls - state.active[id] > 2 * SELDOM;
            if !is_quiet || (state.polls + id as u64).is_multiple_of(SELDOM) {
                due.push((id, state.runs[id].clone(), files));
            }
        }
        let runs: Vec<_> = gone.iter().map(|id| state.runs[*id].clone()).collect();
        let polls = state.polls;
        drop(state);
        for run in runs {
            let mut run = lock(&run);
            if !run.is_gone {
                (run.is_gone, run.changed) = (true, self.next_version());
            }
        }
        for (id, run, files) in due {
            let mut run = lock(&run);
            let is_back = std::mem::take(&mut run.is_gone);
            let before = run.read();
            if run.follow(&files, self.cache.as_ref()) || is_back || run.changed == 0 {
                run.changed = self.next_version();
                lock(&self.state).active[id] = polls;
            }
            // Who waits for what was just read does not wait for its being kept, too.
            let is_calm = run.read() < before.saturating_add(WORTH);
            if let Some(cache) = self.cache.as_ref().filter(|_| is_calm) {
                let kept = run.take_to_keep();
                drop(run);
                kept.iter().for_each(|(path, bytes)| cache.keep(path, bytes));
            }
        }
    }

    fn name(&self, path: &Path, root: &Path) -> String {
        let below = path.strip_prefix(root).unwrap_or(path);
        let base = if self.roots.len() > 1 || below.as_os_str().is_empty() {
            root.components().next_back().map_or(root.to_owned(), |last| PathBuf::from(last.as_os_str()))
        } else {
            PathBuf::new()
        };
        base.join(below).components().collect::<PathBuf>().display().to_string()
    }
}

impl State {
    /// Runs in a folder and below it, with the files in their folders.
    fn find(&mut self, root: &Path, path: &Path, depth: usize, found: &mut Vec<(PathBuf, PathBuf, Vec<String>)>) {
        let Some(folder) = self.look(path) else { return };
        let has = |name: &str| folder.files.iter().any(|file| file == name);
        let run = [RunFolder::MODEL, RunFolder::LAST, RunFolder::CHECKPOINT, RunFolder::HISTORY, RunFolder::SUMMARY];
        let has_begun = has("config.toml") && has(".hadal.lock");
        if run.into_iter().any(has) || has_begun || folder.files.iter().any(|file| file.contains(MARK)) {
            found.push((path.to_owned(), root.to_owned(), folder.files));
        }
        if depth < DEEPEST {
            folder.folders.iter().for_each(|folder| self.find(root, folder, depth + 1, found));
        }
    }

    /// What a folder holds; it is read again when it has changed.
    fn look(&mut self, path: &Path) -> Option<Folder> {
        let modified = path.metadata().ok()?.modified().ok();
        // A change within the clock's grain of the last one would not be seen.
        let is_settled = modified.and_then(|time| time.elapsed().ok()).is_some_and(|age| age > Duration::from_secs(2));
        if let Some(known) = self.folders.get(path)
            && is_settled
            && known.modified == modified
        {
            return Some(known.clone());
        }
        if self.folders.len() >= MOST_FOLDERS && !self.folders.contains_key(path) {
            return None;
        }
        let mut folder = Folder { modified: modified.filter(|_| is_settled), ..Folder::default() };
        for entry in std::fs::read_dir(path).ok()?.flatten() {
            let Ok(kind) = entry.file_type() else { continue };
            let name = entry.file_name().to_string_lossy().into_owned();
            if kind.is_dir() && !name.starts_with('.') {
                folder.folders.push(entry.path());
            } else if kind.is_file() {
                folder.files.push(name);
            }
        }
        folder.folders.sort();
        self.folders.insert(path.to_owned(), folder.clone());
        Some(folder)
    }
}
