//! The mean of a sequence.

use serde::{Deserialize, Serialize};

use crate::nn::stream::not_in_pieces;
use crate::nn::{Context, Forward, Layer, LayerConfig, LayerKind, Module, Plan};
use crate::{Error, Result, Shape, Tensor};

/// The mean of the steps of each sequence: Keras's `GlobalAveragePooling1D`, with its mask. Input `[N, T, ..]`, output `[N, ..]`. Of padded
/// sequences, whose lengths an [`Embedding`](crate::nn::Embedding) that knows the padding sets, only the steps before the padding
/// count.
///
/// With an embedding before it and a [`Dense`](crate::nn::Dense) layer behind it, it makes a fast classifier of texts (Joulin and others,
/// Bag of Tricks for Efficient Text Classification, EACL 2017, section 2).
///
/// ```
/// use hadal::prelude::*;
/// let x = Tensor::from([[1.0, 5.0], [3.0, 7.0]]).reshape([1, 2, 2]);
/// let y = MeanOverTime.forward(&x, &mut Context::evaluation());
/// assert_eq!((y.shape(), y.to_vec::<f32>()), (&[1, 2].into(), vec![2.0, 6.0]));
/// ```
#[doc(alias = "GlobalAveragePooling1D")]
#[derive(Clone, Debug, Default, Module, Serialize, Deserialize)]
pub struct MeanOverTime;

impl Forward for MeanOverTime {
    /// # Panics
    /// If `x` is not floating-point, has fewer than 3 axes or no steps, or the context has the lengths of other sequences.
    #[track_caller]
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        ctx.refuse_pieces(self);
        assert!(x.rank() >= 3, "MeanOverTime: the input has shape {}, but the layer takes [N, T, ..]", x.shape());
        assert!(x.dtype().is_float(), "MeanOverTime: the input is {}, not floating-point", x.dtype());
        assert!(x.size(1) > 0, "MeanOverTime: the input of shape {} has no steps to average", x.shape());
        let mean = match ctx.lengths_within("MeanOverTime", x) {
            None => x.mean_axes(&[1]),
            Some(lengths) => mean_within(x, lengths),
        };
        ctx.set_lengths(None);
        mean
    }

    fn stream_length(&self) -> Result<Option<usize>> {
        not_in_pieces("MeanOverTime")
    }
}

/// The means of the steps before the ends of sequences, 0 for one that has none; what is behind does not matter, were it NaN.
fn mean_within(x: &Tensor, lengths: &[usize]) -> Tensor {
    let (batch, time) = (lengths.len(), x.size(1));
    let mut sizes = vec![1; x.rank()];
    sizes[..2].copy_from_slice(&[batch, time]);
    let is_behind = lengths.iter().flat_map(|&length| (0..time).map(move |step| step >= length)).collect();
    let sums = x.masked_fill(&Tensor::from_vec::<bool>(is_behind, sizes.clone()), 0.0).sum_axes(&[1]);
    sizes.remove(1);
    let counts = lengths.iter().map(|&length| length.max(1) as f64).collect();
    sums / Tensor::from_vec::<f64>(counts, sizes).to_dtype(x.dtype())
}

impl Layer for MeanOverTime {
    fn plan(&self, input: &Shape) -> Result<Plan> {
        match input.split_first() {
            Some((_, features)) if !features.is_empty() => {
                Ok(Plan { output_shape: Shape::try_new(features)?, weights: 0 })
            }
            _ => Err(Error::Config(format!(
                "MeanOverTime takes sequences of shape [T, ..], steps and their features, but its input is {input}"
            ))),
        }
    }

    fn keeps_lengths(&self, _padded: bool) -> Result<bool> {
        Ok(false)
    }

    fn config(&self) -> LayerConfig {
        LayerConfig::of(self)
    }
}

impl LayerKind for MeanOverTime {
    const NAME: &'static str = "mean_over_time";
}
