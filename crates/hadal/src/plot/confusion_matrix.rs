//! The confusion matrix as a picture.

use super::Picture;
use super::axis::grouped;
use super::chart::{LABEL, TICK};
use super::color::{Color, sequential};
use super::picture::Scene;
use super::svg::{Anchor, Font, Rect, Stroke, Svg};
use crate::metric::{ConfusionMatrix, Metric};
use crate::{Error, Result};

/// Most classes that are drawn; of more, those with the most mistakes.
const MOST: usize = 25;

/// For functions that take names: numbers will do.
pub const NO_NAMES: &[&str] = &[];

/// A confusion matrix: rows are true classes, columns predicted ones, with the counts in the cells, which are the darker the larger
/// their share of the row is. Without `names` ([`NO_NAMES`]), classes are numbers. Of more than 25 classes, the 25 with the
/// most mistakes are drawn; the others are summed up in a last row and column.
///
/// ```
/// use hadal::{plot, prelude::*};
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("confusion.svg");
/// let mut matrix = ConfusionMatrix::new();
/// matrix.update(&Tensor::from([[0.1, 0.9], [0.2, 0.8]]), &Tensor::from([0, 1]));
/// plot::confusion_matrix(&matrix, &["cat", "dog"])?.save(&path)?;
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// # Errors
/// If the matrix has no samples, or there are not as many names as classes.
pub fn confusion_matrix<S: AsRef<str>>(matrix: &ConfusionMatrix, names: &[S]) -> Result<Picture> {
    let classes = matrix.classes();
    if !names.is_empty() && names.len() != classes {
        return Err(Error::Data(format!("confusion_matrix: {} names for {classes} classes", names.len())));
    }
    let cells = Cells::of(matrix, names);
    let samples: u64 = cells.counts.iter().flatten().sum();
    if samples == 0 {
        return Err(Error::Data("confusion_matrix: the matrix has no samples".into()));
    }
    let which = if classes > MOST {
        format!(", the {MOST} of {classes} classes with the most mistakes")
    } else {
        String::new()
    };
    let accuracy = 100.0 * matrix.compute();
    let title =
        format!("Confusion matrix{which}: accuracy {accuracy:.2}% of {} samples", grouped(&samples.to_string()));
    Ok(Picture::new(title, cells))
}

/// What is drawn: the names and counts of rows and columns, which are not as many where some outputs predict no class.
struct Cells {
    rows: Vec<String>,
    columns: Vec<String>,
    counts: Vec<Vec<u64>>,
}

impl Cells {
    fn of<S: AsRef<str>>(matrix: &ConfusionMatrix, names: &[S]) -> Cells {
        let all: Vec<usize> = (0..matrix.classes()).collect();
        let mut kept = all.clone();
        if all.len() > MOST {
            let mistakes: Vec<u64> = all.iter().map(|&class| mistakes(matrix, class)).collect();
            kept.sort_by_key(|&class| std::cmp::Reverse(mistakes[class]));
            kept.truncate(MOST);
            kept.sort_unstable();
        }
        let mut groups: Vec<Vec<usize>> = kept.iter().map(|&class| vec![class]).collect();
        let mut labels: Vec<String> = kept
            .iter()
            .map(|&class| names.get(class).map_or_else(|| class.to_string(), |name| name.as_ref().to_owned()))
            .collect();
        if all.len() > kept.len() {
            let others: Vec<usize> = all.iter().copied().filter(|class| !kept.contains(class)).collect();
            labels.push(format!("{} others", others.len()));
            groups.push(others);
        }
        let sum = |rows: &[usize], columns: &[usize]| -> u64 {
            rows.iter().map(|&row| columns.iter().map(|&column| matrix.count(row, column)).sum::<u64>()).sum()
        };
        let mut counts: Vec<Vec<u64>> =
            groups.iter().map(|row| groups.iter().map(|column| sum(row, column)).collect()).collect();
        let mut columns = labels.clone();
        let none: Vec<u64> =
            groups.iter().map(|row| row.iter().map(|&class| matrix.unpredicted(class)).sum()).collect();
        if none.iter().any(|count| *count > 0) {
            columns.push("none (NaN)".into());
            counts.iter_mut().zip(none).for_each(|(row, count)| row.push(count));
        }
        Cells { rows: labels, columns, counts }
    }
}

