//! Metrics.

mod accuracy;
mod classes;
mod cohen_kappa;
mod confusion_matrix;
mod interval;
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
pub use interval::{bootstrap_interval, wilson_interval};
pub use list::IntoMetrics;
pub use of_output::OfOutput;
pub use precision_recall::{Average, F1Score, Precision, Recall};
pub use r2_score::R2Score;
pub use regression::{MeanAbsoluteError, MeanSquaredError};
pub use roc_auc::RocAuc;
pub use top_k::TopKAccuracy;

use crate::{DType, Error, Result, Shape, Tensor};

/// A metric, accumulated over batches.
///
/// ```
/// use hadal::metric::Metric;
/// use hadal::Tensor;
/// /// The largest error of all batches.
/// struct MaxError(f64);
///
/// impl Metric for MaxError {
///     fn name(&self) -> &'static str {
///         "max_error"
///     }
///     fn reset(&mut self) {
///         self.0 = 0.0;
///     }
///     fn update(&mut self, prediction: &Tensor, target: &Tensor) {
///         self.0 = self.0.max((prediction - target).abs().max().item());
///     }
///     fn compute(&self) -> f64 {
///         self.0
///     }
/// }
///
/// let mut error = MaxError(0.0);
/// error.update(&Tensor::from([[1.0], [2.5]]), &Tensor::from([[1.0], [2.0]]));
/// assert_eq!(error.compute(), 0.5);
/// ```
pub trait Metric: Send + Sync {
    /// The metric's name, as it stands in reports: `accuracy`. Where several metrics of a trainer have one name, the second
    /// stands there as `accuracy_1`, the third as `accuracy_2`, as in Keras.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// assert_eq!(TopKAccuracy::new(5).name(), "top_k_accuracy");
    /// ```
    fn name(&self) -> &'static str;

    /// The metric with all its settings: what must be the same for a run to be [resumed](crate::train::Trainer::resume). Default:
    /// the name; a metric of your own that has settings adds them.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// assert_eq!(TopKAccuracy::new(5).describe(), "top_k_accuracy with k 5");
    /// ```
    fn describe(&self) -> String {
        self.name().to_owned()
    }

    /// Resets the metric (Keras's `reset_state`).
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let mut accuracy = Accuracy;
    /// accuracy.update(&Tensor::from([[0.1, 0.9]]), &Tensor::from([1]));
    /// accuracy.reset();
    /// assert!(accuracy.compute().is_nan());
    /// ```
    fn reset(&mut self);

    /// Updates the metric with a batch of predictions and targets (Keras's `update_state`).
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let mut accuracy = Accuracy;
    /// accuracy.update(&Tensor::from([[0.1, 0.9], [0.2, 0.8]]), &Tensor::from([1, 1]));
    /// accuracy.update(&Tensor::from([[0.1, 0.9]]), &Tensor::from([0]));
    /// assert_eq!(accuracy.compute(), 2.0 / 3.0);
    /// ```
    fn update(&mut self, prediction: &Tensor, target: &Tensor);

    /// The value of the metric over all batches since [`reset`](Metric::reset) (Keras's `result`); NaN if it is undefined.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let mut recall = Recall::default();
    /// recall.update(&Tensor::from([[0.9], [0.1]]), &Tensor::from([1, 1]));
    /// assert_eq!(recall.compute(), 0.5);
    /// ```
    fn compute(&self) -> f64;

    /// Formats a value of the metric: `97.31%`. Default: four decimals.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// assert_eq!(Accuracy.display(0.97314), "97.31%");
    /// assert_eq!(RocAuc::new().display(0.97314), "0.9731");
    /// ```
    fn display(&self, value: f64) -> String {
        format!("{value:.4}")
    }

    /// Whether [`compute`](Metric::compute) is cheap enough to be shown while a pass goes on. Default: yes; a metric that is
    /// not is computed once, at the end of a pass.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// assert!(Accuracy.has_running_value() && !RocAuc::new().has_running_value());
    /// ```
    fn has_running_value(&self) -> bool {
        true
    }

