//! Arrays of NumPy as a dataset.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::rows::fits_in_memory;
use super::{Dataset, Rows};
use crate::finite::first_not_finite;
use crate::format::npy::{self, Array, DiskRows};
use crate::format::npz;
use crate::{DType, Error, Result, Tensor, for_each_part};

/// How much is looked through for numbers that are not finite at a time.
const BLOCK: usize = 1 << 20;

/// Arrays that NumPy saved: a folder with `x.npy` and `y.npy`, or an `.npz` archive with `x` and `y`.
///
/// `x` is `[N, ..]`, the inputs. Floats become `f32`, bytes stay bytes, truth values become bytes 0 and 1, and wider
/// integers become `i64`: indices, for an embedding. `y` is `[N]` or `[N, 1]` of integers, the classes from 0 on, or
/// floats, `[N]` or `[N, k]`, the numbers of a regression. Floats that are whole numbers are numbers all the same.
///
/// ```
/// use hadal::data::NumPy;
/// use hadal::format::npy;
/// use hadal::prelude::*;
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path();
/// npy::write(path.join("x.npy"), &Tensor::from([[1.0, 2.0], [3.0, 4.0]]))?; // np.save("x.npy", x)
/// npy::write(path.join("y.npy"), &Tensor::from_slice(&[0i64, 1], [2]))?;
/// let data = NumPy::load(path)?;
/// assert_eq!((data.len(), data.input_shape()), (2, Shape::from([2])));
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct NumPy {
    path: PathBuf,
    x: Array,
    y: Array,
    in_memory: Option<bool>,
    wanted: Wanted,
}

/// What `y` is taken for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wanted {
    /// What its type says.
    ByType,
    Classes,
    Numbers,
}

impl NumPy {
    /// The arrays of a folder or an `.npz` archive as a dataset, in memory or on disk by their size.
    ///
    /// # Errors
    /// As [`open`](NumPy::open) and [`dataset`](NumPy::dataset).
    pub fn load(path: impl AsRef<Path>) -> Result<Dataset> {
        NumPy::open(path)?.dataset()
    }

    /// Opens the arrays, and reads their headers alone.
    ///
    /// # Errors
    /// If there is no `x` or no `y`, their lengths differ, they are empty, or one cannot be read; see [`npy::open`]
    /// and [`npz::Archive::open`].
    pub fn open(path: impl AsRef<Path>) -> Result<NumPy> {
        let path = path.as_ref();
        let (x, y) = (find(path, "x")?.for_training(), find(path, "y")?);
        let (samples, targets) = (x.shape()[0], y.shape()[0]);
        if samples != targets {
            return Err(Error::file(
                path,
                format!(
                    "has {samples} samples in `x` (shape {}), but {targets} in `y` (shape {})",
                    x.shape(),
                    y.shape()
                ),
            ));
        }
        if samples == 0 {
            return Err(x.error("holds no samples"));
        }
        Ok(NumPy { path: path.to_owned(), x, y, in_memory: None, wanted: Wanted::ByType })
    }

    /// Whether `x` is kept in memory, or read when a batch needs it. Default: in memory up to 256 MiB, if four times
    /// as much is available, and also if it cannot be read row by row: compressed or in Fortran order.
    pub fn in_memory(self, in_memory: bool) -> NumPy {
        NumPy { in_memory: Some(in_memory), ..self }
    }

    /// Takes `y` for classes, also where it holds floats that are whole numbers from 0 on: `[N]` or `[N, 1]`.
    ///
    /// ```
    /// use hadal::data::NumPy;
    /// use hadal::format::npy;
    /// use hadal::prelude::*;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path();
    /// npy::write(path.join("x.npy"), &Tensor::from([[1.0], [2.0], [3.0]]))?;
    /// npy::write(path.join("y.npy"), &Tensor::from([1.0, 0.0, 1.0]))?;
    /// let data = NumPy::open(path)?.classification().dataset()?;
    /// assert_eq!(data.targets().to_vec::<i64>(), [1, 0, 1]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn classification(self) -> NumPy {
        NumPy { wanted: Wanted::Classes, ..self }
    }

    /// Takes `y` for the numbers of a regression, also where it holds integers, which may be negative: `[N]` or `[N, k]`.
    pub fn regression(self) -> NumPy {
        NumPy { wanted: Wanted::Numbers, ..self }
    }

    /// Inputs and targets. Floats are looked through once, also on disk.
    ///
    /// # Errors
    /// If `y` is neither of classes nor of numbers, a class is negative or no whole number, an input or target is NaN, infinite or too
    /// large for `f32`, an array is damaged or does not fit into memory, or `x` is to stay on disk and cannot be read
    /// row by row.
    pub fn dataset(&self) -> Result<Dataset> {
        let name = self.path.file_stem().unwrap_or(self.path.as_os_str()).to_string_lossy().into_owned();
        let targets = targets(&self.y, self.wanted)?;
        let in_memory = self.in_memory.unwrap_or_else(|| !self.x.has_rows() || fits_in_memory(self.x.bytes()));
        if in_memory {
            let inputs = self.x.read()?;
            check_finite(&self.x, &inputs)?;
            return Dataset::new(&name, inputs, targets);
        }
        let rows = self.x.rows()?;
        check_rows(&self.x, &rows)?;
        Dataset::from_rows(&name, Arc::new(rows), targets)
    }

    /// The inputs alone, in memory, for predictions: an `.npy` file, or the `x` of a folder or an archive, which need
    /// no `y`.
    ///
    /// # Errors
    /// As [`dataset`](NumPy::dataset).
    pub fn read_inputs(path: impl AsRef<Path>) -> Result<Tensor> {
        let path = path.as_ref();
        let x = if is_archive(path)? || path.is_dir() { find(path, "x")? } else { npy::open(path)? }.for_training();
        let inputs = x.read()?;
        check_finite(&x, &inputs)?;
        Ok(inputs)
    }
}

