//! PNG images.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek};
use std::path::Path;

use super::{Channels, Header, MOST_PIXELS, Samples};
use crate::finite::first_not_finite;
use crate::format::open::open_regular;
use crate::{DType, Error, Result, Tensor, memory};

/// The most that deflate compresses (zlib's documentation, "Maximum Expansion Factor").
const LARGEST_RATIO: u64 = 1032;

/// The size of a PNG, `[height, width]`, from its header alone.
///
/// ```
/// use hadal::{Tensor, format::image::{read_png_size, write_png}};
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("image.png");
/// write_png(&path, &Tensor::zeros([28, 20]))?;
/// assert_eq!(read_png_size(&path)?, [28, 20]);
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// # Errors
/// If the file is no regular file, cannot be read or is not a PNG.
pub fn read_png_size(path: &Path) -> Result<[usize; 2]> {
    let (mut decoder, _) = decoder(path)?;
    let info = decoder.read_header_info().map_err(not_png(path))?;
    Ok([info.height as usize, info.width as usize])
}

/// Reads a PNG as grey values `[height, width]` in `[0, 1]`, 0 black. Colours become their luma (ITU-R BT.601);
/// transparent parts show black. What follows the end of the image is not looked at.
///
/// # Errors
/// If the file is no regular file, cannot be read, is not a PNG, is damaged or cut short, has more than 67,108,864
/// pixels (8192 x 8192), or does not fit into memory.
pub fn read_png(path: &Path) -> Result<Tensor> {
    let (mut decoder, length) = decoder(path)?;
    let info = decoder.read_header_info().map_err(not_png(path))?;
    let (width, height) = (info.width as usize, info.height as usize);
    check_size(path, info, length)?;
    let too_large = |reason| Error::file(path, reason);
    // Twice: here, and where the tensor will keep them.
    memory::require(8 * width * height).map_err(too_large)?;
    let mut greys = memory::reserve(width * height).map_err(too_large)?;
    let mut reader = decoder.read_info().map_err(not_png(path))?;
    let channels = reader.output_color_type().0.samples();
    let mut add = |row: &[u8]| greys.extend(row.chunks_exact(channels).map(grey));
    if reader.info().interlaced {
        let size = reader.output_buffer_size().unwrap_or(usize::MAX);
        let mut frame = memory::reserve(size).map_err(too_large)?;
        frame.resize(size, 0);
        reader.next_frame(&mut frame).map_err(not_png(path))?;
        add(&frame);
    } else {
        while let Some(row) = reader.next_row().map_err(not_png(path))? {
            add(row.data());
        }
    }
    // Checks what is left, the image's end included.
    reader.finish().map_err(not_png(path))?;
    if greys.len() != width * height {
        return Err(Error::file(path, format!("holds {} of its {width} x {height} pixels", greys.len())));
    }
    Ok(Tensor::from_vec(greys, [height, width]))
}

/// That an image of this header is read, and a file of this length can hold it.
fn check_size(path: &Path, info: &png::Info, length: u64) -> Result<()> {
    let (width, height) = (info.width, info.height);
    let pixels = u64::from(width) * u64::from(height);
    if pixels > MOST_PIXELS {
        let reason = format!("is {width} x {height} pixels, more than the {MOST_PIXELS} pixels that are read");
        return Err(Error::file(path, reason));
    }
    // A forged header should not cost memory that the file could not fill.
    if pixels * info.bits_per_pixel() as u64 / 8 > length.saturating_mul(LARGEST_RATIO) {
        let reason = format!("is cut short: {width} x {height} pixels do not fit into a PNG of {length} bytes");
        return Err(Error::file(path, reason));
    }
    Ok(())
}

/// Size and colour from what stands before the pixels.
pub(super) fn header(path: &Path, file: impl BufRead + Seek) -> Result<Header> {
    let mut decoder = decoder_of(file);
    let info = decoder.read_header_info().map_err(not_png(path))?;
    let size = [info.height as usize, info.width as usize];
    let grey = match info.color_type {
        png::ColorType::Grayscale | png::ColorType::GrayscaleAlpha => true,
        png::ColorType::Rgb | png::ColorType::Rgba => false,
        png::ColorType::Indexed => {
            let reader = decoder.read_info().map_err(not_png(path))?;
            let is_grey = |[r, g, b]: &[u8; 3]| r == g && g == b;
            reader.info().palette.as_ref().is_some_and(|palette| palette.as_chunks().0.iter().all(is_grey))
        }
    };
    Ok(Header { size, channels: if grey { Channels::Grey } else { Channels::Rgb } })
}

