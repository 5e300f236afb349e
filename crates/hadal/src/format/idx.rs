//! IDX, the format of MNIST's files: a magic number, sizes, then bytes; usually compressed with gzip.
//!
//! Source: Y. LeCun, C. Cortes and C. Burges, "The MNIST database of handwritten digits".

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::{Error, Result, Tensor};

/// The largest array that is read: 2 GiB, 40 times MNIST.
const LARGEST: usize = 2 << 30;

/// The most that gzip compresses (zlib's documentation, "Maximum Expansion Factor").
const LARGEST_RATIO: usize = 1032;

/// Reads a gzip-compressed IDX file of unsigned bytes with `axes` axes: a tensor of `u8` with the file's shape.
///
/// # Errors
/// If the file is missing, not gzip, damaged, cut short or too long, or holds something else.
pub fn read_gzip(path: &Path, axes: usize) -> Result<Tensor> {
    let mut file = File::open(path).map_err(Error::io(path, "open the file"))?;
    let mut compressed = Vec::new();
    file.read_to_end(&mut compressed).map_err(Error::io(path, "read the file"))?;
    if !compressed.starts_with(&[0x1f, 0x8b]) {
        return Err(Error::file(path, "is not a gzip file (it does not begin with the bytes 1f 8b)"));
    }
    let damaged = |error: std::io::Error| {
        let hint = "fetch it again, and compare its SHA-256 with the one published";
        Error::file(path, format!("is damaged or cut short ({error}); {hint}"))
    };
    let mut reader = flate2::read::GzDecoder::new(&compressed[..]);
    let mut header = vec![0; 4 + 4 * axes];
    reader.read_exact(&mut header).map_err(damaged)?;
    let number = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let magic = 0x0800 + axes as u32;
    if number(0) != magic {
        let what = if axes == 1 { "labels" } else { "images" };
        return Err(Error::file(
            path,
            format!("has magic number 0x{:08x}, but IDX {what} begin with 0x{magic:08x}", number(0)),
        ));
    }
    let sizes: Vec<usize> = (0..axes).map(|axis| number(4 + 4 * axis) as usize).collect();
    let length = sizes.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
    let Some(length) = length.filter(|&length| length <= LARGEST) else {
        return Err(Error::file(path, format!("claims {sizes:?} elements, more than the {LARGEST} that are read")));
    };
    let cut_short = |bytes| Error::file(path, format!("is cut short: {bytes} of {length} bytes for shape {sizes:?}"));
    // A forged header should not cost memory that the file could not fill.
    if length > compressed.len().saturating_mul(LARGEST_RATIO) {
        return Err(cut_short(0));
    }
    let data = Tensor::bytes_from(sizes.as_slice(), |bytes| {
        let mut filled = 0;
        while filled < length {
            match reader.read(&mut bytes[filled..]).map_err(damaged)? {
                0 => return Err(cut_short(filled)),
                read => filled += read,
            }
        }
        Ok(())
    })?;
    // Reading on to the end checks the checksum, too.
    if reader.read(&mut [0]).map_err(damaged)? != 0 {
        return Err(Error::file(path, format!("holds more than the {length} bytes that its shape {sizes:?} says")));
    }
    Ok(data)
}
