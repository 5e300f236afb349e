//! What the report is told before the run.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::run::Run;
use crate::Shape;
use crate::data::Dataset;
use crate::monitor::sample_columns::SampleColumns;
use crate::train::RunFolder;

/// A callback that writes a page about the run when training has ended: what it was told, what came of it, and how to repeat it.
///
/// ```
/// use hadal::monitor::report::Report;
/// use hadal::prelude::*;
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("moons");
/// # let (train, test) = (hadal::data::synthetic::moons(200, 0.1, 1)?, hadal::data::synthetic::moons(100, 0.1, 2)?);
/// # let model = Sequential::new([2]).add(Dense::new(16).activation(Relu)).add(Dense::new(1).activation(Sigmoid));
/// let mut model = model.compile(Adam::new(0.01), BinaryCrossentropy, Accuracy)?;
/// let report = Report::new(&path)
///     .title("Two moons")
///     .part("training", &train)
///     .validation_data(&test)
///     .class_names(["upper", "lower"])
///     .repeat(["cargo run --release --bin moons"]);
/// model.fit(&train, Fit::epochs(5).validation_data(&test).callback(report).quiet())?;
/// assert!(std::fs::read_to_string(path.join("report.html")).unwrap().contains("Two moons"));
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// | section | needs |
/// | --- | --- |
/// | scores of the trained model with 95% confidence intervals ([`Trainer::intervals`](crate::train::Trainer::intervals)) | [`validation_data`](Report::validation_data) |
/// | loss, metrics and learning rate by epoch | |
/// | findings about the run's health | `health.json` in the same folder |
/// | confusion matrix, scores of each class, calibration; for numbers, predicted against true ones and residuals | `validation_data` |
/// | the worst predictions, as images or rows | `validation_data` |
/// | the first layer's weights as images; for samples of shape `[F]`, permutation importance | the network; `validation_data` |
/// | the layers | a [`Sequential`](crate::nn::Sequential) |
/// | the data: samples and classes of each part | [`part`](Report::part), [`fact`](Report::fact) |
/// | times, machine, settings, how to repeat the run | [`settings`](Report::settings), [`repeat`](Report::repeat) |
///
/// Scores are those of the weights that the model is left with, the best ones where a callback restores them. What cannot be drawn is
/// said in a sentence. Where training is suspended to be [resumed](crate::train::Trainer::resume), the page shows the run so far and
/// says so; that of the resumed run has all epochs.
///
/// A model that came about otherwise, such as an [`Ensemble`](crate::nn::Ensemble), is reported on by
/// [`on_trained`](crate::train::Callback::on_trained): the same page without curves and times.
///
/// ```
/// use hadal::monitor::report::Report;
/// use hadal::nn::Ensemble;
/// use hadal::prelude::*;
/// use hadal::train::Callback;
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path();
/// # let data = hadal::data::synthetic::moons(100, 0.1, 2)?;
/// let member = |seed| Sequential::new([2]).seed(seed).add(Dense::new(1).activation(Sigmoid)).build();
/// let ensemble = Ensemble::of([member(1)?, member(2)?])?;
/// let trainer = Trainer::new(ensemble, Sgd::default(), BinaryCrossentropy, [Accuracy]);
/// Report::new(path).title("Two of a kind").validation_data(&data).on_trained(&trainer)?;
/// let page = std::fs::read_to_string(path.join("report.html")).unwrap();
/// assert!(page.contains("Two of a kind") && !page.contains("id=\"curves\""));
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// The file is replaced as a whole. `fit` refuses a folder that cannot be written to; where the page cannot be written at the end, as
/// on a full disk, a note on standard error says so, and training is not affected.
pub struct Report {
    pub(super) path: PathBuf,
    pub(super) title: Option<String>,
    pub(super) validation_data: Option<Dataset>,
    pub(super) class_names: Vec<String>,
    pub(super) image_shape: Option<Shape>,
    pub(super) sample_columns: Option<SampleColumns>,
    pub(super) feature_names: Vec<(String, Range<usize>)>,
    pub(super) settings: Option<String>,
    pub(super) parts: Vec<(String, Dataset)>,
    pub(super) facts: Vec<(String, String)>,
    pub(super) details: Option<String>,
    pub(super) repeat: Vec<String>,
    pub(super) run: Run,
}

