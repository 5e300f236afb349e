//! Random transforms of training batches.
//!
//! [`Augment`] is the chain; `check` says what cannot work, `apply` runs the chain over a batch, sample by sample.
//! Consecutive geometric steps become one map from output to input pixels (`geometry`, `elastic`), along which the
//! image is resampled once (`resample`). All other steps change the pixels in place.

mod apply;
mod check;
mod color;
mod elastic;
mod erase;
mod geometry;
#[cfg(test)]
mod golden;
mod mixup;
mod noise;
mod parse;
mod resample;
mod view;

use serde::{Deserialize, Serialize};

/// A chain of random transforms for training batches, in the order in which they were added.
///
/// The same seed, epoch and sample give the same bits, whatever the batch size and the number of threads;
/// [`mixup`](Augment::mixup) alone also depends on which samples share a batch.
///
/// Images are `[height, width]` or `[channels, height, width]`, bytes or `f32`. Outputs are `f32` in the range of the
/// inputs (bytes give 0 to 255, not rounded) and have the shape of the inputs, since data that is not augmented, such
/// as the test data, must fit the same model. Augmentation comes before a dataset's own transforms, such as
/// [`divide`](crate::data::Dataset::divide) and [`normalize`](crate::data::Dataset::normalize).
///
/// Consecutive geometric steps (shift, rotate, scale, shear, elastic, flips, crops) are composed and the image is
/// resampled once, by bilinear interpolation: nothing is blurred twice, and what one step moves out of the image
/// another may bring back. Shifts, flips and crops alone move pixels without interpolation. Pixels from outside the
/// image are [`fill`](Augment::fill), by default 0, as in torchvision.
///
/// ```
/// use hadal::data::Augment;
/// use hadal::prelude::*;
/// let augment = Augment::new().shift(0.1).rotate(15.0).scale(0.9, 1.1).flip_horizontal(0.5).erase(0.5);
/// let (images, labels) = (Tensor::ones([2, 28, 28]), Tensor::from([0, 1]));
/// let (x, y) = augment.apply(&images, &labels, 0, 0, &[0, 1])?;
/// assert_eq!((x.shape(), y.to_vec::<i64>()), (images.shape(), vec![0, 1]));
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// In a settings file, a chain is a list of steps by name:
///
/// ```
/// # use hadal::data::Augment;
/// let text = r#"{ "steps": [{ "shift": 0.1 }, { "scale": [0.9, 1.1] }, { "elastic": { "alpha": 34.0, "sigma": 4.0 } }] }"#;
/// let augment: Augment = serde_json::from_str(text).unwrap();
/// assert_eq!(augment, Augment::new().shift(0.1).scale(0.9, 1.1).elastic(34.0, 4.0));
/// ```
#[doc(alias = "Compose")]
#[doc(alias = "transforms")]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Augment {
    #[serde(default)]
    steps: Vec<AugmentStep>,
    /// What comes from outside the image, and what is put over an erased area.
    #[serde(default, skip_serializing_if = "is_zero")]
    fill: f64,
}

fn is_zero(fill: &f64) -> bool {
    *fill == 0.0
}

