//! What a [`Sequential`](super::Sequential) is made of.

use serde::{Deserialize, Serialize};

use super::{
    Activation, BatchNorm, Chain, Dense, DenseConfig, Dropout, EmbedColumns, EmbeddedColumn, Embedding, Flatten,
    Forward, GaussianNoise, LayerNorm, Merge, Parallel, Rescaling, Reshape, Residual,
};
use crate::{Error, Result, Rng, Shape};

/// A layer of a [`Sequential`](super::Sequential): a module whose parameters are created for an input shape and whose settings
/// can be saved.
///
/// A layer of your own that keeps the shape and makes its parameters itself needs no method: `impl Layer for MyLayer {}`.
/// Networks with such layers are saved and resumed by the program that knows them, with
/// [`state`](super::Module::state_dict) and [`load_state_dict`](super::Module::load_state_dict).
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

    /// Joins the layer to the output of its network, where its settings ask for that. Default: nothing.
    fn connect(&mut self, connection: Connection, rng: &mut Rng) {
        let _ = (connection, rng);
    }

    /// The layer's settings. Default: a layer that only the program which made it knows.
    ///
    /// ```
    /// use hadal::nn::LayerConfig;
    /// use hadal::prelude::*;
    /// assert_eq!(Dropout::new(0.2).config(), LayerConfig::Dropout { rate: 0.2 });
    /// ```
    fn config(&self) -> LayerConfig {
        let name = std::any::type_name::<Self>();
        LayerConfig::Custom { name: name.rsplit("::").next().unwrap_or(name).to_owned() }
    }
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

/// A layer's settings, as they stand in a model file.
///
/// ```
/// use hadal::nn::LayerConfig;
/// use hadal::prelude::*;
/// let model = Sequential::new([2, 2]).add(Flatten).add(Dropout::new(0.5)).build()?;
/// assert_eq!(model.architecture().layers, [LayerConfig::Flatten, LayerConfig::Dropout { rate: 0.5 }]);
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "layer", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum LayerConfig {
    /// [`Dense`].
    Dense(DenseConfig),
    /// [`Dropout`].
    Dropout {
        /// The probability of dropping.
        rate: f64,
    },
    /// [`Flatten`].
    Flatten,
    /// [`GaussianNoise`].
    GaussianNoise {
        /// The standard deviation of the noise.
        #[serde(alias = "deviation")]
        std: f64,
    },
    /// [`Reshape`].
    Reshape {
        /// The shape of one sample.
        shape: Vec<usize>,
    },
    /// An [`Activation`] as a layer.
    Activation {
        /// The function.
        function: Activation,
    },
    /// [`BatchNorm`].
    BatchNorm(super::batch_norm::Settings),
    /// [`LayerNorm`].
    LayerNorm {
        /// A small constant added to the variance for numerical stability.
        epsilon: f64,
    },
    /// [`Embedding`].
    Embedding {
        /// The number of embeddings (the vocabulary size).
        #[serde(alias = "vocabulary")]
        num_embeddings: usize,
        /// The length of each vector.
        #[serde(alias = "size")]
        embedding_dim: usize,
    },
    /// [`EmbedColumns`].
    EmbedColumns {
        /// The columns of categories, which are the last of the table.
        columns: Vec<EmbeddedColumn>,
    },
    /// [`Rescaling`].
    Rescaling {
        /// The factor.
        scale: f64,
        /// What is added after it.
        offset: f64,
    },
    /// [`Chain`].
    Chain {
        /// Its layers.
        layers: Vec<LayerConfig>,
    },
    /// [`Residual`].
    Residual {
        /// The layers beside the shortcut.
        layers: Vec<LayerConfig>,
    },
    /// [`Parallel`].
    Parallel {
        /// How the outputs are joined.
        merge: Merge,
        /// The branches' layers.
        branches: Vec<Vec<LayerConfig>>,
    },
    /// A layer that only the program which made it knows.
    Custom {
        /// Its type's name.
        name: String,
    },
}

