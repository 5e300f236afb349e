//! What becomes of raw inputs before a model sees them.

#[cfg(feature = "table")]
use std::sync::Arc;

use serde::{Deserialize, Serialize};

#[cfg(feature = "table")]
use super::Encoder;
use crate::{DType, Tensor};

/// The transforms of a dataset's inputs, in order, and the type of the raw inputs. A model that was trained by
/// [`fit`](crate::train::Trainer::fit) keeps those of its training data, also in its file, and
/// [`predict`](crate::train::Trainer::predict) applies them to raw inputs.
///
/// ```
/// use hadal::prelude::*;
/// let data = Dataset::new("two samples", Tensor::from([[1.0], [4.0]]), Tensor::from([0, 1]))?.normalize(1.0, 2.0);
/// let x = data.preprocessing()[0].apply(&Tensor::from([[3.0]]));
/// assert_eq!(x.item(), 1.0);
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    /// The name of the input, if the model has several.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    input: String,
    /// The dtype of the raw inputs, by name.
    dtype: String,
    transforms: Vec<Transform>,
    /// What made the raw inputs of a table's rows.
    #[cfg(feature = "table")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    table: Option<Arc<Encoder>>,
}

/// A change of every input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Transform {
    /// `x * factor`.
    Multiply(f64),
    /// `x / divisor`.
    Divide(f64),
    /// `x - number`.
    Subtract(f64),
    /// `x - number`, with a number for each feature of samples `[F]` or channel of `[C, H, W]`, or one for all.
    SubtractEach(Vec<f64>),
    /// `x / divisor`, with a divisor for each.
    DivideEach(Vec<f64>),
}

impl Preprocessing {
    /// None, for raw inputs of a type.
    pub(super) fn none(input: &str, dtype: DType) -> Preprocessing {
        Preprocessing {
            input: input.to_owned(),
            dtype: dtype.to_string(),
            transforms: Vec::new(),
            #[cfg(feature = "table")]
            table: None,
        }
    }

    /// The encoder that makes the raw inputs of a [`Table`](super::Table)'s rows, if the model was trained on a table.
    #[cfg(feature = "table")]
    pub fn encoder(&self) -> Option<&Encoder> {
        self.table.as_deref()
    }

    #[cfg(feature = "table")]
    pub(super) fn set_table(&mut self, encoder: Arc<Encoder>) {
        self.table = Some(encoder);
    }

    /// Whether the same becomes of raw inputs.
    pub(crate) fn is_same_as(&self, other: &Preprocessing) -> bool {
        #[cfg(feature = "table")]
        if self.table != other.table {
            return false;
        }
        self.transforms == other.transforms
    }

    /// The transforms of the input called `name` of several `inputs`; the only ones are those of the only input, whatever its name.
    pub(crate) fn of<'a>(all: &'a [Preprocessing], inputs: usize, name: &str) -> Option<&'a Preprocessing> {
        match (all, inputs) {
            ([only], 1) => Some(only),
            _ => all.iter().find(|own| own.input == name),
        }
    }

    pub(super) fn push(&mut self, transform: Transform) {
        self.transforms.push(transform);
    }

    /// The name of the input; empty, if the model has one without a name.
    pub fn input(&self) -> &str {
        &self.input
    }

    /// The type of the raw inputs, by name: `u8` for example.
    pub fn dtype(&self) -> &str {
        &self.dtype
    }

    /// The transforms, in order.
    pub fn transforms(&self) -> &[Transform] {
        &self.transforms
    }

    /// Whether `inputs` are of the raw inputs' type.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let data = Dataset::new("pixels", Tensor::from_slice(&[0u8, 255], [2, 1]), Tensor::from([0, 1]))?.divide(255.0);
    /// assert!(data.preprocessing()[0].is_raw(data.inputs()));
    /// assert!(!data.preprocessing()[0].is_raw(&data.batch(&[0]).0)); // floats
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn is_raw(&self, inputs: &Tensor) -> bool {
        self.is_of_type(inputs.dtype())
    }

    pub(crate) fn is_of_type(&self, dtype: DType) -> bool {
        dtype.to_string() == self.dtype
    }

    /// The inputs as the model takes them. Bytes become `f32`; wider integers are indices, and stay integers unless they are
    /// transformed.
    pub fn apply(&self, inputs: &Tensor) -> Tensor {
        let floats = inputs.dtype() == DType::U8 || !self.transforms.is_empty() && !inputs.dtype().is_float();
        let mut x = if floats { inputs.to_dtype(DType::F32) } else { inputs.clone() };
        for transform in &self.transforms {
            match transform {
                Transform::Multiply(factor) => x *= *factor,
                Transform::Divide(divisor) => x /= *divisor,
                Transform::Subtract(number) => x -= *number,
                Transform::SubtractEach(numbers) => x = &x - for_each(numbers, &x),
                Transform::DivideEach(divisors) => x = &x / for_each(divisors, &x),
            }
        }
        x
    }
}

/// Numbers of features or channels, shaped to meet a batch of samples.
fn for_each(numbers: &[f64], batch: &Tensor) -> Tensor {
    let mut sizes = vec![1; batch.rank().max(1)];
    if let Some(size) = sizes.get_mut(1) {
        *size = numbers.len();
    }
    Tensor::from_slice(numbers, sizes).to_dtype(batch.dtype())
}

impl std::fmt::Display for Preprocessing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} inputs", self.dtype)?;
        #[cfg(feature = "table")]
        if let Some(encoder) = &self.table {
            write!(f, " of a table with the columns {}", encoder.input_columns().join(", "))?;
        }
        for transform in &self.transforms {
            match transform {
                Transform::Multiply(factor) => write!(f, ", times {factor}")?,
                Transform::Divide(divisor) => write!(f, ", divided by {divisor}")?,
                Transform::Subtract(number) => write!(f, ", minus {number}")?,
                Transform::SubtractEach(numbers) => write!(f, ", minus {numbers:?}")?,
                Transform::DivideEach(divisors) => write!(f, ", divided by {divisors:?}")?,
            }
        }
        Ok(())
    }
}
