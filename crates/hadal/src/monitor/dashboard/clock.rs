//! Which step and which second belong to which epoch of a run.

/// What the horizontal axis counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Axis {
    Step,
    Epoch,
    /// Seconds since the run began.
    Time,
}

/// The ends of epochs, in order, as far as they are known.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Clock {
    pub ends: Vec<End>,
    /// Steps in an epoch, where the ends do not say.
    pub steps_per_epoch: Option<f64>,
    /// When the run began, in seconds since 1970.
    pub began: Option<f64>,
}

/// The end of an epoch: its number, and the steps and the seconds until then.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct End {
    pub epoch: f64,
    pub step: Option<f64>,
    pub seconds: Option<f64>,
}

/// How numbers of one axis become those of another: by straight lines through pairs, or by a factor.
pub(super) enum Scale {
    Lines(Vec<(f64, f64)>),
    Factor(f64),
}

impl Clock {
    /// From steps or epochs to another axis; `None` where that is not known.
    pub fn scale(&self, from: Axis, to: Axis) -> Option<Scale> {
        if from == to {
            return Some(Scale::Factor(1.0));
        }
        let number = |end: &End, axis| match axis {
            Axis::Step => end.step,
            Axis::Epoch => Some(end.epoch),
            Axis::Time => end.seconds,
        };
        let known = self.ends.iter().filter_map(|end| number(end, from).zip(number(end, to)));
        let pairs: Vec<(f64, f64)> = [(0.0, 0.0)].into_iter().chain(known).collect();
        match (pairs.len() > 1, from, to) {
            (true, ..) => Some(Scale::Lines(pairs)),
            (_, Axis::Epoch, Axis::Step) => self.steps_per_epoch.map(Scale::Factor),
            (_, Axis::Step, Axis::Epoch) => self.steps_per_epoch.map(|steps| Scale::Factor(1.0 / steps)),
            _ => None,
        }
    }
}

/// Where a curve's points lie on the axis that is drawn.
pub(super) enum X {
    /// By their steps or epochs.
    At(Scale),
    /// By their times, in seconds since the run began.
    Since(f64),
}

impl Scale {
    pub fn of(&self, x: f64) -> f64 {
        match self {
            Scale::Factor(factor) => x * factor,
            Scale::Lines(pairs) => {
                let after = pairs.partition_point(|(other, _)| *other < x).clamp(1, pairs.len() - 1);
                let ((x0, y0), (x1, y1)) = (pairs[after - 1], pairs[after]);
                if x1 > x0 { y0 + (y1 - y0) * (x - x0) / (x1 - x0) } else { y1 }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_epochs_and_seconds_are_turned_into_one_another() {
        let end = |epoch, step, seconds| End { epoch, step: Some(step), seconds: Some(seconds) };
        let clock = Clock { ends: vec![end(1.0, 10.0, 2.0), end(2.0, 20.0, 6.0)], ..Clock::default() };
        let of = |from, to, x| clock.scale(from, to).unwrap().of(x);
        assert_eq!([1.0, 0.5, 3.0].map(|epoch| of(Axis::Epoch, Axis::Step, epoch)), [10.0, 5.0, 30.0]);
        assert_eq!((of(Axis::Step, Axis::Epoch, 15.0), of(Axis::Epoch, Axis::Time, 1.5)), (1.5, 4.0));
        let rate = Clock { steps_per_epoch: Some(4.0), ..Clock::default() };
        assert_eq!(rate.scale(Axis::Epoch, Axis::Step).unwrap().of(2.0), 8.0);
        assert!(rate.scale(Axis::Epoch, Axis::Time).is_none());
        assert!(Clock::default().scale(Axis::Step, Axis::Epoch).is_none());
    }
}
