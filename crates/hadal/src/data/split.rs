//! Training, test and holdout parts.

use serde::{Deserialize, Serialize};

use super::{Dataset, Partition, SplitBy};
use crate::{DType, Error, Result};

/// How data is divided into a training part, a test part and a holdout part. Default: 70%, 15% and 15% of the rows, at random.
///
/// The model is trained on the training part. The test part is watched meanwhile: it decides when to stop and which settings are
/// best (scikit-learn and Keras call this the validation data). What was chosen by the test part looks better on it than it is;
/// the holdout part, which nothing was chosen by, is for one last judgement.
///
/// ```
/// use hadal::data::Split;
/// # let data = hadal::data::synthetic::moons(200, 0.1, 1)?;
/// let parts = data.split(&Split::new(0.8, 0.1, 0.1).stratified().seed(1))?;
/// assert_eq!((parts.train.len(), parts.test.len(), parts.holdout.unwrap().len()), (160, 20, 20));
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// As a section of a file, with the defaults for what is left out:
///
/// ```
/// use hadal::data::Split;
/// let split: Split = serde_json::from_str(r#"{ "train": 0.8, "test": 0.2, "holdout": 0.0, "group": "passenger" }"#).unwrap();
/// assert_eq!(split, Split::train_test(0.2).group("passenger"));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Split {
    /// The fraction of the rows for training.
    pub train: f64,
    /// The fraction for the test part.
    pub test: f64,
    /// The fraction for the holdout part; 0 for none.
    pub holdout: f64,
    /// The seed of what is random.
    pub seed: u64,
    /// Whether each part has the same share of each class.
    pub stratify: Stratify,
    /// Whether a stratified split gives the training part all rows of classes that are too rare for each part to have one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub rare_in_training: bool,
    /// The column whose groups are not divided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The column that orders the rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// The column that says `train`, `test` or `holdout`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
}

/// Whether the parts of a [`Split`] have the same share of each class. In a file: `false`, `true` for the target's classes, or
/// the name of a column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "FlagOrColumn", into = "FlagOrColumn")]
pub enum Stratify {
    /// No.
    #[default]
    No,
    /// Yes, of each class of the target.
    Target,
    /// Yes, of each level of this column.
    Column(String),
}

/// [`Stratify`] as it stands in a file.
#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "stratify must be true, false or the name of a column")]
enum FlagOrColumn {
    Flag(bool),
    Column(String),
}

impl From<FlagOrColumn> for Stratify {
    fn from(value: FlagOrColumn) -> Stratify {
        match value {
            FlagOrColumn::Flag(false) => Stratify::No,
            FlagOrColumn::Flag(true) => Stratify::Target,
            FlagOrColumn::Column(column) => Stratify::Column(column),
        }
    }
}

impl From<Stratify> for FlagOrColumn {
    fn from(value: Stratify) -> FlagOrColumn {
        match value {
            Stratify::No => FlagOrColumn::Flag(false),
            Stratify::Target => FlagOrColumn::Flag(true),
            Stratify::Column(column) => FlagOrColumn::Column(column),
        }
    }
}

impl Default for Split {
    fn default() -> Split {
        Split::new(0.70, 0.15, 0.15)
    }
}

impl Split {
    /// These fractions of the rows, which add up to 1. `holdout` may be 0.
    pub fn new(train: f64, test: f64, holdout: f64) -> Split {
        let (stratify, group, order, part) = (Stratify::No, None, None, None);
        Split { train, test, holdout, seed: 0, stratify, rare_in_training: false, group, order, part }
    }

    /// A fraction of the rows for the test part, the rest for training, without a holdout part.
    pub fn train_test(test: f64) -> Split {
        Split::new(1.0 - test, test, 0.0)
    }

    /// The seed of what is random. Default: 0.
    pub fn seed(mut self, seed: u64) -> Split {
        self.seed = seed;
        self
    }

