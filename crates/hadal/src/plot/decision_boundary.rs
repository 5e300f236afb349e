//! What a classifier says about the points of a plane.

use super::color::{Color, of_index};
use super::contour::Field;
use super::plot::{Mark, Series};
use super::scores::{largest, numbers};
use super::svg::Pixels;
use super::{Picture, Plot};
use crate::classic::LinearClassifier;
use crate::data::Dataset;
use crate::nn::{Context, Model, Sequential};
use crate::train::Trainer;
use crate::{DType, Error, Result, Tensor, no_grad};

/// What [`decision_boundary`] takes: a [`Trainer`], a [`Sequential`] that is built, a [`LinearClassifier`], or a function.
///
/// ```
/// use hadal::{plot, prelude::*};
/// let data = hadal::data::synthetic::circles(100, 0.1, 1)?;
/// let nearer = |points: &Tensor| Ok(points.powi(2).sum_axes(&[1]).lt(0.5).to_dtype(DType::I64));
/// plot::decision_boundary(&nearer, &data)?;
/// # Ok::<(), hadal::Error>(())
/// ```
pub trait Predict {
    /// The outputs for points `[N, 2]`: classes (`i64` `[N]`), one number `[N]` or `[N, 1]`, which is above the threshold for
    /// class 1, or one number for each class.
    ///
    /// # Errors
    /// If the model does not take such points.
    fn outputs(&self, points: &Tensor) -> Result<Tensor>;

    /// Above which number a single output means class 1. Default: 0.5.
    fn threshold(&self) -> f64 {
        0.5
    }
}

impl<M: Model> Predict for Trainer<M> {
    fn outputs(&self, points: &Tensor) -> Result<Tensor> {
        self.predict(points)
    }

    fn threshold(&self) -> f64 {
        self.decision_threshold()
    }
}

impl Predict for Sequential {
    fn outputs(&self, points: &Tensor) -> Result<Tensor> {
        if self.summary().rows().is_empty() {
            return Err(Error::Config("the network is not built; call build() or compile() first".into()));
        }
        let points = points.clone().into();
        self.check_parts(&points)?;
        let outputs = no_grad(|| self.forward_parts(&points, &mut Context::evaluation()));
        Ok(outputs.first().clone())
    }
}

impl Predict for LinearClassifier {
    fn outputs(&self, points: &Tensor) -> Result<Tensor> {
        // Refuses another number of features.
        self.predict(points)?;
        let scores: Vec<f64> = numbers(points).chunks(2).map(|point| self.decision_function(point)).collect();
        Ok(Tensor::from_vec(scores, [points.size(0)]))
    }

    fn threshold(&self) -> f64 {
        0.0
    }
}

impl<F: Fn(&Tensor) -> Result<Tensor>> Predict for F {
    fn outputs(&self, points: &Tensor) -> Result<Tensor> {
        self(points)
    }
}

/// The nodes of the grid on which the model is asked.
const GRID: [usize; 2] = [241, 161];

/// Most classes that are predicted on the grid.
const MOST_CLASSES: usize = 100;

/// The samples of `data`, which have two features, over the classes that the model predicts around them, with the lines between.
/// Samples and the model's inputs are raw: they are transformed as in training.
///
/// ```
/// use hadal::{plot, prelude::*};
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("moons.svg");
/// let data = hadal::data::synthetic::moons(200, 0.2, 1)?;
/// let model = Sequential::new([2]).add(Dense::new(16).activation(Relu)).add(Dense::new(1).activation(Sigmoid));
/// let mut model = model.compile(Adam::new(0.02), BinaryCrossentropy, Accuracy)?;
/// model.fit(&data, Fit::epochs(20).quiet())?;
/// plot::decision_boundary(&model, &data)?.title("Two moons").save(&path)?;
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// # Errors
/// If samples have another shape than `[2]`, targets are no classes, the model refuses such inputs, or an output is NaN.
pub fn decision_boundary(model: &impl Predict, data: &Dataset) -> Result<Picture> {
    if data.input_shape()[..] != [2] || data.input_kinds().len() != 1 {
        return Err(Error::Data(format!(
            "decision_boundary draws samples of two features, shape [2]; those of {} have shape {}",
            data.name(),
            data.input_shape()
        )));
    }
    let dtype = data.input_dtype();
    if !dtype.is_float() {
        return Err(Error::Data(format!("decision_boundary takes features of a floating-point type, not {dtype}")));
    }
    let points: Vec<(f64, f64)> =
        numbers(data.raw_inputs()?.first()).chunks(2).map(|point| (point[0], point[1])).collect();
    let labels = classes_of(data)?;
    let limits = around(&points);
    let regions = Regions::of(model, limits, dtype)?;
    let [left, right, low, high] = limits;
    let mut plot = Plot::new(data.name()).labels("feature 1", "feature 2").limits(left..right, low..high);
    plot.background = Some((regions.pixels(), limits));
    for field in &regions.borders {
        let border = Series::new("", &field.contour(0.0), Mark::Segments);
        plot = plot.series(border.color(Color::TEXT).width(1.6));
    }
    let classes = labels.iter().max().map_or(0, |most| most + 1);
    for class in 0..classes {
        let own: Vec<(f64, f64)> =
            points.iter().zip(&labels).filter(|(_, label)| **label == class).map(|(p, _)| *p).collect();
        if !own.is_empty() {
            let series = Series::new(&format!("class {class}"), &own, Mark::Points).color(of_index(class));
            plot = plot.series(Series { shape: class, ..series });
        }
    }
    plot.picture()
}

