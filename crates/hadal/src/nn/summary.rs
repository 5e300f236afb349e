//! The table that `summary()` prints.

use std::fmt;

use crate::Shape;

/// Layers, output shapes and numbers of parameters, as Keras prints them.
///
/// ```
/// use hadal::prelude::*;
/// let model = Sequential::new([784]).add(Dense::new(512)).build()?;
/// assert!(model.summary().to_string().ends_with("Parameters: 401,920"));
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    rows: Vec<(String, Shape, usize)>,
}

impl Summary {
    /// From (label, output shape of one sample, parameters) of each layer.
    pub(super) fn new(rows: impl IntoIterator<Item = (String, Shape, usize)>) -> Summary {
        Summary { rows: rows.into_iter().collect() }
    }

    /// Label, output shape of one sample and parameters of each layer; none if the network is not built.
    #[cfg(feature = "plot")]
    pub(crate) fn rows(&self) -> &[(String, Shape, usize)] {
        &self.rows
    }

    /// The parameters of all layers.
    pub fn parameters(&self) -> usize {
        self.rows.iter().map(|row| row.2).sum()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shapes = self.rows.iter().map(|(_, shape, _)| {
            let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
            format!("[N, {}]", sizes.join(", "))
        });
        let shapes: Vec<String> = shapes.collect();
        let widest = |least: usize, texts: &mut dyn Iterator<Item = &String>| {
            texts.map(|text| text.chars().count()).fold(least, usize::max)
        };
        let (first, second) = (widest(22, &mut self.rows.iter().map(|row| &row.0)), widest(18, &mut shapes.iter()));
        let line = "─".repeat(first + second + 14);
        writeln!(f, "{:<first$} {:<second$} {:>12}", "Layer", "Output shape", "Parameters")?;
        writeln!(f, "{line}")?;
        for ((label, _, count), shape) in self.rows.iter().zip(&shapes) {
            writeln!(f, "{label:<first$} {shape:<second$} {:>12}", thousands(*count))?;
        }
        writeln!(f, "{line}")?;
        write!(f, "Parameters: {}", thousands(self.parameters()))
    }
}

/// `669706` as `669,706`.
pub(crate) fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let mut result = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            result.push(',');
        }
        result.push(digit);
    }
    result
}

#[cfg(test)]
mod tests {
    #[test]
    fn thousands_are_set_apart() {
        for (n, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (669_706, "669,706"), (12_345_678, "12,345,678")] {
            assert_eq!(super::thousands(n), text);
        }
    }
}
