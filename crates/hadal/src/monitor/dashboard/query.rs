//! What the page asks about runs, and the answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};

use super::clock::{Axis, X};
use super::confusion::Confusion;
use super::run::Run;
use super::runs::{Runs, lock};
use crate::{Error, Result};

/// The columns of a chart, unless the page names a number, and the most.
const BUCKETS: usize = 500;
const MOST_BUCKETS: usize = 4000;

/// How many histograms or names of points that are not finite are answered.
const MOST_RIDGES: usize = 40;
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
        let last = |name: &String| Some((name.clone(), run.history.column(name)?.value.last().copied()?));
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
        }
    }
}

/// The numbers of runs, with commas between them; those that are not there are left out.
fn chosen(runs: &Runs, text: &str) -> Vec<Arc<Mutex<Run>>> {
    text.split(',').filter_map(|id| runs.get(id.parse().ok()?)).collect()
}

/// What curves, histograms, images and texts some runs have.
#[derive(Default, Serialize)]
pub(super) struct Tags {
    scalars: BTreeSet<String>,
    histograms: BTreeMap<String, Vec<usize>>,
    images: BTreeMap<String, Vec<usize>>,
    texts: BTreeMap<String, Vec<usize>>,
    confusions: BTreeMap<&'static str, Vec<usize>>,
    /// Runs whose events files are still to be read.
    pub pending: usize,
}

