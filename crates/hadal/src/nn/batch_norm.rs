//! Batch normalization.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::layer::add_relu;
use super::{Context, Forward, Layer, LayerConfig, LayerKind, Module, Plan, join};
use crate::{Error, Result, Rng, Shape, Tensor, no_grad};

/// Batch normalization (Ioffe and Szegedy, ICML 2015, algorithm 1): `(x - mean) / sqrt(variance + epsilon) * weight + bias`,
/// feature by feature. In training, mean and variance are the batch's; in evaluation, their running means.
///
/// Features are the first axis of a sample: input `[batch, features, ..]`, as in PyTorch, whose defaults these are: epsilon
/// 1e-5, momentum 0.1 (the weight of the batch statistics in the running estimates), and the unbiased variance in the running
/// estimate. [`keras`](BatchNorm::keras) gives Keras's.
///
/// Training needs more than 1 value per feature, as in PyTorch: a batch of 1 vector panics, and `fit` returns an error before
/// the first step. A layer whose weight and bias are both [frozen](Module::freeze) uses its running means in training, too,
/// and does not update them, as under Keras's `trainable = False`.
///
/// ```
/// use hadal::prelude::*;
/// let model = Sequential::new([4])
///     .add(Dense::new(8).without_bias())
///     .add(BatchNorm::new())
///     .add(Relu)
///     .build()?;
/// assert_eq!(model.parameter_count(), 4 * 8 + 2 * 8);
/// # Ok::<(), hadal::Error>(())
/// ```
#[doc(alias = "BatchNorm1d")]
#[doc(alias = "BatchNorm2d")]
#[doc(alias = "BatchNormalization")]
#[derive(Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BatchNorm {
    epsilon: f64,
    momentum: f64,
    /// Whether the running variance counts n - 1 in the place of n.
    unbiased: bool,
    #[serde(skip)]
    parameters: Option<Parameters>,
}

#[derive(Debug)]
struct Parameters {
    weight: Tensor,
    bias: Tensor,
    /// Mean and variance. Forward passes change them, and have the layer shared.
    running: Mutex<[Tensor; 2]>,
    /// How many values a sample has per feature.
    values_per_sample: usize,
}

impl Parameters {
    fn running(&self) -> MutexGuard<'_, [Tensor; 2]> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn are_frozen(&self) -> bool {
        !self.weight.is_leaf() && !self.bias.is_leaf()
    }
}

