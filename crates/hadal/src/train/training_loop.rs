//! The loop.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::Once;
use std::time::{Duration, Instant};

use super::batch_statistics::renew_batch_statistics;
use super::callbacks::Callbacks;
use super::pass::Pass;
use super::resume::{exactness, identity};
use super::training_state::{EpochState, Exact, Facts, MODEL, OPTIMIZER, RngState};
use super::{Event, Fit, Flow, History, Logs, Trainer, TrainingState};
use crate::data::{AugmentPass, Dataset, Parts};
use crate::monitor::{Console, note};
use crate::nn::Model;
use crate::optim::check_positive;
use crate::{Result, Tensor};

impl Fit<'_> {
    /// Trains from the beginning, or from where `state` left off.
    pub(super) fn run<M: Model>(
        mut self,
        trainer: &mut Trainer<M>,
        data: &Dataset,
        state: Option<TrainingState>,
    ) -> Result<History> {
        self.check(trainer, data)?;
        let learning_rate = trainer.optimizer.learning_rate();
        if state.is_none() && trainer.progress.steps == 0 {
            self.note_oddities(data, trainer.model.only_output_shape());
        }
        self.batch_size = self.batch_size.min(data.len());
        let run = identity(&self, trainer, data);
        trainer.set_preprocessing(data.preprocessing());
        if let Some(state) = &state {
            state.check(&run, self.is_inexact_allowed)?;
            trainer.load_training_state(state)?;
            if state.is_finished() {
                // What they found out, such as the step at which the time was up. Where that has become a setting since, there are fewer.
                let _ = Callbacks::new(self.callbacks).load(state);
                return Ok(state.history());
            }
        }
        let guard = RateGuard { trainer, learning_rate };
        TrainingLoop::new(self, guard.trainer, data, run).run(state)
    }
}

/// A call of `fit` under way. Leaves the optimizer at the learning rate of the last step.
pub(super) struct TrainingLoop<'a, 'b, M> {
    pub(super) fit: Fit<'a>,
    pub(super) callbacks: Callbacks<'a>,
    pub(super) trainer: &'b mut Trainer<M>,
    pub(super) data: &'b Dataset,
    run: Vec<(String, String)>,
    /// The learning rate of the optimizer, or what it was changed to, and what `reduce_lr_on_plateau` has left of it.
    learning_rate: f64,
    pub(super) base: f64,
    /// Epochs and steps before this call.
    first: (usize, usize),
    /// Batches of an epoch, each of one step.
    batches: usize,
    /// The stream of the order of samples, as it was before the epoch.
    pub(super) order: RngState,
    history: History,
    /// A callback has said that it is enough.
    pub(super) stopping: bool,
}

/// An epoch under way, up to a batch.
struct Begun<'a> {
    batches: usize,
    elapsed: Duration,
    order: RngState,
    pass: &'a Pass,
}

impl<'a, 'b, M: Model> TrainingLoop<'a, 'b, M> {
    fn new(mut fit: Fit<'a>, trainer: &'b mut Trainer<M>, data: &'b Dataset, run: Vec<(String, String)>) -> Self {
        let mut callbacks = std::mem::take(&mut fit.callbacks);
        if !fit.quiet {
            callbacks.insert(0, Box::new(Console::new(std::io::stdout().is_terminal())));
        }
        let learning_rate = trainer.optimizer.learning_rate();
        TrainingLoop {
            callbacks: Callbacks::new(callbacks),
            data,
            run,
            learning_rate,
            base: learning_rate,
            first: (trainer.progress.epochs, trainer.progress.steps),
            batches: data.len().div_ceil(fit.step_size()),
            order: RngState::from(&trainer.progress.order),
            history: History::default(),
            stopping: false,
            fit,
            trainer,
        }
    }

    /// The number of all epochs.
    pub(super) fn epochs(&self) -> usize {
        self.first.0.saturating_add(self.fit.epochs)
    }

    /// The number of all steps.
    pub(super) fn steps(&self) -> usize {
        self.first.1.saturating_add(self.fit.epochs.saturating_mul(self.batches))
    }

    fn run(mut self, state: Option<TrainingState>) -> Result<History> {
        if let Some(state) = &state {
            self.first = state.facts.first;
        }
        let (length, unit) = if self.fit.by_epoch { (self.epochs(), "epochs") } else { (self.steps(), "steps") };
        self.fit.schedule.too_long_for(length, unit).iter().for_each(|problem| note(problem));
        let reported = self.trainer.reported(self.fit.validation_data.is_some());
        let (names, higher_is_better): (Vec<String>, Vec<Option<bool>>) = reported.into_iter().unzip();
        self.callbacks.tell(&Event::TrainBegin {
            dataset: self.data.name(),
            samples: self.data.len(),
            epochs: self.epochs(),
            steps_per_epoch: self.batches,
            step: self.trainer.progress.steps,
            metric_names: &names,
            higher_is_better: &higher_is_better,
            preprocessing: self.data.preprocessing(),
            model: &self.trainer.model,
        })?;
        let mut begun = state.map_or(Ok(None), |state| self.go_on(state))?;
        while begun.is_some() || !self.stopping && self.trainer.progress.epochs < self.epochs() {
            if self.epoch(begun.take())? == Flow::Suspend {
                return Ok(self.history);
            }
        }
        self.finish()
    }