impl LayerConfig {
    /// The layer with these settings, not yet built.
    ///
    /// ```
    /// use hadal::nn::LayerConfig;
    /// use hadal::prelude::*;
    /// let layer = LayerConfig::Dropout { rate: 0.5 }.layer()?;
    /// assert_eq!(layer.config().label(), "Dropout (0.5)");
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If it is a layer of another program's own.
    pub fn layer(&self) -> Result<Box<dyn Layer>> {
        Ok(match self {
            LayerConfig::Dense(settings) => Box::new(Dense::with_settings(*settings)),
            LayerConfig::Dropout { rate } => Box::new(Dropout::unchecked(*rate)),
            LayerConfig::Flatten => Box::new(Flatten),
            LayerConfig::GaussianNoise { std } => Box::new(GaussianNoise::new(*std)),
            LayerConfig::Reshape { shape } => {
                if shape.len() >= crate::MAX_RANK {
                    return Err(Error::Config(format!("Reshape: shape {shape:?} has too many axes")));
                }
                Box::new(Reshape::new(Shape::try_new(shape)?))
            }
            LayerConfig::Activation { function } => Box::new(*function),
            LayerConfig::BatchNorm(settings) => Box::new(BatchNorm::with_settings(*settings)),
            LayerConfig::LayerNorm { epsilon } => Box::new(LayerNorm::new().epsilon(*epsilon)),
            LayerConfig::Embedding { num_embeddings, embedding_dim } => {
                Box::new(Embedding::new(*num_embeddings, *embedding_dim))
            }
            LayerConfig::EmbedColumns { columns } => Box::new(EmbedColumns::new(columns.iter().copied())),
            LayerConfig::Rescaling { scale, offset } => Box::new(Rescaling::new(*scale, *offset)),
            LayerConfig::Chain { layers } => Box::new(Chain::from_configs(layers)?),
            LayerConfig::Residual { layers } => Box::new(Residual::from_chain(Chain::from_configs(layers)?)),
            LayerConfig::Parallel { merge, branches } => {
                let branches: Result<Vec<Chain>> = branches.iter().map(|layers| Chain::from_configs(layers)).collect();
                Box::new(branches?.into_iter().fold(Parallel::new(*merge), Parallel::branch))
            }
            LayerConfig::Custom { name } => {
                return Err(Error::Config(format!(
                    "layer `{name}` is a custom layer; build the model in the program that defines it and use load_state_dict"
                )));
            }
        })
    }

    /// A short name for summaries and messages: `Dense (relu)`.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// assert_eq!(Dense::new(8).activation(Relu).config().label(), "Dense (relu)");
    /// ```
    pub fn label(&self) -> String {
        match self {
            LayerConfig::Dense(DenseConfig { activation: Activation::Identity, .. }) => "Dense".into(),
            LayerConfig::Dense(DenseConfig { activation, .. }) => format!("Dense ({activation})"),
            LayerConfig::Dropout { rate } => format!("Dropout ({rate})"),
            LayerConfig::Flatten => "Flatten".into(),
            LayerConfig::GaussianNoise { std } => format!("GaussianNoise ({std})"),
            LayerConfig::Reshape { .. } => "Reshape".into(),
            LayerConfig::Activation { function } => format!("Activation ({function})"),
            LayerConfig::BatchNorm { .. } => "BatchNorm".into(),
            LayerConfig::LayerNorm { .. } => "LayerNorm".into(),
            LayerConfig::Embedding { .. } => "Embedding".into(),
            LayerConfig::EmbedColumns { columns } => format!("EmbedColumns of {}", columns.len()),
            LayerConfig::Rescaling { .. } => "Rescaling".into(),
            LayerConfig::Chain { layers } => format!("Chain of {}", layers.len()),
            LayerConfig::Residual { layers } => format!("Residual of {}", layers.len()),
            LayerConfig::Parallel { branches, .. } => format!("Parallel of {}", branches.len()),
            LayerConfig::Custom { name } => name.clone(),
        }
    }
}