/// A step of [`Augment`]; see its methods of the same names for the meaning of the settings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum AugmentStep {
    /// [`Augment::shift`]: the largest shift, as a fraction of the size.
    Shift(f64),
    /// [`Augment::rotate`]: the largest angle, in degrees.
    Rotate(f64),
    /// [`Augment::scale`]: the smallest and the largest factor.
    Scale(f64, f64),
    /// [`Augment::shear`]: the largest angle, in degrees.
    Shear(f64),
    /// [`Augment::elastic`].
    Elastic {
        /// The factor of the smoothed displacements, in pixels.
        alpha: f64,
        /// The standard deviation of the Gaussian that smooths them, in pixels.
        sigma: f64,
    },
    /// [`Augment::flip_horizontal`]: the probability.
    FlipHorizontal(f64),
    /// [`Augment::flip_vertical`]: the probability.
    FlipVertical(f64),
    /// [`Augment::crop`]: the padding, in pixels.
    Crop(usize),
    /// [`Augment::crop_resized`]: the smallest and the largest area, as fractions of the image's.
    CropResized(f64, f64),
    /// [`Augment::erase`]: the probability.
    Erase(f64),
    /// [`Augment::brightness`]: the largest difference of the factor from 1.
    Brightness(f64),
    /// [`Augment::contrast`]: the largest difference of the factor from 1.
    Contrast(f64),
    /// [`Augment::noise`]: the standard deviation.
    Noise(f64),
    /// [`Augment::mixup`].
    Mixup {
        /// Both parameters of the beta distribution.
        alpha: f64,
        /// How many classes integer labels have.
        classes: usize,
    },
}

/// As the call that adds the step: `shift(0.1)`.
impl std::fmt::Display for AugmentStep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.name();
        match *self {
            AugmentStep::Shift(x)
            | AugmentStep::Rotate(x)
            | AugmentStep::Shear(x)
            | AugmentStep::FlipHorizontal(x)
            | AugmentStep::FlipVertical(x)
            | AugmentStep::Erase(x)
            | AugmentStep::Brightness(x)
            | AugmentStep::Contrast(x)
            | AugmentStep::Noise(x) => write!(f, "{name}({x})"),
            AugmentStep::Crop(padding) => write!(f, "{name}({padding})"),
            AugmentStep::Scale(min, max) | AugmentStep::CropResized(min, max) => write!(f, "{name}({min}, {max})"),
            AugmentStep::Elastic { alpha, sigma } => write!(f, "{name}({alpha}, {sigma})"),
            AugmentStep::Mixup { alpha, classes } => write!(f, "{name}({alpha}, {classes})"),
        }
    }
}

/// The steps, separated by commas: `shift(0.1), rotate(15)`.
impl std::fmt::Display for Augment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, step) in self.steps.iter().enumerate() {
            write!(f, "{}{step}", if i > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}

impl Augment {
    /// No steps.
    ///
    /// ```
    /// use hadal::data::Augment;
    /// let augment = Augment::new().shift(0.1).rotate(15.0);
    /// assert_eq!(augment.to_string(), "shift(0.1), rotate(15)");
    /// ```
    pub fn new() -> Augment {
        Augment::default()
    }

    fn with(mut self, step: AugmentStep) -> Augment {
        self.steps.push(step);
        self
    }

    /// The steps, in order.
    pub fn steps(&self) -> &[AugmentStep] {
        &self.steps
    }

    /// The value of pixels that come from outside the image, and of erased areas, in the unit of the inputs. Default:
    /// 0, as in torchvision and Keras. A pixel whose neighbours lie partly outside is interpolated between them and
    /// the fill; torchvision gives it less of those within.
    ///
    /// ```
    /// # use hadal::data::Augment;
    /// # use hadal::prelude::*;
    /// let image = Tensor::ones([1, 1, 3]);
    /// let (x, _) = Augment::new().fill(0.5).erase(1.0).shift(1.0).apply(&image, &Tensor::zeros([1]), 0, 0, &[0])?;
    /// assert!(x.to_vec::<f32>().iter().all(|value| [0.5, 1.0].contains(value)));
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn fill(mut self, value: f64) -> Augment {
        self.fill = value;
        self
    }

    /// Shifts by up to `fraction` of the width to either side and of the height up or down, by whole pixels:
    /// torchvision's `RandomAffine(translate=(fraction, fraction))`. `fraction` is from 0 to 1.
    #[doc(alias = "RandomTranslation")]
    pub fn shift(self, fraction: f64) -> Augment {
        self.with(AugmentStep::Shift(fraction))
    }

