//! Metrics.

mod accuracy;
mod classes;
mod cohen_kappa;
mod confusion_matrix;
mod list;
mod of_output;
mod precision_recall;
mod r2_score;
mod regression;
mod roc_auc;
mod top_k;

pub use accuracy::Accuracy;
pub use cohen_kappa::CohenKappa;
pub use confusion_matrix::ConfusionMatrix;
pub use list::IntoMetrics;
pub use of_output::OfOutput;
pub use precision_recall::{Average, F1Score, Precision, Recall};
pub use r2_score::R2Score;
pub use regression::{MeanAbsoluteError, MeanSquaredError};
pub use roc_auc::RocAuc;
pub use top_k::TopKAccuracy;

use crate::{DType, Error, Result, Shape, Tensor};

/// A metric, accumulated over batches.
pub trait Metric: Send + Sync {
    /// The metric's name, as it stands in reports: `accuracy`. Where several metrics of a trainer have one name, the second
    /// stands there as `accuracy_1`, the third as `accuracy_2`, as in Keras.
    fn name(&self) -> &'static str;

    /// Resets the metric (Keras's `reset_state`).
    fn reset(&mut self);

    /// Updates the metric with a batch of predictions and targets (Keras's `update_state`).
    fn update(&mut self, prediction: &Tensor, target: &Tensor);

    /// The value of the metric over all batches since [`reset`](Metric::reset) (Keras's `result`); NaN if it is undefined.
    fn compute(&self) -> f64;

    /// Formats a value of the metric: `97.31%`. Default: four decimals.
    fn display(&self, value: f64) -> String {
        format!("{value:.4}")
    }

    /// Whether [`compute`](Metric::compute) is cheap enough to be shown while a pass goes on. Default: yes; a metric that is not is
    /// computed once, at the end of a pass.
    fn has_running_value(&self) -> bool {
        true
    }

    /// Whether larger numbers are better, for what watches a run, such as
    /// [`reduce_lr_on_plateau`](crate::train::Fit::reduce_lr_on_plateau). Default: unknown.
    fn higher_is_better(&self) -> Option<bool> {
        None
    }

    /// Tells the metric above which number the loss takes a single output for class 1
    /// ([`Loss::decision_threshold`](crate::loss::Loss::decision_threshold)); trainers do so. Default: it has no use for it.
    fn set_threshold(&mut self, threshold: f64) {
        let _ = threshold;
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

    /// The name of the output that the metric is about, if the model has several. Default: none, for a model with one.
    fn output(&self) -> Option<&str> {
        None
    }

    /// The metric of the output called `output`, for a [`Model`](crate::nn::Model) with several; it is reported as
    /// `<output>_<name>`.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let metrics = (Accuracy.of("digit"), hadal::metric::MeanAbsoluteError::new().of("age"));
    /// # let _ = metrics;
    /// ```
    fn of(self, output: impl Into<String>) -> OfOutput<Self>
    where
        Self: Sized,
    {
        OfOutput { metric: self, output: output.into() }
    }

    /// The metric in a box, for lists whose metrics are known at run time.
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

    fn output(&self) -> Option<&str> {
        (**self).output()
    }

    fn reset(&mut self) {
        (**self).reset();
    }

    fn update(&mut self, prediction: &Tensor, target: &Tensor) {
        (**self).update(prediction, target);
    }

    fn compute(&self) -> f64 {
        (**self).compute()
    }

    fn display(&self, value: f64) -> String {
        (**self).display(value)
    }

    fn has_running_value(&self) -> bool {
        (**self).has_running_value()
    }

    fn higher_is_better(&self) -> Option<bool> {
        (**self).higher_is_better()
    }

    fn set_threshold(&mut self, threshold: f64) {
        (**self).set_threshold(threshold);
    }

    fn check(&self, output: &Shape, targets: &Tensor) -> Result<()> {
        (**self).check(output, targets)
    }
}

/// Checks that targets are numbers of the output's shape, as for a regression.
fn check_numbers(name: &str, output: &Shape, targets: &Tensor) -> Result<()> {
    let per_sample = targets.shape().iter().skip(1).product::<usize>();
    if targets.dtype().is_float() && per_sample == output.elements() {
        return Ok(());
    }
    Err(Error::Data(format!(
        "{name} compares outputs with targets of their shape; the model's output has shape {output}, the targets are {} of \
         shape {}",
        targets.dtype(),
        targets.shape()
    )))
}

fn numbers(x: &Tensor) -> Vec<f64> {
    x.to_dtype(DType::F64).to_vec::<f64>()
}
