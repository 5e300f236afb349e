//! What a program logs for TensorBoard itself.

use std::path::Path;

use prost::Message;

use super::file::{EventsFile, record, seconds};
use super::histogram::histogram;
use super::messages::{Data, Event, SESSION_START, SessionLog, Summary, Value, What};
use super::{HParam, confusion, graph, picture, summary};
use crate::metric::ConfusionMatrix;
use crate::nn::Sequential;
use crate::{Error, Result, Tensor};

/// Writes an events file that TensorBoard shows: PyTorch's `SummaryWriter`.
///
/// ```
/// use hadal::monitor::tensorboard::Log;
/// use hadal::prelude::*;
/// # let folder = tempfile::tempdir().unwrap();
/// # let runs = folder.path().join("runs/first");
/// let mut log = Log::open(&runs)?;
/// let (mut w, mut rng) = (Tensor::zeros([2]).requires_grad(), Rng::new(1));
/// for step in 1..=100 {
///     let x = Tensor::randn([32, 2], &mut rng);
///     let loss = (x.matmul(&w) - x.matmul(&Tensor::from([3.0, -1.0]))).powi(2).mean();
///     let gradients = loss.backward();
///     log.step(step);
///     log.scalar("loss", loss.item())?;
///     log.histogram("w", &w)?;
///     w -= 0.1 * &gradients[&w];
/// }
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// ```text
/// $ tensorboard --logdir runs
/// ```
///
/// A slash in a tag makes a group: `loss/train` and `loss/validation` stand side by side. Each run has a folder of its own; a second
/// `Log` in a folder writes a second file, and TensorBoard shows both as one run.
///
/// Records wait in memory for at most 2 seconds, as long as something is logged, and are written when the log is dropped. The file
/// is only appended to, by whole records: what a killed program leaves can be read. Where the disk is full, one note says so on
/// standard error, nothing fails, and what waits (up to 16 MiB) is written when there is room again; [`flush`](Log::flush) tells.
/// Training with `fit` is logged by the callback [`TensorBoard`](super::TensorBoard).
pub struct Log {
    file: EventsFile,
    step: i64,
    /// Whether the folder holds events of other logs.
    continues: bool,
    /// Records that are not given to the file yet, if they are held back.
    held: Option<Vec<u8>>,
}

impl Log {
    /// Creates an events file in `folder`, which is made if need be: `events.out.tfevents.<second>.<host>.<process>.<number>`.
    ///
    /// # Errors
    /// If the folder or the file cannot be made.
    pub fn open(folder: impl AsRef<Path>) -> Result<Log> {
        let version = What::FileVersion("brain.Event:2".into());
        let begin = record(&Event { wall_time: seconds(), step: 0, what: Some(version) });
        let (mut file, continues) = EventsFile::create(folder.as_ref(), begin)?;
        file.write()?;
        Ok(Log { file, step: 0, continues, held: None })
    }

    /// The events file.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Sets the step of what is logged next. Default: 0.
    pub fn step(&mut self, step: usize) -> &mut Log {
        self.step = i64::try_from(step).unwrap_or(i64::MAX);
        self
    }

    /// Has TensorBoard forget what the folder's older files hold from this step on, for a run that goes on from a checkpoint of the
    /// step before: SummaryWriter's `purge_step`.
    ///
    /// ```
    /// use hadal::monitor::tensorboard::Log;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let folder = folder.path();
    /// Log::open(folder)?.step(70).scalar("loss", 0.5)?; // killed here
    /// let mut log = Log::open(folder)?;
    /// log.purge_from(51); // the checkpoint is of step 50
    /// log.step(51).scalar("loss", 0.6)?;
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn purge_from(&mut self, step: usize) {
        let before = self.step;
        self.step(step).event(What::SessionLog(SessionLog { status: SESSION_START }));
        self.step = before;
    }

    /// Logs a number, NaN and infinities, too. The file keeps it as `f32`, as SummaryWriter's do.
    ///
    /// # Errors
    /// If the tag is empty.
    pub fn scalar(&mut self, tag: &str, value: impl Into<f64>) -> Result<()> {
        self.values(vec![summary::plain(tag, Data::SimpleValue(value.into() as f32))])
    }

    /// Logs how the values of a tensor are distributed, in 64 buckets of the same width from the least to the largest. Values that
    /// are NaN or infinite are left out; if there are any, a scalar `<tag>/not_finite` says how many.
    ///
    /// # Errors
    /// If the tag is empty.
    pub fn histogram(&mut self, tag: &str, values: &Tensor) -> Result<()> {
        let (histogram, not_finite) = histogram(values);
        let histogram = histogram.map(|histogram| summary::plain(tag, Data::Histogram(histogram)));
        let count = (not_finite > 0)
            .then(|| summary::plain(&format!("{tag}/not_finite"), Data::SimpleValue(not_finite as f32)));
        self.values(histogram.into_iter().chain(count).collect())
    }

