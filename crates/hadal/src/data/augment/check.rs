//! What cannot work, said before the run.

use super::{Augment, AugmentStep};
use crate::{DType, Error, Result, Shape};

/// Where the pixels of a sample lie: `channels` planes of `height` rows of `width` pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Frame {
    pub channels: usize,
    pub height: usize,
    pub width: usize,
}

impl Frame {
    /// The frame of a sample's shape, if it is that of an image.
    pub fn of(sample_shape: &[usize]) -> Option<Frame> {
        match *sample_shape {
            [height, width] => Some(Frame { channels: 1, height, width }),
            [channels, height, width] => Some(Frame { channels, height, width }),
            _ => None,
        }
    }
}

/// The longest side of an image: places within it are exact enough in `f32`, and indices fit 32 bits.
const MAX_SIDE: usize = 32_768;

impl AugmentStep {
    pub(super) fn name(&self) -> &'static str {
        match self {
            AugmentStep::Shift(_) => "shift",
            AugmentStep::Rotate(_) => "rotate",
            AugmentStep::Scale(..) => "scale",
            AugmentStep::Shear(_) => "shear",
            AugmentStep::Elastic { .. } => "elastic",
            AugmentStep::FlipHorizontal(_) => "flip_horizontal",
            AugmentStep::FlipVertical(_) => "flip_vertical",
            AugmentStep::Crop(_) => "crop",
            AugmentStep::CropResized(..) => "crop_resized",
            AugmentStep::Erase(_) => "erase",
            AugmentStep::Brightness(_) => "brightness",
            AugmentStep::Contrast(_) => "contrast",
            AugmentStep::Noise(_) => "noise",
            AugmentStep::Mixup { .. } => "mixup",
        }
    }

    /// Whether the step needs to know which elements are neighbours.
    fn needs_image(&self) -> bool {
        !matches!(self, AugmentStep::Noise(_) | AugmentStep::Mixup { .. })
    }

    /// Whether the step needs to know where black and white are.
    pub(super) fn needs_range(&self) -> bool {
        matches!(self, AugmentStep::Brightness(_) | AugmentStep::Contrast(_))
    }

    fn check_settings(&self) -> Result<()> {
        let name = self.name();
        let within = |what: &str, value: f64, min: f64, max: f64| match (min..=max).contains(&value) {
            true => Ok(()),
            false => Err(Error::Config(format!("augment: {name}: the {what} is from {min} to {max}, not {value}"))),
        };
        let range = |what: &str, low: f64, high: f64, max: f64| match low > 0.0 && low <= high && high <= max {
            true => Ok(()),
            false => Err(Error::Config(format!(
                "augment: {name}: {what} from {low} to {high}; the smaller comes first, above 0, the larger is at most {max}"
            ))),
        };
        match *self {
            AugmentStep::Shift(fraction) => within("fraction", fraction, 0.0, 1.0),
            AugmentStep::Rotate(degrees) => within("angle", degrees, 0.0, 180.0),
            AugmentStep::Scale(min, max) => range("factors", min, max, 1e3),
            AugmentStep::Shear(degrees) => within("angle", degrees, 0.0, 89.0),
            AugmentStep::Elastic { alpha, sigma } => {
                within("alpha", alpha, 0.0, 1e6)?;
                within("sigma", sigma, 0.0, 1e3)
            }
            AugmentStep::FlipHorizontal(p) | AugmentStep::FlipVertical(p) | AugmentStep::Erase(p) => {
                within("probability", p, 0.0, 1.0)
            }
            AugmentStep::Crop(_) => Ok(()),
            AugmentStep::CropResized(min, max) => range("areas", min, max, 1.0),
            AugmentStep::Brightness(factor) | AugmentStep::Contrast(factor) => within("factor", factor, 0.0, 1e6),
            AugmentStep::Noise(std) => within("standard deviation", std, 0.0, 1e30),
            AugmentStep::Mixup { alpha, classes } => {
                within("alpha", alpha, 1e-3, 1e6)?;
                match classes {
                    0 => Err(Error::Config("augment: mixup: the number of classes is at least 1, not 0".into())),
                    _ => Ok(()),
                }
            }
        }
    }

    fn check_frame(&self, frame: Frame) -> Result<()> {
        let Frame { height, width, .. } = frame;
        match *self {
            AugmentStep::Crop(padding) if padding >= height.min(width) => Err(Error::Config(format!(
                "augment: crop: a padding of {padding} pixels could leave nothing of an image of {height}x{width}; it is below \
                 {}",
                height.min(width)
            ))),
            AugmentStep::Elastic { sigma, .. } if sigma > height.max(width) as f64 => Err(Error::Config(format!(
                "augment: elastic: a sigma of {sigma} pixels is larger than the image of {height}x{width}; use shift, or a \
                 smaller sigma"
            ))),
            _ => Ok(()),
        }
    }
}

