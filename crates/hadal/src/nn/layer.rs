//! What a [`Sequential`](super::Sequential) is made of.

use serde::{Deserialize, Serialize};

use super::{Activation, Dense, Dropout, Flatten, Forward};
use crate::{Result, Rng, Shape};

/// A module that can be built for an input shape and described in a file.
pub trait Layer: Forward + Send + Sync {
    /// Makes the parameters for samples of shape `input` (without the batch axis); returns the output's shape.
    ///
    /// # Errors
    /// If the layer cannot take that shape.
    fn build(&mut self, input: &Shape, rng: &mut Rng) -> Result<Shape>;

    /// The layer's settings.
    fn config(&self) -> LayerConfig;
}

/// A layer's settings, as they stand in a model file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "layer", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum LayerConfig {
    /// [`Dense`].
    Dense {
        /// The number of outputs.
        units: usize,
        /// The function applied to them.
        activation: Activation,
    },
    /// [`Dropout`].
    Dropout {
        /// The probability of dropping.
        rate: f64,
    },
    /// [`Flatten`].
    Flatten,
    /// An [`Activation`] as a layer.
    Activation {
        /// The function.
        function: Activation,
    },
}

impl LayerConfig {
    /// The layer with these settings, not yet built.
    pub fn layer(&self) -> Box<dyn Layer> {
        match self {
            LayerConfig::Dense { units, activation } => Box::new(Dense::new(*units).activation(*activation)),
            LayerConfig::Dropout { rate } => Box::new(Dropout::unchecked(*rate)),
            LayerConfig::Flatten => Box::new(Flatten),
            LayerConfig::Activation { function } => Box::new(*function),
        }
    }

    /// The layer in a word, for summaries and messages: `Dense (relu)`.
    pub fn label(&self) -> String {
        match self {
            LayerConfig::Dense { activation: Activation::Identity, .. } => "Dense".into(),
            LayerConfig::Dense { activation, .. } => format!("Dense ({activation})"),
            LayerConfig::Dropout { rate } => format!("Dropout ({rate})"),
            LayerConfig::Flatten => "Flatten".into(),
            LayerConfig::Activation { function } => format!("Activation ({function})"),
        }
    }
}
