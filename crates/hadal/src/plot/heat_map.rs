//! A matrix as a picture.

use std::ops::Range;
use std::path::Path;

use super::Picture;
use super::axis::{grouped, number};
use super::cells::{Bar, Cells};
use super::color::{Color, diverging, sequential};
use super::scores::numbers;
use crate::{Error, Result, Tensor};

/// Most rows, and most columns.
const MOST: usize = 4096;

/// A heat map: the numbers of a matrix as colours, with names of rows and columns, and the numbers themselves in cells that are large
/// enough. For weights of attention, correlations, similarities; a
/// [`confusion_matrix`](super::confusion_matrix) has its own.
///
/// Colours go from white at 0, or at the least number if it is above, to dark blue at the largest; if there are negative numbers, from
/// blue over white at 0 to orange, and as far on both sides.
///
/// ```
/// use hadal::{plot::HeatMap, prelude::*};
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("attention.svg");
/// let weights = Tensor::from([[0.9, 0.1, 0.0], [0.2, 0.2, 0.6]]);
/// HeatMap::new("What each word looks at", &weights)
///     .rows(&["they", "sat"])
///     .columns(&["the", "two", "cats"])
///     .labels("source", "word")
///     .save(&path)?;
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct HeatMap {
    title: String,
    matrix: Tensor,
    /// Of columns and rows.
    names: [Option<Vec<String>>; 2],
    labels: [String; 2],
    limits: Option<Range<f64>>,
}

fn owned<S: AsRef<str>>(names: &[S]) -> Option<Vec<String>> {
    Some(names.iter().map(|name| name.as_ref().to_owned()).collect())
}

impl HeatMap {
    /// Of a matrix `[rows, columns]`, the first row at the top.
    pub fn new(title: &str, matrix: &Tensor) -> HeatMap {
        let labels = [String::new(), String::new()];
        HeatMap { title: title.into(), matrix: matrix.detach(), names: [None, None], labels, limits: None }
    }

    /// The names of the rows. Default: their numbers, from 0.
    pub fn rows<S: AsRef<str>>(mut self, names: &[S]) -> HeatMap {
        self.names[1] = owned(names);
        self
    }

    /// The names of the columns. Default: their numbers, from 0.
    pub fn columns<S: AsRef<str>>(mut self, names: &[S]) -> HeatMap {
        self.names[0] = owned(names);
        self
    }

    /// What the columns are (`x`), and what the rows are (`y`). Default: nothing is said.
    pub fn labels(mut self, x: &str, y: &str) -> HeatMap {
        self.labels = [x.into(), y.into()];
        self
    }

    /// The numbers that the ends of the colours stand for, so that several maps have the same; what is beyond has the colour of the end.
    /// Below 0, the colours are those of numbers with a sign.
    ///
    /// ```
    /// use hadal::{plot::HeatMap, prelude::*};
    /// let svg = HeatMap::new("A share", &Tensor::from([[0.25]])).limits(0.0..1.0).picture()?.svg();
    /// assert!(svg.contains(">0.5</text>")); // the middle of the colours
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn limits(mut self, limits: Range<f64>) -> HeatMap {
        self.limits = Some(limits);
        self
    }

