//! `hadal runs`.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use hadal::Result;
use hadal::monitor::{columns, csv_line, note, print_line};
use hadal::train::RunFolder;

use crate::aligned::aligned;
use crate::args::Runs;
use crate::config;
use crate::counted::{counted, shortened};
use crate::summary::Summary;
use crate::tune::Store;

/// Names and values of settings.
type Settings<'a> = Vec<(&'a String, &'a String)>;

/// A run and what it came to, if it has ended.
struct Run {
    folder: String,
    summary: Option<Summary>,
    /// Section, key and value of each setting.
    settings: BTreeMap<String, String>,
}

pub fn run(args: &Runs) -> Result<()> {
    let mut runs = Vec::new();
    find(&args.folder, &args.folder, &mut runs, 0)?;
    if runs.is_empty() {
        return print_line(&format!("There are no runs in {} (hadal train writes one)", args.folder.display()));
    }
    runs.sort_by(|a, b| a.folder.cmp(&b.folder));
    let differing = differing(&runs);
    let scores: Vec<String> = score_names(&runs);
    let rows = table(&runs, &scores, &differing);
    if args.csv {
        return rows.into_iter().try_for_each(|row| print_line(&csv_line(row)));
    }
    let width = columns().unwrap_or(WIDTH);
    let (rows, left_out) = fitting(rows, differing.len(), width);
    aligned(&rows).iter().try_for_each(|line| print_line(line))?;
    if !left_out.is_empty() {
        print_line(&format!(
            "({} that differ{} left out to fit into {width} columns, --csv has all: {})",
            counted(left_out.len(), "setting"),
            if left_out.len() == 1 { "s is" } else { " are" },
            shortened(&left_out)
        ))?;
    }
    print_groups(&runs, &scores)
}

/// The columns of a table that is printed to no terminal.
const WIDTH: usize = 100;

/// A header, and a row for each run.
fn table(runs: &[Run], scores: &[String], differing: &[String]) -> Vec<Vec<String>> {
    let mut header = vec!["run".to_owned(), "epochs".to_owned()];
    header.extend(scores.iter().map(|name| format!("test {name}")));
    header.extend(differing.iter().cloned());
    [header].into_iter().chain(runs.iter().map(|run| row(run, scores, differing))).collect()
}

/// The table with as many of its last columns, the settings, as fit into the width, narrow ones first; and the names of the
/// others.
fn fitting(rows: Vec<Vec<String>>, settings: usize, width: usize) -> (Vec<Vec<String>>, Vec<String>) {
    const GAP: usize = 2;
    let columns = rows[0].len();
    let wide = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let fixed = columns - settings;
    let mut free = width.saturating_sub((0..fixed).map(|column| wide(column) + GAP).sum::<usize>().saturating_sub(GAP));
    let mut order: Vec<usize> = (fixed..columns).collect();
    order.sort_by_key(|&column| wide(column));
    let mut kept: HashSet<usize> = (0..fixed).collect();
    for column in order {
        if wide(column) + GAP > free {
            break;
        }
        free -= wide(column) + GAP;
        kept.insert(column);
    }
    let left_out =
        (fixed..columns).filter(|column| !kept.contains(column)).map(|column| rows[0][column].clone()).collect();
    let of_kept = |row: Vec<String>| {
        row.into_iter().enumerate().filter(|(column, _)| kept.contains(column)).map(|(_, cell)| cell).collect()
    };
    (rows.into_iter().map(of_kept).collect(), left_out)
}

