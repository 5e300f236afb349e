//! The perceptron.

use super::{LinearClassifier, Samples, check_epochs, check_finite, is_right};
use crate::data::Dataset;
use crate::optim::check_positive;
use crate::{Result, Rng};

/// Rosenblatt's perceptron (Psychological Review 65, 1958): for each sample on the wrong side, `weight += learning_rate * y x`
/// and `bias += learning_rate * y` with `y` -1 or 1. Where a line separates the data it makes at most `(R / margin)^2` mistakes
/// (Novikoff, 1962) and stops at a line that separates it; which one depends on the order of the samples. Where none does it
/// never comes to rest: it stops at its limit with the best line it met in its pocket (Gallant, 1990).
///
/// ```
/// use hadal::classic::Perceptron;
/// use hadal::data::synthetic::cats_and_dogs;
/// let fit = Perceptron::new().fit(&cats_and_dogs(100, 0.0, 1)?)?;
/// assert!(fit.separated && fit.margin > 0.0);
/// println!("{fit}");
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Perceptron {
    learning_rate: f64,
    epochs: usize,
    seed: Option<u64>,
}

/// What [`Perceptron::fit`] found.
///
/// ```
/// use hadal::classic::Perceptron;
/// use hadal::data::synthetic::cats_and_dogs;
/// let data = cats_and_dogs(100, 1.0, 3)?; // no line separates them
/// let fit = Perceptron::new().epochs(50).fit(&data)?;
/// assert!(!fit.separated && fit.misclassified > 0);
/// println!("the average line: margin {:.3}", fit.average.margin(&data)?);
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct PerceptronFit {
    /// The line: the last one if it separates the data, else the one in the pocket.
    pub classifier: LinearClassifier,
    /// The average of the lines after every sample of all epochs, a line at rest counted for those left (Freund and
    /// Schapire, 1999): steadier where the data overlaps.
    pub average: LinearClassifier,
    /// Whether the line separates the data.
    pub separated: bool,
    /// How many times the rule was applied.
    pub mistakes: usize,
    /// How many passes were made.
    pub epochs: usize,
    /// Samples that the line has on the wrong side.
    pub misclassified: usize,
    /// The distance of the nearest sample from the line; negative if one is on the wrong side.
    pub margin: f64,
}

impl Default for Perceptron {
    fn default() -> Perceptron {
        Perceptron { learning_rate: 1.0, epochs: 1000, seed: None }
    }
}

impl Perceptron {
    /// Learning rate 1, at most 1,000 epochs, samples in order.
    pub fn new() -> Perceptron {
        Perceptron::default()
    }

    /// The size of a correction. It scales weight and bias alike, so the line does not depend on it. Default: 1.
    pub fn learning_rate(mut self, learning_rate: f64) -> Perceptron {
        self.learning_rate = learning_rate;
        self
    }

    /// The maximum number of epochs. Default: 1,000.
    ///
    /// ```
    /// use hadal::classic::Perceptron;
    /// use hadal::data::synthetic::cats_and_dogs;
    /// let fit = Perceptron::new().epochs(3).fit(&cats_and_dogs(100, 1.0, 3)?)?;
    /// assert_eq!(fit.epochs, 3);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn epochs(mut self, most: usize) -> Perceptron {
        self.epochs = most;
        self
    }

    /// Takes the samples of each epoch in a random order that follows from `seed`.
    ///
    /// ```
    /// use hadal::classic::Perceptron;
    /// use hadal::data::synthetic::cats_and_dogs;
    /// let data = cats_and_dogs(100, 0.0, 3)?;
    /// let line = |seed| -> hadal::Result<_> { Ok(Perceptron::new().shuffle(seed).fit(&data)?.classifier) };
    /// assert_ne!(line(0)?, line(1)?); // another order, another line
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn shuffle(mut self, seed: u64) -> Perceptron {
        self.seed = Some(seed);
        self
    }

    /// Fits the classifier to vectors with labels 0 and 1.
    ///
    /// ```
    /// use hadal::classic::Perceptron;
    /// use hadal::data::synthetic::cats_and_dogs;
    /// let data = cats_and_dogs(100, 0.0, 1)?;
    /// let fit = Perceptron::new().fit(&data)?;
    /// assert_eq!(fit.classifier.predict(data.inputs())?.to_vec::<i64>(), data.targets().to_vec::<i64>());
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a setting cannot work, the data is not of two classes, or the weights do not stay finite.
    pub fn fit(&self, data: &Dataset) -> Result<PerceptronFit> {
        check_positive("learning rate", self.learning_rate, "1")?;
        check_epochs(self.epochs)?;
        let samples = Samples::of(data)?;
        let mut rng = self.seed.map(Rng::new);
        let mut line = LinearClassifier::zero(samples.features);
        // The sum of corrections times the step they came at, from which the average of all lines follows.
        let mut late = LinearClassifier::zero(samples.features);
        let (mut mistakes, mut steps, mut epochs) = (0, 0.0f64, 0);
        let mut pocket = (samples.wrong(&line), line.clone());
        while epochs < self.epochs {
            epochs += 1;
            let before = mistakes;
            let order = match &mut rng {
                Some(rng) => rng.permutation(samples.len()),
                None => (0..samples.len()).collect(),
            };
            for index in order {
                if !is_right(samples.signed(&line, index)) {
                    let step = self.learning_rate * samples.y[index];
                    for (feature, x) in samples.row(index).iter().enumerate() {
                        line.weight[feature] += step * x;
                        late.weight[feature] += steps * step * x;
                    }
                    line.bias += step;
                    late.bias += steps * step;
                    mistakes += 1;
                }
                steps += 1.0;
            }
            if mistakes == before {
                break;
            }
            let wrong = samples.wrong(&line);
            if wrong < pocket.0 {
                pocket = (wrong, line.clone());
            }
            if wrong == 0 {
                break;
            }
        }
        // Corrections count from the step they came at to the last of all epochs.
        let all = self.epochs as f64 * samples.len() as f64;
        let average = LinearClassifier {
            weight: line.weight.iter().zip(&late.weight).map(|(now, late)| now - late / all).collect(),
            bias: line.bias - late.bias / all,
        };
        check_finite(&average, "use a smaller learning rate, or scale the data")?;
        let (wrong, line) = pocket;
        let margin = samples.margin(&line);
        Ok(PerceptronFit {
            classifier: line,
            average,
            separated: wrong == 0,
            mistakes,
            epochs,
            misclassified: wrong,
            margin,
        })
    }
}

impl std::fmt::Display for PerceptronFit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.separated {
            write!(f, "separated after {} mistakes in {} epochs, margin {:.4}", self.mistakes, self.epochs, self.margin)
        } else {
            write!(
                f,
                "not separated within {} epochs and {} mistakes; the best classifier misclassifies {} samples",
                self.epochs, self.mistakes, self.misclassified
            )
        }
    }
}
