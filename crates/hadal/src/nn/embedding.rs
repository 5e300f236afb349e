//! A vector for each word.

use serde::{Deserialize, Serialize};

use super::lengths::lengths_of;
use super::{Context, Forward, Initializer, Layer, LayerConfig, LayerKind, Module, Plan};
use crate::{DType, Error, Result, Rng, Shape, Tensor};

/// An embedding layer: maps each index to a trainable vector. Input `i64` `[batch, ..]`, output `[batch, .., embedding_dim]`.
/// Vectors are initialized uniformly in ±0.05, Keras's default; PyTorch's is the standard normal,
/// [`initializer`](Embedding::initializer)`(Initializer::Normal(1.0))`.
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    padding_index: Option<usize>,
    #[serde(default = "keras", skip_serializing_if = "is_keras")]
    init: Initializer,
    #[serde(skip)]
    pub(super) weight: Option<Tensor>,
}

/// Keras's initializer.
fn keras() -> Initializer {
    Initializer::Uniform(0.05)
}

fn is_keras(init: &Initializer) -> bool {
    *init == keras()
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
        Embedding { num_embeddings, embedding_dim, padding_index: None, init: keras(), weight: None }
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

    /// The initializer of the vectors. Default: uniform in ±0.05, Keras's.
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

    /// The index that fills sequences up to a common length, behind their ends: for samples `[time]` of differing length. Recurrent
    /// layers compute no step beyond a sequence's end, [`bidirectional`](super::Lstm::bidirectional) ones begin there, and attention
    /// leaves out what is beyond; where the outputs are one for each step, so do `fit` and `evaluate` in losses and metrics: the results
    /// are those of the sequences without padding. Targets there may be any that are allowed; predictions there mean nothing. Keras's `mask_zero`,
    /// and PyTorch's `padding_idx` with packed sequences.
    ///
    /// Layers that would mix a sequence with its padding ([`Flatten`](super::Flatten), convolutions) are refused when the
    /// network is built. Each sequence has at least one step. [`pad_sequences`](crate::data::pad_sequences) makes such samples.
    ///
    /// ```
    /// use hadal::data::pad_sequences;
    /// use hadal::prelude::*;
    /// let words = pad_sequences(&[vec![3, 1, 2], vec![4], vec![2, 5]], 0)?;
    /// let model = Sequential::new([3]).add(Embedding::new(6, 4).padding_index(0)).add(Gru::new(8)).add(Dense::new(2));
    /// let mut model = model.compile(Adam::default(), CategoricalCrossentropy.from_logits(), Accuracy)?;
    /// model.fit(&Dataset::new("words", words, Tensor::from([0, 1, 0]))?, Fit::epochs(1).quiet())?;
    /// let alone = Sequential::new([1]).add(Embedding::new(6, 4)).add(Gru::new(8)).add(Dense::new(2));
    /// let mut alone = alone.build()?;
    /// alone.load_state_dict(&model.model.state_dict().into_iter().collect())?;
    /// let (y, expected) = (model.predict(&Tensor::from([[4, 0, 0]]))?, alone.forward(&Tensor::from([[4]]), &mut Context::evaluation()));
    /// assert!((y - expected).abs().max().item() < 1e-6);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    #[doc(alias = "mask_zero")]
    #[doc(alias = "padding_idx")]
    #[doc(alias = "Masking")]
    #[doc(alias = "pack_padded_sequence")]
    pub fn padding_index(mut self, index: usize) -> Embedding {
        self.padding_index = Some(index);
        self
    }

    /// The lengths of sequences with a padding index; `None` without.
    fn lengths(&self, x: &Tensor) -> Option<Result<Vec<usize>, String>> {
        let padding = self.padding_index?;
        let is_batch = x.rank() == 2 && x.size(1) > 0;
        Some(if is_batch {
            lengths_of(x, padding)
        } else {
            Err(format!("with a padding index the input is [batch, time], not of shape {}", x.shape()))
        })
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
    /// If the layer has not been built, or an index is not below the size of the vocabulary; if there is padding before the end of a
    /// sequence.
    #[track_caller]
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        let Some(weight) = &self.weight else {
            panic!(
                "Embedding: the layer has no weights yet; make it with built(), or build or compile the Sequential that contains it"
            );
        };
        match self.lengths(x) {
            Some(Ok(lengths)) => ctx.set_lengths(Some(lengths.into())),
            Some(Err(problem)) => panic!("Embedding: {problem}"),
            None => {}
        }
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
            None => self.lengths(x).transpose().map_or_else(|problem| Err(Error::Data(problem)), |_| Ok(())),
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
        if let Some(index) = self.padding_index {
            if index >= self.num_embeddings {
                return Err(Error::Config(format!(
                    "Embedding: the padding index {index} is not below the {} of the vocabulary; it is one of its indices",
                    self.num_embeddings
                )));
            }
            if input.rank() != 1 || input[0] == 0 {
                return Err(Error::Config(format!(
                    "Embedding: with a padding index, samples are sequences, of shape [time], but its input has shape {input}"
                )));
            }
        }
        self.init.check()?;
        let mut sizes = input.to_vec();
        sizes.push(self.embedding_dim);
        Ok(Plan {
            output_shape: Shape::try_new(&sizes)?,
            weights: self.num_embeddings.saturating_mul(self.embedding_dim),
        })
    }

    fn keeps_lengths(&self, padded: bool) -> Result<bool> {
        Ok(padded || self.padding_index.is_some())
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
