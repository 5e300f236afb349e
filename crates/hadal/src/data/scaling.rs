//! What becomes of a dataset's inputs before a model sees them: scaling and normalization.

use super::{Dataset, Preprocessing, Transform};
use crate::{Error, Result, Shape};

/// Whether a number is a finite one in `f32`, too, and not 0.
fn in_f32(value: f64) -> bool {
    value as f32 != 0.0 && (value as f32).is_finite()
}

/// How many samples are read at a time for their statistics.
const PART: usize = 1000;

/// How many numbers [`Dataset::normalize_each`] needs for samples of a shape: one for each feature of `[F]`, one for each
/// channel of `[C, H, W]`, one for grey images `[H, W]`.
fn channels(sample: &Shape) -> usize {
    match sample.rank() {
        0 | 2 => 1,
        _ => sample[0],
    }
}

impl Dataset {
    /// Applies the transforms that follow to one of several inputs alone. Default: to all.
    ///
    /// # Errors
    /// If no input has that name.
    pub fn for_input(mut self, name: &str) -> Result<Dataset> {
        let kinds = self.inputs.kinds();
        match kinds.iter().position(|(own, _)| *own == name) {
            Some(index) => {
                self.selected = Some(index);
                Ok(self)
            }
            None => {
                let names: Vec<&str> = kinds.iter().map(|(own, _)| *own).collect();
                Err(Error::Data(format!(
                    "{}: no input is called `{name}`; there are {}",
                    self.name(),
                    names.join(", ")
                )))
            }
        }
    }

    fn transform(&mut self, transform: Transform) {
        let selected = self.selected;
        let all = self.preprocessing.iter_mut().enumerate();
        all.filter(|(i, _)| selected.is_none_or(|own| own == *i)).for_each(|(_, own)| own.push(transform.clone()));
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

    /// As [`normalize`](Dataset::normalize), with a mean and a standard deviation for each feature of samples `[F]`, or for each
    /// channel of images `[C, H, W]`: PyTorch's `Normalize`. Grey images `[H, W]` have one of each.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let data = Dataset::new("two samples", Tensor::from([[1.0, 20.0], [3.0, 40.0]]), Tensor::from([0, 1]))?;
    /// let data = data.normalize_each(&[2.0, 30.0], &[1.0, 10.0])?;
    /// assert_eq!(data.batch(&[0, 1]).0.to_vec::<f32>(), [-1.0, -1.0, 1.0, 1.0]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is not one of each for every feature or channel, a mean is not finite, or a standard deviation is not positive
    /// and finite.
    pub fn normalize_each(mut self, mean: &[f64], std: &[f64]) -> Result<Dataset> {
        let (sample, needed) = (self.input_shape(), channels(&self.input_shape()));
        for (what, numbers) in [("means", mean), ("standard deviations", std)] {
            if numbers.len() != needed {
                return Err(Error::Data(format!(
                    "{}: samples of shape {sample} need {needed} {what}, one for each feature or channel, not {}",
                    self.name(),
                    numbers.len()
                )));
            }
        }
        let bad =
            |(_, (mean, std)): &(usize, (&f64, &f64))| !((**mean as f32).is_finite() && **std > 0.0 && in_f32(**std));
        if let Some((index, (mean, std))) = mean.iter().zip(std).enumerate().find(bad) {
            return Err(Error::Data(format!(
                "{}: feature or channel {index} has mean {mean} and standard deviation {std}; both must be finite in f32, and \
                 the latter positive",
                self.name()
            )));
        }
        self.transform(Transform::SubtractEach(mean.to_vec()));
        self.transform(Transform::DivideEach(std.to_vec()));
        Ok(self)
    }

    /// Normalizes by the mean and standard deviation of these samples, for each feature of samples `[F]` or channel of images
    /// `[C, H, W]`: scikit-learn's `StandardScaler`. What is constant becomes 0. Other data of the same model, such as the
    /// test part, are to be given the same numbers: [`preprocessed_as`](Dataset::preprocessed_as).
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let x = Tensor::from([[1.0, 20.0], [3.0, 40.0], [5.0, 60.0]]);
    /// let (train, test) = Dataset::new("three", x, Tensor::arange(3))?.train_test_split(0.33, 1)?;
    /// let train = train.standardize()?;
    /// let test = test.preprocessed_as(&train)?;
    /// assert_eq!(train.batch(&[0]).0.to_vec::<f32>(), [-1.0, -1.0]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there are several inputs, their numbers overflow, or they lie outside memory and cannot be read.
    pub fn standardize(self) -> Result<Dataset> {
        let (mean, std) = self.feature_statistics()?;
        let std: Vec<f64> = std.iter().map(|&std| if in_f32(std) { std } else { 1.0 }).collect();
        self.normalize_each(&mean, &std)
    }

    /// The mean and the standard deviation (divided by the number of values) of each feature or channel, after the transforms
    /// set before.
    fn feature_statistics(&self) -> Result<(Vec<f64>, Vec<f64>)> {
        if self.preprocessing().len() > 1 {
            return Err(Error::Data(format!(
                "{}: standardize is for datasets of one input; there are {}",
                self.name(),
                self.preprocessing().len()
            )));
        }
        let sample = self.input_shape();
        let channels = channels(&sample);
        let inner = (sample.elements() / channels.max(1)).max(1);
        let (mut count, mut mean, mut squares) = (0.0, vec![0.0; channels], vec![0.0; channels]);
        for start in (0..self.len()).step_by(PART) {
            let length = PART.min(self.len() - start);
            let (x, _) = self.run(start, length)?;
            let x = x.first().to_dtype(crate::DType::F64).to_vec::<f64>();
            // Parts are combined by the formula of Chan, Golub and LeVeque (1979).
            let own = (length * inner) as f64;
            for channel in 0..channels {
                let values = || x.chunks(channels * inner).flat_map(|x| &x[channel * inner..(channel + 1) * inner]);
                let own_mean = values().sum::<f64>() / own;
                let own_squares = values().map(|value| (value - own_mean).powi(2)).sum::<f64>();
                let delta = own_mean - mean[channel];
                mean[channel] += delta * own / (count + own);
                squares[channel] += own_squares + delta * delta * count * own / (count + own);
            }
            count += own;
        }
        Ok((mean, squares.into_iter().map(|squares: f64| (squares / count).sqrt()).collect()))
    }

    /// Applies the transforms of `other`, usually the training data, in place of those set before.
    ///
    /// # Errors
    /// If the inputs differ in number, name, type or shape.
    pub fn preprocessed_as(mut self, other: &Dataset) -> Result<Dataset> {
        if self.inputs.kinds() != other.inputs.kinds() || self.input_shape() != other.input_shape() {
            return Err(Error::Data(format!(
                "{}: its inputs are not of the type and shape of those of {}",
                self.name(),
                other.name()
            )));
        }
        self.preprocessing = other.preprocessing.clone();
        Ok(self)
    }

    /// Applies the transforms that a trained model keeps, in place of those set before.
    ///
    /// # Errors
    /// If there are several inputs, or they are not of the type that the model was trained on.
    pub fn preprocessed_by(mut self, preprocessing: &Preprocessing) -> Result<Dataset> {
        if self.preprocessing.len() != 1 || !preprocessing.is_of_type(self.input_dtype()) {
            return Err(Error::Data(format!(
                "{}: the model was trained on {preprocessing}, but these are {}",
                self.name(),
                self.input_dtype()
            )));
        }
        self.preprocessing = vec![preprocessing.clone()];
        Ok(self)
    }
}
