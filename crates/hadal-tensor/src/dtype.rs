//! The types of number a tensor can hold.

use std::fmt;

/// The type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DType {
    /// 32-bit floating point: the default, and what networks train in.
    F32,
    /// 64-bit floating point: gradient checks and small, exact work.
    F64,
    /// 64-bit signed integers: class labels and indices.
    I64,
    /// Bytes: raw pixels.
    U8,
    /// Truth values: the results of comparisons.
    Bool,
}

impl DType {
    /// Whether the type is a floating-point type, the kind that has gradients.
    ///
    /// ```
    /// use hadal_tensor::DType;
    /// assert!(DType::F32.is_float() && !DType::I64.is_float());
    /// ```
    #[doc(alias = "is_floating_point")]
    pub fn is_float(self) -> bool {
        matches!(self, DType::F32 | DType::F64)
    }

    /// The size of one element in bytes.
    ///
    /// ```
    /// use hadal_tensor::DType;
    /// assert_eq!(DType::F64.size(), 8);
    /// ```
    #[doc(alias = "itemsize")]
    pub fn size(self) -> usize {
        match self {
            DType::F32 => 4,
            DType::F64 | DType::I64 => 8,
            DType::U8 | DType::Bool => 1,
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DType::F32 => "f32",
            DType::F64 => "f64",
            DType::I64 => "i64",
            DType::U8 => "u8",
            DType::Bool => "bool",
        })
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
    impl Sealed for i64 {}
    impl Sealed for u8 {}
    impl Sealed for bool {}
}

/// A Rust type that can be an element of a tensor: `f32`, `f64`, `i64`, `u8` or `bool`.
pub trait Element: sealed::Sealed + Copy + PartialEq + fmt::Debug + Send + Sync + 'static {
    /// The matching [`DType`].
    const DTYPE: DType;

    #[doc(hidden)]
    fn into_storage(data: Vec<Self>) -> crate::backend::HostData;

    #[doc(hidden)]
    fn from_storage(data: crate::backend::HostData) -> Option<Vec<Self>>;
}

macro_rules! element {
    ($($type:ty => $variant:ident),*) => {$(
        impl Element for $type {
            const DTYPE: DType = DType::$variant;

            fn into_storage(data: Vec<Self>) -> crate::backend::HostData {
                crate::backend::HostData::$variant(data)
            }

            fn from_storage(data: crate::backend::HostData) -> Option<Vec<Self>> {
                match data {
                    crate::backend::HostData::$variant(values) => Some(values),
                    _ => None,
                }
            }
        }
    )*};
}
element!(f32 => F32, f64 => F64, i64 => I64, u8 => U8, bool => Bool);
