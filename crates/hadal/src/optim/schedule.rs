//! How the learning rate changes over a run.

use std::f64::consts::PI;

/// The rate of each step as a share of the optimizer's own.
///
/// Counts are optimizer steps, or epochs under [`schedule_by_epoch`](crate::train::Fit::schedule_by_epoch), over all calls of `fit`.
///
/// ```
/// use hadal::optim::Schedule;
/// let schedule = Schedule::WarmUp { steps: 10, then: Box::new(Schedule::Cosine) };
/// assert_eq!(schedule.factor(0, 110), 0.0);
/// assert_eq!(schedule.factor(5, 110), 0.5);
/// assert_eq!(schedule.factor(10, 110), 1.0);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Schedule {
    /// Always the whole rate.
    #[default]
    Constant,
    /// Multiplied by `factor` after every `every` steps (PyTorch's `StepLR`).
    Step {
        /// Steps between changes.
        every: usize,
        /// What each change multiplies by.
        factor: f64,
    },
    /// `factor^step` (PyTorch's `ExponentialLR`).
    Exponential {
        /// What each step multiplies by.
        factor: f64,
    },
    /// `(1 - end) (1 - step / steps)^power + end` (Keras's `PolynomialDecay`; `power` 1 and `end` 0 is a straight line).
    Polynomial {
        /// The exponent.
        power: f64,
        /// The share at the end.
        end: f64,
    },
    /// `(1 + cos(pi * step / steps)) / 2`: from the whole rate down to almost 0 at the last step, without restarts
    /// (Loshchilov and Hutter, ICLR 2017, eq. 5).
    Cosine,
    /// The cosine over `first` steps, then again over `first * multiply`, and so on (the same paper's warm restarts).
    CosineRestarts {
        /// Steps until the first restart.
        first: usize,
        /// How much longer each stretch is than the one before.
        multiply: usize,
    },
    /// From 0 in a straight line to the whole rate, `step / steps` for steps counted from 0, then another schedule over the
    /// rest (Goyal and others, arXiv 1706.02677, 2017; as Keras's `CosineDecay` and Hugging Face's schedules count).
    WarmUp {
        /// Steps before the first at the whole rate.
        steps: usize,
        /// What follows.
        then: Box<Schedule>,
    },
    /// Up along a cosine from `1 / start` of the rate to the whole over the first `rise` of the run, then down along a
    /// cosine to `1 / (start * end)` (Smith and Topin, 2018, in the form of PyTorch's `OneCycleLR`, whose defaults are
    /// 25, 10,000 and 0.3).
    OneCycle {
        /// The rate is divided by this at the first step.
        start: f64,
        /// And by this once more at the last.
        end: f64,
        /// The share of the run that rises.
        rise: f64,
    },
}

impl Schedule {
    /// The share for step `step` of `steps`, counted from 0; what follows the last step is as that, or lower.
    ///
    /// ```
    /// use hadal::optim::Schedule;
    /// assert_eq!(Schedule::Cosine.factor(0, 100), 1.0);
    /// assert!((Schedule::Cosine.factor(50, 100) - 0.5).abs() < 1e-12);
    /// ```
    pub fn factor(&self, step: usize, steps: usize) -> f64 {
        let part = |step: usize, steps: usize| (step as f64 / steps.max(1) as f64).min(1.0);
        match self {
            Schedule::Constant => 1.0,
            Schedule::Step { every, factor } => factor.powf((step / (*every).max(1)) as f64),
            Schedule::Exponential { factor } => factor.powf(step as f64),
            Schedule::Polynomial { power, end } => (1.0 - end) * (1.0 - part(step, steps)).powf(*power) + end,
            Schedule::Cosine => half_cosine(part(step, steps)),
            Schedule::CosineRestarts { first, multiply } => {
                let (mut since, mut stretch) = (step, (*first).max(1));
                if *multiply <= 1 {
                    since %= stretch;
                }
                while since >= stretch {
                    since -= stretch;
                    stretch = stretch.saturating_mul(*multiply);
                }
                half_cosine(part(since, stretch))
            }
            Schedule::WarmUp { steps: rise, then } => {
                if step < *rise {
                    part(step, *rise)
                } else {
                    then.factor(step - rise, steps.saturating_sub(*rise))
                }
            }
            Schedule::OneCycle { start, end, rise } => {
                let (low, lowest) = (1.0 / start, 1.0 / (start * end));
                // As PyTorch counts: the peak at step `rise * steps - 1`, the end at the last step.
                let peak = rise * steps as f64 - 1.0;
                let (step, last) = (step as f64, steps as f64 - 1.0);
                if step <= peak {
                    1.0 + (low - 1.0) * half_cosine(step / peak.max(f64::MIN_POSITIVE))
                } else {
                    lowest
                        + (1.0 - lowest) * half_cosine(((step - peak) / (last - peak).max(f64::MIN_POSITIVE)).min(1.0))
                }
            }
        }
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// If a number cannot work: a stretch of 0 steps, a factor that is not positive and finite.
    pub(crate) fn check(&self) -> crate::Result<()> {
        use super::check_positive;
        let at_least_one = |name: &str, steps: usize| match steps {
            0 => Err(crate::Error::Config(format!("schedule: {name} must be at least 1, not 0"))),
            _ => Ok(()),
        };
        match self {
            Schedule::Constant | Schedule::Cosine => Ok(()),
            Schedule::Step { every, factor } => {
                at_least_one("every", *every)?;
                check_positive("schedule: factor", *factor, "0.1")
            }
            Schedule::Exponential { factor } => check_positive("schedule: factor", *factor, "0.95"),
            Schedule::Polynomial { power, end } => {
                check_positive("schedule: power", *power, "1")?;
                if (0.0..=1.0).contains(end) {
                    return Ok(());
                }
                Err(crate::Error::Config(format!("schedule: end {end} is a share of the rate, from 0 to 1")))
            }
            Schedule::CosineRestarts { first, multiply } => {
                at_least_one("first", *first)?;
                at_least_one("multiply", *multiply)
            }
            Schedule::WarmUp { steps, then } => {
                at_least_one("steps", *steps)?;
                then.check()
            }
            Schedule::OneCycle { start, end, rise } => {
                check_positive("schedule: start", *start, "25")?;
                check_positive("schedule: end", *end, "10000")?;
                if *rise > 0.0 && *rise < 1.0 {
                    return Ok(());
                }
                Err(crate::Error::Config(format!("schedule: rise {rise} is a share of the run, between 0 and 1")))
            }
        }
    }
}

/// From 1 at 0 to 0 at 1.
fn half_cosine(part: f64) -> f64 {
    (1.0 + (PI * part).cos()) / 2.0
}
