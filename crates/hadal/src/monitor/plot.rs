//! Curves and points as SVG pictures.

use std::path::Path;

use plotters::prelude::*;

use crate::{Error, Result};

/// Draws `values` against their index (1, 2, ..) as a line and writes it to `path` as SVG.
///
/// ```
/// use hadal::monitor::plot;
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("losses.svg");
/// plot::line(&path, "Training", "step", "loss", &[1.0, 0.5, 0.25])?;
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// # Errors
/// If there are fewer than two finite values, or the file cannot be written.
pub fn line(path: impl AsRef<Path>, title: &str, x_label: &str, y_label: &str, values: &[f64]) -> Result<()> {
    let points: Vec<(f64, f64)> = values.iter().enumerate().map(|(i, &y)| (i as f64 + 1.0, y)).collect();
    if points.iter().filter(|point| can_be_drawn(point)).count() < 2 {
        return Err(Error::Data(format!("{title}: a curve needs at least two finite values")));
    }
    Plot::new(title).labels(x_label, y_label).line("", &points).save(path)
}

/// A picture of several curves and clouds of points, each with a name in the legend and a colour of its own.
///
/// ```
/// use hadal::monitor::plot::Plot;
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
    title: String,
    labels: (String, String),
    series: Vec<Series>,
    /// Left, right, bottom and top; by default what the series need.
    limits: Option<[f64; 4]>,
}

#[derive(Clone, Debug)]
struct Series {
    name: String,
    points: Vec<(f64, f64)>,
    joined: bool,
}

/// Dark enough for thin lines on white, and different in brightness too.
const COLOURS: [RGBColor; 8] = [
    RGBColor(31, 78, 140),
    RGBColor(208, 82, 28),
    RGBColor(34, 134, 84),
    RGBColor(150, 60, 150),
    RGBColor(190, 140, 0),
    RGBColor(90, 90, 90),
    RGBColor(0, 150, 180),
    RGBColor(180, 40, 70),
];

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// The size of one picture.
const SIZE: (u32, u32) = (800, 480);

fn draw(plots: &[Plot], svg: &mut String) -> std::result::Result<(), String> {
    let size = (SIZE.0, SIZE.1 * plots.len() as u32);
    let area = SVGBackend::with_string(svg, size).into_drawing_area();
    area.fill(&WHITE).map_err(|error| error.to_string())?;
    let parts = area.split_evenly((plots.len(), 1));
    plots.iter().zip(&parts).try_for_each(|(plot, part)| plot.draw(part))?;
    area.present().map_err(|error| error.to_string())
}

impl Plot {
    /// An empty picture.
    pub fn new(title: &str) -> Plot {
        Plot { title: title.into(), labels: (String::new(), String::new()), series: Vec::new(), limits: None }
    }

    /// What the axes show.
    pub fn labels(mut self, x: &str, y: &str) -> Plot {
        self.labels = (x.into(), y.into());
        self
    }

    /// The part of the plane to show. Default: all points. Each range must be finite and not empty.
    ///
    /// ```
    /// use hadal::monitor::plot::Plot;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("plot.svg");
    /// Plot::new("x squared").line("", &[(0.0, 0.0), (1.0, 1.0), (9.0, 81.0)]).limits(0.0..2.0, 0.0..2.0).save(&path)?;
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn limits(mut self, x: std::ops::Range<f64>, y: std::ops::Range<f64>) -> Plot {
        self.limits = Some([x.start, x.end, y.start, y.end]);
        self
    }

    /// Adds a curve through points, left out where they are not finite, or beyond ±1e300. Without a name it is not in the legend.
    pub fn line(self, name: &str, points: &[(f64, f64)]) -> Plot {
        self.add(name, points, true)
    }

    /// Adds points that are not joined.
    ///
    /// ```
    /// use hadal::monitor::plot::Plot;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("plot.svg");
    /// Plot::new("Samples").points("cats", &[(1.0, 2.0), (2.0, 1.5)]).points("dogs", &[(4.0, 5.0)]).save(&path)?;
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn points(self, name: &str, points: &[(f64, f64)]) -> Plot {
        self.add(name, points, false)
    }

    fn add(mut self, name: &str, points: &[(f64, f64)], joined: bool) -> Plot {
        let points = points.iter().copied().filter(can_be_drawn).collect();
        self.series.push(Series { name: name.into(), points, joined });
        self
    }

