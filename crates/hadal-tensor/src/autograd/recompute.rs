//! Results that are computed again where their gradient is needed, so that nothing is kept of what led to them.

use super::{RECORDING, no_grad, record, records, set_recording, walk};
use crate::autograd::Node;
use crate::tensor::Tensor;

/// Computes `f(inputs)` without a record of what it does, and computes it again in the backward pass: gradient checkpointing, which
/// takes the memory of one part of a network at a time, for the time of one more forward pass (Chen and others, "Training deep nets
/// with sublinear memory cost", 2016; PyTorch's `torch.utils.checkpoint`).
///
/// `f` must give the same result each time: what is random in it draws from the same [`Rng`](crate::Rng) anew. All tensors that are to
/// receive a gradient must be among the inputs, parameters too. Result and gradients have the bits that they would have without,
/// unless an input takes part several times inside and outside of `f`: its gradient is then a sum in another order.
///
/// ```
/// use hadal_tensor::{Tensor, autograd::checkpoint};
/// let (x, w) = (Tensor::from([[1.0, 2.0]]), Tensor::from([[0.5], [0.25]]).requires_grad());
/// let y = checkpoint(&[&x, &w], |inputs| inputs[0].matmul(&inputs[1]).tanh());
/// let plain = x.matmul(&w).tanh();
/// assert_eq!(y.sum().backward()[&w].to_vec::<f32>(), plain.sum().backward()[&w].to_vec::<f32>());
/// ```
///
/// # Panics
/// `backward` panics if `f` gives another shape or dtype than at first, or takes a tensor that requires a gradient and is not among the
/// inputs.
#[doc(alias = "remat")]
#[doc(alias = "gradient_checkpointing")]
#[track_caller]
pub fn checkpoint(inputs: &[&Tensor], f: impl Fn(&[Tensor]) -> Tensor + Send + Sync + 'static) -> Tensor {
    let own: Vec<Tensor> = inputs.iter().map(|&input| input.clone()).collect();
    let output = no_grad(|| f(&own));
    with_recomputation(&output, inputs, f)
}

/// Gives `output`, which was computed without a record, the gradient of `f(inputs)`, which is computed again in the backward pass:
/// [`checkpoint`] where the first computation is another call than those that follow.
///
/// ```
/// use hadal_tensor::{Tensor, autograd::with_recomputation, no_grad};
/// let x = Tensor::from([2.0]).requires_grad();
/// let y = with_recomputation(&no_grad(|| x.exp()), &[&x], |inputs| inputs[0].exp());
/// assert_eq!(y.sum().backward()[&x].item(), 2f32.exp().into());
/// ```
///
/// # Panics
/// As [`checkpoint`].
#[track_caller]
pub fn with_recomputation(
    output: &Tensor,
    inputs: &[&Tensor],
    f: impl Fn(&[Tensor]) -> Tensor + Send + Sync + 'static,
) -> Tensor {
    if !records(inputs) {
        return output.detach();
    }
    let (shape, dtype) = (*output.shape(), output.dtype());
    let own: Vec<Tensor> = inputs.iter().map(|&input| input.clone()).collect();
    record("checkpoint", output.value().clone(), inputs, move |g, sink| {
        let is_recording = RECORDING.get();
        // Leaves are themselves, so that they are still known as such; where others come from is not of this part.
        let arguments: Vec<Tensor> = own.iter().map(part_of).collect();
        let ends: Vec<u64> = arguments.iter().filter(|x| !x.is_leaf()).filter_map(|x| Some(x.node()?.id)).collect();
        let again = {
            let _restore = set_recording(true);
            f(&arguments)
        };
        assert!(
            *again.shape() == shape && again.dtype() == dtype,
            "checkpoint: the function gave {dtype} {shape} at first, and {} {} in the backward pass; it must give the same each time",
            again.dtype(),
            again.shape()
        );
        let Some(root) = again.node() else { return };
        let mut gradients = walk(root, g.clone(), is_recording, &ends);
        for (index, argument) in arguments.iter().enumerate() {
            if let Some(gradient) = gradients.remove(argument) {
                sink.add(index, || gradient);
            }
        }
        assert!(
            gradients.is_empty(),
            "checkpoint: the function takes a tensor that requires a gradient and is not among the inputs; add it to them"
        );
    })
}

/// An input as the function gets it.
fn part_of(input: &Tensor) -> Tensor {
    match input.node() {
        Some(node) if !node.leaf => Tensor::new(input.value().clone(), Some(Node::retained(node.clone()))),
        _ => input.clone(),
    }
}
