//! Built-in digits: generated in MNIST's shape, for machines without the data and without a network.
//!
//! Each digit is drawn as a pen would: a few smooth strokes through jittered points, slanted, turned, stretched, bent by
//! a random elastic field, and inked with a round nib. Only arithmetic that IEEE 754 defines exactly is used, so a seed
//! gives the same bytes on every machine.

use std::sync::{Mutex, PoisonError};

use super::Dataset;
use crate::{Error, ROOM_FOR_THREAD, Result, Rng, Tensor, can_allocate, memory};

/// The built-in dataset of generated digits, in the format of MNIST.
///
/// ```
/// use hadal::prelude::*;
/// let (x, labels) = Digits::samples(7, 0, 10)?.batch(&[0]);
/// println!("{}", labels.item());
/// println!("{}", (x.reshape([28, 28]) * 9.0).to_dtype(DType::U8));
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Digits;

/// The stream of the generator; sample `i` draws from stream `STREAM + i`.
const STREAM: u64 = 0xd161_7500_0000;
const SIDE: usize = 28;
const TRAINING: usize = 60_000;
const TEST: usize = 10_000;
/// How many images a thread draws at a time.
const PART: usize = 500;

impl Digits {
    /// 60,000 training and 10,000 test images from `seed`: inputs `[N, 784]` scaled to `[0, 1]`, targets the digits
    /// (`i64`). Same seed, same bytes.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let (train, test) = Digits::generate(0)?;
    /// assert_eq!((train.len(), test.len()), (60_000, 10_000));
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is not enough memory.
    pub fn generate(seed: u64) -> Result<(Dataset, Dataset)> {
        Ok((Digits::samples(seed, 0, TRAINING)?, Digits::samples(seed, TRAINING, TEST)?))
    }

    /// The test images alone.
    ///
    /// # Errors
    /// As [`generate`](Digits::generate).
    pub fn generate_test(seed: u64) -> Result<Dataset> {
        Digits::samples(seed, TRAINING, TEST)
    }

    /// Samples `first .. first + count` of the endless sequence that belongs to `seed`.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let data = Digits::samples(0, 0, 100)?;
    /// assert_eq!((data.len(), data.input_shape()), (100, Shape::from([784])));
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If `count` is 0, or there is not enough memory for so many.
    pub fn samples(seed: u64, first: usize, count: usize) -> Result<Dataset> {
        let refuse = |reason: String| Error::Data(format!("{count} digits from number {first} on: {reason}"));
        let size = count.checked_mul(SIDE * SIDE).filter(|_| first.checked_add(count).is_some());
        let Some(size) = size else { return Err(refuse("there are not so many".into())) };
        // Pixels, labels, and the tensors that keep them.
        memory::require(size.saturating_mul(2).saturating_add(count.saturating_mul(16))).map_err(refuse)?;
        let mut pixels: Vec<u8> = memory::reserve(size).map_err(refuse)?;
        pixels.resize(size, 0);
        let mut labels = vec![0i64; count];
        // Threads that the system cannot start leave their parts to the others.
        let parts = pixels.chunks_mut(PART * SIDE * SIDE).zip(labels.chunks_mut(PART)).enumerate();
        let parts = Mutex::new(parts);
        let next = || parts.lock().unwrap_or_else(PoisonError::into_inner).next();
        let work = || {
            while let Some((part, (pixels, labels))) = next() {
                for (i, (image, label)) in pixels.chunks_mut(SIDE * SIDE).zip(labels).enumerate() {
                    let index = (first + part * PART + i) as u64;
                    let mut pen = Pen(Rng::with_stream(seed, STREAM.wrapping_add(index)));
                    let digit = pen.0.below(10) as usize;
                    *label = digit as i64;
                    draw(digit, &mut pen, image);
                }
            }
        };
        std::thread::scope(|scope| {
            let helpers = crate::num_threads().min(count.div_ceil(PART)).saturating_sub(1);
            let start =
                |_| can_allocate(ROOM_FOR_THREAD) && std::thread::Builder::new().spawn_scoped(scope, work).is_ok();
            (0..helpers).all(start);
            work();
        });
        let inputs = Tensor::from_vec(pixels, [count, SIDE * SIDE]);
        Ok(Dataset::new("digits", inputs, Tensor::from_vec(labels, [count]))?.divide(255.0))
    }
}