impl BatchNorm {
    /// With PyTorch's defaults.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let norm = BatchNorm::new().built([1], &mut Rng::new(0))?;
    /// let y = norm.forward(&Tensor::from([[1.0], [3.0]]), &mut Context::training(Rng::new(0)));
    /// assert!((y.to_vec::<f32>()[1] - 1.0).abs() < 1e-4);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn new() -> BatchNorm {
        BatchNorm { epsilon: 1e-5, momentum: 0.1, unbiased: true, parameters: None }
    }

    /// For a module of your own: a layer of `features` features, ready to be used.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let norm = BatchNorm::with(8);
    /// let y = norm.forward(&Tensor::rand([4, 8], &mut Rng::new(1)), &mut Context::training(Rng::new(2)));
    /// assert!(y.mean().item().abs() < 1e-6);
    /// ```
    ///
    /// # Panics
    /// If `features` is 0.
    #[track_caller]
    pub fn with(features: usize) -> BatchNorm {
        assert!(features > 0, "BatchNorm: the number of features must be at least 1, not 0");
        let mut layer = BatchNorm::new();
        layer.make_parameters(&[features]);
        layer
    }

    fn make_parameters(&mut self, input: &[usize]) {
        let features = input[0];
        self.parameters = Some(Parameters {
            weight: Tensor::ones([features]).requires_grad(),
            bias: Tensor::zeros([features]).requires_grad(),
            running: Mutex::new([Tensor::zeros([features]), Tensor::ones([features])]),
            values_per_sample: input[1..].iter().product(),
        });
    }

    /// With Keras's defaults: epsilon 0.001, and running means that keep 0.99 and count n.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let model = Sequential::new([4]).add(BatchNorm::keras()).build()?;
    /// assert_eq!(model.parameter_count(), 2 * 4);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn keras() -> BatchNorm {
        BatchNorm { epsilon: 1e-3, momentum: 0.01, unbiased: false, parameters: None }
    }

    /// A small constant added to the variance for numerical stability.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let norm = BatchNorm::new().epsilon(3.0).built([1], &mut Rng::new(0))?;
    /// let y = norm.forward(&Tensor::from([[1.0], [3.0]]), &mut Context::training(Rng::new(0)));
    /// assert!((y.to_vec::<f32>()[1] - 0.5).abs() < 1e-6); // 1 / sqrt(1 + 3)
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn epsilon(mut self, epsilon: f64) -> BatchNorm {
        self.epsilon = epsilon;
        self
    }

    /// The weight of the batch statistics in the running estimates (PyTorch's `momentum`; Keras's is 1 minus it).
    ///
    /// ```
    /// use hadal::prelude::*;
    /// // The running means are those of the last batch.
    /// let norm = BatchNorm::new().momentum(1.0).built([1], &mut Rng::new(0))?;
    /// let x = Tensor::from([[1.0], [3.0]]);
    /// norm.forward(&x, &mut Context::training(Rng::new(0)));
    /// assert!(norm.forward(&x, &mut Context::evaluation()).mean().item().abs() < 1e-6);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn momentum(mut self, momentum: f64) -> BatchNorm {
        self.momentum = momentum;
        self
    }

    /// The parameters, after a look at the input.
    ///
    /// # Panics
    /// If the layer has not been built, or `x` does not have its features on axis 1.
    #[track_caller]
    fn parameters_for(&self, x: &Tensor) -> &Parameters {
        let Some(parameters) = &self.parameters else {
            panic!(
                "BatchNorm: the layer has no weights yet; make it with built(), or build or compile the Sequential that contains it"
            );
        };
        let features = parameters.weight.elements();
        assert!(
            x.rank() >= 2 && x.shape()[1] == features,
            "BatchNorm: the input has shape {}, but the layer expects {features} features on axis 1",
            x.shape()
        );
        parameters
    }

    /// What the statistics of `x` weigh in the running estimates, if they are those to normalize by.
    ///
    /// # Panics
    /// If they are, and there are fewer than 2 values per feature.
    #[track_caller]
    fn statistics_weight(&self, parameters: &Parameters, x: &Tensor, ctx: &Context) -> Option<f64> {
        let momentum = ctx.statistics_weight(self.momentum).filter(|_| !parameters.are_frozen())?;
        assert!(
            values_per_feature(x) > 1,
            "BatchNorm: training needs more than 1 value per feature, but the input has shape {}; use a larger batch, for \
             example of shape {}",
            x.shape(),
            larger(x.shape())
        );
        Some(momentum)
    }

    /// Updates the running means by the statistics of `x`, which get the weight `momentum`.
    fn observe(&self, parameters: &Parameters, x: &Tensor, mean: &Tensor, variance: &Tensor, momentum: f64) {
        let count = values_per_feature(x) as f64;
        let correction = if self.unbiased { count / (count - 1.0) } else { 1.0 };
        no_grad(|| {
            let mut running = parameters.running();
            for (running, batch) in running.iter_mut().zip([mean.detach(), variance.detach() * correction]) {
                *running *= 1.0 - momentum;
                running.add_scaled(momentum, &batch.reshape(*running.shape()));
            }
        });
    }
}

fn values_per_feature(x: &Tensor) -> usize {
    x.elements() / x.shape()[1]
}

impl Default for BatchNorm {
    fn default() -> BatchNorm {
        BatchNorm::new()
    }
}