/// Decodes the bytes of a file.
pub(super) fn samples(path: &Path, bytes: &[u8]) -> Result<Samples> {
    let mut decoder = decoder_of(std::io::Cursor::new(bytes));
    check_size(path, decoder.read_header_info().map_err(not_png(path))?, bytes.len() as u64)?;
    let mut reader = decoder.read_info().map_err(not_png(path))?;
    let length = reader.output_buffer_size().unwrap_or(usize::MAX);
    let mut samples = memory::reserve(length).map_err(|reason| Error::file(path, reason))?;
    samples.resize(length, 0);
    let frame = reader.next_frame(&mut samples).map_err(not_png(path))?;
    // Checks what is left, the image's end included.
    reader.finish().map_err(not_png(path))?;
    let size = [frame.height as usize, frame.width as usize];
    Ok(Samples { size, per_pixel: frame.color_type.samples(), bytes: samples })
}

/// A decoder to 8 bits per channel, and the length of the file.
fn decoder(path: &Path) -> Result<(png::Decoder<BufReader<File>>, u64)> {
    let (file, length) = open_regular(path, "open the image")?;
    Ok((decoder_of(BufReader::new(file)), length))
}

fn decoder_of<R: BufRead + Seek>(file: R) -> png::Decoder<R> {
    let mut decoder = png::Decoder::new(file);
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    // Texts and colour profiles may be compressed, and large; nothing here needs them.
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder
}

fn not_png(path: &Path) -> impl FnOnce(png::DecodingError) -> Error {
    move |error| Error::file(path, format!("cannot be read as a PNG image: {error}"))
}

/// The luma of a pixel of 1 to 4 channels, times its opacity.
fn grey(pixel: &[u8]) -> f32 {
    let value = |index: usize| f32::from(pixel[index]) / 255.0;
    match pixel.len() {
        1 => value(0),
        2 => value(0) * value(1),
        3 => 0.299 * value(0) + 0.587 * value(1) + 0.114 * value(2),
        _ => (0.299 * value(0) + 0.587 * value(1) + 0.114 * value(2)) * value(3),
    }
}

