//! JPEG images: baseline and progressive, of 8 bits.
//!
//! The `image` crate decodes; what it lets pass is checked here: a file that ends early would have grey where pixels
//! are missing.

use std::io::{BufRead, Cursor, Seek, SeekFrom};
use std::path::Path;

use ::image::codecs::jpeg::JpegDecoder;
use ::image::metadata::Orientation;
use ::image::{ColorType, DynamicImage, GrayImage, ImageDecoder, RgbImage};

use super::{Channels, Header, MOST_PIXELS, Samples};
use crate::{Error, Result, memory};

/// A bit for a block of 8 x 8 pixels is the least, in a progressive image: pixels per byte.
const LARGEST_RATIO: u64 = 8 * 64;

/// What the segments before the pixels say.
struct Segments {
    height: u16,
    width: u16,
    components: u8,
    /// How the camera was held (EXIF).
    orientation: Orientation,
}

/// Size, as the image is to be shown, and colour from what stands before the pixels.
pub(super) fn header(path: &Path, file: impl BufRead + Seek) -> Result<Header> {
    let segments = segments(path, file)?;
    let (height, width) = (segments.height.into(), segments.width.into());
    use Orientation::*;
    let size = match segments.orientation {
        Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH => [width, height],
        _ => [height, width],
    };
    Ok(Header { size, channels: if segments.components == 1 { Channels::Grey } else { Channels::Rgb } })
}

fn segments(path: &Path, mut file: impl BufRead + Seek) -> Result<Segments> {
    let read = |file: &mut dyn BufRead, bytes: &mut [u8]| file.read_exact(bytes).map_err(damaged(path));
    let mut orientation = Orientation::NoTransforms;
    read(&mut file, &mut [0; 2])?;
    loop {
        let mut marker = [0; 2];
        read(&mut file, &mut marker)?;
        while marker[1] == 0xff {
            read(&mut file, &mut marker[1..])?;
        }
        match marker {
            // Markers that stand alone.
            [0xff, 0x01 | 0xd0..=0xd8] => continue,
            [0xff, 0xd9 | 0xda] | [0..0xff, _] => {
                return Err(Error::file(path, "cannot be read as a JPEG image: it has no header with its size"));
            }
            _ => {}
        }
        let mut length = [0; 2];
        read(&mut file, &mut length)?;
        let length = u16::from_be_bytes(length).saturating_sub(2);
        match marker[1] {
            // Start of frame, in each of its kinds.
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                let mut frame = [0; 6];
                read(&mut file, &mut frame)?;
                let [_, h0, h1, w0, w1, components] = frame;
                let (height, width) = (u16::from_be_bytes([h0, h1]), u16::from_be_bytes([w0, w1]));
                if height == 0 || width == 0 {
                    return Err(Error::file(path, "cannot be read as a JPEG image: its header has no size"));
                }
                return Ok(Segments { height, width, components, orientation });
            }
            0xe1 => {
                let mut data = vec![0; length.into()];
                read(&mut file, &mut data)?;
                let found = data.strip_prefix(b"Exif\0\0").and_then(Orientation::from_exif_chunk);
                orientation = found.unwrap_or(orientation);
            }
            _ => {
                file.seek(SeekFrom::Current(length.into())).map_err(damaged(path))?;
            }
        }
    }
}

/// Decodes the bytes of a file, and turns the image as the camera was held.
pub(super) fn samples(path: &Path, bytes: &[u8]) -> Result<Samples> {
    let segments = segments(path, Cursor::new(bytes))?;
    let (height, width) = (u32::from(segments.height), u32::from(segments.width));
    let pixels = u64::from(width) * u64::from(height);
    if pixels > MOST_PIXELS {
        let reason = format!("is {width} x {height} pixels, more than the {MOST_PIXELS} pixels that are read");
        return Err(Error::file(path, reason));
    }
    if pixels > (bytes.len() as u64).saturating_mul(LARGEST_RATIO) || !is_whole(bytes) {
        return Err(Error::file(path, format!("is cut short: the JPEG image of {width} x {height} pixels has no end")));
    }
    // The pixels, the coefficients of a progressive image, and a copy to turn it.
    memory::require(pixels as usize * 12).map_err(|reason| Error::file(path, reason))?;
    let not_jpeg = |error| Error::file(path, format!("cannot be read as a JPEG image: {error}"));
    let decoder = JpegDecoder::new(Cursor::new(bytes)).map_err(not_jpeg)?;
    let grey = decoder.color_type() == ColorType::L8;
    let mut samples = vec![0; decoder.total_bytes() as usize];
    if decoder.dimensions() != (width, height) || samples.len() as u64 != pixels * if grey { 1 } else { 3 } {
        return Err(Error::file(path, "cannot be read as a JPEG image: its headers disagree on its size"));
    }
    decoder.read_image(&mut samples).map_err(not_jpeg)?;
    let image = if grey {
        GrayImage::from_raw(width, height, samples).map(DynamicImage::ImageLuma8)
    } else {
        RgbImage::from_raw(width, height, samples).map(DynamicImage::ImageRgb8)
    };
    let mut image = image.ok_or_else(|| Error::file(path, "cannot be read as a JPEG image: its size is wrong"))?;
    image.apply_orientation(segments.orientation);
    let size = [image.height() as usize, image.width() as usize];
    Ok(Samples { size, per_pixel: if grey { 1 } else { 3 }, bytes: image.into_bytes() })
}

/// Whether the marker of the image's end is there. Markers do not occur within pixels, where 0 follows each 0xff; what
/// segments hold (a small image for previews, say) is skipped by their lengths.
fn is_whole(bytes: &[u8]) -> bool {
    let mut rest = bytes.get(2..).unwrap_or_default();
    while let Some(at) = rest.iter().position(|&byte| byte == 0xff) {
        rest = &rest[at + 1..];
        match *rest {
            [0xd9, ..] => return true,
            [0x00 | 0x01 | 0xd0..=0xd8 | 0xff, ..] => {}
            [_, high, low, ..] => {
                rest = rest.get(1 + usize::from(u16::from_be_bytes([high, low]))..).unwrap_or_default();
            }
            _ => return false,
        }
    }
    false
}

fn damaged(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    move |error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => Error::file(path, "is cut short: the JPEG image has no pixels"),
        _ => Error::io(path, "read the image")(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_found_behind_previews_and_pixels() {
        let preview = [0xff, 0xe1, 0, 6, 0xff, 0xd9, 0xff, 0xd9];
        let start = [&[0xff, 0xd8][..], &preview, &[0xff, 0xda, 0, 2, 1, 0xff, 0, 0xff, 0xd3, 7]].concat();
        assert!(!is_whole(&start));
        assert!(is_whole(&[&start[..], &[0xff, 0xd9]].concat()));
        assert!(is_whole(&[&start[..], &[0xff, 0xff, 0xd9, 1, 2]].concat()));
        for length in 0..start.len() {
            assert!(!is_whole(&start[..length]));
        }
    }
}
