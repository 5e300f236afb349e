//! The width of text, so that labels do not overlap.
//!
//! Widths are those of DejaVu Sans, with which PNG is drawn. The fonts that an SVG viewer may choose instead (Helvetica,
//! Arial) are narrower, so that what fits here fits there.

/// The widths of the characters from space to `~`, in thousandths of the font size.
const WIDTHS: [u16; 95] = [
    318, 401, 460, 838, 636, 950, 780, 275, 390, 390, 500, 838, 318, 361, 318, 337, 636, 636, 636, 636, 636, 636, 636,
    636, 636, 636, 337, 337, 838, 838, 838, 531, 1000, 684, 686, 698, 770, 632, 575, 775, 752, 295, 295, 656, 557, 863,
    748, 787, 603, 787, 695, 635, 611, 732, 684, 989, 685, 611, 685, 390, 337, 390, 838, 500, 500, 613, 635, 550, 635,
    615, 352, 635, 634, 278, 278, 579, 278, 974, 634, 612, 635, 635, 411, 521, 392, 634, 592, 818, 592, 592, 525, 636,
    337, 636, 838,
];

/// How much wider the bold font is, at most.
const BOLD: f64 = 1.15;

/// The width of `text` in a font of `size`.
pub(super) fn width(text: &str, size: f64, bold: bool) -> f64 {
    let of = |char: char| match char {
        ' '..='~' => f64::from(WIDTHS[char as usize - 32]),
        '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200f}' | '\u{fe00}'..='\u{fe0f}' => 0.0,
        // Superscripts of powers of ten.
        '²' | '³' | '¹' | '⁰'..='⁹' | '⁻' => 430.0,
        '−' | '×' => 838.0,
        '…' => 1000.0,
        // The scripts of East Asia, and emoji.
        '\u{1100}'..='\u{11ff}' | '\u{2e80}'..='\u{d7ff}' | '\u{f900}'..='\u{fe6f}' => 1050.0,
        '\u{ff00}'..='\u{ffef}' | '\u{1f000}'.. => 1300.0,
        _ => 700.0,
    };
    text.chars().map(of).sum::<f64>() / 1000.0 * size * if bold { BOLD } else { 1.0 }
}

/// `text`, or its beginning with an ellipsis, if it is wider than `room`.
pub(super) fn fit(text: &str, size: f64, bold: bool, room: f64) -> String {
    if width(text, size, bold) <= room {
        return text.to_owned();
    }
    let mut short = String::new();
    let mut used = width("…", size, bold);
    for char in text.chars() {
        used += width(char.encode_utf8(&mut [0; 4]), size, bold);
        if used > room {
            break;
        }
        short.push(char);
    }
    short.truncate(short.trim_end().len());
    short + "…"
}

/// `text` in at most `lines` lines of about the same length, broken at spaces; the last one ends with an ellipsis if there is more.
pub(super) fn wrap(text: &str, size: f64, bold: bool, room: f64, lines: usize) -> Vec<String> {
    let greedy = |room: f64| {
        let mut all: Vec<String> = Vec::new();
        for word in text.split_whitespace() {
            match all.last_mut() {
                Some(line) if width(&format!("{line} {word}"), size, bold) <= room => {
                    line.push(' ');
                    line.push_str(word);
                }
                _ => all.push(word.to_owned()),
            }
        }
        all
    };
    let mut all = greedy(room);
    // As narrow as it can be in as many lines.
    let shares = (50..100).rev().map(|percent| greedy(room * f64::from(percent) / 100.0));
    if let Some(even) = shares.take_while(|narrow| narrow.len() == all.len()).last() {
        all = even;
    }
    if all.len() > lines {
        let rest = all.split_off(lines.max(1) - 1).join(" ");
        all.push(rest);
    }
    all.iter().map(|line| fit(line, size, bold, room)).collect()
}

/// `text` as the content of an XML element or attribute: markup is escaped, line breaks and tabs are spaces, and characters
/// that XML 1.0 does not allow are replaced.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&apos;"),
            '\t' | '\n' | '\r' => safe.push(' '),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            _ => safe.push(char),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut_to_the_room_there_is() {
        assert_eq!(fit("short", 10.0, false, 100.0), "short");
        let cut = fit("a name that goes on and on", 10.0, false, 60.0);
        assert!(cut.ends_with('…') && width(&cut, 10.0, false) <= 60.0, "{cut}");
        assert_eq!(fit("wide", 10.0, false, 0.0), "…");
    }

    #[test]
    fn text_is_broken_at_spaces() {
        assert_eq!(wrap("one two three", 10.0, false, 60.0, 3), ["one two", "three"]);
        assert_eq!(wrap("one two three four", 10.0, false, 80.0, 2), ["one two", "three four"]);
        let two = wrap("one two three four five six", 10.0, false, 60.0, 2);
        assert!(two.len() == 2 && two[1].ends_with('…'), "{two:?}");
        assert!(wrap("", 10.0, false, 60.0, 2).is_empty());
    }

    #[test]
    fn markup_and_characters_that_xml_forbids_are_escaped() {
        assert_eq!(escape("<b>\"&'\u{0}\n🐈"), "&lt;b&gt;&quot;&amp;&apos;\u{fffd} 🐈");
    }
}
