//! What both kinds of pooling have in common.

use crate::nn::window::{PerAxis, Window, channels, sample};
use crate::{Error, Result, Shape};

/// The output for samples of shape `input`, of windows that lie side by side unless there is a stride.
///
/// # Errors
/// If a setting cannot work, or windows are larger than the padded input.
pub(super) fn plan<const D: usize>(
    layer: &str,
    input: &Shape,
    kernel: PerAxis<D>,
    stride: Option<PerAxis<D>>,
    padding: PerAxis<D>,
    dilation: PerAxis<D>,
) -> Result<Shape> {
    let channels = channels::<D>(layer, input)?;
    for (padding, kernel) in padding.get().into_iter().zip(kernel.get()) {
        if padding > kernel / 2 {
            return Err(Error::Config(format!(
                "{layer}: padding {padding} must be at most half of the window's size, {kernel}, so that no window is padding alone"
            )));
        }
    }
    let stride = stride.unwrap_or(kernel);
    let window = Window { kernel, stride, padding: padding.get().map(|padding| (padding, padding)), dilation };
    let sizes = window.output_sizes(layer, input)?;
    for d in 0..D {
        let (size, padding, step) = (input[1 + d], padding.get()[d], dilation.get()[d]);
        // The elements of a window with gaps wider than the input may all lie beside it.
        let inside = |place: usize| {
            (0..kernel.get()[d]).any(|at| (padding..padding + size).contains(&(place * stride.get()[d] + at * step)))
        };
        if step > size && padding > 0 && !(0..sizes[d]).all(inside) {
            return Err(Error::Config(format!(
                "{layer}: with dilation {step}, a window lies within the padding of its input of shape {input}"
            )));
        }
    }
    sample(channels, &sizes)
}
