//! Where each pixel comes from: the geometric steps as one map.

use super::AugmentStep;
use super::check::Frame;
use super::elastic;
use crate::Rng;

/// A map from the pixels of the output to places in the input, both in pixels (x to the right, y down) from the
/// centre of the image: `linear * p + offset + displacement(p)`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Map {
    pub linear: [[f64; 2]; 2],
    pub offset: [f64; 2],
    /// x and y for each pixel of the output.
    pub displacement: Option<[Vec<f32>; 2]>,
}

impl Map {
    pub const IDENTITY: Map = Map { linear: [[1.0, 0.0], [0.0, 1.0]], offset: [0.0, 0.0], displacement: None };

    fn linear(&mut self, [[a, b], [c, d]]: [[f64; 2]; 2]) {
        let row = |[p, q]: [f64; 2]| [p * a + q * c, p * b + q * d];
        self.linear = self.linear.map(row);
    }

    /// Moves the image by `x` to the right and `y` down.
    pub fn shift(&mut self, x: f64, y: f64) {
        for (offset, [p, q]) in self.offset.iter_mut().zip(self.linear) {
            *offset -= p * x + q * y;
        }
    }

    /// Rotates the image clockwise.
    pub fn rotate(&mut self, degrees: f64) {
        let (sin, cos) = degrees.to_radians().sin_cos();
        self.linear([[cos, sin], [-sin, cos]]);
    }

    pub fn scale(&mut self, x: f64, y: f64) {
        self.linear([[1.0 / x, 0.0], [0.0, 1.0 / y]]);
    }

    /// Moves the row at `y` by `-y * tan(degrees)` to the right.
    pub fn shear(&mut self, degrees: f64) {
        self.linear([[1.0, degrees.to_radians().tan()], [0.0, 1.0]]);
    }

    pub fn flip_horizontal(&mut self) {
        self.linear([[-1.0, 0.0], [0.0, 1.0]]);
    }

    pub fn flip_vertical(&mut self) {
        self.linear([[1.0, 0.0], [0.0, -1.0]]);
    }

    /// Takes what lies `field` away from each pixel. Steps that follow leave the field on the pixels of the output:
    /// it is as random there as anywhere.
    pub fn displace(&mut self, mut field: [Vec<f32>; 2]) {
        let [[a, b], [c, d]] = self.linear.map(|row| row.map(|number| number as f32));
        let [along_x, along_y] = &mut field;
        for (x, y) in along_x.iter_mut().zip(along_y) {
            (*x, *y) = (a * *x + b * *y, c * *x + d * *y);
        }
        for (own, before) in field.iter_mut().zip(self.displacement.iter().flatten()) {
            own.iter_mut().zip(before).for_each(|(own, before)| *own += before);
        }
        self.displacement = Some(field);
    }
}

/// A uniform number from `low` to `high`.
pub(super) fn between(rng: &mut Rng, low: f64, high: f64) -> f64 {
    low + (high - low) * f64::from(rng.uniform())
}

/// True with this probability: always for 1, never for 0.
pub(super) fn happens(rng: &mut Rng, probability: f64) -> bool {
    f64::from(rng.uniform()) < probability
}

