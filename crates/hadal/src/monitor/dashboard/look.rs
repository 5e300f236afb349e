//! What the page asks about all that is no curve, of one run at a time, and the answers.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::confusion::Confusion;
use super::events::{Events, Place, Places};
use super::markdown::{self, Node};
use super::pr_curve::PrCurve;
use super::query::chosen;
use super::runs::{Runs, lock};
use crate::{Error, Result};

/// How many histograms are answered.
const MOST_RIDGES: usize = 40;

/// What is shown of samples, as a text of this tag and images whose tags begin with it.
const SAMPLES: [&str; 2] = ["predictions", "mistakes"];

/// What some runs have: by tag, the runs that have it.
#[derive(Default, Serialize)]
pub(super) struct Tags {
    scalars: BTreeSet<String>,
    histograms: BTreeMap<String, Vec<usize>>,
    images: BTreeMap<String, Vec<usize>>,
    texts: BTreeMap<String, Vec<usize>>,
    confusions: BTreeMap<String, Vec<usize>>,
    pr_curves: BTreeMap<String, Vec<usize>>,
    samples: BTreeMap<String, Vec<usize>>,
    /// Runs whose events files are still to be read.
    pub pending: usize,
}

pub(super) fn tags(runs: &Runs, ids: &str) -> Tags {
    let mut tags = Tags::default();
    for run in chosen(runs, ids) {
        let mut run = lock(&run);
        tags.pending += usize::from(!runs.wants_events(&mut run));
        tags.scalars.extend(run.tags());
        if let Some(events) = &run.events {
            tags.add(run.id, events);
        }
    }
    tags
}

impl Tags {
    fn add(&mut self, id: usize, events: &Events) {
        fn add<'a>(found: &mut BTreeMap<String, Vec<usize>>, id: usize, tags: impl Iterator<Item = &'a str>) {
            for tag in tags {
                let runs = found.entry(tag.to_owned()).or_default();
                if runs.last() != Some(&id) {
                    runs.push(id);
                }
            }
        }
        fn names(places: &Places) -> impl Iterator<Item = &str> {
            places.keys().map(String::as_str)
        }
        add(&mut self.histograms, id, names(&events.histograms));
        add(&mut self.confusions, id, names(&events.confusions));
        add(&mut self.pr_curves, id, names(&events.pr_curves).map(group));
        let texts = || events.texts.keys().map(String::as_str);
        add(&mut self.images, id, names(&events.images).filter(|tag| !SAMPLES.contains(&group(tag))));
        // What is shown as a matrix need not be shown as its table, too.
        let is_matrix = |tag: &str| events.confusions.contains_key(group(tag));
        add(&mut self.texts, id, texts().filter(|tag| !SAMPLES.contains(tag) && !is_matrix(tag)));
        let of_samples = texts().filter(|tag| SAMPLES.contains(tag));
        add(
            &mut self.samples,
            id,
            of_samples.chain(names(&events.images).map(group)).filter(|tag| SAMPLES.contains(tag)),
        );
    }
}

/// The part of a tag before its first slash.
fn group(tag: &str) -> &str {
    tag.split_once('/').map_or(tag, |(group, _)| group)
}

/// Which histogram, image, text, ... of which run.
#[derive(Deserialize)]
pub(super) struct TagQuery {
    run: usize,
    tag: String,
    /// Which of the images; the last one unless it is named.
    index: Option<usize>,
}

impl TagQuery {
    fn missing(&self) -> Error {
        Error::Data(format!("run {} has no `{}`", self.run, self.tag))
    }

    /// What the events of the run answer.
    fn of<T>(&self, runs: &Runs, answer: impl FnOnce(&Events) -> Result<Option<T>>) -> Result<T> {
        let run = runs.get(self.run).ok_or_else(|| self.missing())?;
        let run = lock(&run);
        let events = run.events.as_ref().ok_or_else(|| self.missing())?;
        answer(events)?.ok_or_else(|| self.missing())
    }
}

