//! Cross-validation.

use super::partition::{SPLITTING, counts, dense, named};
use crate::monitor::note;
use crate::{Error, Result, Rng};

/// Divides rows into folds for cross-validation: each row is tested once, by a model that was trained on the other folds.
/// scikit-learn's `KFold`, `StratifiedKFold` and `GroupKFold`; rows are shuffled by default, which scikit-learn's are not.
///
/// ```
/// use hadal::data::KFold;
/// use hadal::prelude::*;
/// let data = hadal::data::synthetic::moons(100, 0.1, 1)?;
/// let mut accuracies = Vec::new();
/// for (train, test) in KFold::new(5).seed(1).folds(data.len())? {
///     let model = Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
///     let mut model = model.compile(Sgd::new(0.1), BinaryCrossentropy, Accuracy)?;
///     model.fit(&data.select(&train)?, Fit::epochs(2).quiet())?;
///     accuracies.push(model.evaluate(&data.select(&test)?)?["accuracy"]);
/// }
/// println!("{:.1}%", 100.0 * accuracies.iter().sum::<f64>() / 5.0);
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KFold {
    folds: usize,
    seed: u64,
    shuffle: bool,
    class_names: Vec<String>,
}

/// The training rows and the test rows of a fold, in ascending order.
type Fold = (Vec<usize>, Vec<usize>);

impl KFold {
    /// This number of folds, at least 2.
    pub fn new(folds: usize) -> KFold {
        KFold { folds, seed: 0, shuffle: true, class_names: Vec::new() }
    }

    /// The seed of the order of the rows. Default: 0.
    pub fn seed(mut self, seed: u64) -> KFold {
        self.seed = seed;
        self
    }