impl Report {
    /// The name of the file in a folder.
    pub const FILE: &str = RunFolder::REPORT;

    /// Writes to `path`, if it ends with `.html`, else to `report.html` in the folder `path`, which is made if need be.
    pub fn new(path: impl AsRef<Path>) -> Report {
        let path = path.as_ref();
        let is_file = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("html"));
        Report {
            path: if is_file { path.to_owned() } else { path.join(Report::FILE) },
            title: None,
            validation_data: None,
            class_names: Vec::new(),
            image_shape: None,
            sample_columns: None,
            feature_names: Vec::new(),
            settings: None,
            parts: Vec::new(),
            facts: Vec::new(),
            details: None,
            repeat: Vec::new(),
            run: Run::default(),
        }
    }

    /// The heading of the page. Default: the name of the training data.
    pub fn title(mut self, title: impl Into<String>) -> Report {
        self.title = Some(title.into());
        self
    }

    /// The data on which the trained model is judged. Default: none, so that the page has the scores of the last epoch alone.
    pub fn validation_data(mut self, data: &Dataset) -> Report {
        self.validation_data = Some(data.clone());
        self
    }

    /// What the classes are called, first to last. Default: their numbers.
    pub fn class_names<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Report {
        self.class_names = names.into_iter().map(Into::into).collect();
        self
    }

    /// The shape of a sample's image, `[height, width]` or `[1 or 3, height, width]`, where its own shape does not say it. `fit`
    /// refuses one that does not have as many elements as a sample.
    pub fn image_shape(mut self, shape: impl Into<Shape>) -> Report {
        self.image_shape = Some(shape.into());
        self
    }

    /// How samples of the validation data are told in words: the names of columns, and what they hold for a sample, by its number.
    ///
    /// ```
    /// use hadal::monitor::report::Report;
    /// let fish = [["salmon", "76 cm"], ["herring", "24 cm"]];
    /// let report = Report::new("runs/fish").sample_columns(["species", "length"], move |sample| {
    ///     fish[sample].map(str::to_owned).to_vec()
    /// });
    /// ```
    pub fn sample_columns<N: Into<String>>(
        mut self,
        names: impl IntoIterator<Item = N>,
        row: impl Fn(usize) -> Vec<String> + 'static,
    ) -> Report {
        self.sample_columns = Some(SampleColumns::new(names, row));
        self
    }

    /// What the inputs of samples of shape `[F]` are called, with their columns, for their importance. Default: what the columns of
    /// a table are called, if the data is a table's, else their numbers.
    pub fn feature_names<N: Into<String>>(mut self, names: impl IntoIterator<Item = (N, Range<usize>)>) -> Report {
        self.feature_names = names.into_iter().map(|(name, columns)| (name.into(), columns)).collect();
        self
    }

    /// The settings of the run, which are shown as they are.
    pub fn settings(mut self, text: impl Into<String>) -> Report {
        self.settings = Some(text.into());
        self
    }

    /// Adds a part of the data, of which samples and classes are counted.
    pub fn part(mut self, name: impl Into<String>, data: &Dataset) -> Report {
        self.parts.push((name.into(), data.clone()));
        self
    }

    /// Adds what is known of the data, such as where it is from.
    ///
    /// ```
    /// use hadal::monitor::report::Report;
    /// let report = Report::new("runs/fish").fact("source", "market of Hamburg, 2024");
    /// ```
    pub fn fact(mut self, name: impl Into<String>, value: impl Into<String>) -> Report {
        self.facts.push((name.into(), value.into()));
        self
    }

    /// A text about the data, which is shown as it is, such as the columns of a table.
    pub fn details(mut self, text: impl Into<String>) -> Report {
        self.details = Some(text.into());
        self
    }

    /// The commands by which the run can be repeated, a line each.
    pub fn repeat<L: Into<String>>(mut self, lines: impl IntoIterator<Item = L>) -> Report {
        self.repeat = lines.into_iter().map(Into::into).collect();
        self
    }
}