    /// Gives each part the same share of each class of the target. Default: at random.
    ///
    /// ```
    /// use hadal::data::Split;
    /// use hadal::prelude::*;
    /// let labels: Vec<i64> = (0..100).map(|i| i64::from(i < 10)).collect();
    /// let data = Dataset::new("rare", Tensor::zeros([100, 2]), Tensor::from_vec(labels, [100]))?;
    /// let parts = data.split(&Split::train_test(0.2).stratified())?;
    /// assert_eq!(parts.test.targets().to_vec::<i64>().iter().sum::<i64>(), 2); // 10% of 20
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn stratified(mut self) -> Split {
        self.stratify = Stratify::Target;
        self
    }

    /// As [`stratified`](Split::stratified), by the levels of a column of a table.
    pub fn stratify(mut self, column: impl Into<String>) -> Split {
        self.stratify = Stratify::Column(column.into());
        self
    }

    /// In a stratified split, gives the training part all rows of the classes that have fewer rows than there are parts; all others
    /// are stratified. Default: false, and a class with a single row is an error. Other splits do not change.
    ///
    /// ```
    /// use hadal::data::{Split, SplitBy};
    /// let mut classes = vec![0; 20];
    /// classes[..2].fill(1); // two rows for three parts
    /// let split = Split::new(0.6, 0.2, 0.2).rare_in_training(true);
    /// let parts = split.partition(20, &SplitBy::Strata { codes: &classes, names: &[] })?;
    /// assert_eq!((&parts.train[..2], parts.train.len()), (&[0, 1][..], 12));
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn rare_in_training(mut self, rare_in_training: bool) -> Split {
        self.rare_in_training = rare_in_training;
        self
    }

    /// Keeps all rows with the same value of this column in one part, for example all journeys of a passenger. The sizes of the
    /// parts are as near the fractions as whole groups allow. With [`order`](Split::order) or [`part`](Split::part), a
    /// group that is then in two parts is an error.
    pub fn group(mut self, column: impl Into<String>) -> Split {
        self.group = Some(column.into());
        self
    }

    /// Trains on the past and tests on the future: the rows with the lowest values of this column are for training, the highest
    /// for the holdout part. Rows with the same value are in one part.
    pub fn order(mut self, column: impl Into<String>) -> Split {
        self.order = Some(column.into());
        self
    }

    /// Takes the part of each row from a column, which holds `train`, `test` or `holdout`. The fractions are then not used.
    pub fn part(mut self, column: impl Into<String>) -> Split {
        self.part = Some(column.into());
        self
    }

    /// Checks the settings, without data.
    ///
    /// ```
    /// use hadal::data::Split;
    /// let error = Split::new(0.7, 0.2, 0.2).check().unwrap_err();
    /// assert_eq!(error.to_string(), "split: train 0.7, test 0.2 and holdout 0.2 add up to 1.1, but must add up to 1");
    /// ```
    ///
    /// # Errors
    /// If the fractions do not add up to 1 or cannot be meant, or settings exclude each other.
    pub fn check(&self) -> Result<()> {
        let stratify = self.stratify != Stratify::No;
        let settings = [
            ("stratify", stratify),
            ("group", self.group.is_some()),
            ("order", self.order.is_some()),
            ("part", self.part.is_some()),
        ];
        let set: Vec<&str> = settings.into_iter().filter(|(_, set)| *set).map(|(name, _)| name).collect();
        let fit = matches!(set[..], [] | [_] | ["group", "order"] | ["group", "part"]);
        if !fit {
            return Err(Error::Config(format!(
                "split: {} cannot be combined; use one of stratify, group, order and part, or group with order or part",
                set.join(" and ")
            )));
        }
        if self.part.is_some() { Ok(()) } else { self.check_fractions() }
    }

