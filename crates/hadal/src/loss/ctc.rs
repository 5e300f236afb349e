//! Connectionist temporal classification.

mod alignment;

use alignment::Alignment;

use super::Loss;
use super::negative_log_likelihood::check_log_probabilities;
use crate::autograd::with_gradient;
use crate::{DType, Error, Result, Shape, Tensor, for_each_part, memory};

/// Connectionist temporal classification, `-ln p(labels)`: the probability of a sequence of labels is the sum over all ways to
/// spread it over the steps of the prediction, where each label may last several steps, and blanks stand between them (Graves and
/// others, "Connectionist temporal classification", ICML 2006, eq. 3 to 8). No one has to say at which step a label is.
///
/// Predictions are log-probabilities `[N, T, C]` of `T` steps: use it after a log-softmax, or [`from_logits`](Ctc::from_logits).
/// Targets are labels (`i64`, `[N, S]`), sequences shorter than `S` filled up with blanks, as Keras's `CTC` takes them. Where
/// predictions are of different lengths, [`sequences`](Ctc::sequences) takes both lengths, as PyTorch's `ctc_loss`. Defaults are
/// PyTorch's: class 0 is blank, and what cannot be spread over so few steps has an infinite loss.
///
/// The loss of a sample is not divided by the length of its target unless [`per_label`](Ctc::per_label) says so.
///
/// ```
/// use hadal::prelude::*;
/// // Two steps, equal probabilities of blank, 1 and 2: label 1 is `1 1`, `1 blank` or `blank 1`.
/// let log_p = Tensor::zeros([1, 2, 3]).log_softmax(2);
/// let loss = Ctc::default().loss(&log_p, &Tensor::from([[1]]));
/// assert!((loss.item() - (9f64 / 3.0).ln()).abs() < 1e-6);
/// // The same label twice needs a blank between.
/// assert_eq!(Ctc::default().loss(&log_p, &Tensor::from([[1, 1]])).item(), f64::INFINITY);
/// ```
///
/// Its gradient is that of log-probabilities of a log-softmax; PyTorch's contains that of the log-softmax already, so that they agree
/// in the logits. It cannot be differentiated again.
#[doc(alias = "CTCLoss")]
#[doc(alias = "ctc_loss")]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ctc {
    blank: usize,
    zero_infinity: bool,
    from_logits: bool,
    per_label: bool,
}

impl Ctc {
    /// The class that is no label. Default: 0.
    pub fn blank(mut self, class: usize) -> Ctc {
        self.blank = class;
        self
    }

    /// Whether targets that do not fit into the steps of their prediction cost nothing instead of infinity. Default: false.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let (log_p, long) = (Tensor::zeros([1, 2, 3]).log_softmax(2), Tensor::from([[1, 2, 1]]));
    /// assert_eq!(Ctc::default().zero_infinity(true).loss(&log_p, &long).item(), 0.0);
    /// ```
    pub fn zero_infinity(mut self, zero: bool) -> Ctc {
        self.zero_infinity = zero;
        self
    }

    /// Takes logits instead of log-probabilities.
    pub fn from_logits(mut self) -> Ctc {
        self.from_logits = true;
        self
    }

    /// Divides the loss of each sample by the number of its labels, or 1: PyTorch's mean does, and Keras's does not.
    pub fn per_label(mut self) -> Ctc {
        self.per_label = true;
        self
    }

