//! What is shown of data during training: its first samples, and weights as images.

use super::{Log, activations};
use crate::data::Dataset;
use crate::nn::{Context, Forward, Model, Module, Sequential};
use crate::train::check_preprocessing;
use crate::{DType, Error, Result, Shape, Tensor, no_grad};

/// How many samples are shown as images, and how many go through the network for histograms of its activations.
const SHOWN: usize = 25;
const ACTIVATING: usize = 128;

/// How many units' weights are shown as images.
const UNITS: usize = 64;

/// The most pixels of a picture of samples or units: larger ones would make large files.
const MOST_PIXELS: usize = 1 << 22;

/// Samples that a network is watched on.
pub(super) struct Samples {
    /// The first ones, ready for the model.
    inputs: Tensor,
    /// What an image of a sample has: channels, height and width.
    image: Option<[usize; 3]>,
}

impl Samples {
    /// The first samples of `data`, checked against the model; of several inputs, the first.
    pub fn new(data: &Dataset, image_shape: Option<&Shape>, model: Option<&Sequential>) -> Result<Samples> {
        let indices: Vec<usize> = (0..data.len().min(ACTIVATING)).collect();
        let (inputs, _) = data.try_batch(&indices)?;
        if let Some(model) = model {
            model.check_parts(&inputs)?;
            let kept = model.preprocessing().cloned();
            check_preprocessing(kept.as_slice(), data)?;
        }
        if let Some(given) = image_shape {
            let is_image = matches!(given[..], [_, _] | [1 | 3, _, _]);
            if !is_image || given.elements() != data.input_shape().elements() {
                return Err(Error::Config(format!(
                    "TensorBoard: image_shape is [height, width] or [1 or 3, height, width] with as many elements as a sample of {}, \
                     which has shape {}, not {given}",
                    data.name(),
                    data.input_shape()
                )));
            }
        }
        Ok(Samples { inputs: inputs.first().clone(), image: image_of(data, image_shape) })
    }

    /// Logs the first samples as images.
    pub fn log_images(&self, log: &mut Log) -> Result<()> {
        let Some(image) = self.image else { return Ok(()) };
        let shown = self.inputs.narrow(0, 0, self.inputs.size(0).min(SHOWN).min(room(image)));
        match as_images(&shown, image) {
            Some(images) => log.image("samples", &images),
            None => Ok(()),
        }
    }

    /// What the model gives for the samples.
    pub fn outputs(&self, model: &Sequential) -> Tensor {
        no_grad(|| model.forward(&self.inputs, &mut Context::evaluation()))
    }

    /// Logs what each layer gives for the samples; see [`activations`].
    pub fn log_activations(&self, log: &mut Log, model: &Sequential, histograms: bool) -> Result<()> {
        activations::log_activations(log, model, &self.inputs, histograms)
    }

    /// Logs the weights of the first layer's units as images, if it has as many as a sample has pixels.
    pub fn log_first_weights(&self, log: &mut Log, model: &Sequential) -> Result<()> {
        let Some(image) = self.image else { return Ok(()) };
        let mut first = None;
        model.visit("", &mut |_, tensor| {
            if first.is_none() {
                first = Some(tensor.clone());
            }
        });
        let Some(weights) = first.filter(|own| own.rank() == 2 && own.size(1) == image.iter().product::<usize>())
        else {
            return Ok(());
        };
        let shown = weights.detach().narrow(0, 0, weights.size(0).min(UNITS).min(room(image)));
        // Grey is 0, for all units on one scale.
        let largest = shown.abs().max().to_dtype(DType::F64).item();
        match scaled(&shown, [-largest, largest]) {
            Some(shown) => log.image("first layer", &reshaped(&shown, image)),
            None => Ok(()),
        }
    }

    /// Logs how weights are distributed.
    pub fn log_weights(log: &mut Log, model: &dyn Module) -> Result<()> {
        let mut outcome = Ok(());
        model.visit("", &mut |name, tensor| {
            if outcome.is_ok() && tensor.dtype().is_float() {
                outcome = log.histogram(&format!("weights/{name}"), tensor);
            }
        });
        outcome
    }
}

/// Channels, height and width of a sample's image: the shape that was given; else that of the samples, if it is an image's; else a
/// square, if samples are as many bytes, as MNIST's are.
pub(super) fn image_of(data: &Dataset, given: Option<&Shape>) -> Option<[usize; 3]> {
    let stored = data.input_shape();
    let image = match *given.map_or(&stored[..], |shape| &shape[..]) {
        [height, width] => Some([1, height, width]),
        [channels @ (1 | 3), height, width] => Some([channels, height, width]),
        [pixels] if data.input_dtype() == DType::U8 => {
            let side = pixels.isqrt();
            (side * side == pixels && side > 1).then_some([1, side, side])
        }
        _ => None,
    };
    image.filter(|image| room(*image) > 0)
}

/// How many images stand in a picture.
pub(super) fn room(image: [usize; 3]) -> usize {
    MOST_PIXELS.checked_div(image[1] * image[2]).unwrap_or(0)
}

/// Samples as images, from black, their least value, to white, their largest.
pub(super) fn as_images(samples: &Tensor, image: [usize; 3]) -> Option<Tensor> {
    let number = |value: Tensor| value.to_dtype(DType::F64).item();
    let samples = scaled(samples, [number(samples.min()), number(samples.max())])?;
    Some(reshaped(&samples, image))
}

fn reshaped(rows: &Tensor, [channels, height, width]: [usize; 3]) -> Tensor {
    rows.reshape([rows.size(0), channels, height, width])
}

/// The tensor with its values from `low` to `high` brought to 0 to 1; `None` if one is not finite.
fn scaled(tensor: &Tensor, [low, high]: [f64; 2]) -> Option<Tensor> {
    let width = high - low;
    if !width.is_finite() || crate::finite::first_not_finite(tensor).is_some() {
        return None;
    }
    let tensor = tensor.detach().to_dtype(DType::F32);
    Some((tensor - low) / if width > 0.0 { width } else { 1.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_images_by_their_shape() {
        let image = |shape: &[usize], dtype, given: Option<&[usize]>| {
            let data = Dataset::new("d", Tensor::full_of(shape, 0.0, dtype), Tensor::arange(shape[0])).unwrap();
            image_of(&data, given.map(Shape::from).as_ref())
        };
        assert_eq!(image(&[2, 784], DType::U8, None), Some([1, 28, 28]));
        assert_eq!(image(&[2, 784], DType::F32, None), None);
        assert_eq!(image(&[2, 783], DType::U8, None), None);
        assert_eq!(image(&[2, 8, 9], DType::F32, None), Some([1, 8, 9]));
        assert_eq!(image(&[2, 3, 8, 9], DType::F32, None), Some([3, 8, 9]));
        assert_eq!(image(&[2, 2, 8, 9], DType::F32, None), None);
        assert_eq!(image(&[2, 12], DType::F32, Some(&[3, 2, 2])), Some([3, 2, 2]));
        assert_eq!(image(&[1, 2100, 2100], DType::U8, None), None, "too large");
        assert_eq!(room([3, 1024, 1024]), 4);
    }
}