pub(super) fn tags(runs: &Runs, ids: &str) -> Tags {
    let mut tags = Tags::default();
    for run in chosen(runs, ids) {
        let mut run = lock(&run);
        tags.pending += usize::from(!runs.wants_events(&mut run));
        tags.scalars.extend(run.tags());
        let id = run.id;
        if run.has_confusion {
            tags.confusions.entry("confusion matrix").or_default().push(id);
        }
        let Some(events) = &run.events else { continue };
        events.histograms.keys().for_each(|tag| tags.histograms.entry(tag.clone()).or_default().push(id));
        events.images.keys().for_each(|tag| tags.images.entry(tag.clone()).or_default().push(id));
        events.texts.keys().for_each(|tag| tags.texts.entry(tag.clone()).or_default().push(id));
    }
    tags
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
    /// The last value, and where it lies.
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
    let curve = |run: Arc<Mutex<Run>>| {
        let mut run = lock(&run);
        runs.wants_events(&mut run);
        curve(&mut run, query, &part)
    };
    let groups = query.groups.split(';').filter(|group| !group.is_empty());
    Ok(Scalars {
        curves: chosen(runs, &query.runs).into_iter().filter_map(curve).collect(),
        groups: groups.map(|group| mean_of(&chosen(runs, group), query, &part)).collect(),
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
        Axis::Time if !series.time.is_empty() => began.map(X::Since),
        asked => clock.scale(own, asked).map(X::At),
    };
    let plain = || Some((X::At(clock.scale(own, own)?), own));
    known.map(|x| (x, asked)).or_else(plain)
}

fn curve(run: &mut Run, query: &ScalarsQuery, part: &Part) -> Option<Curve> {
    let id = run.id;
    let (x, axis) = x_of(run, &query.tag, query.x)?;
    let (series, _) = run.curve(&query.tag)?;
    let mut points = |weight: f64| {
        let places = series.thin(weight, &x, part.from, part.to, part.buckets);
        let values = series.smooth(weight);
        let y = places.iter().map(|place| values[*place]).collect();
        Points { y, x: places.iter().map(|place| series.x(&x, *place)).collect() }
    };
    let (raw, smoothed) = (points(0.0), (query.weight > 0.0).then(|| points(query.weight)));
    let end = series.len().checked_sub(1)?;
    let place_of = |edge: f64| super::series::partition(0, series.len(), |place| series.x(&x, place) < edge);
    let (marks, not_finite_count) = series.not_finite(place_of(part.from), place_of(part.to) + 1, MOST_MARKS);
    Some(Curve {
        run: id,
        axis,
        total: series.len(),
        points: raw,
        smoothed,
        not_finite: marks.iter().map(|place| series.x(&x, *place)).collect(),
        not_finite_count,
        last: [series.x(&x, end), series.value[end]],
    })
}

fn mean_of(runs: &[Arc<Mutex<Run>>], query: &ScalarsQuery, part: &Part) -> Group {
    let lines: Vec<Vec<(f64, f64)>> = runs.iter().filter_map(|run| line(&mut lock(run), query, part)).collect();
    let mut group = Group {
        runs: runs.iter().map(|run| lock(run).id).collect(),
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
    group
}

/// All finite points of a run that are seen, smoothed.
fn line(run: &mut Run, query: &ScalarsQuery, part: &Part) -> Option<Vec<(f64, f64)>> {
    let (x, _) = x_of(run, &query.tag, query.x)?;
    let (series, _) = run.curve(&query.tag)?;
    series.smooth(query.weight);
    let values = series.smooth(query.weight).to_vec();
    let points = values.iter().enumerate().map(|(place, value)| (series.x(&x, place), *value));
    let line: Vec<(f64, f64)> = points.filter(|(x, value)| value.is_finite() && x.is_finite()).collect();
    let first = line.partition_point(|(x, _)| *x < part.from).saturating_sub(1);
    let end = (line.partition_point(|(x, _)| *x <= part.to) + 1).min(line.len());
    Some(line[first..end].to_vec()).filter(|line| !line.is_empty())
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

/// Which histogram, image or text of which run.
#[derive(Deserialize)]
pub(super) struct TagQuery {
    run: usize,
    tag: String,
    /// Which of the images; the last one unless it is named.
    index: Option<usize>,
}

/// Histograms of some steps: the ends of buckets, and the counts between them.
#[derive(Serialize)]
pub(super) struct Histograms {
    steps: Vec<i64>,
    edges: Vec<Vec<f64>>,
    counts: Vec<Vec<f64>>,
    total: usize,
}

fn missing(query: &TagQuery) -> Error {
    Error::Data(format!("run {} has no `{}`", query.run, query.tag))
}

pub(super) fn histograms(runs: &Runs, query: &TagQuery) -> Result<Histograms> {
    let run = runs.get(query.run).ok_or_else(|| missing(query))?;
    let run = lock(&run);
    let events = run.events.as_ref().ok_or_else(|| missing(query))?;
    let places = events.histograms.get(&query.tag).ok_or_else(|| missing(query))?;
    let mut found = Histograms { steps: Vec::new(), edges: Vec::new(), counts: Vec::new(), total: places.len() };
    let shown = places.len().min(MOST_RIDGES);
    for number in 0..shown {
        // Evenly spread, the first and the last among them.
        let place = &places[if shown > 1 { number * (places.len() - 1) / (shown - 1) } else { 0 }];
        let histogram = events.histogram(&query.tag, place)?;
        found.steps.push(place.step);
        found.edges.push([histogram.min].into_iter().chain(histogram.bucket_limit).collect());
        found.counts.push(histogram.bucket);
    }
    Ok(found)
}

/// The steps of the images of a tag.
pub(super) fn image_steps(runs: &Runs, query: &TagQuery) -> Result<Vec<i64>> {
    let run = runs.get(query.run).ok_or_else(|| missing(query))?;
    let run = lock(&run);
    let images = run.events.as_ref().and_then(|events| events.images.get(&query.tag)).ok_or_else(|| missing(query))?;
    Ok(images.iter().map(|place| place.step).collect())
}

/// The confusion matrix of a run.
pub(super) fn confusion(runs: &Runs, query: &TagQuery) -> Result<Confusion> {
    let run = runs.get(query.run).ok_or_else(|| missing(query))?;
    let folder = lock(&run).path.clone();
    Confusion::read(&folder)
}

/// A PNG.
pub(super) fn image(runs: &Runs, query: &TagQuery) -> Result<Vec<u8>> {
    let run = runs.get(query.run).ok_or_else(|| missing(query))?;
    let run = lock(&run);
    let events = run.events.as_ref().ok_or_else(|| missing(query))?;
    let images = events.images.get(&query.tag).ok_or_else(|| missing(query))?;
    let place = query.index.map_or(images.last(), |index| images.get(index)).ok_or_else(|| missing(query))?;
    events.image(&query.tag, place)
}

pub(super) fn text(runs: &Runs, query: &TagQuery) -> Result<String> {
    let run = runs.get(query.run).ok_or_else(|| missing(query))?;
    let run = lock(&run);
    run.events.as_ref().and_then(|events| events.texts.get(&query.tag)).cloned().ok_or_else(|| missing(query))
}
