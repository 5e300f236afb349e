//! Gradients against differences.

use super::{Gradients, no_grad};
use crate::tensor::Tensor;

/// Compares the gradient of `f` with central differences in `f64`; returns the largest relative error over all
/// elements of all inputs, `|analytic - numeric| / max(1, |analytic|, |numeric|)`.
///
/// `f` is called with leaves of the given values; its result is summed. About 1e-8 is what `f64` can show.
///
/// ```
/// use hadal_tensor::{Tensor, autograd::check_gradients};
/// let x = Tensor::from_slice(&[0.3f64, -1.2], [2]);
/// assert!(check_gradients(|x| x[0].tanh(), &[x]) < 1e-7);
/// ```
///
/// # Panics
/// If an input is not `f64`.
#[doc(alias = "gradcheck")]
#[track_caller]
pub fn check_gradients(f: impl Fn(&[Tensor]) -> Tensor, inputs: &[Tensor]) -> f64 {
    let step = 1e-6;
    let leaves: Vec<Tensor> = inputs.iter().map(|x| x.detach().requires_grad()).collect();
    let result = f(&leaves).sum();
    let gradients = if result.is_tracked() { result.backward() } else { Gradients::default() };
    let mut worst = 0.0f64;
    for (which, input) in inputs.iter().enumerate() {
        let values = input.to_vec::<f64>();
        let analytic = match gradients.get(&leaves[which]) {
            Some(gradient) => gradient.to_vec::<f64>(),
            None => vec![0.0; values.len()],
        };
        let at = |index: usize, value: f64| {
            let mut moved = values.clone();
            moved[index] = value;
            let mut all = inputs.to_vec();
            all[which] = Tensor::from_vec(moved, input.shape());
            no_grad(|| f(&all).sum().item())
        };
        for index in 0..values.len() {
            let numeric = (at(index, values[index] + step) - at(index, values[index] - step)) / (2.0 * step);
            let scale = analytic[index].abs().max(numeric.abs()).max(1.0);
            let error = (analytic[index] - numeric).abs() / scale;
            worst = if error.is_nan() { f64::INFINITY } else { worst.max(error) };
        }
    }
    worst
}
