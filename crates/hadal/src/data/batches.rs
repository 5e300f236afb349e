//! Iterating over a dataset in batches.

use super::{Dataset, Parts};
use crate::{Rng, Tensor};

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
}

impl<'a> Batches<'a> {
    #[track_caller]
    pub(super) fn new(data: &'a Dataset, size: usize) -> Batches<'a> {
        assert!(size > 0, "batches: a batch needs at least 1 sample, not 0");
        Batches { data, size, order: None, next: 0 }
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
    /// The next batch, of all inputs and targets, with the samples' weights if they have any.
    pub(crate) fn next_weighted(&mut self) -> Option<(Parts, Parts, Option<Tensor>)> {
        let start = self.next;
        let length = self.size.min(self.data.len() - start);
        if length == 0 {
            return None;
        }
        self.next += length;
        Some(match &self.order {
            Some(order) => {
                let indices = &order[start..start + length];
                let (x, y) = self.data.batch_parts(indices);
                (x, y, self.data.weights_of(indices))
            }
            None => {
                let (x, y) = self.data.run(start, length);
                (x, y, self.data.weights_of(&(start..start + length).collect::<Vec<_>>()))
            }
        })
    }
}

impl Iterator for Batches<'_> {
    type Item = (Tensor, Tensor);

    fn next(&mut self) -> Option<(Tensor, Tensor)> {
        self.next_weighted().map(|(x, y, _)| (x.first().clone(), y.first().clone()))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.data.len() - self.next).div_ceil(self.size);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Batches<'_> {}
