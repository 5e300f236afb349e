//! Arrays of NumPy: `.npy`.
//!
//! Format versions 1.0, 2.0 and 3.0, little-endian, of booleans, integers of 8 to 64 bits and floats of 16, 32 or 64
//! bits. Object arrays are pickles, which could run code; they are refused.
//!
//! Source: NEP 1, "A Simple File Format for NumPy Arrays", and the documentation of `numpy.lib.format`.

mod header;
mod number;
mod rows;

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use header::Header;
use number::Number;
pub use rows::DiskRows;

use super::at::{At, read_exact_at};
use super::npz;
use super::open::open_regular;
use crate::{DType, Element, Error, Result, Shape, Tensor};

/// An array on disk whose header has been read.
///
/// ```
/// use hadal::{DType, Shape, Tensor, format::npy};
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("x.npy");
/// npy::write(&path, &Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))?;
/// let array = npy::open(&path)?;
/// assert_eq!((array.shape(), array.dtype()), (&Shape::from([2, 3]), DType::F32));
/// assert_eq!(array.read()?.to_vec::<f32>(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Array {
    path: PathBuf,
    file: Arc<File>,
    header: Header,
    /// What is read as: the type of the numbers, or one that they are turned into.
    dtype: DType,
    place: Place,
}

/// Where an array's bytes are.
#[derive(Clone, Debug)]
enum Place {
    /// A file of its own.
    File,
    /// A member of an archive.
    Member(npz::Member),
}

/// Opens an `.npy` file, and reads its header alone.
///
/// # Errors
/// If the file is no regular file, cannot be read, is not an `.npy` file, or its length is not the one that its
/// header says; if the array is of objects, big-endian, structured or of another type that a tensor does not hold; if
/// it has no axes or more than [`MAX_RANK`](crate::MAX_RANK).
pub fn open(path: impl AsRef<Path>) -> Result<Array> {
    let path = path.as_ref();
    let (file, length) = open_regular(path, "open the array")?;
    let file = Arc::new(file);
    let header = Header::read(BufReader::new(At::new(file.clone(), 0))).map_err(|reason| Error::file(path, reason))?;
    Array::new(path.to_owned(), file, header, length, Place::File)
}

/// Writes a tensor as an `.npy` file (format version 1.0, C order): `f32`, `f64`, `i64`, `u8` or `bool`.
///
/// # Errors
/// If the file cannot be written.
pub fn write(path: impl AsRef<Path>, tensor: &Tensor) -> Result<()> {
    let number = Number::of(tensor.dtype())?;
    super::write_atomically(path.as_ref(), |out| {
        out.write_all(&header::write(number, tensor.shape()))?;
        // A few rows at a time: the tensor is not held twice.
        let tensor = tensor.detach();
        let tensor = if tensor.shape().rank() == 0 { tensor.reshape([1]) } else { tensor };
        let rows = tensor.size(0);
        let step = ((1 << 18) / (tensor.elements() / rows.max(1)).max(1)).max(1);
        for start in (0..rows).step_by(step) {
            let part = tensor.narrow(0, start, step.min(rows - start));
            out.write_all(&match number {
                Number::F32 => bytes(part, f32::to_le_bytes),
                Number::F64 => bytes(part, f64::to_le_bytes),
                Number::I64 => bytes(part, i64::to_le_bytes),
                Number::Bool => bytes(part, |truth: bool| [u8::from(truth)]),
                _ => part.to_vec::<u8>(),
            })?;
        }
        Ok(())
    })
}

fn bytes<T: Element, const N: usize>(part: Tensor, number: impl Fn(T) -> [u8; N]) -> Vec<u8> {
    part.to_vec::<T>().into_iter().flat_map(number).collect()
}

impl Array {
    /// Of a header, if it says what `length` bytes hold.
    fn new(path: PathBuf, file: Arc<File>, header: Header, length: u64, place: Place) -> Result<Array> {
        let array = Array { path, file, header, dtype: header.number.dtype(), place };
        let (wanted, found) = (u128::from(header.length) + header.bytes(), u128::from(length));
        if header.shape.rank() == 0 {
            return Err(array.error("holds one number without an axis (a 0-d array); an array needs at least one axis"));
        }
        if found < wanted {
            return Err(array.error(format!(
                "is cut short: it has {found} bytes, but an array of shape {} and dtype '{}' takes {wanted}",
                header.shape,
                header.number.descr()
            )));
        }
        if found > wanted {
            return Err(array.error(format!(
                "goes on for {} bytes after the array of shape {} that its header describes; \
                 one array in a file is read",
                found - wanted,
                header.shape
            )));
        }
        Ok(array)
    }

    /// Reads the header of an array of `length` bytes from `bytes`, where its place is a member of an archive.
    pub(super) fn of_member(
        path: PathBuf,
        file: Arc<File>,
        bytes: impl Read,
        length: u64,
        member: npz::Member,
    ) -> Result<Array> {
        let header = Header::read(bytes)
            .map_err(|reason| Error::file(&path, format!("member `{}.npy` {reason}", member.name())))?;
        Array::new(path, file, header, length, Place::Member(member))
    }

