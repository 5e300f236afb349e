//! The linear maps around the heads of multi-head attention.

use crate::Tensor;
use crate::nn::{Context, Forward, Linear, Module, join};

/// What makes queries, keys and values, and what makes the output of what the heads give.
#[derive(Clone, Debug)]
pub(super) struct Projections {
    pub input: InputWeights,
    pub in_proj_bias: Option<Tensor>,
    pub out_proj: Linear,
}

/// What makes queries, keys and values.
#[derive(Clone, Debug)]
pub(super) enum InputWeights {
    /// `[3E, E]`.
    Joint(Tensor),
    /// `[E, E]`, `[E, key size]`, `[E, value size]`.
    Apart([Tensor; 3]),
}

const APART: [&str; 3] = ["q_proj_weight", "k_proj_weight", "v_proj_weight"];

impl Projections {
    /// Queries, keys and values of so many heads, each `[N, H, T, D]`: views of `x W + b`, which is one product where all come from one
    /// tensor.
    #[track_caller]
    pub fn heads_of(&self, heads: usize, [query, key, value]: [&Tensor; 3]) -> [Tensor; 3] {
        let ranks = query.rank() == 3 && key.rank() == 3 && value.rank() == 3;
        let fits = ranks && query.size(0) == key.size(0) && key.shape()[..2] == value.shape()[..2];
        assert!(
            fits,
            "MultiHeadAttention: query {}, key {} and value {} do not fit: they must be [N, T, E], [N, S, key size] and [N, S, value size]",
            query.shape(),
            key.shape(),
            value.shape()
        );
        match &self.input {
            InputWeights::Joint(weight) if std::ptr::eq(query, key) && std::ptr::eq(key, value) => {
                check_features("queries", query, weight);
                let y = query.linear(weight, self.in_proj_bias.as_ref());
                let y = y.reshape([query.size(0), query.size(1), 3 * heads, weight.size(0) / (3 * heads)]);
                [0, 1, 2].map(|which| y.narrow(2, which * heads, heads).transpose(1, 2))
            }
            _ => [self.head(heads, 0, query), self.head(heads, 1, key), self.head(heads, 2, value)],
        }
    }

    /// Queries alone.
    #[track_caller]
    pub fn queries_of(&self, heads: usize, query: &Tensor) -> Tensor {
        self.head(heads, 0, query)
    }

    /// Queries, keys or values.
    #[track_caller]
    fn head(&self, heads: usize, which: usize, x: &Tensor) -> Tensor {
        let features = self.out_proj.weight.size(0);
        let weight = match &self.input {
            InputWeights::Joint(weight) => weight.narrow(0, which * features, features),
            InputWeights::Apart(apart) => apart[which].clone(),
        };
        check_features(["queries", "keys", "values"][which], x, &weight);
        let bias = self.in_proj_bias.as_ref().map(|bias| bias.narrow(0, which * features, features));
        let y = x.linear(&weight, bias.as_ref());
        y.reshape([x.size(0), x.size(1), heads, features / heads]).transpose(1, 2)
    }

    /// The output from what the heads give, `[N, H, T, D]`.
    #[track_caller]
    pub fn join(&self, heads: &Tensor, ctx: &mut Context) -> Tensor {
        let rows = heads.transpose(1, 2).flatten(2);
        self.out_proj.forward(&rows, ctx)
    }
}

#[track_caller]
fn check_features(what: &str, x: &Tensor, weight: &Tensor) {
    assert!(
        x.size(-1) == weight.size(1),
        "MultiHeadAttention: {what} of shape {} do not fit: the layer takes {} features on the last axis",
        x.shape(),
        weight.size(1)
    );
}

impl Module for Projections {
    fn visit(&self, path: &str, visitor: &mut dyn FnMut(&str, &Tensor)) {
        match &self.input {
            InputWeights::Joint(weight) => visitor(&join(path, "in_proj_weight"), weight),
            InputWeights::Apart(apart) => {
                APART.iter().zip(apart).for_each(|(name, weight)| visitor(&join(path, name), weight));
            }
        }
        self.in_proj_bias.visit(&join(path, "in_proj_bias"), visitor);
        self.out_proj.visit(&join(path, "out_proj"), visitor);
    }

    fn visit_mut(&mut self, path: &str, visitor: &mut dyn FnMut(&str, &mut Tensor)) {
        match &mut self.input {
            InputWeights::Joint(weight) => visitor(&join(path, "in_proj_weight"), weight),
            InputWeights::Apart(apart) => {
                APART.iter().zip(apart).for_each(|(name, weight)| visitor(&join(path, name), weight));
            }
        }
        self.in_proj_bias.visit_mut(&join(path, "in_proj_bias"), visitor);
        self.out_proj.visit_mut(&join(path, "out_proj"), visitor);
    }
}
