//! What the page asks about runs, and the answers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};

use super::clock::{Axis, X};
use super::finding::Found;
use super::run::Run;
use super::runs::{Runs, lock};
use crate::{Error, Result};

/// The columns of a chart, unless the page names a number, and the most.
const BUCKETS: usize = 500;
const MOST_BUCKETS: usize = 4000;

/// How many places of values that are not finite are answered.
const MOST_MARKS: usize = 100;

/// All runs that have changed since a version.
#[derive(Serialize)]
pub(super) struct List {
    version: u64,
    roots: Vec<String>,
    notes: Vec<String>,
    runs: Vec<Info>,
}

#[derive(Serialize)]
struct Info {
    id: usize,
    name: String,
    path: String,
    is_gone: bool,
    status: &'static str,
    epochs: f64,
    scores: BTreeMap<String, f64>,
    settings: BTreeMap<String, String>,
    facts: BTreeMap<&'static str, String>,
    notes: Vec<String>,
    findings: Vec<Found>,
}

pub(super) fn list(runs: &Runs, since: u64) -> List {
    // Read before the runs are: what changes meanwhile is sent again.
    let version = runs.version();
    let all = runs.all();
    let changed = all.iter().filter_map(|run| {
        let run = lock(run);
        (run.changed > since || since == 0).then(|| Info::new(&run))
    });
    List {
        version,
        roots: runs.roots().iter().map(|root| root.display().to_string()).collect(),
        notes: runs.notes(),
        runs: changed.collect(),
    }
}

impl Info {
    fn new(run: &Run) -> Info {
        let last = |name: &String| Some((name.clone(), run.history.column(name)?.last_value()?));
        let tested = run.summary.as_ref().and_then(|summary| summary.get("test")?.as_object());
        let tested = tested.map(|scores| {
            let scores = scores.iter().filter_map(|(name, score)| Some((format!("test {name}"), score.as_f64()?)));
            scores.collect::<BTreeMap<String, f64>>()
        });
        let mut scores: BTreeMap<String, f64> = run.history.names.iter().filter_map(last).collect();
        let epochs = scores.remove("epoch").unwrap_or(0.0);
        scores.remove("learning_rate");
        scores.extend(tested.into_iter().flatten());
        let fact = |name: &'static str| match run.summary.as_ref()?.get(name)? {
            serde_json::Value::String(text) => Some((name, text.clone())),
            other => Some((name, other.to_string())),
        };
        let names = ["name", "samples", "version", "processor", "instructions", "threads", "seconds", "steps", "ended"];
        let mut settings = run.settings.clone();
        if settings.is_empty() {
            settings.extend(run.events.iter().flat_map(|events| events.hparams.clone()));
        }
        Info {
            id: run.id,
            name: run.name.clone(),
            path: run.path.display().to_string(),
            is_gone: run.is_gone,
            status: run.status(),
            epochs,
            scores,
            settings,
            facts: names.into_iter().filter_map(fact).collect(),
            notes: run.notes(),
            findings: run.findings.clone(),
        }
    }
}

/// The numbers of runs, with commas between them; those that are not there are left out.
pub(super) fn chosen(runs: &Runs, text: &str) -> Vec<Arc<Mutex<Run>>> {
    text.split(',').filter_map(|id| runs.get(id.parse().ok()?)).collect()
}

/// Which part of which curves a chart shows.
#[derive(Deserialize)]
pub(super) struct ScalarsQuery {
    tag: String,
    /// With commas between them.
    #[serde(default)]
    runs: String,
    /// Groups of runs, of which mean and spread are drawn, with semicolons between them.
    #[serde(default)]
    groups: String,
    x: Axis,
    from: Option<f64>,
    to: Option<f64>,
    #[serde(default)]
    weight: f64,
    buckets: Option<usize>,
}

/// Points, and why a number is missing: NaN and infinities are `null`.
#[derive(Serialize)]
struct Points {
    x: Vec<f64>,
    y: Vec<f64>,
}

#[derive(Serialize)]
struct Curve {
    run: usize,
    /// What the points lie at, where what was asked for is not known.
    axis: Axis,
    /// The number of all points.
    total: usize,
    points: Points,
    smoothed: Option<Points>,
    /// Where values are NaN or infinite, and how many are.
    not_finite: Vec<f64>,
    not_finite_count: usize,
    /// Where the last point lies, and its value.
    last: [f64; 2],
}

/// Mean and standard deviation (divided by `n - 1`) of several runs.
#[derive(Serialize)]
struct Group {
    runs: Vec<usize>,
    x: Vec<f64>,
    mean: Vec<f64>,
    std: Vec<f64>,
    count: Vec<usize>,
}

#[derive(Serialize)]
pub(super) struct Scalars {
    curves: Vec<Curve>,
    groups: Vec<Group>,
}

pub(super) fn scalars(runs: &Runs, query: &ScalarsQuery) -> Result<Scalars> {
    if !(0.0..1.0).contains(&query.weight) {
        return Err(Error::Config(format!(
            "weight is {}, but smoothing takes 0 up to, not including, 1",
            query.weight
        )));
    }
    let part = Part {
        from: query.from.unwrap_or(f64::NEG_INFINITY),
        to: query.to.unwrap_or(f64::INFINITY),
        buckets: query.buckets.unwrap_or(BUCKETS).clamp(1, MOST_BUCKETS),
    };
    let curves = chosen(runs, &query.runs).into_iter().map(|run| {
        let mut run = lock(&run);
        runs.wants_events(&mut run);
        read(runs, &mut run, |run| curve(run, query, &part))
    });
    let groups = query.groups.split(';').filter(|group| !group.is_empty());
    Ok(Scalars {
        curves: curves.filter_map(Result::transpose).collect::<Result<_>>()?,
        groups: groups.map(|group| mean_of(runs, &chosen(runs, group), query, &part)).collect::<Result<_>>()?,
    })
}

