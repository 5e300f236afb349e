//! What a forward pass needs to know beside its input.

use std::any::Any;
use std::panic::Location;
use std::sync::{Arc, Once};

use crate::autograd::backward_count;
use crate::monitor::note;
use crate::{Rng, Tensor};

/// The context of a forward pass: training or evaluation mode, the random number generator, and the regularization penalties
/// that layers add.
///
/// ```
/// use hadal::prelude::*;
/// let (drop, x) = (Dropout::new(0.5), Tensor::ones([1, 1000]));
/// let dropped = |ctx: &mut Context| drop.forward(&x, ctx).eq(0.0).to_dtype(DType::F32).mean().item();
/// assert_eq!(dropped(&mut Context::evaluation()), 0.0);
/// assert!((dropped(&mut Context::training(Rng::new(1))) - 0.5).abs() < 0.1);
/// ```
#[doc(alias = "train")]
#[doc(alias = "eval")]
#[derive(Clone, Debug)]
pub struct Context {
    training: bool,
    /// The weight of a batch's statistics in the running ones, where it is not that of the layer.
    statistics: Option<f64>,
    /// The stream that dropout and its like draw from.
    pub rng: Rng,
    penalty: Option<Tensor>,
    /// How often `backward` had been called when the penalty was added, and from where the layer was called.
    penalized: (u64, Option<&'static Location<'static>>),
    /// The line that called the network, where it says so.
    pub(super) caller: Option<&'static Location<'static>>,
    /// The feedback matrix of the layer whose output is on its way to the next layer with weights.
    pub(super) feedback_matrix: Option<Tensor>,
    /// What hidden layers passed on, waiting for the error of the network's output, with their feedback matrices.
    pub(super) awaiting_error: Vec<(Tensor, Tensor)>,
    /// What layers carry from one piece of a sequence to the next, in the order of the pass; `None` where sequences come whole.
    pub(super) carried: Option<Carried>,
    /// Those of padded sequences.
    pub(super) lengths: Option<Arc<[usize]>>,
}

/// The states that layers carry.
#[derive(Clone, Debug, Default)]
pub(super) struct Carried {
    states: Vec<Arc<dyn Any + Send + Sync>>,
    /// The place of the next layer's.
    next: usize,
}

impl Carried {
    /// Begins the next piece.
    pub(super) fn rewind(&mut self) {
        self.next = 0;
    }
}

impl Context {
    /// Training: dropout drops, drawing from `rng`.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let mut ctx = Context::training(Rng::new(1));
    /// let y = Dropout::new(0.5).forward(&Tensor::ones([1, 100]), &mut ctx);
    /// assert_eq!(y.max().item(), 2.0); // what is kept is scaled
    /// ```
    pub fn training(rng: Rng) -> Context {
        Context {
            training: true,
            statistics: None,
            rng,
            penalty: None,
            penalized: (0, None),
            caller: None,
            feedback_matrix: None,
            awaiting_error: Vec::new(),
            carried: None,
            lengths: None,
        }
    }

    /// Evaluation: every layer is deterministic.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let y = Dropout::new(0.5).forward(&Tensor::ones([1, 100]), &mut Context::evaluation());
    /// assert_eq!((y.min().item(), y.max().item()), (1.0, 1.0));
    /// ```
    pub fn evaluation() -> Context {
        let mut ctx = Context::training(Rng::new(0));
        ctx.training = false;
        ctx
    }