    /// The loss `[N]` of each sample: `prediction` is `[N, T, C]`, of which `input_lengths[i]` steps count for sample `i`, and
    /// `targets` `[N, S]`, of which `target_lengths[i]` labels do.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let (logits, targets) = (Tensor::zeros([2, 5, 3]), Tensor::from([[1, 2], [2, 0]]));
    /// let losses = Ctc::default().from_logits().sequences(&logits, &targets, &[5, 1], &[2, 1]).to_vec::<f32>();
    /// assert!((losses[1] - 3f32.ln()).abs() < 1e-6); // one step, one label
    /// ```
    ///
    /// # Panics
    /// If shapes do not fit, there are not as many lengths as samples, a length exceeds its axis, or a label is blank or no class.
    #[track_caller]
    pub fn sequences(
        &self,
        prediction: &Tensor,
        targets: &Tensor,
        input_lengths: &[usize],
        target_lengths: &[usize],
    ) -> Tensor {
        if let Err(problem) = self.check_shapes(prediction.shape(), targets) {
            panic!("{problem}");
        }
        assert!(prediction.dtype().is_float(), "ctc: the prediction must be of floats, not {}", prediction.dtype());
        let (samples, steps) = (prediction.size(0), prediction.size(1));
        for (what, lengths, most) in [("input", input_lengths, steps), ("target", target_lengths, targets.size(1))] {
            let count = lengths.len();
            assert!(count == samples, "ctc: there are {count} {what} lengths for {samples} samples; each needs one");
            if let Some(sample) = lengths.iter().position(|&length| length > most) {
                let length = lengths[sample];
                panic!("ctc: the {what} length {length} of sample {sample} is more than the {most} that there are");
            }
        }
        let labels = self.labels(targets, target_lengths);
        if let Err(problem) = self.check_labels(&labels, prediction.size(2)) {
            panic!("{problem}");
        }
        self.losses(prediction, &labels, input_lengths)
    }

    /// The labels of each sample.
    fn labels(&self, targets: &Tensor, lengths: &[usize]) -> Vec<Vec<i64>> {
        let (all, width) = (targets.to_vec::<i64>(), targets.size(1));
        lengths.iter().enumerate().map(|(sample, length)| all[sample * width..][..*length].to_vec()).collect()
    }

    /// The labels of each sample, where blanks follow them.
    fn labels_before_blanks(&self, targets: &Tensor) -> Vec<Vec<i64>> {
        let mut labels = self.labels(targets, &vec![targets.size(1); targets.size(0)]);
        for labels in &mut labels {
            let length = labels.iter().rposition(|&label| label != self.blank as i64).map_or(0, |last| last + 1);
            labels.truncate(length);
        }
        labels
    }

    fn losses(&self, prediction: &Tensor, labels: &[Vec<i64>], lengths: &[usize]) -> Tensor {
        let prediction = if self.from_logits { prediction.log_softmax(2) } else { prediction.clone() };
        let (dtype, [samples, steps, classes]) =
            (prediction.dtype(), [prediction.size(0), prediction.size(1), prediction.size(2)]);
        let logarithms = prediction.detach().to_dtype(DType::F64).to_vec::<f64>();
        // Loss and gradient of each sample, computed together: the gradient takes what leads to the loss.
        let row = 1 + steps * classes;
        let mut rows = vec![0.0; samples * row];
        for_each_part(&mut rows, row, |start, out| {
            let sample = start / row;
            let own = &logarithms[sample * steps * classes..][..lengths[sample] * classes];
            let alignment = Alignment::new(own, classes, &labels[sample], self.blank);
            let (loss, gradient) = out.split_at_mut(1);
            loss[0] = alignment.loss(prediction.is_tracked().then_some(gradient));
            if self.zero_infinity && loss[0] == f64::INFINITY {
                loss[0] = 0.0;
            }
            if self.per_label {
                let count = labels[sample].len().max(1) as f64;
                out.iter_mut().for_each(|number| *number /= count);
            }
        });
        let rows = Tensor::from_vec(rows, [samples, row]).to_dtype(dtype);
        let losses = rows.narrow(1, 0, 1).reshape([samples]);
        let gradient = rows.narrow(1, 1, row - 1).reshape([samples, steps, classes]);
        let input = prediction.clone();
        with_gradient(&losses, &[&prediction], move |_, g| {
            let once = &gradient * g.reshape([samples, 1, 1]);
            // What is computed from numbers alone must not be taken for a constant.
            with_gradient(&once.detach(), &[&input, g], |_, _| {
                panic!("ctc: its gradient cannot be differentiated again")
            })
        })
    }

