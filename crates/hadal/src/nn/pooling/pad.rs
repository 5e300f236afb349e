//! Elements around pictures.

use serde::{Deserialize, Serialize};

use crate::nn::stream::not_in_pieces;
use crate::nn::window::{sample, spatial_axes};
use crate::nn::{Context, Forward, Layer, LayerConfig, LayerKind, Module, Plan};
use crate::{Error, Padding, Result, Shape, Tensor};

/// Elements around pictures: PyTorch's `ZeroPad2d`, `ReflectionPad2d`, `ReplicationPad2d` and `ConstantPad2d`, and those for sequences and
/// volumes; Keras's `ZeroPadding2D`. Input `[N, C, ..]`, output the same with larger sizes.
///
/// How many elements there are is said by [`Widths`]: one number for all sides, `1`, or a pair for each axis after the channels,
/// before and after: `[(top, bottom), (left, right)]`. (PyTorch's order is `(left, right, top, bottom)`.)
///
/// ```
/// use hadal::nn::Pad;
/// use hadal::prelude::*;
/// let x = Tensor::from([1.0, 2.0, 3.0]).reshape([1, 1, 3]);
/// let padded = |layer: Pad| layer.forward(&x, &mut Context::evaluation()).to_vec::<f32>();
/// assert_eq!(padded(Pad::zeros(1)), [0.0, 1.0, 2.0, 3.0, 0.0]);
/// assert_eq!(padded(Pad::reflect([(2, 0)])), [3.0, 2.0, 1.0, 2.0, 3.0]);
/// ```
#[doc(alias = "ZeroPad2d")]
#[doc(alias = "ZeroPadding2D")]
#[doc(alias = "ReflectionPad2d")]
#[doc(alias = "ReplicationPad2d")]
#[doc(alias = "ConstantPad2d")]
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pad {
    widths: Widths,
    #[serde(default = "zeros", with = "Mode", skip_serializing_if = "are_zeros")]
    mode: Padding,
}

/// How many elements a [`Pad`] puts around a picture: one number for all sides, or a pair for each axis after the channels.
///
/// ```
/// use hadal::nn::Widths;
/// let (all, each): (Widths, Widths) = (2.into(), [(0, 1), (2, 2)].into());
/// assert_ne!(all, each);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Widths {
    /// On all sides.
    All(usize),
    /// Before and after, for each axis.
    Each(Vec<(usize, usize)>),
}

impl From<usize> for Widths {
    fn from(width: usize) -> Widths {
        Widths::All(width)
    }
}

impl<const D: usize> From<[(usize, usize); D]> for Widths {
    fn from(widths: [(usize, usize); D]) -> Widths {
        Widths::Each(widths.to_vec())
    }
}

/// A padding's name in files.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Padding", rename_all = "snake_case")]
enum Mode {
    Constant(f64),
    Reflect,
    Replicate,
}

fn zeros() -> Padding {
    Padding::Constant(0.0)
}

fn are_zeros(padding: &Padding) -> bool {
    *padding == zeros()
}

