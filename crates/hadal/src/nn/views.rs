//! Images that are judged several times.

use serde::{Deserialize, Serialize};

use super::{Chain, Context, Forward, Layer, LayerConfig, LayerKind, Module, Plan, Structure};
use crate::data::Augment;
use crate::{Error, Result, Rng, Shape, Tensor};

/// In evaluation, gives layers each image several times, as it is and shifted, turned or scaled at random, and gives the mean of what they
/// give: test-time augmentation (Krizhevsky, Sutskever and Hinton, NeurIPS 2012, section 4.1; Sato, Nishimura and Yokoi,
/// "APAC: Augmented PAttern Classification with Neural Networks", arXiv 1505.03229). What is unusual about one view is averaged
/// out, at the price of the time for all. In training the layers see the images as they come.
///
/// View 1 is the image itself; the others are changed by the geometric steps of an [`Augment`], as a rule that of the training. The
/// changes are drawn once and for all, and are the same for all images: a prediction depends on the image alone. Inputs `[N, H, W]` or `[N,
/// C, H, W]`. What comes from outside the image is the fill of the [`Augment`], in the unit of what reaches this layer, which lies behind
/// a dataset's own transforms. Gradients pass through all views.
///
/// [`Ensemble::of_views`](super::Ensemble::of_views) puts a trained network into such a layer.
///
/// ```
/// use hadal::nn::Views;
/// use hadal::prelude::*;
/// let layers = Chain::new().add(Flatten).add(Dense::new(10).activation(Softmax));
/// let model = Sequential::new([28, 28]).add(Views::new(Augment::new().shift(0.1).rotate(15.0), 8, layers)).build()?;
/// assert_eq!(model.output_shape(), Some([10].into()));
/// # Ok::<(), hadal::Error>(())
/// ```
#[doc(alias = "TestTimeAugmentation")]
#[doc(alias = "TTA")]
#[doc(alias = "TenCrop")]
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Views {
    augment: Augment,
    views: usize,
    #[serde(with = "super::chain::list")]
    layers: Chain,
}

impl Views {
    /// So many views, of which the first is the image itself, for these layers.
    pub fn new(augment: Augment, views: usize, layers: Chain) -> Views {
        Views { augment, views, layers }
    }
}

impl Module for Views {
    fn visit(&self, path: &str, visitor: &mut dyn FnMut(&str, &Tensor)) {
        self.layers.visit(path, visitor);
    }

    fn visit_mut(&mut self, path: &str, visitor: &mut dyn FnMut(&str, &mut Tensor)) {
        self.layers.visit_mut(path, visitor);
    }

    fn constrain(&mut self) {
        self.layers.constrain();
    }

    fn min_batch_size(&self) -> usize {
        self.layers.min_batch_size()
    }
}

impl Forward for Views {
    #[track_caller]
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        let own = self.layers.forward(x, ctx);
        // Statistics of batches are those of the images themselves.
        if ctx.statistics_weight(0.0).is_some() || self.views == 1 {
            return own;
        }
        let others = (1..self.views as u64).map(|view| self.layers.forward(&self.augment.view(x, view), ctx));
        others.fold(own, |sum, other| sum + other) / self.views as f64
    }

    fn check_inputs(&self, x: &Tensor) -> Result<()> {
        self.layers.check_inputs(x)
    }
}

impl Layer for Views {
    fn plan(&self, input: &Shape) -> Result<Plan> {
        if self.views == 0 {
            return Err(Error::Config("Views: 0 views give no mean; there is at least the image itself, 1".into()));
        }
        self.augment.check_view(input).map_err(|error| Error::Config(format!("Views: {error}")))?;
        self.layers.plan(input)
    }

    fn keeps_lengths(&self, padded: bool) -> Result<bool> {
        self.layers.keeps_lengths(padded)
    }

    fn build(&mut self, input: &Shape, rng: &mut Rng) -> Result<()> {
        self.layers.build(input, rng)
    }

    fn config(&self) -> LayerConfig {
        LayerConfig::of(self)
    }

    fn label(&self) -> String {
        format!("Mean of {} views", self.views)
    }

    fn structure(&self) -> Structure<'_> {
        Structure::Sequence(&self.layers)
    }
}

impl LayerKind for Views {
    const NAME: &'static str = "views";
}
