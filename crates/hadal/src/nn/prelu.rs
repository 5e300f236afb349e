//! A rectifier whose slope is trained.

use serde::{Deserialize, Serialize};

use super::{Context, Forward, Layer, LayerConfig, LayerKind, Module, Plan};
use crate::{Error, Result, Rng, Shape, Tensor};

/// `x` above 0, `weight * x` below, with a slope that is trained (He and others, ICCV 2015, eq. 1): PyTorch's `PReLU`. There is one
/// slope, one for each channel, axis 1 of `[N, C, ..]`, or one for each element of a sample; it begins as 0.25. Parameter: `weight` `[1]`,
/// `[C]`, or of a sample's shape.
///
/// Keras's `PReLU` is [`PRelu::keras`]; where it shares height and width, `shared_axes=[1, 2]`,
/// `PRelu::per_channel().initial_slope(0.0)`.
///
/// ```
/// use hadal::nn::PRelu;
/// use hadal::prelude::*;
/// let layer = PRelu::new().built([2], &mut Rng::new(0))?;
/// let y = layer.forward(&Tensor::from([[-4.0, 2.0]]), &mut Context::evaluation());
/// assert_eq!(y.to_vec::<f32>(), [-1.0, 2.0]);
/// # Ok::<(), hadal::Error>(())
/// ```
#[doc(alias = "PReLU")]
#[derive(Clone, Debug, Module, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PRelu {
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    per_channel: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    per_element: bool,
    #[serde(default = "pytorch", skip_serializing_if = "is_pytorch")]
    initial_slope: f64,
    #[serde(skip)]
    weight: Option<Tensor>,
}

/// The slope that training begins with (the paper's, and PyTorch's).
fn pytorch() -> f64 {
    0.25
}

fn is_pytorch(slope: &f64) -> bool {
    *slope == pytorch()
}

impl PRelu {
    /// One slope for all channels, PyTorch's default.
    pub fn new() -> PRelu {
        PRelu { per_channel: false, per_element: false, initial_slope: pytorch(), weight: None }
    }

    /// A slope for each channel.
    ///
    /// ```
    /// use hadal::nn::PRelu;
    /// use hadal::prelude::*;
    /// let model = Sequential::new([3, 8, 8]).add(Conv2d::new(16, 3)).add(PRelu::per_channel()).build()?;
    /// assert_eq!(model.summary().parameters(), 16 * 3 * 3 * 3 + 16 + 16);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn per_channel() -> PRelu {
        PRelu { per_channel: true, ..PRelu::new() }
    }

    /// Keras's `PReLU`: a slope for each element of a sample, which begins as 0. For inputs of one shape.
    ///
    /// ```
    /// use hadal::nn::PRelu;
    /// use hadal::prelude::*;
    /// let layer = PRelu::keras().built([3, 8, 8], &mut Rng::new(0))?;
    /// assert_eq!(layer.parameter_count(), 3 * 8 * 8);
    /// let y = layer.forward(&Tensor::full([1, 3, 8, 8], -4.0), &mut Context::evaluation());
    /// assert_eq!(y.max().item(), 0.0);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn keras() -> PRelu {
        PRelu { per_element: true, initial_slope: 0.0, ..PRelu::new() }
    }

    /// For a module of your own: a layer of one slope, or as many as there are channels, ready to be used.
    ///
    /// ```
    /// use hadal::nn::PRelu;
    /// use hadal::prelude::*;
    /// let y = PRelu::with(1).forward(&Tensor::from([[-4.0]]), &mut Context::evaluation());
    /// assert_eq!(y.item(), -1.0);
    /// ```
    ///
    /// # Panics
    /// If there are no slopes.
    #[track_caller]
    pub fn with(slopes: usize) -> PRelu {
        assert!(slopes > 0, "PRelu: the number of slopes must be at least 1, not 0");
        let mut layer = PRelu { per_channel: slopes > 1, ..PRelu::new() };
        layer.make_slopes([slopes].into());
        layer
    }

    /// The shape of the slopes for samples of shape `input`; `None` if there would be none.
    fn slopes(&self, input: &Shape) -> Option<Shape> {
        let shape = match (self.per_channel, self.per_element) {
            (_, true) => *input,
            (true, false) => [*input.first()?].into(),
            (false, false) => [1].into(),
        };
        (!shape.contains(&0)).then_some(shape)
    }

    fn make_slopes(&mut self, shape: Shape) {
        self.weight = Some(Tensor::full(shape, self.initial_slope).requires_grad());
    }

    /// The slope that training begins with, which is finite. A layer that is ready to be used gets new slopes. Default: 0.25, PyTorch's
    /// `init`; Keras's `alpha_initializer` is zeros.
    ///
    /// ```
    /// use hadal::nn::PRelu;
    /// use hadal::prelude::*;
    /// let layer = PRelu::new().initial_slope(0.5).built([2], &mut Rng::new(0))?;
    /// let y = layer.forward(&Tensor::from([[-4.0, 2.0]]), &mut Context::evaluation());
    /// assert_eq!(y.to_vec::<f32>(), [-2.0, 2.0]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    #[doc(alias = "init")]
    #[doc(alias = "alpha_initializer")]
    pub fn initial_slope(mut self, slope: f64) -> PRelu {
        self.initial_slope = slope;
        if let Some(weight) = &self.weight {
            self.make_slopes(*weight.shape());
        }
        self
    }
}

