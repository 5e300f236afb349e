//! Resizing with antialiasing, as Pillow does it.

use crate::{DType, Error, Result, Tensor};

/// Fractional bits of the weights.
const BITS: u32 = 32 - 8 - 2;

/// Resizes images of bytes, `[.., height, width]`, to `size`, `[height, width]`: bilinear, with antialiasing where
/// they shrink. The ratio of the sides is not kept.
///
/// ```
/// use hadal::{Tensor, format::image::resize};
/// let image = Tensor::from_slice(&[0u8, 0, 100, 100, 0, 0, 100, 100], [2, 4]);
/// assert_eq!(resize(&image, [1, 2])?.to_vec::<u8>(), [14, 86]);
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// Formula: each pixel is the mean of those near it, weighted by `max(0, 1 - |distance| / scale)`, where `scale` is
/// how many pixels become one, at least 1; the width first, then the height, each rounded. Source: Pillow's
/// `Image.resize` with `BILINEAR`, which torchvision's `Resize` with `antialias=True` follows.
///
/// # Errors
/// If the images are not `u8`, have fewer than two axes, or a side is 0.
pub fn resize(images: &Tensor, size: [usize; 2]) -> Result<Tensor> {
    let shape = images.shape();
    let [.., height, width] = **shape else {
        return Err(Error::Data(format!("images have shape [.., height, width], not {shape}")));
    };
    if images.dtype() != DType::U8 {
        return Err(Error::Data(format!("images to resize hold u8, not {}", images.dtype())));
    }
    if [height, width].contains(&0) || size.contains(&0) {
        return Err(Error::Data(format!(
            "images of {height} x {width} pixels cannot become {} x {}",
            size[0], size[1]
        )));
    }
    let mut sizes = shape.to_vec();
    let rank = sizes.len();
    sizes[rank - 2..].copy_from_slice(&size);
    let resized = planes(images.to_vec(), [height, width], size);
    Ok(Tensor::from_vec(resized, crate::Shape::try_new(&sizes)?))
}

/// Resizes planes, one after the other.
pub(super) fn planes(planes: Vec<u8>, from: [usize; 2], to: [usize; 2]) -> Vec<u8> {
    let wide = if from[1] == to[1] { planes } else { rows(&planes, from[1], to[1]) };
    if from[0] == to[0] { wide } else { columns(&wide, to[1], from[0], to[0]) }
}

/// The pixels that become one, and their weights, which add up to about 2^BITS.
struct Window {
    start: usize,
    weights: Vec<i32>,
}

/// One window for each of `to` pixels.
fn windows(from: usize, to: usize) -> Vec<Window> {
    let scale = from as f64 / to as f64;
    let support = scale.max(1.0);
    let window = |index: usize| {
        let center = (index as f64 + 0.5) * scale;
        let start = (center - support + 0.5).max(0.0) as usize;
        let end = ((center + support + 0.5) as usize).min(from);
        let weight = |at: usize| (1.0 - ((at as f64 - center + 0.5) / support).abs()).max(0.0);
        let sum: f64 = (start..end).map(weight).sum();
        let weights = (start..end).map(|at| (weight(at) / sum * f64::from(1 << BITS) + 0.5) as i32).collect();
        Window { start, weights }
    };
    (0..to).map(window).collect()
}

fn rounded(sum: i32) -> u8 {
    (sum >> BITS).clamp(0, 255) as u8
}

/// Every row of `from` pixels as one of `to`.
fn rows(pixels: &[u8], from: usize, to: usize) -> Vec<u8> {
    let windows = windows(from, to);
    let mut out = Vec::with_capacity(pixels.len() / from * to);
    for row in pixels.chunks_exact(from) {
        out.extend(windows.iter().map(|window| {
            let products =
                row[window.start..].iter().zip(&window.weights).map(|(&pixel, weight)| i32::from(pixel) * weight);
            rounded((1 << (BITS - 1)) + products.sum::<i32>())
        }));
    }
    out
}

/// Every plane of `from` rows of `width` pixels as one of `to`.
fn columns(pixels: &[u8], width: usize, from: usize, to: usize) -> Vec<u8> {
    let windows = windows(from, to);
    let mut out = Vec::with_capacity(pixels.len() / from * to);
    let mut sums = vec![0; width];
    for plane in pixels.chunks_exact(from * width) {
        for window in &windows {
            sums.fill(1 << (BITS - 1));
            let rows = plane[window.start * width..].chunks_exact(width);
            for (row, weight) in rows.zip(&window.weights) {
                for (sum, &pixel) in sums.iter_mut().zip(row) {
                    *sum += i32::from(pixel) * weight;
                }
            }
            out.extend(sums.iter().copied().map(rounded));
        }
    }
    out
}
