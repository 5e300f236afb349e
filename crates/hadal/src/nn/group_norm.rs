//! Group normalization.

use serde::{Deserialize, Serialize};

use super::stream::not_in_pieces;
use super::{Context, Forward, Layer, LayerConfig, LayerKind, Module, Plan};
use crate::{Error, Result, Rng, Shape, Tensor};

/// Group normalization (Wu and He, ECCV 2018, eq. 1 and 7): `(x - mean) / sqrt(variance + epsilon) * weight + bias`, mean and variance
/// taken over each group of neighbouring channels of each sample, all their elements. It does not depend on the batch.
///
/// Input `[N, C, ..]`, where `C` divides by the number of groups; output the same. Parameters: `weight` and `bias` `[C]`. Epsilon is 1e-5,
/// PyTorch's; [`keras`](GroupNorm::keras) has Keras's.
///
/// ```
/// use hadal::prelude::*;
/// let model = Sequential::new([3, 8, 8]).add(Conv2d::new(16, 3)).add(GroupNorm::new(4)).add(Relu).build()?;
/// assert_eq!(model.summary().parameters(), 16 * 3 * 3 * 3 + 16 + 2 * 16);
/// # Ok::<(), hadal::Error>(())
/// ```
#[doc(alias = "GroupNormalization")]
#[derive(Clone, Debug, Module, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupNorm {
    groups: usize,
    #[serde(default = "epsilon")]
    epsilon: f64,
    #[serde(skip)]
    weight: Option<Tensor>,
    #[serde(skip)]
    bias: Option<Tensor>,
}

/// PyTorch's.
fn epsilon() -> f64 {
    1e-5
}

impl GroupNorm {
    /// In `groups` groups, with PyTorch's epsilon.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let norm = GroupNorm::new(2).built([4, 3], &mut Rng::new(0))?;
    /// let y = norm.forward(&Tensor::rand([5, 4, 3], &mut Rng::new(1)), &mut Context::evaluation());
    /// assert!(y.mean().item().abs() < 1e-6);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn new(groups: usize) -> GroupNorm {
        GroupNorm { groups, epsilon: epsilon(), weight: None, bias: None }
    }

    /// In `groups` groups, with Keras's epsilon, 0.001. (Keras's default is 32 groups.)
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let model = Sequential::new([64, 8, 8]).add(GroupNorm::keras(32)).build()?;
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn keras(groups: usize) -> GroupNorm {
        GroupNorm::new(groups).epsilon(1e-3)
    }

    /// For a module of your own: a layer of `groups` groups of `channels` channels, ready to be used.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let norm = GroupNorm::with(2, 4);
    /// assert_eq!(norm.parameter_count(), 8);
    /// ```
    ///
    /// # Panics
    /// If `channels` is 0 or does not divide by `groups`.
    #[track_caller]
    pub fn with(groups: usize, channels: usize) -> GroupNorm {
        let mut layer = GroupNorm::new(groups);
        if let Err(error) = layer.check(channels) {
            panic!("{error}");
        }
        layer.make_parameters(channels);
        layer
    }

    /// A small constant added to the variance for numerical stability.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let norm = GroupNorm::new(1).epsilon(3.0).built([1, 2], &mut Rng::new(0))?;
    /// let y = norm.forward(&Tensor::from([1.0, 3.0]).reshape([1, 1, 2]), &mut Context::evaluation());
    /// assert!((y.to_vec::<f32>()[1] - 0.5).abs() < 1e-6); // 1 / sqrt(1 + 3)
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn epsilon(mut self, epsilon: f64) -> GroupNorm {
        self.epsilon = epsilon;
        self
    }

    fn check(&self, channels: usize) -> Result<()> {
        crate::optim::check_positive_in_f32("GroupNorm: epsilon", self.epsilon, "1e-5")?;
        if channels > 0 && self.groups > 0 && channels.is_multiple_of(self.groups) {
            return Ok(());
        }
        Err(Error::Config(format!(
            "GroupNorm: {channels} channels cannot be parted into {} groups; their number must divide by that of groups",
            self.groups
        )))
    }

    #[track_caller]
    fn make_parameters(&mut self, channels: usize) {
        self.weight = Some(Tensor::ones([channels]).requires_grad());
        self.bias = Some(Tensor::zeros([channels]).requires_grad());
    }
}

/// `(x - mean) / sqrt(variance + epsilon)` of `groups` groups of the channels of each sample of `[N, C, ..]`, where a sample is not empty.
pub(super) fn normalized(x: &Tensor, groups: usize, epsilon: f64) -> Tensor {
    let samples = x.size(0);
    let rows = x.reshape([samples, groups, x.elements() / (samples * groups).max(1)]);
    let centered = &rows - rows.mean_keepdim(&[-1]);
    let variance = centered.powi(2).mean_keepdim(&[-1]);
    (centered / (variance + epsilon).sqrt()).reshape(x.shape())
}

/// `x * weight + bias` for each channel of `[N, C, ..]`.
pub(super) fn affine(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Tensor {
    let mut wide = vec![1; x.rank()];
    wide[1] = x.size(1);
    x * weight.reshape(wide.clone()) + bias.reshape(wide)
}

impl Forward for GroupNorm {
    /// # Panics
    /// If the layer has not been built, or the channels of `x` are not on axis 1.
    #[track_caller]
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        ctx.refuse_pieces(self);
        let (Some(weight), Some(bias)) = (&self.weight, &self.bias) else {
            panic!(
                "GroupNorm: the layer has no weights yet; make it with built(), or build or compile the Sequential that contains it"
            );
        };
        let channels = weight.elements();
        assert!(
            x.rank() >= 2 && x.size(1) == channels && !x.shape()[2..].contains(&0),
            "GroupNorm: the input has shape {}, but the layer expects {channels} channels on axis 1",
            x.shape()
        );
        affine(&normalized(x, self.groups, self.epsilon), weight, bias)
    }

    fn stream_length(&self) -> Result<Option<usize>> {
        not_in_pieces("GroupNorm")
    }
}

impl Layer for GroupNorm {
    fn plan(&self, input: &Shape) -> Result<Plan> {
        let Some(&channels) = input.first().filter(|_| !input.contains(&0)) else {
            return Err(Error::Config(format!(
                "GroupNorm takes samples of shape [channels, ..], but its input has shape {input}"
            )));
        };
        self.check(channels)?;
        if input.elements() == self.groups {
            return Err(Error::Config(format!(
                "GroupNorm: each of its {} groups has 1 element of an input of shape {input}, whose variance is 0; use fewer groups",
                self.groups
            )));
        }
        Ok(Plan { output_shape: *input, weights: channels.saturating_mul(2) })
    }

    fn build(&mut self, input: &Shape, _rng: &mut Rng) -> Result<()> {
        self.make_parameters(input[0]);
        Ok(())
    }

    fn config(&self) -> LayerConfig {
        LayerConfig::of(self)
    }

    fn label(&self) -> String {
        format!("GroupNorm ({})", self.groups)
    }
}

impl LayerKind for GroupNorm {
    const NAME: &'static str = "group_norm";
}