/// The classes of the samples, of which there may be up to a thousand.
fn classes_of(data: &Dataset) -> Result<Vec<usize>> {
    let targets = data.targets();
    let columns = if targets.rank() == 2 { targets.size(1) } else { 1 };
    let classes = match columns {
        1 if numbers(targets).contains(&-1.0) => 2,
        1 => 1000,
        columns => columns,
    };
    super::scores::labels("decision_boundary", targets, classes)
}

/// Left, right, bottom and top of the points, with some room.
fn around(points: &[(f64, f64)]) -> [f64; 4] {
    let range = |of: fn(&(f64, f64)) -> f64| {
        let (low, high) =
            points.iter().map(of).fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), x| (a.min(x), b.max(x)));
        let room = if high > low { 0.08 * (high - low) } else { 0.5 * low.abs().max(1.0) };
        (low - room, high + room)
    };
    let ((left, right), (low, high)) = (range(|point| point.0), range(|point| point.1));
    [left, right, low, high]
}

/// The predicted class at each node, and for each class by how much it is ahead.
struct Regions {
    classes: Vec<usize>,
    borders: Vec<Field>,
}

impl Regions {
    fn of(model: &impl Predict, limits: [f64; 4], dtype: DType) -> Result<Regions> {
        let [columns, rows] = GRID;
        let nodes: Vec<(f64, f64)> = Field::nodes(limits, columns, rows).collect();
        let mut outputs = Vec::new();
        let mut width = 0;
        let mut are_classes = false;
        for some in nodes.chunks(4096) {
            let flat: Vec<f64> = some.iter().flat_map(|(x, y)| [*x, *y]).collect();
            let output = model.outputs(&Tensor::from_vec(flat, [some.len(), 2]).to_dtype(dtype))?;
            width = output.elements() / some.len();
            if width == 0 || output.rank() > 2 || output.shape().first() != Some(&some.len()) {
                return Err(Error::Data(format!(
                    "decision_boundary: for {} points the model's output has shape {}; it must be [N], [N, 1] or [N, classes]",
                    some.len(),
                    output.shape()
                )));
            }
            are_classes = output.dtype() == DType::I64 && width == 1;
            outputs.extend(numbers(&output));
        }
        if let Some(node) = outputs.iter().position(|output| output.is_nan()) {
            let (x, y) = nodes[node / width];
            return Err(Error::Data(format!("decision_boundary: the model's output at ({x:.4}, {y:.4}) is NaN")));
        }
        let classes: Vec<usize> = if are_classes {
            outputs.iter().map(|class| class.max(0.0) as usize).collect()
        } else if width == 1 {
            outputs.iter().map(|output| usize::from(*output > model.threshold())).collect()
        } else {
            outputs.chunks(width).map(largest).collect()
        };
        let field = |values: Vec<f64>| Field { limits, columns, rows, values };
        let borders = if width == 1 && !are_classes {
            vec![field(outputs.iter().map(|output| output - model.threshold()).collect())]
        } else {
            let mut present = classes.clone();
            present.sort_unstable();
            present.dedup();
            if present.len() > MOST_CLASSES {
                return Err(Error::Data(format!(
                    "decision_boundary: the model predicts {} classes; up to {MOST_CLASSES} can be drawn",
                    present.len()
                )));
            }
            let ahead = |class: usize| -> Vec<f64> {
                match are_classes {
                    true => classes.iter().map(|own| if *own == class { 1.0 } else { -1.0 }).collect(),
                    false => outputs.chunks(width).map(|scores| lead(scores, class)).collect(),
                }
            };
            present.into_iter().map(|class| field(ahead(class))).collect()
        };
        Ok(Regions { classes, borders })
    }

