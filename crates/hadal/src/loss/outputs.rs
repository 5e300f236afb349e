//! Losses of models with several outputs.

use super::Loss;

/// The losses of the outputs of a [`Model`](crate::nn::Model) with several. Their sum, each times its weight, is what is
/// minimized; each is reported as `<output>_loss`.
///
/// ```
/// use hadal::loss::Losses;
/// use hadal::prelude::*;
/// let losses = Losses::new().output("digit", CategoricalCrossentropy).weighted_output("age", MeanSquaredError, 0.1);
/// # let _ = losses;
/// ```
#[derive(Default)]
pub struct Losses(pub(crate) Vec<OutputLoss>);

/// The loss of one output.
pub(crate) struct OutputLoss {
    /// The output's name; `None` for the only one.
    pub output: Option<String>,
    pub loss: Box<dyn Loss>,
    pub weight: f64,
}

impl Losses {
    /// None yet.
    pub fn new() -> Losses {
        Losses::default()
    }

    /// The loss of a model with one output, times `weight`: a mean squared error in units of the target's variance, for example.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// # let data = hadal::data::synthetic::moons(40, 0.1, 1)?;
    /// let model = Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
    /// let mut model = Trainer::new(model.build()?, Sgd::new(0.1), Losses::weighted(BinaryCrossentropy, 2.0), ());
    /// model.fit(&data, Fit::epochs(1).quiet())?;
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Panics
    /// If `weight` is not positive and finite.
    #[track_caller]
    pub fn weighted(loss: impl Loss + 'static, weight: f64) -> Losses {
        assert!(weight > 0.0 && weight.is_finite(), "weighted: weight {weight} must be positive and finite");
        Losses(vec![OutputLoss { output: None, loss: Box::new(loss), weight }])
    }

    /// Adds the loss of the output called `name`.
    pub fn output(self, name: impl Into<String>, loss: impl Loss + 'static) -> Losses {
        self.weighted_output(name, loss, 1.0)
    }

    /// As [`output`](Losses::output), times `weight`: Keras's `loss_weights`.
    ///
    /// # Panics
    /// If `weight` is not positive and finite, or the output has a loss already.
    #[track_caller]
    pub fn weighted_output(mut self, name: impl Into<String>, loss: impl Loss + 'static, weight: f64) -> Losses {
        let name = name.into();
        assert!(weight > 0.0 && weight.is_finite(), "weighted_output: weight {weight} must be positive and finite");
        assert!(
            self.0.iter().all(|other| other.output.as_ref() != Some(&name)),
            "weighted_output: the output `{name}` has a loss already"
        );
        self.0.push(OutputLoss { output: Some(name), loss: Box::new(loss), weight });
        self
    }
}

/// What a trainer takes as its loss: one [`Loss`], or [`Losses`] for several outputs.
pub trait IntoLosses {
    /// The losses of all outputs.
    fn into_losses(self) -> Losses;
}

impl<L: Loss + 'static> IntoLosses for L {
    fn into_losses(self) -> Losses {
        Losses(vec![OutputLoss { output: None, loss: Box::new(self), weight: 1.0 }])
    }
}

impl IntoLosses for Losses {
    fn into_losses(self) -> Losses {
        self
    }
}
