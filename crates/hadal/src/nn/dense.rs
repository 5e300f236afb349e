//! The fully connected layer of a [`Sequential`](super::Sequential).

use serde::{Deserialize, Serialize};

use super::feedback::{aligned_product, broadcast_error, random_matrix};
use super::{
    Activation, Connection, Context, Feedback, Forward, Initializer, Layer, LayerConfig, LayerKind, Linear, Module,
    Plan, Regularizer, join,
};
use crate::{Error, Result, Rng, Shape, Tensor, no_grad};

/// A fully connected layer, `activation(x Wᵀ + b)`, as Keras's `Dense`. The input size is inferred from the previous layer.
/// Weights are initialized with Glorot uniform and biases with zeros, Keras's defaults. Input `[batch, in]`, output
/// `[batch, units]`. Samples of several axes, which Keras's `Dense` takes row by row, are refused, as images of which a `Flatten` was
/// forgotten are such; for `[batch, T, in]`, put it into a [`TimeDistributed`](super::TimeDistributed).
///
/// ```
/// use hadal::nn::{Initializer, Regularizer};
/// use hadal::prelude::*;
/// let layer = Dense::new(512)
///     .activation(Relu)
///     .weight_initializer(Initializer::HeNormal)
///     .weight_regularizer(Regularizer::l2(1e-4))
///     .max_norm(3.0);
/// # let _ = layer;
/// ```
#[doc(alias = "fully_connected")]
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dense {
    // Defaults are not written to files.
    pub(super) units: usize,
    #[serde(default)]
    activation: Activation,
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    use_bias: bool,
    #[serde(default = "keras", skip_serializing_if = "is_keras")]
    weight_init: Initializer,
    #[serde(default = "zeros", skip_serializing_if = "is_zeros")]
    bias_init: Initializer,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weight_regularizer: Option<Regularizer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bias_regularizer: Option<Regularizer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    output_regularizer: Option<Regularizer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_norm: Option<f64>,
    #[serde(default, skip_serializing_if = "is_backpropagation")]
    pub(super) feedback: Feedback,
    #[serde(skip)]
    linear: Option<Linear>,
    /// `[units, in]` for alignment, `[outputs, units]` for direct feedback.
    #[serde(skip)]
    feedback_matrix: Option<Tensor>,
    /// Whether hidden layers receive the error of this one.
    #[serde(skip)]
    sends_error: bool,
}

fn yes() -> bool {
    true
}

fn keras() -> Initializer {
    Initializer::KERAS_DEFAULT
}

fn is_keras(init: &Initializer) -> bool {
    *init == keras()
}

fn zeros() -> Initializer {
    Initializer::Zeros
}

fn is_zeros(init: &Initializer) -> bool {
    *init == zeros()
}

fn is_backpropagation(feedback: &Feedback) -> bool {
    *feedback == Feedback::Backpropagation
}

