//! Curves, points and bars between two axes.

use std::ops::Range;
use std::path::Path;

use super::Picture;
use super::axis::Axis;
use super::color::Color;
use super::svg::Pixels;
use crate::{Error, Result};

/// Draws `values` against their index (1, 2, ..) as a line and writes it to `path`, as SVG or PNG.
///
/// ```
/// use hadal::plot;
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("losses.svg");
/// plot::line(&path, "Training", "step", "loss", &[1.0, 0.5, 0.25])?;
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// # Errors
/// If there are fewer than two finite values, or the file cannot be written.
pub fn line(path: impl AsRef<Path>, title: &str, x_label: &str, y_label: &str, values: &[f64]) -> Result<()> {
    let points = by_index(values.iter().copied());
    if points.iter().filter(|point| can_be_drawn(point)).count() < 2 {
        return Err(Error::Data(format!("{title}: a curve needs at least two finite values")));
    }
    Plot::new(title).labels(x_label, y_label).line("", &points).save(path)
}

/// Values with their index, counted from 1.
pub(super) fn by_index(values: impl Iterator<Item = f64>) -> Vec<(f64, f64)> {
    values.enumerate().map(|(index, value)| (index as f64 + 1.0, value)).collect()
}

/// A picture of several curves and clouds of points, each with a name in the legend and a colour of its own.
///
/// ```
/// use hadal::plot::Plot;
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("curves.svg");
/// Plot::new("two powers")
///     .labels("x", "y")
///     .line("square", &[(0.0, 0.0), (1.0, 1.0), (2.0, 4.0)])
///     .points("cube", &[(0.0, 0.0), (1.0, 1.0), (2.0, 8.0)])
///     .save(&path)?;
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Plot {
    pub(super) title: String,
    pub(super) labels: (String, String),
    pub(super) series: Vec<Series>,
    /// Left, right, bottom and top; by default what the series need.
    limits: Option<[f64; 4]>,
    log: [bool; 2],
    pub(super) square: bool,
    pub(super) size: (u32, u32),
    /// An image behind the series, and its left, right, bottom and top.
    pub(super) background: Option<(Pixels, [f64; 4])>,
}

/// Points, and how they are drawn.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub name: String,
    /// A point that is not finite interrupts a line.
    pub points: Vec<(f64, f64)>,
    pub mark: Mark,
    /// Default: that of its place among the series.
    pub color: Option<Color>,
    pub dash: Option<&'static str>,
    pub width: f64,
    pub radius: f64,
    /// 0: circle, 1: square, 2: triangle, 3: diamond.
    pub shape: usize,
}

/// What is drawn for the points of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Mark {
    Line,
    Points,
    /// A line with a dot at each point.
    Way,
    /// Lines between the first and second point, the third and fourth, and so on.
    Segments,
    /// From each point's x to that of the next one, as high as its y.
    Bars,
}

impl Series {
    pub fn new(name: &str, points: &[(f64, f64)], mark: Mark) -> Series {
        let gap = (f64::NAN, f64::NAN);
        let points = points.iter().map(|point| if can_be_drawn(point) { *point } else { gap }).collect();
        Series { name: name.into(), points, mark, color: None, dash: None, width: 2.2, radius: 3.6, shape: 0 }
    }

    pub fn color(self, color: Color) -> Series {
        Series { color: Some(color), ..self }
    }

    pub fn dash(self, dash: &'static str) -> Series {
        Series { dash: Some(dash), ..self }
    }

    pub fn width(self, width: f64) -> Series {
        Series { width, ..self }
    }
}

impl Plot {
    /// An empty picture.
    pub fn new(title: &str) -> Plot {
        Plot {
            title: title.into(),
            labels: (String::new(), String::new()),
            series: Vec::new(),
            limits: None,
            log: [false; 2],
            square: false,
            size: (800, 500),
            background: None,
        }
    }

    /// What the axes show, with its unit where it has one.
    pub fn labels(mut self, x: &str, y: &str) -> Plot {
        self.labels = (x.into(), y.into());
        self
    }

    /// The part of the plane to show. Default: all points. Each range must be finite and not empty.
    ///
    /// ```
    /// use hadal::plot::Plot;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("plot.svg");
    /// Plot::new("x squared").line("", &[(0.0, 0.0), (1.0, 1.0), (9.0, 81.0)]).limits(0.0..2.0, 0.0..2.0).save(&path)?;
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn limits(mut self, x: Range<f64>, y: Range<f64>) -> Plot {
        self.limits = Some([x.start, x.end, y.start, y.end]);
        self
    }