/// Whether the file begins as a zip archive does.
fn is_archive(path: &Path) -> Result<bool> {
    use std::io::Read;
    if path.is_dir() {
        return Ok(false);
    }
    let (file, _) = crate::format::open_regular(path, "open the arrays")?;
    let mut start = Vec::new();
    file.take(4).read_to_end(&mut start).map_err(Error::io(path, "read the arrays"))?;
    Ok(matches!(&start[..], b"PK\x03\x04" | b"PK\x05\x06"))
}

/// The array of that name in a folder or an archive.
fn find(path: &Path, name: &str) -> Result<Array> {
    if path.is_dir() {
        let file = path.join(name).with_extension("npy");
        if file.exists() {
            return npy::open(file);
        }
        let mut names = Vec::new();
        for entry in std::fs::read_dir(path).map_err(Error::io(path, "read the folder"))? {
            let entry = entry.map_err(Error::io(path, "read the folder"))?;
            names.extend(entry.file_name().to_str().and_then(|name| name.strip_suffix(".npy")).map(str::to_owned));
        }
        names.sort();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        return Err(Error::file(path, format!("{} (`{name}.npy` is looked for)", npz::missing(name, &names))));
    }
    if is_archive(path)? {
        return npz::open(path)?.open(name);
    }
    // What is no array says so; an array alone has no targets.
    npy::open(path)?;
    Err(Error::file(path, "is one array; a folder with x.npy and y.npy or an .npz archive with x and y is expected"))
}

/// Classes as `i64`, or numbers as `f32`.
fn targets(y: &Array, wanted: Wanted) -> Result<Tensor> {
    let (shape, samples) = (*y.shape(), y.shape()[0]);
    let y = y.clone().for_training();
    if wanted == Wanted::Numbers || wanted == Wanted::ByType && y.dtype().is_float() {
        if shape.rank() > 2 || shape.elements() == 0 {
            return Err(
                y.error(format!("has shape {shape}; targets of a regression are [{samples}] or [{samples}, k]"))
            );
        }
        let numbers = y.read()?;
        check_finite(&y, &numbers)?;
        return Ok(if numbers.dtype().is_float() { numbers } else { numbers.to_dtype(DType::F32) });
    }
    if shape.elements() != samples || shape.rank() > 2 {
        return Err(y.error(format!(
            "has shape {shape}; classes, which are integers, are [{samples}] (of one-hot rows y.argmax(1)); \
             numbers of a regression are floats: .astype('<f4')"
        )));
    }
    let labels = y.read()?;
    if labels.dtype().is_float() {
        check_finite(&y, &labels)?;
        let values = labels.to_vec::<f32>();
        if let Some(sample) = values.iter().position(|label| label.fract() != 0.0) {
            let label = values[sample];
            return Err(y.error(format!("holds {label} for sample {sample}; classes are whole numbers, from 0 on")));
        }
    }
    let classes = labels.to_dtype(DType::I64).reshape([samples]);
    let values = classes.to_vec::<i64>();
    match values.iter().position(|class| *class < 0) {
        None => Ok(classes),
        Some(sample) => Err(y.error(format!(
            "holds {} for sample {sample}; integers are classes, from 0 on; \
             numbers of a regression are floats: .astype('<f4')",
            values[sample]
        ))),
    }
}

/// That every float is finite, or which sample holds another.
fn check_finite(array: &Array, values: &Tensor) -> Result<()> {
    match first_not_finite(values) {
        None => Ok(()),
        Some((element, value)) => Err(not_finite(array, element, value)),
    }
}

fn not_finite(array: &Array, element: usize, value: f64) -> Error {
    let shape = array.shape();
    let row = (shape.elements() / shape[0]).max(1);
    let place = if row == 1 { String::new() } else { format!(", at element {} of its {row}", element % row) };
    let narrowed =
        if array.is_narrowed() && value.is_infinite() { " (as f32, which 64-bit floats become)" } else { "" };
    array.error(format!("holds {value}{narrowed} in sample {}{place}; every number must be finite", element / row))
}

/// As [`check_finite`], of rows on disk, a block of them at a time, in parallel.
fn check_rows(array: &Array, rows: &DiskRows) -> Result<()> {
    if !rows.dtype().is_float() {
        return Ok(());
    }
    let row = rows.sample_shape().elements();
    let step = (BLOCK / (row * rows.dtype().size()).max(1)).max(1);
    let mut found: Vec<Result<Option<(usize, f64)>>> = Vec::new();
    found.resize_with(rows.len().div_ceil(step), || Ok(None));
    for_each_part(&mut found, 1, |block, out| {
        let start = block * step;
        let indices: Vec<usize> = (start..rows.len().min(start + step)).collect();
        let first = |values| first_not_finite(&values).map(|(element, value)| (start * row + element, value));
        out[0] = rows.read(&indices).map(first);
    });
    for block in found {
        if let Some((element, value)) = block? {
            return Err(not_finite(array, element, value));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