impl Dense {
    /// A layer of `units` outputs without activation.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let layer = Dense::new(3).built([2], &mut Rng::new(0))?;
    /// assert_eq!(layer.forward(&Tensor::ones([5, 2]), &mut Context::evaluation()).shape(), &[5, 3]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn new(units: usize) -> Dense {
        Dense {
            units,
            activation: Activation::Identity,
            use_bias: true,
            weight_init: keras(),
            bias_init: zeros(),
            weight_regularizer: None,
            bias_regularizer: None,
            output_regularizer: None,
            max_norm: None,
            feedback: Feedback::Backpropagation,
            linear: None,
            feedback_matrix: None,
            sends_error: false,
        }
    }

    /// The function applied to the outputs. Default: none.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let layer = Dense::new(3).activation(Softmax).built([2], &mut Rng::new(0))?;
    /// let y = layer.forward(&Tensor::ones([1, 2]), &mut Context::evaluation());
    /// assert!((y.sum().item() - 1.0).abs() < 1e-6);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn activation(mut self, activation: Activation) -> Dense {
        self.activation = activation;
        self
    }

    /// Leaves the bias out.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let layer = Dense::new(3).without_bias().built([2], &mut Rng::new(0))?;
    /// assert_eq!(layer.parameter_count(), 2 * 3);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn without_bias(mut self) -> Dense {
        self.use_bias = false;
        self
    }

    /// The weight initializer. Default: Glorot uniform, as in Keras.
    ///
    /// ```
    /// use hadal::nn::Initializer;
    /// use hadal::prelude::*;
    /// let layer = Dense::new(1).weight_initializer(Initializer::Constant(0.5)).built([2], &mut Rng::new(0))?;
    /// assert_eq!(layer.forward(&Tensor::ones([1, 2]), &mut Context::evaluation()).item(), 1.0);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn weight_initializer(mut self, init: Initializer) -> Dense {
        self.weight_init = init;
        self
    }

    /// The bias initializer. Default: zeros, as in Keras.
    ///
    /// ```
    /// use hadal::nn::Initializer;
    /// use hadal::prelude::*;
    /// let layer = Dense::new(1).bias_initializer(Initializer::Constant(0.5)).built([2], &mut Rng::new(0))?;
    /// assert_eq!(layer.forward(&Tensor::zeros([1, 2]), &mut Context::evaluation()).item(), 0.5);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn bias_initializer(mut self, init: Initializer) -> Dense {
        self.bias_init = init;
        self
    }

    /// A penalty on the weights, added to the loss. Default: none.
    ///
    /// ```
    /// use hadal::nn::{Initializer, Regularizer};
    /// use hadal::prelude::*;
    /// let layer = Dense::new(1)
    ///     .weight_initializer(Initializer::Constant(2.0))
    ///     .weight_regularizer(Regularizer::l2(0.5))
    ///     .built([1], &mut Rng::new(0))?;
    /// let mut ctx = Context::training(Rng::new(0));
    /// layer.forward(&Tensor::ones([4, 1]), &mut ctx);
    /// assert_eq!(ctx.take_penalty().map(|penalty| penalty.item()), Some(2.0));
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn weight_regularizer(mut self, regularizer: Regularizer) -> Dense {
        self.weight_regularizer = Some(regularizer);
        self
    }

    /// A penalty on the biases, added to the loss. Default: none.
    ///
    /// ```
    /// use hadal::nn::{Initializer, Regularizer};
    /// use hadal::prelude::*;
    /// let layer = Dense::new(1)
    ///     .bias_initializer(Initializer::Constant(2.0))
    ///     .bias_regularizer(Regularizer::l2(0.5))
    ///     .built([1], &mut Rng::new(0))?;
    /// let mut ctx = Context::training(Rng::new(0));
    /// layer.forward(&Tensor::ones([4, 1]), &mut ctx);
    /// assert_eq!(ctx.take_penalty().map(|penalty| penalty.item()), Some(2.0));
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn bias_regularizer(mut self, regularizer: Regularizer) -> Dense {
        self.bias_regularizer = Some(regularizer);
        self
    }

    /// A penalty on the outputs after the activation, divided by the batch size and added to the loss: Keras's activity
    /// regularizer. Default: none.
    ///
    /// ```
    /// use hadal::nn::{Initializer, Regularizer};
    /// use hadal::prelude::*;
    /// let layer = Dense::new(1)
    ///     .weight_initializer(Initializer::Constant(2.0))
    ///     .activity_regularizer(Regularizer::l1(0.5))
    ///     .built([1], &mut Rng::new(0))?;
    /// let mut ctx = Context::training(Rng::new(0));
    /// layer.forward(&Tensor::ones([4, 1]), &mut ctx);
    /// assert_eq!(ctx.take_penalty().map(|penalty| penalty.item()), Some(1.0));
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn activity_regularizer(mut self, regularizer: Regularizer) -> Dense {
        self.output_regularizer = Some(regularizer);
        self
    }

    /// Constrains the norm of the weights of each unit to at most this value, after every step: Keras's `MaxNorm` (Srebro and
    /// Shraibman, 2005; beside dropout, Srivastava and others, JMLR 15, 2014, section 5.1). Default: none.
    ///
    /// ```
    /// use hadal::nn::Initializer;
    /// use hadal::prelude::*;
    /// let mut layer = Dense::new(1)
    ///     .weight_initializer(Initializer::Constant(3.0))
    ///     .max_norm(1.0)
    ///     .built([1], &mut Rng::new(0))?;
    /// layer.constrain(); // as `fit` does after each step
    /// assert!((layer.forward(&Tensor::ones([1, 1]), &mut Context::evaluation()).item() - 1.0).abs() < 1e-6);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn max_norm(mut self, length: f64) -> Dense {
        self.max_norm = Some(length);
        self
    }

    /// How the error is propagated back through this layer. Default: backpropagation.
    ///
    /// ```
    /// use hadal::nn::Feedback;
    /// use hadal::prelude::*;
    /// let model = Sequential::new([4])
    ///     .add(Dense::new(8).activation(Relu))
    ///     .add(Dense::new(2).feedback(Feedback::Alignment))
    ///     .build()?;
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn feedback(mut self, feedback: Feedback) -> Dense {
        self.feedback = feedback;
        self
    }
}

impl Module for Dense {
    fn visit(&self, path: &str, visitor: &mut dyn FnMut(&str, &Tensor)) {
        self.linear.visit(path, visitor);
        if let Some(matrix) = &self.feedback_matrix {
            visitor(&join(path, "feedback"), matrix);
        }
    }

    fn visit_mut(&mut self, path: &str, visitor: &mut dyn FnMut(&str, &mut Tensor)) {
        self.linear.visit_mut(path, visitor);
        if let Some(matrix) = &mut self.feedback_matrix {
            visitor(&join(path, "feedback"), matrix);
            *matrix = matrix.detach();
        }
    }