/// Samples of the class that were taken for another one, or for none, and samples of others taken for it.
fn mistakes(matrix: &ConfusionMatrix, class: usize) -> u64 {
    let others = (0..matrix.classes()).filter(|other| *other != class);
    others.map(|other| matrix.count(class, other) + matrix.count(other, class)).sum::<u64>() + matrix.unpredicted(class)
}

/// The width of a label beside rows or below columns, at most.
const WIDEST: f64 = 130.0;

impl Scene for Cells {
    fn size(&self) -> (u32, u32) {
        let side = (620.0 / self.columns.len() as f64).clamp(34.0, 90.0);
        let widest = self.rows.iter().map(|name| TICK.width(name)).fold(0.0, f64::max).min(WIDEST);
        let side = side * self.columns.len() as f64;
        ((side + widest + 170.0).max(560.0) as u32, (side + widest.min(60.0) + 130.0).max(420.0) as u32)
    }

    fn draw(&self, svg: &mut Svg, area: Rect) {
        const BAR: f64 = 84.0;
        let beside = self.rows.iter().map(|name| TICK.width(name)).fold(0.0, f64::max).min(WIDEST) + 8.0;
        let lower = self.columns.iter().map(|name| TICK.width(name)).fold(0.0, f64::max).min(WIDEST) + 8.0;
        let room = area.inset(beside + LABEL.size + 12.0, 0.0, BAR, 0.0);
        let (rows, columns) = (self.rows.len() as f64, self.columns.len() as f64);
        // Labels of columns are turned where they would overlap.
        let turned = lower > room.width.min(room.height) / columns;
        let below = if turned { lower } else { TICK.size + 8.0 } + LABEL.size + 10.0;
        let side = (room.width / columns).min((room.height - below) / rows).max(4.0);
        let left = room.x + (room.width - side * columns) / 2.0;
        let grid = Rect::new(left, room.y, side * columns, side * rows);
        self.cells(svg, grid, side);
        for (index, name) in self.rows.iter().enumerate() {
            let at = (grid.x - 7.0, grid.y + (index as f64 + 0.5) * side);
            svg.text_beside(at, &TICK.fit(name, WIDEST), label(side).anchor(Anchor::End));
        }
        for (index, name) in self.columns.iter().enumerate() {
            let (x, name) = (grid.x + (index as f64 + 0.5) * side, TICK.fit(name, WIDEST));
            if turned {
                svg.text_beside((x, grid.bottom() + 7.0), &name, label(side).anchor(Anchor::End).angle(-90.0));
            } else {
                svg.text((x, grid.bottom() + TICK.size + 5.0), &name, label(side).anchor(Anchor::Middle));
            }
        }
        let middle = LABEL.anchor(Anchor::Middle);
        svg.text((grid.center().0, grid.bottom() + below - 4.0), "predicted class", middle);
        svg.text_beside((grid.x - beside - LABEL.size * 0.8, grid.center().1), "true class", middle.angle(-90.0));
        scale(svg, Rect::new(grid.right() + 20.0, grid.y, 16.0, grid.height.min(220.0)));
    }
}

/// The font of names, smaller where rows are narrow.
fn label(side: f64) -> Font {
    Font { size: TICK.size.min(0.9 * side), ..TICK }
}

