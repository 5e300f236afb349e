//! Sequences that a network continues.

use super::{Forward, Stream};
use crate::{DType, Error, Result, Rng, Tensor};

/// How the next element of a sequence is drawn from a network's logits.
///
/// ```
/// use hadal::nn::Sampling;
/// use hadal::{Rng, Tensor};
/// let logits = Tensor::from([0.0, 2.0, 1.0]);
/// assert_eq!(Sampling::greedy().draw(&logits, &mut Rng::new(0))?, 1);
/// let sampling = Sampling::new().temperature(0.8).top_k(2);
/// assert_ne!(sampling.draw(&logits, &mut Rng::new(0))?, 0);
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    temperature: f64,
    top_k: usize,
    top_p: f64,
}

impl Default for Sampling {
    fn default() -> Sampling {
        Sampling::new()
    }
}

impl Sampling {
    /// By the softmax of the logits.
    pub fn new() -> Sampling {
        Sampling { temperature: 1.0, top_k: usize::MAX, top_p: 1.0 }
    }

    /// Always the most probable, the first of equals: temperature 0.
    pub fn greedy() -> Sampling {
        Sampling::new().temperature(0.0)
    }

    /// Divides the logits by `temperature` first: below 1 what is probable becomes more so. 0 is the most probable alone. Default: 1.
    pub fn temperature(mut self, temperature: f64) -> Sampling {
        self.temperature = temperature;
        self
    }

    /// Draws among the `k` most probable alone (Fan, Lewis and Dauphin, ACL 2018, section 5.4). Default: among all.
    pub fn top_k(mut self, k: usize) -> Sampling {
        self.top_k = k;
        self
    }

    /// Draws among the most probable alone whose probabilities add up to at least `p`, as few as possible: nucleus sampling
    /// (Holtzman and others, ICLR 2020, eq. 2). Default: 1, among all.
    pub fn top_p(mut self, p: f64) -> Sampling {
        self.top_p = p;
        self
    }

    /// # Errors
    /// If the temperature is negative or not finite, `k` is 0, or `p` is not above 0 and at most 1.
    pub fn check(&self) -> Result<()> {
        let Sampling { temperature, top_k, top_p } = *self;
        if !(temperature >= 0.0 && temperature.is_finite()) {
            return Err(Error::Config(format!("the temperature must be 0 or a positive number, not {temperature}")));
        }
        if top_k == 0 {
            return Err(Error::Config("top_k must be at least 1, not 0".into()));
        }
        if !(top_p > 0.0 && top_p <= 1.0) {
            return Err(Error::Config(format!("top_p must be above 0 and at most 1, not {top_p}")));
        }
        Ok(())
    }

    /// Draws an index of `logits`, `[C]`.
    ///
    /// # Errors
    /// As [`check`](Sampling::check); or if a logit is NaN or all are minus infinity, or there are none.
    pub fn draw(&self, logits: &Tensor, rng: &mut Rng) -> Result<usize> {
        self.check()?;
        let logits = logits.to_dtype(DType::F64).to_vec::<f64>();
        let mut order: Vec<usize> = (0..logits.len()).collect();
        let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if logits.iter().any(|logit| logit.is_nan()) || !largest.is_finite() {
            return Err(Error::Data(
                "the network's outputs are not finite: nothing can be drawn from them; it has not been trained well"
                    .into(),
            ));
        }
        order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]).then(a.cmp(&b)));
        if self.temperature == 0.0 {
            return Ok(order[0]);
        }
        order.truncate(self.top_k);
        let mut shares: Vec<f64> = order.iter().map(|&i| ((logits[i] - largest) / self.temperature).exp()).collect();
        let total: f64 = shares.iter().sum();
        // The fewest whose sum reaches `top_p` of all.
        let mut sum = 0.0;
        let kept = shares.iter().position(|share| {
            sum += share;
            sum >= self.top_p * total
        });
        shares.truncate(kept.map_or(shares.len(), |last| last + 1));
        let mut left = f64::from(rng.uniform()) * shares.iter().sum::<f64>();
        let drawn = shares.iter().position(|share| {
            left -= share;
            left < 0.0
        });
        Ok(order[drawn.unwrap_or(shares.len() - 1)])
    }
}

/// Continues a sequence, element by element: an iterator that does not end. What the network has computed for the elements so far is
/// kept ([`Stream`]), so that each costs one step.
///
/// The network maps numbers `[1, T]` of type `i64` to logits `[1, T, C]`. With a `context`, it sees so many elements at most: where
/// they are full, it goes on from the last half of them. Without, it sees as many as it can
/// ([`stream_length`](Forward::stream_length)), all of them if there is no limit.
///
/// ```
/// use hadal::nn::networks::{GptConfig, gpt};
/// use hadal::nn::{Generator, Sampling};
/// use hadal::prelude::*;
/// let config = GptConfig { vocabulary: 5, context: 8, layers: 1, heads: 1, width: 4, ..GptConfig::default() };
/// let model = gpt(config)?.build()?;
/// let generator = Generator::new(&model, &[1, 2, 3], Some(8), Sampling::new().top_k(3), Rng::new(1))?;
/// let more = generator.take(20).collect::<hadal::Result<Vec<i64>>>()?;
/// assert!(more.len() == 20 && more.iter().all(|element| (0..5).contains(element)));
/// # Ok::<(), hadal::Error>(())
/// ```
pub struct Generator<'a> {
    model: &'a dyn Forward,
    stream: Stream<'a>,
    /// What the stream has not seen yet.
    pending: Vec<i64>,
    /// What it has seen, where there is a context.
    seen: Vec<i64>,
    context: usize,
    sampling: Sampling,
    rng: Rng,
}

