//! Histograms of layers, one below the other.

use super::Picture;
use super::axis::{Axis, number};
use super::chart::{LABEL, TICK, apart};
use super::color::{Color, of_index};
use super::histogram::{Histogram, finite, mean_and_std};
use super::picture::Scene;
use super::svg::{Anchor, Rect, Stroke, Svg};
use crate::{Error, Result, Tensor};

/// Most layers of one picture.
const MOST: usize = 60;

/// Histograms of tensors with their names, one below the other on one axis, each as high as its own highest bin, with its
/// standard deviation: the weights of a model (its [`state_dict`](crate::nn::Module::state_dict)), or the activations or gradients
/// of its layers. Growing or shrinking from layer to layer is seen at a glance, and so are units that are all zero.
///
/// ```
/// use hadal::{plot, prelude::*};
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("weights.svg");
/// let model = Sequential::new([784]).add(Dense::new(64).activation(Relu)).add(Dense::new(10)).build()?;
/// plot::histograms_by_depth(&model.state_dict())?.title("Weights before training").save(&path)?;
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// # Errors
/// If there are no tensors or more than 60, or one has no finite number.
pub fn histograms_by_depth<S: AsRef<str>>(tensors: &[(S, Tensor)]) -> Result<Picture> {
    if tensors.is_empty() || tensors.len() > MOST {
        return Err(Error::Data(format!("histograms_by_depth takes 1 to {MOST} tensors, not {}", tensors.len())));
    }
    let mut rows = Vec::new();
    for (name, tensor) in tensors {
        let (sorted, left_out) = finite(tensor);
        if sorted.is_empty() {
            return Err(Error::Data(format!("histograms_by_depth: `{}` has no finite number", name.as_ref())));
        }
        rows.push((name.as_ref().to_owned(), sorted, left_out));
    }
    let least = rows.iter().map(|row| row.1[0]).fold(f64::INFINITY, f64::min);
    let most = rows.iter().map(|row| row.1[row.1.len() - 1]).fold(f64::NEG_INFINITY, f64::max);
    let room = if most - least > 1e-9 * least.abs().max(most.abs()).max(1e-290) {
        0.02 * (most - least)
    } else {
        0.5 * least.abs().max(1e-12)
    };
    let range = (least - room, most + room);
    let rows = rows.into_iter().map(|(name, sorted, left_out)| Row::new(name, &sorted, left_out, range)).collect();
    Ok(Picture::new("Histograms by depth", Ridges { rows, range }))
}

struct Row {
    name: String,
    histogram: Histogram,
    note: String,
}

impl Row {
    fn new(name: String, sorted: &[f64], left_out: usize, range: (f64, f64)) -> Row {
        const BINS: usize = 120;
        let zeros = sorted.iter().filter(|value| **value == 0.0).count() as f64 / sorted.len() as f64;
        let mut note = format!("std {}", number(mean_and_std(sorted).1));
        if zeros >= 0.01 {
            note += &format!(", {:.0}% zero", 100.0 * zeros);
        }
        if left_out > 0 {
            note += &format!(", {left_out} not finite");
        }
        Row { name, histogram: Histogram::new(sorted, range, BINS), note }
    }
}

struct Ridges {
    rows: Vec<Row>,
    range: (f64, f64),
}

impl Scene for Ridges {
    fn size(&self) -> (u32, u32) {
        let rows = self.rows.len() as f64;
        (860, (rows * (420.0 / rows).clamp(34.0, 80.0) + 140.0) as u32)
    }

    fn draw(&self, svg: &mut Svg, area: Rect) {
        let widest =
            |of: fn(&Row) -> &str| self.rows.iter().map(|row| TICK.width(of(row))).fold(0.0, f64::max).min(220.0);
        let (names, notes) = (widest(|row| &row.name), widest(|row| &row.note));
        let inner = area.inset(names + 12.0, 6.0, notes + 14.0, 26.0 + LABEL.size + 8.0);
        let axis = Axis::linear(self.range.0, self.range.1);
        let across = |value: f64| inner.x + axis.share(value) * inner.width;
        for (value, label) in apart(axis, inner.width) {
            let x = across(value);
            svg.line((x, inner.y), (x, inner.bottom()), Stroke::new(Color::GRID, 1.0));
            svg.text((x, inner.bottom() + 19.0), &label, TICK.anchor(Anchor::Middle));
        }
        let tall = inner.height / self.rows.len() as f64;
        for (index, row) in self.rows.iter().enumerate() {
            let base = inner.y + (index + 1) as f64 * tall;
            let highest = row.histogram.counts.iter().copied().max().unwrap_or(1).max(1) as f64;
            let height = |count: f64| base - count / highest * tall * 0.88;
            let mut outline = vec![(inner.x, base)];
            for pair in row.histogram.steps().windows(2) {
                outline.extend([(across(pair[0].0), height(pair[0].1)), (across(pair[1].0), height(pair[0].1))]);
            }
            outline.push((inner.right(), base));
            let color = of_index(0).mix(of_index(1), index as f64 / (self.rows.len().max(2) - 1) as f64);
            svg.polygon(&outline, color, 0.75);
            svg.line((inner.x, base), (inner.right(), base), Stroke::new(Color::FAINT, 0.8));
            let middle = base - (0.4 * tall).min(14.0);
            svg.text_beside((inner.x - 8.0, middle), &TICK.fit(&row.name, 220.0), TICK.anchor(Anchor::End));
            svg.text_beside((inner.right() + 8.0, middle), &TICK.fit(&row.note, 220.0), TICK.color(Color::FAINT));
        }
        let at = (inner.center().0, inner.bottom() + 26.0 + LABEL.size);
        svg.text(at, "value (each histogram as high as its highest bin)", LABEL.anchor(Anchor::Middle));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_spreads_and_dead_units_are_shown() {
        let tensors = [("first", Tensor::from([-1.0, 1.0])), ("dead <b>", Tensor::from([0.0, 0.0, 0.0, 0.5]))];
        let svg = histograms_by_depth(&tensors).unwrap().svg();
        for text in ["first", "std 1<", "75% zero", "dead &lt;b&gt;"] {
            assert!(svg.contains(text), "{text}");
        }
        assert!(histograms_by_depth(&[("zeros", Tensor::zeros([5]))]).is_ok());
    }

    #[test]
    fn no_tensors_and_no_finite_numbers_are_named() {
        let none: &[(&str, Tensor)] = &[];
        assert!(histograms_by_depth(none).unwrap_err().to_string().contains("not 0"));
        let nan = histograms_by_depth(&[("fc1", Tensor::from([f32::NAN]))]).unwrap_err().to_string();
        assert!(nan.contains("`fc1` has no finite number"), "{nan}");
        let partly = histograms_by_depth(&[("fc1", Tensor::from([f32::NAN, 1.0]))]).unwrap().svg();
        assert!(partly.contains("1 not finite"));
    }
}