    /// Whether larger numbers are better, for what watches a run, such as
    /// [`reduce_lr_on_plateau`](crate::train::Fit::reduce_lr_on_plateau). Default: unknown.
    ///
    /// ```
    /// use hadal::metric::{Accuracy, MeanSquaredError, Metric};
    /// assert_eq!(Accuracy.higher_is_better(), Some(true));
    /// assert_eq!(MeanSquaredError::new().higher_is_better(), Some(false));
    /// ```
    fn higher_is_better(&self) -> Option<bool> {
        None
    }

    /// Tells the metric above which number the loss takes a single output for class 1
    /// ([`Loss::decision_threshold`](crate::loss::Loss::decision_threshold)); trainers do so. Default: it has no use for it.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let mut accuracy = Accuracy;
    /// accuracy.set_threshold(BinaryCrossentropy.from_logits().decision_threshold());
    /// accuracy.update(&Tensor::from([[0.3]]), &Tensor::from([1]));
    /// assert_eq!(accuracy.compute(), 1.0);
    /// ```
    fn set_threshold(&mut self, threshold: f64) {
        let _ = threshold;
    }

    /// Checks that the metric means something for a model whose samples come out with shape `output`, on these targets.
    /// Default: it does.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// assert!(Accuracy.check(&[10].into(), &Tensor::from([0, 9])).is_ok());
    /// assert!(Accuracy.check(&[10].into(), &Tensor::from([0, 10])).is_err());
    /// ```
    ///
    /// # Errors
    /// A message that says what does not fit.
    fn check(&self, output: &Shape, targets: &Tensor) -> Result<()> {
        let _ = (output, targets);
        Ok(())
    }

    /// What has been accumulated since [`reset`](Metric::reset), as numbers, so that training can be continued in the middle of
    /// an epoch; `None` if it cannot be kept. Default: `None`, so that such training is continued from the end of an epoch.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let (mut accuracy, mut continued) = (Accuracy, Accuracy);
    /// accuracy.update(&Tensor::from([[0.1, 0.9], [0.2, 0.8]]), &Tensor::from([1, 0]));
    /// continued.load_state(&accuracy.state().unwrap())?;
    /// assert_eq!(continued.compute(), 0.5);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    fn state(&self) -> Option<Vec<f64>> {
        None
    }

    /// Brings back what [`state`](Metric::state) returned.
    ///
    /// # Errors
    /// If it is not the state of such a metric.
    fn load_state(&mut self, state: &[f64]) -> Result<()> {
        let _ = state;
        Err(no_state(self.name()))
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
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let mut metrics = vec![Accuracy.boxed()];
    /// metrics.push(TopKAccuracy::new(5).boxed());
    /// let model = Sequential::new([784]).add(Dense::new(10).activation(Softmax));
    /// model.compile(Sgd::default(), CategoricalCrossentropy, metrics)?;
    /// # Ok::<(), hadal::Error>(())
    /// ```
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

    fn describe(&self) -> String {
        (**self).describe()
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

    fn state(&self) -> Option<Vec<f64>> {
        (**self).state()
    }

    fn load_state(&mut self, state: &[f64]) -> Result<()> {
        (**self).load_state(state)
    }
}

fn no_state(name: &str) -> Error {
    Error::Data(format!("the numbers are not the state of the metric {name}"))
}

/// The counts in a state, which are whole numbers.
fn counts<const N: usize>(name: &str, state: &[f64]) -> Result<[usize; N]> {
    let whole = state.iter().all(|number| number.fract() == 0.0 && (0.0..=2f64.powi(53)).contains(number));
    let counts: Vec<usize> = state.iter().map(|number| *number as usize).collect();
    counts.try_into().ok().filter(|_| whole).ok_or_else(|| no_state(name))
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