/// Reads of a run; once more where what was kept of its files turns out to be damaged.
fn read<T>(runs: &Runs, run: &mut Run, read: impl Fn(&mut Run) -> Result<T>) -> Result<T> {
    read(run).or_else(|_| {
        runs.read_anew(run);
        read(run)
    })
}

/// The part of the axis that is seen, and in how many columns.
struct Part {
    from: f64,
    to: f64,
    buckets: usize,
}

/// How a curve's points lie on the axis that was asked for, or on its own.
fn x_of(run: &mut Run, tag: &str, asked: Axis) -> Option<(X, Axis)> {
    let (began, clock) = (run.clock.began, run.clock.clone());
    let (series, own) = run.curve(tag)?;
    let known = match asked {
        Axis::Time if series.has_times() => began.map(X::Since),
        asked => clock.scale(own, asked).map(X::At),
    };
    let plain = || Some((X::At(clock.scale(own, own)?), own));
    known.map(|x| (x, asked)).or_else(plain)
}

fn curve(run: &mut Run, query: &ScalarsQuery, part: &Part) -> Result<Option<Curve>> {
    let id = run.id;
    let Some((x, axis)) = x_of(run, &query.tag, query.x) else { return Ok(None) };
    let Some((series, _)) = run.curve(&query.tag) else { return Ok(None) };
    let mut points = |weight: f64| -> Result<Points> {
        let (x, y) = series.seen(weight, &x, part.from, part.to, part.buckets)?.into_iter().unzip();
        Ok(Points { x, y })
    };
    let (raw, smoothed) = (points(0.0)?, (query.weight > 0.0).then(|| points(query.weight)).transpose()?);
    let (not_finite, not_finite_count) = series.not_finite(&x, part.from, part.to, MOST_MARKS)?;
    let (total, last) = (series.len(), series.end(&x));
    Ok(last.map(|last| Curve { run: id, axis, total, points: raw, smoothed, not_finite, not_finite_count, last }))
}

fn mean_of(runs: &Runs, ids: &[Arc<Mutex<Run>>], query: &ScalarsQuery, part: &Part) -> Result<Group> {
    let lines = ids.iter().map(|run| read(runs, &mut lock(run), |run| line(run, query, part)));
    let lines: Vec<Vec<(f64, f64)>> = lines.filter_map(Result::transpose).collect::<Result<_>>()?;
    let mut group = Group {
        runs: ids.iter().map(|run| lock(run).id).collect(),
        x: grid(&lines, part),
        mean: Vec::new(),
        std: Vec::new(),
        count: Vec::new(),
    };
    for x in &group.x {
        let values: Vec<f64> = lines.iter().filter_map(|line| between(line, *x)).collect();
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
        group.mean.push(mean);
        group.std.push(if values.len() > 1 { variance.sqrt() } else { 0.0 });
        group.count.push(values.len());
    }
    Ok(group)
}

/// All finite points of a run that are seen, smoothed.
fn line(run: &mut Run, query: &ScalarsQuery, part: &Part) -> Result<Option<Vec<(f64, f64)>>> {
    let Some((x, _)) = x_of(run, &query.tag, query.x) else { return Ok(None) };
    let Some((series, _)) = run.curve(&query.tag) else { return Ok(None) };
    let points = series.all(query.weight, &x)?.into_iter();
    let line: Vec<(f64, f64)> = points.filter(|(x, value)| value.is_finite() && x.is_finite()).collect();
    let first = line.partition_point(|(x, _)| *x < part.from).saturating_sub(1);
    let end = (line.partition_point(|(x, _)| *x <= part.to) + 1).min(line.len());
    Ok(Some(line[first..end].to_vec()).filter(|line| !line.is_empty()))
}

/// Where the mean is computed: at each point of any of the lines or, if they are many, in columns of equal width.
fn grid(lines: &[Vec<(f64, f64)>], part: &Part) -> Vec<f64> {
    let columns = 4 * part.buckets;
    if lines.iter().map(Vec::len).sum::<usize>() > 4 * columns {
        let low = lines.iter().filter_map(|line| line.first()).map(|point| point.0).fold(f64::INFINITY, f64::min);
        let high = lines.iter().filter_map(|line| line.last()).map(|point| point.0).fold(f64::NEG_INFINITY, f64::max);
        return (0..=columns).map(|column| low + (high - low) * column as f64 / columns as f64).collect();
    }
    let mut grid: Vec<f64> = lines.iter().flatten().map(|point| point.0).collect();
    grid.sort_by(f64::total_cmp);
    grid.dedup();
    grid
}

/// The line's value at `x`, if it reaches there.
fn between(line: &[(f64, f64)], x: f64) -> Option<f64> {
    let after = line.partition_point(|point| point.0 < x);
    let (x1, y1) = *line.get(after)?;
    if x1 == x {
        return Some(y1);
    }
    let (x0, y0) = *line.get(after.checked_sub(1)?)?;
    Some(y0 + (y1 - y0) * (x - x0) / (x1 - x0))
}