    /// Writes the picture to `path` as SVG.
    ///
    /// ```
    /// use hadal::monitor::plot::Plot;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("plot.svg");
    /// Plot::new("A line").line("", &[(0.0, 0.0), (1.0, 1.0)]).save(&path)?;
    /// assert!(std::fs::read_to_string(&path).unwrap().starts_with("<svg"));
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If no point is finite, a range of [`limits`](Plot::limits) is not, or the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        Plot::save_all(std::slice::from_ref(self), path)
    }

    /// Writes several pictures, one below the other, to `path` as SVG.
    ///
    /// ```
    /// use hadal::monitor::plot::Plot;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("plot.svg");
    /// let plot = |title: &str| Plot::new(title).line("", &[(0.0, 0.0), (1.0, 1.0)]);
    /// Plot::save_all(&[plot("Loss"), plot("Accuracy")], &path)?;
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`save`](Plot::save).
    pub fn save_all(plots: &[Plot], path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let mut svg = String::new();
        draw(plots, &mut svg).map_err(|reason| Error::file(path, format!("the plot cannot be drawn: {reason}")))?;
        crate::format::write_atomically(path, |out| out.write_all(svg.as_bytes()))
    }

    /// The right-hand corner in which there are fewer points.
    fn legend_position(&self, [left, right, low, high]: [f64; 4]) -> SeriesLabelPosition {
        let (beyond, middle) = (left + 0.7 * (right - left), (low + high) / 2.0);
        let on_the_right = || self.series.iter().flat_map(|series| &series.points).filter(|p| p.0 > beyond);
        let above = on_the_right().filter(|p| p.1 > middle).count();
        if 2 * above > on_the_right().count() {
            SeriesLabelPosition::LowerRight
        } else {
            SeriesLabelPosition::UpperRight
        }
    }

    fn limits_of_points(&self) -> Option<[f64; 4]> {
        let all = || self.series.iter().flat_map(|series| &series.points);
        let least = |of: fn(&(f64, f64)) -> f64| all().map(of).fold(f64::INFINITY, f64::min);
        let most = |of: fn(&(f64, f64)) -> f64| all().map(of).fold(f64::NEG_INFINITY, f64::max);
        let (left, right, low, high) = (least(|p| p.0), most(|p| p.0), least(|p| p.1), most(|p| p.1));
        if !left.is_finite() {
            return None;
        }
        // From zero where that wastes little, so that heights can be compared.
        let from_zero = |low: f64, high: f64| if low > 0.0 && low < 0.6 * high { 0.0 } else { low };
        let joined = self.series.iter().all(|series| series.joined);
        let (left, low) = if joined { (from_zero(left, right), from_zero(low, high)) } else { (left, low) };
        // Not so narrow that the numbers on the axes are all the same.
        let width = |from: f64, to: f64| (to - from).max(NARROWEST * from.abs().max(to.abs())).max(1e-12);
        let (wide, tall) = (width(left, right), width(low, high));
        let beside = if joined && right > left { 0.0 } else { 0.05 * wide };
        let below = if low == 0.0 && joined { 0.0 } else { 0.05 * tall };
        Some([left - beside, right + beside, low - below, high + 0.05 * tall])
    }

    fn draw(&self, area: &Area) -> std::result::Result<(), String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let Some([left, right, low, high]) = self.limits.or_else(|| self.limits_of_points()) else {
            return Err("there is no finite point".into());
        };
        for (from, to) in [(left, right), (low, high)] {
            let narrowest = NARROWEST * from.abs().max(to.abs()) * 0.05;
            if !((to - from).is_finite() && to - from >= narrowest.max(1e-300)) {
                return Err(format!("the axis limits {from} to {to} are not a valid range"));
            }
        }
        let mut chart = ChartBuilder::on(area)
            .caption(&self.title, ("sans-serif", 22))
            .margin(16)
            .margin_right(32)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d(left..right, low..high)
            .map_err(|e| text(&e))?;
        chart
            .configure_mesh()
            .x_desc(&self.labels.0)
            .y_desc(&self.labels.1)
            .x_label_formatter(&|x| short(*x))
            .y_label_formatter(&|y| short(*y))
            .label_style(("sans-serif", 14))
            .axis_desc_style(("sans-serif", 16))
            .light_line_style(TRANSPARENT)
            .bold_line_style(RGBColor(225, 225, 225))
            .draw()
            .map_err(|e| text(&e))?;
        for (index, series) in self.series.iter().enumerate() {
            let colour = COLOURS[index % COLOURS.len()];
            let style = colour.stroke_width(2);
            let drawn = if series.joined {
                let parts = within(&series.points, [left, right, low, high]);
                chart.draw_series(parts.into_iter().map(|part| PathElement::new(part, style)))
            } else {
                let inside = |&(x, y): &(f64, f64)| x >= left && x <= right && y >= low && y <= high;
                let points = series.points.iter().copied().filter(inside);
                chart.draw_series(points.map(|point| Circle::new(point, 3, colour.filled())))
            };
            let drawn = drawn.map_err(|e| text(&e))?;
            if !series.name.is_empty() {
                let joined = series.joined;
                drawn.label(&series.name).legend(move |(x, y)| {
                    let middle = if joined { 0 } else { 3 };
                    let width = if joined { 18 } else { 0 };
                    EmptyElement::at((x, y))
                        + PathElement::new(vec![(0, 0), (width, 0)], colour.stroke_width(2))
                        + Circle::new((9, 0), middle, colour.filled())
                });
            }
        }
        if self.series.iter().any(|series| !series.name.is_empty()) {
            chart
                .configure_series_labels()
                .position(self.legend_position([left, right, low, high]))
                .background_style(WHITE.mix(0.85))
                .border_style(RGBColor(200, 200, 200))
                .label_font(("sans-serif", 14))
                .draw()
                .map_err(|e| text(&e))?;
        }
        Ok(())
    }
}

