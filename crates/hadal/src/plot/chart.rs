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
    }
}

/// Draws grid, frame, numbers and labels; returns the plane within.
pub(super) fn axes(svg: &mut Svg, area: Rect, (x, y): (Axis, Axis), labels: &(String, String), square: bool) -> Plane {
    let below = 26.0 + if labels.0.is_empty() { 0.0 } else { LABEL.size + 8.0 };
    let tall = area.height - below;
    let ticks = y.ticks((tall / 44.0).max((tall / 24.0).min(3.0)).clamp(1.0, 10.0) as usize);
    let widest = ticks.iter().map(|tick| TICK.width(&tick.1)).fold(0.0, f64::max);
    let beside = widest + 10.0 + if labels.1.is_empty() { 0.0 } else { LABEL.size + 10.0 };
    // The last number may stand out on the right, the topmost above.
    let last = apart(x, area.width - beside).last().map_or(0.0, |tick| TICK.width(&tick.1) / 2.0);
    let mut inner = area.inset(beside, 8.0, last.max(14.0), below);
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
        let half = (inner.center().0 - area.x).min(area.right() - inner.center().0);
        let text = LABEL.fit(&labels.0, 2.0 * half);
        svg.text((inner.center().0, inner.bottom() + 26.0 + LABEL.size), &text, LABEL.anchor(Anchor::Middle));
    }
    if !labels.1.is_empty() {
        let font = LABEL.anchor(Anchor::Middle).angle(-90.0);
        let text = font.fit(&labels.1, inner.height);
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

/// The length of the sample beside a name in the legend.
const SAMPLE: f64 = 26.0;

/// Most rows of a legend.
const ROWS: usize = 3;

/// Draws the names of the series above; returns the area below.
fn legend(svg: &mut Svg, area: Rect, series: &[Series]) -> Rect {
    const GAP: f64 = 20.0;
    let named: Vec<(usize, &Series)> =
        series.iter().enumerate().filter(|(_, series)| !series.name.is_empty()).collect();
    if named.is_empty() {
        return area;
    }
    // Few names may have a row each.
    let widest = if named.len() <= ROWS { area.width } else { area.width.min(340.0) } - SAMPLE - 6.0;
    // Row, left end and right end of each name.
    let mut places: Vec<(usize, f64, f64)> = Vec::new();
    let (mut row, mut x) = (0, area.x);
    for (_, series) in &named {
        let width = SAMPLE + 6.0 + LEGEND.width(&LEGEND.fit(&series.name, widest));
        if x > area.x && x + width > area.right() {
            (row, x) = (row + 1, area.x);
        }
        places.push((row, x, x + width));
        x += width + GAP;
    }
    let more = |left: usize| format!("and {left} more");
    let mut shown = places.iter().take_while(|place| place.0 < ROWS).count();
    if shown < named.len() {
        let room = LEGEND.width(&more(named.len())) + GAP;
        while shown > 1 && places[shown - 1].2 + room > area.right() {
            shown -= 1;
        }
    }
    let height = LEGEND.size + 9.0;
    let middle = |row: usize| area.y + (row as f64 + 0.5) * height;
    for ((index, series), (row, left, _)) in named.iter().zip(&places).take(shown) {
        sample(svg, (*left, middle(*row)), SAMPLE, series, *index);
        let name = LEGEND.fit(&series.name, widest);
        svg.text_beside((left + SAMPLE + 6.0, middle(*row)), &name, LEGEND);
    }
    let (row, _, right) = places[shown - 1];
    if shown < named.len() {
        let text = more(named.len() - shown);
        svg.text_beside((right + GAP, middle(row)), &text, LEGEND.color(Color::FAINT));
    }
    area.inset(0.0, (row + 1) as f64 * height + 4.0, 0.0, 0.0)
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
    let repeated = if series.color.is_none() { color::dash(index) } else { None };
    Stroke { color, width: series.width, dash: series.dash.or(repeated) }
}

/// A dot whose shape changes when the palette begins again, or with the series that are points only.
fn marker(svg: &mut Svg, at: (f64, f64), series: &Series, index: usize) {
    let color = stroke(series, index).color;
    // A rim parts dots that overlap; small ones are too close for that.
    let rim = Stroke::new(Color::WHITE, if series.radius < 3.0 { 0.0 } else { 0.8 });
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
    let mut before = (f64::INFINITY, f64::INFINITY);
    for share in shares.filter(|share| finite(share) && inside(share)) {
        let at = plane.pixel(share);
        // The dots of a path would run together.
        if series.mark == Mark::Way && (at.0 - before.0).hypot(at.1 - before.1) < 3.0 * series.radius {
            continue;
        }
        marker(svg, at, series, index);
        before = at;
    }
}

fn bars(svg: &mut Svg, plane: &Plane, series: &Series, color: Color) {
    for pair in series.points.windows(2).filter(|pair| pair[0].1 > 0.0) {
        let (from, to) = (plane.at(pair[0]), plane.at((pair[1].0, plane.y.from)));
        let gap = if to.0 - from.0 > 4.0 { 0.5 } else { 0.0 };
        let top = from.1.max(plane.area.y);
        svg.rect(
            Rect { x: from.0 + gap, y: top, width: to.0 - from.0 - 2.0 * gap, height: plane.area.bottom() - top },
            color,
        );
    }
}

/// Whether a share of both axes is on them, but for rounding.
fn inside((x, y): &(f64, f64)) -> bool {
    let axis = -1e-9..=1.0 + 1e-9;
    axis.contains(x) && axis.contains(y)
}

fn finite((x, y): &(f64, f64)) -> bool {
    x.is_finite() && y.is_finite()
}
