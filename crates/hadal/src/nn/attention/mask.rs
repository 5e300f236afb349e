//! What attention does not look at.

use super::positions::check_sequence;
use crate::nn::Context;
use crate::{DType, Shape, Tensor};

/// Which keys a query does not attend to. In boolean masks true means "left out", as in PyTorch's `MultiheadAttention` (in its
/// `scaled_dot_product_attention`, and in Keras, true means "taken part"). A query of which all keys are left out gives zeros.
///
/// ```
/// use hadal::nn::AttentionMask;
/// use hadal::prelude::*;
/// // The second of two samples ends after 1 of 3 places, and no place looks at what comes after it.
/// let padding = Tensor::from([[false, false, false], [false, true, true]]);
/// let mask = AttentionMask::new().causal().padding(&padding);
/// let attention = MultiHeadAttention::with(4, 2, &mut Rng::new(0));
/// let x = Tensor::randn([2, 3, 4], &mut Rng::new(1));
/// let y = attention.attend(&x, &x, &x, &mask, &mut Context::evaluation());
/// assert_eq!(y.shape(), &[2, 3, 4]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct AttentionMask {
    causal: bool,
    padding: Option<Tensor>,
    mask: Option<Tensor>,
}

impl AttentionMask {
    /// Nothing is left out.
    pub fn new() -> AttentionMask {
        AttentionMask::default()
    }

    /// Leaves out the keys that come after a query: of `T` queries and `S` keys, query `i` has the keys up to `i + S - T`.
    pub fn causal(mut self) -> AttentionMask {
        self.causal = true;
        self
    }

    /// Leaves out keys of each sample: `bool`, `[N, S]`. PyTorch's `key_padding_mask`.
    ///
    /// # Panics
    /// If the tensor is not `bool` of two axes.
    #[doc(alias = "key_padding_mask")]
    #[track_caller]
    pub fn padding(mut self, padding: &Tensor) -> AttentionMask {
        assert!(
            padding.dtype() == DType::Bool && padding.rank() == 2,
            "AttentionMask: the padding must be bool of shape [N, S], true for keys that are left out, not {} of shape {}",
            padding.dtype(),
            padding.shape()
        );
        self.padding = Some(padding.clone());
        self
    }

    /// Leaves out the padding behind the sequences of `x` `[N, T, E]`, whose lengths the context has. Where keys that come after a query
    /// are left out anyway, nothing is left to do: what a query in the padding gives does not count.
    ///
    /// # Panics
    /// If `x` is not `[N, T, E]`, or the lengths do not fit it.
    #[track_caller]
    pub(super) fn of_lengths(layer: &str, x: &Tensor, causal: bool, ctx: &Context) -> AttentionMask {
        check_sequence(layer, x);
        match ctx.lengths_within(layer, x) {
            Some(lengths) if !causal => {
                let places = |&length: &usize| (0..x.size(1)).map(move |place| place >= length);
                let padding: Vec<bool> = lengths.iter().flat_map(places).collect();
                AttentionMask::new().padding(&Tensor::from_vec(padding, [lengths.len(), x.size(1)]))
            }
            _ => AttentionMask::new(),
        }
    }

    /// Leaves out keys of each query, where `mask` is `bool`, or adds numbers to the scores, where it is floating-point: minus infinity
    /// leaves a key out. `[T, S]`, `[N, T, S]` for each sample, or `[N, H, T, S]` for each head; sizes may be 1. PyTorch's `attn_mask`.
    ///
    /// # Panics
    /// If the tensor holds integers or has another number of axes.
    #[doc(alias = "attn_mask")]
    #[track_caller]
    pub fn mask(mut self, mask: &Tensor) -> AttentionMask {
        assert!(
            (mask.dtype() == DType::Bool || mask.dtype().is_float()) && (2..=4).contains(&mask.rank()),
            "AttentionMask: the mask must be bool or floating-point of shape [T, S], [N, T, S] or [N, H, T, S], not {} of shape {}",
            mask.dtype(),
            mask.shape()
        );
        self.mask = Some(mask.clone());
        self
    }

    pub(super) fn is_causal(&self) -> bool {
        self.causal
    }

    pub(super) fn has_tensors(&self) -> bool {
        self.padding.is_some() || self.mask.is_some()
    }

    /// What is left out and what is added, both of shapes that broadcast to the scores, `[N, H, T, S]` or with fewer leading axes.
    #[track_caller]
    pub(super) fn for_scores(&self, scores: &Shape) -> (Option<Tensor>, Option<Tensor>) {
        let rank = scores.rank();
        let padding = self.padding.as_ref().map(|padding| {
            let mut sizes = vec![1; rank.max(2)];
            (sizes[0], sizes[rank.max(2) - 1]) = (padding.size(0), padding.size(1));
            padding.reshape(sizes)
        });
        let mask =
            self.mask.as_ref().map(|mask| if mask.rank() == 3 && rank == 4 { mask.unsqueeze(1) } else { mask.clone() });
        for (name, given, wide) in [("padding", &self.padding, &padding), ("mask", &self.mask, &mask)] {
            if let (Some(given), Some(wide)) = (given, wide) {
                let (queries, keys) = (scores[rank - 2], scores[rank - 1]);
                let samples = if rank > 2 { scores[0] } else { 1 };
                let fitting = match (name, rank) {
                    ("padding", _) => format!("[{samples}, {keys}]"),
                    (_, 2) => format!("[{queries}, {keys}]"),
                    (_, 4) => format!(
                        "[{queries}, {keys}], [{samples}, {queries}, {keys}] or {scores}, or have sizes of 1 in it"
                    ),
                    _ => format!("[{queries}, {keys}] or {scores}, or have sizes of 1 in it"),
                };
                assert!(
                    wide.shape().broadcast(scores) == Some(*scores),
                    "AttentionMask: the {name} of shape {} does not fit the scores {scores} of {queries} queries and {keys} keys; it \
                     must be {fitting}",
                    given.shape()
                );
            }
        }
        match mask {
            Some(mask) if mask.dtype() != DType::Bool => (padding, Some(mask)),
            Some(mask) => (Some(padding.map_or_else(|| mask.clone(), |padding| mask.where_(&mask, &padding))), None),
            None => (padding, None),
        }
    }
}
