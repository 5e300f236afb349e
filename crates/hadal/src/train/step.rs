//! A step of training.

use std::time::Instant;

use super::accumulation::Accumulation;
use super::counted::Counted;
use super::health::{Cause, Rows};
use super::pass::Pass;
use super::training_loop::TrainingLoop;
use super::{BatchLogs, Event, Flow};
use crate::data::{Batch, Parts};
use crate::finite::first_not_finite;
use crate::nn::{Context, Model};
use crate::{Error, Gradients, Result, Rng, Tensor, concat};

/// What the passes of a step gave.
struct Computed {
    gradients: Gradients,
    /// The predictions and targets of all passes.
    predictions: Parts,
    targets: Parts,
    /// Penalties included.
    loss: f64,
    /// The random numbers of each pass.
    rngs: Vec<Rng>,
}

impl<M: Model> TrainingLoop<'_, '_, M> {
    /// A step of the optimizer.
    pub(super) fn step(&mut self, epoch: usize, batch: usize, samples: &Batch, pass: &mut Pass) -> Result<Flow> {
        let start = Instant::now();
        let factor = if self.fit.by_epoch {
            self.fit.schedule.factor(epoch, self.epochs())
        } else {
            self.fit.schedule.factor(self.trainer.progress.steps, self.steps())
        };
        self.trainer.optimizer.set_learning_rate(self.base * factor);
        let pieces: Vec<Batch> = match self.fit.accumulate {
            1 => Vec::new(),
            _ => samples.pieces(self.fit.batch_size).collect(),
        };
        let pieces = if pieces.is_empty() { std::slice::from_ref(samples) } else { &pieces };
        let Computed { mut gradients, predictions, targets, loss, rngs } = self.compute(epoch, batch, pieces, pass)?;
        let trainer = &mut *self.trainer;
        if let Some(limit) = self.fit.clip_value {
            gradients.clip_value(limit);
        }
        if let Some((name, number)) = not_finite(&trainer.model, &gradients) {
            let step = trainer.progress.steps + 1;
            let problem = format!(
                "the gradient of `{name}` became {number} in epoch {}, batch {batch} (loss {loss}), step {step}",
                epoch + 1
            );
            let passes = pieces.iter().zip(rngs).enumerate().collect();
            return Err(self.not_finite_because(&problem, batch, passes, Some(&name)));
        }
        if let Some(max_norm) = self.fit.clip_norm {
            gradients.clip_norm(max_norm);
        }
        trainer.optimizer.step(&mut trainer.model, &gradients);
        trainer.model.constrain();
        trainer.progress.steps += 1;
        let trainer = &*self.trainer;
        let make = || trainer.logs(pass, true);
        let logs = BatchLogs::new(&make);
        let flow = self.callbacks.tell(&Event::BatchEnd {
            epoch: epoch + 1,
            batch,
            step: trainer.progress.steps,
            samples: pass.samples(),
            learning_rate: trainer.optimizer.learning_rate(),
            loss,
            predictions: &predictions,
            targets: &targets,
            decision_threshold: trainer.losses.first().map_or(0.5, |own| own.loss.decision_threshold()),
            gradients: &gradients,
            elapsed: start.elapsed(),
            model: &trainer.model,
            logs: &logs,
        })?;
        let step = self.trainer.progress.steps;
        let planned =
            self.fit.learning_rate_changes.iter().filter(|(at, _)| *at == step).map(|(_, rate)| *rate).next_back();
        if let Some(rate) = self.callbacks.new_learning_rate().or(planned) {
            self.change_learning_rate(step, rate)?;
        }
        let is_last = self.fit.max_steps.is_some_and(|steps| self.trainer.progress.steps >= steps);
        let flow = if is_last && flow == Flow::Continue { Flow::Stop } else { flow };
        self.stopping |= is_last || self.callbacks.has_stopped;
        Ok(flow)
    }

