//! The elastic displacement field of Simard, Steinkraus and Platt (2003).

use super::check::Frame;
use crate::{Rng, Task, Tensor, dispatch};

/// Displacements along x and y for each pixel: uniform numbers from -1 to 1, smoothed by a Gaussian, times `alpha`.
pub(super) fn field(frame: Frame, alpha: f64, sigma: f64, rng: &mut Rng) -> [Vec<f32>; 2] {
    let (height, width) = (frame.height, frame.width);
    let kernel = gaussian(sigma, alpha);
    [(); 2].map(|()| {
        let mut field = Tensor::rand([height * width], rng).to_vec::<f32>();
        field.iter_mut().for_each(|number| *number = 2.0 * *number - 1.0);
        dispatch(Smooth { field: &field, width, kernel: &kernel })
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

/// Columns that are summed side by side, in registers.
const SIDE: usize = 32;

/// Convolves rows and columns with the kernel; each begins again where it ends.
struct Smooth<'a> {
    field: &'a [f32],
    width: usize,
    kernel: &'a [f32],
}

impl Task for Smooth<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn run(self) -> Vec<f32> {
        let Smooth { field, width, kernel } = self;
        let (height, radius) = (field.len() / width, kernel.len() / 2);
        // Rows are continued to whole groups of columns.
        let stride = width.next_multiple_of(SIDE);
        let mut across = vec![0.0; stride * height];
        let mut around = vec![0.0; stride + 2 * radius];
        let first = start(radius, width);
        for (out, row) in across.chunks_exact_mut(stride).zip(field.chunks_exact(width)) {
            around.iter_mut().zip(row.iter().cycle().skip(first)).for_each(|(around, number)| *around = *number);
            weighted_sum(out, kernel, |shift| &around[shift..shift + stride]);
        }
        let first = start(radius, height);
        let mut smooth = Vec::with_capacity(field.len());
        let mut down = vec![0.0; stride];
        for y in 0..height {
            weighted_sum(&mut down, kernel, |shift| &across[(first + y + shift) % height * stride..][..stride]);
            smooth.extend_from_slice(&down[..width]);
        }
        smooth
    }
}

/// The place that lies `radius` before the first one of a cycle of `size`.
#[inline(always)]
fn start(radius: usize, size: usize) -> usize {
    (size - radius % size) % size
}

/// The sum of rows, each times its weight.
#[inline(always)]
fn weighted_sum<'a>(out: &mut [f32], weights: &[f32], row: impl Fn(usize) -> &'a [f32]) {
    for (group, out) in out.chunks_exact_mut(SIDE).enumerate() {
        let mut sums = [0.0; SIDE];
        for (i, weight) in weights.iter().enumerate() {
            let row = &row(i)[group * SIDE..][..SIDE];
            for (sum, number) in sums.iter_mut().zip(row) {
                *sum += weight * number;
            }
        }
        out.copy_from_slice(&sums);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Frame = Frame { channels: 1, height: 37, width: 45 };

    #[test]
    fn smoothing_is_the_sum_over_the_kernel_around_the_edges() {
        let field = Tensor::rand([6 * 10], &mut Rng::new(0)).to_vec::<f32>();
        for sigma in [0.0, 0.4, 1.0, 5.0] {
            let kernel = gaussian(sigma, 9.0);
            let radius = kernel.len() as i64 / 2;
            let smooth = dispatch(Smooth { field: &field, width: 10, kernel: &kernel });
            for (place, smooth) in smooth.into_iter().enumerate() {
                let mut sum = 0.0;
                for (i, a) in kernel.iter().enumerate() {
                    for (j, b) in kernel.iter().enumerate() {
                        let y = ((place / 10) as i64 + i as i64 - radius).rem_euclid(6) as usize;
                        let x = ((place % 10) as i64 + j as i64 - radius).rem_euclid(10) as usize;
                        sum += f64::from(*a) * f64::from(*b) * f64::from(field[y * 10 + x]);
                    }
                }
                assert!((f64::from(smooth) - sum).abs() < 1e-5, "sigma {sigma}: {smooth} instead of {sum}");
            }
        }
    }

    #[test]
    fn the_weights_of_both_axes_sum_to_alpha() {
        for sigma in [0.0, 0.3, 4.0] {
            let sum: f32 = gaussian(sigma, 34.0).iter().sum();
            assert!((sum * sum - 34.0).abs() < 1e-3, "{sum}");
        }
    }

    /// Uniform numbers from -1 to 1 have the variance 1/3; a Gaussian in two dimensions leaves 1 / (4 pi sigma^2) of
    /// it.
    #[test]
    fn displacements_have_the_spread_that_theory_gives() {
        let (alpha, sigma) = (34.0, 3.0);
        let (mut squares, mut sum, mut count) = (0.0, 0.0, 0.0);
        for seed in 0..40 {
            for number in field(FRAME, alpha, sigma, &mut Rng::new(seed)).into_iter().flatten().map(f64::from) {
                (squares, sum, count) = (squares + number * number, sum + number, count + 1.0);
            }
        }
        let expected = alpha * (1.0 / 3.0 / (4.0 * std::f64::consts::PI)).sqrt() / sigma;
        let std = (squares / count).sqrt();
        assert!((std / expected - 1.0).abs() < 0.05, "{std} instead of {expected}");
        assert!((sum / count).abs() < 0.1 * expected, "mean {}", sum / count);
    }

    #[test]
    fn no_alpha_no_displacement() {
        assert!(field(FRAME, 0.0, 4.0, &mut Rng::new(0)).into_iter().flatten().all(|number| number == 0.0));
    }
}