/// Histograms of some steps: the ends of buckets, and the counts between them.
#[derive(Serialize)]
pub(super) struct Histograms {
    steps: Vec<i64>,
    edges: Vec<Vec<f64>>,
    counts: Vec<Vec<f64>>,
    total: usize,
}

pub(super) fn histograms(runs: &Runs, query: &TagQuery) -> Result<Histograms> {
    query.of(runs, |events| {
        let Some(places) = events.histograms.get(&query.tag) else { return Ok(None) };
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
        Ok(Some(found))
    })
}

/// The steps of the images of a tag.
pub(super) fn image_steps(runs: &Runs, query: &TagQuery) -> Result<Vec<i64>> {
    let steps = |places: &Vec<Place>| places.iter().map(|place| place.step).collect();
    query.of(runs, |events| Ok(events.images.get(&query.tag).map(steps)))
}

/// A PNG.
pub(super) fn image(runs: &Runs, query: &TagQuery) -> Result<Vec<u8>> {
    query.of(runs, |events| {
        let images = events.images.get(&query.tag).map(Vec::as_slice).unwrap_or_default();
        let place = query.index.map_or(images.last(), |index| images.get(index));
        place.map(|place| events.image(&query.tag, place)).transpose()
    })
}

/// The newest confusion matrix.
pub(super) fn confusion(runs: &Runs, query: &TagQuery) -> Result<Confusion> {
    query.of(runs, |events| {
        let Some(place) = events.confusions.get(&query.tag).and_then(|places| places.last()) else { return Ok(None) };
        let (tensor, content) = events.tensor(&query.tag, place)?;
        Confusion::new(place.step, &tensor, &content).map(Some)
    })
}

/// The newest precision-recall curves, whose tags begin with the one that is asked for.
pub(super) fn pr_curves(runs: &Runs, query: &TagQuery) -> Result<Vec<PrCurve>> {
    query.of(runs, |events| {
        let own = events.pr_curves.iter().filter(|(tag, _)| group(tag) == query.tag);
        let curves = own.filter_map(|(tag, places)| Some((tag, places.last()?))).map(|(tag, place)| {
            let (tensor, _) = events.tensor(tag, place)?;
            PrCurve::new(tag, place.step, &tensor)
        });
        Ok(Some(curves.collect::<Result<Vec<_>>>()?).filter(|curves| !curves.is_empty()))
    })
}

pub(super) fn text(runs: &Runs, query: &TagQuery) -> Result<Vec<Node>> {
    query.of(runs, |events| Ok(events.texts.get(&query.tag).map(|text| markdown::nodes(text))))
}

/// Samples, as a table and as images.
#[derive(Serialize)]
pub(super) struct Samples {
    text: Vec<Node>,
    /// The tags of images, and the step that all are of.
    images: Vec<String>,
    step: Option<i64>,
}

/// The newest of what is shown of samples.
pub(super) fn samples(runs: &Runs, query: &TagQuery) -> Result<Samples> {
    query.of(runs, |events| {
        let own = events.images.iter().filter(|(tag, _)| group(tag) == query.tag);
        let own: Vec<_> = own.filter_map(|(tag, places)| Some((tag, places.last()?.step))).collect();
        // Each evaluation has other tags, since they name the samples.
        let step = own.iter().map(|(_, step)| *step).max();
        let newest = own.iter().filter(|(_, own)| Some(*own) == step).map(|(tag, _)| (*tag).clone());
        // One that has all of them together stands for those that are not there.
        let (together, mut images): (Vec<String>, Vec<String>) = newest.partition(|tag| tag.ends_with("/all"));
        if images.is_empty() {
            images = together;
        }
        let text = events.texts.get(&query.tag).map(|text| markdown::nodes(text));
        if text.is_none() && images.is_empty() {
            return Ok(None);
        }
        Ok(Some(Samples { text: text.unwrap_or_default(), images, step }))
    })
}
