//! Categories among the numbers of a table.

use serde::{Deserialize, Serialize};

use super::{Context, Embedding, Forward, Layer, LayerConfig, LayerKind, Module, Plan};
use crate::{DType, Error, Result, Rng, Shape, Tensor, concat};

/// Replaces the last columns of a table, which hold category indices, by [`Embedding`] vectors (Guo and Berkhahn, "Entity
/// Embeddings of Categorical Variables", 2016): of `[N, F]` with `k` such columns, it makes `[N, F - k + sizes of the
/// vectors]`. The other columns are passed on. An index one beyond the last category is one never seen in training: it becomes
/// the mean of all vectors of its column.
///
/// ```
/// use hadal::nn::{EmbedColumns, EmbeddedColumn};
/// use hadal::prelude::*;
/// let zones = EmbeddedColumn { num_embeddings: 200, embedding_dim: 8 };
/// let model = Sequential::new([5]).add(EmbedColumns::new([zones])).add(Dense::new(1)).build()?;
/// let x = Tensor::from([[0.1, 0.2, 0.3, 0.4, 199.0]]); // four numbers, and category 199
/// assert_eq!(model.forward(&x, &mut Context::evaluation()).shape(), &[1, 1]);
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "Columns", into = "Columns")]
pub struct EmbedColumns {
    columns: Vec<EmbeddedColumn>,
    embeddings: Vec<Embedding>,
}

/// The settings of [`EmbedColumns`].
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Columns {
    columns: Vec<EmbeddedColumn>,
}

impl From<Columns> for EmbedColumns {
    fn from(settings: Columns) -> EmbedColumns {
        EmbedColumns::new(settings.columns)
    }
}

impl From<EmbedColumns> for Columns {
    fn from(layer: EmbedColumns) -> Columns {
        Columns { columns: layer.columns }
    }
}

/// A column of category indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmbeddedColumn {
    /// The number of categories: indices are 0 to `num_embeddings - 1`, and `num_embeddings` for one never seen.
    pub num_embeddings: usize,
    /// The length of their vectors.
    pub embedding_dim: usize,
}

impl EmbeddedColumn {
    /// The vectors of the categories, and the mean of all for those never seen.
    #[track_caller]
    fn vectors(&self, index: &Tensor, embedding: &Embedding, ctx: &mut Context) -> Tensor {
        let unseen = index.eq(self.num_embeddings as f64);
        if unseen.sum().item() == 0.0 {
            return embedding.forward(&index.to_dtype(DType::I64), ctx);
        }
        let known = unseen.where_(&index.zeros_like(), index).to_dtype(DType::I64);
        let mean = embedding.forward(&Tensor::arange(self.num_embeddings), ctx).mean_axes(&[0]);
        unseen.reshape([index.elements(), 1]).where_(&mean, &embedding.forward(&known, ctx))
    }
}

impl EmbedColumns {
    /// For the last columns, in order.
    pub fn new(columns: impl IntoIterator<Item = EmbeddedColumn>) -> EmbedColumns {
        let columns: Vec<EmbeddedColumn> = columns.into_iter().collect();
        let embeddings =
            columns.iter().map(|column| Embedding::new(column.num_embeddings, column.embedding_dim)).collect();
        EmbedColumns { columns, embeddings }
    }

    /// How many columns are passed on.
    fn others(&self, features: usize) -> usize {
        features - self.columns.len()
    }
}

impl Module for EmbedColumns {
    fn visit(&self, path: &str, visitor: &mut dyn FnMut(&str, &Tensor)) {
        self.embeddings.visit(&super::join(path, "embeddings"), visitor);
    }

    fn visit_mut(&mut self, path: &str, visitor: &mut dyn FnMut(&str, &mut Tensor)) {
        self.embeddings.visit_mut(&super::join(path, "embeddings"), visitor);
    }
}

impl Forward for EmbedColumns {
    /// # Panics
    /// If an index is neither one of a category nor one beyond.
    #[track_caller]
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        let others = self.others(x.size(1));
        let mut parts = vec![x.narrow(1, 0, others)];
        for (i, (column, embedding)) in self.columns.iter().zip(&self.embeddings).enumerate() {
            let index = x.narrow(1, others + i, 1).reshape([x.size(0)]);
            parts.push(column.vectors(&index, embedding, ctx));
        }
        concat(&parts, 1)
    }

    fn check_inputs(&self, x: &Tensor) -> Result<()> {
        if x.rank() != 2 || x.size(1) < self.columns.len() {
            return Err(Error::Data(format!("EmbedColumns takes a table of shape [N, F], not {}", x.shape())));
        }
        let others = self.others(x.size(1));
        for (i, column) in self.columns.iter().enumerate() {
            let indices = x.narrow(1, others + i, 1).to_dtype(DType::F64).to_vec::<f64>();
            let bad = |index: &&f64| !(index.fract() == 0.0 && (0.0..=column.num_embeddings as f64).contains(*index));
            if let Some(index) = indices.iter().find(bad) {
                return Err(Error::Data(format!(
                    "column {} holds {index}, which is none of the {} categories, 0 to {}, nor {} for one never seen",
                    others + i,
                    column.num_embeddings,
                    column.num_embeddings - 1,
                    column.num_embeddings
                )));
            }
        }
        Ok(())
    }
}

