//! Progress for a reader: a bar per epoch on a terminal, plain lines elsewhere.

use std::io::Write;

use super::columns::wrapped;
use super::note::printable;
use crate::train::{BatchLogs, Callback, Event, Flow};
use crate::{Error, Result};

/// A callback that shows training progress on standard output.
///
/// On a terminal, a bar per epoch with loss, metrics, samples per second and time left, which makes way for a line when
/// the epoch ends. Elsewhere, that line alone, and one every `log_interval` batches if asked for.
///
/// ```
/// use hadal::monitor::Console;
/// use hadal::prelude::*;
/// # let data = hadal::data::synthetic::moons(100, 0.1, 1)?;
/// # let model = Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
/// # let mut model = model.compile(Sgd::new(0.1), BinaryCrossentropy, Accuracy)?;
/// // Plain lines, one every 2 batches.
/// let console = Console::new(false).log_interval(Some(2));
/// model.fit(&data, Fit::epochs(1).quiet().callback(console))?;
/// # Ok::<(), hadal::Error>(())
/// ```
#[doc(alias = "ProgbarLogger")]
pub struct Console {
    #[cfg(feature = "progress")]
    terminal: bool,
    log_interval: Option<usize>,
    dataset: String,
    epochs: usize,
    batches: usize,
    samples: usize,
    #[cfg(feature = "progress")]
    bar: Option<indicatif::ProgressBar>,
}

impl Console {
    /// For a terminal, or for a file or pipe.
    #[cfg_attr(not(feature = "progress"), expect(unused_variables))]
    pub fn new(terminal: bool) -> Console {
        Console {
            #[cfg(feature = "progress")]
            terminal,
            log_interval: None,
            dataset: String::new(),
            epochs: 0,
            batches: 0,
            samples: 0,
            #[cfg(feature = "progress")]
            bar: None,
        }
    }

    /// How many batches go by between updates of the bar (default: 10) or between plain lines (default: none).
    pub fn log_interval(mut self, batches: Option<usize>) -> Console {
        self.log_interval = batches.map(|n| n.max(1));
        self
    }

    /// Where lines end.
    fn columns(&self) -> usize {
        #[cfg(feature = "progress")]
        if self.terminal {
            return super::columns::columns().unwrap_or(usize::MAX);
        }
        usize::MAX
    }

    fn batch(&mut self, epoch: usize, batch: usize, samples: usize, logs: &BatchLogs) -> Result<()> {
        #[cfg(feature = "progress")]
        if self.terminal {
            // The first batch starts the bar's clock, by which it tells speed and time left.
            if batch == 1 || batch == self.batches || batch.is_multiple_of(self.log_interval.unwrap_or(10)) {
                let prefix = format!("{} epoch {epoch}/{}", self.dataset, self.epochs);
                let total = self.samples as u64;
                let columns = self.columns();
                let bar = self.bar.get_or_insert_with(|| new_bar(total, prefix, columns));
                bar.set_position(samples as u64);
                // On a narrow terminal the loss alone.
                let logs = logs.to_string();
                let short = logs.split("  ").next().unwrap_or_default().to_owned();
                bar.set_message(if columns < WIDE { short } else { logs });
            }
            return Ok(());
        }
        match self.log_interval {
            Some(interval) if batch.is_multiple_of(interval) => print_line(&format!(
                "{} epoch {epoch}/{} [{samples}/{} ({:.0}%)]  {logs}",
                self.dataset,
                self.epochs,
                self.samples,
                100.0 * samples as f64 / self.samples as f64
            )),
            _ => Ok(()),
        }
    }
}

/// Prints a line to standard output. A closed pipe (`| head`) is not an error.
///
/// ```
/// hadal::monitor::print_line("accuracy 97.31%")?;
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// # Errors
/// If the line cannot be written for another reason, such as a full disk.
pub fn print_line(text: &str) -> Result<()> {
    let written = above_the_bar(|| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", printable(text)).and_then(|()| out.flush())
    });
    match written {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::io(std::path::Path::new("standard output"), "write a line")(error))
        }
        _ => Ok(()),
    }
}

/// From how many columns on there is room for a bar.
#[cfg(feature = "progress")]
const WIDE: usize = 72;

/// The bar that is shown, so that other lines do not run into it.
#[cfg(feature = "progress")]
static SHOWN: std::sync::Mutex<Option<indicatif::WeakProgressBar>> = std::sync::Mutex::new(None);

/// Prints while the bar is away.
pub(super) fn above_the_bar<T>(print: impl FnOnce() -> T) -> T {
    #[cfg(feature = "progress")]
    {
        let shown = SHOWN.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        if let Some(bar) = shown.and_then(|bar| bar.upgrade()) {
            return bar.suspend(print);
        }
    }
    print()
}

#[cfg(feature = "progress")]
fn new_bar(samples: u64, prefix: String, columns: usize) -> indicatif::ProgressBar {
    use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
    let template = match columns {
        110.. => "{prefix} {bar:24} {percent:>3}%  {msg}  {per_sec} samples/s  {eta} left",
        WIDE.. => "{prefix} {bar:10} {percent:>3}%  {msg}  {eta} left",
        _ => "{prefix} {percent:>3}%  {msg}  {eta}",
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let style = style.progress_chars("━╸╌").with_key(
        "per_sec",
        |state: &indicatif::ProgressState, out: &mut dyn std::fmt::Write| {
            let _ = write!(out, "{:.0}", state.per_sec());
        },
    );
    let bar = ProgressBar::with_draw_target(Some(samples), ProgressDrawTarget::stdout());
    let bar = bar.with_style(style).with_prefix(prefix);
    *SHOWN.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(bar.downgrade());
    bar
}

impl Callback for Console {
    fn on_event(&mut self, event: &Event) -> Result<Flow> {
        match event {
            Event::TrainBegin { dataset, samples, epochs, steps_per_epoch, .. } => {
                self.dataset = (*dataset).to_owned();
                (self.samples, self.epochs, self.batches) = (*samples, *epochs, *steps_per_epoch);
            }
            Event::BatchEnd { epoch, batch, samples, logs, .. } => self.batch(*epoch, *batch, *samples, logs)?,
            Event::EpochEnd { epoch, logs, elapsed, .. } => {
                #[cfg(feature = "progress")]
                if let Some(bar) = self.bar.take() {
                    bar.finish_and_clear();
                }
                let width = self.epochs.to_string().len();
                let seconds = elapsed.as_secs_f64();
                let rate = self.samples as f64 / seconds.max(1e-9);
                let line = format!(
                    "{} epoch {epoch:>width$}/{}  {logs}  {seconds:.2} s  {rate:.0} samples/s",
                    self.dataset, self.epochs
                );
                print_line(&wrapped(&line, "  ", self.columns()))?;
            }
            Event::ValidationBatch { .. } | Event::TrainEnd => {}
        }
        Ok(Flow::Continue)
    }
}