    /// Makes the x axis logarithmic (matplotlib's `semilogx`). Points that are not positive are left out.
    ///
    /// ```
    /// use hadal::plot::Plot;
    /// let picture = Plot::new("a rate range test").line("loss", &[(1e-5, 2.0), (1e-1, 0.5)]).log_x().picture()?;
    /// assert!(picture.svg().contains("10⁻⁵"));
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn log_x(mut self) -> Plot {
        self.log[0] = true;
        self
    }

    /// Makes the y axis logarithmic (matplotlib's `semilogy`). Points that are not positive are left out.
    ///
    /// ```
    /// use hadal::plot::Plot;
    /// let picture = Plot::new("losses").line("", &[(1.0, 1.0), (2.0, 1e-3)]).log_y().picture()?;
    /// assert!(picture.svg().contains("0.01"));
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn log_y(mut self) -> Plot {
        self.log[1] = true;
        self
    }

    /// Adds a curve through points, interrupted where they are not finite, or beyond ±1e300. Without a name it is not in the
    /// legend.
    pub fn line(self, name: &str, points: &[(f64, f64)]) -> Plot {
        self.series(Series::new(name, points, Mark::Line))
    }

    /// Adds points that are not joined. Each such series has a shape of its own, besides its colour.
    ///
    /// ```
    /// use hadal::plot::Plot;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("plot.svg");
    /// Plot::new("Samples").points("cats", &[(1.0, 2.0), (2.0, 1.5)]).points("dogs", &[(4.0, 5.0)]).save(&path)?;
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn points(self, name: &str, points: &[(f64, f64)]) -> Plot {
        let shape = self.series.iter().filter(|series| series.mark == Mark::Points && !series.name.is_empty()).count();
        self.series(Series {
            shape: if name.is_empty() { 0 } else { shape },
            ..Series::new(name, points, Mark::Points)
        })
    }

    pub(super) fn series(mut self, series: Series) -> Plot {
        self.series.push(series);
        self
    }

    /// The finished picture.
    ///
    /// # Errors
    /// If no point is finite, or a range of [`limits`](Plot::limits) is not, or not positive on a logarithmic axis.
    pub fn picture(self) -> Result<Picture> {
        self.axes().map_err(|reason| Error::Data(format!("{}: the plot cannot be drawn: {reason}", self.title)))?;
        Ok(Picture::new(self.title.clone(), self))
    }

    /// Writes the picture to `path`, as SVG (`.svg`) or, with the feature `plot-png`, as PNG (`.png`).
    ///
    /// ```
    /// use hadal::plot::Plot;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("plot.svg");
    /// Plot::new("A line").line("", &[(0.0, 0.0), (1.0, 1.0)]).save(&path)?;
    /// assert!(std::fs::read_to_string(&path).unwrap().starts_with("<svg"));
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`picture`](Plot::picture) and [`Picture::save`].
    pub fn save(self, path: impl AsRef<Path>) -> Result<()> {
        self.picture()?.save(path)
    }

    /// The axes, or why there can be none.
    pub(super) fn axes(&self) -> Result<(Axis, Axis), String> {
        let Some([left, right, low, high]) = self.limits.or_else(|| self.limits_of_points()) else {
            let positive =
                if self.log == [false; 2] { "finite" } else { "finite and, on a logarithmic axis, positive" };
            return Err(format!("there is no {positive} point"));
        };
        for (from, to, log) in [(left, right, self.log[0]), (low, high, self.log[1])] {
            let narrowest = NARROWEST * from.abs().max(to.abs()) * 0.05;
            if !((to - from).is_finite() && to - from >= narrowest.max(1e-300)) || log && from <= 0.0 {
                return Err(format!("the axis limits {from} to {to} are not a valid range"));
            }
        }
        let whole = |of: fn(&(f64, f64)) -> f64| {
            self.series
                .iter()
                .flat_map(|series| &series.points)
                .map(of)
                .all(|value| !value.is_finite() || value.fract() == 0.0)
        };
        let axis = |from, to, log, whole| Axis { from, to, log, whole };
        Ok((axis(left, right, self.log[0], whole(|p| p.0)), axis(low, high, self.log[1], whole(|p| p.1))))
    }

    fn limits_of_points(&self) -> Option<[f64; 4]> {
        let beyond = |log: bool, value: f64| log && value < SMALLEST;
        let shown = |p: &&(f64, f64)| can_be_drawn(p) && !beyond(self.log[0], p.0) && !beyond(self.log[1], p.1);
        let all = || self.series.iter().flat_map(|series| &series.points).filter(shown);
        let least = |of: fn(&(f64, f64)) -> f64| all().map(of).fold(f64::INFINITY, f64::min);
        let most = |of: fn(&(f64, f64)) -> f64| all().map(of).fold(f64::NEG_INFINITY, f64::max);
        let (left, right, low, high) = (least(|p| p.0), most(|p| p.0), least(|p| p.1), most(|p| p.1));
        if !left.is_finite() {
            return None;
        }
        let points = |series: &Series| matches!(series.mark, Mark::Points | Mark::Way);
        let joined = !self.series.iter().any(points);
        let [x, y] = [(left, right, self.log[0]), (low, high, self.log[1])]
            .map(|(from, to, log)| if log { logarithmic(from, to) } else { linear(from, to, joined) });
        let beside = if joined && right > left && !self.log[0] { 0.0 } else { x.2 };
        let below = if y.0 == 0.0 && joined { 0.0 } else { y.2 };
        let down = |from: f64, room: f64, log: bool| {
            if log { (from / (1.0 + room)).max(1e-5 * SMALLEST) } else { from - room }
        };
        let up = |to: f64, room: f64, log: bool| if log { (to * (1.0 + room)).min(1e305) } else { to + room };
        let [log_x, log_y] = self.log;
        Some([down(x.0, beside, log_x), up(x.1, beside, log_x), down(y.0, below, log_y), up(y.1, y.2, log_y)])
    }
}