    /// Passes the samples of a step through the model and back, piece by piece if they are in several.
    fn compute(&mut self, epoch: usize, batch: usize, pieces: &[Batch], pass: &mut Pass) -> Result<Computed> {
        let mut accumulation = Accumulation::default();
        let (mut all, mut rngs) = (Vec::new(), Vec::new());
        for (number, piece) in pieces.iter().enumerate() {
            let trainer = &mut *self.trainer;
            let rng = trainer.progress.dropout.clone();
            let mut ctx = Context::training(rng.clone());
            let predictions = trainer.model.forward_parts(&piece.inputs, &mut ctx);
            trainer.progress.dropout = ctx.rng.clone();
            let lengths = ctx.take_lengths();
            let counted = Counted::of(predictions, &piece.targets, piece.weights.as_ref(), lengths.as_deref());
            let (parts, penalty) = trainer.parts(&counted, &mut ctx);
            let mut scalars = parts.iter().map(|part| &part.sum).chain(&penalty);
            if !scalars.any(Tensor::is_tracked) {
                return Err(Error::Config("the loss does not depend on the model's parameters".into()));
            }
            let only = (pieces.len() == 1).then(|| trainer.total(&parts, penalty.as_ref()).backward());
            let own = trainer.update(pass, &counted, &parts, penalty.as_ref());
            let loss = own.loss(&trainer.losses);
            if !loss.is_finite() {
                let step = trainer.progress.steps + 1;
                let problem = format!("the loss became {loss} in epoch {}, batch {batch} (step {step})", epoch + 1);
                return Err(self.not_finite_because(&problem, batch, vec![(number, (piece, rng))], None));
            }
            rngs.push(rng);
            if let Some(gradients) = only {
                let Counted { predictions, targets, .. } = counted;
                return Ok(Computed { gradients, predictions, targets, loss, rngs });
            }
            accumulation.add(&trainer.losses, &parts, penalty.as_ref(), &own);
            all.push((counted.predictions.map(|_, prediction| prediction.detach()), counted.targets));
        }
        let (gradients, loss) = accumulation.finish(&self.trainer.losses);
        let (predictions, targets): (Vec<Parts>, Vec<Parts>) = all.into_iter().unzip();
        let joined = |all: &[Parts]| {
            all[0].map(|place, _| concat(&Vec::from_iter(all.iter().map(|own| own.at(place).clone())), 0))
        };
        Ok(Computed { gradients, predictions: joined(&predictions), targets: joined(&targets), loss, rngs })
    }

    /// The error that ends a run whose numbers are no longer finite: says where in these passes of a step they first were not.
    fn not_finite_because(
        &mut self,
        problem: &str,
        batch: usize,
        passes: Vec<(usize, (&Batch, Rng))>,
        parameter: Option<&str>,
    ) -> Error {
        let order = self.fit.shuffle.then(|| Rng::from(self.order).permutation(self.data.len()));
        let mut found = Cause { place: None, advice: "" };
        for (number, (samples, rng)) in passes {
            let first = (batch - 1) * self.fit.step_size() + number * self.fit.batch_size;
            let places = first..(first + self.fit.batch_size).min(self.data.len());
            let samples_of = places.map(|place| order.as_ref().map_or(place, |order| order[place])).collect();
            let rows = Rows { data: self.data.name(), samples: samples_of };
            found = self.trainer.cause(samples, rng, parameter, &rows);
            if found.place.is_some() {
                break;
            }
        }
        let Cause { place, advice } = found;
        let place = place.map_or(String::new(), |place| format!(": {place}"));
        Error::Data(format!("{problem}{place}; try {advice}"))
    }
}

/// The first parameter whose gradient is not finite, and the first such number.
fn not_finite(model: &impl Model, gradients: &Gradients) -> Option<(String, f64)> {
    let mut found = None;
    model.visit("", &mut |name, parameter| {
        if found.is_none() {
            let number = gradients.get(parameter).and_then(first_not_finite);
            found = number.map(|(_, number)| (name.to_owned(), number));
        }
    });
    found
}
