//! How a [`Plot`] is drawn: legend, axes, grid and series.

use super::axis::Axis;
use super::clip::{thinned, within};
use super::color::{self, Color};
use super::picture::Scene;
use super::plot::{Mark, Plot, Series};
use super::svg::{Anchor, Font, Rect, Stroke, Svg};

pub(super) const TICK: Font = Font::new(14.0);
pub(super) const LABEL: Font = Font::new(16.0);
const LEGEND: Font = Font::new(15.0);

/// What lies where: the plane of numbers and its rectangle of pixels.
pub(super) struct Plane {
    pub area: Rect,
    pub x: Axis,
    pub y: Axis,
}

impl Plane {
    pub fn at(&self, point: (f64, f64)) -> (f64, f64) {
        self.pixel(self.share(point))
    }

    fn share(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (self.x.share(x), self.y.share(y))
    }

    fn pixel(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (self.area.x + x * self.area.width, self.area.bottom() - y * self.area.height)
    }
}

impl Scene for Plot {
    fn size(&self) -> (u32, u32) {
        self.size
    }

    fn draw(&self, svg: &mut Svg, area: Rect) {
        // Plot::picture has checked the limits.
        let Ok((x, y)) = self.axes() else { return };
        let area = legend(svg, area, &self.series);
        let plane = axes(svg, area, (x, y), &self.labels, self.square);
        svg.clipped(plane.area, |svg| {
            if let Some((pixels, [left, right, low, high])) = &self.background {
                let (from, to) = (plane.at((*left, *high)), plane.at((*right, *low)));
                svg.image(Rect::new(from.0, from.1, to.0 - from.0, to.1 - from.1), pixels, true);
            }
        });
        for (index, series) in self.series.iter().enumerate() {
            draw_series(svg, &plane, series, index);
        }
        for (at, text) in &self.notes {
            note(svg, &plane, *at, text);
        }
    }
}

/// Draws grid, frame, numbers and labels; returns the plane within.
pub(super) fn axes(svg: &mut Svg, area: Rect, (x, y): (Axis, Axis), labels: &(String, String), square: bool) -> Plane {
    let below = 26.0 + if labels.0.is_empty() { 0.0 } else { LABEL.size + 8.0 };
    let ticks = y.ticks(((area.height - below) / 44.0).clamp(2.0, 10.0) as usize);
    let widest = ticks.iter().map(|tick| TICK.width(&tick.1)).fold(0.0, f64::max);
    let beside = widest + 10.0 + if labels.1.is_empty() { 0.0 } else { LABEL.size + 10.0 };
    // The last number may stand out on the right, the topmost above.
    let mut inner = area.inset(beside, 8.0, 14.0, below);
    if square {
        let side = inner.width.min(inner.height);
        inner = Rect::new(inner.x + (inner.width - side) / 2.0, inner.y, side, side);
    }
    let plane = Plane { area: inner, x, y };
    let grid = Stroke::new(Color::GRID, 1.0);
    for (value, label) in &ticks {
        let height = plane.at((x.from, *value)).1;
        svg.line((inner.x, height), (inner.right(), height), grid);
        svg.text_beside((inner.x - 7.0, height), label, TICK.anchor(Anchor::End));
    }
    for (value, label) in apart(x, inner.width) {
        let across = plane.at((value, y.from)).0;
        svg.line((across, inner.y), (across, inner.bottom()), grid);
        svg.text((across, inner.bottom() + 19.0), &label, TICK.anchor(Anchor::Middle));
    }
    let frame = Stroke::new(Color::FAINT, 1.2);
    svg.line((inner.x, inner.y), (inner.x, inner.bottom()), frame);
    svg.line((inner.x, inner.bottom()), (inner.right(), inner.bottom()), frame);
    if !labels.0.is_empty() {
        let text = LABEL.fit(&labels.0, area.width);
        svg.text((inner.center().0, inner.bottom() + 26.0 + LABEL.size), &text, LABEL.anchor(Anchor::Middle));
    }
    if !labels.1.is_empty() {
        let font = LABEL.anchor(Anchor::Middle).angle(-90.0);
        let text = font.fit(&labels.1, area.height);
        svg.text_beside((inner.x - widest - 20.0 - 0.3 * LABEL.size, inner.center().1), &text, font);
    }
    plane
}

