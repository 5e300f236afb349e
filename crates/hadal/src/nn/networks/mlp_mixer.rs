//! MLP-Mixer.

use crate::nn::Activation::{Gelu, Softmax};
use crate::nn::{
    Chain, Conv2d, Dense, GlobalAveragePool, LayerNorm, Permute, Reshape, Residual, Sequential, TimeDistributed,
};
use crate::{Error, Result};

/// The settings of an [`mlp_mixer`], in the letters of the paper's table 1. The default is a small network for images `[3, 32, 32]` of 10
/// classes.
///
/// ```
/// use hadal::nn::networks::MlpMixer;
/// let grey = MlpMixer { image: [1, 28, 28], ..MlpMixer::default() };
/// assert_eq!(grey.patch, 4);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MlpMixer {
    /// The shape of an image, `[C, H, W]`.
    pub image: [usize; 3],
    /// The height and width of a patch, P. They divide those of the image. Default: 4.
    pub patch: usize,
    /// The numbers that a patch becomes, C. Default: 128.
    pub hidden: usize,
    /// The hidden units of the layers that mix patches, `D_S`. Default: 64.
    pub tokens: usize,
    /// The hidden units of the layers that mix channels, `D_C`. Default: 512.
    pub channels: usize,
    /// The number of blocks. Default: 8.
    pub blocks: usize,
    /// The number of classes. Default: 10.
    pub classes: usize,
}

impl Default for MlpMixer {
    fn default() -> MlpMixer {
        MlpMixer { image: [3, 32, 32], patch: 4, hidden: 128, tokens: 64, channels: 512, blocks: 8, classes: 10 }
    }
}

/// An MLP-Mixer (Tolstikhin and others, NeurIPS 2021, figure 1 and eq. 1): images are cut into patches, each a vector; blocks mix them,
/// in turn across patches and across channels, each by two dense layers with a gelu between them; then come the mean of all patches
/// and a dense layer.
///
/// ```
/// use hadal::nn::networks::{MlpMixer, mlp_mixer};
/// use hadal::prelude::*;
/// let settings = MlpMixer { image: [1, 28, 28], patch: 7, hidden: 16, tokens: 8, channels: 32, blocks: 2, classes: 10 };
/// let model = mlp_mixer(&settings)?.build()?;
/// let y = model.forward(&Tensor::zeros([2, 1, 28, 28]), &mut Context::evaluation());
/// assert_eq!(y.shape(), &[2, 10]);
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// # Errors
/// If patches do not divide the image, or a number is 0.
pub fn mlp_mixer(settings: &MlpMixer) -> Result<Sequential> {
    let &MlpMixer { image, patch, hidden, tokens, channels, blocks, classes } = settings;
    let [_, height, width] = image;
    if [patch, hidden, tokens, channels, blocks, classes].contains(&0) || image.contains(&0) {
        return Err(Error::Config(format!("mlp_mixer: every number must be at least 1: {settings:?}")));
    }
    if !height.is_multiple_of(patch) || !width.is_multiple_of(patch) {
        return Err(Error::Config(format!(
            "mlp_mixer: patches of {patch} x {patch} do not divide images of {height} x {width}"
        )));
    }
    let patches = (height / patch).checked_mul(width / patch);
    let patches =
        patches.ok_or_else(|| Error::Config(format!("mlp_mixer: {height} x {width} is too large an image")))?;
    let mut model = Sequential::new(crate::Shape::try_new(&image)?)
        .add(Conv2d::keras(hidden, patch).stride(patch))
        .add(Reshape::new(crate::Shape::try_new(&[hidden, patches])?))
        .add(Permute::new([2, 1]));
    for _ in 0..blocks {
        // [patches, hidden]; mixing patches, they are the last axis.
        let across_patches =
            Chain::new().add(norm()).add(Permute::new([2, 1])).add(mixed(tokens, patches)).add(Permute::new([2, 1]));
        let across_channels = Chain::new().add(norm()).add(mixed(channels, hidden));
        model = model.add(Residual::from_chain(across_patches)).add(Residual::from_chain(across_channels));
    }
    Ok(model.add(norm()).add(Permute::new([2, 1])).add(GlobalAveragePool).add(Dense::new(classes).activation(Softmax)))
}

/// With the paper's epsilon.
fn norm() -> LayerNorm {
    LayerNorm::new().epsilon(1e-6)
}

/// The last axis through `units` hidden units to `outputs`.
fn mixed(units: usize, outputs: usize) -> TimeDistributed {
    TimeDistributed::new(Dense::new(units).activation(Gelu)).add(Dense::new(outputs))
}