    /// Runs a layer that carries a state along a sequence: `step` gets the state that it gave for the piece before, `None` at the
    /// beginning, and gives what the layer gives, and its state. Where sequences come whole, which is everywhere but in a
    /// [`Stream`](super::Stream), there is no piece before, and the state is dropped.
    ///
    /// ```
    /// use hadal::nn::Stream;
    /// use hadal::prelude::*;
    /// /// Running sums over `[batch, time]`.
    /// #[derive(Module)]
    /// struct RunningSum;
    ///
    /// impl Forward for RunningSum {
    ///     fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
    ///         ctx.carry(|_, before: Option<Tensor>| {
    ///             let sums = x.cumsum(1) + before.unwrap_or(Tensor::zeros([x.size(0), 1]));
    ///             (sums.clone(), sums.slice(1, x.size(1) - 1..x.size(1)))
    ///         })
    ///     }
    /// }
    ///
    /// let mut stream = Stream::new(&RunningSum);
    /// assert_eq!(stream.feed(&Tensor::from([[1.0, 2.0]])).to_vec::<f32>(), [1.0, 3.0]);
    /// assert_eq!(stream.feed(&Tensor::from([[3.0, 4.0]])).to_vec::<f32>(), [6.0, 10.0]);
    /// ```
    pub fn carry<S, R>(&mut self, step: impl FnOnce(&mut Context, Option<S>) -> (R, S)) -> R
    where
        S: Clone + Send + Sync + 'static,
    {
        let Some(carried) = &mut self.carried else { return step(self, None).0 };
        let place = carried.next;
        carried.next += 1;
        let before = carried.states.get(place).and_then(|state| state.downcast_ref::<S>()).cloned();
        if before.is_none() {
            // Holds the place: layers within come after.
            carried.states.truncate(place);
            carried.states.push(Arc::new(()));
        } else {
            // Free what the layer may then change in place.
            carried.states[place] = Arc::new(());
        }
        let (result, state) = step(self, before);
        if let Some(carried) = &mut self.carried {
            carried.states[place] = Arc::new(state);
        }
        result
    }

    /// The lengths of the sequences that layers pass on, one for each sample: what is beyond in `[batch, time, ..]` is padding. `None` where
    /// all are as long as the time axis.
    ///
    /// An [`Embedding`](super::Embedding) with a [padding index](super::Embedding::padding_index) sets them, attention and recurrent layers
    /// keep to them, and the latter take them away where they give the output of the last step alone. Those that are left at the end of a pass say that
    /// the outputs are padded, too: `fit` and `evaluate` do not count what is beyond.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let words = Embedding::new(100, 8).padding_index(0).built([4], &mut Rng::new(0))?;
    /// let mut ctx = Context::evaluation();
    /// words.forward(&Tensor::from([[7, 3, 0, 0], [5, 9, 2, 4]]), &mut ctx);
    /// assert_eq!(ctx.lengths(), Some(&[2, 4][..]));
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn lengths(&self) -> Option<&[usize]> {
        self.lengths.as_deref()
    }

    /// Sets the [lengths](Context::lengths) of the sequences: for a module of your own that knows them, or, with `None`, that mixes the
    /// steps.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let gru = Gru::with(2, 3, &mut Rng::new(0));
    /// let mut ctx = Context::evaluation();
    /// ctx.set_lengths(Some([3, 1].into()));
    /// let y = gru.forward(&Tensor::ones([2, 3, 2]), &mut ctx);
    /// assert_eq!(ctx.lengths(), None); // the last step's output
    /// let one = gru.forward(&Tensor::ones([1, 1, 2]), &mut ctx);
    /// assert!((y.i((1..2, ..)) - one).abs().max().item() < 1e-6);
    /// ```
    pub fn set_lengths(&mut self, lengths: Option<Arc<[usize]>>) {
        self.lengths = lengths;
    }

    /// Takes the [lengths](Context::lengths) away.
    pub(crate) fn take_lengths(&mut self) -> Option<Arc<[usize]>> {
        self.lengths.take()
    }

    /// As [`evaluation`](Context::evaluation), but layers with running statistics normalize by the batch's, as in training, and give
    /// them this weight in the running ones: what [`renew_batch_statistics`](crate::train::renew_batch_statistics) is made of.
    pub(crate) fn renewing(weight: f64) -> Context {
        let mut ctx = Context::evaluation();
        ctx.statistics = Some(weight);
        ctx
    }

    /// For a layer with running statistics such as [`BatchNorm`](super::BatchNorm): `Some` where it is to normalize by the
    /// statistics of the batch, with the weight that they get in the running ones, `running += weight * (batch - running)`. That is
    /// `momentum`, the layer's own, in training; where running statistics are renewed it is what makes them the mean over all
    /// batches. `None` in evaluation.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// assert_eq!(Context::training(Rng::new(1)).statistics_weight(0.1), Some(0.1));
    /// assert_eq!(Context::evaluation().statistics_weight(0.1), None);
    /// ```
    pub fn statistics_weight(&self, momentum: f64) -> Option<f64> {
        self.statistics.or(self.training.then_some(momentum))
    }

