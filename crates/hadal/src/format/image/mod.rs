//! Images: PNG and JPEG are read, PNG is written.
//!
//! A file's first bytes say what it is, not its name. JPEG images are turned as the camera was held (EXIF), which
//! torchvision's `ImageFolder` does not do.

mod jpeg;
mod many;
mod png;
mod resize;

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

pub(crate) use many::{Form, Found, checked, common_size, headers};
pub use many::{list, read_many};
pub use png::{read_png, read_png_size, write_png};
pub use resize::resize;

use super::open::open_regular;
use crate::{Error, Result, Tensor, memory};

/// The most pixels of an image that is read: 64 Mi, for example 8192 x 8192. It takes up to 768 MiB while it is read.
const MOST_PIXELS: u64 = 1 << 26;

/// The longest file that is read: what 64 Mi pixels of four times 16 bits take, uncompressed.
const MOST_BYTES: u64 = 1 << 29;

/// What a pixel becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channels {
    /// One byte, 0 black. Of colours the luma (ITU-R BT.601), as Pillow's `convert("L")`.
    Grey,
    /// Three bytes: red, green and blue.
    Rgb,
}

/// What an image is, by its header.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Header {
    /// Height and width.
    pub size: [usize; 2],
    /// Grey, if it has no colours.
    pub channels: Channels,
}

/// A decoded image: the bytes of each pixel stand together.
struct Samples {
    size: [usize; 2],
    /// 1: grey; 2: grey and opacity; 3: red, green and blue; 4: with opacity.
    per_pixel: usize,
    bytes: Vec<u8>,
}

/// The formats that are read.
enum Format {
    Png,
    Jpeg,
}

impl Format {
    fn of(path: &Path, start: &[u8]) -> Result<Format> {
        match start {
            [0x89, b'P', b'N', b'G', ..] => Ok(Format::Png),
            [0xff, 0xd8, 0xff, ..] => Ok(Format::Jpeg),
            [] => Err(Error::file(path, "is empty, not a PNG or JPEG image")),
            _ => Err(Error::file(path, "is not a PNG or JPEG image (its first bytes are of neither)")),
        }
    }
}

/// The size of a PNG or JPEG image, `[height, width]`, from its header alone.
///
/// # Errors
/// If the file is no regular file, cannot be read or is neither a PNG nor a JPEG image.
pub fn read_size(path: impl AsRef<Path>) -> Result<[usize; 2]> {
    Ok(header(path.as_ref())?.size)
}

fn header(path: &Path) -> Result<Header> {
    let (file, _) = open_regular(path, "open the image")?;
    let mut file = BufReader::with_capacity(4096, file);
    let mut start = Vec::new();
    file.by_ref().take(4).read_to_end(&mut start).map_err(Error::io(path, "read the image"))?;
    file.rewind().map_err(Error::io(path, "read the image"))?;
    match Format::of(path, &start)? {
        Format::Png => png::header(path, file),
        Format::Jpeg => jpeg::header(path, file),
    }
}

/// Reads a PNG or JPEG image as bytes: `[height, width]`, or `[3, height, width]` in colour. Transparent parts show
/// black; 16 bits become 8.
///
/// ```
/// use hadal::{Tensor, format::image::{Channels, read, write_png}};
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("image.png");
/// write_png(&path, &Tensor::from([[0.0, 1.0], [1.0, 0.0]]))?;
/// assert_eq!(read(&path, Channels::Grey)?.to_vec::<u8>(), [0, 255, 255, 0]);
/// assert_eq!(read(&path, Channels::Rgb)?.shape(), &[3, 2, 2]);
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// # Errors
/// If the file is no regular file, cannot be read, is neither a PNG nor a JPEG image, is damaged or cut short, has
/// more than 67,108,864 pixels (8192 x 8192), or does not fit into memory.
pub fn read(path: impl AsRef<Path>, channels: Channels) -> Result<Tensor> {
    let ([height, width], planes) = decode(path.as_ref(), channels)?;
    Ok(match channels {
        Channels::Grey => Tensor::from_vec(planes, [height, width]),
        Channels::Rgb => Tensor::from_vec(planes, [3, height, width]),
    })
}

/// Size and planes of an image.
fn decode(path: &Path, channels: Channels) -> Result<([usize; 2], Vec<u8>)> {
    let (file, length) = open_regular(path, "open the image")?;
    let bytes = read_whole(path, file, length)?;
    let samples = match Format::of(path, &bytes)? {
        Format::Png => png::samples(path, &bytes)?,
        Format::Jpeg => jpeg::samples(path, &bytes)?,
    };
    Ok((samples.size, samples.planes(channels)))
}

fn read_whole(path: &Path, file: File, length: u64) -> Result<Vec<u8>> {
    if length > MOST_BYTES {
        let most = memory::show(MOST_BYTES as usize);
        return Err(Error::file(path, format!("has {length} bytes, more than the {most} of an image that is read")));
    }
    let mut bytes = memory::reserve(length as usize + 1).map_err(|reason| Error::file(path, reason))?;
    file.take(MOST_BYTES).read_to_end(&mut bytes).map_err(Error::io(path, "read the image"))?;
    Ok(bytes)
}

impl Samples {
    /// One plane of greys, or three of colours, one after the other.
    fn planes(self, channels: Channels) -> Vec<u8> {
        let pixels = self.bytes.chunks_exact(self.per_pixel);
        match (self.per_pixel, channels) {
            (1, Channels::Grey) => self.bytes,
            (1, Channels::Rgb) => self.bytes.repeat(3),
            (_, Channels::Grey) => pixels.map(|pixel| luma(over_black(pixel))).collect(),
            (_, Channels::Rgb) => {
                let plane = |channel: usize| pixels.clone().map(move |pixel| over_black(pixel)[channel]);
                (0..3).flat_map(plane).collect()
            }
        }
    }
}

/// The colours of a pixel of 1 to 4 samples, times its opacity.
fn over_black(pixel: &[u8]) -> [u8; 3] {
    let times = |value: u8, opacity: u8| ((u32::from(value) * u32::from(opacity) + 127) / 255) as u8;
    match *pixel {
        [grey] => [grey; 3],
        [grey, opacity] => [times(grey, opacity); 3],
        [r, g, b] => [r, g, b],
        [r, g, b, opacity, ..] => [r, g, b].map(|value| times(value, opacity)),
        [] => [0; 3],
    }
}

/// Luma by ITU-R BT.601, in Pillow's whole numbers: 0.299, 0.587 and 0.114 times 2^16.
fn luma([r, g, b]: [u8; 3]) -> u8 {
    ((u32::from(r) * 19595 + u32::from(g) * 38470 + u32::from(b) * 7471 + 0x8000) >> 16) as u8
}

#[cfg(test)]
mod tests;
