//! The types of number an array can hold, and how they become those of a tensor.

use crate::{DType, Element, Error, Result, Shape, Tensor, memory};

/// How many bytes are decoded at a time: they stay in the processor's cache.
const BLOCK: usize = 1 << 18;

/// A type of number of NumPy that a tensor can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    Bool,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    F16,
    F32,
    F64,
}

use Number::*;

/// NumPy's names of them, of little-endian numbers.
const NAMES: [(Number, &str); 12] = [
    (Bool, "|b1"),
    (I8, "|i1"),
    (I16, "<i2"),
    (I32, "<i4"),
    (I64, "<i8"),
    (U8, "|u1"),
    (U16, "<u2"),
    (U32, "<u4"),
    (U64, "<u8"),
    (F16, "<f2"),
    (F32, "<f4"),
    (F64, "<f8"),
];

impl Number {
    /// The type of that name, or why there is none.
    pub fn parse(descr: &str) -> Result<Number, String> {
        if let Some((number, _)) = NAMES.iter().find(|(_, name)| *name == descr) {
            return Ok(*number);
        }
        let letter = descr.trim_start_matches(['<', '>', '|', '=']).chars().next();
        let kind = match letter {
            Some('b' | 'i' | 'u' | 'f') if descr.starts_with('>') => {
                return Err(format!(
                    "is big-endian (dtype '{descr}'), which is not read; save it with .astype('<{}')",
                    &descr[1..]
                ));
            }
            Some('O') => {
                return Err("is an object array, a pickle, which could run code and is never read; \
                     save it with a dtype of numbers, for example .astype('<f4')"
                    .to_owned());
            }
            Some('c') => "complex numbers",
            Some('S' | 'U' | 'a') => "texts",
            Some('M') => "dates",
            Some('m') => "durations",
            Some('V') => "raw bytes",
            _ => "what is no known type",
        };
        Err(format!(
            "holds {kind} (dtype '{descr}'); \
             arrays of bool, integers of 8 to 64 bits and floats of 16, 32 or 64 bits are read"
        ))
    }

    /// NumPy's name.
    pub fn descr(self) -> &'static str {
        NAMES.iter().find(|(number, _)| *number == self).map_or("", |(_, name)| name)
    }

    pub fn size(self) -> usize {
        match self {
            Bool | I8 | U8 => 1,
            I16 | U16 | F16 => 2,
            I32 | U32 | F32 => 4,
            I64 | U64 | F64 => 8,
        }
    }

    /// The smallest type of a tensor that holds every such number; those of 64 bits without a sign are read if they
    /// fit.
    pub fn dtype(self) -> DType {
        match self {
            Bool => DType::Bool,
            U8 => DType::U8,
            I8 | I16 | I32 | I64 | U16 | U32 | U64 => DType::I64,
            F16 | F32 => DType::F32,
            F64 => DType::F64,
        }
    }

    /// The type that holds a tensor's numbers as they are.
    pub fn of(dtype: DType) -> Result<Number> {
        match dtype {
            DType::Bool => Ok(Bool),
            DType::U8 => Ok(U8),
            DType::I64 => Ok(I64),
            DType::F32 => Ok(F32),
            DType::F64 => Ok(F64),
            other => Err(Error::Data(format!("an .npy file cannot hold {other}"))),
        }
    }

    /// A tensor of `shape`, of type `to`, whose bytes `next` reads, in order. `to` is [`dtype`](Number::dtype), `f32`
    /// for `f64`, or `u8` for truth values. `failed` makes an error of a reason.
    pub fn decode(
        self,
        shape: Shape,
        to: DType,
        mut next: impl FnMut(&mut [u8]) -> Result<()>,
        failed: impl Fn(String) -> Error,
    ) -> Result<Tensor> {
        if self == U8 || (self, to) == (Bool, DType::U8) {
            memory::require(shape.elements()).map_err(failed)?;
            return Tensor::bytes_from(shape, |bytes| {
                next(bytes)?;
                if self == Bool {
                    bytes.iter_mut().for_each(|byte| *byte = u8::from(*byte != 0));
                }
                Ok(())
            });
        }
        let mut largest = 0;
        let tensor = match (self, to) {
            (Bool, _) => values(shape, next, |[byte]| byte != 0),
            (I8, _) => values(shape, next, |bytes| i64::from(i8::from_le_bytes(bytes))),
            (I16, _) => values(shape, next, |bytes| i64::from(i16::from_le_bytes(bytes))),
            (I32, _) => values(shape, next, |bytes| i64::from(i32::from_le_bytes(bytes))),
            (I64, _) => values(shape, next, i64::from_le_bytes),
            (U16, _) => values(shape, next, |bytes| i64::from(u16::from_le_bytes(bytes))),
            (U32, _) => values(shape, next, |bytes| i64::from(u32::from_le_bytes(bytes))),
            (U8 | U64, _) => values(shape, next, |bytes| {
                let value = u64::from_le_bytes(bytes);
                largest = value.max(largest);
                value as i64
            }),
            (F16, _) => values(shape, next, |bytes| half(u16::from_le_bytes(bytes))),
            (F32, _) => values(shape, next, f32::from_le_bytes),
            (F64, DType::F32) => values(shape, next, |bytes| f64::from_le_bytes(bytes) as f32),
            (F64, _) => values(shape, next, f64::from_le_bytes),
        };
        if i64::try_from(largest).is_err() {
            return Err(failed(format!("holds {largest}, more than a 64-bit integer with a sign can be")));
        }
        tensor.map_err(|error| match error {
            // Memory is short.
            Error::Data(reason) => failed(reason),
            other => other,
        })
    }
}