impl Cells {
    fn cells(&self, svg: &mut Svg, grid: Rect, side: f64) {
        let longest = self.counts.iter().flatten().max().map_or(1, |most| grouped(&most.to_string()).len()) as f64;
        let size = (side * 0.9 / (0.64 * longest)).min(0.42 * side).min(17.0);
        for (row, counts) in self.counts.iter().enumerate() {
            let total = counts.iter().sum::<u64>().max(1) as f64;
            for (column, &count) in counts.iter().enumerate() {
                let cell = Rect::new(grid.x + column as f64 * side, grid.y + row as f64 * side, side, side);
                let color = sequential(count as f64 / total);
                svg.rect(cell, color);
                if count > 0 && size >= 6.0 {
                    let font = Font::new(size).anchor(Anchor::Middle).color(color.readable_on());
                    svg.text_beside(cell.center(), &grouped(&count.to_string()), font);
                }
            }
        }
        let line = Stroke::new(Color::GRID, 0.8);
        for row in 0..=self.rows.len() {
            let y = grid.y + row as f64 * side;
            svg.line((grid.x, y), (grid.right(), y), line);
        }
        for column in 0..=self.columns.len() {
            let x = grid.x + column as f64 * side;
            svg.line((x, grid.y), (x, grid.bottom()), line);
        }
    }
}

/// What the colours stand for.
fn scale(svg: &mut Svg, bar: Rect) {
    let pixels = super::svg::Pixels::new(1, 101, |row, _| sequential(1.0 - row as f64 / 100.0));
    svg.panel(bar, Color::WHITE, Stroke::new(Color::FAINT, 0.8), 0.0);
    svg.image(bar, &pixels, true);
    for (share, text) in [(0.0, "100%"), (0.5, "50%"), (1.0, "0%")] {
        let height = bar.y + (share * bar.height).clamp(5.0, bar.height - 5.0);
        svg.text_beside((bar.right() + 6.0, height), text, Font::new(13.0));
    }
    svg.text((bar.x, bar.bottom() + 18.0), "of the row", Font::new(13.0));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tensor;

    fn matrix(classes: usize, samples: &[(usize, usize)]) -> ConfusionMatrix {
        let mut matrix = ConfusionMatrix::new();
        for (label, predicted) in samples {
            let mut scores = vec![0.0f32; classes];
            scores[*predicted] = 1.0;
            matrix.update(&Tensor::from_vec(scores, [1, classes]), &Tensor::from([*label as i64]));
        }
        matrix
    }

    #[test]
    fn all_counts_and_names_are_there_and_markup_is_shown() {
        let svg = confusion_matrix(&matrix(2, &[(0, 0), (0, 1), (0, 1), (1, 1)]), &["<b>cat</b>", "\"dog\" 🐕"])
            .unwrap()
            .svg();
        assert!(svg.contains("&lt;b&gt;cat&lt;/b&gt;") && svg.contains("&quot;dog&quot; 🐕") && !svg.contains("<b>"));
        assert!(svg.contains(">2</text>") && svg.contains("accuracy 50.00% of 4 samples"));
    }

    #[test]
    fn of_a_thousand_classes_the_most_confused_are_drawn_and_none_is_lost() {
        let pairs: Vec<(usize, usize)> = (0..1000).map(|class| (class, if class == 700 { 3 } else { class })).collect();
        let matrix = matrix(1000, &pairs);
        let cells = Cells::of(&matrix, NO_NAMES);
        assert_eq!((cells.rows.len(), cells.rows[MOST].as_str()), (MOST + 1, "975 others"));
        assert!(cells.rows.contains(&"700".to_owned()) && cells.rows.contains(&"3".to_owned()));
        assert_eq!(cells.counts.iter().flatten().sum::<u64>(), 1000);
        assert!(confusion_matrix(&matrix, NO_NAMES).unwrap().svg().contains("25 of 1000 classes"));
    }

    #[test]
    fn outputs_that_say_nothing_have_a_column_and_no_samples_are_an_error() {
        let mut matrix = matrix(2, &[(0, 0)]);
        matrix.update(&Tensor::from([[f32::NAN, 0.0]]), &Tensor::from([1]));
        assert!(confusion_matrix(&matrix, NO_NAMES).unwrap().svg().contains("none (NaN)"));
        let message = |names: &[&str]| confusion_matrix(&ConfusionMatrix::new(), names).unwrap_err().to_string();
        assert!(message(NO_NAMES).contains("no samples") && message(&["a"]).contains("1 names for 0 classes"));
    }
}