/// Writes grey values `[height, width]` as a PNG: `u8` as they are, floats from 0, black, to 1, white, beyond which
/// they are cut off.
///
/// ```
/// use hadal::{Tensor, format::image::{read_png, write_png}};
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("image.png");
/// write_png(&path, &Tensor::from([[0.0, 1.0], [1.0, 0.0]]))?;
/// assert_eq!(read_png(&path)?.to_vec::<f32>(), [0.0, 1.0, 1.0, 0.0]);
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// # Errors
/// If the tensor is not a matrix of `u8` or finite floats, a side is 0 or 2^31 or more, or the file cannot be written.
pub fn write_png(path: &Path, image: &Tensor) -> Result<()> {
    let &[height, width] = &**image.shape() else {
        return Err(Error::Data(format!("an image has shape [height, width], not {}", image.shape())));
    };
    let side = |size: usize| u32::try_from(size).ok().filter(|size| (1..1 << 31).contains(size));
    let (Some(height), Some(width)) = (side(height), side(width)) else {
        return Err(Error::Data(format!(
            "an image has sides of 1 to {} pixels, not {}",
            (1u32 << 31) - 1,
            image.shape()
        )));
    };
    let bytes = match image.dtype() {
        DType::U8 => image.to_vec::<u8>(),
        dtype if dtype.is_float() => {
            if let Some((_, value)) = first_not_finite(image) {
                return Err(Error::Data(format!("image values must be between 0 and 1, not {value}")));
            }
            (image.detach().to_dtype(DType::F32).clamp(0.0, 1.0) * 255.0 + 0.5).to_dtype(DType::U8).to_vec::<u8>()
        }
        other => return Err(Error::Data(format!("an image holds u8, or floats from 0 to 1, not {other}"))),
    };
    crate::format::write_atomically(path, |out| {
        let mut encoder = png::Encoder::new(out, width, height);
        encoder.set_color(png::ColorType::Grayscale);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&bytes)?;
        // Dropped, the writer would end the image, too, but keep errors to itself.
        Ok(writer.finish()?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An image written with these settings, and what is read from it.
    fn round_trip(color: png::ColorType, depth: png::BitDepth, size: u32, bytes: &[u8]) -> Tensor {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image.png");
        let mut encoder = png::Encoder::new(File::create(&path).unwrap(), size, size);
        encoder.set_color(color);
        encoder.set_depth(depth);
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(bytes).unwrap();
        writer.finish().unwrap();
        assert_eq!(read_png_size(&path).unwrap(), [size as usize; 2]);
        read_png(&path).unwrap()
    }

    #[test]
    fn every_kind_of_pixel_becomes_a_grey_value() {
        use png::{BitDepth, ColorType};
        let close = |image: Tensor, values: &[f32]| {
            let found = image.to_vec::<f32>();
            assert!(found.iter().zip(values).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?}, not {values:?}");
        };
        close(round_trip(ColorType::Grayscale, BitDepth::One, 2, &[0x40, 0x80]), &[0.0, 1.0, 1.0, 0.0]);
        close(round_trip(ColorType::Grayscale, BitDepth::Sixteen, 1, &[0x33, 0xff]), &[0.2]);
        close(round_trip(ColorType::GrayscaleAlpha, BitDepth::Eight, 1, &[255, 51]), &[0.2]);
        close(round_trip(ColorType::Rgb, BitDepth::Eight, 1, &[255, 0, 0]), &[0.299]);
        close(round_trip(ColorType::Rgba, BitDepth::Eight, 1, &[0, 255, 0, 255]), &[0.587]);
    }

    /// A PNG of these chunks.
    fn png(chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
        let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
        for (name, data) in chunks {
            let mut checksum = flate2::Crc::new();
            checksum.update(*name);
            checksum.update(data);
            file.extend((data.len() as u32).to_be_bytes());
            file.extend(*name);
            file.extend(data);
            file.extend(checksum.sum().to_be_bytes());
        }
        file
    }

    #[test]
    fn images_are_judged_by_their_headers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image.png");
        let message = |width: u32, height: u32| {
            let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 6, 0, 0, 0]].concat();
            std::fs::write(&path, png(&[(b"IHDR", header)])).unwrap();
            read_png(&path).unwrap_err().to_string()
        };
        assert!(message(16384, 16384).contains("16384 x 16384 pixels, more than the 67108864 pixels that are read"));
        assert!(message((1 << 31) - 1, (1 << 31) - 1).contains("more than the 67108864"));
        assert!(message(8192, 8192).contains("do not fit into a PNG of 33 bytes"));
        assert!(message(0, 5).contains("PNG"));
    }

    #[test]
    fn interlaced_images_are_read_whole() {
        // 3 x 3 pixels, 0 to 80 by tens: the rows of Adam7's passes 1, 4, 5, 6 (two) and 7; the others are empty.
        let rows: [&[u8]; 6] = [&[0], &[20], &[60, 80], &[10], &[70], &[30, 40, 50]];
        let raw: Vec<u8> = rows.iter().flat_map(|row| [&[0], *row].concat()).collect();
        use std::io::Write;
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        zlib.write_all(&raw).unwrap();
        let header = [&3u32.to_be_bytes()[..], &3u32.to_be_bytes(), &[8, 0, 0, 0, 1]].concat();
        let file = png(&[(b"IHDR", header), (b"IDAT", zlib.finish().unwrap()), (b"IEND", Vec::new())]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image.png");
        std::fs::write(&path, &file).unwrap();
        let expected: Vec<f32> = (0..9u8).map(|i| f32::from(10 * i) / 255.0).collect();
        assert_eq!(read_png(&path).unwrap().to_vec::<f32>(), expected);
        for length in 0..file.len() {
            std::fs::write(&path, &file[..length]).unwrap();
            assert!(read_png(&path).is_err(), "{length} of {} bytes are no image", file.len());
        }
    }

    #[test]
    fn images_that_png_cannot_hold_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image.png");
        let message = |image: &Tensor| write_png(&path, image).unwrap_err().to_string();
        assert!(message(&Tensor::zeros([0, 28])).contains("sides of 1 to"));
        assert!(message(&Tensor::zeros([28, 0])).contains("sides of 1 to"));
        let wide = Tensor::full_of([1, 1], 0.0, DType::U8).expand([1, 1 << 31]);
        assert!(message(&wide).contains("sides of 1 to"));
        assert!(message(&Tensor::zeros([3])).contains("[height, width]"));
        assert!(message(&Tensor::full([2, 2], f64::NAN)).contains("NaN"));
        assert!(message(&Tensor::full([2, 2], f64::INFINITY)).contains("not inf"));
        assert!(message(&Tensor::full_of([2, 2], 200.0, DType::I64)).contains("i64"));
        assert!(!path.exists());
        write_png(&path, &Tensor::from_slice(&[-1.0f32, 0.0, 0.5, 2.0], [2, 2])).unwrap();
        let values = read_png(&path).unwrap().to_vec::<f32>();
        assert_eq!(values, [0.0, 0.0, 128.0 / 255.0, 1.0]);
    }
}
