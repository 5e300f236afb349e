//! How far predicted numbers are from the true ones.

use maud::{Markup, html};

use super::text::{counted, figure, missing, number, table};
use crate::nn::thousands;
use crate::plot::{self, Plot};
use crate::{DType, Result, Tensor};

/// How many points are drawn, and of how many outputs there is a line.
const POINTS: usize = 1000;
const OUTPUTS: usize = 50;

/// Predicted against true numbers, `[samples, outputs]` both.
pub(super) fn section(predicted: &Tensor, truth: &Tensor) -> Markup {
    let (samples, outputs) = (truth.size(0), truth.size(1));
    let columns = |tensor: &Tensor| {
        let all = tensor.to_dtype(DType::F64).to_vec::<f64>();
        (0..outputs.min(OUTPUTS))
            .map(|column| all.iter().skip(column).step_by(outputs).copied().collect())
            .collect::<Vec<Vec<f64>>>()
    };
    let (predicted, truth) = (columns(predicted), columns(truth));
    let head = ["output", "mean error", "mean absolute error", "root mean squared error", "R²"].map(str::to_owned);
    let row = |(output, (predicted, truth)): (usize, (&Vec<f64>, &Vec<f64>))| {
        let cells = errors(predicted, truth).map(|value| html! { data value=(value) { (number(value)) } });
        [html! { (output) }].into_iter().chain(cells).collect()
    };
    let rows = predicted.iter().zip(&truth).enumerate().map(row).collect();
    html! {
        (table("Errors, predicted minus true", &head, rows, |at| at > 0))
        @if outputs > OUTPUTS { p { "The first " (OUTPUTS) " of " (thousands(outputs)) " outputs are listed." } }
        @if outputs == 1 {
            (figure("Predicted against true", scatter(&predicted[0], &truth[0]), &of_points(samples)))
            (residuals(&predicted[0], &truth[0], samples))
        }
        @else { p { "Pictures are drawn for a single output." } }
    }
}

/// Mean, absolute and squared error, and R².
fn errors(predicted: &[f64], truth: &[f64]) -> [f64; 4] {
    let count = truth.len() as f64;
    let mean_of =
        |of: &dyn Fn(f64, f64) -> f64| predicted.iter().zip(truth).map(|(p, t)| of(*p, *t)).sum::<f64>() / count;
    let squared = mean_of(&|p, t| (p - t).powi(2));
    let mean = mean_of(&|_, t| t);
    let variance = mean_of(&|_, t| (t - mean).powi(2));
    [mean_of(&|p, t| p - t), mean_of(&|p, t| (p - t).abs()), squared.sqrt(), 1.0 - squared / variance]
}

fn of_points(samples: usize) -> String {
    let which = if samples > POINTS {
        format!("{} of {} evenly spaced", thousands(POINTS), counted(samples, "sample"))
    } else {
        counted(samples, "sample")
    };
    format!("On the line, the prediction is right. A point is a sample; {which}.")
}

/// Some, evenly spaced.
fn drawn<T: Copy>(all: &[T]) -> Vec<T> {
    let drawn = all.len().min(POINTS);
    (0..drawn).map(|at| all[at * all.len() / drawn]).collect()
}

fn scatter(predicted: &[f64], truth: &[f64]) -> Result<plot::Picture> {
    let points: Vec<(f64, f64)> = truth.iter().copied().zip(predicted.iter().copied()).collect();
    let finite = || truth.iter().filter(|value| value.is_finite());
    let (low, high) = finite().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &t| (low.min(t), high.max(t)));
    Plot::new("")
        .labels("true", "predicted")
        .line("right", &[(low, low), (high, high)])
        .points("samples", &drawn(&points))
        .picture()
}

fn residuals(predicted: &[f64], truth: &[f64], samples: usize) -> Markup {
    let residuals: Vec<f64> = predicted.iter().zip(truth).map(|(p, t)| p - t).collect();
    let points: Vec<(f64, f64)> = predicted.iter().copied().zip(residuals.iter().copied()).collect();
    let (low, high) =
        predicted.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &p| (low.min(p), high.max(p)));
    let by_prediction = Plot::new("")
        .labels("predicted", "predicted minus true")
        .line("right", &[(low, 0.0), (high, 0.0)])
        .points("samples", &drawn(&points))
        .picture();
    match plot::histogram(&Tensor::from_vec(residuals, [samples])) {
        Ok(histogram) => html! {
            (figure("Residuals by prediction", by_prediction,
                "A residual is predicted minus true. They should scatter around 0 everywhere: a bend is a pattern that the model has missed."))
            (figure("Residuals", Ok(histogram), "How often residuals of each size occur, in the target’s unit."))
        },
        Err(error) => missing("Residuals", &error),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn errors_are_those_of_the_definitions() {
        let [mean, absolute, squared, r2] = super::errors(&[1.0, 3.0, 5.0], &[1.0, 2.0, 6.0]);
        assert_eq!((mean, absolute, squared), (0.0, 2.0 / 3.0, (2.0f64 / 3.0).sqrt()));
        assert!((r2 - (1.0 - 2.0 / 14.0)).abs() < 1e-12);
    }
}
