//! What a [`Sequential`](super::Sequential) is made of.

use super::{Activation, Chain, Context, Forward, LayerConfig, Merge};
use crate::{Error, Result, Rng, Shape, Tensor};

/// A layer of a [`Sequential`](super::Sequential): a module whose parameters are created for an input shape and whose settings
/// can be saved.
///
/// A layer of your own that keeps the shape and makes its parameters itself needs no method: `impl Layer for MyLayer {}`.
/// Networks with such layers are saved and resumed by the program that knows them, with
/// [`state`](super::Module::state_dict) and [`load_state_dict`](super::Module::load_state_dict); one that is a
/// [`LayerKind`](super::LayerKind) stands in model files as ours do.
///
/// ```
/// use hadal::prelude::*;
/// #[derive(Module)]
/// struct Double;
///
/// impl Forward for Double {
///     fn forward(&self, x: &Tensor, _: &mut Context) -> Tensor {
///         x * 2.0
///     }
/// }
/// impl Layer for Double {}
///
/// let model = Sequential::new([3]).add(Double).build()?;
/// assert_eq!(model.forward(&Tensor::ones([1, 3]), &mut Context::evaluation()).sum().item(), 6.0);
/// # Ok::<(), hadal::Error>(())
/// ```
pub trait Layer: Forward + Send + Sync {
    /// Computes the output shape and the number of weights for samples of shape `input` (without the batch axis), and checks
    /// the settings. Default: the same shape, no weights.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let plan = Dense::new(8).plan(&[4].into())?;
    /// assert_eq!((plan.output_shape, plan.weights), ([8].into(), 4 * 8 + 8));
    /// assert!(Reshape::new([3, 3]).plan(&[8].into()).is_err());
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the layer cannot take that shape, or a setting cannot work.
    fn plan(&self, input: &Shape) -> Result<Plan> {
        Ok(Plan { output_shape: *input, weights: 0 })
    }

    /// Whether the output is padded sequences of the [lengths](super::Context::lengths) in the context, if the input is (`padded`) or
    /// is not: what is beyond the end of a sequence then must not reach what is before it. Networks check it when they are built.
    /// Default: padded sequences are refused. A layer that treats each step by itself returns `Ok(padded)`.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// assert!(Relu.keeps_lengths(true)? && !Relu.keeps_lengths(false)?);
    /// assert!(!Lstm::new(8).keeps_lengths(true)?); // the output of the last step
    /// assert!(Flatten.keeps_lengths(true).is_err());
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the layer would mix a sequence with what is beyond its end.
    fn keeps_lengths(&self, padded: bool) -> Result<bool> {
        if padded {
            return Err(Error::Config(
                "the layer would mix the steps of a sequence with the padding behind them; put it after MeanOverTime, or a recurrent layer \
                 without return_sequences(), or in a TimeDistributed if it is for each step by itself"
                    .into(),
            ));
        }
        Ok(false)
    }

    /// Creates the parameters for an input shape that [`plan`](Layer::plan) has accepted. Default: none.
    ///
    /// # Errors
    /// If they cannot be made.
    fn build(&mut self, input: &Shape, rng: &mut Rng) -> Result<()> {
        let _ = (input, rng);
        Ok(())
    }

    /// Creates the parameters for samples of shape `input` and returns the layer, for a module of your own.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let hidden = Dense::new(16).activation(Relu).built([4], &mut Rng::new(0))?;
    /// let y = hidden.forward(&Tensor::ones([2, 4]), &mut Context::evaluation());
    /// assert_eq!(y.shape(), &[2, 16]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the layer cannot take that shape, or a setting cannot work.
    fn built(mut self, input: impl Into<Shape>, rng: &mut Rng) -> Result<Self>
    where
        Self: Sized,
    {
        let input = input.into();
        self.plan(&input)?;
        self.build(&input, rng)?;
        Ok(self)
    }

