//! What is reported beside the loss, one file each.

mod accuracy;
mod confusion_matrix;
mod kappa;
mod precision_recall;
mod r_squared;
mod regression;
mod roc_auc;
mod top_k;

pub use accuracy::Accuracy;
pub use confusion_matrix::ConfusionMatrix;
pub use kappa::CohensKappa;
pub use precision_recall::{Average, F1, Precision, Recall};
pub use r_squared::RSquared;
pub use regression::{MeanAbsoluteError, MeanSquaredError};
pub use roc_auc::RocAuc;
pub use top_k::TopKAccuracy;

use crate::{DType, Result, Shape, Tensor};

/// A number gathered over the batches of a pass.
pub trait Metric: Send + Sync {
    /// The metric's name, as it stands in reports: `accuracy`.
    fn name(&self) -> &'static str;

    /// Forgets all batches.
    fn reset(&mut self);

    /// Takes in a batch of predictions and targets.
    fn update(&mut self, prediction: &Tensor, target: &Tensor);

    /// The number for all batches since [`reset`](Metric::reset); NaN where it has no meaning yet.
    fn value(&self) -> f64;

    /// The number for a reader: `97.31%`. Default: four decimals.
    fn display(&self, value: f64) -> String {
        format!("{value:.4}")
    }

    /// Checks that the metric means something for a model whose samples come out with shape `output`, on these targets.
    /// Default: it does.
    ///
    /// # Errors
    /// A message that says what does not fit.
    fn check(&self, output: &Shape, targets: &Tensor) -> Result<()> {
        let _ = (output, targets);
        Ok(())
    }

    /// The metric in a box, so that different ones stand in one list: `[Accuracy.boxed(), TopKAccuracy::new(3).boxed()]`.
    fn boxed(self) -> Box<dyn Metric>
    where
        Self: Sized + 'static,
    {
        Box::new(self)
    }
}

impl Metric for Box<dyn Metric> {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn reset(&mut self) {
        (**self).reset();
    }

    fn update(&mut self, prediction: &Tensor, target: &Tensor) {
        (**self).update(prediction, target);
    }

    fn value(&self) -> f64 {
        (**self).value()
    }

    fn display(&self, value: f64) -> String {
        (**self).display(value)
    }

    fn check(&self, output: &Shape, targets: &Tensor) -> Result<()> {
        (**self).check(output, targets)
    }
}

/// Class labels of targets: labels themselves, one number per class, or one probability for class 1.
fn labels(target: &Tensor) -> Vec<i64> {
    if target.dtype() == DType::I64 {
        return target.to_vec::<i64>();
    }
    predicted(target)
}

/// The predicted class of each sample: the largest of several outputs, or whether a single one is above one half.
fn predicted(prediction: &Tensor) -> Vec<i64> {
    if prediction.rank() == 2 && prediction.size(1) > 1 {
        return prediction.argmax(1).to_vec::<i64>();
    }
    prediction.gt(0.5).to_dtype(DType::I64).to_vec::<i64>()
}

fn numbers(x: &Tensor) -> Vec<f64> {
    x.to_dtype(DType::F64).to_vec::<f64>()
}
