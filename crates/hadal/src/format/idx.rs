//! IDX, the format of MNIST's files: a magic number, sizes, then bytes; usually compressed with gzip.
//!
//! Source: Y. LeCun, C. Cortes and C. Burges, "The MNIST database of handwritten digits".

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::open::open_regular;
use crate::{Error, MAX_RANK, Result, Shape, Tensor, memory};

/// The largest array that is read: 2 GiB, 40 times MNIST.
const LARGEST: usize = 2 << 30;

/// The most that gzip compresses (zlib's documentation, "Maximum Expansion Factor").
const LARGEST_RATIO: u64 = 1032;

/// Reads a gzip-compressed IDX file of unsigned bytes with `axes` axes: a tensor of `u8` with the file's shape.
///
/// # Errors
/// As [`open_gzip`], and if the data is damaged, cut short or too long, or does not fit into memory.
pub fn read_gzip(path: &Path, axes: usize) -> Result<Tensor> {
    open_gzip(path, axes)?.read()
}

/// A gzip-compressed IDX file whose header has been read.
pub struct IdxFile {
    path: PathBuf,
    shape: Shape,
    data: MultiGzDecoder<BufReader<File>>,
}

/// Opens a gzip-compressed IDX file of unsigned bytes with `axes` axes, and reads its header alone.
///
/// # Errors
/// If the file is missing, no regular file, not gzip, holds something else, or claims more than 2 GiB or more than a file of
/// its length can hold.
pub fn open_gzip(path: &Path, axes: usize) -> Result<IdxFile> {
    if axes == 0 || axes > MAX_RANK {
        return Err(Error::Config(format!("IDX files of 1 to {MAX_RANK} axes are read, not of {axes}")));
    }
    let (file, compressed) = open_regular(path, "open the file")?;
    let mut file = BufReader::with_capacity(64 * 1024, file);
    if !file.fill_buf().map_err(Error::io(path, "read the file"))?.starts_with(&[0x1f, 0x8b]) {
        return Err(Error::file(path, "is not a gzip file (it does not begin with the bytes 1f 8b)"));
    }
    let mut data = MultiGzDecoder::new(file);
    let mut header = [0; 4 + 4 * MAX_RANK];
    let header = &mut header[..4 + 4 * axes];
    data.read_exact(header).map_err(damaged(path))?;
    let mut numbers = header.as_chunks().0.iter().map(|&bytes| u32::from_be_bytes(bytes));
    let (found, magic) = (numbers.next(), 0x0800 + axes as u32);
    if found != Some(magic) {
        let what = if axes == 1 { "labels" } else { "images" };
        let found = found.unwrap_or_default();
        return Err(Error::file(
            path,
            format!("has magic number 0x{found:08x}, but IDX {what} begin with 0x{magic:08x}"),
        ));
    }
    let sizes: Vec<usize> = numbers.map(|size| size as usize).collect();
    let shape = Shape::try_new(&sizes).ok().filter(|shape| shape.elements() <= LARGEST);
    let Some(shape) = shape else {
        return Err(Error::file(path, format!("declares {sizes:?} elements, more than the maximum of {LARGEST}")));
    };
    let file = IdxFile { path: path.to_owned(), shape, data };
    // A forged header should not cost memory that the file could not fill.
    if shape.elements() as u64 > compressed.saturating_mul(LARGEST_RATIO) { Err(file.cut_short(0)) } else { Ok(file) }
}

impl IdxFile {
    /// The shape of the data.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Reads the data: `u8`, of the file's [`shape`](IdxFile::shape).
    ///
    /// # Errors
    /// If the data is damaged, cut short or longer than its header says, or does not fit into memory.
    pub fn read(mut self) -> Result<Tensor> {
        let (shape, length) = (self.shape, self.shape.elements());
        memory::require(length).map_err(|reason| Error::file(&self.path, reason))?;
        let data = Tensor::bytes_from(shape, |bytes| {
            let mut filled = 0;
            while filled < length {
                match self.data.read(&mut bytes[filled..]).map_err(damaged(&self.path))? {
                    0 => return Err(self.cut_short(filled)),
                    read => filled += read,
                }
            }
            Ok(())
        })?;
        // Reading on to the end checks the checksum, and what follows it.
        if self.data.read(&mut [0]).map_err(damaged(&self.path))? != 0 {
            let reason = format!("holds more than the {length} bytes that its shape {shape} says");
            return Err(Error::file(&self.path, reason));
        }
        Ok(data)
    }

    fn cut_short(&self, bytes: usize) -> Error {
        let length = self.shape.elements();
        Error::file(&self.path, format!("is truncated: it has {bytes} of {length} bytes for shape {}", self.shape))
    }
}

fn damaged(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    move |error| {
        let hint = "fetch it again, and compare its SHA-256 with the one published";
        Error::file(path, format!("is damaged or cut short ({error}); {hint}"))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn idx(sizes: &[u32], data: &[u8]) -> Vec<u8> {
        let header = [&[0x0800 + sizes.len() as u32][..], sizes].concat();
        header.into_iter().flat_map(u32::to_be_bytes).chain(data.iter().copied()).collect()
    }

    /// What becomes of a file with these bytes, read with so many axes.
    fn read(bytes: &[u8], axes: usize) -> Result<Tensor> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.gz");
        std::fs::write(&path, bytes).unwrap();
        read_gzip(&path, axes)
    }

    #[test]
    fn whole_files_are_read_in_one_gzip_member_or_several() {
        let whole = idx(&[2, 3], &[1, 2, 3, 4, 5, 6]);
        let several: Vec<u8> = whole.chunks(5).flat_map(gzip).collect();
        for bytes in [gzip(&whole), several] {
            let tensor = read(&bytes, 2).unwrap();
            assert_eq!((tensor.shape().to_vec(), tensor.to_vec::<u8>()), (vec![2, 3], vec![1, 2, 3, 4, 5, 6]));
        }
        assert_eq!(read(&gzip(&idx(&[0, 3], &[])), 2).unwrap().shape(), &[0, 3]);
    }

    #[test]
    fn other_files_are_refused_with_the_reason() {
        let good = gzip(&idx(&[2, 3], &[1, 2, 3, 4, 5, 6]));
        let huge = u32::MAX;
        let cases: [(Vec<u8>, usize, &str); 8] = [
            (good.clone(), 0, "1 to 6 axes"),
            (good.clone(), 7, "1 to 6 axes"),
            (good.clone(), 3, "magic number 0x00000802"),
            ([&good[..], b"trailing"].concat(), 2, "is damaged"),
            ([&good[..], &good[..]].concat(), 2, "holds more than the 6 bytes"),
            (gzip(&idx(&[0, huge, huge, huge], &[])), 4, "more than the"),
            (gzip(&idx(&[huge, 0, huge, huge], &[])), 4, "more than the"),
            (gzip(&idx(&[1 << 30, 1], &[0; 9])), 2, "is truncated: it has 0 of 1073741824"),
        ];
        for (bytes, axes, words) in cases {
            let message = read(&bytes, axes).unwrap_err().to_string();
            assert!(message.contains(words), "{message:?} does not say {words:?}");
        }
    }
}
