//! The in-memory dataset.

use std::sync::Arc;

use super::{Batches, Parts, Preprocessing, Transform};
use crate::finite::first_not_finite;
use crate::{DType, Error, Result, Shape, Tensor};

/// A dataset of inputs and targets in memory. Cloning is cheap.
///
/// Inputs may be raw bytes (`u8`): they become `f32`, scaled and normalized, a batch at a time, so that a dataset takes no
/// more memory than its file. Wider integers are indices and stay integers, unless they are to be scaled.
///
/// ```
/// use hadal::prelude::*;
/// let inputs = Tensor::from_slice(&[0u8, 255, 50, 100], [2, 2]);
/// let data = Dataset::new("two samples", inputs, Tensor::from_slice(&[0i64, 1], [2]))?.scale(0.5);
/// let (x, _) = data.batch(&[1]);
/// assert_eq!(x.to_vec::<f32>(), [25.0, 50.0]);
/// # Ok::<(), hadal::Error>(())
/// ```
#[doc(alias = "TensorDataset")]
#[derive(Clone, Debug)]
pub struct Dataset {
    name: Arc<str>,
    inputs: Parts,
    targets: Parts,
    weights: Option<Tensor>,
    /// One for each input.
    preprocessing: Vec<Preprocessing>,
    /// The input that transforms are for; all, if it is none.
    selected: Option<usize>,
}

/// Whether a number is a finite one in `f32`, too, and not 0.
fn in_f32(value: f64) -> bool {
    value as f32 != 0.0 && (value as f32).is_finite()
}

impl Dataset {
    /// From tensors whose first axis counts the samples.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let data = Dataset::new("two samples", Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), Tensor::from([0, 1]))?;
    /// assert_eq!(data.len(), 2);
    /// assert!(Dataset::new("no", Tensor::ones([3, 2]), Tensor::from([0, 1])).is_err()); // 3 inputs, 2 targets
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there are no samples, the numbers of inputs and targets differ, or an input or target is NaN or infinite.
    pub fn new(name: &str, inputs: Tensor, targets: Tensor) -> Result<Dataset> {
        Dataset::with_parts(name, inputs, targets)
    }

    /// From several named inputs and targets, for a [`Model`](crate::nn::Model) that has several.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let (images, ages) = (Tensor::zeros([4, 784]), Tensor::ones([4, 1]));
    /// let targets = [("digit", Tensor::arange(4)), ("weight", Tensor::ones([4, 1]))];
    /// let data = Dataset::with_parts("people", [("image", images), ("age", ages)], targets)?;
    /// assert_eq!((data.len(), data.input_parts().len()), (4, 2));
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there are no samples, the numbers of samples differ, a name is there twice, or an input or target is NaN or infinite.
    pub fn with_parts(name: &str, inputs: impl Into<Parts>, targets: impl Into<Parts>) -> Result<Dataset> {
        let (inputs, targets) = (inputs.into(), targets.into());
        let mut samples = None;
        for (what, parts) in [("input", &inputs), ("target", &targets)] {
            if parts.is_empty() {
                return Err(Error::Data(format!("{name}: there are no {what}s")));
            }
            for (index, (part, tensor)) in parts.iter().enumerate() {
                let own = if part.is_empty() { format!("{what}s") } else { format!("{what}s `{part}`") };
                if parts.iter().take(index).any(|(other, _)| other == part) {
                    return Err(Error::Data(format!("{name}: two {what}s are called `{part}`")));
                }
                let n = match tensor.shape().first() {
                    None | Some(0) => return Err(Error::Data(format!("{name}: there are no {own}"))),
                    Some(&n) => n,
                };
                let (expected, first) = samples.get_or_insert_with(|| (n, own.clone()));
                if n != *expected {
                    return Err(Error::Data(format!(
                        "{name}: {expected} {first} but {n} {own}; each sample needs one"
                    )));
                }
                if let Some((element, value)) = first_not_finite(tensor) {
                    let sample = element / (tensor.elements() / n).max(1);
                    let part = if part.is_empty() { String::new() } else { format!(" `{part}`") };
                    return Err(Error::Data(format!("{name}: {what}{part} {sample} holds {value}")));
                }
            }
        }
        let preprocessing = inputs.iter().map(|(name, input)| Preprocessing::none(name, input.dtype())).collect();
        Ok(Dataset { name: name.into(), inputs, targets, weights: None, preprocessing, selected: None })
    }

