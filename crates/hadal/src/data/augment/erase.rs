//! Random erasing (Zhong and others, 2020).

use super::check::Frame;
use super::geometry::{between, happens};
use crate::Rng;

/// The area, as a fraction of the image's, and the ratio of height to width: torchvision's defaults.
const AREA: (f64, f64) = (0.02, 0.33);
const RATIO: (f64, f64) = (0.3, 3.3);
/// How often a rectangle that does not fit is drawn anew.
const TRIES: usize = 10;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rectangle {
    pub top: usize,
    pub left: usize,
    pub height: usize,
    pub width: usize,
}

/// With this probability, fills a random rectangle, the same in all channels.
pub(super) fn erase(pixels: &mut [f32], frame: Frame, probability: f64, fill: f32, rng: &mut Rng) {
    if happens(rng, probability)
        && let Some(rectangle) = draw(frame, rng)
    {
        cover(pixels, frame, rectangle, fill);
    }
}

/// None, if the image is too small for any.
pub(super) fn draw(frame: Frame, rng: &mut Rng) -> Option<Rectangle> {
    let pixels = (frame.height * frame.width) as f64;
    for _ in 0..TRIES {
        let area = pixels * between(rng, AREA.0, AREA.1);
        let ratio = between(rng, RATIO.0.ln(), RATIO.1.ln()).exp();
        let (height, width) = ((area * ratio).sqrt().round() as usize, (area / ratio).sqrt().round() as usize);
        if (1..frame.height).contains(&height) && (1..frame.width).contains(&width) {
            let top = rng.below((frame.height - height) as u64 + 1) as usize;
            let left = rng.below((frame.width - width) as u64 + 1) as usize;
            return Some(Rectangle { top, left, height, width });
        }
    }
    None
}

pub(super) fn cover(pixels: &mut [f32], frame: Frame, rectangle: Rectangle, fill: f32) {
    for plane in pixels.chunks_exact_mut(frame.height * frame.width) {
        for row in plane.chunks_exact_mut(frame.width).skip(rectangle.top).take(rectangle.height) {
            row[rectangle.left..rectangle.left + rectangle.width].fill(fill);
        }
    }
}
