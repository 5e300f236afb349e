//! How tensors print: `{}` prints the numbers as PyTorch does, `{:?}` dtype, shape and the first numbers on one line.

use std::fmt;

use crate::dtype::DType;
use crate::ops::concat;
use crate::tensor::Tensor;

/// Tensors of more elements are summarized, as in PyTorch.
const THRESHOLD: usize = 1000;
/// How many elements a summary shows at each end of an axis.
const EDGE: usize = 3;
/// How many elements `{:?}` shows.
const DEBUG_ELEMENTS: usize = 16;

/// Prints the numbers: nested brackets, one row per line, columns aligned.
///
/// Floats have 4 decimals or as many as the format asks for. Without a precision, floats that are all integers print as
/// `1.`. Numbers that differ by more than a factor of 1000, are above 1e8 or below 1e-4 print in scientific notation. Of
/// more than 1000 elements, the first and last 3 along each axis are shown. These are PyTorch's rules.
///
/// ```
/// use hadal_tensor::Tensor;
/// let x = Tensor::from([[1.0, -0.5], [0.25, 10.0]]);
/// assert_eq!(x.to_string(), "[[ 1.0000, -0.5000],\n [ 0.2500, 10.0000]]");
/// assert_eq!(format!("{:.1}", Tensor::from([1.0, 2.5])), "[1.0, 2.5]");
/// assert_eq!(Tensor::arange(2000).to_string(), "[   0,    1,    2,  ..., 1997, 1998, 1999]");
/// ```
impl fmt::Display for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.elements() == 0 {
            f.write_str("[]")?;
            return if self.rank() > 1 { write!(f, ", shape {}", self.shape()) } else { Ok(()) };
        }
        let summarized = self.elements() > THRESHOLD;
        let shown = if summarized { edges(&self.detach(), 0) } else { self.detach() };
        let cells = cells(&shown, f.precision());
        let width = cells.iter().map(String::len).max().unwrap_or(0);
        let elided: Vec<bool> = self.shape().iter().map(|&size| summarized && size > 2 * EDGE).collect();
        write_axis(f, &cells, width, shown.shape(), &elided, 1)
    }
}

/// Prints dtype, shape, the first 16 numbers, and whether the tensor is a leaf or tracked.
///
/// ```
/// use hadal_tensor::Tensor;
/// assert_eq!(format!("{:?}", Tensor::arange(3)), "Tensor(i64 [3], [0, 1, 2])");
/// ```
impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tensor({} {}, ", self.dtype(), self.shape())?;
        let first = first_elements(&self.detach());
        match (self.rank(), self.dtype()) {
            (0, DType::F32) => write!(f, "{:?}", first.to_vec::<f32>()[0])?,
            (0, DType::F64) => write!(f, "{:?}", first.to_vec::<f64>()[0])?,
            (0, DType::I64) => write!(f, "{:?}", first.to_vec::<i64>()[0])?,
            (0, DType::U8) => write!(f, "{:?}", first.to_vec::<u8>()[0])?,
            (0, DType::Bool) => write!(f, "{:?}", first.to_vec::<bool>()[0])?,
            (_, DType::F32) => write_first(f, &first.to_vec::<f32>())?,
            (_, DType::F64) => write_first(f, &first.to_vec::<f64>())?,
            (_, DType::I64) => write_first(f, &first.to_vec::<i64>())?,
            (_, DType::U8) => write_first(f, &first.to_vec::<u8>())?,
            (_, DType::Bool) => write_first(f, &first.to_vec::<bool>())?,
        }
        f.write_str(match (self.elements() > DEBUG_ELEMENTS, self.is_leaf(), self.is_tracked()) {
            (true, true, _) => ".., requires_grad)",
            (true, false, true) => ".., tracked)",
            (true, false, false) => "..)",
            (false, true, _) => ", requires_grad)",
            (false, false, true) => ", tracked)",
            (false, false, false) => ")",
        })
    }
}

fn write_first<T: fmt::Debug>(f: &mut fmt::Formatter<'_>, numbers: &[T]) -> fmt::Result {
    write!(f, "{:?}", &numbers[..numbers.len().min(DEBUG_ELEMENTS)])
}

