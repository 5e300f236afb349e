//! Residual networks for small images.

use crate::nn::Activation::{Relu, Softmax};
use crate::nn::{BatchNorm, Conv2d, Dense, GlobalAveragePool, Initializer, Residual, Sequential};
use crate::{Error, Result};

/// The ResNet with 20 layers for colour images `[3, 32, 32]`: [`resnet`] of depth 20, 0.27 million parameters.
///
/// ```
/// use hadal::nn::networks::resnet20;
/// use hadal::prelude::*;
/// let model = resnet20(10).build()?;
/// assert_eq!(model.parameter_count(), 272_474);
/// # Ok::<(), hadal::Error>(())
/// ```
pub fn resnet20(classes: usize) -> Sequential {
    stages(3, classes)
}

/// A ResNet for colour images `[3, 32, 32]` such as CIFAR-10's (He, Zhang, Ren and Sun, CVPR 2016, section 4.2): a convolution, three
/// stages of `n` blocks of two convolutions each, of 16, 32 and 64 channels, the mean of each channel, and a dense layer; `depth` is
/// `6 n + 2`: 20, 32, 44, 56, 110. Each convolution is followed by a [`BatchNorm`] and has no bias; where a stage begins, the shortcut is
/// a convolution of size 1 (option B). Weights begin as in He's initialization.
///
/// The paper trains it on images moved by up to 4 pixels and mirrored, with momentum 0.9, weight decay 1e-4 and batches of 128, at a
/// learning rate of 0.1 that is divided by 10 after half and three quarters of the steps.
///
/// ```
/// use hadal::nn::networks::resnet;
/// use hadal::prelude::*;
/// let model = resnet(8, 10)?.build()?;
/// let y = model.forward(&Tensor::zeros([2, 3, 32, 32]), &mut Context::evaluation());
/// assert_eq!(y.shape(), &[2, 10]);
/// assert!(resnet(18, 10).is_err());
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// # Errors
/// If `depth` is not `6 n + 2` with `n` at least 1.
pub fn resnet(depth: usize, classes: usize) -> Result<Sequential> {
    if depth < 8 || depth % 6 != 2 {
        return Err(Error::Config(format!(
            "resnet: depth {depth} is not 6 n + 2; give 8, 14, 20, 32, 44, 56 or 110, for example"
        )));
    }
    Ok(stages((depth - 2) / 6, classes))
}

fn stages(blocks: usize, classes: usize) -> Sequential {
    let mut model = Sequential::new([3, 32, 32]).add(convolution(16, 1)).add(BatchNorm::new()).add(Relu);
    for (channels, first_stride) in [(16, 1), (32, 2), (64, 2)] {
        for index in 0..blocks {
            model = model.add(block(channels, if index == 0 { first_stride } else { 1 })).add(Relu);
        }
    }
    model.add(GlobalAveragePool).add(Dense::new(classes).activation(Softmax))
}

fn convolution(channels: usize, stride: usize) -> Conv2d {
    Conv2d::new(channels, 3).stride(stride).padding(1).without_bias().weight_initializer(Initializer::HeNormal)
}

fn block(channels: usize, stride: usize) -> Residual {
    let block = Residual::new()
        .add(convolution(channels, stride))
        .add(BatchNorm::new())
        .add(Relu)
        .add(convolution(channels, 1))
        .add(BatchNorm::new());
    if stride == 1 {
        return block;
    }
    let projection = Conv2d::new(channels, 1).stride(stride).without_bias().weight_initializer(Initializer::HeNormal);
    block.shortcut(projection).shortcut(BatchNorm::new())
}
