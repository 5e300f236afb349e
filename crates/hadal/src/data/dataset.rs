//! The in-memory dataset.

use std::sync::Arc;

use super::inputs::{Inputs, Pick};
use super::{Augment, Batches, Parts, Preprocessing, Rows};
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
    pub(super) name: Arc<str>,
    pub(super) inputs: Inputs,
    pub(super) targets: Parts,
    weights: Option<Tensor>,
    /// One for each input.
    pub(super) preprocessing: Vec<Preprocessing>,
    /// The input that transforms are for; all, if it is none.
    pub(super) selected: Option<usize>,
    pub(super) augment: Option<Arc<Augment>>,
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
        let inputs = Inputs::Memory(inputs);
        Ok(Dataset { name: name.into(), inputs, targets, weights: None, preprocessing, selected: None, augment: None })
    }

    /// From inputs that lie outside memory, and targets whose first axis counts the samples. Batches are read ahead of the
    /// step that needs them.
    ///
    /// # Errors
    /// As [`new`](Dataset::new); whether the inputs are finite is for `rows` to check.
    pub fn from_rows(name: &str, rows: Arc<dyn Rows>, targets: Tensor) -> Result<Dataset> {
        // One number for each sample is checked like any other input.
        let stand_in = Tensor::zeros([rows.len(), 1]);
        let mut data = Dataset::new(name, stand_in, targets)?;
        data.preprocessing = vec![Preprocessing::none("", rows.dtype())];
        data.inputs = Inputs::outside(rows);
        Ok(data)
    }

    /// The dataset's name, as it stands in reports.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same dataset under another name.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let data = Dataset::new("points", Tensor::zeros([2, 3]), Tensor::from([0, 1]))?.renamed("two points");
    /// assert_eq!(data.name(), "two points");
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn renamed(mut self, name: &str) -> Dataset {
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
        self.inputs.len()
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
        self.inputs.sample_shape()
    }

    /// The type of the inputs as they are stored; of the first, if there are several.
    pub fn input_dtype(&self) -> DType {
        self.inputs.kinds()[0].1
    }

    /// The inputs as they are stored, neither scaled nor normalized; the first, if there are several.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let data = Dataset::new("two samples", Tensor::from([[1.0], [4.0]]), Tensor::from([0, 1]))?.scale(0.5);
    /// assert_eq!(data.inputs().to_vec::<f32>()[0], 1.0); // as it was given
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Panics
    /// If they lie outside memory ([`from_rows`](Dataset::from_rows)).
    #[track_caller]
    pub fn inputs(&self) -> &Tensor {
        self.input_parts().first()
    }

    /// All inputs, as they are stored.
    ///
    /// # Panics
    /// As [`inputs`](Dataset::inputs).
    #[track_caller]
    pub fn input_parts(&self) -> &Parts {
        match &self.inputs {
            Inputs::Memory(parts) => parts,
            Inputs::Outside(_) => {
                panic!("inputs: those of {} lie outside memory; read some with try_batch", self.name)
            }
        }
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

    /// The same samples with other targets.
    ///
    /// # Errors
    /// If there is not one for each sample, or one is NaN or infinite.
    pub fn with_targets(mut self, targets: impl Into<Parts>) -> Result<Dataset> {
        let stand_in = Tensor::zeros([self.len(), 1]);
        self.targets = Dataset::with_parts(&self.name, stand_in, targets)?.targets;
        Ok(self)
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
        // The first alone: `from` is its shape.
        self.inputs = self.inputs.reshape(shape);
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
        self.inputs = self.inputs.select(Pick::Run { start: 0, length: samples });
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
        let pick = Pick::Indices(indices);
        let weights = self.weights.as_ref().map(|weights| pick.of(weights));
        let (inputs, targets) = (self.inputs.select(pick), self.targets.map(|_, target| pick.of(target)));
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
        match self.try_batch(indices) {
            Ok(batch) => batch,
            Err(error) => panic!("batch: {error}"),
        }
    }

    /// As [`batch_parts`](Dataset::batch_parts), with an error where that panics.
    ///
    /// # Errors
    /// If an index is not below [`len`](Dataset::len), or inputs lie outside memory and cannot be read.
    pub fn try_batch(&self, indices: &[usize]) -> Result<(Parts, Parts)> {
        if let Some(index) = indices.iter().find(|index| **index >= self.len()) {
            let (samples, name) = (self.len(), &self.name);
            return Err(Error::Data(format!("index {index} is out of range for the {samples} samples of {name}")));
        }
        self.read(Pick::Indices(indices))
    }

    /// The weights of some samples, if samples have weights.
    pub(super) fn weights_of(&self, pick: Pick) -> Option<Tensor> {
        self.weights.as_ref().map(|weights| pick.of(weights))
    }

    pub(crate) fn sample_weights_tensor(&self) -> Option<&Tensor> {
        self.weights.as_ref()
    }

    /// Samples `start .. start + length`, ready for a model.
    pub(crate) fn run(&self, start: usize, length: usize) -> Result<(Parts, Parts)> {
        self.read(Pick::Run { start, length })
    }

    /// Some samples, ready for a model.
    pub(super) fn read(&self, pick: Pick) -> Result<(Parts, Parts)> {
        let inputs = self.inputs.read(pick)?;
        Ok((self.ready(&inputs), self.targets.map(|_, target| pick.of(target))))
    }

    pub(super) fn ready(&self, inputs: &Parts) -> Parts {
        inputs.map(|i, input| self.preprocessing[i].apply(input))
    }

    /// The name and type of each input, as it is stored.
    pub(crate) fn input_kinds(&self) -> Vec<(&str, DType)> {
        self.inputs.kinds()
    }

    /// All inputs as they are stored, read if they lie outside memory.
    #[cfg(feature = "plot")]
    pub(crate) fn raw_inputs(&self) -> Result<Parts> {
        self.inputs.read(Pick::Run { start: 0, length: self.len() })
    }

    /// Whether batches take so long to make that they are made ahead, on another thread.
    pub(super) fn is_made_ahead(&self) -> bool {
        self.augment.is_some() || matches!(self.inputs, Inputs::Outside(_))
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

/// Which random numbers a training pass draws.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AugmentPass {
    pub seed: u64,
    pub epoch: u64,
}
