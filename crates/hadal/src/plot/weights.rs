//! Weights of a layer as images.

use super::Picture;
use super::axis::grouped;
use super::color::diverging;
use super::scores::numbers;
use super::svg::Pixels;
use super::tiles::Tiles;
use crate::nn::Module;
use crate::{Error, Result, Tensor};

/// Most units of one picture.
const MOST: usize = 100;

/// Most weights of one picture.
const MOST_WEIGHTS: usize = 1 << 24;

/// The weights of a layer, one image for each unit: those of its inputs, blue where they are negative, white where they are zero,
/// orange where they are positive. Of a network it is the first layer, of more than 100 units the first 100. The weights of a
/// unit are laid out as a square, if their number is one, otherwise as the rectangle nearest to it; filters
/// `[out, in, H, W]` keep their shape, `in` below each other.
///
/// ```
/// use hadal::{plot, prelude::*};
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("weights.svg");
/// let model = Sequential::new([784]).add(Dense::new(25).activation(Relu)).add(Dense::new(10)).build()?;
/// plot::weights(&model)?.save(&path)?;
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// # Errors
/// If there is no matrix of weights (the model is not built, say), or a weight is not finite.
pub fn weights(layer: &(impl Module + ?Sized)) -> Result<Picture> {
    let mut first: Option<(String, Tensor)> = None;
    let mut names = Vec::new();
    layer.visit("", &mut |name, tensor| {
        names.push(format!("{name} {}", tensor.shape()));
        if first.is_none() && matches!(tensor.rank(), 2 | 4) && tensor.dtype().is_float() && tensor.elements() > 0 {
            first = Some((name.to_owned(), tensor.clone()));
        }
    });
    let Some((name, tensor)) = first else {
        let there =
            if names.is_empty() { "no tensors; build or compile the model first".into() } else { names.join(", ") };
        return Err(Error::Data(format!(
            "weights: there is no tensor of shape [out, in] or [out, in, H, W]; the layer has {there}"
        )));
    };
    let units = tensor.size(0);
    let shape = match tensor.shape()[..] {
        [_, channels, height, width] => [channels * height, width],
        _ => nearly_square(tensor.elements() / units),
    };
    let per_unit = shape[0] * shape[1];
    let drawn = units.min(MOST).min(MOST_WEIGHTS / per_unit);
    if drawn == 0 {
        return Err(Error::Data(format!(
            "weights: {name} has {per_unit} weights for each unit, too many for an image"
        )));
    }
    let all = numbers(&tensor.narrow(0, 0, drawn));
    if let Some(place) = all.iter().position(|weight| !weight.is_finite()) {
        return Err(Error::Data(format!(
            "weights: {name} has a weight that is {}, of unit {}",
            all[place],
            place / per_unit
        )));
    }
    let most = all.iter().fold(0.0f64, |most, weight| most.max(weight.abs()));
    // Also where all weights are zero.
    let scale = if most > 0.0 { most } else { 1.0 };
    let images = all
        .chunks(per_unit)
        .map(|unit| Pixels::new(shape[1], shape[0], |row, column| diverging(unit[row * shape[1] + column] / scale)));
    let tiles = Tiles { images: images.collect(), captions: Vec::new(), shape, scale: Some(scale) };
    let name = if name.is_empty() { "weights".to_owned() } else { name };
    let title = if drawn < units {
        format!("{name}: the first {drawn} of {} units", grouped(&units.to_string()))
    } else {
        format!("{name}: {units} units of {} weights", grouped(&per_unit.to_string()))
    };
    Ok(Picture::new(title, tiles))
}

/// Height and width of the rectangle of `count` pixels that is nearest to a square, not higher than wide.
fn nearly_square(count: usize) -> [usize; 2] {
    let height = (1..=count.isqrt()).rev().find(|height| count.is_multiple_of(*height)).unwrap_or(1);
    [height, count / height]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;

    #[test]
    fn rectangles_are_as_square_as_can_be() {
        assert_eq!((nearly_square(784), nearly_square(12), nearly_square(13)), ([28, 28], [3, 4], [1, 13]));
    }

    #[test]
    fn a_layer_without_weights_or_with_nan_is_refused() {
        let message = |error: Result<Picture>| error.unwrap_err().to_string();
        assert!(message(weights(&Dense::new(3))).contains("build or compile"));
        assert!(message(weights(&BatchNorm::with(3))).contains("[3]"));
        let nan = Linear::from_weights(Tensor::full([2, 4], f64::NAN), None);
        assert!(message(weights(&nan)).contains("weight has a weight that is NaN, of unit 0"));
        assert!(weights(&Linear::from_weights(Tensor::zeros([2, 4]), None)).is_ok());
        assert!(weights(&Tensor::ones([8, 3, 5, 5])).is_ok());
    }
}