impl Augment {
    /// Checks the settings, and that the steps can work on samples of this shape and type: `sample_shape` is that of
    /// one input, without the batch axis.
    ///
    /// ```
    /// use hadal::data::Augment;
    /// use hadal::prelude::*;
    /// let augment = Augment::new().rotate(15.0);
    /// assert!(augment.check(&Shape::from([3, 32, 32]), DType::U8).is_ok());
    /// let error = augment.check(&Shape::from([784]), DType::U8).unwrap_err().to_string();
    /// assert!(error.contains("Dataset::reshape([28, 28])"));
    /// ```
    ///
    /// # Errors
    /// If a setting is out of its range, the samples are not images where a step needs them, their values are neither
    /// bytes nor `f32`, or there are two mixups.
    pub fn check(&self, sample_shape: &Shape, dtype: DType) -> Result<()> {
        if !(self.fill as f32).is_finite() {
            return Err(Error::Config(format!("augment: the fill is a finite number of f32, not {}", self.fill)));
        }
        if self.steps.iter().filter(|step| matches!(step, AugmentStep::Mixup { .. })).count() > 1 {
            return Err(Error::Config("augment: there are two mixups; one mixes all that can be mixed".into()));
        }
        self.steps.iter().try_for_each(AugmentStep::check_settings)?;
        if !self.steps.is_empty() && !matches!(dtype, DType::U8 | DType::F32) {
            return Err(Error::Data(format!(
                "augment: inputs are bytes (u8) or f32, not {dtype}; convert them with Tensor::to_dtype"
            )));
        }
        let Some(step) = self.steps.iter().find(|step| step.needs_image()) else { return Ok(()) };
        let frame = image_frame(step.name(), sample_shape)?;
        self.steps.iter().try_for_each(|step| step.check_frame(frame))
    }
}

fn image_frame(step: &str, sample_shape: &Shape) -> Result<Frame> {
    let needs = format!("augment: {step} needs images of shape [height, width] or [channels, height, width]");
    match Frame::of(sample_shape) {
        None => Err(Error::Data(format!("{needs}, not inputs of shape {sample_shape}{}", reshaping(sample_shape)))),
        // What an image with its channels last looks like.
        Some(frame) if matches!(frame.width, 1 | 3 | 4) && frame.height > 4 && frame.channels > 4 => {
            Err(Error::Data(format!(
                "{needs}; inputs of shape {sample_shape} seem to have their channels last: \
                 Tensor::permute(&[0, 3, 1, 2]) puts them first"
            )))
        }
        Some(Frame { height, width, .. }) if height.max(width) > MAX_SIDE => {
            Err(Error::Data(format!("augment: images have at most {MAX_SIDE} pixels a side, not {height}x{width}")))
        }
        Some(frame) => Ok(frame),
    }
}

/// How flattened images get their shape back, where the number of elements tells.
fn reshaping(sample_shape: &Shape) -> String {
    let &[elements] = &sample_shape[..] else { return String::new() };
    let square = |pixels: usize| Some(pixels.isqrt()).filter(|side| *side > 1 && side * side == pixels);
    match (square(elements), square(elements / 3)) {
        (Some(side), _) => format!("; Dataset::reshape([{side}, {side}]) makes them images"),
        (None, Some(side)) if elements.is_multiple_of(3) => {
            format!("; Dataset::reshape([3, {side}, {side}]) makes them images")
        }
        _ => "; Dataset::reshape makes flattened inputs images".into(),
    }
}
