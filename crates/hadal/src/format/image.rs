//! PNG images as grey values.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::Path;

use crate::{DType, Error, Result, Tensor};

/// Reads a PNG as grey values `[height, width]` in `[0, 1]`, 0 black. Colours become their luma (ITU-R BT.601);
/// transparent parts show black.
///
/// # Errors
/// If the file cannot be read or is not a PNG.
pub fn read_png(path: &Path) -> Result<Tensor> {
    let file = File::open(path).map_err(Error::io(path, "open the image"))?;
    let not_png = |error: png::DecodingError| Error::file(path, format!("cannot be read as a PNG image: {error}"));
    let mut decoder = png::Decoder::new(BufReader::new(file));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(not_png)?;
    let size = reader.output_buffer_size().filter(|&size| size <= 1 << 28);
    let Some(size) = size else { return Err(Error::file(path, "is larger than the 256 MiB that are read")) };
    let mut pixels = vec![0; size];
    let info = reader.next_frame(&mut pixels).map_err(not_png)?;
    let channels = info.color_type.samples();
    let grey = |pixel: &[u8]| -> f32 {
        let value = |index: usize| f32::from(pixel[index]) / 255.0;
        match channels {
            1 => value(0),
            2 => value(0) * value(1),
            3 => 0.299 * value(0) + 0.587 * value(1) + 0.114 * value(2),
            _ => (0.299 * value(0) + 0.587 * value(1) + 0.114 * value(2)) * value(3),
        }
    };
    let (width, height) = (info.width as usize, info.height as usize);
    let greys: Vec<f32> = pixels[..info.buffer_size()].chunks_exact(channels).map(grey).collect();
    Ok(Tensor::from_vec(greys, [height, width]))
}

/// Writes grey values `[height, width]` (`u8`, or floats in `[0, 1]`) as a PNG.
///
/// # Errors
/// If the tensor is not a matrix, or the file cannot be written.
pub fn write_png(path: &Path, image: &Tensor) -> Result<()> {
    let &[height, width] = &**image.shape() else {
        return Err(Error::Data(format!("an image has shape [height, width], not {}", image.shape())));
    };
    let bytes = match image.dtype() {
        DType::U8 => image.to_vec::<u8>(),
        _ => (image.to_dtype(DType::F32).clamp(0.0, 1.0) * 255.0 + 0.5).to_dtype(DType::U8).to_vec::<u8>(),
    };
    super::write_atomically(path, |out| {
        let mut encoder = png::Encoder::new(BufWriter::new(out), width as u32, height as u32);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.write_header()?.write_image_data(&bytes)?;
        Ok(())
    })
}
