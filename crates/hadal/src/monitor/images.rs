//! Samples and weights as images.

use crate::data::Dataset;
use crate::{DType, Error, Result, Shape, Tensor};

/// The most pixels of a picture of samples or units: larger ones would make large files.
const MOST_PIXELS: usize = 1 << 22;

/// Refuses a shape that was given for the images of a callback, `who`, if samples do not have it.
pub fn check_image_shape(who: &str, data: &Dataset, given: Option<&Shape>) -> Result<()> {
    let Some(given) = given else { return Ok(()) };
    let is_image = matches!(given[..], [_, _] | [1 | 3, _, _]);
    if is_image && given.elements() == data.input_shape().elements() {
        return Ok(());
    }
    Err(Error::Config(format!(
        "{who}: image_shape is [height, width] or [1 or 3, height, width] with as many elements as a sample of {}, which has shape {}, \
         not {given}",
        data.name(),
        data.input_shape()
    )))
}

/// Channels, height and width of a sample's image: the shape that was given; else that of the samples, if it is an image's; else a
/// square, if samples are as many bytes, as MNIST's are.
pub fn image_of(data: &Dataset, given: Option<&Shape>) -> Option<[usize; 3]> {
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
pub fn room(image: [usize; 3]) -> usize {
    MOST_PIXELS.checked_div(image[1] * image[2]).unwrap_or(0)
}

/// Samples as images, from black, their least value, to white, their largest.
pub fn as_images(samples: &Tensor, image: [usize; 3]) -> Option<Tensor> {
    let number = |value: Tensor| value.to_dtype(DType::F64).item();
    let samples = scaled(samples, [number(samples.min()), number(samples.max())])?;
    Some(reshaped(&samples, image))
}

pub fn reshaped(rows: &Tensor, [channels, height, width]: [usize; 3]) -> Tensor {
    rows.reshape([rows.size(0), channels, height, width])
}

/// The tensor with its values from `low` to `high` brought to 0 to 1; `None` if one is not finite.
pub fn scaled(tensor: &Tensor, [low, high]: [f64; 2]) -> Option<Tensor> {
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
