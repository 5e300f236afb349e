//! How much a model's score depends on each of its inputs.

use std::ops::Range;

use super::Trainer;
use crate::data::Dataset;
use crate::nn::Model;
use crate::{Error, Result, Rng, Tensor, concat};

/// How much worse a model becomes without an input; see [`Trainer::permutation_importance`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Importance {
    /// The name of the input.
    pub name: String,
    /// How much the score fell, or the loss rose, on average over the repeats.
    pub mean: f64,
    /// The standard deviation over the repeats (divided by their number).
    pub std: f64,
}

/// The random stream of permutations.
const PERMUTING: u64 = 0x1e47;

impl<M: Model> Trainer<M> {
    /// Permutation importance (Breiman, "Random Forests", Machine Learning 45, 2001; scikit-learn's `permutation_importance`): how
    /// much worse a score becomes when the values of an input are shuffled among the samples, which breaks what they say of the
    /// target. `inputs` are the names of inputs and their columns in samples of shape `[F]`: an
    /// [`Encoder`](crate::data::Encoder)'s `input_ranges`, for example. `score` is `loss` or the name of a metric. The most
    /// important comes first. Two inputs that say the same share their importance between them.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let data = hadal::data::synthetic::moons(200, 0.1, 1)?;
    /// let model = Sequential::new([2]).add(Dense::new(16).activation(Relu)).add(Dense::new(1).activation(Sigmoid));
    /// let mut model = model.compile(Adam::new(0.01), BinaryCrossentropy, Accuracy)?;
    /// model.fit(&data, Fit::epochs(20).quiet())?;
    /// let importance = model.permutation_importance(&data, &[("x", 0..1), ("y", 1..2)], "accuracy", 5, 1)?;
    /// assert!(importance[0].mean > 0.0);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`evaluate`](Trainer::evaluate); if there is no such score, there are no repeats, or columns are out of range.
    pub fn permutation_importance(
        &self,
        data: &Dataset,
        inputs: &[(impl AsRef<str>, Range<usize>)],
        score: &str,
        repeats: usize,
        seed: u64,
    ) -> Result<Vec<Importance>> {
        if repeats == 0 {
            return Err(Error::Config("permutation importance needs at least 1 repeat, not 0".into()));
        }
        let reported = self.reported(false);
        let Some((_, higher)) = reported.iter().find(|(name, _)| name == score) else {
            let names: Vec<&str> = reported.iter().map(|(name, _)| name.as_str()).collect();
            return Err(Error::Config(format!("there is no score `{score}`; there are {}", names.join(", "))));
        };
        let sign = if *higher == Some(true) { 1.0 } else { -1.0 };
        let whole = self.evaluate(data)?[score];
        let (x, _) = data.run(0, data.len())?;
        let Some(x) = x.only().filter(|x| x.rank() == 2) else {
            return Err(Error::Data(format!("{}: permutation importance is for samples of shape [F]", data.name())));
        };
        let mut rng = Rng::with_stream(seed, PERMUTING);
        let mut all = Vec::with_capacity(inputs.len());
        for (name, columns) in inputs {
            let name = name.as_ref().to_owned();
            if columns.is_empty() || columns.end > x.size(1) {
                return Err(Error::Config(format!("`{name}`: there are no columns {columns:?} of {}", x.size(1))));
            }
            let mut falls = Vec::with_capacity(repeats);
            for _ in 0..repeats {
                let shuffled = shuffle(x, columns, &mut rng);
                let part = Dataset::with_parts(data.name(), shuffled, data.target_parts().clone())?;
                falls.push(sign * (whole - self.score(&part, super::trainer::EVALUATION_BATCH)?[score]));
            }
            let count = repeats as f64;
            let mean = falls.iter().map(|fall| fall / count).sum::<f64>();
            let std = falls.iter().map(|fall| (fall - mean).powi(2) / count).sum::<f64>().sqrt();
            all.push(Importance { name, mean, std });
        }
        all.sort_by(|a, b| b.mean.total_cmp(&a.mean));
        Ok(all)
    }
}

/// The samples with some columns of other samples.
fn shuffle(x: &Tensor, columns: &Range<usize>, rng: &mut Rng) -> Tensor {
    let (rows, features) = (x.size(0), x.size(1));
    let order: Vec<i64> = rng.permutation(rows).into_iter().map(|row| row as i64).collect();
    let index = Tensor::from_vec(order, [rows]);
    let others = x.narrow(1, columns.start, columns.len()).index_select(0, &index);
    concat(&[x.narrow(1, 0, columns.start), others, x.narrow(1, columns.end, features - columns.end)], 1)
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;

    /// The class is the sign of the first of three numbers; the second is noise, the third is always the same.
    fn trained() -> (Trainer<Sequential>, Dataset) {
        let mut rng = Rng::new(1);
        let x = crate::concat(&[Tensor::randn([300, 2], &mut rng), Tensor::ones([300, 1])], 1);
        let y = x.narrow(1, 0, 1).reshape([300]).gt(0.0).to_dtype(DType::I64);
        let data = Dataset::new("signs", x, y).unwrap();
        let model = Sequential::new([3]).seed(1).add(Dense::new(2).activation(Softmax));
        let mut model = model.compile(Adam::new(0.05), CategoricalCrossentropy, Accuracy).unwrap();
        model.fit(&data, Fit::epochs(30).quiet()).unwrap();
        (model, data)
    }

    #[test]
    fn what_decides_is_important_and_what_does_not_is_not() {
        let (model, data) = trained();
        let inputs = [("constant", 2..3), ("noise", 1..2), ("sign", 0..1)];
        for score in ["accuracy", "loss"] {
            let all = model.permutation_importance(&data, &inputs, score, 5, 1).unwrap();
            assert_eq!(all[0].name, "sign");
            assert!(all[0].mean > 0.3, "{score}: {all:?}");
            let of = |name: &str| all.iter().find(|own| own.name == name).unwrap();
            assert_eq!((of("constant").mean, of("constant").std), (0.0, 0.0));
            assert!(of("noise").mean < 0.1 * all[0].mean, "{score}: {all:?}");
            assert_eq!(all, model.permutation_importance(&data, &inputs, score, 5, 1).unwrap());
        }
    }

    #[test]
    fn what_cannot_be_asked_is_an_error() {
        let (model, data) = trained();
        let message = |inputs: &[(&str, std::ops::Range<usize>)], score: &str, repeats| {
            model.permutation_importance(&data, inputs, score, repeats, 1).unwrap_err().to_string()
        };
        assert!(message(&[("x", 0..1)], "f1", 1).contains("no score `f1`; there are loss, accuracy"));
        assert!(message(&[("x", 2..4)], "loss", 1).contains("`x`: there are no columns 2..4 of 3"));
        assert!(message(&[("x", 0..1)], "loss", 0).contains("at least 1 repeat"));
    }
}