type Point = [f32; 2];

/// The ways people write each digit: strokes through points, in a square with x to the right and y down.
fn strokes(digit: usize, style: u64) -> Vec<Vec<Point>> {
    let s = |points: &[Point]| points.to_vec();
    match (digit, style % 3) {
        (0, 0) => vec![s(&[
            [0.55, 0.04],
            [0.27, 0.18],
            [0.16, 0.52],
            [0.3, 0.88],
            [0.58, 0.95],
            [0.82, 0.68],
            [0.82, 0.3],
            [0.55, 0.04],
        ])],
        (0, _) => vec![s(&[
            [0.62, 0.1],
            [0.35, 0.08],
            [0.17, 0.4],
            [0.22, 0.8],
            [0.5, 0.96],
            [0.8, 0.75],
            [0.85, 0.35],
            [0.66, 0.08],
            [0.48, 0.14],
        ])],
        (1, 0) => vec![s(&[[0.32, 0.24], [0.53, 0.05]]), s(&[[0.53, 0.05], [0.51, 0.5], [0.5, 0.95]])],
        (1, 1) => {
            vec![s(&[[0.34, 0.22], [0.52, 0.05]]), s(&[[0.52, 0.05], [0.5, 0.93]]), s(&[[0.3, 0.94], [0.72, 0.93]])]
        }
        (1, _) => vec![s(&[[0.54, 0.04], [0.52, 0.5], [0.48, 0.96]])],
        (2, 0) => vec![
            s(&[[0.2, 0.26], [0.34, 0.08], [0.62, 0.06], [0.78, 0.26], [0.62, 0.54], [0.2, 0.92]]),
            s(&[[0.2, 0.92], [0.5, 0.9], [0.84, 0.93]]),
        ],
        (2, _) => vec![s(&[
            [0.22, 0.22],
            [0.42, 0.05],
            [0.72, 0.14],
            [0.7, 0.42],
            [0.42, 0.76],
            [0.2, 0.9],
            [0.18, 0.78],
            [0.36, 0.76],
            [0.6, 0.92],
            [0.86, 0.84],
        ])],
        (3, 0) => vec![
            s(&[[0.2, 0.14], [0.48, 0.04], [0.76, 0.18], [0.68, 0.4], [0.42, 0.47]]),
            s(&[[0.42, 0.47], [0.74, 0.54], [0.8, 0.78], [0.52, 0.96], [0.17, 0.86]]),
        ],
        (3, _) => vec![s(&[
            [0.22, 0.1],
            [0.58, 0.05],
            [0.76, 0.22],
            [0.58, 0.43],
            [0.44, 0.48],
            [0.7, 0.55],
            [0.8, 0.76],
            [0.55, 0.95],
            [0.2, 0.9],
        ])],
        (4, 0) => vec![
            s(&[[0.6, 0.05], [0.36, 0.34], [0.14, 0.62]]),
            s(&[[0.14, 0.62], [0.5, 0.63], [0.88, 0.6]]),
            s(&[[0.62, 0.32], [0.62, 0.64], [0.6, 0.96]]),
        ],
        (4, _) => vec![
            s(&[[0.24, 0.08], [0.17, 0.34], [0.24, 0.52], [0.5, 0.53], [0.78, 0.46]]),
            s(&[[0.78, 0.06], [0.74, 0.48], [0.68, 0.96]]),
        ],
        (5, 0) => vec![
            s(&[[0.3, 0.07], [0.54, 0.08], [0.8, 0.05]]),
            s(&[[0.3, 0.07], [0.25, 0.42]]),
            s(&[[0.25, 0.42], [0.54, 0.38], [0.8, 0.6], [0.64, 0.9], [0.36, 0.95], [0.18, 0.86]]),
        ],
        (5, _) => vec![
            s(&[[0.82, 0.06], [0.56, 0.07], [0.38, 0.1], [0.3, 0.4]]),
            s(&[[0.3, 0.4], [0.58, 0.42], [0.74, 0.64], [0.58, 0.9], [0.2, 0.92]]),
        ],
        (6, 0) => vec![s(&[
            [0.66, 0.05],
            [0.36, 0.28],
            [0.2, 0.64],
            [0.38, 0.94],
            [0.68, 0.9],
            [0.76, 0.64],
            [0.52, 0.5],
            [0.24, 0.68],
        ])],
        (6, _) => vec![s(&[
            [0.46, 0.04],
            [0.28, 0.36],
            [0.22, 0.72],
            [0.42, 0.95],
            [0.72, 0.84],
            [0.7, 0.6],
            [0.46, 0.58],
            [0.26, 0.76],
        ])],
        (7, 0) => vec![s(&[[0.16, 0.1], [0.5, 0.09], [0.82, 0.07]]), s(&[[0.82, 0.07], [0.58, 0.46], [0.4, 0.96]])],
        (7, 1) => vec![
            s(&[[0.16, 0.12], [0.48, 0.08], [0.82, 0.09]]),
            s(&[[0.82, 0.09], [0.6, 0.46], [0.46, 0.95]]),
            s(&[[0.36, 0.52], [0.56, 0.5], [0.76, 0.5]]),
        ],
        (7, _) => vec![s(&[[0.18, 0.2], [0.26, 0.08], [0.54, 0.12], [0.8, 0.1], [0.66, 0.4], [0.5, 0.95]])],
        (8, 0) => vec![s(&[
            [0.72, 0.16],
            [0.46, 0.04],
            [0.26, 0.22],
            [0.44, 0.44],
            [0.7, 0.64],
            [0.68, 0.88],
            [0.44, 0.96],
            [0.24, 0.8],
            [0.38, 0.58],
            [0.66, 0.36],
            [0.72, 0.16],
        ])],
        (8, _) => vec![
            s(&[[0.5, 0.48], [0.28, 0.28], [0.44, 0.05], [0.7, 0.16], [0.68, 0.36], [0.5, 0.48]]),
            s(&[[0.5, 0.48], [0.24, 0.68], [0.36, 0.94], [0.66, 0.92], [0.76, 0.68], [0.5, 0.48]]),
        ],
        (9, 0) => vec![s(&[
            [0.74, 0.26],
            [0.56, 0.07],
            [0.3, 0.16],
            [0.26, 0.4],
            [0.5, 0.5],
            [0.72, 0.32],
            [0.76, 0.16],
            [0.72, 0.56],
            [0.62, 0.96],
        ])],
        _ => vec![
            s(&[[0.72, 0.2], [0.5, 0.05], [0.26, 0.2], [0.34, 0.46], [0.6, 0.44], [0.72, 0.2]]),
            s(&[[0.72, 0.2], [0.74, 0.55], [0.6, 0.82], [0.34, 0.95]]),
        ],
    }
}