    pub(super) fn check_fractions(&self) -> Result<()> {
        let Split { train, test, holdout, .. } = self;
        for (name, fraction, least) in
            [("train", train, "above 0"), ("test", test, "above 0"), ("holdout", holdout, "0 or more")]
        {
            let fit = *fraction > 0.0 || (*fraction == 0.0 && name == "holdout");
            if !fit || !fraction.is_finite() {
                return Err(Error::Config(format!(
                    "split: {name} {fraction} must be {least}; train, test and holdout are fractions that add up to 1"
                )));
            }
        }
        let sum = train + test + holdout;
        if (sum - 1.0).abs() > 1e-6 {
            // Without the rounding of binary fractions.
            let sum = (sum * 1e9).round() / 1e9;
            return Err(Error::Config(format!(
                "split: train {train}, test {test} and holdout {holdout} add up to {sum}, but must add up to 1"
            )));
        }
        Ok(())
    }

    /// The setting that names a column, if there is one.
    fn column(&self) -> Option<(&'static str, &str)> {
        let stratify = match &self.stratify {
            Stratify::Column(column) => Some(column),
            _ => None,
        };
        let settings = [
            ("stratify", stratify),
            ("group", self.group.as_ref()),
            ("order", self.order.as_ref()),
            ("part", self.part.as_ref()),
        ];
        settings.into_iter().find_map(|(name, column)| Some((name, column?.as_str())))
    }
}

impl Dataset {
    /// Divides the samples into a training, a test and a holdout part, called by the dataset's name and `train`, `test` or
    /// `holdout`. Settings of the [`Split`] that name a column are for tables.
    ///
    /// ```
    /// use hadal::data::Split;
    /// use hadal::prelude::*;
    /// let data = Dataset::new("points", Tensor::zeros([100, 2]), Tensor::zeros([100, 1]))?;
    /// let parts = data.split(&Split::default())?;
    /// assert_eq!((parts.train.len(), parts.test.len(), parts.holdout.unwrap().len()), (70, 15, 15));
    /// assert_eq!(parts.test.name(), "points test");
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Split::partition`]; if a setting names a column, or the split is stratified and the targets are no labels.
    pub fn split(&self, split: &Split) -> Result<Partition<Dataset>> {
        split.check()?;
        if let Some((setting, column)) = split.column() {
            return Err(Error::Config(format!(
                "split: {setting} names the column `{column}`, but {} is a dataset without columns; split the table, or use \
                 stratified() for the labels",
                self.name()
            )));
        }
        let partition = match split.stratify {
            Stratify::No => split.partition(self.len(), &SplitBy::Random)?,
            _ => {
                let (codes, names) = self.label_codes()?;
                split.partition(self.len(), &SplitBy::Strata { codes: &codes, names: &names })?
            }
        };
        partition.try_map(|part, rows| {
            let word = if part == super::Part::Train { "train" } else { part.name() };
            Ok(self.select(&rows)?.renamed(&format!("{} {word}", self.name())))
        })
    }

    /// Divides the samples at random into a training part and a test part, a fraction `test` of them: scikit-learn's
    /// `train_test_split`.
    ///
    /// ```
    /// # use hadal::prelude::*;
    /// let data = Dataset::new("points", Tensor::zeros([150, 2]), Tensor::zeros([150, 1]))?;
    /// let (train, test) = data.train_test_split(0.2, 1)?;
    /// assert_eq!((train.len(), test.len()), (120, 30));
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If `test` is not between 0 and 1, or a part would be empty.
    pub fn train_test_split(&self, test: f64, seed: u64) -> Result<(Dataset, Dataset)> {
        let parts = self.split(&Split::train_test(test).seed(seed))?;
        Ok((parts.train, parts.test))
    }

    /// The labels as numbers from 0 on, and the label of each number.
    fn label_codes(&self) -> Result<(Vec<usize>, Vec<String>)> {
        let targets = self.targets();
        if targets.dtype() != DType::I64 || targets.rank() != 1 {
            return Err(Error::Data(format!(
                "{}: a stratified split needs class labels, i64 of shape [N], but the targets are {} of shape {}",
                self.name(),
                targets.dtype(),
                targets.shape()
            )));
        }
        let labels = targets.to_vec::<i64>();
        let mut classes = labels.clone();
        classes.sort_unstable();
        classes.dedup();
        let codes = labels.iter().map(|label| classes.partition_point(|class| class < label)).collect();
        Ok((codes, classes.iter().map(i64::to_string).collect()))
    }
}
