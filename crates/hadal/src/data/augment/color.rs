//! Brightness and contrast.

use super::check::Frame;

/// torchvision's `adjust_brightness`, for pixels from 0 to `white`.
pub(super) fn brightness(pixels: &mut [f32], factor: f32, white: f32) {
    pixels.iter_mut().for_each(|pixel| *pixel = (*pixel * factor).clamp(0.0, white));
}

/// torchvision's `adjust_contrast`, for pixels from 0 to `white`; without its rounding of the mean of bytes.
pub(super) fn contrast(pixels: &mut [f32], frame: Frame, factor: f32, white: f32) {
    let mean = mean(pixels, frame);
    // As torchvision blends, so that a factor of 1 changes nothing.
    let share = (1.0 - factor) * mean;
    pixels.iter_mut().for_each(|pixel| *pixel = (factor * *pixel + share).clamp(0.0, white));
}

/// The mean luminance of three channels; that of all pixels else.
fn mean(pixels: &[f32], frame: Frame) -> f32 {
    let means = pixels.chunks_exact(frame.height * frame.width).map(|plane| {
        // Row by row: the sum of a whole plane in f32 would lose digits.
        let rows = plane.chunks_exact(frame.width).map(|row| f64::from(row.iter().sum::<f32>()));
        rows.sum::<f64>() / plane.len() as f64
    });
    let weights: &[f64] = if frame.channels == 3 { &[0.2989, 0.587, 0.114] } else { &[] };
    let equal = 1.0 / frame.channels as f64;
    means.enumerate().map(|(channel, mean)| weights.get(channel).unwrap_or(&equal) * mean).sum::<f64>() as f32
}
