//! The delta rule.

use super::{LinearClassifier, Samples, check_epochs};
use crate::data::Dataset;
use crate::optim::check_positive;
use crate::{Error, Result, Rng};

/// ADALINE (Widrow and Hoff, 1960): lowers the squared loss `sum over samples of (y - y_hat)^2` of the line's own output
/// `y_hat = weight · x + bias` against `y` = -1 or 1, one sample at a time: the delta rule
/// `weight += learning_rate * (y - y_hat) x`. It settles on data that no line separates, and is drawn by samples far on the right
/// side too.
///
/// ```
/// use hadal::classic::Adaline;
/// use hadal::data::synthetic::cats_and_dogs;
/// let fit = Adaline::new(0.001).epochs(200).fit(&cats_and_dogs(200, 1.0, 1)?)?;
/// assert!(fit.losses[199] < fit.losses[0]);
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Adaline {
    learning_rate: f64,
    epochs: usize,
    seed: Option<u64>,
}

/// What [`Adaline::fit`] found.
///
/// ```
/// use hadal::classic::Adaline;
/// use hadal::data::synthetic::cats_and_dogs;
/// let fit = Adaline::new(0.001).epochs(20).fit(&cats_and_dogs(200, 1.0, 1)?)?;
/// assert_eq!(fit.losses.len(), 20);
/// println!("{} on the wrong side", fit.misclassified);
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct AdalineFit {
    /// The line.
    pub classifier: LinearClassifier,
    /// The sum of squared errors after each epoch.
    pub losses: Vec<f64>,
    /// Whether the line separates the data.
    pub separated: bool,
    /// Samples on the wrong side.
    pub misclassified: usize,
    /// The distance of the nearest sample from the line; negative if one is on the wrong side.
    pub margin: f64,
}

impl Adaline {
    /// With the given learning rate, 100 epochs, samples in order.
    pub fn new(learning_rate: f64) -> Adaline {
        Adaline { learning_rate, epochs: 100, seed: None }
    }

    /// Passes through the data. Default: 100.
    pub fn epochs(mut self, epochs: usize) -> Adaline {
        self.epochs = epochs;
        self
    }

    /// Takes the samples of each epoch in a random order that follows from `seed`.
    pub fn shuffle(mut self, seed: u64) -> Adaline {
        self.seed = Some(seed);
        self
    }

    /// Fits the classifier to vectors with labels 0 and 1.
    ///
    /// # Errors
    /// If a setting cannot work, the data is not of two classes, or the loss does not stay finite.
    pub fn fit(&self, data: &Dataset) -> Result<AdalineFit> {
        check_positive("learning rate", self.learning_rate, "0.001")?;
        check_epochs(self.epochs)?;
        let samples = Samples::of(data)?;
        let mut rng = self.seed.map(Rng::new);
        let mut line = LinearClassifier::zero(samples.features);
        let mut losses = Vec::with_capacity(self.epochs);
        for epoch in 1..=self.epochs {
            let order = match &mut rng {
                Some(rng) => rng.permutation(samples.len()),
                None => (0..samples.len()).collect(),
            };
            for index in order {
                let x = samples.row(index);
                let delta = self.learning_rate * (samples.y[index] - line.decision_function(x));
                line.weight.iter_mut().zip(x).for_each(|(weight, x)| *weight += delta * x);
                line.bias += delta;
            }
            let error = |index: usize| samples.y[index] - line.decision_function(samples.row(index));
            let loss: f64 = (0..samples.len()).map(|index| error(index).powi(2)).sum();
            if !loss.is_finite() {
                return Err(Error::Data(format!(
                    "the loss became {loss} in epoch {epoch}; a learning rate below 2 / |x|^2 for the longest sample is safe"
                )));
            }
            losses.push(loss);
        }
        let (wrong, margin) = (samples.wrong(&line), samples.margin(&line));
        Ok(AdalineFit { classifier: line, losses, separated: wrong == 0, misclassified: wrong, margin })
    }
}