    /// Checks the shape of predictions, `[N, T, C]`, and that of targets.
    fn check_shapes(&self, prediction: &[usize], targets: &Tensor) -> Result<()> {
        let problem = |expected: &str| {
            Err(Error::Data(format!(
                "ctc takes {expected}; the prediction has shape {}, the targets are {} of shape {}",
                Shape::from(prediction),
                targets.dtype(),
                targets.shape()
            )))
        };
        let &[samples, steps, classes] = prediction else { return problem("predictions [N, T, C] of T steps") };
        if targets.dtype() != DType::I64 || targets.rank() != 2 || targets.size(0) != samples {
            return problem("labels, i64 of shape [N, S]");
        }
        if self.blank >= classes {
            let blank = self.blank;
            return Err(Error::Config(format!(
                "ctc: the blank class {blank} is none of the {classes} of the prediction"
            )));
        }
        let places = steps.saturating_add(1).saturating_mul(targets.size(1).saturating_mul(2).saturating_add(1));
        memory::require(places.saturating_mul(size_of::<f64>()))
            .map_err(|problem| Error::Data(format!("ctc: {steps} steps and {} labels: {problem}", targets.size(1))))
    }

    /// Checks that labels are classes, and none is blank.
    fn check_labels(&self, labels: &[Vec<i64>], classes: usize) -> Result<()> {
        for (sample, labels) in labels.iter().enumerate() {
            for (place, &label) in labels.iter().enumerate() {
                if !(0..classes as i64).contains(&label) {
                    return Err(Error::Data(format!(
                        "ctc: sample {sample} has label {label} at place {place}, but the classes are 0 to {}",
                        classes as i64 - 1
                    )));
                }
                if label == self.blank as i64 {
                    return Err(Error::Data(format!(
                        "ctc: sample {sample} has the blank class {label} at place {place}, among its labels; blanks are for filling up a \
                         target behind them"
                    )));
                }
            }
        }
        Ok(())
    }
}

/// How many steps labels take at least: one each, and one more between two that are equal.
fn steps_for(labels: &[i64]) -> usize {
    labels.len() + labels.windows(2).filter(|pair| pair[0] == pair[1]).count()
}

impl Loss for Ctc {
    fn name(&self) -> &'static str {
        "ctc"
    }

    fn describe(&self) -> String {
        format!("{self:?}")
    }

    #[track_caller]
    fn per_sample(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        if let Err(problem) = self.check_shapes(prediction.shape(), target) {
            panic!("{problem}");
        }
        let lengths: Vec<usize> = self.labels_before_blanks(target).iter().map(Vec::len).collect();
        self.sequences(prediction, target, &vec![prediction.size(1); lengths.len()], &lengths)
    }

    fn check(&self, output: &Shape, targets: &Tensor) -> Result<()> {
        let samples = targets.shape().first().copied().unwrap_or(0);
        let batch: Vec<usize> = [samples].into_iter().chain(output.iter().copied()).collect();
        self.check_shapes(&batch, targets)?;
        let labels = self.labels_before_blanks(targets);
        self.check_labels(&labels, output[1])?;
        match labels.iter().position(|labels| steps_for(labels) > output[0]) {
            Some(sample) if !self.zero_infinity => Err(Error::Data(format!(
                "ctc: the {} labels of sample {sample} take at least {} steps, but the model's output has {}, so that its loss would be \
                 infinite; give it more steps, or use zero_infinity(true)",
                labels[sample].len(),
                steps_for(&labels[sample]),
                output[0]
            ))),
            _ => Ok(()),
        }
    }

    fn check_prediction(&self, prediction: &Tensor) -> Result<()> {
        if self.from_logits {
            return Ok(());
        }
        check_log_probabilities(self.name(), prediction, "or use its from_logits()")
    }
}
