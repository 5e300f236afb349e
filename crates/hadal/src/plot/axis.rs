//! Axes: where a number lies, and the round numbers that stand beside the axis.

/// A range of numbers along an axis, which is not empty. On a logarithmic axis both are positive.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    pub from: f64,
    pub to: f64,
    pub log: bool,
    /// Whether only whole numbers have a meaning, as epochs do.
    pub whole: bool,
}

impl Axis {
    pub fn linear(from: f64, to: f64) -> Axis {
        Axis { from, to, log: false, whole: false }
    }

    /// Where `value` lies, from 0 at the beginning of the axis to 1 at its end.
    pub fn share(self, value: f64) -> f64 {
        if self.log {
            (value.ln() - self.from.ln()) / (self.to.ln() - self.from.ln())
        } else {
            (value - self.from) / (self.to - self.from)
        }
    }

    /// About `most` round numbers on the axis, never more than that and one, with their labels.
    pub fn ticks(self, most: usize) -> Vec<(f64, String)> {
        let decades = if self.log { self.decades(most) } else { Vec::new() };
        if decades.len() >= 2 {
            return decades.into_iter().map(|value| (value, power_of_ten(value))).collect();
        }
        let between = if self.log { self.between_decades() } else { Vec::new() };
        if (2..=most + 1).contains(&between.len()) {
            return between.into_iter().map(|value| (value, number(value))).collect();
        }
        let step = self.step(most.max(1));
        let (first, last) = ((self.from / step - 1e-6).ceil(), (self.to / step + 1e-6).floor());
        let count = (last - first).max(-1.0) as usize + 1;
        let largest = self.from.abs().max(self.to.abs());
        (0..count.min(most + 1))
            .map(|index| (first + index as f64) * step)
            .map(|value| (value + 0.0, label(value, step, largest)))
            .collect()
    }

    /// The smallest of 1, 2 and 5 times a power of ten that needs at most `most` steps.
    fn step(self, most: usize) -> f64 {
        let least = (self.to - self.from) / most as f64;
        let power = 10f64.powf(least.log10().floor());
        let step = [1.0, 2.0, 5.0].map(|factor| factor * power).into_iter().find(|step| *step >= least * (1.0 - 1e-9));
        let step = step.unwrap_or(10.0 * power);
        if self.whole { step.max(1.0) } else { step }
    }

    /// 1, 2 and 5 times powers of ten, for less than two decades.
    fn between_decades(self) -> Vec<f64> {
        let first = self.from.log10().floor() as i32;
        let all = (first..=first + 2).flat_map(|power| [1.0, 2.0, 5.0].map(|factor| factor * 10f64.powi(power)));
        all.filter(|value| (self.from..=self.to).contains(value)).collect()
    }

    /// Powers of ten, or every second one, and so on.
    fn decades(self, most: usize) -> Vec<f64> {
        let (first, last) = ((self.from.log10() - 1e-9).ceil() as i32, (self.to.log10() + 1e-9).floor() as i32);
        let every = ((last - first).max(0) as usize / most.max(1) + 1).max(1);
        (first..=last).filter(|power| power.rem_euclid(every as i32) == 0).map(|power| 10f64.powi(power)).collect()
    }
}

/// The label of a tick, as exact as the distance of the ticks needs: `0.25`, `20,000`, `1.5×10⁻⁷`.
fn label(value: f64, step: f64, largest: f64) -> String {
    let power_of_step = (step.log10() + 1e-9).floor();
    // The product of a step may miss zero by rounding.
    let value = if value.abs() < 1e-6 * step { 0.0 } else { value };
    if value == 0.0 {
        return "0".into();
    }
    if (1e-3..1e6).contains(&largest) {
        let decimals = (-power_of_step).clamp(0.0, 17.0) as usize;
        return grouped(&format!("{value:.decimals$}"));
    }
    let decimals = (value.abs().log10().floor() - power_of_step).clamp(0.0, 16.0) as usize;
    scientific(&format!("{value:.decimals$e}"))
}

fn power_of_ten(value: f64) -> String {
    if (0.001..1e5).contains(&value) { number(value) } else { scientific(&format!("{value:.0e}")) }
}

/// A number to read: four significant digits at most, but whole ones in full up to a million: `0.1235`, `12,345`, `1.5×10⁻⁷`.
pub(super) fn number(value: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    if !value.is_finite() {
        return value.to_string();
    }
    if !(1e-3..1e6).contains(&value.abs()) {
        let text = format!("{value:.2e}");
        let (mantissa, power) = text.split_once('e').unwrap_or((&text, "0"));
        return scientific(&format!("{}e{power}", without_zeros(mantissa)));
    }
    let decimals = (3.0 - value.abs().log10().floor()).clamp(0.0, 6.0) as usize;
    grouped(&without_zeros(&format!("{value:.decimals$}")))
}

