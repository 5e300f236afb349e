//! The loop.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use super::trainer::Pass;
use super::{Event, Flow, History, Subscriber, Trainer};
use crate::data::Dataset;
use crate::monitor::Console;
use crate::nn::{Context, Forward};
use crate::optim::Schedule;
use crate::{Error, Result, Rng};

/// The random streams of a run: one for the order of samples, one for dropout and its like.
const SHUFFLING: u64 = 0x5488;
const DROPPING: u64 = 0xd209;

/// How to train: what `fit` takes beside the data. Defaults are Keras's.
pub struct Fit<'a> {
    epochs: usize,
    batch_size: usize,
    validation: Option<(&'a Dataset, usize)>,
    schedule: Schedule,
    shuffle: bool,
    quiet: bool,
    subscribers: Vec<Box<dyn Subscriber + 'a>>,
}

impl<'a> Fit<'a> {
    /// Trains for `epochs` passes through the data, in batches of 32, shuffled, showing progress.
    pub fn epochs(epochs: usize) -> Fit<'a> {
        Fit {
            epochs,
            batch_size: 32,
            validation: None,
            schedule: Schedule::Constant,
            shuffle: true,
            quiet: false,
            subscribers: Vec::new(),
        }
    }

    /// Samples per step. Default: 32. The last step of an epoch takes what is left.
    pub fn batch_size(mut self, samples: usize) -> Fit<'a> {
        self.batch_size = samples;
        self
    }

    /// Data to evaluate on after every epoch. Default: none.
    pub fn validation(mut self, data: &'a Dataset) -> Fit<'a> {
        self.validation = Some((data, 1000));
        self
    }

    /// As [`validation`](Fit::validation), `batch_size` samples at once. Results do not depend on it.
    pub fn validation_in_batches(mut self, data: &'a Dataset, batch_size: usize) -> Fit<'a> {
        self.validation = Some((data, batch_size));
        self
    }

    /// How the learning rate changes over the run. Default: constant.
    pub fn schedule(mut self, schedule: Schedule) -> Fit<'a> {
        self.schedule = schedule;
        self
    }

    /// Whether each epoch takes the samples in another order. Default: yes.
    pub fn shuffle(mut self, shuffle: bool) -> Fit<'a> {
        self.shuffle = shuffle;
        self
    }

    /// Shows no progress on the console.
    pub fn quiet(mut self) -> Fit<'a> {
        self.quiet = true;
        self
    }

    /// Adds someone who watches the run.
    pub fn subscribe(mut self, subscriber: impl Subscriber + 'a) -> Fit<'a> {
        self.subscribers.push(Box::new(subscriber));
        self
    }

    /// Checks all settings and data.
    fn check<M: Forward>(&self, trainer: &Trainer<M>, data: &Dataset) -> Result<()> {
        if self.epochs == 0 {
            return Err(Error::Config("epochs must be at least 1, not 0".into()));
        }
        if self.batch_size == 0 || self.validation.is_some_and(|(_, size)| size == 0) {
            return Err(Error::Config("the batch size must be at least 1, not 0".into()));
        }
        trainer.optimizer.check()?;
        trainer.check(data)?;
        self.validation.map_or(Ok(()), |(data, _)| trainer.check(data))
    }

    pub(super) fn run<M: Forward>(mut self, trainer: &mut Trainer<M>, data: &Dataset) -> Result<History> {
        self.check(trainer, data)?;
        let mut subscribers = std::mem::take(&mut self.subscribers);
        if !self.quiet {
            subscribers.insert(0, Box::new(Console::new(std::io::stdout().is_terminal())));
        }
        let mut tell = |event: Event| -> Result<Flow> {
            let mut flow = Flow::Continue;
            for subscriber in &mut subscribers {
                if subscriber.on(&event)? == Flow::Stop {
                    flow = Flow::Stop;
                }
            }
            Ok(flow)
        };
        let batches = data.len().div_ceil(self.batch_size);
        let mut history = History::default();
        let full_rate = trainer.optimizer.learning_rate();
        let mut order = Rng::with_stream(trainer.seed, SHUFFLING);
        let mut ctx = Context::training(Rng::with_stream(trainer.seed, DROPPING));
        tell(Event::Begin { dataset: data.name(), samples: data.len(), epochs: self.epochs, batches })?;
        for epoch in 1..=self.epochs {
            let start = Instant::now();
            let mut pass = Pass::start(&mut trainer.metrics);
            let mut all = data.batches(self.batch_size);
            if self.shuffle {
                all = all.shuffle(&mut order);
            }
            let mut flow = Flow::Continue;
            for (index, (x, y)) in all.enumerate() {
                let step = (epoch - 1) * batches + index;
                let factor = self.schedule.factor(step, self.epochs * batches);
                trainer.optimizer.set_learning_rate(full_rate * factor);
                let prediction = trainer.model.forward(&x, &mut ctx);
                let loss = trainer.loss.loss(&prediction, &y);
                let gradients = loss.backward();
                let value = pass.update(&mut trainer.metrics, &prediction, &y, &loss);
                if !value.is_finite() {
                    trainer.optimizer.set_learning_rate(full_rate);
                    return Err(Error::Data(format!(
                        "the loss became {value} in epoch {epoch}, batch {}; a lower learning rate often helps",
                        index + 1
                    )));
                }
                trainer.optimizer.step(&mut trainer.model, &gradients);
                let logs = pass.logs(&trainer.metrics);
                flow = tell(Event::BatchEnd { epoch, batch: index + 1, samples: pass.samples(), logs: &logs })?;
                if flow == Flow::Stop {
                    break;
                }
            }
            let elapsed = start.elapsed();
            flow = self.end_epoch(trainer, epoch, elapsed, pass, &mut history, &mut tell, flow)?;
            if flow == Flow::Stop {
                break;
            }
        }
        trainer.optimizer.set_learning_rate(full_rate);
        tell(Event::End)?;
        Ok(history)
    }

    /// Evaluates, keeps the epoch's numbers and tells of them.
    #[expect(clippy::too_many_arguments, reason = "the loop's own state, in one place")]
    fn end_epoch<M: Forward>(
        &self,
        trainer: &mut Trainer<M>,
        epoch: usize,
        elapsed: Duration,
        pass: Pass,
        history: &mut History,
        tell: &mut dyn FnMut(Event) -> Result<Flow>,
        flow: Flow,
    ) -> Result<Flow> {
        let mut logs = pass.logs(&trainer.metrics);
        if let Some((data, batch_size)) = self.validation {
            logs.extend(&trainer.score(data, batch_size).0, "val_");
        }
        let learning_rate = trainer.optimizer.learning_rate();
        let event = Event::EpochEnd { epoch, logs: &logs, learning_rate, elapsed, model: &trainer.model };
        let told = tell(event)?;
        history.epochs.push(logs);
        Ok(if flow == Flow::Stop { flow } else { told })
    }
}