/// A source of random numbers for drawing.
struct Pen(Rng);

impl Pen {
    /// Uniform on `[-1, 1)`.
    fn either(&mut self) -> f32 {
        2.0 * self.0.uniform() - 1.0
    }

    /// Bell-shaped with deviation 1, within ±3.5: the sum of four uniform numbers.
    fn bell(&mut self) -> f32 {
        (0..4).map(|_| self.either()).sum::<f32>() * 0.866
    }
}

/// A smooth random displacement: vectors on a coarse grid, blended between its points.
struct Elastic([[Point; 5]; 5]);

impl Elastic {
    fn new(pen: &mut Pen, strength: f32) -> Elastic {
        Elastic(std::array::from_fn(|_| std::array::from_fn(|_| [pen.bell() * strength, pen.bell() * strength])))
    }

    fn at(&self, p: Point) -> Point {
        let cell = |v: f32| {
            let v = (v.clamp(-0.1, 1.1) + 0.1) / 1.2 * 4.0;
            let index = (v as usize).min(3);
            let t = v - index as f32;
            (index, t * t * (3.0 - 2.0 * t))
        };
        let ((i, s), (j, t)) = (cell(p[1]), cell(p[0]));
        std::array::from_fn(|k| {
            let row = |i: usize| self.0[i][j][k] * (1.0 - t) + self.0[i][j + 1][k] * t;
            row(i) * (1.0 - s) + row(i + 1) * s
        })
    }
}

