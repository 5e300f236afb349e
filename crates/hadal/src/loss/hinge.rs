//! Hinge loss.

use super::{Loss, assert_same_shape, check_label_range, check_like_output, mean_of_rest};
use crate::{DType, Error, Result, Shape, Tensor};

/// Hinge loss, `max(0, 1 - t y)` with targets -1 and 1 (Cortes and Vapnik, 1995), averaged over each sample's outputs. It is 0
/// for samples outside the margin.
///
/// Targets have the predictions' shape, or are labels 0 and 1 (`i64`, `[N]`) for one output, which stand for -1 and 1.
///
/// ```
/// use hadal::prelude::*;
/// let (scores, labels) = (Tensor::from([[2.0], [0.5], [0.5]]), Tensor::from([1, 1, 0]));
/// assert_eq!(Hinge.per_sample(&scores, &labels).to_vec::<f32>(), [0.0, 0.5, 1.5]);
/// ```
#[doc(alias = "HingeLoss")]
#[derive(Clone, Copy, Debug, Default)]
pub struct Hinge;

impl Loss for Hinge {
    fn name(&self) -> &'static str {
        "hinge"
    }

    #[track_caller]
    fn per_sample(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        let sign = if target.dtype() == DType::I64 && target.rank() == 1 {
            target.reshape(*prediction.shape()).to_dtype(prediction.dtype()) * 2.0 - 1.0
        } else {
            target.to_dtype(prediction.dtype())
        };
        assert_same_shape(self.name(), prediction, &sign);
        mean_of_rest((1.0 - sign * prediction).relu())
    }

    fn decision_threshold(&self) -> f64 {
        0.0
    }

    fn check(&self, output: &Shape, targets: &Tensor) -> Result<()> {
        if targets.dtype() == DType::I64 && targets.rank() == 1 && output.elements() == 1 {
            return check_label_range(targets, 2);
        }
        check_like_output(self.name(), output, targets)?;
        let numbers = targets.to_dtype(DType::F64).to_vec::<f64>();
        match numbers.iter().find(|t| t.abs() != 1.0) {
            None => Ok(()),
            Some(bad) => Err(Error::Data(format!("hinge takes targets -1 and 1, not {bad}"))),
        }
    }
}