    /// The finished picture.
    ///
    /// ```
    /// use hadal::{plot::HeatMap, prelude::*};
    /// let picture = HeatMap::new("Two by two", &Tensor::from([[1.0, -1.0], [0.5, 0.0]])).picture()?;
    /// assert!(picture.svg().contains("Two by two"));
    /// assert!(HeatMap::new("A vector", &Tensor::ones([3])).picture().is_err());
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If it is no matrix of finite numbers with a row and a column, has more than 4096 rows or columns, names are not as many as rows or
    /// columns, or the limits are not finite or empty.
    pub fn picture(&self) -> Result<Picture> {
        let refuse = |problem: String| Error::Data(format!("{}: {problem}", self.title));
        let &[rows, columns] = &self.matrix.shape()[..] else {
            return Err(refuse(format!(
                "a heat map takes a matrix [rows, columns], not shape {}; x.i((0, 0)) takes the first of a sample's heads, for example",
                self.matrix.shape()
            )));
        };
        if rows == 0 || columns == 0 || rows.max(columns) > MOST {
            return Err(refuse(format!("a heat map has 1 to {MOST} rows and columns, not {rows} by {columns}")));
        }
        let numbers = numbers(&self.matrix);
        if let Some(place) = numbers.iter().position(|number| !number.is_finite()) {
            let (row, column) = (place / columns, place % columns);
            return Err(refuse(format!("the number in row {row}, column {column} is {}, not finite", numbers[place])));
        }
        let names = |axis: usize, what: &str, count: usize| match &self.names[axis] {
            Some(own) if own.len() != count => Err(refuse(format!("{} names for {count} {what}", own.len()))),
            Some(own) => Ok(own.clone()),
            None => Ok((0..count).map(|place| place.to_string()).collect()),
        };
        let (names, row_names) = (names(0, "columns", columns)?, names(1, "rows", rows)?);
        let scale = Scale::of(&numbers, self.limits.clone()).map_err(refuse)?;
        let cell = |number: &f64| ((scale.color)(scale.share(*number)), scale.text(*number));
        let cells = numbers.chunks(columns).map(|row| row.iter().map(cell).collect()).collect();
        let bar = Bar { color: scale.color, marks: scale.marks(), caption: "" };
        let scene = Cells { rows: row_names, columns: names, cells, labels: self.labels.clone(), bar };
        Ok(Picture::new(self.title.clone(), scene))
    }

    /// Writes the picture to `path`, as SVG or PNG: [`Picture::save`].
    ///
    /// # Errors
    /// As [`picture`](HeatMap::picture), and if it cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.picture()?.save(path)
    }
}

/// Which colour stands for a number.
struct Scale {
    from: f64,
    to: f64,
    /// From 0 to 1.
    color: fn(f64) -> Color,
    /// Of the numbers in the cells; none where the largest is so large or small that they have powers of ten.
    decimals: Option<usize>,
}

impl Scale {
    fn of(numbers: &[f64], limits: Option<Range<f64>>) -> Result<Scale, String> {
        let least = numbers.iter().copied().fold(f64::INFINITY, f64::min);
        let most = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let largest = least.abs().max(most.abs());
        let Range { start: from, end: to } = match limits {
            Some(limits) => limits,
            None if least < 0.0 => -largest..largest,
            // Numbers that are nearly the same are told apart all the same.
            None if most - least < 0.5 * most && most > least => least..most,
            None if most == 0.0 => 0.0..1.0,
            None => 0.0..most,
        };
        if !(from < to && (to - from).is_finite()) {
            return Err(format!("the limits {from} to {to} must be finite, and the first below the second"));
        }
        let color: fn(f64) -> Color = if from < 0.0 { |share| diverging(2.0 * share - 1.0) } else { sequential };
        let is_plain = (1e-4..1e6).contains(&largest);
        let decimals = is_plain.then(|| (2.0 - largest.log10().ceil()).clamp(0.0, 6.0) as usize);
        Ok(Scale { from, to, color, decimals })
    }

    fn share(&self, number: f64) -> f64 {
        (number - self.from) / (self.to - self.from)
    }

    /// A number in its cell.
    fn text(&self, value: f64) -> String {
        let Some(decimals) = self.decimals.filter(|_| value != 0.0) else { return number(value) };
        let text = format!("{value:.decimals$}");
        let is_zero = !text.contains(|digit: char| digit.is_ascii_digit() && digit != '0');
        grouped(if is_zero { text.trim_start_matches('-') } else { &text })
    }