impl Default for PRelu {
    fn default() -> PRelu {
        PRelu::new()
    }
}

impl Forward for PRelu {
    /// # Panics
    /// If the layer has not been built, or has slopes for other channels, or elements of samples of another shape.
    #[track_caller]
    fn forward(&self, x: &Tensor, _ctx: &mut Context) -> Tensor {
        let Some(weight) = &self.weight else {
            panic!(
                "PRelu: the layer has no weights yet; make it with built(), or build or compile the Sequential that contains it"
            );
        };
        let slopes = weight.elements();
        let mut wide = vec![1; x.rank()];
        if self.per_element {
            assert!(
                x.rank() > 0 && x.shape()[1..] == weight.shape()[..],
                "PRelu: the input has shape {}, but the layer has a slope for each element of samples {}",
                x.shape(),
                weight.shape()
            );
            wide[1..].copy_from_slice(weight.shape());
        } else if slopes > 1 {
            assert!(
                x.rank() >= 2 && x.size(1) == slopes,
                "PRelu: the input has shape {}, but the layer expects {slopes} channels on axis 1",
                x.shape()
            );
            wide[1] = slopes;
        }
        // Not a choice between x and its multiple: no infinity meets the other branch's gradient.
        x.relu() + x.clamp(f64::NEG_INFINITY, 0.0) * weight.reshape(wide)
    }
}

impl Layer for PRelu {
    fn plan(&self, input: &Shape) -> Result<Plan> {
        if !(self.initial_slope as f32).is_finite() {
            return Err(Error::Config(format!("PRelu: the initial slope {} is not a finite f32", self.initial_slope)));
        }
        if self.per_channel && self.per_element {
            return Err(Error::Config("PRelu: slopes are per_channel or per_element, not both".into()));
        }
        match self.slopes(input) {
            Some(slopes) => Ok(Plan { output_shape: *input, weights: slopes.elements() }),
            None if self.per_element => {
                Err(Error::Config(format!("PRelu: samples of shape {input} have no elements to have slopes")))
            }
            None => Err(Error::Config(format!(
                "PRelu takes samples of shape [channels, ..], but its input has shape {input}"
            ))),
        }
    }

    fn keeps_lengths(&self, padded: bool) -> Result<bool> {
        if padded && (self.per_channel || self.per_element) {
            return Err(Error::Config(
                "PRelu: the slopes of padded sequences [N, T, ..] would be those of their steps; use PRelu::new(), which has one slope".into(),
            ));
        }
        Ok(padded)
    }

    fn build(&mut self, input: &Shape, _rng: &mut Rng) -> Result<()> {
        self.make_slopes(self.slopes(input).expect("plan has accepted the input"));
        Ok(())
    }

    fn config(&self) -> LayerConfig {
        LayerConfig::of(self)
    }
}

impl LayerKind for PRelu {
    const NAME: &'static str = "prelu";
}