    /// Rotates about the centre by up to `degrees` either way: torchvision's `RandomRotation(degrees)`. `degrees` is
    /// from 0 to 180.
    #[doc(alias = "RandomRotation")]
    pub fn rotate(self, degrees: f64) -> Augment {
        self.with(AugmentStep::Rotate(degrees))
    }

    /// Scales about the centre by a factor from `min` to `max`, the same for both axes: torchvision's
    /// `RandomAffine(scale=(min, max))`. Factors above 1 enlarge.
    #[doc(alias = "RandomZoom")]
    pub fn scale(self, min: f64, max: f64) -> Augment {
        self.with(AugmentStep::Scale(min, max))
    }

    /// Shears parallel to the x axis by up to `degrees` either way: torchvision's `RandomAffine(shear=degrees)`.
    /// `degrees` is from 0 to below 90.
    #[doc(alias = "RandomShear")]
    pub fn shear(self, degrees: f64) -> Augment {
        self.with(AugmentStep::Shear(degrees))
    }

    /// Displaces each pixel by a smooth random field: uniform numbers from -1 to 1, smoothed by a Gaussian of
    /// standard deviation `sigma` pixels, times `alpha` pixels. Source: Simard, Steinkraus, Platt, "Best practices
    /// for convolutional neural networks applied to visual document analysis" (ICDAR 2003), who use `alpha` 34 and
    /// `sigma` 4 for MNIST.
    ///
    /// torchvision's `ElasticTransform` displaces by half as much: its `alpha` of 50 is 25 here. The field is drawn
    /// on the pixels of the output, the Gaussian is cut off at 3 `sigma`, and the field continues at one edge where
    /// it ends at the opposite one.
    #[doc(alias = "ElasticTransform")]
    pub fn elastic(self, alpha: f64, sigma: f64) -> Augment {
        self.with(AugmentStep::Elastic { alpha, sigma })
    }

    /// Swaps left and right with this probability: torchvision's `RandomHorizontalFlip`.
    ///
    /// ```
    /// # use hadal::data::Augment;
    /// # use hadal::prelude::*;
    /// let image = Tensor::from([[[1.0, 2.0, 3.0]]]);
    /// let (x, _) = Augment::new().flip_horizontal(1.0).apply(&image, &Tensor::zeros([1]), 0, 0, &[0])?;
    /// assert_eq!(x.to_vec::<f32>(), [3.0, 2.0, 1.0]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    #[doc(alias = "RandomHorizontalFlip")]
    pub fn flip_horizontal(self, probability: f64) -> Augment {
        self.with(AugmentStep::FlipHorizontal(probability))
    }

    /// Swaps top and bottom with this probability: torchvision's `RandomVerticalFlip`.
    #[doc(alias = "RandomVerticalFlip")]
    pub fn flip_vertical(self, probability: f64) -> Augment {
        self.with(AugmentStep::FlipVertical(probability))
    }

    /// Pads each side by `padding` pixels and crops a random part of the image's own size: torchvision's
    /// `RandomCrop(size, padding=padding)`.
    #[doc(alias = "RandomCrop")]
    pub fn crop(self, padding: usize) -> Augment {
        self.with(AugmentStep::Crop(padding))
    }

    /// Crops a random part and enlarges it to the image's own size. The part's area is a fraction from `min` to `max`
    /// of the image's; its width divided by its height is the image's own times a factor from 3/4 to 4/3 (or less,
    /// where it would not fit), uniform in the logarithm: torchvision's `RandomResizedCrop(size, scale=(min, max))`,
    /// which takes 0.08 and 1 by default and draws the ratio itself from 3/4 to 4/3.
    #[doc(alias = "RandomResizedCrop")]
    pub fn crop_resized(self, min: f64, max: f64) -> Augment {
        self.with(AugmentStep::CropResized(min, max))
    }

