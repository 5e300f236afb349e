//! Axes in another order.

use serde::{Deserialize, Serialize};

use super::{Context, Forward, Layer, LayerConfig, LayerKind, Module, Plan};
use crate::{Error, MAX_RANK, Result, Shape, Tensor};

/// The axes of each sample in another order, as Keras's `Permute`: the first is axis 1, as axis 0 counts the samples.
///
/// ```
/// use hadal::nn::Permute;
/// use hadal::prelude::*;
/// // Pictures whose channels are the last axis, [H, W, C], for layers that take [C, H, W].
/// let model = Sequential::new([32, 32, 3]).add(Permute::new([3, 1, 2])).add(Conv2d::new(8, 3)).build()?;
/// assert_eq!(model.output_shape(), Some([8, 30, 30].into()));
/// # Ok::<(), hadal::Error>(())
/// ```
#[doc(alias = "transpose")]
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Permute {
    order: Vec<usize>,
}

impl Permute {
    /// For each axis of the output, the axis of the input that it is, counted from 1.
    ///
    /// ```
    /// use hadal::nn::Permute;
    /// use hadal::prelude::*;
    /// let y = Permute::new([2, 1]).forward(&Tensor::zeros([5, 2, 3]), &mut Context::evaluation());
    /// assert_eq!(y.shape(), &[5, 3, 2]);
    /// ```
    pub fn new<const R: usize>(order: [usize; R]) -> Permute {
        Permute { order: order.to_vec() }
    }

    /// # Errors
    /// If the order does not name each of so many axes once.
    fn check(&self, axes: usize) -> Result<()> {
        let mut sorted = self.order.clone();
        sorted.sort_unstable();
        if axes < MAX_RANK && sorted.iter().copied().eq(1..=axes) {
            return Ok(());
        }
        Err(Error::Config(format!(
            "Permute: the order {:?} must name each of the {axes} axes of a sample once, counted from 1",
            self.order
        )))
    }
}

impl Module for Permute {
    fn visit(&self, _path: &str, _visitor: &mut dyn FnMut(&str, &Tensor)) {}
    fn visit_mut(&mut self, _path: &str, _visitor: &mut dyn FnMut(&str, &mut Tensor)) {}
}

impl Forward for Permute {
    /// # Panics
    /// If the order does not name each axis of a sample once.
    #[track_caller]
    fn forward(&self, x: &Tensor, _ctx: &mut Context) -> Tensor {
        assert!(x.rank() > 0, "Permute: the input is a scalar, but the layer takes [N, ..]");
        if let Err(error) = self.check(x.rank() - 1) {
            panic!("{error}");
        }
        let order: Vec<isize> = [0].into_iter().chain(self.order.iter().map(|&axis| axis as isize)).collect();
        x.permute(&order)
    }
}

impl Layer for Permute {
    fn plan(&self, input: &Shape) -> Result<Plan> {
        self.check(input.rank())?;
        let sizes: Vec<usize> = self.order.iter().map(|&axis| input[axis - 1]).collect();
        Ok(Plan { output_shape: Shape::try_new(&sizes)?, weights: 0 })
    }

    fn config(&self) -> LayerConfig {
        LayerConfig::of(self)
    }

    fn keeps_values(&self) -> bool {
        true
    }
}

impl LayerKind for Permute {
    const NAME: &'static str = "permute";
}
