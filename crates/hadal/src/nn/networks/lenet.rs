//! LeNet-5.

use crate::nn::Activation::{Relu, Softmax};
use crate::nn::{Conv2d, Dense, Flatten, MaxPool2d, Sequential};

/// LeNet-5 (LeCun, Bottou, Bengio and Haffner, Proceedings of the IEEE 86, 1998, figure 2) for grey images `[1, 28, 28]`, in its usual
/// modern form: rectifiers in the place of tanh, max pooling in that of trained averages, all maps joined to all, and a softmax in the
/// place of radial basis functions. The first convolution pads the images to the original's 32 x 32.
///
/// ```
/// use hadal::nn::networks::lenet;
/// use hadal::prelude::*;
/// let model = lenet(10).build()?;
/// assert_eq!(model.parameter_count(), 61_706);
/// let y = model.forward(&Tensor::zeros([2, 1, 28, 28]), &mut Context::evaluation());
/// assert_eq!(y.shape(), &[2, 10]);
/// # Ok::<(), hadal::Error>(())
/// ```
pub fn lenet(classes: usize) -> Sequential {
    Sequential::new([1, 28, 28])
        .add(Conv2d::new(6, 5).padding(2).activation(Relu))
        .add(MaxPool2d::new(2))
        .add(Conv2d::new(16, 5).activation(Relu))
        .add(MaxPool2d::new(2))
        .add(Flatten)
        .add(Dense::new(120).activation(Relu))
        .add(Dense::new(84).activation(Relu))
        .add(Dense::new(classes).activation(Softmax))
}