impl AugmentStep {
    /// Draws the step's parameters and adds it to the map; false if it is not a geometric step.
    pub(super) fn draw(&self, map: &mut Map, frame: Frame, rng: &mut Rng) -> bool {
        let (width, height) = (frame.width as f64, frame.height as f64);
        match *self {
            AugmentStep::Shift(fraction) => {
                let mut pixels = |size: f64| between(rng, -fraction * size, fraction * size).round();
                map.shift(pixels(width), pixels(height));
            }
            AugmentStep::Rotate(degrees) => map.rotate(between(rng, -degrees, degrees)),
            AugmentStep::Scale(min, max) => {
                let factor = between(rng, min, max);
                map.scale(factor, factor);
            }
            AugmentStep::Shear(degrees) => map.shear(between(rng, -degrees, degrees)),
            AugmentStep::Elastic { alpha, sigma } => map.displace(elastic::field(frame, alpha, sigma, rng)),
            AugmentStep::FlipHorizontal(probability) => {
                if happens(rng, probability) {
                    map.flip_horizontal();
                }
            }
            AugmentStep::FlipVertical(probability) => {
                if happens(rng, probability) {
                    map.flip_vertical();
                }
            }
            AugmentStep::Crop(padding) => {
                let mut pixels = || rng.below(2 * padding as u64 + 1) as f64 - padding as f64;
                map.shift(pixels(), pixels());
            }
            AugmentStep::CropResized(min, max) => {
                let area = between(rng, min, max);
                // No further than both sides fit.
                let widest = (4.0f64 / 3.0).min(1.0 / area).ln();
                let ratio = between(rng, -widest, widest).exp();
                // As fractions of the image's width and height.
                let (part_x, part_y) = ((area * ratio).sqrt(), (area / ratio).sqrt());
                // From the first pixel's centre to the last one's, so that nothing comes from outside.
                let mut moved = |part: f64, size: f64| (1.0 - part) * (size - 1.0) * between(rng, -0.5, 0.5);
                map.shift(moved(part_x, width), moved(part_y, height));
                map.scale(1.0 / part_x, 1.0 / part_y);
            }
            _ => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Frame = Frame { channels: 1, height: 20, width: 40 };

    /// The maps of a step for many samples.
    fn draws(step: AugmentStep) -> Vec<Map> {
        let draw = |sample| {
            let mut map = Map::IDENTITY;
            assert!(step.draw(&mut map, FRAME, &mut Rng::with_stream(5, sample)));
            map
        };
        (0..4000).map(draw).collect()
    }

    /// Numbers that are uniform from `low` to `high`: they stay within, come near both ends, and their mean is in the
    /// middle.
    #[track_caller]
    fn uniform(numbers: impl Iterator<Item = f64>, low: f64, high: f64) {
        let numbers: Vec<f64> = numbers.collect();
        let (mut min, mut max, mut sum) = (f64::INFINITY, f64::NEG_INFINITY, 0.0);
        for number in &numbers {
            (min, max, sum) = (min.min(*number), max.max(*number), sum + number);
        }
        let (width, mean) = (high - low, sum / numbers.len() as f64);
        assert!(min >= low - 1e-9 && max <= high + 1e-9, "{min} to {max} leaves {low} to {high}");
        assert!(min < low + 0.01 * width && max > high - 0.01 * width, "{min} to {max} does not fill {low} to {high}");
        // Five standard errors.
        let error = 5.0 * width / (12.0 * numbers.len() as f64).sqrt();
        assert!((mean - (low + high) / 2.0).abs() < error, "mean {mean} of {low} to {high}");
    }

    #[test]
    fn parameters_are_uniform_over_their_ranges() {
        let angle = |map: &Map| map.linear[0][1].atan2(map.linear[0][0]).to_degrees();
        uniform(draws(AugmentStep::Rotate(15.0)).iter().map(angle), -15.0, 15.0);
        uniform(draws(AugmentStep::Scale(0.8, 1.5)).iter().map(|map| 1.0 / map.linear[0][0]), 0.8, 1.5);
        uniform(draws(AugmentStep::Shear(10.0)).iter().map(|map| map.linear[0][1].atan().to_degrees()), -10.0, 10.0);
        let shifts = draws(AugmentStep::Shift(0.1));
        uniform(shifts.iter().map(|map| map.offset[0]), -4.0, 4.0);
        uniform(shifts.iter().map(|map| map.offset[1]), -2.0, 2.0);
        assert!(shifts.iter().flat_map(|map| map.offset).all(|pixels| pixels.fract() == 0.0));
        let crops = draws(AugmentStep::Crop(3));
        uniform(crops.iter().map(|map| map.offset[0]), -3.0, 3.0);
        uniform(crops.iter().map(|map| map.offset[1]), -3.0, 3.0);
    }

    #[test]
    fn flips_come_with_their_probability() {
        let share = |probability| {
            let maps = draws(AugmentStep::FlipHorizontal(probability));
            maps.iter().filter(|map| map.linear[0][0] == -1.0).count() as f64 / maps.len() as f64
        };
        assert_eq!((share(0.0), share(1.0)), (0.0, 1.0));
        assert!((share(0.3) - 0.3).abs() < 0.04, "{}", share(0.3));
        let turned = draws(AugmentStep::FlipVertical(1.0));
        assert!(turned.iter().all(|map| map.linear == [[1.0, 0.0], [0.0, -1.0]]));
    }

    #[test]
    fn a_resized_crop_has_an_area_in_its_range_and_lies_within_the_image() {
        let maps = draws(AugmentStep::CropResized(0.2, 1.0));
        uniform(maps.iter().map(|map| map.linear[0][0] * map.linear[1][1]), 0.2, 1.0);
        for map in maps {
            for (axis, size) in [(0, 40.0), (1, 20.0)] {
                let half = (size - 1.0) / 2.0;
                assert!(map.linear[axis][axis] * half + map.offset[axis].abs() <= half + 1e-9, "{map:?}");
            }
        }
    }

    #[test]
    fn a_field_before_other_steps_is_turned_with_the_map() {
        let mut map = Map::IDENTITY;
        map.rotate(90.0);
        map.displace([vec![1.0], vec![0.0]]);
        map.displace([vec![1.0], vec![0.0]]);
        let [x, y] = map.displacement.unwrap();
        assert!(x[0].abs() < 1e-6 && (y[0] + 2.0).abs() < 1e-6, "{x:?} {y:?}");
    }
}
