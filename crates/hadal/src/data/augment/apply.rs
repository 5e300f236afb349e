//! The chain over a batch, sample by sample.

use super::check::Frame;
use super::geometry::{Map, between};
use super::mixup::{Mix, mix_inputs, mix_targets};
use super::resample::resample;
use super::{Augment, AugmentStep, color, erase, mixup, noise};
use crate::{DType, Error, Result, Rng, Shape, Tensor, for_each_part};

/// Elements that a thread takes at a time, at least: less is not worth its way to the other thread.
const PART: usize = 4096;

impl Augment {
    /// Transforms a batch: `inputs` `[n, ...]` and `targets` `[n, ...]` of the samples with these `indices` in their
    /// dataset. The draws for a sample depend on `seed`, `epoch` and its index alone.
    ///
    /// ```
    /// use hadal::data::Augment;
    /// use hadal::prelude::*;
    /// let augment = Augment::new().noise(0.1);
    /// let (x, y) = (Tensor::zeros([3, 2]), Tensor::from([0, 1, 2]));
    /// let (all, _) = augment.apply(&x, &y, 0, 0, &[7, 8, 9])?;
    /// let (one, _) = augment.apply(&x.narrow(0, 1, 1), &y.narrow(0, 1, 1), 0, 0, &[8])?;
    /// assert_eq!(all.narrow(0, 1, 1).to_vec::<f32>(), one.to_vec::<f32>());
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`check`](Augment::check); if the numbers of inputs, targets and indices differ; if brightness or contrast
    /// meets floats outside 0 to 1; if mixup meets a label that is no class.
    pub fn apply(
        &self,
        inputs: &Tensor,
        targets: &Tensor,
        seed: u64,
        epoch: u64,
        indices: &[usize],
    ) -> Result<(Tensor, Tensor)> {
        let samples = indices.len();
        if inputs.shape().first() != Some(&samples) || targets.shape().first() != Some(&samples) {
            return Err(Error::Data(format!(
                "augment: {samples} indices for inputs of shape {} and targets of shape {}; each sample needs one",
                inputs.shape(),
                targets.shape()
            )));
        }
        let shape = Shape::from(&inputs.shape()[1..]);
        self.check(&shape, inputs.dtype())?;
        if self.steps.is_empty() || inputs.elements() == 0 {
            return Ok((inputs.clone(), targets.clone()));
        }
        self.check_range(inputs)?;
        let batch = Batch {
            steps: &self.steps,
            fill: self.fill as f32,
            length: shape.elements(),
            // Unused, where no step needs an image.
            frame: Frame::of(&shape).unwrap_or(Frame { channels: 1, height: 1, width: shape.elements() }),
            bytes: inputs.dtype() == DType::U8,
            seed: epoch_seed(seed, epoch),
            indices,
        };
        let (outputs, targets) = batch.run(inputs, targets)?;
        Ok((Tensor::from_vec(outputs, *inputs.shape()), targets))
    }

    /// Floats that a step takes for pixels are from 0 (black) to 1 (white).
    fn check_range(&self, inputs: &Tensor) -> Result<()> {
        let Some(step) = self.steps.iter().find(|step| step.needs_range()) else { return Ok(()) };
        if inputs.dtype() == DType::U8 {
            return Ok(());
        }
        let values = inputs.to_vec::<f32>();
        match values.iter().position(|value| !(0.0..=1.0).contains(value)) {
            None => Ok(()),
            Some(element) => Err(Error::Data(format!(
                "augment: {} takes bytes, or floats from 0 to 1; input {} of the batch holds {}: bring images to that range \
                 first, and normalize them after",
                step.name(),
                element / (values.len() / inputs.size(0)),
                values[element]
            ))),
        }
    }
}

/// What the samples of a batch have in common.
struct Batch<'a> {
    steps: &'a [AugmentStep],
    fill: f32,
    /// Elements of a sample.
    length: usize,
    frame: Frame,
    bytes: bool,
    seed: u64,
    indices: &'a [usize],
}