    /// Logs an image, `[height, width]` or `[channels, height, width]` with 1 or 3 channels, or several in a grid,
    /// `[count, channels, height, width]`. `u8` are taken as they are, floats from 0, black, to 1, beyond which they are cut off.
    /// TensorBoard 2.21 does not show images whose tag, or whose run's folder, has `"` or `\` in its name, unless it is started with
    /// `--load_fast=false`.
    ///
    /// ```
    /// use hadal::monitor::tensorboard::Log;
    /// use hadal::prelude::*;
    /// # let folder = tempfile::tempdir().unwrap();
    /// let mut log = Log::open(folder.path())?;
    /// log.image("noise", &Tensor::rand([16, 3, 8, 8], &mut Rng::new(1)))?;
    /// assert!(log.image("noise", &Tensor::zeros([2, 8, 8])).is_err()); // 2 channels
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If it is not such a tensor, is empty, holds NaN or infinity, or the picture has more than 67,108,864 pixels; if the tag is
    /// empty.
    pub fn image(&mut self, tag: &str, image: &Tensor) -> Result<()> {
        let image = picture::image(tag, image)?;
        self.values(vec![summary::plain(tag, Data::Image(image))])
    }

    /// Logs text, which TensorBoard shows as Markdown.
    ///
    /// # Errors
    /// If the tag is empty.
    pub fn text(&mut self, tag: &str, text: &str) -> Result<()> {
        self.values(vec![summary::text(tag, text)])
    }

    /// Logs a precision-recall curve: `labels` are 0 or 1 (or truth values), `predictions` of the same shape are the probabilities of
    /// label 1. The curve has 127 thresholds, from 0 to 1; a prediction counts as positive from the threshold on. Where nothing is
    /// predicted as positive, the precision is 0, as SummaryWriter's.
    ///
    /// ```
    /// use hadal::monitor::tensorboard::Log;
    /// use hadal::prelude::*;
    /// # let folder = tempfile::tempdir().unwrap();
    /// let mut log = Log::open(folder.path())?;
    /// log.pr_curve("cats", &Tensor::from([1, 0, 1, 1]), &Tensor::from([0.9, 0.6, 0.4, 1.0]))?;
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the shapes differ, there are no labels, a label is neither 0 nor 1, or a prediction is not between 0 and 1; if the tag is
    /// empty.
    pub fn pr_curve(&mut self, tag: &str, labels: &Tensor, predictions: &Tensor) -> Result<()> {
        let curve = summary::pr_curve(tag, labels, predictions)?;
        self.values(vec![curve])
    }

    /// Logs a confusion matrix of at most 100 classes: a tensor `tag`, which Hadal's dashboard shows, and for TensorBoard's page "Text" a
    /// table `<tag>/table`, if there are at most 30 classes. Rows are true classes. Without `class_names`, classes are numbers. Samples
    /// that were predicted as [no class](ConfusionMatrix::unpredicted) are in the table alone.
    ///
    /// ```
    /// use hadal::metric::ConfusionMatrix;
    /// use hadal::monitor::tensorboard::Log;
    /// use hadal::prelude::*;
    /// # let folder = tempfile::tempdir().unwrap();
    /// let mut log = Log::open(folder.path())?;
    /// let mut matrix = ConfusionMatrix::new();
    /// matrix.update(&Tensor::from([[0.1, 0.9], [0.2, 0.8]]), &Tensor::from([0, 1]));
    /// log.confusion_matrix("confusion_matrix", &matrix, &["cat", "dog"])?;
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the matrix has no classes, or more than 100; if there are not as many names as classes; if the tag is empty.
    pub fn confusion_matrix<S: AsRef<str>>(
        &mut self,
        tag: &str,
        matrix: &ConfusionMatrix,
        class_names: &[S],
    ) -> Result<()> {
        let classes = matrix.classes();
        let wrong = |reason: String| Err(Error::Data(format!("confusion matrix `{tag}`: {reason}")));
        if !(1..=confusion::MOST_CLASSES).contains(&classes) {
            return wrong(format!("one of 1 to {} classes is logged, not of {classes}", confusion::MOST_CLASSES));
        }
        if !class_names.is_empty() && class_names.len() != classes {
            return wrong(format!("there are {} names for {classes} classes", class_names.len()));
        }
        let all = 0..classes;
        let named =
            |class: usize| class_names.get(class).map_or_else(|| class.to_string(), |name| name.as_ref().to_owned());
        let names: Vec<String> = all.clone().map(named).collect();
        let row = |class: usize| all.clone().map(|predicted| matrix.count(class, predicted)).collect();
        let counts: Vec<Vec<u64>> = all.clone().map(row).collect();
        let unpredicted: Vec<u64> = all.clone().map(|class| matrix.unpredicted(class)).collect();
        self.values(confusion::values(tag, &names, &counts, &unpredicted))
    }