    fn constrain(&mut self) {
        let linear = self.linear.as_mut().filter(|linear| linear.weight.is_leaf());
        if let (Some(longest), Some(linear)) = (self.max_norm, linear) {
            no_grad(|| {
                let length = linear.weight.detach().powi(2).sum_keepdim(&[1]).sqrt();
                let shorter = (longest / length.clamp(longest, f64::INFINITY)).detach();
                linear.weight *= &shorter;
            });
        }
    }
}

impl Forward for Dense {
    /// # Panics
    /// If the layer has not been built as part of a compiled [`Sequential`](super::Sequential), or `x` does not fit.
    #[track_caller]
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        let Some(linear) = &self.linear else {
            panic!(
                "Dense: the layer has no weights yet; make it with built(), or build or compile the Sequential that contains it"
            );
        };
        // What comes from a layer with direct feedback sends nothing back: its error will come from the output.
        let cut = ctx.feedback_matrix.take().map(|matrix| {
            ctx.awaiting_error.push((x.clone(), matrix));
            x.detach()
        });
        let x = cut.as_ref().unwrap_or(x);
        let sends_error = self.sends_error && ctx.is_training();
        let y = if self.feedback != Feedback::Alignment && !sends_error {
            linear.activated(x, self.activation)
        } else {
            let mut z = match (self.feedback, &self.feedback_matrix) {
                (Feedback::Alignment, Some(matrix)) => {
                    let product = aligned_product(x, &linear.weight, matrix);
                    linear.bias.iter().fold(product, |y, bias| y + bias)
                }
                _ => linear.forward(x, ctx),
            };
            if sends_error {
                z = broadcast_error(&z, std::mem::take(&mut ctx.awaiting_error));
            }
            self.activation.apply(&z)
        };
        if let Some(regularizer) = &self.weight_regularizer {
            ctx.penalize(regularizer.penalty(&linear.weight));
        }
        if let (Some(regularizer), Some(bias)) = (&self.bias_regularizer, &linear.bias) {
            ctx.penalize(regularizer.penalty(bias));
        }
        if let Some(regularizer) = &self.output_regularizer {
            ctx.penalize(regularizer.penalty(&y) / y.size(0).max(1) as f64);
        }
        if self.feedback == Feedback::Direct && ctx.is_training() {
            ctx.feedback_matrix = self.feedback_matrix.clone();
        }
        y
    }
}

impl Layer for Dense {
    fn plan(&self, input: &Shape) -> Result<Plan> {
        let &[size] = &**input else {
            let each = match input.rank() {
                0 => "",
                2 => ", or, for each row of features by itself, TimeDistributed around it",
                _ => {
                    ", or, for each row of features by itself, TimeDistributed around it, once for each axis but the last"
                }
            };
            return Err(Error::Config(format!(
                "Dense takes samples of shape [features], but its input has shape {input}; put a Flatten before it{each}"
            )));
        };
        if self.units == 0 {
            return Err(Error::Config("Dense needs at least 1 unit, not 0".into()));
        }
        for regularizer in [self.weight_regularizer, self.bias_regularizer, self.output_regularizer] {
            regularizer.map_or(Ok(()), |regularizer| regularizer.check())?;
        }
        self.weight_init.check()?;
        self.bias_init.check()?;
        if let Some(length) = self.max_norm {
            crate::optim::check_positive("max_norm", length, "3")?;
        }
        let weights = size.saturating_mul(self.units);
        let feedback = if self.feedback == Feedback::Alignment { weights } else { 0 };
        let bias = if self.use_bias { self.units } else { 0 };
        let weights = weights.saturating_add(feedback).saturating_add(bias);
        Ok(Plan { output_shape: Shape::try_new(&[self.units])?, weights })
    }

    fn build(&mut self, input: &Shape, rng: &mut Rng) -> Result<()> {
        let units = self.units;
        let size = input[0];
        let weight = self.weight_init.make(&[units, size], rng).requires_grad();
        let bias = self.use_bias.then(|| self.bias_init.make_for(&[units], size, units, rng).requires_grad());
        self.linear = Some(Linear::from_weights(weight, bias));
        if self.feedback == Feedback::Alignment {
            self.feedback_matrix = Some(random_matrix(units, size, rng));
        }
        Ok(())
    }

    fn connect(&mut self, connection: Connection, rng: &mut Rng) {
        match connection {
            Connection::ReceiveError { outputs } => {
                self.feedback_matrix = Some(random_matrix(outputs, self.units, rng));
            }
            Connection::SendError => self.sends_error = true,
        }
    }

    fn config(&self) -> LayerConfig {
        LayerConfig::of(self)
    }

    fn label(&self) -> String {
        match self.activation {
            Activation::Identity => "Dense".into(),
            activation => format!("Dense ({activation})"),
        }
    }

    fn output_activation(&self) -> Option<Activation> {
        Some(self.activation)
    }
}

impl LayerKind for Dense {
    const NAME: &'static str = "dense";
}