impl Batch<'_> {
    fn run(&self, inputs: &Tensor, targets: &Tensor) -> Result<(Vec<f32>, Tensor)> {
        // All samples must have come as far as mixup before it mixes them.
        let end = self.steps.iter().position(|step| matches!(step, AugmentStep::Mixup { .. }));
        let mut values = vec![0.0; inputs.elements()];
        self.for_each_sample(&mut values, |sample, values| {
            self.read(&inputs.narrow(0, sample, 1), values);
            self.steps(0, end.unwrap_or(self.steps.len()), sample, values);
        });
        let Some(end) = end else { return Ok((values, targets.clone())) };
        let AugmentStep::Mixup { alpha, classes } = self.steps[end] else { return Ok((values, targets.clone())) };
        let samples = self.indices.len();
        let mixes: Vec<Mix> =
            (0..samples).map(|sample| mixup::draw(sample, samples, alpha, &mut self.rng(sample, end))).collect();
        let mut values = mix_inputs(&values, self.length, &mixes);
        self.for_each_sample(&mut values, |sample, values| {
            self.steps(end + 1, self.steps.len(), sample, values);
        });
        Ok((values, mix_targets(targets, &mixes, classes)?))
    }

    /// Runs `work(sample, values)` on the threads of the pool. Parts are cut by the size of a sample, whatever the
    /// number of threads.
    fn for_each_sample(&self, values: &mut [f32], work: impl Fn(usize, &mut [f32]) + Sync) {
        for_each_part(values, self.length * PART.div_ceil(self.length), |start, part| {
            for (i, values) in part.chunks_exact_mut(self.length).enumerate() {
                work(start / self.length + i, values);
            }
        });
    }

    fn read(&self, input: &Tensor, values: &mut [f32]) {
        if self.bytes {
            let bytes = input.to_vec::<u8>();
            values.iter_mut().zip(bytes).for_each(|(value, byte)| *value = f32::from(byte));
        } else {
            values.copy_from_slice(&input.to_vec::<f32>());
        }
    }

    fn rng(&self, sample: usize, step: usize) -> Rng {
        rng(self.seed, self.indices[sample], step)
    }

    /// Runs the steps `first .. end` on a sample.
    fn steps(&self, first: usize, end: usize, sample: usize, values: &mut [f32]) {
        let mut map = Map::IDENTITY;
        for (i, step) in self.steps[first..end].iter().enumerate() {
            let mut rng = self.rng(sample, first + i);
            if step.draw(&mut map, self.frame, &mut rng) {
                continue;
            }
            self.resample(&mut map, values);
            self.change(step, values, &mut rng);
        }
        self.resample(&mut map, values);
    }

    fn resample(&self, map: &mut Map, values: &mut [f32]) {
        if *map != Map::IDENTITY {
            resample(values, self.frame, map, self.fill);
            *map = Map::IDENTITY;
        }
    }

    /// Runs a step that is not geometric.
    fn change(&self, step: &AugmentStep, values: &mut [f32], rng: &mut Rng) {
        let white = if self.bytes { 255.0 } else { 1.0 };
        let factor = |rng: &mut Rng, factor: f64| between(rng, (1.0 - factor).max(0.0), 1.0 + factor) as f32;
        match *step {
            AugmentStep::Erase(probability) => erase::erase(values, self.frame, probability, self.fill, rng),
            AugmentStep::Brightness(most) => color::brightness(values, factor(rng, most), white),
            AugmentStep::Contrast(most) => color::contrast(values, self.frame, factor(rng, most), white),
            AugmentStep::Noise(std) if self.bytes => noise::noise(values, 255.0 * std as f32, Some(white), rng),
            AugmentStep::Noise(std) => noise::noise(values, std as f32, None, rng),
            _ => {}
        }
    }
}

/// The seed of an epoch's random numbers.
pub(super) fn epoch_seed(seed: u64, epoch: u64) -> u64 {
    mixed(seed.wrapping_add(mixed(epoch)))
}

/// A step's own random numbers for a sample: a stretch of the sample's stream, so that no step depends on how
/// many numbers another draws.
pub(super) fn rng(epoch_seed: u64, sample: usize, step: usize) -> Rng {
    Rng::from_state((epoch_seed, sample as u64, (step as u64) << 40))
}

/// A number whose bits all depend on all of the given one's (the finalizer of SplitMix64).
fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