impl Module for BatchNorm {
    fn visit(&self, path: &str, visitor: &mut dyn FnMut(&str, &Tensor)) {
        let Some(parameters) = &self.parameters else { return };
        visitor(&join(path, "weight"), &parameters.weight);
        visitor(&join(path, "bias"), &parameters.bias);
        let running = parameters.running();
        visitor(&join(path, "running_mean"), &running[0]);
        visitor(&join(path, "running_var"), &running[1]);
    }

    fn visit_mut(&mut self, path: &str, visitor: &mut dyn FnMut(&str, &mut Tensor)) {
        let Some(parameters) = &mut self.parameters else { return };
        visitor(&join(path, "weight"), &mut parameters.weight);
        visitor(&join(path, "bias"), &mut parameters.bias);
        let mut running = parameters.running();
        let [mean, variance] = &mut *running;
        for (name, tensor) in [("running_mean", mean), ("running_var", variance)] {
            visitor(&join(path, name), tensor);
            // State, never a parameter.
            *tensor = tensor.detach();
        }
    }

    fn min_batch_size(&self) -> usize {
        match &self.parameters {
            Some(parameters) if parameters.values_per_sample == 1 && !parameters.are_frozen() => 2,
            _ => 1,
        }
    }
}

impl Forward for BatchNorm {
    /// # Panics
    /// If the layer has not been built, `x` does not have its features on axis 1, or there are fewer than 2 values per feature
    /// in training.
    #[track_caller]
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        let parameters = self.parameters_for(x);
        let Parameters { weight, bias, .. } = parameters;
        let Some(momentum) = self.statistics_weight(parameters, x, ctx) else {
            let running = parameters.running();
            return x.batch_norm_by(&running[0], &running[1], weight, bias, self.epsilon);
        };
        // Where the values of a channel lie side by side, in one operation.
        if x.rank() > 2 {
            let (y, mean, variance) = x.batch_norm(weight, bias, self.epsilon);
            self.observe(parameters, x, &mean, &variance, momentum);
            return y;
        }
        let mean = x.mean_keepdim(&[0]);
        let variance = (x - &mean).powi(2).mean_keepdim(&[0]);
        self.observe(parameters, x, &mean, &variance, momentum);
        (x - mean) * (weight / (variance + self.epsilon).sqrt()) + bias
    }
}

/// The shape of 2 such samples.
fn larger(shape: &Shape) -> Shape {
    let mut sizes = shape.to_vec();
    sizes[0] = 2;
    Shape::from(sizes)
}

impl Layer for BatchNorm {
    /// In one pass in training, where a sample has several values of a feature.
    #[track_caller]
    fn forward_relu(&self, x: &Tensor, added: Option<&Tensor>, ctx: &mut Context) -> Tensor {
        let parameters = self.parameters_for(x);
        let Some(momentum) = self.statistics_weight(parameters, x, ctx).filter(|_| x.rank() > 2) else {
            return add_relu(&self.forward(x, ctx), added);
        };
        let (y, mean, variance) = x.batch_norm_relu(&parameters.weight, &parameters.bias, self.epsilon, added);
        self.observe(parameters, x, &mean, &variance, momentum);
        y
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        let &BatchNorm { epsilon, momentum, .. } = self;
        crate::optim::check_positive_in_f32("BatchNorm: epsilon", epsilon, "1e-5")?;
        if !(0.0..=1.0).contains(&momentum) {
            return Err(Error::Config(format!("BatchNorm: momentum {momentum} must be between 0 and 1")));
        }
        match input.first() {
            Some(&features) if features > 0 => Ok(Plan { output_shape: *input, weights: features.saturating_mul(4) }),
            _ => Err(Error::Config(format!(
                "BatchNorm takes samples of shape [features, ..], but its input has shape {input}"
            ))),
        }
    }

    fn build(&mut self, input: &Shape, _rng: &mut Rng) -> Result<()> {
        self.make_parameters(input);
        Ok(())
    }

    fn config(&self) -> LayerConfig {
        LayerConfig::of(self)
    }
}

impl LayerKind for BatchNorm {
    const NAME: &'static str = "batch_norm";
}
