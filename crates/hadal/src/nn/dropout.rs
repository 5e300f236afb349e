//! Dropout (Srivastava and others, JMLR 15, 2014).

use serde::{Deserialize, Serialize};

use super::{Context, Forward, Layer, LayerConfig, LayerKind, Module, Plan};
use crate::{Error, Result, Shape, Tensor};

/// Dropout: in training, sets each element to 0 with probability `rate` and scales the others by `1 / (1 - rate)`; in
/// evaluation, the identity.
///
/// ```
/// use hadal::prelude::*;
/// let y = Dropout::new(0.2).forward(&Tensor::ones([1, 1000]), &mut Context::training(Rng::new(1)));
/// assert!((y.mean().item() - 1.0).abs() < 0.1); // the mean stays
/// assert_eq!((y.min().item(), y.max().item()), (0.0, 1.25));
/// ```
#[derive(Clone, Debug, Module, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dropout {
    rate: f64,
}

impl Dropout {
    /// Drops with probability `rate`.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let model = Sequential::new([8]).add(Dropout::new(0.5)).add(Dense::new(1)).build()?;
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Panics
    /// If `rate` is not within `[0, 1)`.
    #[track_caller]
    pub fn new(rate: f64) -> Dropout {
        assert!((0.0..1.0).contains(&rate), "Dropout: rate {rate} is not within [0, 1)");
        Dropout { rate }
    }
}

impl Forward for Dropout {
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        if !ctx.is_training() || self.rate == 0.0 {
            return x.clone();
        }
        let keep = 1.0 - self.rate;
        x * Tensor::bernoulli_scaled(x.shape(), keep, 1.0 / keep, &mut ctx.rng).to_dtype(x.dtype())
    }
}

impl Layer for Dropout {
    fn plan(&self, input: &Shape) -> Result<Plan> {
        // A rate from a file has not passed `new`.
        if !(0.0..1.0).contains(&self.rate) {
            return Err(Error::Config(format!("Dropout: rate {} is not within [0, 1)", self.rate)));
        }
        Ok(Plan { output_shape: *input, weights: 0 })
    }

    fn keeps_lengths(&self, padded: bool) -> Result<bool> {
        Ok(padded)
    }

    fn config(&self) -> LayerConfig {
        LayerConfig::of(self)
    }

    fn label(&self) -> String {
        format!("Dropout ({})", self.rate)
    }

    fn keeps_values(&self) -> bool {
        true
    }
}

impl LayerKind for Dropout {
    const NAME: &'static str = "dropout";
}