    /// The dataset's name, as it stands in reports.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same dataset under another name.
    pub(super) fn renamed(mut self, name: &str) -> Dataset {
        self.name = name.into();
        self
    }

    /// The number of samples.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let data = Dataset::new("two samples", Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), Tensor::from([0, 1]))?;
    /// assert_eq!(data.len(), 2);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    #[expect(clippy::len_without_is_empty, reason = "a dataset is never empty")]
    pub fn len(&self) -> usize {
        self.inputs.first().size(0)
    }

    /// The shape of one input; of the first, if there are several.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let data = Dataset::new("two samples", Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), Tensor::from([0, 1]))?;
    /// assert_eq!(data.input_shape(), Shape::from([3]));
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn input_shape(&self) -> Shape {
        Shape::from(&self.inputs.first().shape()[1..])
    }

    /// The inputs as they are stored, neither scaled nor normalized; the first, if there are several.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let data = Dataset::new("two samples", Tensor::from([[1.0], [4.0]]), Tensor::from([0, 1]))?.scale(0.5);
    /// assert_eq!(data.inputs().to_vec::<f32>()[0], 1.0); // as it was given
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn inputs(&self) -> &Tensor {
        self.inputs.first()
    }

    /// All inputs, as they are stored.
    pub fn input_parts(&self) -> &Parts {
        &self.inputs
    }

