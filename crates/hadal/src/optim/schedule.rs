//! How the learning rate changes over a run.

/// The rate of each step as a share of the optimizer's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Schedule {
    /// Always the whole rate.
    #[default]
    Constant,
    /// `(1 + cos(pi * step / steps)) / 2`: from the whole rate down to almost 0 at the last step, without restarts
    /// (Loshchilov and Hutter, ICLR 2017, eq. 5).
    Cosine,
}

impl Schedule {
    /// The share for step `step` of `steps`, counted from 0.
    ///
    /// ```
    /// use hadal::optim::Schedule;
    /// assert_eq!(Schedule::Cosine.factor(0, 100), 1.0);
    /// assert!((Schedule::Cosine.factor(50, 100) - 0.5).abs() < 1e-12);
    /// ```
    pub fn factor(self, step: usize, steps: usize) -> f64 {
        match self {
            Schedule::Constant => 1.0,
            Schedule::Cosine => (1.0 + (std::f64::consts::PI * step as f64 / steps.max(1) as f64).cos()) / 2.0,
        }
    }
}