/// As many ticks as have room beside each other.
pub(super) fn apart(axis: Axis, width: f64) -> Vec<(f64, String)> {
    let fits = |ticks: &[(f64, String)]| {
        ticks.windows(2).all(|pair| {
            let room = (axis.share(pair[1].0) - axis.share(pair[0].0)) * width;
            (TICK.width(&pair[0].1) + TICK.width(&pair[1].1)) / 2.0 + 14.0 <= room
        })
    };
    let most = (width / 60.0).clamp(1.0, 10.0) as usize;
    (1..=most).rev().map(|most| axis.ticks(most)).find(|ticks| fits(ticks)).unwrap_or_default()
}

/// Draws the names of the series above; returns the area below.
fn legend(svg: &mut Svg, area: Rect, series: &[Series]) -> Rect {
    const SAMPLE: f64 = 26.0;
    const ROWS: usize = 3;
    let row = LEGEND.size + 9.0;
    let named: Vec<(usize, &Series)> = series.iter().enumerate().filter(|(_, series)| !series.name.is_empty()).collect();
    if named.is_empty() {
        return area;
    }
    let (mut x, mut rows) = (area.x, 0);
    for (place, (index, series)) in named.iter().enumerate() {
        let name = LEGEND.fit(&series.name, (area.width - SAMPLE - 12.0).min(320.0));
        let width = SAMPLE + 6.0 + LEGEND.width(&name);
        if x > area.x && x + width > area.right() {
            (x, rows) = (area.x, rows + 1);
        }
        let left = named.len() - place;
        let middle = area.y + rows as f64 * row + row / 2.0;
        if rows + 1 == ROWS && left > 1 && x + width + 100.0 > area.right() {
            svg.text_beside((x, middle), &format!("and {left} more"), LEGEND.color(Color::FAINT));
            break;
        }
        sample(svg, (x, middle), SAMPLE, series, *index);
        svg.text_beside((x + SAMPLE + 6.0, middle), &name, LEGEND);
        x += width + 20.0;
    }
    area.inset(0.0, (rows + 1) as f64 * row + 4.0, 0.0, 0.0)
}

/// What a series looks like, for the legend.
fn sample(svg: &mut Svg, (x, y): (f64, f64), width: f64, series: &Series, index: usize) {
    let stroke = stroke(series, index);
    match series.mark {
        Mark::Line | Mark::Segments => svg.line((x, y), (x + width, y), stroke),
        Mark::Way => {
            svg.line((x, y), (x + width, y), stroke);
            marker(svg, (x + width / 2.0, y), series, index);
        }
        Mark::Points => marker(svg, (x + width / 2.0, y), series, index),
        Mark::Bars => svg.rect(Rect::new(x + 4.0, y - 7.0, width - 8.0, 14.0), stroke.color),
    }
}

fn stroke(series: &Series, index: usize) -> Stroke {
    let color = series.color.unwrap_or_else(|| color::of_index(index));
    let dash = series.dash.or(match color::round(index) % 3 {
        0 => None,
        1 => Some("8 4"),
        _ => Some("2 3"),
    });
    Stroke { color, width: series.width, dash }
}

/// A dot whose shape changes when the palette begins again, or with the series that are points only.
fn marker(svg: &mut Svg, at: (f64, f64), series: &Series, index: usize) {
    let color = stroke(series, index).color;
    let rim = Stroke::new(Color::WHITE, 0.8);
    let radius = series.radius;
    let around = |corners: &[(f64, f64)]| -> Vec<(f64, f64)> {
        corners.iter().map(|(x, y)| (at.0 + 1.2 * radius * x, at.1 + 1.2 * radius * y)).collect()
    };
    match series.shape % 4 {
        0 => svg.circle(at, radius, color, rim),
        1 => svg.polygon(&around(&[(-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8)]), color, 1.0),
        2 => svg.polygon(&around(&[(0.0, -1.0), (1.0, 0.8), (-1.0, 0.8)]), color, 1.0),
        _ => svg.polygon(&around(&[(0.0, -1.1), (1.1, 0.0), (0.0, 1.1), (-1.1, 0.0)]), color, 1.0),
    }
}

