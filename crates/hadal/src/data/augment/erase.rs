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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rectangles_lie_within_the_image_and_have_areas_and_ratios_in_their_ranges() {
        let frame = Frame { channels: 3, height: 100, width: 80 };
        let (mut smallest, mut largest) = (1.0f64, 0.0f64);
        for seed in 0..5000 {
            let Rectangle { top, left, height, width } = draw(frame, &mut Rng::new(seed)).unwrap();
            assert!(top + height <= 100 && left + width <= 80);
            let (area, ratio) = ((height * width) as f64 / 8000.0, height as f64 / width as f64);
            // Sides are rounded to whole pixels.
            assert!((0.018..0.345).contains(&area) && (0.28..3.5).contains(&ratio), "{area} {ratio}");
            (smallest, largest) = (smallest.min(area), largest.max(area));
        }
        assert!(smallest < 0.025 && largest > 0.32, "{smallest} {largest}");
    }

    #[test]
    fn it_erases_with_its_probability_the_same_place_in_all_channels() {
        let frame = Frame { channels: 2, height: 10, width: 10 };
        let run = |seed, probability| {
            let mut pixels = vec![1.0; 200];
            erase(&mut pixels, frame, probability, 0.25, &mut Rng::new(seed));
            pixels
        };
        let share = |probability| (0..2000).filter(|seed| run(*seed, probability).contains(&0.25)).count();
        assert_eq!((share(0.0), share(1.0)), (0, 2000));
        assert!((900..1100).contains(&share(0.5)), "{}", share(0.5));
        let pixels = run(3, 1.0);
        assert_eq!(pixels[..100], pixels[100..]);
    }

    #[test]
    fn an_image_too_small_for_a_rectangle_stays() {
        let mut pixels = vec![1.0];
        erase(&mut pixels, Frame { channels: 1, height: 1, width: 1 }, 1.0, 0.0, &mut Rng::new(0));
        assert_eq!(pixels, [1.0]);
    }
}