    fn pixels(&self) -> Pixels {
        let [columns, rows] = GRID;
        Pixels::new(columns, rows, |row, column| {
            let class = self.classes[(rows - 1 - row) * columns + column];
            of_index(class).mix(Color::WHITE, 0.72)
        })
    }
}

/// How far a class is ahead of the best other one. Logits may be infinite; their difference then counts by its sign.
fn lead(scores: &[f64], class: usize) -> f64 {
    let others = scores.iter().enumerate().filter(|(index, _)| *index != class).map(|(_, score)| *score);
    let best = others.fold(f64::NEG_INFINITY, f64::max);
    let lead = scores[class] - best;
    if lead.is_finite() {
        lead
    } else if scores[class] > best {
        1.0
    } else {
        -1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::synthetic::{blobs, moons};
    use crate::prelude::*;

    #[test]
    fn a_line_is_drawn_where_the_classifier_has_it() {
        let line = LinearClassifier { weight: vec![1.0, 0.0], bias: -0.5 };
        let regions = Regions::of(&line, [0.0, 1.0, 0.0, 1.0], DType::F32).unwrap();
        let border = regions.borders[0].contour(0.0);
        assert!(!border.is_empty() && border.iter().all(|point| (point.0 - 0.5).abs() < 1e-6));
        assert_eq!((regions.classes[0], regions.classes[240]), (0, 1));
        assert!(decision_boundary(&line, &moons(50, 0.1, 1).unwrap()).is_ok());
    }

    #[test]
    fn logits_and_scaled_features_are_drawn_where_they_are() {
        // Class 1 where the first feature is above 20, which the transform makes 2.
        let inputs = Tensor::from([[10.0, 0.0], [30.0, 5.0], [15.0, 5.0], [25.0, 0.0]]);
        let data = Dataset::new("scaled", inputs, Tensor::from([0, 1, 0, 1])).unwrap().divide(10.0);
        let model = Sequential::new([2]).add(Dense::new(1)).build().unwrap();
        let mut model = model.compile(Sgd::new(1e-6), BinaryCrossentropy.from_logits(), ()).unwrap();
        model.fit(&data, Fit::epochs(1).quiet()).unwrap();
        model.model.visit_mut("", &mut |name, tensor| {
            let values = if name.ends_with("bias") { Tensor::from([-2.0]) } else { Tensor::from([[1.0, 0.0]]) };
            tensor.assign(&values);
        });
        let regions = Regions::of(&model, [0.0, 40.0, 0.0, 5.0], DType::F32).unwrap();
        let border = regions.borders[0].contour(0.0);
        assert!(!border.is_empty() && border.iter().all(|point| (point.0 - 20.0).abs() < 1e-3), "{border:?}");
        assert!(decision_boundary(&model, &data).is_ok());
    }

    #[test]
    fn several_classes_and_untrained_networks_are_drawn() {
        let data = blobs(60, 4, 0.5, 1).unwrap();
        let model = Sequential::new([2]).add(Dense::new(4)).build().unwrap();
        let svg = decision_boundary(&model, &data).unwrap().svg();
        assert!(svg.contains("class 3") && svg.contains("feature 1"));
        let empty = Sequential::new([2]).add(Dense::new(4));
        assert!(decision_boundary(&empty, &data).unwrap_err().to_string().contains("not built"));
    }

    #[test]
    fn other_shapes_targets_and_nan_are_named() {
        let line = LinearClassifier { weight: vec![1.0, 0.0], bias: 0.0 };
        let message = |result: Result<Picture>| result.unwrap_err().to_string();
        let wide = Dataset::new("wide", Tensor::ones([2, 3]), Tensor::from([0, 1])).unwrap();
        assert!(message(decision_boundary(&line, &wide)).contains("those of wide have shape [3]"));
        let prices = Dataset::new("prices", Tensor::ones([2, 2]), Tensor::from([0.5, 2.5])).unwrap();
        assert!(message(decision_boundary(&line, &prices)).contains("sample 0 has target 0.5"));
        let one = Dataset::new("one point", Tensor::ones([1, 2]), Tensor::from([0])).unwrap();
        assert!(decision_boundary(&line, &one).is_ok());
        let nan = |points: &Tensor| Ok(points.narrow(1, 0, 1) * f64::NAN);
        assert!(message(decision_boundary(&nan, &one)).contains("is NaN"));
        let many = |points: &Tensor| Ok(Tensor::arange(points.size(0)));
        assert!(message(decision_boundary(&many, &one)).contains("up to 100 can be drawn"));
        let scalar = |_: &Tensor| Ok(Tensor::ones([3]));
        assert!(message(decision_boundary(&scalar, &one)).contains("output has shape [3]"));
    }
}
