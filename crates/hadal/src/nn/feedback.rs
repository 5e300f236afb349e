//! How the error reaches hidden layers: through the weights, or through fixed random matrices.
//!
//! Backpropagation multiplies the error by the transpose of each layer's weights, which is not biologically plausible. Feedback
//! alignment uses fixed random matrices instead; during training the weights align with them.

use serde::{Deserialize, Serialize};

use crate::autograd::with_gradient;
use crate::{Rng, Tensor};

/// How the error is propagated back through a [`Dense`](super::Dense) layer: backpropagation, feedback alignment or direct
/// feedback alignment.
///
/// ```
/// use hadal::nn::Feedback;
/// use hadal::prelude::*;
/// // Direct feedback alignment: the error of the output goes to each hidden layer at once.
/// let model = Sequential::new([784])
///     .add(Dense::new(512).activation(Relu).feedback(Feedback::Direct))
///     .add(Dense::new(512).activation(Relu).feedback(Feedback::Direct))
///     .add(Dense::new(10).activation(Softmax))
///     .build()?;
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Feedback {
    /// Through the transpose of the layer's weights: the gradient.
    #[default]
    Backpropagation,
    /// Through a fixed random matrix of the weights' shape (Lillicrap, Cownden, Tweed and Akerman, Nature Communications
    /// 7, 13276, 2016).
    Alignment,
    /// What this layer passes on to the next dense layer receives the error of the network's output through a fixed random
    /// matrix, and nothing from the layers in between (Nøkland, NeurIPS 2016). The network's output is the last dense layer of
    /// its [`Sequential`](super::Sequential), before its activation.
    Direct,
}

/// `x wᵀ` whose error goes back to `x` through `b` in the place of `w`.
pub(super) fn aligned_product(x: &Tensor, w: &Tensor, b: &Tensor) -> Tensor {
    let product = x.detach().matmul(&w.detach().t());
    let (input, matrix) = (x.detach(), b.detach());
    with_gradient(&product, &[x, w], move |index, g| if index == 0 { g.matmul(&matrix) } else { g.t().matmul(&input) })
}

/// `output`, whose error also goes to what each hidden layer passed on, through that layer's matrix `[outputs, units]`.
pub(super) fn broadcast_error(output: &Tensor, hidden: Vec<(Tensor, Tensor)>) -> Tensor {
    let mut inputs = vec![output];
    inputs.extend(hidden.iter().map(|(layer, _)| layer));
    let matrices: Vec<Tensor> = hidden.iter().map(|(_, matrix)| matrix.detach()).collect();
    with_gradient(&output.detach(), &inputs, move |index, g| match index {
        0 => g.clone(),
        layer => g.matmul(&matrices[layer - 1]),
    })
}

/// The matrix of a layer: uniform, with the variance of `1 / fan_in` over the errors it adds up.
pub(super) fn random_matrix(errors: usize, units: usize, rng: &mut Rng) -> Tensor {
    super::Initializer::LecunUniform.make_for(&[errors, units], errors, units, rng)
}