    fn marks(&self) -> Vec<(f64, String)> {
        [0.0, 0.5, 1.0].map(|share| (share, number(self.from + share * (self.to - self.from)))).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_colours_of_their_scale() {
        let color = |numbers: &[f64], limits: Option<Range<f64>>, number: f64| {
            let scale = Scale::of(numbers, limits).unwrap();
            (scale.color)(scale.share(number))
        };
        assert_eq!(color(&[0.0, 0.8], None, 0.8), sequential(1.0));
        assert_eq!(color(&[0.1, 0.8], None, 0.0), Color::WHITE);
        assert_eq!(color(&[0.9, 0.8], None, 0.8), Color::WHITE, "nearly the same numbers differ");
        assert_eq!(color(&[-1.0, 4.0], None, 0.0), Color::WHITE);
        assert_eq!(color(&[-1.0, 4.0], None, -4.0), diverging(-1.0));
        assert_eq!(color(&[0.5], Some(0.0..1.0), 2.0), sequential(1.0));
        assert_eq!(color(&[0.0, 0.0], None, 0.0), Color::WHITE);
        assert_eq!(color(&[3.0, 3.0], None, 3.0), sequential(1.0));
    }

    #[test]
    fn cells_have_as_many_decimals_as_the_largest_needs() {
        let texts = |numbers: &[f64]| {
            let scale = Scale::of(numbers, None).unwrap();
            numbers.iter().map(|number| scale.text(*number)).collect::<Vec<_>>()
        };
        assert_eq!(texts(&[0.934, 0.05, 0.0]), ["0.93", "0.05", "0"]);
        assert_eq!(texts(&[1.0, 0.25, 3e-9]), ["1.00", "0.25", "0.00"]);
        assert_eq!(texts(&[2e-7, 0.0]), ["2×10⁻⁷", "0"]);
        assert_eq!(texts(&[-0.001, 12_345.6]), ["0", "12,346"]);
        assert_eq!(texts(&[-3.25, 1.5]), ["−3.2", "1.5"]);
        assert_eq!(texts(&[2e9, 1.0]), ["2×10⁹", "1"]);
    }

    #[test]
    fn what_is_no_matrix_and_names_that_do_not_fit_are_errors() {
        let message = |map: HeatMap| map.picture().unwrap_err().to_string();
        let of = |matrix: Tensor| HeatMap::new("Map", &matrix);
        assert!(message(of(Tensor::ones([1, 2, 3, 3]))).contains("not shape [1, 2, 3, 3]; x.i((0, 0))"));
        assert!(message(of(Tensor::ones([0, 3]))).contains("not 0 by 3"));
        assert!(message(of(Tensor::ones([5000, 1]))).contains("1 to 4096 rows"));
        let nan = Tensor::from([[1.0, 2.0], [3.0, f32::NAN]]);
        assert!(message(of(nan)).contains("Map: the number in row 1, column 1 is NaN"));
        let square = || of(Tensor::ones([2, 2]));
        assert!(message(square().rows(&["a"])).contains("1 names for 2 rows"));
        assert!(message(square().columns(&["a", "b", "c"])).contains("3 names for 2 columns"));
        assert!(message(square().limits(1.0..1.0)).contains("limits 1 to 1"));
        assert!(message(square().limits(0.0..f64::INFINITY)).contains("finite"));
    }

    #[test]
    fn names_are_shown_as_they_are_and_a_large_matrix_is_an_image_with_some_of_them() {
        let svg = HeatMap::new("M", &Tensor::ones([1, 2])).columns(&["<b>", "a & b"]).labels("x", "y").picture();
        let svg = svg.unwrap().svg();
        assert!(svg.contains("&lt;b&gt;") && svg.contains("a &amp; b") && svg.matches(">1.00</text>").count() == 2);
        let large = HeatMap::new("M", &Tensor::rand([300, 200], &mut crate::Rng::new(1))).picture().unwrap().svg();
        assert!(large.contains("<image") && large.len() < 400_000);
        assert!((10..150).contains(&large.matches("<text").count()), "{}", large.matches("<text").count());
    }
}
