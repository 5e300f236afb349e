//! Triplet loss.

use super::Loss;
use super::distance::{all_distances, assert_embeddings, assert_labelled, check_labelled, distance};
use super::parts::weigh;
use crate::{Result, Shape, Tensor};

/// Triplet loss, `max(0, d(a, p) - d(a, n) + margin)`: an anchor `a` is to be nearer to a positive `p` (of its own class) than to
/// a negative `n` (of another), by a margin (Schroff, Kalenichenko and Philbin, "FaceNet", CVPR 2015, eq. 3, whose distances are
/// squared). PyTorch's `TripletMarginLoss`, with its defaults: margin 1, and Euclidean distances of embeddings as they are.
///
/// [`triplets`](Triplet::triplets) takes the three. As a [`Loss`], it takes embeddings `[N, D]` and labels (`i64`, `[N]`), and each
/// sample is an anchor with the positive that is farthest and the negative that is nearest among the batch (Hermans, Beyer and
/// Leibe, "In defense of the triplet loss", 2017, "batch hard"): a batch should hold several samples of each class. A sample
/// without a positive or a negative in its batch has loss 0. The loss of a dataset then depends on how it is cut into batches.
///
/// ```
/// use hadal::prelude::*;
/// let (anchor, positive, negative) = (Tensor::from([[0.0]]), Tensor::from([[1.0]]), Tensor::from([[3.0]]));
/// let loss = |margin| Triplet::default().margin(margin).triplets(&anchor, &positive, &negative).item();
/// assert!(loss(1.0) == 0.0 && (loss(2.5) - 0.5).abs() < 1e-5);
/// // Two classes: 0 and 1 are near each other, 5 is far from 1.5.
/// let losses = Triplet::default().per_sample(&Tensor::from([[0.0], [1.0], [1.5], [5.0]]), &Tensor::from([0, 0, 1, 1]));
/// assert!((losses.to_vec::<f32>()[1] - 1.5).abs() < 1e-5); // 1 - 0.5 + 1
/// ```
#[doc(alias = "TripletMarginLoss")]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Triplet {
    margin: f64,
    p: f64,
    swap: bool,
}

impl Default for Triplet {
    fn default() -> Triplet {
        Triplet { margin: 1.0, p: 2.0, swap: false }
    }
}

impl Triplet {
    /// With this margin; FaceNet's is 0.2, for embeddings of length 1. Default: 1.
    ///
    /// # Panics
    /// If it is not positive and finite.
    #[track_caller]
    pub fn margin(mut self, margin: f64) -> Triplet {
        self.margin = checked_margin("Triplet", margin);
        self
    }

    /// Which norm a distance is: 2 for Euclidean, 1 for city blocks. Default: 2.
    ///
    /// # Panics
    /// If `p` is not positive.
    #[track_caller]
    pub fn p(mut self, p: f64) -> Triplet {
        self.p = checked_p("Triplet", p);
        self
    }

    /// Takes the distance between positive and negative where it is smaller than that between anchor and negative (Balntas and
    /// others, BMVC 2016, PyTorch's `swap`). Default: false.
    pub fn swap(mut self, swap: bool) -> Triplet {
        self.swap = swap;
        self
    }

    /// The loss `[N]` of each triplet of rows of anchors, positives and negatives, all `[N, D]`.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let mut rng = Rng::new(1);
    /// let [anchor, positive, negative] = [(); 3].map(|()| Tensor::randn([4, 8], &mut rng).requires_grad());
    /// let loss = Triplet::default().triplets(&anchor, &positive, &negative).mean();
    /// assert!(loss.backward().get(&negative).is_some());
    /// ```
    ///
    /// # Panics
    /// If they are not of one shape, `[N, D]`.
    #[track_caller]
    pub fn triplets(&self, anchor: &Tensor, positive: &Tensor, negative: &Tensor) -> Tensor {
        let all = [("the anchor", anchor), ("the positive", positive), ("the negative", negative)];
        assert_embeddings("Triplet", &all);
        let near = distance(anchor, positive, self.p);
        let mut far = distance(anchor, negative, self.p);
        if self.swap {
            far = far.minimum(&distance(positive, negative, self.p));
        }
        (near - far + self.margin).relu()
    }
}

#[track_caller]
pub(super) fn checked_margin(name: &str, margin: f64) -> f64 {
    let fits = margin as f32 > 0.0 && (margin as f32).is_finite();
    assert!(fits, "{name}: margin {margin} must be positive and finite, for example 1");
    margin
}

#[track_caller]
pub(super) fn checked_p(name: &str, p: f64) -> f64 {
    assert!(p > 0.0, "{name}: p {p} must be positive, for example 2");
    p
}

impl Loss for Triplet {
    fn name(&self) -> &'static str {
        "triplet"
    }

    fn describe(&self) -> String {
        format!("{self:?}")
    }

    #[track_caller]
    fn per_sample(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        let labels = assert_labelled(self.name(), prediction, target);
        let (mut positives, mut negatives, mut counts) = (Vec::new(), Vec::new(), Vec::new());
        for (anchor, distances) in all_distances(prediction, self.p).iter().enumerate() {
            let by_distance = |a: &usize, b: &usize| distances[*a].total_cmp(&distances[*b]);
            let (same, other): (Vec<usize>, Vec<usize>) =
                (0..labels.len()).filter(|&row| row != anchor).partition(|&row| labels[row] == labels[anchor]);
            let positive = same.into_iter().max_by(by_distance).unwrap_or(anchor);
            let negative = other.into_iter().min_by(by_distance).unwrap_or(anchor);
            positives.push(positive as i64);
            negatives.push(negative as i64);
            counts.push(f64::from(u8::from(positive != anchor && negative != anchor)));
        }
        let rows = |rows: Vec<i64>| prediction.index_select(0, &Tensor::from_vec(rows, [labels.len()]));
        let losses = self.triplets(prediction, &rows(positives), &rows(negatives));
        weigh(&Tensor::from_vec(counts, [labels.len()]).to_dtype(losses.dtype()), &losses)
    }

    fn check(&self, output: &Shape, targets: &Tensor) -> Result<()> {
        check_labelled(self.name(), output, targets)
    }
}