/// A tensor of numbers of `N` bytes each.
fn values<const N: usize, T: Element>(
    shape: Shape,
    mut next: impl FnMut(&mut [u8]) -> Result<()>,
    mut value: impl FnMut([u8; N]) -> T,
) -> Result<Tensor> {
    let elements = shape.elements();
    // Twice: here, and where the tensor will keep them.
    memory::require(elements.saturating_mul(2 * size_of::<T>())).map_err(Error::Data)?;
    let mut numbers = memory::reserve(elements).map_err(Error::Data)?;
    let mut block = vec![0; BLOCK.min(elements.saturating_mul(N))];
    while numbers.len() < elements {
        let bytes = &mut block[..BLOCK.min((elements - numbers.len()) * N)];
        next(bytes)?;
        numbers.extend(bytes.as_chunks().0.iter().map(|&bytes| value(bytes)));
    }
    Ok(Tensor::from_vec(numbers, shape))
}

/// A float of 16 bits (IEEE 754 binary16) as one of 32, which holds all of them.
fn half(bits: u16) -> f32 {
    let bits = u32::from(bits);
    let (sign, exponent, fraction) = (bits >> 15 << 31, bits >> 10 & 0x1f, bits & 0x3ff);
    let magnitude = match exponent {
        // Subnormal: in steps of 2^-24.
        0 => (fraction as f32 / (1 << 24) as f32).to_bits(),
        31 => 0xff << 23 | fraction << 13,
        _ => (exponent + 127 - 15) << 23 | fraction << 13,
    };
    f32::from_bits(sign | magnitude)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_that_no_tensor_holds_say_what_to_save_instead() {
        let message = |descr: &str| Number::parse(descr).unwrap_err();
        assert!(message(">f4").contains("big-endian (dtype '>f4'), which is not read; save it with .astype('<f4')"));
        assert!(message(">i8").contains(".astype('<i8')"));
        assert!(message("|O").contains("object array") && message("|O").contains("never read"));
        assert!(message("<c16").contains("complex numbers (dtype '<c16')"));
        assert!(message("<U5").contains("texts") && message("|S3").contains("texts"));
        assert!(message("<M8[ns]").contains("dates") && message("<m8[s]").contains("durations"));
        assert!(message("|V8").contains("raw bytes"));
        assert!(message("<f16").contains("what is no known type") && message("").contains("no known type"));
    }

    #[test]
    fn names_are_read_back() {
        for (number, name) in NAMES {
            assert_eq!((Number::parse(name), number.descr()), (Ok(number), name));
        }
    }

    #[test]
    fn halves_are_exact() {
        let cases = [(0x0000, 0.0), (0x0001, 5.960_464_5e-8), (0x03ff, 6.097_555e-5), (0x0400, 6.103_515_6e-5)];
        let more = [(0x3c00, 1.0), (0x3555, 0.333_251_95), (0x7bff, 65504.0), (0xc000, -2.0), (0x7c00, f32::INFINITY)];
        for (bits, value) in cases.into_iter().chain(more) {
            assert_eq!(half(bits), value, "{bits:04x}");
        }
        assert!(half(0x7e00).is_nan() && half(0x8000).is_sign_negative());
    }
}
