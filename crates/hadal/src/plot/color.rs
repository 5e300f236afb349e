//! The colours of pictures: those that most colour-blind people can tell apart.

use std::fmt;

/// Red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Color(pub u8, pub u8, pub u8);

impl Color {
    pub const WHITE: Color = Color(255, 255, 255);
    pub const TEXT: Color = Color(34, 34, 34);
    pub const FAINT: Color = Color(110, 110, 110);
    pub const GRID: Color = Color(225, 225, 225);

    /// From this colour to `other`, which is reached at `share` 1.
    pub fn mix(self, other: Color, share: f64) -> Color {
        let channel =
            |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * share.clamp(0.0, 1.0)).round() as u8;
        Color(channel(self.0, other.0), channel(self.1, other.1), channel(self.2, other.2))
    }

    /// Black or white, whichever can be read on this colour (by the luma of ITU-R BT.601).
    pub fn readable_on(self) -> Color {
        let luma = 0.299 * f64::from(self.0) + 0.587 * f64::from(self.1) + 0.114 * f64::from(self.2);
        if luma < 140.0 { Color::WHITE } else { Color::TEXT }
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }
}

/// The palette of Okabe and Ito (2008), without yellow, which is too light on white, and with grey for black.
const PALETTE: [Color; 7] = [
    Color(0, 114, 178),
    Color(213, 94, 0),
    Color(0, 158, 115),
    Color(204, 121, 167),
    Color(230, 159, 0),
    Color(86, 180, 233),
    Color(90, 90, 90),
];

/// The colour of the series, class or group with this index. It repeats after seven; dashes and markers then differ.
pub(super) fn of_index(index: usize) -> Color {
    PALETTE[index % PALETTE.len()]
}

/// The dashes of the line with this index: none until the palette has been used up.
pub(super) fn dash(index: usize) -> Option<&'static str> {
    [None, Some("8 4"), Some("2 3")][index / PALETTE.len() % 3]
}

/// The colour between the stops of a colour map, which stand at equal distances from 0 to 1.
fn along(stops: &[Color], at: f64) -> Color {
    let place = at.clamp(0.0, 1.0) * (stops.len() - 1) as f64;
    let index = (place as usize).min(stops.len() - 2);
    stops[index].mix(stops[index + 1], place - index as f64)
}

/// From white at 0 to dark blue at 1: counts and shares (ColorBrewer's Blues).
pub(super) fn sequential(at: f64) -> Color {
    const BLUES: [Color; 5] =
        [Color(255, 255, 255), Color(209, 226, 243), Color(133, 188, 220), Color(49, 130, 189), Color(8, 48, 107)];
    along(&BLUES, at)
}

/// From white at 0 to grey at 1, on which every colour of the palette can be seen: surfaces behind curves.
pub(super) fn background(at: f64) -> Color {
    Color::WHITE.mix(Color(168, 178, 192), at)
}

/// From blue at -1 over white at 0 to orange at 1: numbers with a sign.
pub(super) fn diverging(at: f64) -> Color {
    const ENDS: [Color; 5] =
        [Color(0, 68, 136), Color(102, 163, 210), Color(255, 255, 255), Color(236, 152, 82), Color(166, 63, 0)];
    along(&ENDS, (at + 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_maps_reach_their_ends_and_take_any_number() {
        assert_eq!(diverging(0.0), Color::WHITE);
        assert_eq!((diverging(-1.0), diverging(7.0)), (Color(0, 68, 136), Color(166, 63, 0)));
        assert_eq!((sequential(0.0), sequential(1.0)), (Color::WHITE, Color(8, 48, 107)));
        assert_eq!(background(f64::INFINITY), Color(168, 178, 192));
        assert_eq!(Color(1, 171, 255).to_string(), "#01abff");
    }

    #[test]
    fn text_is_readable_on_every_colour_of_a_map() {
        assert_eq!(sequential(1.0).readable_on(), Color::WHITE);
        assert_eq!(sequential(0.2).readable_on(), Color::TEXT);
    }
}
