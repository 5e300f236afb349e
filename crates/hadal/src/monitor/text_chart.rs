//! Curves drawn in characters, for a terminal.

/// The marks of the series, and of places where several meet.
const MARKS: [char; 4] = ['•', '×', '+', '◦'];
const SEVERAL: char = '◉';

/// Draws series over the same steps, first to last, as a chart in characters: `width` columns and `height` rows of marks, beside the
/// largest and the smallest value, and a legend below. Values that are not finite are left out; with none that is finite, the
/// chart is empty text.
///
/// ```
/// let chart = hadal::monitor::text_chart(&[("loss", &[1.0, 0.5, 0.25]), ("val_loss", &[0.9, 0.6, 0.5])], 24, 5);
/// assert_eq!(chart.lines().count(), 7);
/// assert!(chart.starts_with("1.0000 ┤•") && chart.ends_with("• loss  × val_loss"));
/// ```
pub fn text_chart(series: &[(&str, &[f64])], width: usize, height: usize) -> String {
    let (width, height) = (width.max(2), height.max(2));
    let finite = || series.iter().flat_map(|(_, values)| values.iter().copied()).filter(|value| value.is_finite());
    let (low, high) = finite().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    if low > high {
        return String::new();
    }
    let steps = series.iter().map(|(_, values)| values.len()).max().unwrap_or(0);
    let column = |step: usize| if steps < 2 { 0 } else { step * (width - 1) / (steps - 1) };
    // Half of the values' distance may be more than a number holds.
    let row = |value: f64| {
        let share = if high > low { (value / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0) } else { 0.5 };
        height - 1 - (share * (height - 1) as f64).round() as usize
    };
    let mut grid = vec![vec![' '; width]; height];
    for ((_, values), mark) in series.iter().zip(MARKS.iter().cycle()) {
        for (step, value) in values.iter().enumerate().filter(|(_, value)| value.is_finite()) {
            let place = &mut grid[row(*value)][column(step)];
            *place = if *place == ' ' || *place == *mark { *mark } else { SEVERAL };
        }
    }
    let labels = [label(high), label(low)];
    let margin = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
    let mut lines: Vec<String> = Vec::new();
    for (at, marks) in grid.iter().enumerate() {
        let (label, edge) = match at {
            0 => (labels[0].as_str(), '┤'),
            at if at == height - 1 => (labels[1].as_str(), '┤'),
            _ => ("", '│'),
        };
        let marks: String = marks.iter().collect();
        lines.push(format!("{label:>margin$} {edge}{}", marks.trim_end()));
    }
    let last = steps.to_string();
    let gap = width.saturating_sub(1 + last.len());
    lines.push(format!("{:>margin$} └1{:>gap$}{last}", "", ""));
    let legend = series.iter().zip(MARKS.iter().cycle()).map(|((name, _), mark)| format!("{mark} {name}"));
    lines.push(format!("{:margin$}  {}", "", legend.collect::<Vec<_>>().join("  ")));
    lines.join("\n")
}

/// A number in few characters.
fn label(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if (1e-3..1e5).contains(&size) => format!("{value:.4}"),
        _ => format!("{value:.2e}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_falling_curve_falls() {
        let chart = text_chart(&[("loss", &[3.0, 2.0, 1.0])], 9, 3);
        let expected = "3.0000 ┤•\n       │    •\n1.0000 ┤        •\n       └1       3\n        • loss";
        assert_eq!(chart, expected);
    }

    #[test]
    fn what_is_no_number_is_left_out() {
        assert_eq!(text_chart(&[("loss", &[f64::NAN])], 9, 3), "");
        assert_eq!(text_chart(&[], 9, 3), "");
        let chart = text_chart(&[("loss", &[f64::NAN, 1.0]), ("val_loss", &[f64::INFINITY, 1.0])], 9, 3);
        assert!(chart.contains('◉') && !chart.contains("inf"), "{chart}");
    }

    proptest! {
        #[test]
        fn a_chart_has_the_size_that_was_asked_for(
            values in proptest::collection::vec(proptest::num::f64::ANY, 0..40),
            width in 2usize..90,
            height in 2usize..12,
        ) {
            let chart = text_chart(&[("loss", &values)], width, height);
            if values.iter().any(|value| value.is_finite()) {
                prop_assert_eq!(chart.lines().count(), height + 2);
                prop_assert!(chart.lines().all(|line| line.chars().count() <= width.max(8) + 14), "{}", chart);
            }
        }
    }
}