    /// The sizes of its axes, at least one.
    pub fn shape(&self) -> &Shape {
        &self.header.shape
    }

    /// The type of the tensor that it is read as: that of its numbers, `f32` for floats of 16 bits, and `i64` for
    /// integers other than `u8`.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The file; for a member of an archive, the archive.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Floats of 64 bits are read as ones of 32, and truth values as bytes: what networks train on.
    pub(crate) fn for_training(mut self) -> Array {
        self.dtype = match self.header.number {
            Number::F64 => DType::F32,
            Number::Bool => DType::U8,
            other => other.dtype(),
        };
        self
    }

    /// Whether 64-bit floats are read as 32-bit ones.
    pub(crate) fn is_narrowed(&self) -> bool {
        self.header.number == Number::F64 && self.dtype == DType::F32
    }

    /// The bytes that it takes in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.header.shape.elements().saturating_mul(self.dtype.size())
    }

    /// Whether [`rows`](Array::rows) can read it.
    pub(crate) fn has_rows(&self) -> bool {
        self.rows_reason().is_none()
    }

    fn rows_reason(&self) -> Option<&'static str> {
        if !self.header.is_c_order() {
            return Some(
                "is in Fortran order, whose rows are scattered over the file; \
                 save it with np.save(path, np.ascontiguousarray(array)) to read it row by row",
            );
        }
        match &self.place {
            Place::Member(member) if member.stored_at().is_none() => {
                Some("is compressed; save it with np.savez or np.save to read it row by row")
            }
            _ => None,
        }
    }

    /// Reads it into memory: a tensor of its shape, row-major. Floats and wide integers take twice their size
    /// meanwhile.
    ///
    /// # Errors
    /// If it cannot be read, has changed since it was opened, does not fit into memory, or holds an integer above
    /// 9,223,372,036,854,775,807; for a member of an archive, also if its checksum is wrong.
    pub fn read(&self) -> Result<Tensor> {
        match &self.place {
            Place::Member(member) => member.with_bytes(&self.path, &self.file, |bytes| {
                std::io::copy(&mut Read::take(&mut *bytes, self.header.length), &mut std::io::sink())?;
                let tensor = self.decode(|block| bytes.read_exact(block).map_err(|error| self.failed(error)));
                // The archive's reader checks the checksum at the end alone.
                std::io::copy(bytes, &mut std::io::sink())?;
                Ok(tensor)
            })?,
            Place::File => {
                let mut offset = self.header.length;
                self.decode(|block| {
                    read_exact_at(&self.file, block, offset).map_err(|error| self.failed(error))?;
                    offset += block.len() as u64;
                    Ok(())
                })
            }
        }
    }

    fn decode(&self, next: impl FnMut(&mut [u8]) -> Result<()>) -> Result<Tensor> {
        let header = &self.header;
        let reason = |reason| self.error(reason);
        if header.is_c_order() {
            return header.number.decode(header.shape, self.dtype, next, reason);
        }
        // Column-major: the shape, and then the axes, backwards.
        let sizes: Vec<usize> = header.shape.iter().rev().copied().collect();
        let axes: Vec<isize> = (0..sizes.len() as isize).rev().collect();
        let backwards = header.number.decode(Shape::from(sizes), self.dtype, next, reason)?;
        Ok(backwards.permute(&axes).contiguous())
    }

    /// The rows of the array, which stay on disk until they are read.
    ///
    /// ```
    /// use hadal::{Tensor, data::Rows, format::npy};
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("x.npy");
    /// npy::write(&path, &Tensor::from([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))?;
    /// let rows = npy::open(&path)?.rows()?;
    /// assert_eq!(rows.read(&[2, 0])?.to_vec::<f32>(), [5.0, 6.0, 1.0, 2.0]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If it is in Fortran order, or a compressed member of an archive. A member that is not compressed is read once,
    /// to check its checksum.
    pub fn rows(&self) -> Result<DiskRows> {
        if let Some(reason) = self.rows_reason() {
            return Err(self.error(reason));
        }
        let start = match &self.place {
            Place::File => 0,
            Place::Member(member) => {
                member.with_bytes(&self.path, &self.file, |bytes| std::io::copy(bytes, &mut std::io::sink()))?;
                member.stored_at().unwrap_or_default()
            }
        };
        Ok(DiskRows { start: start + self.header.length, array: self.clone() })
    }

    /// What is wrong with the array, by its file and its name there.
    pub(crate) fn error(&self, reason: impl Into<String>) -> Error {
        let reason = reason.into();
        match &self.place {
            Place::File => Error::file(&self.path, reason),
            Place::Member(member) => Error::file(&self.path, format!("member `{}.npy` {reason}", member.name())),
        }
    }

    fn failed(&self, error: std::io::Error) -> Error {
        match error.kind() {
            std::io::ErrorKind::UnexpectedEof => self.error("is cut short: it has become shorter since it was opened"),
            std::io::ErrorKind::InvalidData => self.error(format!("is damaged: {error}")),
            _ => Error::io(&self.path, "read the array")(error),
        }
    }
}

#[cfg(test)]
mod tests;