/// The ends of an axis, from zero where that wastes little, so that heights can be compared, and the room beyond them: not so
/// little that the numbers on the axis are all the same.
fn linear(from: f64, to: f64, joined: bool) -> (f64, f64, f64) {
    let from = if joined && from > 0.0 && from < 0.6 * to { 0.0 } else { from };
    (from, to, 0.05 * (to - from).max(NARROWEST * from.abs().max(to.abs())).max(1e-12))
}

/// The ends of a logarithmic axis, and by how much of themselves they are moved outwards.
fn logarithmic(from: f64, to: f64) -> (f64, f64, f64) {
    (from, to, ((to / from).ln() * 0.03).exp_m1().max(0.1))
}

/// The narrowest axis, relative to its numbers.
const NARROWEST: f64 = 1e-9;

/// The smallest number that is drawn on a logarithmic axis.
const SMALLEST: f64 = 1e-300;

/// Finite, and so are the distances between such points.
fn can_be_drawn((x, y): &(f64, f64)) -> bool {
    x.abs() <= 1e300 && y.abs() <= 1e300
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_cannot_be_drawn_are_left_out_or_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plot.svg");
        let drawn = |points: &[(f64, f64)]| Plot::new("t").line("line", points).points("points", points).save(&path);
        for value in [0.0, 5.0, -5.0, 1e20, -1e20, 1e300, 1e-300, 5e-324, f64::MIN_POSITIVE] {
            drawn(&[(1.0, value), (2.0, value), (3.0, f64::NAN), (f64::INFINITY, 1.0)]).unwrap();
            drawn(&[(value, 1.0)]).unwrap();
            drawn(&[(-value, -value), (value, value)]).unwrap();
            let svg = std::fs::read_to_string(&path).unwrap();
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{value}");
            let logarithmic =
                Plot::new("t").points("", &[(1.0, value), (2.0, 3.0)]).log_x().log_y().picture().unwrap().svg();
            assert!(!logarithmic.contains("NaN") && !logarithmic.contains("inf"), "{value}");
        }
        drawn(&[(1.0, 1.0), (2.0, f64::MAX), (3.0, -f64::MAX), (4.0, 2.0)]).unwrap();
        for points in [&[][..], &[(f64::NAN, 1.0)], &[(1.0, f64::MAX)]] {
            assert!(drawn(points).unwrap_err().to_string().contains("no finite point"));
        }
        let message = Plot::new("t").line("", &[(1.0, -1.0)]).log_y().picture().unwrap_err().to_string();
        assert!(message.contains("positive"), "{message}");
        let (nan, infinity) = (f64::NAN, f64::INFINITY);
        for x in [nan..1.0, 0.0..nan, 0.0..infinity, 1.0..1.0, 2.0..1.0, 1.0..1.0 + 1e-15, -f64::MAX..f64::MAX] {
            let plot = Plot::new("t").points("", &[(0.5, 0.5)]);
            let message = plot.clone().limits(x.clone(), 0.0..1.0).save(&path).unwrap_err().to_string();
            assert!(message.contains("not a valid range"), "{x:?}: {message}");
            assert!(plot.limits(0.0..1.0, x).save(&path).is_err());
        }
    }

    #[test]
    fn a_curve_is_an_svg_picture_and_too_few_values_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("curve.svg");
        assert!(line(&path, "title", "x", "y", &[1.0, f64::NAN]).is_err() && !path.exists());
        line(&path, "title", "x", "y", &[3.0, 2.0, f64::INFINITY, 1.0]).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("<svg") && text.contains("title") && text.trim_end().ends_with("</svg>"));
    }
}