    /// Whether this is training.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// assert!(Context::training(Rng::new(1)).is_training() && !Context::evaluation().is_training());
    /// ```
    pub fn is_training(&self) -> bool {
        self.training
    }

    /// Adds a scalar regularization term to the loss of this pass, as Keras's `add_loss`.
    ///
    /// ```
    /// use hadal::prelude::*;
    /// let mut ctx = Context::training(Rng::new(1));
    /// ctx.penalize(Tensor::full([], 0.5));
    /// ctx.penalize(Tensor::full([], 0.25));
    /// assert_eq!(ctx.take_penalty().map(|penalty| penalty.item()), Some(0.75));
    /// ```
    #[track_caller]
    pub fn penalize(&mut self, term: Tensor) {
        let at = self.caller.or(Some(Location::caller()));
        // The same line again: a loop. Another may be a second network, whose penalties add up.
        if at == self.penalized.1 {
            self.drop_forgotten();
        }
        if self.penalty.is_none() {
            self.penalized = (backward_count(), at);
        }
        self.penalty = Some(match self.penalty.take() {
            Some(sum) => sum + term,
            None => term,
        });
    }

    /// Takes the penalties so far away, for [`put_back`](Context::put_back) to tell them from those that are added meanwhile.
    pub(super) fn set_aside(&mut self) -> Penalties {
        Penalties(self.penalty.take(), self.penalized)
    }

    /// Puts penalties back in the place of those that were added since, which are returned.
    pub(super) fn put_back(&mut self, before: Penalties) -> Option<Tensor> {
        self.penalized = before.1;
        std::mem::replace(&mut self.penalty, before.0)
    }

    /// A context in which a part of a pass that begins now can be repeated.
    pub(super) fn repetition(&self) -> Context {
        let mut ctx = Context::training(self.rng.clone());
        (ctx.training, ctx.statistics, ctx.caller) = (self.training, self.statistics, self.caller);
        ctx.lengths = self.lengths.clone();
        ctx
    }

    /// Drops a penalty from before the last backward pass, which was not part of its loss, and says so once.
    fn drop_forgotten(&mut self) {
        static ONCE: Once = Once::new();
        let (count, at) = self.penalized;
        if !self.training || self.penalty.is_none() || count == backward_count() {
            return;
        }
        self.penalty = None;
        ONCE.call_once(|| {
            let at = at.map_or(String::new(), |at| format!("{}:{}: ", at.file(), at.line()));
            note(&format!(
                "{at}the penalties of regularizers were not added to the loss; before backward(), add what ctx.take_penalty() \
                 returns"
            ));
        });
    }

    /// The sum of the penalties since it was last taken; `None` if there were none. `fit` adds it to the loss; a loop of
    /// your own does so too:
    ///
    /// ```
    /// # use hadal::prelude::*;
    /// # use hadal::nn::Regularizer;
    /// # let model = Sequential::new([2]).add(Dense::new(1).weight_regularizer(Regularizer::l2(0.1))).build()?;
    /// # let (x, y) = (Tensor::ones([4, 2]), Tensor::ones([4, 1]));
    /// let mut ctx = Context::training(Rng::new(1));
    /// let mut loss = MeanSquaredError.loss(&model.forward(&x, &mut ctx), &y);
    /// if let Some(penalty) = ctx.take_penalty() {
    ///     loss += &penalty;
    /// }
    /// # Ok::<(), hadal::Error>(())
    /// ```
    pub fn take_penalty(&mut self) -> Option<Tensor> {
        self.penalty.take()
    }
}

/// Penalties that were taken away for a while, with when and where they were added.
pub(super) struct Penalties(Option<Tensor>, (u64, Option<&'static Location<'static>>));

impl Drop for Context {
    fn drop(&mut self) {
        self.drop_forgotten();
    }
}
