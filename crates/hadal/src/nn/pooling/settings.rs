//! What both kinds of pooling have in common.

use crate::nn::window::{Window, channels, check_axes, sample};
use crate::{Error, Pool, Result, Shape};

/// The settings of the operation.
pub(super) fn pool<const D: usize>(window: Window<D>) -> Pool {
    let pool = Pool::new(window.kernel).stride(window.stride).dilation(window.dilation).ceil_mode(window.ceil_mode);
    if window.same_padding { pool.same_padding() } else { pool.padding(window.padding) }
}

/// The output for samples of shape `input`.
///
/// # Errors
/// If a setting cannot work, or windows are larger than the padded input.
pub(super) fn plan<const D: usize>(layer: &str, input: &Shape, window: Window<D>) -> Result<Shape> {
    let channels = channels::<D>(layer, input)?;
    let kernel = window.kernel.get();
    for (padding, kernel) in window.padding.get().into_iter().zip(kernel) {
        if padding > kernel / 2 {
            return Err(Error::Config(format!(
                "{layer}: padding {padding} must be at most half of the window's size, {kernel}, so that no window is padding alone"
            )));
        }
    }
    let sizes = window.output_sizes(layer, input)?;
    if input[D] == 1 && kernel[D - 1] > 1 {
        check_axes(layer, input, window.kernel, "give the window a width of 1")?;
    }
    for d in 0..D {
        let (size, (padding, _)) = (input[1 + d], window.sides(input, d));
        let (step, stride) = (window.dilation.get()[d], window.stride.get()[d]);
        // The elements of a window with gaps wider than the input may all lie beside it.
        let inside = |place: usize| {
            let start = place * stride;
            let first = padding.saturating_sub(start).div_ceil(step);
            first < kernel[d] && start + first * step < padding + size
        };
        if step > size && padding > 0 && !(0..sizes[d]).all(inside) {
            return Err(Error::Config(format!(
                "{layer}: with dilation {step}, a window lies within the padding of its input of shape {input}"
            )));
        }
    }
    sample(channels, &sizes)
}
