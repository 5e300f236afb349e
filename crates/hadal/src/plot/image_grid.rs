//! Images beside each other, with captions.

use super::Picture;
use super::axis::grouped;
use super::color::Color;
use super::scores::numbers;
use super::svg::Pixels;
use super::tiles::Tiles;
use crate::{DType, Error, Result, Tensor};

/// Most images of one picture.
const MOST: usize = 400;

/// Most pixels of all images of one picture: one image of 4096 by 4096.
const MOST_PIXELS: usize = 1 << 24;

/// Images beside each other: grey `[N, H, W]` or `[N, 1, H, W]`, or colour `[N, 3, H, W]`, the first 400 at most (or 16,777,216 pixels), each with its
/// caption below, unless there are no captions. Bytes go from 0, black, to 255. Other numbers go from 0 to 1, or, if some are
/// beyond, from the least to the largest of all images.
///
/// ```
/// use hadal::{Tensor, plot};
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("images.svg");
/// let images = Tensor::rand([6, 28, 28], &mut hadal::Rng::new(1));
/// plot::image_grid(&images, &["0", "1", "2", "3", "4", "5"])?.title("Noise").save(&path)?;
/// plot::image_grid(&images, plot::NO_NAMES)?.save(&path)?;
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// # Errors
/// If the shape is another one, there are no images or pixels, a pixel is not finite, or there are not as many captions as images.
pub fn image_grid<S: AsRef<str>>(images: &Tensor, captions: &[S]) -> Result<Picture> {
    let shape = images.shape();
    let (count, channels, height, width) = match shape[..] {
        [count, height, width] => (count, 1, height, width),
        [count, channels @ (1 | 3), height, width] => (count, channels, height, width),
        [count, pixels] => {
            let side = pixels.isqrt();
            let advice = if side * side == pixels && side > 1 {
                format!("; if they are square, reshape([{count}, {side}, {side}])")
            } else {
                String::new()
            };
            return Err(Error::Data(format!("{}, not {shape}{advice}", shapes())));
        }
        _ => return Err(Error::Data(format!("{}, not {shape}", shapes()))),
    };
    if images.elements() == 0 {
        return Err(Error::Data(format!("image_grid: there is no pixel in images of shape {shape}")));
    }
    if height.max(width) > 4096 {
        return Err(Error::Data(format!(
            "image_grid takes images of at most 4096 by 4096 pixels, not {height} by {width}"
        )));
    }
    if !captions.is_empty() && captions.len() != count {
        return Err(Error::Data(format!("image_grid: {} captions for {count} images", captions.len())));
    }
    // As few as fit into memory while they are drawn.
    let drawn = count.min(MOST).min(MOST_PIXELS / (height * width));
    let pixels = numbers(&images.narrow(0, 0, drawn));
    if let Some(place) = pixels.iter().position(|pixel| !pixel.is_finite()) {
        let image = place / (channels * height * width);
        return Err(Error::Data(format!("image_grid: image {image} has a pixel that is {}", pixels[place])));
    }
    let (low, high) = range(images.dtype(), &pixels);
    let byte = |value: f64| ((value - low) / (high - low) * 255.0).round().clamp(0.0, 255.0) as u8;
    let images = pixels.chunks(channels * height * width).map(|image| {
        Pixels::new(width, height, |row, column| {
            let channel = |index: usize| byte(image[(index * height + row) * width + column]);
            if channels == 3 {
                Color(channel(0), channel(1), channel(2))
            } else {
                Color(channel(0), channel(0), channel(0))
            }
        })
    });
    let captions = captions.iter().take(drawn).map(|caption| caption.as_ref().to_owned()).collect();
    let tiles = Tiles { images: images.collect(), captions, shape: [height, width], scale: None };
    let title = if drawn < count {
        format!("The first {drawn} of {} images", grouped(&count.to_string()))
    } else {
        String::new()
    };
    Ok(Picture::new(title, tiles))
}

fn shapes() -> &'static str {
    "image_grid takes images of shape [N, H, W], [N, 1, H, W] or, in colour, [N, 3, H, W]"
}

/// The numbers that are black and white.
fn range(dtype: DType, pixels: &[f64]) -> (f64, f64) {
    if dtype == DType::U8 {
        return (0.0, 255.0);
    }
    let (low, high) =
        pixels.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &p| (low.min(p), high.max(p)));
    if low >= 0.0 && high <= 1.0 {
        (0.0, 1.0)
    } else if high - low > 0.0 && (high - low).is_finite() {
        (low, high)
    } else {
        (low - 1.0, low + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::NO_NAMES;

    #[test]
    fn the_range_of_pixels_is_that_of_bytes_of_shares_or_of_the_images() {
        assert_eq!(range(DType::U8, &[3.0, 7.0]), (0.0, 255.0));
        assert_eq!(range(DType::F32, &[0.2, 0.7]), (0.0, 1.0));
        assert_eq!(range(DType::F32, &[-2.0, 0.7]), (-2.0, 0.7));
        assert_eq!(range(DType::F32, &[5.0, 5.0]), (4.0, 6.0));
    }

    #[test]
    fn wrong_shapes_captions_and_pixels_are_named() {
        let message = |images: Tensor, captions: &[&str]| image_grid(&images, captions).unwrap_err().to_string();
        assert!(message(Tensor::ones([5, 784]), NO_NAMES).contains("reshape([5, 28, 28])"));
        assert!(message(Tensor::ones([5, 2, 8, 8]), NO_NAMES).contains("not [5, 2, 8, 8]"));
        assert!(message(Tensor::ones([0, 8, 8]), NO_NAMES).contains("no pixel"));
        assert!(message(Tensor::ones([2, 8, 8]), &["one"]).contains("1 captions for 2 images"));
        assert!(message(Tensor::full([2, 8, 8], f64::NAN), NO_NAMES).contains("image 0 has a pixel that is NaN"));
    }

    #[test]
    fn of_many_images_the_first_are_drawn() {
        let svg = image_grid(&Tensor::ones([1000, 2, 2]), NO_NAMES).unwrap().svg();
        assert!(svg.contains("The first 400 of 1000 images") && svg.matches("<image").count() == 400);
    }
}