/// The narrowest axis, relative to its numbers.
const NARROWEST: f64 = 1e-9;

/// Finite, and so are the distances between such points.
fn can_be_drawn((x, y): &(f64, f64)) -> bool {
    x.abs() <= 1e300 && y.abs() <= 1e300
}

/// The parts of a curve within left, right, bottom and top, cut where it leaves them (Liang and Barsky, 1984).
fn within(points: &[(f64, f64)], [left, right, low, high]: [f64; 4]) -> Vec<Vec<(f64, f64)>> {
    let mut parts: Vec<Vec<(f64, f64)>> = Vec::new();
    for pair in points.windows(2) {
        let ((x, y), (dx, dy)) = (pair[0], (pair[1].0 - pair[0].0, pair[1].1 - pair[0].1));
        let (mut enters, mut leaves) = (0.0f64, 1.0f64);
        for (step, room) in [(-dx, x - left), (dx, right - x), (-dy, y - low), (dy, high - y)] {
            if step < 0.0 {
                enters = enters.max(room / step);
            } else if step > 0.0 {
                leaves = leaves.min(room / step);
            } else if room < 0.0 {
                leaves = -1.0;
            }
        }
        if enters > leaves {
            continue;
        }
        let [start, end] = [enters, leaves].map(|t| (x + t * dx, y + t * dy));
        match parts.last_mut() {
            Some(part) if enters == 0.0 && part.last() == Some(&start) => part.push(end),
            _ => parts.push(vec![start, end]),
        }
    }
    parts
}

/// A number as an axis shows it: `0.3`, `200`, `1.5e-7`.
fn short(value: f64) -> String {
    if value != 0.0 && !(1e-4..1e7).contains(&value.abs()) {
        return format!("{value:.1e}");
    }
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_short() {
        for (value, text) in [(0.0, "0"), (0.1 + 0.2, "0.3"), (200.0, "200"), (-1.5, "-1.5"), (1.5e-7, "1.5e-7")] {
            assert_eq!(short(value), text);
        }
    }

    #[test]
    fn curves_are_cut_where_they_leave_the_picture() {
        let parts = within(&[(-1.0, 0.5), (0.5, 0.5), (0.5, 2.0), (0.8, 2.0), (0.8, 0.0)], [0.0, 1.0, 0.0, 1.0]);
        assert_eq!(parts, [vec![(0.0, 0.5), (0.5, 0.5), (0.5, 1.0)], vec![(0.8, 1.0), (0.8, 0.0)]]);
    }

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
        }
        drawn(&[(1.0, 1.0), (2.0, f64::MAX), (3.0, -f64::MAX), (4.0, 2.0)]).unwrap();
        for points in [&[][..], &[(f64::NAN, 1.0)], &[(1.0, f64::MAX)]] {
            assert!(drawn(points).unwrap_err().to_string().contains("no finite point"));
        }
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