/// A small part that holds the first elements in row-major order: the tensor may be a view of more than memory holds.
fn first_elements(x: &Tensor) -> Tensor {
    let (mut part, mut room) = (x.clone(), DEBUG_ELEMENTS);
    for axis in (0..x.rank()).rev() {
        let size = x.shape()[axis];
        part = part.narrow(axis as isize, 0, size.min(room));
        room = room.div_ceil(size.max(1));
    }
    part
}

/// The first and last elements along each axis from `axis` on. Narrowed before it is joined, so that little is copied.
fn edges(x: &Tensor, axis: usize) -> Tensor {
    if axis == x.rank() {
        return x.clone();
    }
    let size = x.shape()[axis];
    if size <= 2 * EDGE {
        return edges(x, axis + 1);
    }
    let ends = [0, size - EDGE].map(|start| edges(&x.narrow(axis as isize, start, EDGE), axis + 1));
    concat(&ends, axis as isize)
}

/// Each element as text, in row-major order.
fn cells(x: &Tensor, precision: Option<usize>) -> Vec<String> {
    fn texts<T: ToString>(numbers: Vec<T>) -> Vec<String> {
        numbers.iter().map(T::to_string).collect()
    }
    match x.dtype() {
        DType::I64 => texts(x.to_vec::<i64>()),
        DType::U8 => texts(x.to_vec::<u8>()),
        DType::Bool => texts(x.to_vec::<bool>()),
        DType::F64 => floats(&x.to_vec::<f64>(), precision),
        DType::F32 => floats(&x.to_vec::<f32>().into_iter().map(f64::from).collect::<Vec<_>>(), precision),
    }
}

/// Floats in one notation for all of them, chosen as PyTorch chooses it.
fn floats(numbers: &[f64], precision: Option<usize>) -> Vec<String> {
    let decimals = precision.unwrap_or(4);
    let sizes = || numbers.iter().map(|number| number.abs()).filter(|&size| size.is_finite() && size > 0.0);
    let (smallest, largest) = (sizes().fold(f64::INFINITY, f64::min), sizes().fold(0.0, f64::max));
    let integers = sizes().all(|size| size.fract() == 0.0);
    let scientific = largest > 0.0 && (largest / smallest > 1000.0 || largest > 1e8 || smallest < 1e-4);
    let text = |&number: &f64| match number {
        number if number.is_nan() => "nan".to_owned(),
        number if number.is_infinite() => number.to_string(),
        number if scientific => with_long_exponent(&format!("{number:.decimals$e}")),
        number if integers && precision.is_none() => format!("{number:.0}."),
        number => format!("{number:.decimals$}"),
    };
    numbers.iter().map(text).collect()
}

/// `1.5e-3` as `1.5e-03`: a sign and at least two digits, as everywhere but in Rust.
fn with_long_exponent(text: &str) -> String {
    let (mantissa, exponent) = text.split_once('e').expect("scientific notation has an exponent");
    match exponent.strip_prefix('-') {
        Some(digits) => format!("{mantissa}e-{digits:0>2}"),
        None => format!("{mantissa}e+{exponent:0>2}"),
    }
}

/// Writes the elements of `shape`; `elided` tells for each axis whether its middle is left out.
fn write_axis(
    f: &mut fmt::Formatter<'_>,
    cells: &[String],
    width: usize,
    shape: &[usize],
    elided: &[bool],
    indent: usize,
) -> fmt::Result {
    let [size, inner @ ..] = shape else { return write!(f, "{:>width$}", cells[0]) };
    f.write_str("[")?;
    for (index, part) in cells.chunks(cells.len() / size).enumerate() {
        let separate = |f: &mut fmt::Formatter<'_>| match inner.len() {
            0 => f.write_str(", "),
            breaks => write!(f, ",{}{:indent$}", "\n".repeat(breaks), ""),
        };
        if index > 0 {
            separate(f)?;
        }
        if elided[0] && index == EDGE {
            f.write_str(if inner.is_empty() { " ..." } else { "..." })?;
            separate(f)?;
        }
        write_axis(f, part, width, inner, &elided[1..], indent + 1)?;
    }
    f.write_str("]")
}
