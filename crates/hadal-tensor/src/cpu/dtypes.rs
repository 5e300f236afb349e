//! Storages of each dtype: what they are made of, and how views of one are read.

use super::buffer::{Buffer, Plain};
use super::copy;
use super::elementwise::piece;
use super::shared::Shared;
use super::threads::for_each_part;
use crate::backend::{Storage, View};
use crate::dtype::DType;
use crate::shape::Layout;

pub(super) const F32: fn(Buffer<f32>) -> Storage = |buffer| Storage::F32(Shared::new(buffer));
pub(super) const F64: fn(Buffer<f64>) -> Storage = |buffer| Storage::F64(Shared::new(buffer));
pub(super) const I64: fn(Buffer<i64>) -> Storage = |buffer| Storage::I64(Shared::new(buffer));
pub(super) const U8: fn(Buffer<u8>) -> Storage = |buffer| Storage::U8(Shared::new(buffer));
pub(super) const BOOL: fn(Buffer<u8>) -> Storage = |buffer| Storage::Bool(Shared::new(buffer));

/// Numbers of arbitrary value.
pub(super) fn scratch(elements: usize, dtype: DType) -> Storage {
    match dtype {
        DType::F32 => F32(Buffer::scratch(elements)),
        DType::F64 => F64(Buffer::scratch(elements)),
        DType::I64 => I64(Buffer::scratch(elements)),
        DType::U8 => U8(Buffer::scratch(elements)),
        // Old numbers are not truth values.
        DType::Bool => BOOL(Buffer::filled(elements, 0)),
    }
}

/// So many times one value.
pub(super) fn full(elements: usize, value: f64, dtype: DType) -> Storage {
    match dtype {
        DType::F32 => F32(filled(elements, value as f32)),
        DType::F64 => F64(filled(elements, value)),
        DType::I64 => I64(filled(elements, value as i64)),
        DType::U8 => U8(filled(elements, value as u8)),
        DType::Bool => BOOL(filled(elements, u8::from(value != 0.0))),
    }
}

/// A buffer that all threads fill.
fn filled<T: Plain>(elements: usize, value: T) -> Buffer<T> {
    let mut buffer = Buffer::scratch(elements);
    for_each_part(&mut buffer, piece(elements), |_, part| part.fill(value));
    buffer
}

/// Operations check dtypes before they come here.
pub(super) fn mismatch(kernel: &str, storage: &Storage) -> ! {
    unreachable!("{kernel} on {}: operations check dtypes first", storage.dtype())
}

pub(super) fn floats32(x: View<'_>) -> copy::Contiguous<'_, f32> {
    match x.storage {
        Storage::F32(values) => copy::contiguous(values, x.layout),
        other => mismatch("an operation on f32", other),
    }
}

pub(super) fn floats64(x: View<'_>) -> copy::Contiguous<'_, f64> {
    match x.storage {
        Storage::F64(values) => copy::contiguous(values, x.layout),
        other => mismatch("an operation on f64", other),
    }
}

pub(super) fn indices<'a>(index: View<'a>) -> (&'a [i64], &'a Layout) {
    match index.storage {
        Storage::I64(values) => (values, index.layout),
        other => mismatch("indexing", other),
    }
}

/// Matches one storage and rebuilds the same kind from the kernel's result.
macro_rules! same_kind {
    ($storage:expr, |$x:ident| floats: $float:expr) => {
        match $storage {
            Storage::F32($x) => F32($float),
            Storage::F64($x) => F64($float),
            other => mismatch("a floating-point kernel", other),
        }
    };
    ($storage:expr, |$x:ident| floats: $float:expr, integers: $integer:expr) => {
        match $storage {
            Storage::F32($x) => F32($float),
            Storage::F64($x) => F64($float),
            Storage::I64($x) => I64($integer),
            Storage::U8($x) => U8($integer),
            other => mismatch("an arithmetic kernel", other),
        }
    };
    ($storage:expr, |$x:ident| any: $any:expr) => {
        match $storage {
            Storage::F32($x) => F32($any),
            Storage::F64($x) => F64($any),
            Storage::I64($x) => I64($any),
            Storage::U8($x) => U8($any),
            Storage::Bool($x) => BOOL($any),
        }
    };
}

/// Matches two storages of one dtype.
macro_rules! both {
    ($a:expr, $b:expr, |$x:ident, $y:ident| floats: $float:expr, integers: $integer:expr) => {
        match ($a, $b) {
            (Storage::F32($x), Storage::F32($y)) => F32($float),
            (Storage::F64($x), Storage::F64($y)) => F64($float),
            (Storage::I64($x), Storage::I64($y)) => I64($integer),
            (Storage::U8($x), Storage::U8($y)) => U8($integer),
            (other, _) => mismatch("an arithmetic kernel", other),
        }
    };
    ($a:expr, $b:expr, |$x:ident, $y:ident| any: $any:expr) => {
        match ($a, $b) {
            (Storage::F32($x), Storage::F32($y)) => $any,
            (Storage::F64($x), Storage::F64($y)) => $any,
            (Storage::I64($x), Storage::I64($y)) => $any,
            (Storage::U8($x), Storage::U8($y)) => $any,
            (Storage::Bool($x), Storage::Bool($y)) => $any,
            (other, _) => mismatch("a kernel of two tensors of one dtype", other),
        }
    };
}

pub(super) use {both, same_kind};

/// An operation of two views of one floating-point dtype, given what they are views of.
macro_rules! bilinear {
    ($a:expr, $b:expr, |$x:ident, $y:ident| $result:expr) => {
        match ($a.storage, $b.storage) {
            (Storage::F32($x), Storage::F32($y)) => F32($result),
            (Storage::F64($x), Storage::F64($y)) => F64($result),
            (other, _) => mismatch("a convolution", other),
        }
    };
}
pub(super) use bilinear;
