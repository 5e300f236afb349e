//! Numbers that nothing can be computed with: NaN and infinities.

use crate::{DType, Tensor};

/// The first element that is NaN or infinite, and its place in row-major order. Waits for the device.
pub(crate) fn first_not_finite(tensor: &Tensor) -> Option<(usize, f64)> {
    // A finite sum has finite terms alone: one pass that only reads.
    if !tensor.dtype().is_float() || tensor.detach().sum().item().is_finite() {
        return None;
    }
    let values = tensor.detach().to_dtype(DType::F64).to_vec::<f64>();
    values.into_iter().enumerate().find(|(_, value)| !value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_first_and_lets_large_numbers_pass() {
        let find = |values: &[f32]| first_not_finite(&Tensor::from_slice(values, [values.len()])).map(|(at, _)| at);
        assert_eq!(find(&[1.0, f32::NAN, f32::INFINITY]), Some(1));
        assert_eq!(find(&[f32::INFINITY, f32::NEG_INFINITY]), Some(0));
        assert_eq!(find(&[f32::MAX, f32::MAX]), None);
        assert_eq!(find(&[]), None);
        assert_eq!(first_not_finite(&Tensor::from_slice(&[i64::MAX], [1])), None);
    }
}
