//! An image along a map.

use super::check::Frame;
use super::geometry::Map;

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
const BEFORE: usize = 1;
const BORDER: usize = 3;

fn interpolate(pixels: &mut [f32], frame: Frame, map: &Map, fill: f32) {
    let Frame { height, width, .. } = frame;
    let stride = width + BORDER;
    let plane = stride * (height + BORDER);
    let source = bordered(pixels, frame, fill);
    let mut places = vec![Place::default(); width];
    for y in 0..height {
        find_places(&mut places, y, frame, map);
        for (out, source) in pixels.chunks_exact_mut(height * width).zip(source.chunks_exact(plane)) {
            for (out, place) in out[y * width..][..width].iter_mut().zip(&places) {
                let index = place.index as usize;
                let (top, bottom) = (&source[index..index + 2], &source[index + stride..index + stride + 2]);
                let above = top[0] + place.right * (top[1] - top[0]);
                let below = bottom[0] + place.right * (bottom[1] - bottom[0]);
                *out = above + place.down * (below - above);
            }
        }
    }
}

/// The planes with their border.
fn bordered(pixels: &[f32], frame: Frame, fill: f32) -> Vec<f32> {
    let Frame { channels, height, width } = frame;
    let stride = width + BORDER;
    let mut source = vec![fill; channels * stride * (height + BORDER)];
    for (source, pixels) in source.chunks_exact_mut(stride * (height + BORDER)).zip(pixels.chunks_exact(height * width))
    {
        let rows = source.chunks_exact_mut(stride).skip(BEFORE);
        for (source, row) in rows.zip(pixels.chunks_exact(width)) {
            source[BEFORE..BEFORE + width].copy_from_slice(row);
        }
    }
    source
}

/// Where a pixel comes from: the index of the upper left of four neighbours, and the weights of those to its right and below.
#[derive(Clone, Copy, Default)]
struct Place {
    index: u32,
    right: f32,
    down: f32,
}

fn find_places(places: &mut [Place], y: usize, frame: Frame, map: &Map) {
    let Frame { height, width, .. } = frame;
    let (centre_x, centre_y) = ((width as f64 - 1.0) / 2.0, (height as f64 - 1.0) / 2.0);
    let start = |[a, b]: [f64; 2], offset: f64, centre: f64| {
        (b * (y as f64 - centre_y) - a * centre_x + offset + centre + BEFORE as f64) as f32
    };
    let start_x = start(map.linear[0], map.offset[0], centre_x);
    let start_y = start(map.linear[1], map.offset[1], centre_y);
    let (step_x, step_y) = (map.linear[0][0] as f32, map.linear[1][0] as f32);
    let (last_x, last_y) = ((width + BEFORE) as f32, (height + BEFORE) as f32);
    let stride = (width + BORDER) as u32;
    let place = |x: f32, y: f32| {
        let (x, y) = (x.clamp(0.0, last_x), y.clamp(0.0, last_y));
        let (left, top) = (x as u32, y as u32);
        Place { index: top * stride + left, right: x - left as f32, down: y - top as f32 }
    };
    match &map.displacement {
        None => {
            for (i, own) in places.iter_mut().enumerate() {
                *own = place(start_x + step_x * i as f32, start_y + step_y * i as f32);
            }
        }
        Some([dx, dy]) => {
            let (dx, dy) = (&dx[y * width..][..width], &dy[y * width..][..width]);
            for (i, ((own, dx), dy)) in places.iter_mut().zip(dx).zip(dy).enumerate() {
                *own = place(start_x + step_x * i as f32 + dx, start_y + step_y * i as f32 + dy);
            }
        }
    }
}
