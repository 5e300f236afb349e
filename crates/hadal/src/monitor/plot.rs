//! Curves as SVG pictures.

use std::path::Path;

use plotters::prelude::*;

use crate::{Error, Result};

/// Draws `values` against their index (1, 2, ..) as a line and writes it to `path` as SVG.
///
/// # Errors
/// If there are fewer than two finite values, or the file cannot be written.
pub fn line(path: impl AsRef<Path>, title: &str, x_label: &str, y_label: &str, values: &[f64]) -> Result<()> {
    let path = path.as_ref();
    let points: Vec<(f64, f64)> =
        values.iter().enumerate().filter(|(_, y)| y.is_finite()).map(|(i, &y)| (i as f64 + 1.0, y)).collect();
    if points.len() < 2 {
        return Err(Error::Data(format!("{title}: a curve needs at least two finite values")));
    }
    let low = points.iter().map(|point| point.1).fold(f64::INFINITY, f64::min);
    let high = points.iter().map(|point| point.1).fold(f64::NEG_INFINITY, f64::max);
    // From zero where that wastes little, so that heights can be compared.
    let low = if low > 0.0 && low < 0.6 * high { 0.0 } else { low };
    let margin = (high - low).max(1e-12) * 0.05;
    let mut svg = String::new();
    draw(&mut svg, title, (x_label, y_label), &points, low..high + margin)
        .map_err(|reason| Error::file(path, format!("the curve cannot be drawn: {reason}")))?;
    crate::format::write_atomically(path, |out| out.write_all(svg.as_bytes()))
}

/// A number as an axis shows it: `0.3`, `200`, `1.5e-7`.
fn short(value: f64) -> String {
    if value != 0.0 && !(1e-4..1e7).contains(&value.abs()) {
        return format!("{value:.1e}");
    }
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn draw(
    svg: &mut String,
    title: &str,
    (x_label, y_label): (&str, &str),
    points: &[(f64, f64)],
    range: std::ops::Range<f64>,
) -> std::result::Result<(), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let area = SVGBackend::with_string(svg, (800, 480)).into_drawing_area();
    area.fill(&WHITE).map_err(|e| text(&e))?;
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 22))
        .margin(16)
        .margin_right(32)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..points.len() as f64, range)
        .map_err(|e| text(&e))?;
    chart
        .configure_mesh()
        .x_desc(x_label)
        .y_desc(y_label)
        .x_label_formatter(&|x| short(*x))
        .y_label_formatter(&|y| short(*y))
        .label_style(("sans-serif", 14))
        .axis_desc_style(("sans-serif", 16))
        .light_line_style(TRANSPARENT)
        .bold_line_style(RGBColor(225, 225, 225))
        .draw()
        .map_err(|e| text(&e))?;
    let style = RGBColor(31, 78, 140).stroke_width(2);
    chart.draw_series(LineSeries::new(points.iter().copied(), style)).map_err(|e| text(&e))?;
    area.present().map_err(|e| text(&e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_short() {
        for (value, text) in [(0.0, "0"), (0.1 + 0.2, "0.3"), (200.0, "200"), (-1.5, "-1.5"), (1.5e-7, "1.5e-7")] {
            assert_eq!(short(value), text);
        }
    }

    #[test]
    fn a_curve_is_an_svg_picture_and_too_few_values_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("curve.svg");
        assert!(line(&path, "title", "x", "y", &[1.0, f64::NAN]).is_err() && !path.exists());
        line(&path, "title", "x", "y", &[3.0, 2.0, f64::INFINITY, 1.0]).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("<svg") && text.contains("title") && text.trim_end().ends_with("</svg>"));
    }
}
