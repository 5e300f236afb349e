//! What is shown of data during training: its first samples, and weights as images.

use super::{Log, activations};
use crate::data::Dataset;
use crate::monitor::images::{as_images, check_image_shape, image_of, reshaped, room, scaled};
use crate::nn::{Context, Forward, Model, Module, Sequential};
use crate::train::check_preprocessing;
use crate::{DType, Result, Shape, Tensor, no_grad};

/// How many samples are shown as images, and how many go through the network for histograms of its activations.
const SHOWN: usize = 25;
const ACTIVATING: usize = 128;

/// How many units' weights are shown as images.
const UNITS: usize = 64;

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
        check_image_shape("TensorBoard", data, image_shape)?;
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
