//! Pictures from tensors, as PNG.

use super::messages::Image;
use crate::{DType, Error, Result, Tensor};

/// The pixels of a picture: grey, or red, green and blue.
struct Picture {
    height: usize,
    width: usize,
    channels: usize,
    bytes: Vec<u8>,
}

/// The most pixels of a picture: a browser has to show it.
const MOST_PIXELS: usize = 1 << 26;

/// Width and grey of what is between the pictures of a grid: neither black, which pictures often end with, nor the middle grey that
/// is 0 among weights.
const GAP: (usize, u8) = (2, 80);

/// Encodes `[height, width]`, `[channels, height, width]` or `[count, channels, height, width]`; several pictures stand in a grid.
pub(super) fn image(name: &str, pictures: &Tensor) -> Result<Image> {
    let (count, channels, height, width) = match **pictures.shape() {
        [height, width] => (1, 1, height, width),
        [channels, height, width] => (1, channels, height, width),
        [count, channels, height, width] => (count, channels, height, width),
        _ => (0, 0, 0, 0),
    };
    if !matches!(channels, 1 | 3) || count == 0 || height == 0 || width == 0 {
        return Err(Error::Data(format!(
            "image `{name}`: an image has shape [height, width], [channels, height, width] or [count, channels, height, width], \
             with 1 or 3 channels, not {}",
            pictures.shape()
        )));
    }
    let columns = columns(count, height, width);
    let side = |count: usize, size: usize| count.saturating_mul(size.saturating_add(GAP.0)) - GAP.0;
    let (all_height, all_width) = (side(count.div_ceil(columns), height), side(columns, width));
    if all_height.saturating_mul(all_width) > MOST_PIXELS {
        return Err(Error::Data(format!(
            "image `{name}`: shape {} has more than {MOST_PIXELS} pixels; log fewer or smaller images",
            pictures.shape()
        )));
    }
    let values = bytes(name, pictures)?;
    let mut grid = Picture {
        height: all_height,
        width: all_width,
        channels,
        bytes: vec![GAP.1; all_height * all_width * channels],
    };
    for (index, picture) in values.chunks_exact(channels * height * width).enumerate() {
        let (top, left) = ((index / columns) * (height + GAP.0), (index % columns) * (width + GAP.0));
        grid.put(picture, [height, width], [top, left]);
    }
    grid.encode(name)
}

/// The columns of a grid that is about as high as wide.
fn columns(count: usize, height: usize, width: usize) -> usize {
    let ideal = (count as f64 * height as f64 / width as f64).sqrt().ceil() as usize;
    ideal.clamp(1, count)
}

/// The values as bytes: `u8` as they are, floats from 0 to 1, beyond which they are cut off.
fn bytes(name: &str, pictures: &Tensor) -> Result<Vec<u8>> {
    match pictures.dtype() {
        DType::U8 => Ok(pictures.to_vec::<u8>()),
        dtype if dtype.is_float() => {
            if let Some((_, value)) = crate::finite::first_not_finite(pictures) {
                return Err(Error::Data(format!("image `{name}`: values must be between 0 and 1, not {value}")));
            }
            let floats = pictures.detach().to_dtype(DType::F32).clamp(0.0, 1.0);
            Ok((floats * 255.0 + 0.5).to_dtype(DType::U8).to_vec::<u8>())
        }
        other => Err(Error::Data(format!("image `{name}`: an image holds u8, or floats from 0 to 1, not {other}"))),
    }
}

impl Picture {
    /// Copies a picture whose channels lie one after the other.
    fn put(&mut self, planes: &[u8], [height, width]: [usize; 2], [top, left]: [usize; 2]) {
        for (channel, plane) in planes.chunks_exact(height * width).enumerate() {
            for (row, values) in plane.chunks_exact(width).enumerate() {
                let start = ((top + row) * self.width + left) * self.channels + channel;
                let places = self.bytes[start..].iter_mut().step_by(self.channels);
                places.zip(values).for_each(|(place, value)| *place = *value);
            }
        }
    }

    fn encode(&self, name: &str) -> Result<Image> {
        let mut encoded = Vec::new();
        // No side is longer than MOST_PIXELS.
        let mut encoder = png::Encoder::new(&mut encoded, self.width as u32, self.height as u32);
        encoder.set_color(if self.channels == 1 { png::ColorType::Grayscale } else { png::ColorType::Rgb });
        encoder.set_compression(png::Compression::Fast);
        let written = encoder.write_header().and_then(|mut writer| {
            writer.write_image_data(&self.bytes)?;
            writer.finish()
        });
        written.map_err(|error| Error::Data(format!("image `{name}`: cannot be encoded as PNG: {error}")))?;
        Ok(Image {
            height: self.height as i32,
            width: self.width as i32,
            colorspace: self.channels as i32,
            encoded_image_string: encoded,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Size, channels and bytes of the PNG.
    fn decoded(image: &Image) -> (usize, usize, usize, Vec<u8>) {
        let mut reader = png::Decoder::new(std::io::Cursor::new(&image.encoded_image_string)).read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        let frame = reader.next_frame(&mut bytes).unwrap();
        assert_eq!((frame.height, frame.width), (image.height as u32, image.width as u32));
        (frame.height as usize, frame.width as usize, frame.color_type.samples(), bytes)
    }

    #[test]
    fn floats_and_bytes_become_the_same_pixels() {
        let floats = Tensor::from([[-1.0, 0.0, 0.2], [0.5, 1.0, 7.0]]);
        let bytes = Tensor::from_slice(&[0u8, 0, 51, 128, 255, 255], [1, 2, 3]);
        for tensor in [floats, bytes] {
            assert_eq!(decoded(&image("i", &tensor).unwrap()), (2, 3, 1, vec![0, 0, 51, 128, 255, 255]));
        }
    }

    #[test]
    fn several_images_stand_in_a_grid_and_colours_stay_together() {
        let three = Tensor::from_slice(&[1u8, 2, 3, 10, 20, 30, 100, 200, 250], [3, 3, 1, 1]);
        let grey = [GAP.1; 3];
        let rows = [[[1, 2, 3], grey, grey, [10, 20, 30]], [grey; 4], [grey; 4], [[100, 200, 250], grey, grey, grey]];
        assert_eq!(decoded(&image("i", &three).unwrap()), (4, 4, 3, rows.concat().concat()));
    }

    #[test]
    fn what_is_no_image_is_refused_by_name() {
        let message = |tensor: &Tensor| image("samples", tensor).unwrap_err().to_string();
        for shape in [&[5][..], &[2, 5, 5], &[0, 1, 5, 5], &[1, 3, 0, 5], &[1, 1, 1, 5, 5]] {
            let message = message(&Tensor::zeros(shape));
            assert!(message.contains("`samples`") && message.contains("[height, width]"), "{message}");
        }
        assert!(message(&Tensor::full([2, 2], f64::NAN)).contains("not NaN"));
        assert!(message(&Tensor::arange(4).reshape([2, 2])).contains("i64"));
        let wide = Tensor::full_of([1, 1], 0.0, DType::U8).expand([1 << 14, 1 << 14]);
        assert!(message(&wide).contains("pixels"));
    }
}