    /// Brings back the loop's own part of a state; the epoch in it goes on.
    fn go_on(&mut self, state: TrainingState) -> Result<Option<EpochState>> {
        self.callbacks.load(&state)?;
        self.history = state.history();
        (self.base, self.learning_rate) = (state.facts.base.0, state.facts.unreduced.0);
        self.trainer.optimizer.set_learning_rate(state.facts.learning_rate.0);
        self.stopping = state.facts.stopping;
        if let (Some(plateau), Some((reduction, best, waited))) = (&mut self.fit.plateau, state.facts.plateau) {
            plateau.load_state((reduction.0, best.0, waited));
        }
        Ok(state.facts.epoch)
    }

    /// An epoch, or the rest of one.
    fn epoch(&mut self, begun: Option<EpochState>) -> Result<Flow> {
        let start = Instant::now();
        let epoch = self.trainer.progress.epochs;
        let mut pass = Pass::start(self.trainer.metrics_mut());
        let order = RngState::from(&self.trainer.progress.order);
        self.order = order;
        let mut all = self.data.batches(self.fit.step_size());
        if self.fit.shuffle {
            all = all.shuffle(&mut self.trainer.progress.order);
        }
        let mut batch = 0;
        let mut before = Duration::ZERO;
        if let Some(begun) = begun {
            batch = begun.batches;
            before = Duration::try_from_secs_f64(begun.seconds.0).unwrap_or_default();
            all = all.starting_at(batch);
            pass.load_state(&begun, self.trainer.metrics_mut())?;
        }
        let mut flow = if self.stopping { Flow::Stop } else { Flow::Continue };
        let pass_of_data = AugmentPass { seed: self.trainer.seed, epoch: epoch as u64 };
        let outcome = all.augmented(pass_of_data).read_ahead(|next| -> Result<()> {
            while flow == Flow::Continue
                && let Some(samples) = next()?
            {
                batch += 1;
                flow = self.step(epoch, batch, &samples, &mut pass)?;
                self.save(
                    Some(Begun { batches: batch, elapsed: before + start.elapsed(), order, pass: &pass }),
                    flow == Flow::Suspend,
                )?;
            }
            Ok(())
        });
        outcome?;
        if flow == Flow::Suspend {
            return Ok(flow);
        }
        let elapsed = before + start.elapsed();
        let logs = self.trainer.logs(&pass, false);
        // Weights to validate with are the model's until the epoch has ended.
        let own = match self.callbacks.validation_weights() {
            None => None,
            Some(weights) => {
                let own: BTreeMap<String, Tensor> = self.trainer.model.state_dict().into_iter().collect();
                self.trainer.model.load_state_dict(&weights.into_iter().collect())?;
                Some(own)
            }
        };
        let outcome = self.end_epoch(logs, elapsed);
        own.map_or(Ok(()), |own| self.trainer.model.load_state_dict(&own))?;
        flow = outcome?;
        self.save(None, flow == Flow::Suspend)?;
        Ok(flow)
    }

    /// Validates the model after an epoch, and tells the callbacks that it has ended.
    fn end_epoch(&mut self, mut logs: Logs, elapsed: Duration) -> Result<Flow> {
        let epoch = self.trainer.progress.epochs;
        let mut suspending = false;
        if let Some(data) = self.fit.validation_data {
            let watch = |predictions: &Parts, targets: &Parts| {
                let event = Event::ValidationBatch { epoch: epoch + 1, predictions, targets };
                suspending |= self.callbacks.tell(&event)? == Flow::Suspend;
                self.stopping |= self.callbacks.has_stopped;
                Ok(())
            };
            logs.extend(&self.trainer.score_watched(data, self.fit.validation_batch_size, watch)?, "val_");
        }
        self.trainer.progress.epochs += 1;
        let flow = self.callbacks.tell(&Event::EpochEnd {
            epoch: epoch + 1,
            logs: &logs,
            learning_rate: self.trainer.optimizer.learning_rate(),
            elapsed,
            model: &self.trainer.model,
        })?;
        if let Some(plateau) = &mut self.fit.plateau {
            // Every epoch reports the metric: it was found among the names before the first.
            let metric = logs.get(plateau.monitor()).unwrap_or(f64::NAN);
            self.base = plateau.step(metric, self.learning_rate);
        }
        self.history.epochs.push(logs);
        self.stopping |= self.callbacks.has_stopped;
        Ok(if suspending { Flow::Suspend } else { flow })
    }