    /// The targets of all samples; the first, if there are several.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let data = Dataset::new("two samples", Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), Tensor::from([0, 1]))?;
    /// assert_eq!(data.targets().to_vec::<i64>(), [0, 1]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn targets(&self) -> &Tensor {
        self.targets.first()
    }

    /// All targets.
    pub fn target_parts(&self) -> &Parts {
        &self.targets
    }

    /// Sets the sample weights of the loss: Keras's `sample_weight`. The loss of a batch is the sum of `weight * loss`
    /// divided by the number of samples. Default: all count 1.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let data = Dataset::new("two samples", Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), Tensor::from([0, 1]))?;
    /// let data = data.sample_weights(&[1.0, 0.5])?;
    /// assert!(data.sample_weights(&[1.0]).is_err()); // one for two samples
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is not one weight for each sample, or a weight is negative or not finite in `f32`.
    pub fn sample_weights(mut self, weights: &[f64]) -> Result<Dataset> {
        if weights.len() != self.len() {
            return Err(Error::Data(format!("{}: {} weights for {} samples", self.name, weights.len(), self.len())));
        }
        // They are kept in f32.
        if let Some(sample) = weights.iter().position(|weight| !(*weight >= 0.0 && (*weight as f32).is_finite())) {
            return Err(Error::Data(format!(
                "{}: sample {sample} has weight {}; weights are 0 or positive, finite numbers of f32",
                self.name, weights[sample]
            )));
        }
        self.weights = Some(Tensor::from_slice(weights, [weights.len()]).to_dtype(DType::F32));
        Ok(self)
    }

    /// Applies the transforms that follow to one of several inputs alone. Default: to all.
    ///
    /// # Errors
    /// If no input has that name.
    pub fn for_input(mut self, name: &str) -> Result<Dataset> {
        let index = self.inputs.iter().position(|(own, _)| own == name);
        match index {
            Some(_) => {
                self.selected = index;
                Ok(self)
            }
            None => Err(Error::Data(format!(
                "{}: no input is called `{name}`; there are {}",
                self.name,
                self.inputs.names()
            ))),
        }
    }

    fn transform(&mut self, transform: Transform) {
        let selected = self.selected;
        let all = self.preprocessing.iter_mut().enumerate();
        all.filter(|(i, _)| selected.is_none_or(|own| own == *i)).for_each(|(_, own)| own.push(transform));
    }

    /// Multiplies every input by `factor`, after what was set before.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let data = Dataset::new("two samples", Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), Tensor::from([0, 1]))?;
    /// assert_eq!(data.scale(10.0).batch(&[0]).0.to_vec::<f32>(), [10.0, 20.0, 30.0]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Panics
    /// If `factor` is not finite.
    #[track_caller]
    pub fn scale(mut self, factor: f64) -> Dataset {
        assert!(in_f32(factor) || factor == 0.0, "scale: factor {factor} must be a finite number of f32");
        self.transform(Transform::Multiply(factor));
        self
    }

    /// Divides every input by `divisor`, after what was set before: `divide(255.0)` brings bytes to `[0, 1]`, with the bits of
    /// PyTorch's `ToTensor`.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let data = Dataset::new("pixels", Tensor::from_slice(&[0u8, 255], [2, 1]), Tensor::from([0, 1]))?.divide(255.0);
    /// assert_eq!(data.batch(&[0, 1]).0.to_vec::<f32>(), [0.0, 1.0]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Panics
    /// If `divisor` is 0 or not finite.
    #[track_caller]
    pub fn divide(mut self, divisor: f64) -> Dataset {
        assert!(in_f32(divisor), "divide: divisor {divisor} must be a finite number of f32 and not 0");
        self.transform(Transform::Divide(divisor));
        self
    }

    /// Normalizes every input, `(x - mean) / std`, after the transforms set before: PyTorch's `Normalize`.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let data = Dataset::new("two samples", Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), Tensor::from([0, 1]))?;
    /// assert_eq!(data.normalize(2.0, 0.5).batch(&[0]).0.to_vec::<f32>(), [-2.0, 0.0, 2.0]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Panics
    /// If `mean` is not finite, or `std` is not positive and finite.
    #[track_caller]
    pub fn normalize(mut self, mean: f64, std: f64) -> Dataset {
        assert!((mean as f32).is_finite(), "normalize: mean {mean} must be a finite number of f32");
        assert!(std > 0.0 && in_f32(std), "normalize: std {std} must be a positive, finite number of f32");
        self.transform(Transform::Subtract(mean));
        self.transform(Transform::Divide(std));
        self
    }

    /// The same samples with inputs of another shape, for example images for a convolution; the first, if there are several.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let data = Dataset::new("images", Tensor::zeros([5, 784]), Tensor::arange(5))?.reshape([28, 28])?;
    /// assert_eq!(data.input_shape(), Shape::from([28, 28]));
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the number of elements differs.
    pub fn reshape(mut self, input_shape: impl Into<Shape>) -> Result<Dataset> {
        let shape = input_shape.into();
        let from = self.input_shape();
        if shape.elements() != from.elements() {
            return Err(Error::Data(format!(
                "{}: inputs of shape {from} ({} elements) do not fill shape {shape} ({} elements)",
                self.name,
                from.elements(),
                shape.elements()
            )));
        }
        let mut sizes = vec![self.len()];
        sizes.extend_from_slice(&shape);
        // The first alone: `from` is its shape.
        self.inputs = self.inputs.map(|i, input| if i == 0 { input.reshape(sizes.clone()) } else { input.clone() });
        Ok(self)
    }

    /// The first `samples` samples, or all if there are fewer.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let data = Dataset::new("images", Tensor::zeros([5, 784]), Tensor::arange(5))?;
    /// assert_eq!(data.take(2).targets().to_vec::<i64>(), [0, 1]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Panics
    /// If `samples` is 0: a dataset is never empty.
    #[track_caller]
    pub fn take(mut self, samples: usize) -> Dataset {
        assert!(samples > 0, "take: a dataset needs at least 1 sample, not 0");
        let samples = samples.min(self.len());
        self.inputs = self.inputs.map(|_, input| input.narrow(0, 0, samples));
        self.targets = self.targets.map(|_, target| target.narrow(0, 0, samples));
        self.weights = self.weights.map(|weights| weights.narrow(0, 0, samples));
        self
    }

    /// The samples at `indices`, in their order, as a dataset: a part of this one, or one with samples repeated.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let data = Dataset::new("images", Tensor::zeros([5, 784]), Tensor::arange(5))?;
    /// assert_eq!(data.select(&[4, 0])?.targets().to_vec::<i64>(), [4, 0]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there are no indices, or one is not below [`len`](Dataset::len).
    pub fn select(&self, indices: &[usize]) -> Result<Dataset> {
        let (name, samples) = (&self.name, self.len());
        if indices.is_empty() {
            return Err(Error::Data(format!("{name}: no samples are selected; a dataset needs at least 1")));
        }
        if let Some(index) = indices.iter().find(|index| **index >= samples) {
            return Err(Error::Data(format!("{name}: there is no sample {index}; there are {samples}, from 0 on")));
        }
        let index = self.index(indices);
        let pick = |_: usize, part: &Tensor| part.index_select(0, &index);
        let weights = self.weights.as_ref().map(|weights| weights.index_select(0, &index));
        let (inputs, targets) = (self.inputs.map(pick), self.targets.map(pick));
        Ok(Dataset { inputs, targets, weights, ..self.clone() })
    }

    /// The samples at `indices`, in their order, ready for a model: inputs as floats, scaled and normalized, and targets.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let data = Dataset::new("two samples", Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), Tensor::from([0, 1]))?;
    /// let (x, y) = data.batch(&[1]);
    /// assert_eq!((x.to_vec::<f32>(), y.to_vec::<i64>()), (vec![4.0, 5.0, 6.0], vec![1]));
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Panics
    /// If an index is not below [`len`](Dataset::len).
    #[track_caller]
    pub fn batch(&self, indices: &[usize]) -> (Tensor, Tensor) {
        let (inputs, targets) = self.batch_parts(indices);
        (inputs.first().clone(), targets.first().clone())
    }

    /// As [`batch`](Dataset::batch), with all inputs and targets.
    ///
    /// # Panics
    /// As [`batch`](Dataset::batch).
    #[track_caller]
    pub fn batch_parts(&self, indices: &[usize]) -> (Parts, Parts) {
        let index = self.index(indices);
        let pick = |_: usize, part: &Tensor| part.index_select(0, &index);
        (self.ready(&self.inputs.map(pick)), self.targets.map(pick))
    }

    #[track_caller]
    fn index(&self, indices: &[usize]) -> Tensor {
        if let Some(index) = indices.iter().find(|index| **index >= self.len()) {
            panic!("batch: index {index} is out of range for the {} samples of {}", self.len(), self.name);
        }
        Tensor::from_vec(indices.iter().map(|&index| index as i64).collect(), [indices.len()])
    }

    /// The weights of the samples at `indices`, if samples have weights.
    pub(super) fn weights_of(&self, indices: &[usize]) -> Option<Tensor> {
        self.weights.as_ref().map(|weights| weights.index_select(0, &self.index(indices)))
    }

    pub(crate) fn sample_weights_tensor(&self) -> Option<&Tensor> {
        self.weights.as_ref()
    }

    /// Samples `start .. start + length`, ready for a model.
    #[track_caller]
    pub(crate) fn run(&self, start: usize, length: usize) -> (Parts, Parts) {
        let pick = |_: usize, part: &Tensor| part.narrow(0, start, length);
        (self.ready(&self.inputs.map(pick)), self.targets.map(pick))
    }

    fn ready(&self, inputs: &Parts) -> Parts {
        inputs.map(|i, input| self.preprocessing[i].apply(input))
    }

    /// The transforms of the inputs, in the order of the inputs.
    ///
    /// ```
    /// use hadal::data::Transform;
    /// use hadal::prelude::*;
    /// let data = Dataset::new("two samples", Tensor::from([[1.0], [4.0]]), Tensor::from([0, 1]))?.divide(255.0);
    /// assert_eq!(data.preprocessing()[0].transforms(), [Transform::Divide(255.0)]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn preprocessing(&self) -> &[Preprocessing] {
        &self.preprocessing
    }

    /// Batches of `size` samples (the last may be smaller), in order unless shuffled.
    ///
    /// ```
    /// # use hadal::prelude::*;
    /// # let data = Dataset::new("ten", Tensor::zeros([10, 2]), Tensor::zeros([10]).to_dtype(DType::I64))?;
    /// let mut rng = Rng::new(1);
    /// for (x, y) in data.batches(4).shuffle(&mut rng) {
    ///     assert_eq!(x.size(0), y.size(0));
    /// }
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Panics
    /// If `size` is 0.
    #[doc(alias = "DataLoader")]
    #[track_caller]
    pub fn batches(&self, size: usize) -> Batches<'_> {
        Batches::new(self, size)
    }
}
