//! The elastic displacement field of Simard, Steinkraus and Platt (2003).

use super::check::Frame;
use crate::{Rng, Tensor};

/// Displacements along x and y for each pixel: uniform numbers from -1 to 1, smoothed by a Gaussian, times `alpha`.
pub(super) fn field(frame: Frame, alpha: f64, sigma: f64, rng: &mut Rng) -> [Vec<f32>; 2] {
    let (height, width) = (frame.height, frame.width);
    let kernel = gaussian(sigma, alpha);
    [(); 2].map(|()| {
        let mut field = Tensor::rand([height * width], rng).to_vec::<f32>();
        field.iter_mut().for_each(|number| *number = 2.0 * *number - 1.0);
        smooth_rows(&mut field, width, &kernel);
        smooth_columns(&field, width, &kernel)
    })
}

/// The Gaussian at whole pixels up to 3 `sigma`, so that smoothing along both axes multiplies by `alpha` in all.
fn gaussian(sigma: f64, alpha: f64) -> Vec<f32> {
    let radius = (3.0 * sigma).ceil() as i64;
    // Where sigma is 0, the only weight is exp(0).
    let weight = |distance: i64| (-0.5 * (distance as f64 / sigma.max(1e-9)).powi(2)).exp();
    let weights: Vec<f64> = (-radius..=radius).map(weight).collect();
    let factor = alpha.sqrt() / weights.iter().sum::<f64>();
    weights.into_iter().map(|weight| (weight * factor) as f32).collect()
}

/// Convolves each row with the kernel; a row begins again where it ends.
fn smooth_rows(field: &mut [f32], width: usize, kernel: &[f32]) {
    let radius = kernel.len() / 2;
    let first = (width - radius % width) % width;
    let mut around = Vec::with_capacity(width + 2 * radius);
    for row in field.chunks_exact_mut(width) {
        around.clear();
        around.extend(row.iter().cycle().skip(first).take(width + 2 * radius));
        row.fill(0.0);
        for (shift, weight) in kernel.iter().enumerate() {
            add_scaled(row, &around[shift..shift + width], *weight);
        }
    }
}

/// Convolves each column with the kernel; a column begins again where it ends.
fn smooth_columns(field: &[f32], width: usize, kernel: &[f32]) -> Vec<f32> {
    let height = field.len() / width;
    let first = (height - kernel.len() / 2 % height) % height;
    let mut out = vec![0.0; field.len()];
    for (y, row) in out.chunks_exact_mut(width).enumerate() {
        let rows = field.chunks_exact(width).cycle().skip((first + y) % height);
        for (weight, other) in kernel.iter().zip(rows) {
            add_scaled(row, other, *weight);
        }
    }
    out
}

fn add_scaled(out: &mut [f32], row: &[f32], weight: f32) {
    out.iter_mut().zip(row).for_each(|(out, number)| *out += weight * number);
}
