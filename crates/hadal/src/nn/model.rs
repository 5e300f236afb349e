//! What a trainer trains.

use super::{Context, Forward, Module};
use crate::data::{Parts, Preprocessing};
use crate::{Error, Result, Shape, Tensor};

/// A module that a [`Trainer`](crate::train::Trainer) can train. Every [`Forward`] is one, with one input and one output. A
/// module with several implements this trait alone:
///
/// ```
/// use hadal::data::Parts;
/// use hadal::loss::Losses;
/// use hadal::metric::Accuracy;
/// use hadal::nn::Model;
/// use hadal::prelude::*;
///
/// #[derive(Module)]
/// struct Net { image: Linear, meta: Linear, digit: Linear, age: Linear }
///
/// impl Model for Net {
///     fn input_names(&self) -> Vec<&str> {
///         vec!["image", "meta"]
///     }
///
///     fn forward_parts(&self, inputs: &Parts, ctx: &mut Context) -> Parts {
///         let hidden = (self.image.forward(&inputs["image"], ctx) + self.meta.forward(&inputs["meta"], ctx)).relu();
///         Parts::from([("digit", self.digit.forward(&hidden, ctx)), ("age", self.age.forward(&hidden, ctx))])
///     }
/// }
///
/// let mut rng = Rng::new(1);
/// let net = Net {
///     image: Linear::new(6, 8, &mut rng),
///     meta: Linear::new(2, 8, &mut rng),
///     digit: Linear::new(8, 3, &mut rng),
///     age: Linear::new(8, 1, &mut rng),
/// };
/// let data = Dataset::with_parts(
///     "people",
///     [("image", Tensor::rand([12, 6], &mut rng)), ("meta", Tensor::rand([12, 2], &mut rng))],
///     [("digit", Tensor::from_vec((0..12).map(|i: i64| i % 3).collect(), [12])), ("age", Tensor::ones([12, 1]))],
/// )?;
/// let losses = Losses::new().output("digit", CategoricalCrossentropy.from_logits()).weighted_output("age", MeanSquaredError, 0.1);
/// let mut model = Trainer::new(net, Adam::new(0.01), losses, Accuracy.of("digit"));
/// let history = model.fit(&data, Fit::epochs(2).quiet())?;
/// assert!(history.last("age_loss")? < history.get("age_loss")?[0] && history.last("digit_accuracy").is_ok());
/// let outputs = model.predict_parts(&data)?;
/// assert_eq!(outputs["digit"].shape(), &[12, 3]);
/// # Ok::<(), hadal::Error>(())
/// ```
pub trait Model: Module {
    /// Computes the outputs for a batch of `inputs`, by name.
    fn forward_parts(&self, inputs: &Parts, ctx: &mut Context) -> Parts;

    /// The names of the inputs, which are checked before a run. Default: none, so that nothing is checked.
    fn input_names(&self) -> Vec<&str> {
        Vec::new()
    }

    /// Checks a batch of inputs: their names, shapes and dtypes, and the range of indices. Default: all
    /// [`input_names`](Model::input_names) must be there.
    ///
    /// # Errors
    /// A message that says what does not fit.
    fn check_parts(&self, inputs: &Parts) -> Result<()> {
        match self.input_names().iter().find(|name| inputs.get(name).is_none()) {
            Some(name) => Err(Error::Data(format!("the model takes an input `{name}`; there are {}", inputs.names()))),
            None => Ok(()),
        }
    }

    /// The shape of one sample of the only output, where there is one and it is known.
    fn only_output_shape(&self) -> Option<Shape> {
        None
    }

    /// The settings beside the parameters, as in [`Forward::describe`]. Default: none.
    fn description(&self) -> String {
        String::new()
    }

    /// The transforms of the data that the model was trained on, one for each input, where it keeps them.
    fn kept_preprocessing(&self) -> Vec<Preprocessing> {
        Vec::new()
    }

    /// Tells the model the transforms of the data that it is trained on. Default: it does not keep them.
    fn keep_preprocessing(&mut self, preprocessing: &[Preprocessing]) {
        let _ = preprocessing;
    }
}

