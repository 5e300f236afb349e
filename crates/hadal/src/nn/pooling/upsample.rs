//! Pictures in other sizes.

use serde::{Deserialize, Serialize};

use crate::nn::stream::not_in_pieces;
use crate::nn::window::{sample, spatial_axes};
use crate::nn::{Context, Forward, Layer, LayerConfig, LayerKind, Module, Plan};
use crate::{Error, Interpolation, Result, Shape, Tensor};

/// Pictures in other sizes: PyTorch's `Upsample`, Keras's `UpSampling2D` and `Resizing`. Input `[N, C, L]`, `[N, C, H, W]` or
/// `[N, C, D, H, W]`, output the same with sizes times a factor, or with given ones. Elements are repeated, or interpolated if
/// [asked for](Upsample::interpolation).
///
/// ```
/// use hadal::nn::Upsample;
/// use hadal::prelude::*;
/// let x = Tensor::from([1.0, 3.0]).reshape([1, 1, 2]);
/// assert_eq!(Upsample::new(2).forward(&x, &mut Context::evaluation()).to_vec::<f32>(), [1.0, 1.0, 3.0, 3.0]);
/// ```
#[doc(alias = "UpSampling2D")]
#[doc(alias = "Resizing")]
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upsample {
    // One of the two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scale: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    size: Option<Vec<usize>>,
    #[serde(default = "nearest", with = "Mode", skip_serializing_if = "is_nearest")]
    interpolation: Interpolation,
}

/// An interpolation's name in files, which is PyTorch's: without or with `align_corners`.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Interpolation", rename_all = "snake_case")]
enum Mode {
    Nearest,
    Linear,
    LinearCorners,
}

fn nearest() -> Interpolation {
    Interpolation::Nearest
}

fn is_nearest(interpolation: &Interpolation) -> bool {
    *interpolation == nearest()
}

impl Upsample {
    /// All sizes times `scale`.
    ///
    /// ```
    /// use hadal::nn::Upsample;
    /// use hadal::prelude::*;
    /// assert_eq!(Upsample::new(2).plan(&[3, 7, 5].into())?.output_shape, [3, 14, 10]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn new(scale: usize) -> Upsample {
        Upsample { scale: Some(scale), size: None, interpolation: nearest() }
    }

    /// To these sizes, which may be smaller, too: one for each axis after the channels.
    ///
    /// ```
    /// use hadal::nn::Upsample;
    /// use hadal::prelude::*;
    /// assert_eq!(Upsample::to([10, 6]).plan(&[3, 7, 5].into())?.output_shape, [3, 10, 6]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn to<const D: usize>(size: [usize; D]) -> Upsample {
        Upsample { scale: None, size: Some(size.to_vec()), interpolation: nearest() }
    }

    /// How what lies between elements is computed: [`Interpolation::Linear`] is PyTorch's and Keras's `bilinear` on pictures. Default:
    /// the nearest element.
    ///
    /// ```
    /// use hadal::Interpolation;
    /// use hadal::nn::Upsample;
    /// use hadal::prelude::*;
    /// let x = Tensor::from([1.0, 3.0]).reshape([1, 1, 2]);
    /// let y = Upsample::new(2).interpolation(Interpolation::Linear).forward(&x, &mut Context::evaluation());
    /// assert_eq!(y.to_vec::<f32>(), [1.0, 1.5, 2.5, 3.0]);
    /// ```
    pub fn interpolation(mut self, interpolation: Interpolation) -> Upsample {
        self.interpolation = interpolation;
        self
    }

    /// The sizes of the output for these.
    ///
    /// # Errors
    /// If there are none.
    fn output_sizes(&self, sizes: &[usize]) -> Result<Vec<usize>> {
        let wanted = match (&self.size, self.scale) {
            (Some(wanted), None) if wanted.len() == sizes.len() => wanted.clone(),
            (Some(wanted), None) => {
                return Err(Error::Config(format!(
                    "Upsample: there are {} sizes for an input with {} axes beside batch and channels; give one for each",
                    wanted.len(),
                    sizes.len()
                )));
            }
            (None, Some(scale)) => sizes.iter().map(|size| size.saturating_mul(scale)).collect(),
            _ => return Err(Error::Config("Upsample takes either a scale or a size".into())),
        };
        if wanted.contains(&0) {
            return Err(Error::Config("Upsample: scale and size must be at least 1, not 0".into()));
        }
        Ok(wanted)
    }
}

impl Module for Upsample {
    fn visit(&self, _path: &str, _visitor: &mut dyn FnMut(&str, &Tensor)) {}
    fn visit_mut(&mut self, _path: &str, _visitor: &mut dyn FnMut(&str, &mut Tensor)) {}
}

impl Forward for Upsample {
    /// # Panics
    /// If `x` has fewer than 3 or more than 5 axes, or the sizes do not fit.
    #[track_caller]
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        ctx.refuse_pieces(self);
        assert!(
            (3..=5).contains(&x.rank()),
            "Upsample: the input has shape {}, but the layer takes [N, C, L], [N, C, H, W] or [N, C, D, H, W]",
            x.shape()
        );
        let sizes = match self.output_sizes(&x.shape()[2..]) {
            Ok(sizes) => sizes,
            Err(error) => panic!("{error}"),
        };
        match sizes[..] {
            [length] => x.interpolate([length], self.interpolation),
            [height, width] => x.interpolate([height, width], self.interpolation),
            _ => x.interpolate([sizes[0], sizes[1], sizes[2]], self.interpolation),
        }
    }

    fn stream_length(&self) -> Result<Option<usize>> {
        not_in_pieces("Upsample")
    }
}

impl Layer for Upsample {
    fn plan(&self, input: &Shape) -> Result<Plan> {
        spatial_axes("Upsample", input)?;
        Ok(Plan { output_shape: sample(input[0], &self.output_sizes(&input[1..])?)?, weights: 0 })
    }

    fn config(&self) -> LayerConfig {
        LayerConfig::of(self)
    }

    fn label(&self) -> String {
        let sizes = |sizes: &[usize]| sizes.iter().map(usize::to_string).collect::<Vec<_>>().join("x");
        match (&self.size, self.scale) {
            (Some(size), _) => format!("Upsample (to {})", sizes(size)),
            (None, scale) => format!("Upsample ({})", sizes(&scale.into_iter().collect::<Vec<_>>())),
        }
    }
}

impl LayerKind for Upsample {
    const NAME: &'static str = "upsample";
}