fn without_zeros(text: &str) -> String {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text.to_owned() }
}

/// `1.5e-7` as `1.5×10⁻⁷`.
fn scientific(text: &str) -> String {
    let (mantissa, power) = text.split_once('e').unwrap_or((text, "0"));
    let raised: String = power
        .chars()
        .map(|char| match char {
            '-' => '⁻',
            digit => ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'][digit.to_digit(10).unwrap_or(0) as usize],
        })
        .collect();
    let minus = |text: &str| text.replace('-', "−");
    match mantissa {
        "1" => format!("10{raised}"),
        "-1" => format!("−10{raised}"),
        _ => format!("{}×10{raised}", minus(mantissa)),
    }
}

/// `-12345.5` as `−12,345.5`.
pub(super) fn grouped(text: &str) -> String {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("−", digits));
    let (whole, rest) = digits.find('.').map_or((digits, ""), |point| digits.split_at(point));
    let mut result = sign.to_owned();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) && whole.len() > 4 {
            result.push(',');
        }
        result.push(digit);
    }
    result + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(from: f64, to: f64) -> Vec<String> {
        Axis::linear(from, to).ticks(5).into_iter().map(|tick| tick.1).collect()
    }

    #[test]
    fn ticks_are_round_and_equally_exact() {
        assert_eq!(labels(0.0, 1.0), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(-0.3, 0.7), ["−0.2", "0", "0.2", "0.4", "0.6"]);
        assert_eq!(labels(0.0, 60_000.0), ["0", "20,000", "40,000", "60,000"]);
        assert_eq!(labels(0.0, 3e7), ["0", "10⁷", "2×10⁷", "3×10⁷"]);
        assert_eq!(labels(0.0, 4e-7), ["0", "10⁻⁷", "2×10⁻⁷", "3×10⁻⁷", "4×10⁻⁷"]);
        let whole = Axis { whole: true, ..Axis::linear(1.0, 3.0) };
        assert_eq!(whole.ticks(8).into_iter().map(|tick| tick.0).collect::<Vec<_>>(), [1.0, 2.0, 3.0]);
    }

    #[test]
    fn logarithmic_axes_show_powers_of_ten() {
        let axis = Axis { log: true, ..Axis::linear(0.5, 2000.0) };
        let ticks: Vec<String> = axis.ticks(6).into_iter().map(|tick| tick.1).collect();
        assert_eq!(ticks, ["1", "10", "100", "1000"]);
        assert!((axis.share(0.5f64.sqrt() * 2000f64.sqrt()) - 0.5).abs() < 1e-12);
        let far = Axis { log: true, ..Axis::linear(1e-12, 1e12) }.ticks(6);
        assert!(far.len() <= 7 && far.iter().any(|tick| tick.1 == "10⁻⁵"), "{far:?}");
        let short = Axis { log: true, ..Axis::linear(2.0, 90.0) }.ticks(6).into_iter().map(|tick| tick.1);
        assert_eq!(short.collect::<Vec<_>>(), ["2", "5", "10", "20", "50"]);
        assert!(Axis { log: true, ..Axis::linear(0.31, 0.38) }.ticks(5).len() >= 3);
    }

    #[test]
    fn any_range_has_few_ticks_with_different_labels() {
        for (from, to) in [(1e300, 1.1e300), (-1e300, 1e300), (0.5, 0.5 + 1e-9), (1e-12, 2e-12), (5.0, 5.0 + 1e-8)] {
            for most in 1..12 {
                let labels: Vec<String> = Axis::linear(from, to).ticks(most).into_iter().map(|tick| tick.1).collect();
                assert!(labels.len() <= most + 1, "{from} {to}: {labels:?}");
                assert!(labels.windows(2).all(|pair| pair[0] != pair[1]), "{from} {to}: {labels:?}");
                assert!(labels.iter().all(|label| !label.contains("inf") && !label.contains("NaN")), "{labels:?}");
            }
        }
    }

    #[test]
    fn numbers_are_short() {
        let expected = [(0.0, "0"), (0.123_456, "0.1235"), (97.0, "97"), (12_345.0, "12,345"), (1.5e-7, "1.5×10⁻⁷")];
        for (value, text) in expected {
            assert_eq!(number(value), text);
        }
        assert_eq!(number(-2.5), "−2.5");
    }
}
