//! A vector for each word.

use serde::{Deserialize, Serialize};

use super::{Context, Forward, Initializer, Layer, LayerConfig, LayerKind, Module, Plan};
use crate::{DType, Error, Result, Rng, Shape, Tensor};

/// An embedding layer: maps each index to a trainable vector. Input `i64` `[batch, ..]`, output `[batch, .., embedding_dim]`.
/// Vectors are initialized uniformly in ±0.05, Keras's default; PyTorch's is the standard normal.
///
/// ```
/// use hadal::nn::Embedding;
/// use hadal::prelude::*;
/// let model = Sequential::new([4]).add(Embedding::new(1000, 16)).add(Flatten).add(Dense::new(2)).build()?;
/// let words = Tensor::from_slice(&[1i64, 5, 999, 0], [1, 4]);
/// assert_eq!(model.forward(&words, &mut Context::evaluation()).shape(), &[1, 2]);
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Embedding {
    #[serde(alias = "vocabulary")]
    num_embeddings: usize,
    #[serde(alias = "size")]
    embedding_dim: usize,
    #[serde(skip, default = "keras")]
    init: Initializer,
    #[serde(skip)]
    pub(super) weight: Option<Tensor>,
}

/// Keras's initializer. A loaded layer has its vectors from the file.
fn keras() -> Initializer {
    Initializer::Uniform(0.05)
}

impl Embedding {
    /// An embedding of the indices below `num_embeddings` into vectors of length `embedding_dim`.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let model = Sequential::new([4]).add(Embedding::new(100, 8)).build()?;
    /// assert_eq!(model.output_shape(), Some([4, 8].into()));
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn new(num_embeddings: usize, embedding_dim: usize) -> Embedding {
        Embedding { num_embeddings, embedding_dim, init: keras(), weight: None }
    }

    /// For a module of your own: an embedding with its vectors, ready to be used.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let words = Embedding::with(1000, 16, &mut Rng::new(0));
    /// let vectors = words.forward(&Tensor::arange(5), &mut Context::evaluation());
    /// assert_eq!(vectors.shape(), &[5, 16]);
    /// ```
    ///
    /// # Panics
    /// If a size is 0.
    #[track_caller]
    pub fn with(num_embeddings: usize, embedding_dim: usize, rng: &mut Rng) -> Embedding {
        assert!(num_embeddings > 0 && embedding_dim > 0, "Embedding: both sizes must be at least 1");
        let mut layer = Embedding::new(num_embeddings, embedding_dim);
        layer.make_vectors(rng);
        layer
    }

    #[track_caller]
    fn make_vectors(&mut self, rng: &mut Rng) {
        self.weight = Some(self.init.make(&[self.num_embeddings, self.embedding_dim], rng).requires_grad());
    }

    /// The initializer of the vectors.
    ///
    /// ```
    /// use hadal::nn::Initializer;
    /// use hadal::prelude::*;
    /// // PyTorch's default.
    /// let words = Embedding::new(100, 8).initializer(Initializer::Normal(1.0)).built([4], &mut Rng::new(0))?;
    /// assert_eq!(words.parameter_count(), 800);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn initializer(mut self, init: Initializer) -> Embedding {
        self.init = init;
        self
    }
}

impl Module for Embedding {
    fn visit(&self, path: &str, visitor: &mut dyn FnMut(&str, &Tensor)) {
        self.weight.visit(&super::join(path, "weight"), visitor);
    }

    fn visit_mut(&mut self, path: &str, visitor: &mut dyn FnMut(&str, &mut Tensor)) {
        self.weight.visit_mut(&super::join(path, "weight"), visitor);
    }
}

impl Forward for Embedding {
    /// # Panics
    /// If the layer has not been built, or an index is not below the size of the vocabulary.
    #[track_caller]
    fn forward(&self, x: &Tensor, _ctx: &mut Context) -> Tensor {
        let Some(weight) = &self.weight else {
            panic!(
                "Embedding: the layer has no weights yet; make it with built(), or build or compile the Sequential that contains it"
            );
        };
        let mut sizes = x.shape().to_vec();
        sizes.push(self.embedding_dim);
        weight.index_select(0, &x.reshape([x.elements()])).reshape(sizes)
    }

    fn check_inputs(&self, x: &Tensor) -> Result<()> {
        if x.dtype() != DType::I64 {
            return Err(Error::Data(format!(
                "Embedding takes i64 indices, not {}; convert them with to_dtype(DType::I64), u8 inputs before they are put into a Dataset",
                x.dtype()
            )));
        }
        let bad = |&index: &i64| usize::try_from(index).is_err() || index as usize >= self.num_embeddings;
        match x.to_vec::<i64>().into_iter().find(bad) {
            None => Ok(()),
            Some(index) => Err(Error::Data(format!(
                "index {index} is out of range for an Embedding of {} vectors, 0 to {}",
                self.num_embeddings,
                self.num_embeddings as i64 - 1
            ))),
        }
    }
}

impl Layer for Embedding {
    fn plan(&self, input: &Shape) -> Result<Plan> {
        if self.num_embeddings == 0 || self.embedding_dim == 0 {
            return Err(Error::Config(
                "Embedding: the vocabulary size and the vector length must be at least 1".into(),
            ));
        }
        if input.rank() + 2 > crate::MAX_RANK {
            return Err(Error::Config(format!("Embedding: its input of shape {input} has too many axes")));
        }
        self.init.check()?;
        let mut sizes = input.to_vec();
        sizes.push(self.embedding_dim);
        Ok(Plan {
            output_shape: Shape::try_new(&sizes)?,
            weights: self.num_embeddings.saturating_mul(self.embedding_dim),
        })
    }

    fn build(&mut self, _input: &Shape, rng: &mut Rng) -> Result<()> {
        self.make_vectors(rng);
        Ok(())
    }

    fn config(&self) -> LayerConfig {
        LayerConfig::of(self)
    }
}

impl LayerKind for Embedding {
    const NAME: &'static str = "embedding";
}
