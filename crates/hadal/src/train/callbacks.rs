//! The callbacks of a run, together.

use super::training_state::{Remembered, callback_prefix};
use super::{Callback, CallbackState, Event, Flow, Trained, TrainingState};
use crate::{Error, Result, Tensor};

pub(super) struct Callbacks<'a> {
    all: Vec<Box<dyn Callback + 'a>>,
    /// Whether one of them said of the last event that it is enough, also where another suspends training.
    pub has_stopped: bool,
}

/// What the callbacks that have a state remember: that of each, and the tensors of all.
type States = (Vec<Remembered>, Vec<(String, Tensor)>);

impl<'a> Callbacks<'a> {
    pub fn new(all: Vec<Box<dyn Callback + 'a>>) -> Callbacks<'a> {
        Callbacks { all, has_stopped: false }
    }

    /// Tells all of them; the strongest answer counts.
    pub fn tell(&mut self, event: &Event) -> Result<Flow> {
        let mut flow = Flow::Continue;
        self.has_stopped = false;
        for callback in &mut self.all {
            let answer = callback.on_event(event)?;
            self.has_stopped |= answer == Flow::Stop;
            flow = match (answer, flow) {
                (Flow::Suspend, _) | (_, Flow::Suspend) => Flow::Suspend,
                (Flow::Stop, _) | (_, Flow::Stop) => Flow::Stop,
                _ => Flow::Continue,
            };
        }
        Ok(flow)
    }

    /// Those of the last callback that has some, and whether the model's running statistics are to be renewed with them.
    pub fn final_weights(&mut self) -> Option<(Vec<(String, Tensor)>, bool)> {
        let own = |callback: &mut Box<dyn Callback + 'a>| {
            let weights = callback.final_weights()?;
            Some((weights, callback.renews_batch_statistics()))
        };
        self.all.iter_mut().filter_map(own).last()
    }

    pub fn validation_weights(&mut self) -> Option<Vec<(String, Tensor)>> {
        self.all.iter_mut().filter_map(|callback| callback.validation_weights()).last()
    }

    /// The last answer counts.
    pub fn new_learning_rate(&mut self) -> Option<f64> {
        self.all.iter_mut().filter_map(|callback| callback.new_learning_rate()).last()
    }

    pub fn want_state(&self, step: usize) -> bool {
        self.all.iter().any(|callback| callback.wants_state(step))
    }

    pub fn take_states(&self) -> bool {
        self.all.iter().any(|callback| callback.takes_states())
    }

    /// Gives the state to those that want it, or to all that take states.
    pub fn take(&mut self, state: &TrainingState, is_last: bool) -> Result<()> {
        let step = state.steps();
        let own =
            self.all.iter_mut().filter(|callback| is_last && callback.takes_states() || callback.wants_state(step));
        own.into_iter().try_for_each(|callback| callback.take_state(state, is_last))
    }

    pub fn show(&mut self, trained: &dyn Trained) -> Result<()> {
        self.all.iter_mut().try_for_each(|callback| callback.on_trained(trained))
    }

    pub fn states(&self) -> States {
        let mut tensors = Vec::new();
        let states = self.all.iter().filter_map(|callback| Some((callback, callback.state()?)));
        let all = states.enumerate().map(|(index, (callback, state))| {
            let prefix = callback_prefix(index);
            tensors.extend(state.tensors.into_iter().map(|(name, tensor)| (format!("{prefix}{name}"), tensor)));
            let (kind, only_watches) = (callback.kind().to_owned(), callback.only_watches());
            Remembered { kind, only_watches, text: state.text }
        });
        (all.collect(), tensors)
    }

    /// Brings back what they remember. Those that only watch may be others than before.
    ///
    /// # Errors
    /// If the others are not those of the state.
    pub fn load(&mut self, state: &TrainingState) -> Result<()> {
        let mut kept: Vec<(usize, &Remembered)> = state.facts.callbacks.iter().enumerate().collect();
        let count = kept.iter().filter(|(_, callback)| !callback.only_watches).count();
        let mut own: Vec<_> = self.all.iter_mut().filter(|callback| callback.state().is_some()).collect();
        let own_count = own.iter().filter(|callback| !callback.only_watches()).count();
        if count != own_count {
            return Err(Error::Config(format!(
                "the run had {count} callbacks with a state, and this one has {own_count}; resume it with the same ones, in the same order"
            )));
        }
        for callback in &mut own {
            // In their order, but one that only watches may be missing on either side.
            let is_its = |(_, kept): &&(usize, &Remembered)| {
                if callback.only_watches() { kept.kind == callback.kind() } else { !kept.only_watches }
            };
            let Some(at) = kept.iter().position(|kept| is_its(&kept)) else { continue };
            let (index, Remembered { text, .. }) = kept.remove(at);
            let tensors = state.under(&callback_prefix(index));
            callback.load_state(CallbackState { text: text.clone(), tensors })?;
        }
        Ok(())
    }
}
