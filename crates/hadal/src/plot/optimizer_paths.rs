//! The ways that optimizers take over a loss of two weights.

use std::ops::Range;

use super::axis::number;
use super::color::{Color, background};
use super::contour::Field;
use super::plot::{Mark, Series};
use super::svg::Pixels;
use super::{Picture, Plot};
use crate::{Error, Result};

/// The nodes of the grid on which the loss is computed.
const GRID: [usize; 2] = [201, 151];

/// How many lines of equal loss are drawn.
const LEVELS: usize = 14;

/// The paths of optimizers over a loss of two weights, each with its name, from its first point (a black dot) to its last
/// (a large dot), within the ranges `x` and `y` of the weights. Lines of equal loss lie the closer the smaller the loss is; the legend says the last
/// loss of each path, or that it diverged.
///
/// ```
/// use hadal::{plot, prelude::*};
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("paths.svg");
/// let loss = |x: f64, y: f64| x * x + 10.0 * y * y;
/// let (mut x, mut y) = (4.0, 1.0);
/// let mut points = Vec::new();
/// for _ in 0..50 {
///     points.push((x, y));
///     (x, y) = (x - 0.05 * 2.0 * x, y - 0.05 * 20.0 * y);
/// }
/// plot::optimizer_paths(loss, -5.0..5.0, -2.0..2.0, &[("gradient descent", points)])?.save(&path)?;
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// # Errors
/// If a range is empty or not finite, the loss is nowhere finite, there is no path, or a path has no finite point.
pub fn optimizer_paths<S: AsRef<str>>(
    loss: impl Fn(f64, f64) -> f64,
    x: Range<f64>,
    y: Range<f64>,
    paths: &[(S, Vec<(f64, f64)>)],
) -> Result<Picture> {
    let limits = [x.start, x.end, y.start, y.end];
    let mut plot = Plot::new("Paths of optimizers; the lighter, the smaller the loss");
    plot = plot.labels("first weight", "second weight").limits(x, y);
    plot.size = (800, 640);
    if let Err(reason) = plot.axes() {
        return Err(Error::Config(format!("optimizer_paths: {reason}")));
    }
    if paths.is_empty() {
        return Err(Error::Data("optimizer_paths: there is no path".into()));
    }
    let [columns, rows] = GRID;
    let values: Vec<f64> = Field::nodes(limits, columns, rows).map(|(x, y)| loss(x, y)).collect();
    let field = Field { limits, columns, rows, values };
    let mut sorted: Vec<f64> = field.values.iter().copied().filter(|value| value.abs() <= 1e300).collect();
    sorted.sort_by(f64::total_cmp);
    let (Some(least), Some(most)) = (sorted.first().copied(), sorted.last().copied()) else {
        return Err(Error::Data("optimizer_paths: the loss is nowhere a finite number in these ranges".into()));
    };
    plot.background = Some((surface(&field, least, most), limits));
    for level in 1..LEVELS {
        let at = least + (most - least) * (level as f64 / LEVELS as f64).powi(3);
        let line = Series::new("", &field.contour(at), Mark::Segments);
        plot = plot.series(line.color(Color(150, 160, 174)).width(0.7));
    }
    // Above all lines.
    let mut ends = Vec::new();
    for (index, (name, points)) in paths.iter().enumerate() {
        let (steps, own) = path(name.as_ref(), points, index, &loss)?;
        plot = plot.series(steps);
        ends.extend(own);
    }
    ends.into_iter().fold(plot, Plot::series).picture()
}

/// The loss in grey: by its cube root, so that valleys are seen.
fn surface(field: &Field, least: f64, most: f64) -> Pixels {
    let [columns, rows] = GRID;
    Pixels::new(columns, rows, |row, column| {
        let value = field.values[(rows - 1 - row) * columns + column];
        let share = if most > least { (value - least) / (most - least) } else { 0.0 };
        // Where there is no number it is as high as can be.
        background(if share.is_nan() { 1.0 } else { share.max(0.0).cbrt() })
    })
}

/// A path with its steps, and dots at its beginning and end.
fn path(
    name: &str,
    points: &[(f64, f64)],
    index: usize,
    loss: &impl Fn(f64, f64) -> f64,
) -> Result<(Series, [Series; 2])> {
    let finite: Vec<(f64, f64)> =
        points.iter().copied().take_while(|(x, y)| x.abs() <= 1e300 && y.abs() <= 1e300).collect();
    let (Some(&first), Some(&last)) = (finite.first(), finite.last()) else {
        return Err(Error::Data(format!("optimizer_paths: the path `{name}` does not begin with a finite point")));
    };
    let end = loss(last.0, last.1);
    let result = if finite.len() < points.len() || !end.is_finite() {
        "diverges".to_owned()
    } else {
        format!("loss {}", number(end))
    };
    let color = super::color::of_index(index);
    let steps = Series { radius: 2.2, ..Series::new(&format!("{name}: {result}"), &finite, Mark::Way) };
    let steps = if finite.len() > 400 { Series { mark: Mark::Line, ..steps } } else { steps };
    let start = Series { radius: 6.0, ..Series::new("", &[first], Mark::Points) };
    let dot = Series { radius: 6.0, ..Series::new("", &[last], Mark::Points) };
    let steps = Series { dash: super::color::dash(index), ..steps };
    Ok((steps.color(color).width(2.0), [start.color(Color::TEXT), dot.color(color)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bowl(x: f64, y: f64) -> f64 {
        x * x + y * y
    }

    #[test]
    fn the_last_loss_is_in_the_legend_and_a_path_to_infinity_diverges() {
        let paths = [("slow", vec![(1.0, 1.0), (0.5, 0.0)]), ("wild", vec![(1.0, 1.0), (f64::INFINITY, 0.0)])];
        let svg = optimizer_paths(bowl, -2.0..2.0, -2.0..2.0, &paths).unwrap().svg();
        assert!(svg.contains("slow: loss 0.25") && svg.contains("wild: diverges"));
    }

    #[test]
    fn ranges_losses_and_paths_that_cannot_be_drawn_are_refused() {
        let path = [("p", vec![(1.0, 1.0)])];
        let message = |result: Result<Picture>| result.unwrap_err().to_string();
        assert!(message(optimizer_paths(bowl, 2.0..-2.0, -2.0..2.0, &path)).contains("not a valid range"));
        assert!(message(optimizer_paths(|_, _| f64::NAN, -2.0..2.0, -2.0..2.0, &path)).contains("nowhere a finite"));
        let none: &[(&str, Vec<(f64, f64)>)] = &[];
        assert!(message(optimizer_paths(bowl, -2.0..2.0, -2.0..2.0, none)).contains("no path"));
        assert!(message(optimizer_paths(bowl, -2.0..2.0, -2.0..2.0, &[("p", vec![])])).contains("`p` does not begin"));
        let partly = |x: f64, y: f64| if x < 0.0 { f64::NAN } else { bowl(x, y) };
        assert!(!optimizer_paths(partly, -2.0..2.0, -2.0..2.0, &path).unwrap().svg().contains("NaN"));
        assert!(optimizer_paths(|_, _| 1.0, -2.0..2.0, -2.0..2.0, &path).is_ok());
    }
}
