//! A vector for each word.

use super::{Context, Forward, Initializer, Layer, LayerConfig, Module, Plan};
use crate::{DType, Error, Result, Rng, Shape, Tensor};

/// An embedding layer: maps each index to a trainable vector. Input `i64` `[batch, ..]`, output `[batch, .., size]`. Vectors are initialized uniformly in ±0.05, Keras's default; PyTorch's is the standard normal.
///
/// ```
/// use hadal::nn::Embedding;
/// use hadal::prelude::*;
/// let model = Sequential::new([4]).add(Embedding::new(1000, 16)).add(Flatten).add(Dense::new(2)).build()?;
/// let words = Tensor::from_slice(&[1i64, 5, 999, 0], [1, 4]);
/// assert_eq!(model.forward(&words, &mut Context::evaluation()).shape(), &[1, 2]);
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Embedding {
    vocabulary: usize,
    size: usize,
    init: Initializer,
    weight: Option<Tensor>,
}

impl Embedding {
    /// An embedding of `vocabulary` indices into vectors of length `size`.
    pub fn new(vocabulary: usize, size: usize) -> Embedding {
        Embedding { vocabulary, size, init: Initializer::Uniform(0.05), weight: None }
    }

    /// The initializer of the vectors.
    pub fn init(mut self, init: Initializer) -> Embedding {
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
            panic!("Embedding: the layer is not built; build or compile the Sequential that contains it first");
        };
        let mut sizes = x.shape().to_vec();
        sizes.push(self.size);
        weight.index_select(0, &x.reshape([x.elements()])).reshape(sizes)
    }

    fn check_inputs(&self, x: &Tensor) -> Result<()> {
        if x.dtype() != DType::I64 {
            return Err(Error::Data(format!(
                "Embedding takes i64 indices, not {}; convert them with to_dtype(DType::I64), u8 inputs before they are put into a Dataset",
                x.dtype()
            )));
        }
        let bad = |&index: &i64| usize::try_from(index).is_err() || index as usize >= self.vocabulary;
        match x.to_vec::<i64>().into_iter().find(bad) {
            None => Ok(()),
            Some(index) => Err(Error::Data(format!(
                "index {index} is out of range for an Embedding of {} vectors, 0 to {}",
                self.vocabulary,
                self.vocabulary as i64 - 1
            ))),
        }
    }
}

impl Layer for Embedding {
    fn plan(&self, input: &Shape) -> Result<Plan> {
        if self.vocabulary == 0 || self.size == 0 {
            return Err(Error::Config(
                "Embedding: the vocabulary size and the vector length must be at least 1".into(),
            ));
        }
        if input.rank() + 2 > crate::MAX_RANK {
            return Err(Error::Config(format!("Embedding: its input of shape {input} has too many axes")));
        }
        self.init.check()?;
        let mut sizes = input.to_vec();
        sizes.push(self.size);
        Ok(Plan { output: Shape::try_new(&sizes)?, numbers: self.vocabulary.saturating_mul(self.size) })
    }

    fn build(&mut self, _input: &Shape, rng: &mut Rng) -> Result<()> {
        self.weight = Some(self.init.make(&[self.vocabulary, self.size], rng).requires_grad());
        Ok(())
    }

    fn config(&self) -> LayerConfig {
        LayerConfig::Embedding { vocabulary: self.vocabulary, size: self.size }
    }
}
