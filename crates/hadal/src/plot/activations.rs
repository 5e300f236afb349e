//! Activation functions with their derivatives.

use super::plot::{Mark, Series};
use super::{Picture, Plot};
use crate::nn::Activation;
use crate::{Error, Result, Tensor};

/// An activation function and its derivative from -4 to 4, both computed as in training, the derivative by backpropagation.
///
/// ```
/// use hadal::{plot, prelude::*};
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("gelu.svg");
/// plot::activation(Gelu)?.save(&path)?;
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// # Errors
/// For softmax and log-softmax, which are functions of all units of a layer, and for a slope or alpha that is not finite.
pub fn activation(function: Activation) -> Result<Picture> {
    plot(function)?.picture()
}

/// All activation functions of one number with their derivatives, with usual settings: a slope of 0.1 for leaky relu, which can
/// be seen, and alpha 1 for elu.
///
/// ```
/// use hadal::plot;
/// assert!(plot::activations().svg().contains("hard_sigmoid"));
/// ```
pub fn activations() -> Picture {
    use Activation::*;
    let all = [Sigmoid, HardSigmoid, Tanh, Relu, LeakyRelu(0.1), Elu(1.0), Selu, Softplus, Gelu, Silu];
    let small = |function| {
        let mut plot = plot(function).ok()?;
        plot.size = (360, 360);
        plot.picture().ok()
    };
    // None of them fails, as a test shows.
    let pictures = all.into_iter().filter_map(small).collect();
    Picture::panels(pictures, 5).title("Activation functions and their derivatives")
}

fn plot(function: Activation) -> Result<Plot> {
    if matches!(function, Activation::Softmax | Activation::LogSoftmax) {
        return Err(Error::Config(format!(
            "{function} depends on all units of a layer and is no function of one number, so it has no curve"
        )));
    }
    let x: Vec<f64> = (-400..=400).map(|i| f64::from(i) / 100.0).collect();
    let input = Tensor::from_vec(x.clone(), [x.len()]).requires_grad();
    let output = function.apply(&input);
    let slope = output.sum().backward().get(&input).map_or_else(|| vec![1.0; x.len()], Tensor::to_vec::<f64>);
    let curve = |values: Vec<f64>| x.iter().copied().zip(values).collect::<Vec<(f64, f64)>>();
    let (output, slope) = (curve(output.to_vec::<f64>()), curve(slope));
    let values = || output.iter().chain(&slope).map(|point| point.1);
    if let Some(value) = values().find(|value| !value.is_finite()) {
        return Err(Error::Config(format!("{function} has the value {value} between -4 and 4")));
    }
    let (low, high) = (values().fold(-0.5, f64::min), values().fold(1.2, f64::max));
    let mut plot = Plot::new(&function.to_string()).labels("x", "").limits(-4.0..4.0, low - 0.1..high + 0.1);
    plot.size = (640, 480);
    Ok(plot
        .series(Series::new("f(x)", &output, Mark::Line))
        .series(Series::new("derivative", &slope, Mark::Line).dash("7 4")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Activation::*;

    #[test]
    fn the_derivative_is_that_of_the_function() {
        let plot = plot(Tanh).unwrap();
        let (f, slope) = (&plot.series[0].points, &plot.series[1].points);
        for (point, derivative) in f.iter().zip(slope) {
            assert!((derivative.1 - (1.0 - point.0.tanh().powi(2))).abs() < 1e-9, "{point:?}");
        }
        assert_eq!(f[400], (0.0, 0.0));
    }

    #[test]
    fn all_functions_of_one_number_are_drawn_and_softmax_is_refused() {
        let svg = activations().svg();
        for name in ["sigmoid", "tanh", "relu", "leaky_relu 0.1", "elu 1", "selu", "softplus", "gelu", "silu"] {
            assert!(svg.contains(&format!(">{name}<")), "{name}");
        }
        assert!(activation(Softmax).unwrap_err().to_string().contains("all units"));
        assert!(activation(LeakyRelu(f64::NAN)).unwrap_err().to_string().contains("NaN"));
        assert!(activation(Identity).is_ok());
    }
}
