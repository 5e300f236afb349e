//! Batches whose images are all changed alike.

use super::Augment;
use super::apply::{epoch_seed, rng};
use super::check::Frame;
use super::geometry::Map;
use super::resample::{BORDER, Places};
use crate::{DType, Error, Padding, Result, Shape, Tensor};

impl Augment {
    /// Checks that [`view`](Augment::view) can change samples of this shape.
    ///
    /// # Errors
    /// As [`check`](Augment::check); if there is a step that changes more than where pixels lie.
    pub(crate) fn check_view(&self, sample_shape: &Shape) -> Result<()> {
        self.check(sample_shape, DType::F32)?;
        let Some(frame) = Frame::of(sample_shape) else {
            return Err(Error::Config(format!(
                "views are made of images, [height, width] or [channels, height, width], not of shape {sample_shape}"
            )));
        };
        let mut map = Map::IDENTITY;
        match self.steps.iter().find(|step| !step.draw(&mut map, frame, &mut rng(0, 0, 0))) {
            None => Ok(()),
            Some(step) => Err(Error::Config(format!(
                "{} does not only move pixels; views are made by shift, rotate, scale, shear, elastic, flips and crops",
                step.name()
            ))),
        }
    }

    /// The images of a batch `[n, height, width]` or `[n, channels, height, width]`, all changed by the same draws, those of this number:
    /// what [`apply`](Augment::apply) makes of sample 0 in that epoch, with seed 0. Gradients pass through.
    pub(crate) fn view(&self, x: &Tensor, number: u64) -> Tensor {
        let Some(frame) = Frame::of(&x.shape()[1..]) else {
            panic!("view: inputs of shape {} are not a batch of images", x.shape());
        };
        let mut map = Map::IDENTITY;
        for (index, step) in self.steps.iter().enumerate() {
            step.draw(&mut map, frame, &mut rng(epoch_seed(0, number), 0, index));
        }
        if map == Map::IDENTITY {
            return x.clone();
        }
        let padded = x.pad(&[BORDER; 2], Padding::Constant(self.fill));
        let Frame { channels, height, width } = frame;
        // A row for each pixel, so that whole rows are picked.
        let plane = padded.size(-2) * padded.size(-1);
        let pixels = padded.reshape([x.size(0) * channels, plane]).transpose(0, 1);
        let places = Places::of(frame, &map);
        let weight = |values: Vec<f32>| Tensor::from_vec(values, [height * width, 1]).to_dtype(x.dtype());
        let (right, down) = (weight(places.right), weight(places.down));
        let neighbour = |distance: usize| {
            let indices = places.index.iter().map(|index| i64::from(*index) + distance as i64).collect();
            pixels.index_select(0, &Tensor::from_vec(indices, [height * width]))
        };
        let stride = padded.size(-1);
        let between = |left: Tensor, other: Tensor| &left + &right * (other - &left);
        let (above, below) = (between(neighbour(0), neighbour(1)), between(neighbour(stride), neighbour(stride + 1)));
        (&above + down * (below - &above)).transpose(0, 1).reshape(*x.shape())
    }
}
