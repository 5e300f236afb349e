//! Classical linear classifiers: perceptron, ADALINE, linear SVM.
//!
//! - [`Perceptron`]: Rosenblatt's rule, which ends at the first line that separates the data, and its average;
//! - [`Adaline`]: the delta rule, which lowers a squared error whether a line separates the data or not;
//! - [`LinearSvm`]: of all lines that separate the data, the one farthest from it.

mod adaline;
mod linear_svm;
mod perceptron;

pub use adaline::{Adaline, AdalineFit};
pub use linear_svm::{LinearSvm, LinearSvmFit};
pub use perceptron::{Perceptron, PerceptronFit};

use crate::data::Dataset;
use crate::linear_algebra::{dot, norm};
use crate::{DType, Error, Result, Tensor};

/// A linear decision boundary `weight · x + bias = 0`: class 1 where `weight · x + bias` is positive, class 0 elsewhere.
///
/// ```
/// use hadal::classic::LinearClassifier;
/// // x = y
/// let line = LinearClassifier { weight: vec![1.0, -1.0], bias: 0.0 };
/// assert!(line.decision_function(&[2.0, 1.0]) > 0.0); // class 1
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct LinearClassifier {
    /// One number for each feature.
    pub weight: Vec<f64>,
    /// What is added.
    pub bias: f64,
}

impl LinearClassifier {
    fn zero(features: usize) -> LinearClassifier {
        LinearClassifier { weight: vec![0.0; features], bias: 0.0 }
    }

    /// `weight · x + bias`.
    ///
    /// ```
    /// use hadal::classic::LinearClassifier;
    /// assert_eq!(LinearClassifier { weight: vec![2.0, 1.0], bias: 0.5 }.decision_function(&[1.0, 3.0]), 5.5);
    /// ```
    pub fn decision_function(&self, x: &[f64]) -> f64 {
        dot(&self.weight, x) + self.bias
    }

    /// The predicted class of each row of `inputs` (`[N, features]`), as `i64` `[N]`.
    ///
    /// ```
    /// use hadal::{Tensor, classic::LinearClassifier};
    /// let line = LinearClassifier { weight: vec![1.0, -1.0], bias: 0.0 };
    /// assert_eq!(line.predict(&Tensor::from([[2.0, 1.0], [1.0, 2.0]]))?.to_vec::<i64>(), [1, 0]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the inputs have another number of features, or a score is NaN.
    pub fn predict(&self, inputs: &Tensor) -> Result<Tensor> {
        let features = self.weight.len();
        if inputs.rank() != 2 || inputs.size(1) != features {
            return Err(Error::Data(format!("predict takes inputs [N, {features}], not {}", inputs.shape())));
        }
        let x = inputs.to_dtype(DType::F64).to_vec::<f64>();
        let rows = (0..inputs.size(0)).map(|sample| &x[sample * features..(sample + 1) * features]);
        let scores: Vec<f64> = rows.map(|x| self.decision_function(x)).collect();
        if let Some(sample) = scores.iter().position(|score| score.is_nan()) {
            return Err(Error::Data(format!("predict: the score of sample {sample} is NaN")));
        }
        let labels: Vec<i64> = scores.into_iter().map(|score| i64::from(score > 0.0)).collect();
        Ok(Tensor::from_vec(labels, [inputs.size(0)]))
    }

    /// The distance of the nearest sample from the line, negative if a sample is on the wrong side.
    ///
    /// ```
    /// use hadal::{classic::LinearClassifier, prelude::*};
    /// let line = LinearClassifier { weight: vec![2.0], bias: 0.0 };
    /// let data = Dataset::new("points", Tensor::from([[-3.0], [1.5]]), Tensor::from([0, 1]))?;
    /// assert_eq!(line.margin(&data)?, 1.5);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the data is not points of two classes, or has another number of features.
    pub fn margin(&self, data: &Dataset) -> Result<f64> {
        let samples = Samples::of(data)?;
        if samples.features != self.weight.len() {
            return Err(Error::Data(format!(
                "{}: samples have {} features, the line {}",
                data.name(),
                samples.features,
                self.weight.len()
            )));
        }
        Ok(samples.margin(self))
    }
}

/// Points of two classes, labels as -1 and 1.
struct Samples {
    features: usize,
    x: Vec<f64>,
    y: Vec<f64>,
}

impl Samples {
    /// # Errors
    /// If the inputs are not vectors of numbers, the targets not labels 0 and 1, or all samples of one class.
    fn of(data: &Dataset) -> Result<Samples> {
        let name = data.name();
        let &[features] = &*data.input_shape() else {
            return Err(Error::Data(format!("{name}: samples must be vectors, not of shape {}", data.input_shape())));
        };
        if features == 0 {
            return Err(Error::Data(format!("{name}: samples have no features")));
        }
        if data.targets().dtype() != DType::I64 || data.targets().rank() != 1 {
            return Err(Error::Data(format!("{name}: targets must be labels 0 and 1, i64 of shape [N]")));
        }
        let labels = data.targets().to_vec::<i64>();
        if let Some(sample) = labels.iter().position(|label| !(0..=1).contains(label)) {
            return Err(Error::Data(format!("{name}: sample {sample} has label {}, not 0 or 1", labels[sample])));
        }
        if labels.iter().all(|label| *label == labels[0]) {
            return Err(Error::Data(format!("{name}: all samples are of class {}; two classes are needed", labels[0])));
        }
        let (x, _) = data.run(0, data.len())?;
        Ok(Samples {
            features,
            x: x.first().to_dtype(DType::F64).to_vec(),
            y: labels.into_iter().map(|label| if label == 1 { 1.0 } else { -1.0 }).collect(),
        })
    }

    fn len(&self) -> usize {
        self.y.len()
    }

    fn row(&self, index: usize) -> &[f64] {
        &self.x[index * self.features..(index + 1) * self.features]
    }

    /// Positive if the sample is on its side.
    fn signed(&self, line: &LinearClassifier, index: usize) -> f64 {
        self.y[index] * line.decision_function(self.row(index))
    }

    fn wrong(&self, line: &LinearClassifier) -> usize {
        // NaN is on no side.
        (0..self.len()).filter(|&i| !is_right(self.signed(line, i))).count()
    }

    fn margin(&self, line: &LinearClassifier) -> f64 {
        let smaller = |a: f64, b: f64| if a.is_nan() || b.is_nan() { f64::NAN } else { a.min(b) };
        let nearest = (0..self.len()).map(|i| self.signed(line, i)).fold(f64::INFINITY, smaller);
        let length = norm(&line.weight);
        if length == 0.0 { nearest.min(0.0) } else { nearest / length }
    }
}

/// Whether a sample of this signed score is on its side: NaN is not.
fn is_right(signed: f64) -> bool {
    signed > 0.0
}

/// A line found must be of finite numbers.
fn check_finite(line: &LinearClassifier, advice: &str) -> Result<()> {
    if line.bias.is_finite() && line.weight.iter().all(|weight| weight.is_finite()) {
        return Ok(());
    }
    Err(Error::Data(format!("the line's weights are no longer finite; {advice}")))
}

/// Counts must be at least 1.
fn check_epochs(epochs: usize) -> Result<()> {
    if epochs > 0 {
        return Ok(());
    }
    Err(Error::Config("epochs must be at least 1, not 0".into()))
}
