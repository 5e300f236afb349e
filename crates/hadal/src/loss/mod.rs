//! What training lowers: functions of prediction and target, one file each.

mod categorical_crossentropy;
mod mean_squared_error;
mod negative_log_likelihood;

pub use categorical_crossentropy::CategoricalCrossentropy;
pub use mean_squared_error::MeanSquaredError;
pub use negative_log_likelihood::NegativeLogLikelihood;

use crate::{DType, Error, Result, Shape, Tensor};

/// A differentiable scalar of prediction and target.
pub trait Loss: Send + Sync {
    /// The loss's name, as it stands in reports.
    fn name(&self) -> &'static str;

    /// The mean over the batch, as a scalar. Shapes are those that [`check`](Loss::check) accepts.
    ///
    /// # Panics
    /// If shapes or labels do not fit; [`fit`](crate::train::Trainer::fit) checks them beforehand.
    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Tensor;

    /// Checks that targets (first axis: samples) suit a model whose samples come out with shape `output`.
    ///
    /// # Errors
    /// A message that says what does not fit.
    fn check(&self, output: &Shape, targets: &Tensor) -> Result<()>;
}

impl Loss for Box<dyn Loss> {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        (**self).loss(prediction, target)
    }

    fn check(&self, output: &Shape, targets: &Tensor) -> Result<()> {
        (**self).check(output, targets)
    }
}

/// Checks class labels, `i64` of shape `[N]`, against an output of one number per class.
fn check_labels(name: &str, output: &Shape, targets: &Tensor) -> Result<()> {
    let &[classes] = &**output else {
        return Err(Error::Data(format!(
            "{name} takes one number per class, but the model's output has shape {output}"
        )));
    };
    if targets.dtype() != DType::I64 || targets.rank() != 1 {
        return Err(Error::Data(format!(
            "{name} takes class labels, i64 of shape [N], but the targets are {} of shape {}",
            targets.dtype(),
            targets.shape()
        )));
    }
    match targets.to_vec::<i64>().iter().position(|&label| label < 0 || label >= classes as i64) {
        None => Ok(()),
        Some(sample) => Err(Error::Data(format!(
            "sample {sample} has label {}, but the model's {classes} outputs stand for labels 0 to {}",
            targets.narrow(0, sample, 1).item(),
            classes as i64 - 1
        ))),
    }
}