impl Layer for EmbedColumns {
    fn plan(&self, input: &Shape) -> Result<Plan> {
        if input.rank() != 1 || input[0] < self.columns.len() {
            return Err(Error::Config(format!(
                "EmbedColumns: samples of shape {input} do not have the {} columns of categories",
                self.columns.len()
            )));
        }
        let mut plan = Plan { output_shape: *input, weights: 0 };
        let mut features = self.others(input[0]);
        for (column, embedding) in self.columns.iter().zip(&self.embeddings) {
            let own = embedding.plan(&Shape::from([]))?;
            features = features.saturating_add(column.embedding_dim);
            plan.weights = plan.weights.saturating_add(own.weights);
        }
        plan.output_shape = Shape::try_new(&[features])?;
        Ok(plan)
    }

    fn build(&mut self, _input: &Shape, rng: &mut Rng) -> Result<()> {
        self.embeddings.iter_mut().try_for_each(|embedding| embedding.build(&Shape::from([]), rng))
    }

    fn config(&self) -> LayerConfig {
        LayerConfig::of(self)
    }

    fn label(&self) -> String {
        format!("EmbedColumns of {}", self.columns.len())
    }
}

impl LayerKind for EmbedColumns {
    const NAME: &'static str = "embed_columns";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::autograd::check_gradients;

    fn layer() -> EmbedColumns {
        let sizes = [(3, 2), (2, 1)];
        let columns = sizes.map(|(num_embeddings, embedding_dim)| EmbeddedColumn { num_embeddings, embedding_dim });
        EmbedColumns::new(columns).built([4], &mut Rng::new(1)).unwrap()
    }

    #[test]
    fn numbers_are_passed_on_and_categories_become_their_vectors() {
        let layer = layer();
        let x = Tensor::from([[0.5, 0.25, 2.0, 0.0], [1.5, 1.25, 0.0, 1.0]]);
        let y = layer.forward(&x, &mut Context::evaluation()).to_vec::<f32>();
        let state = layer.state_dict();
        let (first, second) = (state[0].1.to_vec::<f32>(), state[1].1.to_vec::<f32>());
        assert_eq!(y[..5], [0.5, 0.25, first[4], first[5], second[0]]);
        assert_eq!(y[5..], [1.5, 1.25, first[0], first[1], second[1]]);
        assert_eq!(state[1].0, "embeddings.1.weight");
    }

    #[test]
    fn a_category_never_seen_is_the_mean_of_all() {
        let layer = layer();
        let x = Tensor::from([[0.5, 0.25, 3.0, 2.0], [0.5, 0.25, 1.0, 2.0]]);
        layer.check_inputs(&x).unwrap();
        let y = layer.forward(&x, &mut Context::evaluation());
        let state = layer.state_dict();
        let (first, second) = (&state[0].1, &state[1].1);
        let row = |own: Tensor| concat(&[Tensor::from([0.5, 0.25]), own, second.mean_axes(&[0])], 0).to_vec::<f32>();
        assert_eq!(y.narrow(0, 0, 1).to_vec::<f32>(), row(first.mean_axes(&[0])));
        assert_eq!(y.narrow(0, 1, 1).to_vec::<f32>(), row(first.narrow(0, 1, 1).reshape([2])));
    }

    #[test]
    fn gradients_reach_numbers_and_vectors() {
        let layer = layer();
        // The last one is a category never seen.
        let index = Tensor::from([[2.0, 0.0], [3.0, 1.0]]).to_dtype(DType::F64);
        let x = Tensor::from([[0.5, 0.25], [1.5, 1.25]]).to_dtype(DType::F64);
        let weights: Vec<Tensor> = layer.state_dict().into_iter().map(|(_, w)| w.to_dtype(DType::F64)).collect();
        let f = |inputs: &[Tensor]| {
            let mut own = layer.clone();
            let mut new = inputs[1..].iter();
            own.visit_mut("", &mut |_, weight| *weight = new.next().unwrap().clone());
            let all = concat(&[inputs[0].clone(), index.clone()], 1);
            own.forward(&all, &mut Context::evaluation()).powi(2).sum()
        };
        assert!(check_gradients(f, &[x, weights[0].clone(), weights[1].clone()]) < 1e-6);
    }

    #[test]
    fn indices_that_are_no_category_are_errors() {
        let message =
            |index: f32| layer().check_inputs(&Tensor::from([[0.0, 0.0, index, 0.0]])).unwrap_err().to_string();
        for index in [4.0, -1.0, 0.5] {
            assert!(message(index).contains("none of the 3 categories, 0 to 2"), "{}", message(index));
        }
    }
}
