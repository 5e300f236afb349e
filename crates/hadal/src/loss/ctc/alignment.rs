//! The ways to spread labels over steps, and how probable they are together.
//!
//! A way goes through the labels with a blank before, between and after them, each place for any number of steps: at every step it
//! stays, goes on by one place, or passes over a blank between two labels that differ. Numbers are logarithms.

/// The labels of one sample over its steps.
pub(super) struct Alignment<'a> {
    /// Log-probabilities, `[steps, classes]`.
    logarithms: &'a [f64],
    classes: usize,
    /// The class of each place.
    places: Vec<usize>,
    blank: usize,
}

impl<'a> Alignment<'a> {
    pub fn new(logarithms: &'a [f64], classes: usize, labels: &[i64], blank: usize) -> Alignment<'a> {
        let mut places = vec![blank; 2 * labels.len() + 1];
        places.iter_mut().skip(1).step_by(2).zip(labels).for_each(|(place, label)| *place = *label as usize);
        Alignment { logarithms, classes, places, blank }
    }

    /// Whether a way may come to this place from two before it.
    fn skips(&self, place: usize) -> bool {
        place >= 2 && self.places[place] != self.blank && self.places[place] != self.places[place - 2]
    }

    /// How probable the classes of all places are at a step.
    fn at(&self, step: usize) -> impl Fn(usize) -> f64 {
        let row = &self.logarithms[step * self.classes..][..self.classes];
        |place| row[self.places[place]]
    }

    /// Places at which a way may end: the last label and the blank behind it.
    fn is_end(&self, place: usize) -> bool {
        place + 2 >= self.places.len()
    }

    /// The loss: `-ln` of the probability of all ways together. Adds its derivatives in the log-probabilities to `gradient`, which
    /// stay as they are where no way is possible.
    pub fn loss(&self, gradient: Option<&mut [f64]>) -> f64 {
        let (width, steps) = (self.places.len(), self.logarithms.len() / self.classes);
        let forward = self.forward(steps);
        let last = &forward[steps * width..];
        let total = (0..width)
            .filter(|&place| self.is_end(place))
            .fold(f64::NEG_INFINITY, |sum, place| log_sum([sum, last[place], f64::NEG_INFINITY]));
        if let Some(gradient) = gradient
            && total != f64::NEG_INFINITY
        {
            self.backward(&forward[width..], total, gradient);
        }
        -total
    }

    /// For each step, and before the first, how probable it is to have come to each place: `alpha`, `[steps + 1, places]`.
    fn forward(&self, steps: usize) -> Vec<f64> {
        let width = self.places.len();
        let mut all = vec![f64::NEG_INFINITY; (steps + 1) * width];
        // As if a way came from the first blank: it begins there, or with the first label.
        all[0] = 0.0;
        for step in 0..steps {
            let (before, now) = all[step * width..].split_at_mut(width);
            let probable = self.at(step);
            for place in 0..width {
                let from = |back: usize, may: bool| if may { before[place - back] } else { f64::NEG_INFINITY };
                let ways = [before[place], from(1, place >= 1), from(2, self.skips(place))];
                now[place] = log_sum(ways) + probable(place);
            }
        }
        all
    }

    /// Takes the probability of being at each place off the derivatives of its class, step by step from the last. `forward` is
    /// that after each step; `beta` is how probable the rest of the way is.
    fn backward(&self, forward: &[f64], total: f64, gradient: &mut [f64]) {
        let width = self.places.len();
        let end = |place| if self.is_end(place) { 0.0 } else { f64::NEG_INFINITY };
        let mut beta: Vec<f64> = (0..width).map(end).collect();
        for (step, alpha) in forward.chunks(width).enumerate().rev() {
            let probable = self.at(step);
            for place in 0..width {
                gradient[step * self.classes + self.places[place]] -= (alpha[place] + beta[place] - total).exp();
                beta[place] += probable(place);
            }
            for place in 0..width {
                let to = |ahead: usize, may: bool| if may { beta[place + ahead] } else { f64::NEG_INFINITY };
                let skips = place + 2 < width && self.skips(place + 2);
                // Places ahead still have the values of this step.
                beta[place] = log_sum([beta[place], to(1, place + 1 < width), to(2, skips)]);
            }
        }
    }
}

/// `ln(e^a + e^b + e^c)`.
fn log_sum(terms: [f64; 3]) -> f64 {
    let largest = terms.iter().fold(f64::NEG_INFINITY, |most, &term| if term > most { term } else { most });
    if largest == f64::NEG_INFINITY {
        // NaN, if one is.
        return terms.iter().sum();
    }
    // Where there is one way only, it is exact.
    let others = terms.iter().filter(|term| **term != f64::NEG_INFINITY);
    largest + others.map(|term| (term - largest).exp()).sum::<f64>().ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By trying every class at every step.
    fn all_ways(logarithms: &[f64], classes: usize, labels: &[i64], blank: usize) -> f64 {
        let steps = logarithms.len() / classes;
        let mut total = 0.0;
        for way in 0..classes.pow(steps as u32) {
            let way: Vec<usize> = (0..steps).map(|step| way / classes.pow(step as u32) % classes).collect();
            let mut said = way.clone();
            said.dedup();
            said.retain(|&class| class != blank);
            if said.iter().map(|&class| class as i64).eq(labels.iter().copied()) {
                total +=
                    way.iter().enumerate().map(|(step, class)| logarithms[step * classes + class]).sum::<f64>().exp();
            }
        }
        -f64::ln(total)
    }

    #[test]
    fn the_loss_counts_every_way() {
        for (steps, labels, blank) in
            [(4, &[1, 2][..], 0), (5, &[1, 1], 0), (5, &[0, 1, 0], 2), (3, &[2], 1), (3, &[], 0), (2, &[1, 1], 0)]
        {
            let logarithms: Vec<f64> = (0..steps * 3).map(|i| -((i * 7 % 5) as f64) / 3.0 - 0.1).collect();
            let mut gradient = vec![0.0; logarithms.len()];
            let loss = Alignment::new(&logarithms, 3, labels, blank).loss(Some(&mut gradient));
            let expected = all_ways(&logarithms, 3, labels, blank);
            assert!(loss == expected || (loss - expected).abs() < 1e-12, "{labels:?}: {loss} instead of {expected}");
            // At every step, a way is at one place.
            let at_each_step = if loss.is_finite() { -1.0 } else { 0.0 };
            let sums = gradient.chunks(3).map(|row| row.iter().sum::<f64>());
            assert!(sums.into_iter().all(|sum| (sum - at_each_step).abs() < 1e-12), "{labels:?}: {gradient:?}");
        }
    }

    #[test]
    fn without_steps_only_nothing_can_be_said() {
        assert_eq!(Alignment::new(&[], 3, &[], 0).loss(None), 0.0);
        assert_eq!(Alignment::new(&[], 3, &[1], 0).loss(None), f64::INFINITY);
        assert!(Alignment::new(&[f64::NAN, 0.0], 2, &[1], 0).loss(None).is_nan());
    }
}
