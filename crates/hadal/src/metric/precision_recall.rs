//! Precision, recall and their harmonic mean.

use super::{ConfusionMatrix, Metric};
use crate::{Error, Result, Shape, Tensor};

/// How the scores of several classes are averaged: scikit-learn's `average`.
///
/// ```
/// use hadal::metric::Average;
/// use hadal::prelude::*;
/// let scores = Tensor::from([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]]);
/// let labels = Tensor::from([0, 1, 1]);
/// let recall = |average| {
///     let mut recall = Recall::new(average);
///     recall.update(&scores, &labels);
///     recall.compute()
/// };
/// assert_eq!(recall(Average::Auto), 0.5); // of class 1
/// assert_eq!(recall(Average::Class(0)), 1.0);
/// assert_eq!(recall(Average::Macro), 0.75);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Average {
    /// Class 1 alone for two classes, as scikit-learn and Keras do, and [`Macro`](Average::Macro) for more.
    #[default]
    Auto,
    /// The plain mean over the classes that occur among labels or predictions: small classes count as much as large ones.
    Macro,
    /// From the counts of all classes together: with one label a sample, precision, recall and F1 are all the accuracy.
    Micro,
    /// This class alone.
    Class(usize),
}

/// Right predictions, predictions and samples of a class, to one number; 0 where it would be 0 / 0.
type Ratio = fn(f64, f64, f64) -> f64;

fn over(a: f64, b: f64) -> f64 {
    if b == 0.0 { 0.0 } else { a / b }
}

impl ConfusionMatrix {
    fn average(&self, average: Average, ratio: Ratio) -> f64 {
        let counts = |class: usize| {
            [self.count(class, class), self.predicted_as(class), self.of_class(class)].map(|count| count as f64)
        };
        let of = |[right, predicted, samples]: [f64; 3]| ratio(right, predicted, samples);
        let classes = (0..self.classes()).map(counts).filter(|[_, predicted, samples]| predicted + samples > 0.0);
        match average {
            Average::Auto if self.classes() == 2 => of(counts(1)),
            Average::Class(class) => of(counts(class)),
            Average::Micro => {
                of(classes.fold([0.0; 3], |sum, own| [sum[0] + own[0], sum[1] + own[1], sum[2] + own[2]]))
            }
            Average::Auto | Average::Macro => {
                let each: Vec<f64> = classes.map(of).collect();
                each.iter().sum::<f64>() / each.len() as f64
            }
        }
    }
}

macro_rules! ratio_metric {
    ($(#[$docs:meta])* $name:ident, $label:literal, $ratio:expr) => {
        $(#[$docs])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name {
            average: Average,
            matrix: ConfusionMatrix,
        }

        impl $name {
            /// Averaged over classes like this; [`default`](Default::default) is [`Average::Auto`].
            pub fn new(average: Average) -> $name {
                $name { average, matrix: ConfusionMatrix::new() }
            }

        /// Sets the decision threshold: a single output above it means class 1. Default: the threshold of the loss, which is 0
        /// for logits and [`Hinge`](crate::loss::Hinge) and 0.5 otherwise.
        pub fn threshold(mut self, threshold: f64) -> $name {
            self.matrix = self.matrix.threshold(threshold);
            self
        }
        }

        impl Metric for $name {
            fn name(&self) -> &'static str {
                $label
            }

            fn describe(&self) -> String {
                format!("{} averaged {:?}, of a {}", self.name(), self.average, self.matrix.describe())
            }

            fn reset(&mut self) {
                self.matrix.reset();
            }

            #[track_caller]
            fn update(&mut self, prediction: &Tensor, target: &Tensor) {
                self.matrix.update(prediction, target);
            }

            fn compute(&self) -> f64 {
                self.matrix.average(self.average, $ratio)
            }

        fn higher_is_better(&self) -> Option<bool> {
            Some(true)
        }

        fn set_threshold(&mut self, threshold: f64) {
            self.matrix.set_threshold(threshold);
        }

            fn state(&self) -> Option<Vec<f64>> {
                self.matrix.state()
            }

            fn load_state(&mut self, state: &[f64]) -> Result<()> {
                self.matrix.load_state(state)
            }

            fn check(&self, output: &Shape, targets: &Tensor) -> Result<()> {
                self.matrix.check_as(self.name(), output, targets)?;
                match self.average {
                    Average::Class(class) if class >= output.elements().max(2) => Err(Error::Config(format!(
                        "{} of class {class}: the model has {} classes, numbered from 0",
                        self.name(),
                        output.elements().max(2)
                    ))),
                    _ => Ok(()),
                }
            }
        }
    };
}

ratio_metric!(
    /// Precision: true positives divided by predicted positives. Predictions and targets as for
    /// [`Accuracy`](struct@super::Accuracy).
    ///
    /// ```
    /// use hadal::metric::{Average, Precision, Recall};
    /// use hadal::prelude::*;
    /// let (mut precision, mut recall) = (Precision::default(), Recall::new(Average::Class(1)));
    /// let p = Tensor::from_slice(&[0.9f32, 0.8, 0.2, 0.1], [4, 1]);
    /// let labels = Tensor::from_slice(&[1i64, 0, 1, 0], [4]);
    /// precision.update(&p, &labels);
    /// recall.update(&p, &labels);
    /// assert_eq!((precision.compute(), recall.compute()), (0.5, 0.5));
    /// ```
    Precision, "precision", |right, predicted, _| over(right, predicted)
);
ratio_metric!(
    /// Recall: true positives divided by actual positives. Predictions and targets as for
    /// [`Accuracy`](struct@super::Accuracy).
    Recall, "recall", |right, _, samples| over(right, samples)
);
ratio_metric!(
    /// The F1 score, the harmonic mean of [`Precision`] and [`Recall`]: `2 right / (predicted + samples)` (van Rijsbergen, 1979).
    F1Score, "f1_score", |right, predicted, samples| over(2.0 * right, predicted + samples)
);
