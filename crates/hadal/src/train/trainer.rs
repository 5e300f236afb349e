//! A model joined with what training takes.

use std::fmt;

use super::{Fit, History, Logs};
use crate::data::Dataset;
use crate::loss::Loss;
use crate::metric::Metric;
use crate::nn::{Context, Forward, Sequential, Summary};
use crate::optim::Optimizer;
use crate::{DType, Error, Result, Tensor, no_grad};

/// A model, a loss, an optimizer and metrics: what `compile` makes.
pub struct Trainer<M> {
    /// The network.
    pub model: M,
    pub(super) optimizer: Box<dyn Optimizer>,
    pub(super) loss: Box<dyn Loss>,
    pub(super) metrics: Vec<Box<dyn Metric>>,
    pub(super) seed: u64,
}

/// The result of an evaluation: loss and metrics by name.
#[derive(Clone, Debug, PartialEq)]
pub struct Score(pub(super) Logs);

impl Score {
    /// The number called `name`: `loss`, `accuracy`, ...
    pub fn get(&self, name: &str) -> Option<f64> {
        self.0.get(name)
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How many samples `evaluate` and `predict` take at once, unless told.
const EVALUATION_BATCH: usize = 1000;

/// How many samples are passed through the model before a run, to see that everything fits.
const PROBE: usize = 32;

impl<M: Forward> Trainer<M> {
    /// Joins any module with loss, optimizer and metrics; [`Sequential::compile`] does it for a `Sequential`.
    pub fn new<R: Metric + 'static>(
        model: M,
        optimizer: impl Optimizer + 'static,
        loss: impl Loss + 'static,
        metrics: impl IntoIterator<Item = R>,
    ) -> Trainer<M> {
        let metrics = metrics.into_iter().map(|metric| Box::new(metric) as Box<dyn Metric>).collect();
        Trainer { model, optimizer: Box::new(optimizer), loss: Box::new(loss), metrics, seed: 0 }
    }

    /// The seed of shuffling and dropout. Default: 0.
    pub fn seed(mut self, seed: u64) -> Trainer<M> {
        self.seed = seed;
        self
    }

    /// Trains on `data` as `fit` says. Everything is checked first: nothing is lost to a mistake in the last argument.
    ///
    /// # Errors
    /// If a setting cannot work, the data does not fit the model or the loss, the loss is no longer finite, or a
    /// subscriber fails.
    pub fn fit(&mut self, data: &Dataset, fit: Fit) -> Result<History> {
        fit.run(self, data)
    }

    /// Loss and metrics on `data`, without changing anything.
    ///
    /// ```text
    /// loss 0.0912  accuracy 98.40%
    /// ```
    ///
    /// # Errors
    /// If the data does not fit the model or the loss.
    pub fn evaluate(&mut self, data: &Dataset) -> Result<Score> {
        self.check(data)?;
        Ok(self.score(data, EVALUATION_BATCH))
    }

    /// The model's outputs for `inputs`, whose first axis counts the samples; in evaluation mode, without gradients.
    ///
    /// # Errors
    /// If the inputs do not fit the model.
    pub fn predict(&self, inputs: &Tensor) -> Result<Tensor> {
        if inputs.rank() == 0 {
            return Err(Error::Data("predict takes inputs of shape [N, ..], not a single number".into()));
        }
        let sample = crate::Shape::from(&inputs.shape()[1..]);
        self.model.check_inputs(inputs)?;
        self.check_input(&sample, "the inputs")?;
        if inputs.dtype().is_float() && !(inputs * 0.0).sum().item().eq(&0.0) {
            return Err(Error::Data("the inputs hold NaN or infinite numbers".into()));
        }
        Ok(no_grad(|| self.model.forward(inputs, &mut Context::evaluation())))
    }

    /// Checks the shape of one sample against what the model takes.
    fn check_input(&self, sample: &crate::Shape, name: &str) -> Result<()> {
        match self.model.input_shape() {
            Some(expected) if expected != *sample => {
                Err(Error::Data(format!("{name}: samples have shape {sample}, but the model takes {expected}")))
            }
            _ => Ok(()),
        }
    }

    /// Checks that data fits model and loss, by a pass of a few samples.
    pub(super) fn check(&self, data: &Dataset) -> Result<()> {
        self.check_input(&data.input_shape(), data.name())?;
        let prefix = |error: Error| Error::Data(format!("{}: {error}", data.name()));
        // All inputs, where they are indices; of floating-point numbers the data set has checked all.
        if data.inputs().dtype() == DType::I64 {
            self.model.check_inputs(data.inputs()).map_err(prefix)?;
        }
        let (x, _) = data.run(0, data.len().min(PROBE));
        self.model.check_inputs(&x).map_err(prefix)?;
        let prediction = no_grad(|| self.model.forward(&x, &mut Context::evaluation()));
        let output = crate::Shape::from(&prediction.shape()[1..]);
        self.loss.check(&output, data.targets()).map_err(prefix)?;
        self.loss.check_prediction(&prediction).map_err(prefix)?;
        self.metrics.iter().try_for_each(|metric| metric.check(&output, data.targets())).map_err(prefix)
    }

    /// The loss of a batch with the penalties that layers left in `ctx`.
    pub(super) fn total_loss(
        &self,
        prediction: &Tensor,
        y: &Tensor,
        weights: Option<&Tensor>,
        ctx: &mut Context,
    ) -> Tensor {
        let loss = match weights {
            Some(weights) => self.loss.weighted(prediction, y, weights),
            None => self.loss.loss(prediction, y),
        };
        match ctx.take_penalty() {
            Some(penalty) => loss + penalty,
            None => loss,
        }
    }

    pub(super) fn score(&mut self, data: &Dataset, batch_size: usize) -> Score {
        let mut pass = Pass::start(&mut self.metrics);
        let mut batches = data.batches(batch_size);
        while let Some((x, y, weights)) = batches.next_weighted() {
            no_grad(|| {
                let mut ctx = Context::evaluation();
                let prediction = self.model.forward(&x, &mut ctx);
                let loss = self.total_loss(&prediction, &y, weights.as_ref(), &mut ctx);
                pass.update(&mut self.metrics, &prediction, &y, &loss);
            });
        }
        Score(pass.logs(&self.metrics))
    }
}

impl Trainer<Sequential> {
    /// The table of layers, output shapes and parameters.
    pub fn summary(&self) -> Summary {
        self.model.summary()
    }
}

/// Running loss and metrics of one pass through data.
pub(super) struct Pass {
    loss: f64,
    samples: usize,
}

impl Pass {
    pub fn start(metrics: &mut [Box<dyn Metric>]) -> Pass {
        metrics.iter_mut().for_each(|metric| metric.reset());
        Pass { loss: 0.0, samples: 0 }
    }

    /// Takes in a batch; returns its loss.
    pub fn update(
        &mut self,
        metrics: &mut [Box<dyn Metric>],
        prediction: &Tensor,
        target: &Tensor,
        loss: &Tensor,
    ) -> f64 {
        let (samples, loss) = (prediction.size(0), loss.to_dtype(DType::F64).item());
        self.loss += loss * samples as f64;
        self.samples += samples;
        let prediction = prediction.detach();
        metrics.iter_mut().for_each(|metric| metric.update(&prediction, target));
        loss
    }

    pub fn samples(&self) -> usize {
        self.samples
    }

    /// Loss and metrics so far, by name.
    pub fn logs(&self, metrics: &[Box<dyn Metric>]) -> Logs {
        let mut logs = Logs::default();
        let loss = self.loss / self.samples as f64;
        logs.push("loss", loss, format!("{loss:.4}"));
        for metric in metrics {
            let value = metric.value();
            logs.push(metric.name(), value, metric.display(value));
        }
        logs
    }
}