    /// Logs the hyperparameters of the run. The page "HParams" compares the runs of a folder: each run is a row, hyperparameters and
    /// the last value of each scalar are its columns.
    ///
    /// ```
    /// use hadal::monitor::tensorboard::{HParam, Log};
    /// # let folder = tempfile::tempdir().unwrap();
    /// let mut log = Log::open(folder.path())?;
    /// log.hparams([("learning_rate", HParam::from(0.1)), ("optimizer", "adam".into()), ("shuffle", true.into())])?;
    /// log.step(100).scalar("accuracy/validation", 0.97)?;
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there are none.
    pub fn hparams<N: Into<String>>(&mut self, hparams: impl IntoIterator<Item = (N, HParam)>) -> Result<()> {
        let hparams: Vec<_> = hparams.into_iter().map(|(name, hparam)| (name.into(), hparam)).collect();
        if hparams.is_empty() {
            return Err(Error::Config("hparams: there are no hyperparameters".into()));
        }
        self.values(vec![summary::hparams_start(hparams, seconds())])
    }

    /// Logs the layers of a network as a graph, with settings, parameters and the shapes of outputs. A run has one graph.
    pub fn graph(&mut self, model: &Sequential) {
        self.event(What::GraphDef(graph::graph(model).encode_to_vec()));
    }

    /// Writes what waits in memory.
    ///
    /// # Errors
    /// If it cannot be written. It is kept, and tried again later.
    pub fn flush(&mut self) -> Result<()> {
        self.release();
        self.file.write()
    }

    /// Whether other logs have written to the folder before.
    pub(super) fn continues(&self) -> bool {
        self.continues
    }

    /// Logs values of one event.
    ///
    /// # Errors
    /// If a tag is empty.
    pub(super) fn values(&mut self, value: Vec<Value>) -> Result<()> {
        if value.iter().any(|value| value.tag.is_empty()) {
            return Err(Error::Config("the tag of what is logged must not be empty".into()));
        }
        if !value.is_empty() {
            self.event(What::Summary(Summary { value }));
        }
        Ok(())
    }

    fn event(&mut self, what: What) {
        let record = record(&Event { wall_time: seconds(), step: self.step, what: Some(what) });
        self.append(&record);
    }

    /// Writes what has waited long enough.
    pub(super) fn write_if_due(&mut self) {
        self.file.write_if_due();
    }

    /// Appends whole records.
    pub(super) fn append(&mut self, records: &[u8]) {
        match &mut self.held {
            Some(held) => held.extend_from_slice(records),
            None => self.file.push(records),
        }
    }

    /// Holds back what comes now, until it is released.
    pub(super) fn hold(&mut self) {
        self.held.get_or_insert_default();
    }

    pub(super) fn held(&self) -> &[u8] {
        self.held.as_deref().unwrap_or_default()
    }

    pub(super) fn release(&mut self) {
        if let Some(held) = self.held.take() {
            self.file.push(&held);
        }
    }

    /// Writes all but what is held back, as well as it can be written now.
    pub(super) fn write_now(&mut self) {
        self.file.write_or_note();
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // The file writes the rest.
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::events;
    use super::*;

    fn values(event: &Event) -> &[Value] {
        match &event.what {
            Some(What::Summary(summary)) => &summary.value,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn numbers_are_written_as_they_are_and_empty_tags_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log::open(folder.path()).unwrap();
        let path = log.path().to_owned();
        let numbers = [0.1, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
        let tag = "a \"tag\" <b>\u{1F40B}</b>";
        for (step, number) in numbers.iter().enumerate() {
            log.step(step).scalar(tag, *number).unwrap();
        }
        assert!(log.scalar("", 1.0).unwrap_err().to_string().contains("tag"));
        assert!(log.hparams(Vec::<(String, HParam)>::new()).is_err());
        drop(log);
        let events = events(&path);
        assert_eq!(events[0].what, Some(What::FileVersion("brain.Event:2".into())));
        assert_eq!(events.len(), 5);
        for (step, (event, number)) in events[1..].iter().zip(numbers).enumerate() {
            let value = &values(event)[0];
            let Some(Data::SimpleValue(own)) = value.data else { panic!("{value:?}") };
            assert_eq!((event.step, own.to_bits(), &value.tag[..]), (step as i64, (number as f32).to_bits(), tag));
        }
    }

    #[test]
    fn values_that_are_not_finite_are_counted_beside_the_histogram() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log::open(folder.path()).unwrap();
        let path = log.path().to_owned();
        log.histogram("w", &Tensor::from_slice(&[1.0f32, 2.0, f32::NAN], [3])).unwrap();
        log.histogram("w", &Tensor::full([2], f64::INFINITY)).unwrap();
        drop(log);
        let tags: Vec<Vec<String>> = events(&path)[1..]
            .iter()
            .map(|event| values(event).iter().map(|value| value.tag.clone()).collect())
            .collect();
        assert_eq!(tags, [vec!["w", "w/not_finite"], vec!["w/not_finite"]]);
    }

    #[test]
    fn a_log_that_cannot_be_opened_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let message = Log::open(file.join("runs")).err().unwrap().to_string();
        assert!(message.contains("file"), "{message}");
    }
}
