//! The callbacks of a run, together.

use super::training_state::callback_prefix;
use super::{Callback, CallbackState, Event, Flow, TrainingState};
use crate::{Error, Result, Tensor};

pub(super) struct Callbacks<'a> {
    all: Vec<Box<dyn Callback + 'a>>,
    /// Whether one of them said of the last event that it is enough, also where another suspends training.
    pub has_stopped: bool,
}

/// What the callbacks that have a state remember: the text of each, and the tensors of all.
type States = (Vec<String>, Vec<(String, Tensor)>);

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

    pub fn final_weights(&mut self) -> Option<Vec<(String, Tensor)>> {
        self.all.iter_mut().filter_map(|callback| callback.final_weights()).last()
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

    pub fn states(&self) -> States {
        let mut tensors = Vec::new();
        let states = self.all.iter().filter_map(|callback| callback.state());
        let texts = states.enumerate().map(|(index, state)| {
            let prefix = callback_prefix(index);
            tensors.extend(state.tensors.into_iter().map(|(name, tensor)| (format!("{prefix}{name}"), tensor)));
            state.text
        });
        (texts.collect(), tensors)
    }

    /// Brings back what they remember.
    ///
    /// # Errors
    /// If they are not the callbacks of the state.
    pub fn load(&mut self, state: &TrainingState) -> Result<()> {
        let kept = &state.facts.callbacks;
        let own: Vec<_> = self.all.iter_mut().filter(|callback| callback.state().is_some()).collect();
        if kept.len() != own.len() {
            return Err(Error::Config(format!(
                "the run had {} callbacks with a state, and this one has {}; resume it with the same ones, in the same order",
                kept.len(),
                own.len()
            )));
        }
        for (index, (text, callback)) in kept.iter().zip(own).enumerate() {
            let tensors = state.under(&callback_prefix(index));
            callback.load_state(CallbackState { text: text.clone(), tensors })?;
        }
        Ok(())
    }
}
