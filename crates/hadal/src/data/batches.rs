//! Iterating over a dataset in batches.

use std::sync::mpsc::sync_channel;

use super::dataset::AugmentPass;
use super::inputs::Pick;
use super::{Dataset, Parts};
use crate::{ROOM_FOR_THREAD, Result, Rng, Tensor, can_allocate};

/// How many batches are made ahead.
const AHEAD: usize = 2;

/// An iterator over a dataset's batches, of the first input and target if there are several; see [`Dataset::batches`].
///
/// ```
/// use hadal::prelude::*;
/// let data = Dataset::new("ten", Tensor::zeros([10, 2]), Tensor::arange(10))?;
/// let sizes: Vec<usize> = data.batches(4).map(|(x, _)| x.size(0)).collect();
/// assert_eq!(sizes, [4, 4, 2]);
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Batches<'a> {
    data: &'a Dataset,
    size: usize,
    /// The order of the samples, if shuffled.
    order: Option<Vec<usize>>,
    next: usize,
    /// What a training pass changes at random.
    augmented: Option<AugmentPass>,
}

/// Samples, ready for a model.
pub(crate) struct Batch {
    pub inputs: Parts,
    pub targets: Parts,
    /// If the samples have weights.
    pub weights: Option<Tensor>,
}

impl Batch {
    /// Its samples in pieces of `size`; the last may be smaller.
    pub fn pieces(&self, size: usize) -> impl Iterator<Item = Batch> {
        let samples = self.inputs.first().size(0);
        (0..samples).step_by(size).map(move |start| {
            let of = |tensor: &Tensor| tensor.narrow(0, start, size.min(samples - start));
            Batch {
                inputs: self.inputs.map(|_, input| of(input)),
                targets: self.targets.map(|_, target| of(target)),
                weights: self.weights.as_ref().map(of),
            }
        })
    }
}

impl<'a> Batches<'a> {
    #[track_caller]
    pub(super) fn new(data: &'a Dataset, size: usize) -> Batches<'a> {
        assert!(size > 0, "batches: a batch needs at least 1 sample, not 0");
        Batches { data, size, order: None, next: 0, augmented: None }
    }

    /// In random order, drawn from `rng`, beginning with the first batch.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let data = Dataset::new("ten", Tensor::zeros([10, 2]), Tensor::arange(10))?;
    /// let mut rng = Rng::new(1);
    /// let mut labels: Vec<i64> = data.batches(4).shuffle(&mut rng).flat_map(|(_, y)| y.to_vec::<i64>()).collect();
    /// assert_ne!(labels, (0..10).collect::<Vec<i64>>());
    /// labels.sort();
    /// assert_eq!(labels, (0..10).collect::<Vec<i64>>()); // each sample once
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn shuffle(mut self, rng: &mut Rng) -> Batches<'a> {
        self.order = Some(rng.permutation(self.data.len()));
        self.next = 0;
        self
    }
}

impl Batches<'_> {
    /// As a training pass takes them: changed by the random transforms of the dataset.
    pub(crate) fn augmented(mut self, pass: AugmentPass) -> Self {
        self.augmented = Some(pass);
        self
    }

    /// Without the first `batches`.
    pub(crate) fn starting_at(mut self, batches: usize) -> Self {
        self.next = batches.saturating_mul(self.size).min(self.data.len());
        self
    }

    /// The next batch, of all inputs and targets.
    pub(crate) fn next_batch(&mut self) -> Result<Option<Batch>> {
        let start = self.next;
        let length = self.size.min(self.data.len() - start);
        if length == 0 {
            return Ok(None);
        }
        self.next += length;
        let pick = match &self.order {
            Some(order) => Pick::Indices(&order[start..start + length]),
            None => Pick::Run { start, length },
        };
        let (inputs, targets) = match self.augmented {
            Some(pass) => self.data.read_augmented(pick, pass)?,
            None => self.data.read(pick)?,
        };
        Ok(Some(Batch { inputs, targets, weights: self.data.weights_of(pick) }))
    }

    /// Calls `consume` with a function that gives one batch after another. Where making a batch takes long, another thread
    /// makes the next ones meanwhile.
    pub(crate) fn read_ahead<R>(mut self, consume: impl FnOnce(&mut dyn FnMut() -> Result<Option<Batch>>) -> R) -> R {
        if !self.data.is_made_ahead() || !can_allocate(ROOM_FOR_THREAD) {
            return consume(&mut || self.next_batch());
        }
        std::thread::scope(|scope| {
            let (sender, receiver) = sync_channel(AHEAD);
            let mut own = self.clone();
            let load = move || {
                loop {
                    let batch = own.next_batch();
                    let is_last = !matches!(batch, Ok(Some(_)));
                    // Nobody waits for it any more, if training has ended.
                    if sender.send(batch).is_err() || is_last {
                        return;
                    }
                }
            };
            let Ok(loader) = std::thread::Builder::new().name("hadal-loader".into()).spawn_scoped(scope, load) else {
                // The system has no thread to spare.
                return consume(&mut || self.next_batch());
            };
            let mut loader = Some(loader);
            consume(&mut || match receiver.recv() {
                Ok(batch) => batch,
                // It ended after the last batch, or by a panic.
                Err(_) => match loader.take().map(|loader| loader.join()) {
                    Some(Err(panic)) => std::panic::resume_unwind(panic),
                    _ => Ok(None),
                },
            })
        })
    }
}

/// # Panics
/// [`next`](Iterator::next) panics if the inputs lie outside memory and cannot be read.
impl Iterator for Batches<'_> {
    type Item = (Tensor, Tensor);

    fn next(&mut self) -> Option<(Tensor, Tensor)> {
        match self.next_batch() {
            Ok(batch) => batch.map(|batch| (batch.inputs.first().clone(), batch.targets.first().clone())),
            Err(error) => panic!("batches: {error}"),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.data.len() - self.next).div_ceil(self.size);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Batches<'_> {}