impl<F: Forward> Model for F {
    #[track_caller]
    fn forward_parts(&self, inputs: &Parts, ctx: &mut Context) -> Parts {
        match inputs.only() {
            Some(input) => self.forward(input, ctx).into(),
            None => panic!("the model takes one input, not {}", inputs.names()),
        }
    }

    fn check_parts(&self, inputs: &Parts) -> Result<()> {
        let Some(input) = inputs.only() else {
            return Err(Error::Data(format!(
                "the model takes one input, not {}; a model with several implements Model",
                inputs.names()
            )));
        };
        if input.rank() == 0 {
            return Err(Error::Data("inputs have shape [N, ..]; this one is a scalar".into()));
        }
        self.check_inputs(input)?;
        let sample = Shape::from(&input.shape()[1..]);
        match self.input_shape() {
            Some(expected) if expected != sample => {
                let hint = channels_last(&sample, &expected);
                Err(Error::Data(format!("samples have shape {sample}, but the model expects {expected}{hint}")))
            }
            _ => check_dtype(self, input),
        }
    }

    fn only_output_shape(&self) -> Option<Shape> {
        self.output_shape()
    }

    fn description(&self) -> String {
        Forward::describe(self)
    }

    fn kept_preprocessing(&self) -> Vec<Preprocessing> {
        self.preprocessing().cloned().into_iter().collect()
    }

    fn keep_preprocessing(&mut self, preprocessing: &[Preprocessing]) {
        if let [only] = preprocessing {
            self.set_preprocessing(only);
        }
    }
}

/// What to do if the channels of images or volumes are the last axis of the samples and the first that is expected.
pub(super) fn channels_last(sample: &Shape, expected: &Shape) -> String {
    let order = match sample.rank() {
        3 => "0, 3, 1, 2",
        4 => "0, 4, 1, 2, 3",
        _ => return String::new(),
    };
    let mut moved = sample.to_vec();
    moved.rotate_right(1);
    if moved[..] != expected[..] {
        return String::new();
    }
    format!("; the channels seem to be the last axis: permute(&[{order}]) of the inputs puts them first")
}

/// Checks that inputs are of the floating-point type of the parameters, where those have one.
fn check_dtype(module: &(impl Module + ?Sized), x: &Tensor) -> Result<()> {
    let mut dtypes = Vec::new();
    module.visit("", &mut |_, tensor| dtypes.push(tensor.dtype()));
    match dtypes.first() {
        Some(&dtype) if x.dtype().is_float() && x.dtype() != dtype && dtypes.iter().all(|own| *own == dtype) => {
            Err(Error::Data(format!(
                "the inputs are {}, but the model's tensors are {dtype}; convert them with to_dtype",
                x.dtype()
            )))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;

    #[test]
    fn images_with_their_channels_last_are_told_how_to_move_them() {
        let model = Sequential::new([1, 6, 5]).add(Conv2d::new(2, 3)).add(Flatten).add(Dense::new(1));
        let model = model.compile(Sgd::new(0.1), MeanSquaredError, ()).unwrap();
        let message = |sizes: [usize; 4]| model.predict(&Tensor::zeros(sizes)).unwrap_err().to_string();
        let last = message([4, 6, 5, 1]);
        assert!(last.ends_with("permute(&[0, 3, 1, 2]) of the inputs puts them first"), "{last}");
        assert!(message([4, 5, 6, 1]).ends_with("[1, 6, 5]"));
        let message = |sizes: &[usize]| model.predict(&Tensor::zeros(sizes)).unwrap_err().to_string();
        assert!(message(&[4]).ends_with("[1, 6, 5]") && message(&[4, 30]).ends_with("[1, 6, 5]"));
        let moved = Tensor::zeros([4, 6, 5, 1]).permute(&[0, 3, 1, 2]);
        assert_eq!(model.predict(&moved).unwrap().shape(), &[4, 1]);
    }
}
