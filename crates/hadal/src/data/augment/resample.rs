//! An image along a map.

use super::check::Frame;
use super::geometry::Map;
use crate::{Task, dispatch};

/// Replaces the image by what the map takes from it; `fill` is what lies outside.
pub(super) fn resample(pixels: &mut [f32], frame: Frame, map: &Map, fill: f32) {
    match whole_pixels(map) {
        Some(moves) => move_pixels(pixels, frame, moves, fill),
        None => interpolate(pixels, frame, map, fill),
    }
}

/// Along each axis, whether the order turns around, and by how many pixels the place in the input differs then.
type Moves = [(bool, i64); 2];

/// The map, if it takes whole pixels: no more than flips and shifts.
fn whole_pixels(map: &Map) -> Option<Moves> {
    let [[a, b], [c, d]] = map.linear;
    let whole = b == 0.0
        && c == 0.0
        && a.abs() == 1.0
        && d.abs() == 1.0
        && map.displacement.is_none()
        && map.offset.iter().all(|offset| offset.fract() == 0.0);
    whole.then(|| [(a < 0.0, map.offset[0] as i64), (d < 0.0, map.offset[1] as i64)])
}

fn move_pixels(pixels: &mut [f32], frame: Frame, [x, y]: Moves, fill: f32) {
    if (x, y) == ((false, 0), (false, 0)) {
        return;
    }
    let (width, height) = (frame.width, frame.height);
    let source = pixels.to_vec();
    // Without the turn, output i is input i + offset; with it, size - 1 - i + offset.
    let columns = overlap(width, x);
    for (out, source) in pixels.chunks_exact_mut(height * width).zip(source.chunks_exact(height * width)) {
        for (row, out) in out.chunks_exact_mut(width).enumerate() {
            let Some(row) = origin(row, height, y) else {
                out.fill(fill);
                continue;
            };
            let source = &source[row * width..][..width];
            let Some((first, from, length)) = columns else {
                out.fill(fill);
                continue;
            };
            out[..first].fill(fill);
            out[first + length..].fill(fill);
            let (out, source) = (&mut out[first..first + length], &source[from..from + length]);
            match x.0 {
                false => out.copy_from_slice(source),
                true => out.iter_mut().zip(source.iter().rev()).for_each(|(out, pixel)| *out = *pixel),
            }
        }
    }
}

/// The input's index for the output's, if it is within.
fn origin(index: usize, size: usize, (turned, offset): (bool, i64)) -> Option<usize> {
    let index = if turned { size - 1 - index } else { index };
    usize::try_from(index as i64 + offset).ok().filter(|index| *index < size)
}

/// Where the output meets the input: the first index in the output, the lowest in the input, and how many.
fn overlap(size: usize, (turned, offset): (bool, i64)) -> Option<(usize, usize, usize)> {
    let missing = usize::try_from(offset.unsigned_abs()).ok().filter(|missing| *missing < size)?;
    let from = if offset > 0 { missing } else { 0 };
    let first = if (offset > 0) == turned { missing } else { 0 };
    Some((first, from, size - missing))
}

/// Pixels of border that hold the fill, so that no neighbour needs a test: one before, and two behind for the right
/// neighbour of what is clamped to the first of them.
pub(super) const BORDER: (usize, usize) = (BEFORE, 2);
const BEFORE: usize = 1;
const BOTH: usize = BORDER.0 + BORDER.1;

fn interpolate(pixels: &mut [f32], frame: Frame, map: &Map, fill: f32) {
    let Frame { height, width, .. } = frame;
    let stride = width + BOTH;
    let plane = stride * (height + BOTH);
    let source = bordered(pixels, frame, fill);
    let mut places = Places::zeros(width);
    for y in 0..height {
        dispatch(FindPlaces { places: &mut places, y, frame, map });
        for (out, source) in pixels.chunks_exact_mut(height * width).zip(source.chunks_exact(plane)) {
            let places = places.index.iter().zip(&places.right).zip(&places.down);
            for (out, ((index, right), down)) in out[y * width..][..width].iter_mut().zip(places) {
                let index = *index as usize;
                let (top, bottom) = (&source[index..index + 2], &source[index + stride..index + stride + 2]);
                let above = top[0] + right * (top[1] - top[0]);
                let below = bottom[0] + right * (bottom[1] - bottom[0]);
                *out = above + down * (below - above);
            }
        }
    }
}

/// The planes with their border.
fn bordered(pixels: &[f32], frame: Frame, fill: f32) -> Vec<f32> {
    let Frame { channels, height, width } = frame;
    let stride = width + BOTH;
    let plane = stride * (height + BOTH);
    let mut source = vec![fill; channels * plane];
    for (source, pixels) in source.chunks_exact_mut(plane).zip(pixels.chunks_exact(height * width)) {
        let rows = source.chunks_exact_mut(stride).skip(BEFORE);
        for (source, row) in rows.zip(pixels.chunks_exact(width)) {
            source[BEFORE..BEFORE + width].copy_from_slice(row);
        }
    }
    source
}