impl Pad {
    /// Zeros.
    ///
    /// ```
    /// use hadal::nn::Pad;
    /// use hadal::prelude::*;
    /// assert_eq!(Pad::zeros([(0, 1), (2, 2)]).plan(&[3, 7, 5].into())?.output_shape, [3, 8, 9]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn zeros(widths: impl Into<Widths>) -> Pad {
        Pad { widths: widths.into(), mode: zeros() }
    }

    /// A number.
    ///
    /// ```
    /// use hadal::nn::Pad;
    /// use hadal::prelude::*;
    /// let y = Pad::constant(1, 0.5).forward(&Tensor::ones([1, 1, 1]), &mut Context::evaluation());
    /// assert_eq!(y.to_vec::<f32>(), [0.5, 1.0, 0.5]);
    /// ```
    pub fn constant(widths: impl Into<Widths>, value: f64) -> Pad {
        Pad { widths: widths.into(), mode: Padding::Constant(value) }
    }

    /// The picture mirrored at its outermost elements, which are not repeated. Widths must be below the sizes.
    ///
    /// ```
    /// use hadal::nn::Pad;
    /// use hadal::prelude::*;
    /// let x = Tensor::from([1.0, 2.0]).reshape([1, 1, 2]);
    /// assert_eq!(Pad::reflect(1).forward(&x, &mut Context::evaluation()).to_vec::<f32>(), [2.0, 1.0, 2.0, 1.0]);
    /// ```
    pub fn reflect(widths: impl Into<Widths>) -> Pad {
        Pad { widths: widths.into(), mode: Padding::Reflect }
    }

    /// The outermost elements, again and again.
    ///
    /// ```
    /// use hadal::nn::Pad;
    /// use hadal::prelude::*;
    /// let x = Tensor::from([1.0, 2.0]).reshape([1, 1, 2]);
    /// assert_eq!(Pad::replicate(1).forward(&x, &mut Context::evaluation()).to_vec::<f32>(), [1.0, 1.0, 2.0, 2.0]);
    /// ```
    pub fn replicate(widths: impl Into<Widths>) -> Pad {
        Pad { widths: widths.into(), mode: Padding::Replicate }
    }

    /// A pair for each of so many axes.
    ///
    /// # Errors
    /// If there is another number of pairs.
    fn pairs(&self, axes: usize) -> Result<Vec<(usize, usize)>> {
        match &self.widths {
            Widths::All(width) => Ok(vec![(*width, *width); axes]),
            Widths::Each(pairs) if pairs.len() == axes => Ok(pairs.clone()),
            Widths::Each(pairs) => Err(Error::Config(format!(
                "Pad: there are {} pairs of widths for an input with {axes} axes beside batch and channels; give one for each",
                pairs.len()
            ))),
        }
    }
}

impl Module for Pad {
    fn visit(&self, _path: &str, _visitor: &mut dyn FnMut(&str, &Tensor)) {}
    fn visit_mut(&mut self, _path: &str, _visitor: &mut dyn FnMut(&str, &mut Tensor)) {}
}

impl Forward for Pad {
    /// # Panics
    /// If `x` has fewer than 3 axes, or the widths do not fit.
    #[track_caller]
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        ctx.refuse_pieces(self);
        assert!(x.rank() >= 3, "Pad: the input has shape {}, but the layer takes [N, C, ..]", x.shape());
        match self.pairs(x.rank() - 2) {
            Ok(pairs) => x.pad(&pairs, self.mode),
            Err(error) => panic!("{error}"),
        }
    }

    fn stream_length(&self) -> Result<Option<usize>> {
        not_in_pieces("Pad")
    }
}

impl Layer for Pad {
    fn plan(&self, input: &Shape) -> Result<Plan> {
        let pairs = self.pairs(spatial_axes("Pad", input)?)?;
        if let Padding::Constant(value) = self.mode
            && !(value as f32).is_finite()
        {
            return Err(Error::Config(format!("Pad: the value {value} must be a finite number of f32")));
        }
        let mut sizes = Vec::with_capacity(pairs.len());
        for (&size, (before, after)) in input[1..].iter().zip(pairs) {
            if self.mode == Padding::Reflect && before.max(after) >= size {
                return Err(Error::Config(format!(
                    "Pad: an axis of size {size} of the input {input} can be reflected by at most {}, not {}",
                    size - 1,
                    before.max(after)
                )));
            }
            sizes.push(size.saturating_add(before).saturating_add(after));
        }
        Ok(Plan { output_shape: sample(input[0], &sizes)?, weights: 0 })
    }

    fn config(&self) -> LayerConfig {
        LayerConfig::of(self)
    }

    fn label(&self) -> String {
        match self.mode {
            Padding::Constant(_) => "Pad".into(),
            Padding::Reflect => "Pad (reflect)".into(),
            Padding::Replicate => "Pad (replicate)".into(),
        }
    }
}

impl LayerKind for Pad {
    const NAME: &'static str = "pad";
}