    /// With this probability, puts [`fill`](Augment::fill) over a random rectangle of 2% to 33% of the area with a
    /// ratio of height to width from 0.3 to 3.3: torchvision's `RandomErasing`, with its defaults. Source: Zhong and
    /// others, "Random erasing data augmentation" (AAAI 2020).
    #[doc(alias = "RandomErasing")]
    #[doc(alias = "cutout")]
    pub fn erase(self, probability: f64) -> Augment {
        self.with(AugmentStep::Erase(probability))
    }

    /// Multiplies by a factor from `max(0, 1 - factor)` to `1 + factor`, and cuts off above 255 for bytes or 1 for
    /// floats: torchvision's `ColorJitter(brightness=factor)`. Keras's `RandomBrightness` adds instead.
    ///
    /// Float inputs must be from 0 to 1.
    #[doc(alias = "ColorJitter")]
    #[doc(alias = "RandomBrightness")]
    pub fn brightness(self, factor: f64) -> Augment {
        self.with(AugmentStep::Brightness(factor))
    }

    /// Multiplies the difference from the image's mean by a factor from `max(0, 1 - factor)` to `1 + factor`, and
    /// cuts off outside 0 to 255 for bytes or 0 to 1 for floats: torchvision's `ColorJitter(contrast=factor)`. The
    /// mean of three channels is that of the luminance, `0.2989 red + 0.587 green + 0.114 blue`.
    ///
    /// Float inputs must be from 0 to 1.
    #[doc(alias = "ColorJitter")]
    #[doc(alias = "RandomContrast")]
    pub fn contrast(self, factor: f64) -> Augment {
        self.with(AugmentStep::Contrast(factor))
    }

    /// Adds normal noise with this standard deviation to inputs of any shape; of a table that was encoded, to all but the
    /// indices of categories. For bytes, it is a fraction of 255, and
    /// the result is cut off outside 0 to 255: torchvision's `GaussianNoise`. For floats it is in the unit of the
    /// inputs, and nothing is cut off: Keras's `GaussianNoise`.
    ///
    /// ```
    /// # use hadal::data::Augment;
    /// # use hadal::prelude::*;
    /// let rows = Tensor::zeros([100, 4]);
    /// let (x, _) = Augment::new().noise(0.1).apply(&rows, &Tensor::arange(100), 0, 0, &Vec::from_iter(0..100))?;
    /// assert!((x.powi(2).mean().item().sqrt() - 0.1).abs() < 0.02);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    #[doc(alias = "GaussianNoise")]
    pub fn noise(self, std: f64) -> Augment {
        self.with(AugmentStep::Noise(std))
    }

    /// Mixes each sample with another one of the batch, inputs of any shape and targets alike: `lambda * own + (1 -
    /// lambda) * other`, with `lambda` from the beta distribution with both parameters `alpha`, drawn for each sample
    /// as in Keras's `MixUp` (torchvision's draws one for the batch). Source: Zhang and others, "mixup: beyond
    /// empirical risk minimization" (ICLR 2018), who use 0.2 to 0.4 for ImageNet.
    ///
    /// Integer labels `[n]` or `[n, 1]` become probabilities `[n, classes]`, as
    /// [`CategoricalCrossentropy`](struct@crate::loss::CategoricalCrossentropy) takes them; float targets are mixed as they
    /// are. The other sample depends on which samples share a batch. A batch of one sample stays as it is.
    ///
    /// ```
    /// use hadal::data::Augment;
    /// use hadal::prelude::*;
    /// let (x, y) = (Tensor::from([[0.0], [1.0]]), Tensor::from([0, 2]));
    /// let (_, y) = Augment::new().mixup(0.2, 3).apply(&x, &y, 0, 0, &[0, 1])?;
    /// assert_eq!(y.shape(), &Shape::from([2, 3])); // each row sums to 1
    /// # Ok::<(), hadal::Error>(())
    /// ```
    #[doc(alias = "MixUp")]
    pub fn mixup(self, alpha: f64, classes: usize) -> Augment {
        self.with(AugmentStep::Mixup { alpha, classes })
    }
}