/// Where pixels come from: the index of the upper left of four neighbours in a plane with its border, and the weights of those to
/// its right and below.
pub(super) struct Places {
    pub index: Vec<i32>,
    pub right: Vec<f32>,
    pub down: Vec<f32>,
}

impl Places {
    fn zeros(pixels: usize) -> Places {
        Places { index: vec![0; pixels], right: vec![0.0; pixels], down: vec![0.0; pixels] }
    }

    /// Those of all pixels of a plane, row by row.
    pub fn of(frame: Frame, map: &Map) -> Places {
        let (mut all, mut row) = (Places::zeros(0), Places::zeros(frame.width));
        for y in 0..frame.height {
            dispatch(FindPlaces { places: &mut row, y, frame, map });
            all.index.extend_from_slice(&row.index);
            all.right.extend_from_slice(&row.right);
            all.down.extend_from_slice(&row.down);
        }
        all
    }
}

struct FindPlaces<'a> {
    places: &'a mut Places,
    y: usize,
    frame: Frame,
    map: &'a Map,
}

impl Task for FindPlaces<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let FindPlaces { places, y, frame, map } = self;
        let Frame { height, width, .. } = frame;
        let (centre_x, centre_y) = ((width as f64 - 1.0) / 2.0, (height as f64 - 1.0) / 2.0);
        let start = |[a, b]: [f64; 2], offset: f64, centre: f64| {
            (b * (y as f64 - centre_y) - a * centre_x + offset + centre + BEFORE as f64) as f32
        };
        let start_x = start(map.linear[0], map.offset[0], centre_x);
        let start_y = start(map.linear[1], map.offset[1], centre_y);
        let (step_x, step_y) = (map.linear[0][0] as f32, map.linear[1][0] as f32);
        // Wherever a place is, it is within the border.
        let (last_x, last_y) = ((width + BEFORE) as f32, (height + BEFORE) as f32);
        let stride = (width + BOTH) as i32;
        let field = map.displacement.as_ref().map(|field| field.each_ref().map(|along| &along[y * width..][..width]));
        let own = places.index.iter_mut().zip(&mut places.right).zip(&mut places.down).enumerate();
        let set = |(i, ((index, right), down)): (usize, ((&mut i32, &mut f32), &mut f32)), dx: f32, dy: f32| {
            let x = (start_x + step_x * i as f32 + dx).clamp(0.0, last_x);
            let y = (start_y + step_y * i as f32 + dy).clamp(0.0, last_y);
            let (left, top) = (x as i32, y as i32);
            *index = top * stride + left;
            *right = x - left as f32;
            *down = y - top as f32;
        };
        match field {
            None => own.for_each(|own| set(own, 0.0, 0.0)),
            Some([dx, dy]) => own.zip(dx).zip(dy).for_each(|((own, dx), dy)| set(own, *dx, *dy)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Rng, Tensor};

    #[test]
    fn whole_pixels_moved_are_whole_pixels_interpolated() {
        let frame = Frame { channels: 2, height: 5, width: 7 };
        let pixels = Tensor::rand([70], &mut Rng::new(0)).to_vec::<f32>();
        for flips in 0..4 {
            for (x, y) in [(0.0, 0.0), (2.0, 0.0), (-3.0, 1.0), (6.0, -4.0), (7.0, 0.0), (0.0, 5.0), (-90.0, 1e9)] {
                let mut map = Map::IDENTITY;
                map.shift(x, y);
                if flips & 1 == 1 {
                    map.flip_horizontal();
                }
                if flips & 2 == 2 {
                    map.flip_vertical();
                }
                let (mut moved, mut interpolated) = (pixels.clone(), pixels.clone());
                move_pixels(&mut moved, frame, whole_pixels(&map).unwrap(), 0.5);
                interpolate(&mut interpolated, frame, &map, 0.5);
                assert_eq!(moved, interpolated, "shift by {x} and {y}, flips {flips}");
            }
        }
    }

    #[test]
    fn what_a_step_moves_out_another_brings_back() {
        let frame = Frame { channels: 1, height: 4, width: 4 };
        let pixels: Vec<f32> = (0..16u8).map(f32::from).collect();
        let mut map = Map::IDENTITY;
        map.shift(3.0, 1.0);
        map.flip_horizontal();
        map.flip_horizontal();
        map.shift(-3.0, -1.0);
        let mut got = pixels.clone();
        resample(&mut got, frame, &map, 9.0);
        assert_eq!(got, pixels);
    }

    #[test]
    fn a_shift_moves_right_and_down() {
        let mut pixels = vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let mut map = Map::IDENTITY;
        map.shift(1.0, 1.0);
        resample(&mut pixels, Frame { channels: 1, height: 2, width: 3 }, &map, 0.0);
        assert_eq!(pixels, [0.0, 0.0, 0.0, 0.0, 1.0, 2.0]);
    }
}
