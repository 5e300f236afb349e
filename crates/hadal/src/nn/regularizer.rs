//! L1 and L2 regularization.

use serde::{Deserialize, Serialize};

use crate::{Error, Result, Tensor};

/// L1 and L2 regularization: adds `l1 * sum |w| + l2 * sum w^2` to the loss, as Keras's `L1L2`. An L2 penalty is the same as
/// coupled weight decay of `2 * l2` under plain gradient descent, and under no other optimizer.
///
/// ```
/// use hadal::nn::Regularizer;
/// use hadal::prelude::*;
/// let w = Tensor::from_slice(&[1.0f32, -2.0], [2]);
/// assert!((Regularizer::l2(0.1).penalty(&w).item() - 0.5).abs() < 1e-6);
/// let layer = Dense::new(10).weight_regularizer(Regularizer::l1_l2(1e-5, 1e-4));
/// # let _ = layer;
/// ```
#[doc(alias = "L1L2")]
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Regularizer {
    l1: f64,
    l2: f64,
}

impl Regularizer {
    /// `l1 * sum |w|`, which drives weights to 0 (Tibshirani's lasso, 1996).
    ///
    /// ```
    /// use hadal::nn::Regularizer;
    /// use hadal::Tensor;
    /// assert_eq!(Regularizer::l1(0.5).penalty(&Tensor::from([1.0, -3.0])).item(), 2.0);
    /// ```
    pub fn l1(l1: f64) -> Regularizer {
        Regularizer { l1, l2: 0.0 }
    }

    /// `l2 * sum w^2`, which shrinks large weights most (Tikhonov's regularization).
    ///
    /// ```
    /// use hadal::nn::Regularizer;
    /// use hadal::Tensor;
    /// assert_eq!(Regularizer::l2(0.5).penalty(&Tensor::from([1.0, -3.0])).item(), 5.0);
    /// ```
    pub fn l2(l2: f64) -> Regularizer {
        Regularizer { l1: 0.0, l2 }
    }

    /// Both (Zou and Hastie's elastic net, 2005).
    ///
    /// ```
    /// use hadal::nn::Regularizer;
    /// use hadal::Tensor;
    /// assert_eq!(Regularizer::l1_l2(0.5, 0.5).penalty(&Tensor::from([1.0, -3.0])).item(), 7.0);
    /// ```
    pub fn l1_l2(l1: f64, l2: f64) -> Regularizer {
        Regularizer { l1, l2 }
    }

    /// The penalty for `w`, a scalar.
    ///
    /// ```
    /// use hadal::nn::Regularizer;
    /// use hadal::Tensor;
    /// let w = Tensor::from([1.0, -3.0]).requires_grad();
    /// let grads = Regularizer::l2(0.5).penalty(&w).backward();
    /// assert_eq!(grads[&w].to_vec::<f32>(), [1.0, -3.0]);
    /// ```
    pub fn penalty(&self, w: &Tensor) -> Tensor {
        match (self.l1 != 0.0, self.l2 != 0.0) {
            (true, true) => w.abs().sum() * self.l1 + w.powi(2).sum() * self.l2,
            (true, false) => w.abs().sum() * self.l1,
            _ => w.powi(2).sum() * self.l2,
        }
    }

    /// # Errors
    /// If a share is negative or not finite in f32.
    pub(super) fn check(&self) -> Result<()> {
        let fits = |share: f64| share >= 0.0 && (share as f32).is_finite();
        if fits(self.l1) && fits(self.l2) {
            return Ok(());
        }
        Err(Error::Config(format!(
            "regularizer with l1 {} and l2 {}: both must be 0 or positive, finite numbers, for example 0.0001",
            self.l1, self.l2
        )))
    }
}