/// Draws `digit` into 28 x 28 pixels, white on black.
fn draw(digit: usize, pen: &mut Pen, image: &mut [u8]) {
    let style = pen.0.below(6);
    let jitter = 0.028 + 0.016 * pen.0.uniform();
    let elastic = Elastic::new(pen, 0.045);
    let slant = 0.12 + 0.22 * pen.bell();
    // An angle as its half tangent: rotation without sines.
    let half = 0.07 * pen.bell();
    let (cosine, sine) = ((1.0 - half * half) / (1.0 + half * half), 2.0 * half / (1.0 + half * half));
    let height = 19.0 + 1.6 * pen.bell();
    let width = height * (0.8 + 0.13 * pen.bell()).clamp(0.45, 1.15);
    let centre = [14.0 + 1.1 * pen.bell(), 14.0 + 1.1 * pen.bell()];
    let nib = (1.25 + 0.38 * pen.bell()).clamp(0.6, 2.4);
    let ink = 0.86 + 0.14 * pen.0.uniform();

    let mut coverage = [0.0f32; SIDE * SIDE];
    for mut stroke in strokes(digit, style) {
        for point in &mut stroke {
            *point = [point[0] + jitter * pen.bell(), point[1] + jitter * pen.bell()];
        }
        let path: Vec<Point> = smooth(&stroke)
            .into_iter()
            .map(|p| {
                let d = elastic.at(p);
                let (x, y) = ((p[0] + d[0] - 0.5) * width, (p[1] + d[1] - 0.5) * height);
                let x = x - slant * y;
                [centre[0] + cosine * x - sine * y, centre[1] + sine * x + cosine * y]
            })
            .collect();
        for ends in path.windows(2) {
            ink_segment(ends[0], ends[1], nib, &mut coverage);
        }
    }
    for (pixel, coverage) in image.iter_mut().zip(coverage) {
        *pixel = (coverage * ink * 255.0 + 0.5) as u8;
    }
}

/// Points along the Catmull-Rom spline through `points`.
fn smooth(points: &[Point]) -> Vec<Point> {
    const STEPS: usize = 6;
    let last = points.len() - 1;
    let mut path = vec![points[0]];
    for i in 0..last {
        let (a, b, c, d) = (points[i.saturating_sub(1)], points[i], points[i + 1], points[(i + 2).min(last)]);
        for step in 1..=STEPS {
            let t = step as f32 / STEPS as f32;
            path.push(std::array::from_fn(|k| {
                let (u, v) = ((c[k] - a[k]) * 0.5, (d[k] - b[k]) * 0.5);
                let (square, cube) = (t * t, t * t * t);
                (2.0 * cube - 3.0 * square + 1.0) * b[k]
                    + (cube - 2.0 * square + t) * u
                    + (3.0 * square - 2.0 * cube) * c[k]
                    + (cube - square) * v
            }));
        }
    }
    path
}

/// Covers the pixels within `nib` of the segment, with a soft edge of one pixel.
fn ink_segment(a: Point, b: Point, nib: f32, coverage: &mut [f32]) {
    let reach = nib + 0.5;
    let range = |k: usize| {
        let low = (a[k].min(b[k]) - reach).clamp(0.0, SIDE as f32) as usize;
        let high = (a[k].max(b[k]) + reach + 1.0).clamp(0.0, SIDE as f32) as usize;
        low..high
    };
    let along = [b[0] - a[0], b[1] - a[1]];
    let square = (along[0] * along[0] + along[1] * along[1]).max(1e-6);
    for y in range(1) {
        for x in range(0) {
            let from = [x as f32 + 0.5 - a[0], y as f32 + 0.5 - a[1]];
            let t = ((from[0] * along[0] + from[1] * along[1]) / square).clamp(0.0, 1.0);
            let gap = [from[0] - t * along[0], from[1] - t * along[1]];
            let distance = (gap[0] * gap[0] + gap[1] * gap[1]).sqrt();
            let cover = (reach - distance).clamp(0.0, 1.0);
            let pixel = &mut coverage[y * SIDE + x];
            *pixel = pixel.max(cover);
        }
    }
}