impl<'a> Generator<'a> {
    /// Continues `prompt`.
    ///
    /// # Errors
    /// If the prompt is empty, the context is 0 or more than the network can see, the network cannot take a sequence piece by piece, or as
    /// [`Sampling::check`].
    pub fn new(
        model: &'a dyn Forward,
        prompt: &[i64],
        context: Option<usize>,
        sampling: Sampling,
        rng: Rng,
    ) -> Result<Generator<'a>> {
        sampling.check()?;
        if prompt.is_empty() {
            return Err(Error::Config("the prompt is empty; give the network at least one element to continue".into()));
        }
        if context == Some(0) {
            return Err(Error::Config("the context must be at least 1 element, not 0".into()));
        }
        let context = match (context, model.stream_length()?) {
            (Some(context), Some(most)) if context > most => {
                return Err(Error::Config(format!(
                    "the context of {context} elements is longer than the {most} that the network can see; set it to {most} or less"
                )));
            }
            (context, most) => context.or(most).unwrap_or(usize::MAX),
        };
        let pending = prompt[prompt.len().saturating_sub(context)..].to_vec();
        Ok(Generator { model, stream: Stream::new(model), pending, seen: Vec::new(), context, sampling, rng })
    }

    fn draw(&mut self) -> Result<i64> {
        if self.seen.len() + self.pending.len() > self.context {
            self.seen.append(&mut self.pending);
            self.pending = self.seen.split_off(self.seen.len() - self.context.div_ceil(2));
            self.seen.clear();
            self.stream = Stream::new(self.model);
        }
        let piece = Tensor::from_slice(&self.pending, [1, self.pending.len()]);
        self.model.check_inputs(&piece)?;
        let logits = self.stream.feed(&piece);
        if logits.rank() != 3 || logits.size(1) != self.pending.len() {
            return Err(Error::Data(format!(
                "the network gives {} for {}; to continue sequences it must give logits [1, T, C]",
                logits.shape(),
                piece.shape()
            )));
        }
        let last = logits.i((0, -1));
        let next = self.sampling.draw(&last, &mut self.rng)? as i64;
        if self.context < usize::MAX {
            self.seen.append(&mut self.pending);
        }
        self.pending = vec![next];
        Ok(next)
    }
}

impl Iterator for Generator<'_> {
    type Item = Result<i64>;

    fn next(&mut self) -> Option<Result<i64>> {
        Some(self.draw())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_follow_the_probabilities_of_what_is_kept() {
        let logits = Tensor::from([0.1f32.ln(), 0.2f32.ln(), 0.3f32.ln(), 0.4f32.ln()]);
        let counts = |sampling: Sampling| {
            let (mut rng, mut counts) = (Rng::new(1), [0usize; 4]);
            (0..20_000).for_each(|_| counts[sampling.draw(&logits, &mut rng).unwrap()] += 1);
            counts.map(|count| count as f64 / 20_000.0)
        };
        let close = |got: [f64; 4], expected: [f64; 4]| {
            assert!(got.iter().zip(expected).all(|(got, expected)| (got - expected).abs() < 0.015), "{got:?}");
        };
        close(counts(Sampling::new()), [0.1, 0.2, 0.3, 0.4]);
        close(counts(Sampling::new().top_k(2)), [0.0, 0.0, 3.0 / 7.0, 4.0 / 7.0]);
        close(counts(Sampling::new().top_p(0.69)), [0.0, 0.0, 3.0 / 7.0, 4.0 / 7.0]);
        close(counts(Sampling::new().top_p(0.71)), [0.0, 2.0 / 9.0, 3.0 / 9.0, 4.0 / 9.0]);
        let squares: f64 = 0.3;
        close(counts(Sampling::new().temperature(0.5)), [0.01, 0.04, 0.09, 0.16].map(|share| share / squares));
        close(counts(Sampling::greedy()), [0.0, 0.0, 0.0, 1.0]);
    }

    #[test]
    fn bad_settings_and_outputs_are_refused() {
        let logits = Tensor::from([0.0, 1.0]);
        let mut rng = Rng::new(1);
        for (sampling, words) in [
            (Sampling::new().temperature(-1.0), "temperature"),
            (Sampling::new().temperature(f64::NAN), "temperature"),
            (Sampling::new().top_k(0), "top_k"),
            (Sampling::new().top_p(0.0), "top_p"),
            (Sampling::new().top_p(1.5), "top_p"),
        ] {
            assert!(sampling.draw(&logits, &mut rng).unwrap_err().to_string().contains(words));
        }
        for bad in [[f32::NAN, 1.0], [f32::NEG_INFINITY; 2], [f32::INFINITY, 0.0]] {
            assert!(Sampling::new().draw(&Tensor::from(bad), &mut rng).unwrap_err().to_string().contains("not finite"));
        }
    }
}
