//! Batches of sequences as packed rows: step by step, without what lies beyond a sequence's end.

use crate::{Steps, Tensor, concat};

/// How the rows of a batch `[batch, time, ..]` are packed. Samples are taken in the order of their lengths, the longest first.
pub(super) struct Packing {
    batch: usize,
    time: usize,
    pub steps: Steps,
    order: Option<Order>,
}

/// The places of rows and samples where lengths differ from the whole time.
struct Order {
    /// For each packed row, its place among the `batch * time` rows.
    rows: Tensor,
    /// For each of the `batch * time` rows, its place among the packed rows; one past the last for those beyond a sequence's end.
    places: Tensor,
    /// For each place in the order, the sample.
    samples: Tensor,
    /// For each sample, its place in the order.
    ranks: Tensor,
}

impl Packing {
    /// For sequences of these lengths; without, all are as long as the time axis.
    ///
    /// # Errors
    /// If the lengths do not fit.
    pub fn new(batch: usize, time: usize, lengths: Option<&[usize]>) -> Result<Packing, String> {
        let Some(lengths) = lengths else {
            return Ok(Packing { batch, time, steps: Steps::of(time, batch), order: None });
        };
        if lengths.len() != batch {
            return Err(format!(
                "there are {} lengths for a batch of {batch}; give one for each sample",
                lengths.len()
            ));
        }
        if let Some((sample, length)) = lengths.iter().enumerate().find(|&(_, &length)| length > time) {
            return Err(format!("the length of sample {sample} is {length}, but the input has {time} steps"));
        }
        if lengths.iter().all(|&length| length == time) {
            return Packing::new(batch, time, None);
        }
        let mut samples: Vec<usize> = (0..batch).collect();
        samples.sort_by_key(|&sample| std::cmp::Reverse(lengths[sample]));
        let longest = samples.first().map_or(0, |&sample| lengths[sample]);
        let sizes: Vec<usize> =
            (0..longest).map(|step| samples.partition_point(|&sample| lengths[sample] > step)).collect();
        let count = sizes.iter().sum::<usize>();
        let (mut rows, mut places) = (Vec::with_capacity(count), vec![count as i64; batch * time]);
        for (step, &size) in sizes.iter().enumerate() {
            for &sample in &samples[..size] {
                let row = sample * time + step;
                places[row] = rows.len() as i64;
                rows.push(row as i64);
            }
        }
        let mut ranks = vec![0; batch];
        for (rank, &sample) in samples.iter().enumerate() {
            ranks[sample] = rank as i64;
        }
        let index = |numbers: Vec<i64>| {
            let length = numbers.len();
            Tensor::from_vec(numbers, [length])
        };
        let samples = index(samples.into_iter().map(|sample| sample as i64).collect());
        let order = Order { rows: index(rows), places: index(places), samples, ranks: index(ranks) };
        Ok(Packing { batch, time, steps: Steps::packed(&sizes), order: Some(order) })
    }

    /// `[batch, time, features]` as packed rows `[rows, features]`.
    pub fn pack(&self, x: &Tensor) -> Tensor {
        let features = x.size(2);
        match &self.order {
            None => x.transpose(0, 1).reshape([self.time * self.batch, features]),
            Some(order) => x.reshape([self.batch * self.time, features]).index_select(0, &order.rows),
        }
    }

    /// Packed rows as `[batch, time, features]`, zeros beyond the end of each sequence.
    pub fn unpack(&self, rows: &Tensor) -> Tensor {
        let features = rows.size(1);
        match &self.order {
            None => rows.reshape([self.time, self.batch, features]).transpose(0, 1),
            Some(order) => {
                let zeros = Tensor::full_of([1, features], 0.0, rows.dtype());
                let padded = concat(&[rows.clone(), zeros], 0);
                padded.index_select(0, &order.places).reshape([self.batch, self.time, features])
            }
        }
    }

    /// What belongs to samples along `axis`, in the order of packed rows.
    pub fn sorted(&self, x: &Tensor, axis: isize) -> Tensor {
        self.order.as_ref().map_or_else(|| x.clone(), |order| x.index_select(axis, &order.samples))
    }

    /// What is in the order of packed rows along `axis`, in that of the samples.
    pub fn unsorted(&self, x: &Tensor, axis: isize) -> Tensor {
        self.order.as_ref().map_or_else(|| x.clone(), |order| x.index_select(axis, &order.ranks))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_step_by_step_and_go_back_to_their_places() {
        let packing = Packing::new(3, 3, Some(&[1, 3, 0])).unwrap();
        let x = Tensor::arange(9).reshape([3, 3, 1]);
        let rows = packing.pack(&x);
        assert_eq!(rows.to_vec::<i64>(), [3, 0, 4, 5]);
        assert_eq!(packing.steps, Steps::packed(&[2, 1, 1]));
        assert_eq!(packing.unpack(&rows).to_vec::<i64>(), [0, 0, 0, 3, 4, 5, 0, 0, 0]);
        let names = Tensor::from([10, 11, 12]);
        assert_eq!(packing.sorted(&names, 0).to_vec::<i64>(), [11, 10, 12]);
        assert_eq!(packing.unsorted(&packing.sorted(&names, 0), 0).to_vec::<i64>(), [10, 11, 12]);
    }

    #[test]
    fn equal_lengths_need_no_order() {
        let packing = Packing::new(2, 2, Some(&[2, 2])).unwrap();
        let x = Tensor::arange(4).reshape([2, 2, 1]);
        assert!(packing.order.is_none());
        assert_eq!(packing.pack(&x).to_vec::<i64>(), [0, 2, 1, 3]);
        assert_eq!(packing.unpack(&packing.pack(&x)).to_vec::<i64>(), [0, 1, 2, 3]);
    }
}