/// Runs below a folder; those of a search or of several seeds lie in folders of their own. A folder below that cannot be read is
/// noted, and the others are listed.
fn find(root: &Path, folder: &Path, runs: &mut Vec<Run>, depth: usize) -> Result<()> {
    const DEEPEST: usize = 4;
    let entries = match folders_in(folder) {
        Ok(entries) => entries,
        Err(error) if depth > 0 => {
            note(&format!("{error}; its runs are not listed"));
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    if RunFolder::existing_run(folder).is_some() {
        let name = folder.strip_prefix(root).ok().filter(|name| !name.as_os_str().is_empty()).unwrap_or(folder);
        let summary = match Summary::read(folder) {
            Ok(summary) => Some(summary),
            Err(hadal::Error::Io { .. }) => None,
            Err(error) => {
                note(&error.to_string());
                None
            }
        };
        let settings = summary.as_ref().map(|summary| config::flat(&summary.settings)).unwrap_or_default();
        runs.push(Run { folder: name.display().to_string(), summary, settings });
    }
    // The trials of a search are in its trials.csv; its winner is a run.
    let is_search = Store::is_in(folder);
    if depth < DEEPEST {
        let mut below = entries.iter().filter(|path| !is_search || path.ends_with("winner"));
        below.try_for_each(|folder| find(root, folder, runs, depth + 1))?;
    }
    Ok(())
}

/// The folders in a folder, by name, without links.
fn folders_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let io = |source| hadal::Error::Io { path: folder.to_owned(), action: "look for runs in the folder", source };
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let entry = entry.map_err(io)?;
        if entry.file_type().map_err(io)?.is_dir() {
            folders.push(entry.path());
        }
    }
    // A folder whose names can be listed, but whose files cannot be reached, would seem to hold no run.
    std::fs::metadata(folder.join(".")).map_err(io)?;
    folders.sort();
    Ok(folders)
}

/// The settings that are not the same in all runs that have ended.
fn differing(runs: &[Run]) -> Vec<String> {
    let ended: Vec<&Run> = runs.iter().filter(|run| run.summary.is_some()).collect();
    let mut names: Vec<&String> = ended.iter().flat_map(|run| run.settings.keys()).collect();
    names.sort();
    names.dedup();
    let differs =
        |name: &&String| ended.windows(2).any(|pair| pair[0].settings.get(*name) != pair[1].settings.get(*name));
    names.into_iter().filter(differs).cloned().collect()
}

fn score_names(runs: &[Run]) -> Vec<String> {
    let mut names: Vec<String> =
        runs.iter().flat_map(|run| run.summary.iter().flat_map(|summary| summary.test.keys().cloned())).collect();
    names.sort();
    names.dedup();
    // The loss comes first.
    names.sort_by_key(|name| name != "loss");
    names
}

fn row(run: &Run, scores: &[String], differing: &[String]) -> Vec<String> {
    let mut row = vec![run.folder.clone()];
    let Some(summary) = &run.summary else {
        row.push("not ended".to_owned());
        row.extend(scores.iter().chain(differing).map(|_| String::new()));
        return row;
    };
    row.push(summary.epochs.to_string());
    row.extend(scores.iter().map(|name| summary.test.get(name).map_or(String::new(), |score| format!("{score:.4}"))));
    row.extend(differing.iter().map(|name| run.settings.get(name).cloned().unwrap_or_default()));
    row
}

/// Mean and standard deviation over runs on the same data that differ in their seeds alone. A run that was repeated counts once.
fn print_groups(runs: &[Run], scores: &[String]) -> Result<()> {
    let is_seed = |name: &String| name == "training.seed" || name == "split.seed";
    let mut groups: BTreeMap<(&Option<String>, Settings), BTreeMap<Settings, &Run>> = BTreeMap::new();
    for run in runs {
        let Some(summary) = &run.summary else { continue };
        let (seeds, settings) = run.settings.iter().partition(|(name, _)| is_seed(name));
        groups.entry((&summary.data, settings)).or_default().entry(seeds).or_insert(run);
    }
    for group in groups.values().filter(|group| group.len() > 1) {
        let names: Vec<&str> = group.values().map(|run| run.folder.as_str()).collect();
        print_line(&format!("\n{} runs that differ in the seed alone: {}", group.len(), names.join(", ")))?;
        for name in scores {
            let values: Vec<f64> =
                group.values().filter_map(|run| run.summary.as_ref()?.test.get(name).copied()).collect();
            if values.len() > 1 {
                let (mean, std) = mean_and_std(&values);
                print_line(&format!("test {name}: {mean:.4} ± {std:.4}"))?;
            }
        }
    }
    Ok(())
}

/// The mean, and the standard deviation of a sample (divided by `n - 1`).
pub fn mean_and_std(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (mean, variance.sqrt())
}