    /// The output plus what is `added`, if anything, followed by relu. Layers with an [`Activation::Relu`] behind them are asked for this.
    /// Default: step by step; for a layer that can do it in one pass.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let (x, ctx) = (Tensor::from([[-3.0, 2.0]]), &mut Context::evaluation());
    /// assert_eq!(Flatten.forward_relu(&x, None, ctx).to_vec::<f32>(), [0.0, 2.0]);
    /// assert_eq!(Flatten.forward_relu(&x, Some(&Tensor::from([[4.0, 1.0]])), ctx).to_vec::<f32>(), [1.0, 3.0]);
    /// ```
    ///
    /// # Panics
    /// As [`forward`](Forward::forward); if what is added has another shape than the output.
    #[track_caller]
    fn forward_relu(&self, x: &Tensor, added: Option<&Tensor>, ctx: &mut Context) -> Tensor {
        add_relu(&self.forward(x, ctx), added)
    }

    /// Joins the layer to the output of its network, where its settings ask for that. Default: nothing.
    fn connect(&mut self, connection: Connection, rng: &mut Rng) {
        let _ = (connection, rng);
    }

    /// The layer's settings: [`LayerConfig::of`] for a [`LayerKind`](super::LayerKind). Default: a layer that only the program
    /// which made it knows.
    ///
    /// ```
    /// use hadal::nn::LayerConfig;
    /// use hadal::prelude::*;
    /// assert_eq!(Dropout::new(0.2).config(), LayerConfig::of(&Dropout::new(0.2)));
    /// ```
    fn config(&self) -> LayerConfig {
        LayerConfig::custom(type_name::<Self>())
    }

    /// A short name for summaries and messages. Default: the type's.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// assert_eq!((Flatten.label(), Dropout::new(0.2).label()), ("Flatten".into(), "Dropout (0.2)".into()));
    /// ```
    fn label(&self) -> String {
        type_name::<Self>().to_owned()
    }

    /// The function that is applied last, for the monitoring of units that are never active. Default: none.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// assert_eq!(Dense::new(2).activation(Relu).output_activation(), Some(Relu));
    /// assert_eq!(Flatten.output_activation(), None);
    /// ```
    fn output_activation(&self) -> Option<Activation> {
        None
    }

    /// The function that the layer is, if it is that alone. Default: none.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// assert_eq!((Relu.as_activation(), Dense::new(2).activation(Relu).as_activation()), (Some(Relu), None));
    /// ```
    fn as_activation(&self) -> Option<Activation> {
        None
    }

    /// Whether the layer gives, in evaluation, the same numbers as it takes. Default: no.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// assert!(Flatten.keeps_values() && !Relu.keeps_values());
    /// ```
    fn keeps_values(&self) -> bool {
        false
    }

    /// What other layers it is made of, for summaries and graphs. Default: of none.
    ///
    /// ```
    /// use hadal::nn::Structure;
    /// use hadal::prelude::*;
    /// let block = Residual::new().add(Relu);
    /// assert!(matches!(block.structure(), Structure::Residual(inner, None) if inner.layers().len() == 1));
    /// ```
    fn structure(&self) -> Structure<'_> {
        Structure::Single
    }
}

/// `y` plus what is `added`, if anything, and relu of that.
pub(super) fn add_relu(y: &Tensor, added: Option<&Tensor>) -> Tensor {
    match added {
        Some(added) => (y + added).relu(),
        None => y.relu(),
    }
}

/// A type's name without its path.
fn type_name<T: ?Sized>() -> &'static str {
    let name = std::any::type_name::<T>();
    name.rsplit("::").next().unwrap_or(name)
}

/// How a layer is made of others.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Structure<'a> {
    /// Of none.
    Single,
    /// One after another.
    Sequence(&'a Chain),
    /// One after another, with their input added to what they give, or what the layers of a shortcut make of it.
    Residual(&'a Chain, Option<&'a Chain>),
    /// Side by side, joined.
    Parallel(&'a [Chain], Merge),
}

/// The output shape and size of a layer, computed before it is built.
///
/// ```
/// use hadal::nn::Plan;
/// use hadal::prelude::*;
/// assert_eq!(Flatten.plan(&[28, 28].into())?, Plan { output_shape: [784].into(), weights: 0 });
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The shape of one sample of the output.
    pub output_shape: Shape,
    /// The number of weights, trainable and non-trainable.
    pub weights: usize,
}

/// How a layer is joined to its network's output, for [direct feedback](super::Feedback::Direct).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// The error of `outputs` numbers comes to this layer.
    ReceiveError {
        /// The width of the network's output.
        outputs: usize,
    },
    /// This layer is the output.
    SendError,
}
