//! The in-memory dataset.

use std::sync::Arc;

use super::{Batches, Preprocessing, Transform};
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
#[derive(Clone, Debug)]
pub struct Dataset {
    name: Arc<str>,
    inputs: Tensor,
    targets: Tensor,
    weights: Option<Tensor>,
    preprocessing: Preprocessing,
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
        let samples = |what: &str, tensor: &Tensor| match tensor.shape().first() {
            None | Some(0) => Err(Error::Data(format!("{name}: there are no {what}"))),
            Some(&samples) => Ok(samples),
        };
        let (n, m) = (samples("inputs", &inputs)?, samples("targets", &targets)?);
        if n != m {
            return Err(Error::Data(format!("{name}: {n} inputs but {m} targets; each input needs one")));
        }
        for (what, tensor) in [("input", &inputs), ("target", &targets)] {
            if let Some((element, value)) = first_not_finite(tensor) {
                let sample = element / (tensor.elements() / n).max(1);
                return Err(Error::Data(format!("{name}: {what} {sample} holds {value}")));
            }
        }
        let preprocessing = Preprocessing::none(inputs.dtype());
        Ok(Dataset { name: name.into(), inputs, targets, weights: None, preprocessing })
    }

    /// The dataset's name, as it stands in reports.
    pub fn name(&self) -> &str {
        &self.name
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
        self.inputs.size(0)
    }

    /// The shape of one input.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let data = Dataset::new("two samples", Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), Tensor::from([0, 1]))?;
    /// assert_eq!(data.input_shape(), Shape::from([3]));
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn input_shape(&self) -> Shape {
        Shape::from(&self.inputs.shape()[1..])
    }

    /// The inputs as they are stored: neither scaled nor normalized.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let data = Dataset::new("two samples", Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), Tensor::from([0, 1]))?.scale(0.5);
    /// assert_eq!(data.inputs().to_vec::<f32>()[0], 1.0); // as it was given
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn inputs(&self) -> &Tensor {
        &self.inputs
    }

    /// The targets of all samples.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let data = Dataset::new("two samples", Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), Tensor::from([0, 1]))?;
    /// assert_eq!(data.targets().to_vec::<i64>(), [0, 1]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn targets(&self) -> &Tensor {
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
        self.preprocessing.push(Transform::Multiply(factor));
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
        self.preprocessing.push(Transform::Divide(divisor));
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
        self.preprocessing.push(Transform::Subtract(mean));
        self.preprocessing.push(Transform::Divide(std));
        self
    }

    /// The same samples with inputs of another shape, for example images for a convolution.
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
        self.inputs = self.inputs.reshape(sizes);
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
        self.inputs = self.inputs.narrow(0, 0, samples);
        self.targets = self.targets.narrow(0, 0, samples);
        self.weights = self.weights.map(|weights| weights.narrow(0, 0, samples));
        self
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
        let index = self.index(indices);
        (self.ready(&self.inputs.index_select(0, &index)), self.targets.index_select(0, &index))
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
    pub(crate) fn run(&self, start: usize, length: usize) -> (Tensor, Tensor) {
        (self.ready(&self.inputs.narrow(0, start, length)), self.targets.narrow(0, start, length))
    }

    fn ready(&self, inputs: &Tensor) -> Tensor {
        self.preprocessing.apply(inputs)
    }

    /// The transforms of the inputs.
    ///
    /// ```
    /// use hadal::data::Transform;
    /// use hadal::prelude::*;
    /// let data = Dataset::new("two samples", Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), Tensor::from([0, 1]))?.divide(255.0);
    /// assert_eq!(data.preprocessing().transforms(), [Transform::Divide(255.0)]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn preprocessing(&self) -> &Preprocessing {
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
    #[track_caller]
    pub fn batches(&self, size: usize) -> Batches<'_> {
        Batches::new(self, size)
    }
}