fn draw_series(svg: &mut Svg, plane: &Plane, series: &Series, index: usize) {
    match series.mark {
        Mark::Line => lines(svg, plane, series, index),
        Mark::Points => dots(svg, plane, series, index),
        Mark::Way => {
            lines(svg, plane, series, index);
            dots(svg, plane, series, index);
        }
        Mark::Segments => {
            let shares: Vec<_> = series.points.iter().map(|point| plane.share(*point)).collect();
            let parts = shares.chunks_exact(2).flat_map(|pair| within(pair, UNIT));
            let parts: Vec<_> = parts.map(|part| [plane.pixel(part[0]), plane.pixel(part[1])]).collect();
            svg.segments(&parts, stroke(series, index));
        }
        Mark::Bars => bars(svg, plane, series, stroke(series, index).color),
    }
}

/// What is seen, in shares of both axes.
const UNIT: [f64; 4] = [0.0, 1.0, 0.0, 1.0];

/// Lines between the points; a point without neighbours is a dot.
fn lines(svg: &mut Svg, plane: &Plane, series: &Series, index: usize) {
    let stroke = stroke(series, index);
    let shares: Vec<_> = series.points.iter().map(|point| plane.share(*point)).collect();
    for run in shares.split(|share| !finite(share)) {
        if let [only] = run {
            if inside(only) {
                svg.circle(plane.pixel(*only), 3.5, stroke.color, Stroke::new(Color::WHITE, 0.8));
            }
            continue;
        }
        for part in within(run, UNIT) {
            svg.polyline(&thinned(part.into_iter().map(|share| plane.pixel(share)).collect()), stroke);
        }
    }
}

/// Most dots of one series: of more, as many are drawn at equal distances in their order.
const MOST_DOTS: usize = 5000;

fn dots(svg: &mut Svg, plane: &Plane, series: &Series, index: usize) {
    let every = series.points.len().div_ceil(MOST_DOTS).max(1);
    let shares = series.points.iter().step_by(every).map(|point| plane.share(*point));
    for share in shares.filter(|share| finite(share) && inside(share)) {
        marker(svg, plane.pixel(share), series, index);
    }
}

fn bars(svg: &mut Svg, plane: &Plane, series: &Series, color: Color) {
    for pair in series.points.windows(2).filter(|pair| pair[0].1 > 0.0) {
        let (from, to) = (plane.at(pair[0]), plane.at((pair[1].0, plane.y.from)));
        let gap = if to.0 - from.0 > 4.0 { 0.5 } else { 0.0 };
        let top = from.1.max(plane.area.y);
        svg.rect(Rect { x: from.0 + gap, y: top, width: to.0 - from.0 - 2.0 * gap, height: plane.area.bottom() - top }, color);
    }
}

/// A text beside a point, on the side where there is room.
fn note(svg: &mut Svg, plane: &Plane, at: (f64, f64), text: &str) {
    let (x, y) = plane.at(at);
    let right = x + 10.0 + TICK.width(text) <= plane.area.right();
    let anchor = if right { Anchor::Start } else { Anchor::End };
    svg.text_beside((if right { x + 10.0 } else { x - 10.0 }, y), text, TICK.anchor(anchor));
}

/// Whether a share of both axes is on them, but for rounding.
fn inside((x, y): &(f64, f64)) -> bool {
    let axis = -1e-9..=1.0 + 1e-9;
    axis.contains(x) && axis.contains(y)
}

fn finite((x, y): &(f64, f64)) -> bool {
    x.is_finite() && y.is_finite()
}
