//! What the colours of a picture stand for.

use super::color::Color;
use super::svg::{Font, Pixels, Rect, Stroke, Svg};

/// How far a mark keeps from the ends of a bar.
const END: f64 = 6.0;

/// Draws a bar of the colours from 0, at the bottom, to 1, and what stands beside some of them.
pub(super) fn color_bar(svg: &mut Svg, bar: Rect, color: impl Fn(f64) -> Color, marks: &[(f64, String)]) {
    let pixels = Pixels::new(1, 101, |row, _| color(1.0 - row as f64 / 100.0));
    svg.panel(bar, Color::WHITE, Stroke::new(Color::FAINT, 0.8), 0.0);
    svg.image(bar, &pixels, true);
    for (share, text) in marks {
        let height = bar.y + ((1.0 - share) * bar.height).max(END).min(bar.height - END);
        svg.text_beside((bar.right() + 6.0, height), text, Font::new(13.0));
    }
}
