//! The linear support vector machine.

use super::{LinearClassifier, Samples, check_epochs, check_finite};
use crate::data::Dataset;
use crate::linear_algebra::dot;
use crate::optim::check_positive;
use crate::{Error, Result};

/// The maximum-margin classifier, a linear support vector machine (Boser, Guyon and Vapnik, COLT 1992), with hard margin by
/// default. Solves the dual of `min |weight|^2 / 2 + penalty * sum of slack` by sequential minimal optimization, two
/// multipliers at a time that violate the conditions most (Platt, 1998; Keerthi and others, 2001).
///
/// ```
/// use hadal::classic::{LinearSvm, Perceptron};
/// use hadal::data::synthetic::cats_and_dogs;
/// let data = cats_and_dogs(100, 0.0, 1)?;
/// let (best, first) = (LinearSvm::new().fit(&data)?, Perceptron::new().fit(&data)?);
/// assert!(best.margin >= first.margin);
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LinearSvm {
    penalty: f64,
    tolerance: f64,
    iterations: usize,
}

/// What [`LinearSvm::fit`] found.
///
/// ```
/// use hadal::classic::LinearSvm;
/// use hadal::data::synthetic::cats_and_dogs;
/// let data = cats_and_dogs(100, 0.0, 1)?;
/// let fit = LinearSvm::new().fit(&data)?;
/// assert!(fit.separated && fit.converged);
/// assert!(fit.support.len() < data.len()); // few samples hold the line
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct LinearSvmFit {
    /// The line, scaled so that the samples nearest to it have score -1 and 1.
    pub classifier: LinearClassifier,
    /// Whether the line separates the data.
    pub separated: bool,
    /// The indices of the support vectors, in order.
    pub support: Vec<usize>,
    /// The distance of the nearest sample from the line; negative if one is on the wrong side.
    pub margin: f64,
    /// Whether the conditions of the optimum are met within the tolerance.
    pub converged: bool,
}

impl Default for LinearSvm {
    fn default() -> LinearSvm {
        LinearSvm { penalty: 1e6, tolerance: 1e-6, iterations: 1_000_000 }
    }
}

impl LinearSvm {
    /// Penalty 1e6, in effect no slack; tolerance 1e-6.
    pub fn new() -> LinearSvm {
        LinearSvm::default()
    }

    /// The penalty of margin violations, `C` in scikit-learn: smaller values give a wider, soft margin. Use a small value for
    /// data that is not linearly separable.
    ///
    /// ```
    /// use hadal::classic::LinearSvm;
    /// use hadal::data::synthetic::cats_and_dogs;
    /// let data = cats_and_dogs(100, 1.0, 3)?;
    /// let support = |penalty| -> hadal::Result<_> { Ok(LinearSvm::new().penalty(penalty).fit(&data)?.support.len()) };
    /// assert!(support(0.01)? > support(1.0)?); // a wider margin holds more samples
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn penalty(mut self, penalty: f64) -> LinearSvm {
        self.penalty = penalty;
        self
    }

    /// The most pairs of multipliers to change. Default: 1,000,000.
    pub fn max_iter(mut self, most: usize) -> LinearSvm {
        self.iterations = most;
        self
    }

    /// Fits the classifier to vectors with labels 0 and 1.
    ///
    /// # Errors
    /// If a setting cannot work, the data is not of two classes, or the weights do not stay finite.
    pub fn fit(&self, data: &Dataset) -> Result<LinearSvmFit> {
        check_positive("penalty", self.penalty, "1")?;
        check_epochs(self.iterations)?;
        let samples = Samples::of(data)?;
        let n = samples.len();
        let y = &samples.y;
        let product = |i: usize, j: usize| dot(samples.row(i), samples.row(j));
        let squares: Vec<f64> = (0..n).map(|i| product(i, i)).collect();
        let mut multipliers = vec![0.0f64; n];
        // The gradient of the dual: y_i (weight · x_i) - 1.
        let mut gradient = vec![-1.0f64; n];
        let mut converged = false;
        let mut bias = 0.0;
        for _ in 0..self.iterations {
            let can_rise = |i: usize| if y[i] > 0.0 { multipliers[i] < self.penalty } else { multipliers[i] > 0.0 };
            let can_fall = |i: usize| if y[i] > 0.0 { multipliers[i] > 0.0 } else { multipliers[i] < self.penalty };
            let value = |i: usize| -y[i] * gradient[i];
            let upper = (0..n).filter(|&i| can_rise(i)).max_by(|&i, &j| value(i).total_cmp(&value(j)));
            let lower = (0..n).filter(|&i| can_fall(i)).min_by(|&i, &j| value(i).total_cmp(&value(j)));
            let (Some(i), Some(j)) = (upper, lower) else {
                return Err(Error::Data("both classes need a sample that can move the line".into()));
            };
            let gap = value(i) - value(j);
            bias = (value(i) + value(j)) / 2.0;
            if gap <= self.tolerance {
                converged = true;
                break;
            }
            // Move both along y so that the sum of y times multiplier stays 0.
            let curvature = (squares[i] + squares[j] - 2.0 * product(i, j)).max(1e-12);
            let room = |k: usize, rises: bool| if rises { self.penalty - multipliers[k] } else { multipliers[k] };
            let step = (gap / curvature).min(room(i, y[i] > 0.0)).min(room(j, y[j] < 0.0));
            let (change_i, change_j) = (y[i] * step, -y[j] * step);
            multipliers[i] = (multipliers[i] + change_i).clamp(0.0, self.penalty);
            multipliers[j] = (multipliers[j] + change_j).clamp(0.0, self.penalty);
            for k in 0..n {
                gradient[k] += y[k] * (y[i] * change_i * product(i, k) + y[j] * change_j * product(j, k));
            }
        }
        let mut line = LinearClassifier { weight: vec![0.0; samples.features], bias };
        for (i, multiplier) in multipliers.iter().enumerate() {
            for (weight, x) in line.weight.iter_mut().zip(samples.row(i)) {
                *weight += multiplier * y[i] * x;
            }
        }
        check_finite(&line, "use a smaller penalty, or scale the data")?;
        let support = (0..n).filter(|&i| multipliers[i] > 1e-8 * self.penalty.min(1.0)).collect();
        let margin = samples.margin(&line);
        Ok(LinearSvmFit { separated: samples.wrong(&line) == 0, classifier: line, support, margin, converged })
    }
}