    pub(super) fn change_learning_rate(&mut self, step: usize, rate: f64) -> Result<()> {
        check_positive("new learning rate", rate, "0.001")?;
        // What `reduce_lr_on_plateau` does is in proportion to the new one.
        let reduction = self.fit.plateau.as_ref().map_or(1.0, |plateau| plateau.state().0);
        (self.base, self.learning_rate) = (rate, rate / reduction);
        self.trainer.progress.learning_rate_changes.push((step, rate));
        Ok(())
    }

    fn finish(mut self) -> Result<History> {
        self.callbacks.tell(&Event::TrainEnd)?;
        let weights = self.callbacks.final_weights();
        let has_restored_weights = weights.is_some();
        if let Some((weights, renews_batch_statistics)) = weights {
            self.trainer.model.load_state_dict(&weights.into_iter().collect())?;
            if renews_batch_statistics {
                renew_batch_statistics(&mut self.trainer.model, self.data, self.fit.batch_size)?;
            }
        }
        // Before the state says that the run has ended: one that is killed meanwhile is resumed, and shown then.
        self.callbacks.show(&*self.trainer)?;
        if self.callbacks.take_states() {
            let mut state = TrainingState { has_restored_weights, ..self.state(None) };
            state.facts.finished = true;
            self.callbacks.take(&state, true)?;
        }
        Ok(self.history)
    }

    /// Gives the state to the callbacks that ask for it; all get the last one.
    fn save(&mut self, begun: Option<Begun>, is_last: bool) -> Result<()> {
        let step = self.trainer.progress.steps;
        if !(is_last && self.callbacks.take_states() || self.callbacks.want_state(step)) {
            return Ok(());
        }
        let epoch = match begun.map(|begun| begun.state(self.trainer)) {
            None => None,
            Some(Some(epoch)) => Some(epoch),
            Some(None) => {
                static ONCE: Once = Once::new();
                ONCE.call_once(|| {
                    note("a metric of this run has no state(): checkpoints are written at the end of epochs alone")
                });
                return Ok(());
            }
        };
        let state = self.state(epoch);
        self.callbacks.take(&state, is_last)
    }

    /// All that this run needs to go on.
    fn state(&self, begun: Option<(EpochState, RngState)>) -> TrainingState {
        let progress = &self.trainer.progress;
        let (optimizer_steps, states) = self.trainer.optimizer.core().state_dict();
        let (callbacks, own) = self.callbacks.states();
        let (epoch, order) = begun.unzip();
        let facts = Facts {
            run: self.run.clone(),
            exactness: exactness(),
            epochs: progress.epochs,
            steps: progress.steps,
            first: self.first,
            order: order.unwrap_or_else(|| RngState::from(&progress.order)),
            dropout: RngState::from(&progress.dropout),
            optimizer_steps,
            learning_rate: Exact(self.trainer.optimizer.learning_rate()),
            base: Exact(self.base),
            unreduced: Exact(self.learning_rate),
            learning_rate_changes: progress
                .learning_rate_changes
                .iter()
                .map(|(step, rate)| (*step, Exact(*rate)))
                .collect(),
            plateau: self.fit.plateau.as_ref().map(|plateau| {
                let (reduction, best, waited) = plateau.state();
                (Exact(reduction), Exact(best), waited)
            }),
            epoch,
            stopping: self.stopping,
            finished: false,
            history: self.history.epochs.iter().map(Logs::exact).collect(),
            callbacks,
            notes: Default::default(),
        };
        let under = |prefix: &str, tensors: Vec<(String, Tensor)>| {
            tensors.into_iter().map(|(name, tensor)| (format!("{prefix}{name}"), tensor)).collect::<Vec<_>>()
        };
        let tensors =
            under(MODEL, self.trainer.model.state_dict()).into_iter().chain(under(OPTIMIZER, states)).chain(own);
        TrainingState { facts, tensors: tensors.collect(), has_restored_weights: false }
    }
}

impl Begun<'_> {
    /// `None` if a metric cannot be kept.
    fn state<M: Model>(&self, trainer: &Trainer<M>) -> Option<(EpochState, RngState)> {
        let metrics = trainer.metrics().iter().map(|metric| metric.state()).collect::<Option<Vec<_>>>()?;
        Some((self.pass.state(self.batches, self.elapsed.as_secs_f64(), metrics), self.order))
    }
}

/// Restores the optimizer's own learning rate when dropped: at the end of a run, on an error, on a panic.
struct RateGuard<'a, M> {
    trainer: &'a mut Trainer<M>,
    learning_rate: f64,
}

impl<M> Drop for RateGuard<'_, M> {
    fn drop(&mut self) {
        self.trainer.optimizer.set_learning_rate(self.learning_rate);
    }
}