    /// Whether the rows are in random order. Otherwise each fold is a run of neighbours. Default: true; scikit-learn's is false.
    ///
    /// ```
    /// use hadal::data::KFold;
    /// let folds = KFold::new(2).shuffle(false).folds(5)?;
    /// assert_eq!(folds, [(vec![3, 4], vec![0, 1, 2]), (vec![0, 1, 2], vec![3, 4])]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn shuffle(mut self, shuffle: bool) -> KFold {
        self.shuffle = shuffle;
        self
    }

    /// The names of the classes by number, for the messages of [`stratified`](KFold::stratified). Default: the numbers.
    ///
    /// ```
    /// use hadal::data::KFold;
    /// let names = ["cat", "dog"].map(str::to_owned).to_vec();
    /// let error = KFold::new(2).class_names(names).stratified(&[0, 0, 0, 1]).unwrap_err();
    /// assert!(error.to_string().contains("class `dog` has only 1 row"));
    /// ```
    pub fn class_names(mut self, names: Vec<String>) -> KFold {
        self.class_names = names;
        self
    }

    /// The training rows and the test rows of each fold. The sizes of the test parts differ by at most 1.
    ///
    /// # Errors
    /// If there are fewer than 2 folds, or fewer rows than folds.
    pub fn folds(&self, rows: usize) -> Result<Vec<Fold>> {
        self.check("rows", rows)?;
        Ok(self.deal(&vec![0; rows], 1))
    }

    /// As [`folds`](KFold::folds), with the same share of each class in each fold. `codes` has the class of each row, as any
    /// number. The numbers of rows of a class in two folds differ by at most 1, and so do the sizes of the folds.
    ///
    /// ```
    /// use hadal::data::KFold;
    /// for (_, test) in KFold::new(2).stratified(&[0, 0, 0, 0, 1, 1])? {
    ///     assert_eq!(test.iter().filter(|row| **row >= 4).count(), 1); // one of the class with two
    /// }
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`folds`](KFold::folds); if a class has only one row, which no model is then trained on. A class with fewer rows than
    /// there are folds is noted on standard error.
    pub fn stratified(&self, codes: &[usize]) -> Result<Vec<Fold>> {
        self.check("rows", codes.len())?;
        let (classes, values) = dense(codes);
        let counts = counts(&classes, values.len());
        if let Some((class, rows)) = counts.iter().enumerate().min_by_key(|(_, rows)| **rows) {
            let (class, folds) = (named(values[class], &self.class_names), self.folds);
            if *rows == 1 {
                return Err(Error::Data(format!(
                    "k-fold: class {class} has only 1 row; to be stratified, each class needs at least 2"
                )));
            }
            if *rows < folds {
                note(&format!("k-fold: class {class} has {rows} rows for {folds} folds: some test without it"));
            }
        }
        Ok(self.deal(&classes, values.len()))
    }

    /// As [`folds`](KFold::folds), with all rows of a group in one fold. `codes` has the group of each row, as any number. The
    /// sizes of the folds are nearly the same: the groups, largest first, each go to the smallest fold.
    ///
    /// ```
    /// use hadal::data::KFold;
    /// for (train, test) in KFold::new(2).grouped(&[7, 7, 8, 8, 9])? {
    ///     assert!(test.contains(&0) == test.contains(&1) && train.contains(&2) == train.contains(&3));
    /// }
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there are fewer than 2 folds, or fewer groups than folds.
    pub fn grouped(&self, codes: &[usize]) -> Result<Vec<Fold>> {
        let (groups, values) = dense(codes);
        self.check("groups", values.len())?;
        let counts = counts(&groups, values.len());
        let mut order = self.order(values.len());
        order.sort_by_key(|&group| std::cmp::Reverse(counts[group]));
        let (mut sizes, mut fold_of_group) = (vec![0; self.folds], vec![0; values.len()]);
        for group in order {
            let fold = (0..self.folds).min_by_key(|&fold| sizes[fold]).unwrap_or(0);
            sizes[fold] += counts[group];
            fold_of_group[group] = fold;
        }
        Ok(self.collect(&groups.iter().map(|&group| fold_of_group[group]).collect::<Vec<_>>()))
    }

    fn check(&self, what: &str, count: usize) -> Result<()> {
        let folds = self.folds;
        if folds < 2 {
            return Err(Error::Config(format!(
                "k-fold: {folds} folds must be at least 2, one to test and one to train on"
            )));
        }
        if count < folds {
            return Err(Error::Data(format!(
                "k-fold: there are {count} {what} for {folds} folds; each fold needs one"
            )));
        }
        Ok(())
    }

    /// Deals the rows of each class out, one class after the other: the positions of a class in that sequence, modulo the number
    /// of folds, say how many of its rows each fold gets.
    fn deal(&self, classes: &[usize], count: usize) -> Vec<Fold> {
        let mut start = 0;
        let mut left: Vec<Vec<usize>> = Vec::with_capacity(count);
        for rows in counts(classes, count) {
            let up_to = |end: usize, fold: usize| (end + self.folds - 1 - fold) / self.folds;
            left.push((0..self.folds).map(|fold| up_to(start + rows, fold) - up_to(start, fold)).collect());
            start += rows;
        }
        // The fold that the next row of each class goes to.
        let mut current = vec![0; count];
        let mut fold_of_row = vec![0; classes.len()];
        for row in self.order(classes.len()) {
            let class = classes[row];
            while left[class][current[class]] == 0 {
                current[class] += 1;
            }
            left[class][current[class]] -= 1;
            fold_of_row[row] = current[class];
        }
        self.collect(&fold_of_row)
    }

    fn order(&self, n: usize) -> Vec<usize> {
        if self.shuffle { Rng::with_stream(self.seed, SPLITTING).permutation(n) } else { (0..n).collect() }
    }

    fn collect(&self, fold_of_row: &[usize]) -> Vec<Fold> {
        let rows = |fold: usize| (0..fold_of_row.len()).partition(|&row| fold_of_row[row] != fold);
        (0..self.folds).map(rows).collect()
    }
}
