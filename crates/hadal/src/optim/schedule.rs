//! Learning rate schedules.

use std::f64::consts::PI;

/// A learning rate schedule: the factor by which the base learning rate, that of the optimizer, is multiplied at each step.
///
/// Counts are optimizer steps, or epochs under [`schedule_by_epoch`](crate::train::Fit::schedule_by_epoch), over all calls of
/// `fit`.
///
/// ```
/// use hadal::optim::Schedule;
/// let schedule = Schedule::WarmUp { warmup_steps: 10, then: Box::new(Schedule::Cosine) };
/// assert_eq!(schedule.factor(0, 110), 0.0);
/// assert_eq!(schedule.factor(5, 110), 0.5);
/// assert_eq!(schedule.factor(10, 110), 1.0);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Schedule {
    /// The base learning rate at every step.
    #[default]
    #[doc(alias = "ConstantLR")]
    Constant,
    /// Multiplies the learning rate by `gamma` every `step_size` steps (PyTorch's `StepLR`).
    #[doc(alias = "StepLR")]
    Step {
        /// The number of steps between two reductions.
        step_size: usize,
        /// The factor of each reduction.
        gamma: f64,
    },
    /// Multiplies the learning rate by `gamma` at every step (PyTorch's `ExponentialLR`).
    #[doc(alias = "ExponentialLR")]
    Exponential {
        /// The factor of each step.
        gamma: f64,
    },
    /// Polynomial decay: `(1 - end_factor) (1 - step / steps)^power + end_factor` (Keras's `PolynomialDecay`). With `power` 1 the
    /// decay is linear.
    #[doc(alias = "PolynomialDecay")]
    #[doc(alias = "PolynomialLR")]
    #[doc(alias = "LinearLR")]
    Polynomial {
        /// The exponent.
        power: f64,
        /// The last learning rate, as a fraction of the base learning rate.
        end_factor: f64,
    },
    /// Cosine annealing without restarts, `(1 + cos(pi * step / steps)) / 2` (Loshchilov and Hutter, ICLR 2017, eq. 5).
    #[doc(alias = "CosineAnnealingLR")]
    #[doc(alias = "CosineDecay")]
    Cosine,
    /// Cosine annealing with warm restarts (the same paper; PyTorch's `CosineAnnealingWarmRestarts`).
    #[doc(alias = "CosineAnnealingWarmRestarts")]
    CosineRestarts {
        /// The number of steps until the first restart.
        t_0: usize,
        /// The factor by which the number of steps grows after each restart.
        t_mult: usize,
    },
    /// Linear warm-up from 0 to the base learning rate, `step / warmup_steps` for steps counted from 0, then another schedule
    /// over the remaining steps (Goyal and others, arXiv 1706.02677, 2017; as Keras's `CosineDecay` and Hugging Face's
    /// schedules count).
    WarmUp {
        /// The number of steps before the first at the base learning rate.
        warmup_steps: usize,
        /// The schedule of the remaining steps.
        then: Box<Schedule>,
    },
    /// The one-cycle policy (Smith and Topin, 2018; PyTorch's `OneCycleLR` with cosine annealing, whose defaults are 25, 10,000
    /// and 0.3). The base learning rate is the maximum.
    #[doc(alias = "OneCycleLR")]
    OneCycle {
        /// The first learning rate is the base learning rate divided by this.
        div_factor: f64,
        /// The last learning rate is the first one divided by this.
        final_div_factor: f64,
        /// The fraction of the run in which the learning rate increases.
        pct_start: f64,
    },
}

impl Schedule {
    /// The factor for step `step` of `steps`, counted from 0; after the last step it is that of the last, or lower.
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
            Schedule::Step { step_size, gamma } => gamma.powf((step / (*step_size).max(1)) as f64),
            Schedule::Exponential { gamma } => gamma.powf(step as f64),
            Schedule::Polynomial { power, end_factor } => {
                (1.0 - end_factor) * (1.0 - part(step, steps)).powf(*power) + end_factor
            }
            Schedule::Cosine => half_cosine(part(step, steps)),
            Schedule::CosineRestarts { t_0, t_mult } => {
                let (mut since, mut stretch) = (step, (*t_0).max(1));
                if *t_mult <= 1 {
                    since %= stretch;
                }
                while since >= stretch {
                    since -= stretch;
                    stretch = stretch.saturating_mul(*t_mult);
                }
                half_cosine(part(since, stretch))
            }
            Schedule::WarmUp { warmup_steps, then } => {
                if step < *warmup_steps {
                    part(step, *warmup_steps)
                } else {
                    then.factor(step - warmup_steps, steps.saturating_sub(*warmup_steps))
                }
            }
            Schedule::OneCycle { div_factor, final_div_factor, pct_start } => {
                let (low, lowest) = (1.0 / div_factor, 1.0 / (div_factor * final_div_factor));
                // As PyTorch counts: the peak at step `pct_start * steps - 1`, the end at the last step.
                let peak = pct_start * steps as f64 - 1.0;
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

    /// What is odd about this schedule in a run of `steps` steps: it ends before the schedule has had its way.
    pub(crate) fn too_long_for(&self, steps: usize, unit: &str) -> Option<String> {
        match self {
            Schedule::WarmUp { warmup_steps, .. } if *warmup_steps >= steps => Some(format!(
                "the warm-up takes {warmup_steps} {unit}, but there are only {steps}: the base learning rate is never reached"
            )),
            Schedule::WarmUp { warmup_steps, then } => then.too_long_for(steps - warmup_steps, unit),
            Schedule::Step { step_size, .. } if *step_size >= steps => Some(format!(
                "the learning rate is reduced every {step_size} {unit}, but there are only {steps}: it stays constant"
            )),
            Schedule::CosineRestarts { t_0, .. } if *t_0 > steps => Some(format!(
                "the first restart is after {t_0} {unit}, but there are only {steps}: the cosine is cut off"
            )),
            _ => None,
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
            Schedule::Step { step_size, gamma } => {
                at_least_one("step_size", *step_size)?;
                check_positive("schedule: gamma", *gamma, "0.1")
            }
            Schedule::Exponential { gamma } => check_positive("schedule: gamma", *gamma, "0.95"),
            Schedule::Polynomial { power, end_factor } => {
                check_positive("schedule: power", *power, "1")?;
                if (0.0..=1.0).contains(end_factor) {
                    return Ok(());
                }
                Err(crate::Error::Config(format!("schedule: end_factor {end_factor} must be between 0 and 1")))
            }
            Schedule::CosineRestarts { t_0, t_mult } => {
                at_least_one("t_0", *t_0)?;
                at_least_one("t_mult", *t_mult)
            }
            Schedule::WarmUp { warmup_steps, then } => {
                at_least_one("warmup_steps", *warmup_steps)?;
                then.check()
            }
            Schedule::OneCycle { div_factor, final_div_factor, pct_start } => {
                check_positive("schedule: div_factor", *div_factor, "25")?;
                check_positive("schedule: final_div_factor", *final_div_factor, "10000")?;
                if *pct_start > 0.0 && *pct_start < 1.0 {
                    return Ok(());
                }
                Err(crate::Error::Config(format!("schedule: pct_start {pct_start} must be between 0 and 1")))
            }
        }
    }
}

/// From 1 at 0 to 0 at 1.
fn half_cosine(part: f64) -> f64 {
    (1.0 + (PI * part).cos()) / 2.0
}
