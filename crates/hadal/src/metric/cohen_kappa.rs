//! Agreement beyond chance.

use super::{ConfusionMatrix, Metric};
use crate::{Result, Shape, Tensor};

/// Cohen's kappa (1960), the agreement beyond chance: `(accuracy - chance) / (1 - chance)`, where chance is the accuracy of
/// predictions drawn at random with the same frequencies. 1 is perfect, 0 no better than chance; NaN where chance is 1.
///
/// ```
/// use hadal::metric::CohenKappa;
/// use hadal::prelude::*;
/// let mut kappa = CohenKappa::new();
/// let scores = Tensor::from([[0.1], [0.2], [0.8], [0.9]]);
/// kappa.update(&scores, &Tensor::from([0, 0, 1, 0]));
/// assert_eq!(kappa.compute(), 0.5);
/// ```
#[doc(alias = "cohen_kappa_score")]
#[derive(Clone, Debug, Default)]
pub struct CohenKappa {
    matrix: ConfusionMatrix,
}

impl CohenKappa {
    /// Without samples.
    ///
    /// ```
    /// use hadal::metric::CohenKappa;
    /// use hadal::prelude::*;
    /// assert!(CohenKappa::new().compute().is_nan());
    /// ```
    pub fn new() -> CohenKappa {
        CohenKappa::default()
    }

    /// Sets the decision threshold: a single output above it means class 1. Default: the threshold of the loss, which is 0 for
    /// logits and [`Hinge`](crate::loss::Hinge) and 0.5 otherwise.
    ///
    /// ```
    /// use hadal::metric::CohenKappa;
    /// use hadal::prelude::*;
    /// let mut kappa = CohenKappa::new().threshold(0.0);
    /// kappa.update(&Tensor::from([[-0.2], [0.3]]), &Tensor::from([0, 1]));
    /// assert_eq!(kappa.compute(), 1.0);
    /// ```
    pub fn threshold(mut self, threshold: f64) -> CohenKappa {
        self.matrix = self.matrix.threshold(threshold);
        self
    }
}

impl Metric for CohenKappa {
    fn name(&self) -> &'static str {
        "cohen_kappa"
    }

    fn describe(&self) -> String {
        format!("{} of a {}", self.name(), self.matrix.describe())
    }

    fn reset(&mut self) {
        self.matrix.reset();
    }

    #[track_caller]
    fn update(&mut self, prediction: &Tensor, target: &Tensor) {
        self.matrix.update(prediction, target);
    }

    fn compute(&self) -> f64 {
        let classes = 0..self.matrix.classes();
        let all = classes.clone().map(|class| self.matrix.of_class(class)).sum::<u64>() as f64;
        let fraction = |count: u64| count as f64 / all;
        let chance: f64 = classes
            .map(|class| fraction(self.matrix.of_class(class)) * fraction(self.matrix.predicted_as(class)))
            .sum();
        (self.matrix.compute() - chance) / (1.0 - chance)
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
        self.matrix.check_as(self.name(), output, targets)
    }
}
