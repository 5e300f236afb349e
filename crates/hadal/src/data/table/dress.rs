//! Numbers with marks that are for readers: currency signs, percent signs, thousands separators, units.

use super::number;

/// What is left of a cell without its marks.
pub(super) struct Undressed {
    /// The number as it should be written.
    pub plain: String,
    /// The unit, if there is one.
    pub unit: Option<String>,
    marks: Vec<&'static str>,
}

/// Signs and codes of currencies that stand before or after an amount.
const CURRENCIES: [&str; 22] = [
    "$", "US$", "€", "£", "¥", "₹", "₽", "₩", "₺", "₪", "฿", "₫", "zł", "USD", "EUR", "GBP", "CHF", "JPY", "CNY",
    "INR", "kr", "R$",
];
/// What may stand between groups of three digits, besides the other one of comma and point.
const SEPARATORS: [char; 8] = [' ', '\u{a0}', '\u{202f}', '\u{2009}', '\'', '\u{2019}', '_', '\u{66c}'];
/// The longest unit, in characters.
const LONGEST_UNIT: usize = 8;

impl Undressed {
    pub fn is_plain(&self) -> bool {
        self.marks.is_empty() && self.unit.is_none()
    }

    /// The marks, for a message: `a currency sign and thousands separators`.
    pub fn marks(&self) -> String {
        let unit = self.unit.as_ref().map(|unit| format!("the unit `{unit}`"));
        let marks: Vec<String> = self.marks.iter().map(|mark| (*mark).to_owned()).chain(unit).collect();
        match &marks[..] {
            [] => String::new(),
            [only] => only.clone(),
            [first @ .., last] => format!("{} and {last}", first.join(", ")),
        }
    }
}

/// A number without its marks; `None`, if it would be none without them, either. `comma` says that a comma stands where a
/// point would.
pub(super) fn undress(cell: &str, comma: bool) -> Option<Undressed> {
    if number::parse(cell, comma).is_some() {
        return Some(Undressed { plain: cell.to_owned(), unit: None, marks: Vec::new() });
    }
    if !cell.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (mut marks, mut negative, mut unit) = (Vec::new(), false, None);
    let mut rest = cell;
    if let Some(inner) = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        (rest, negative) = (inner.trim(), true);
        marks.push("parentheses");
    }
    // A sign stands before the currency or after it.
    let mut sign = |rest: &mut &str, marks: &mut Vec<&'static str>| {
        if let Some(after) = rest.strip_prefix(['-', '+', '\u{2212}', '\u{2013}']) {
            negative |= !rest.starts_with('+');
            if !rest.starts_with(['-', '+']) {
                marks.push("a minus sign that is no hyphen");
            }
            *rest = after.trim_start();
        }
    };
    sign(&mut rest, &mut marks);
    let before = CURRENCIES.iter().find_map(|currency| rest.strip_prefix(currency));
    let after = || CURRENCIES.iter().find_map(|currency| rest.strip_suffix(currency));
    if let Some(amount) = before.or_else(after) {
        rest = amount.trim();
        marks.push("a currency sign");
        sign(&mut rest, &mut marks);
    }
    if let Some(share) = rest.strip_suffix('%') {
        rest = share.trim_end();
        marks.push("a percent sign");
    }
    if !rest.ends_with(|c: char| c.is_ascii_digit()) {
        let number = rest.trim_end_matches(|c: char| c.is_alphabetic() || "°²³/".contains(c));
        let own = &rest[number.len()..];
        // First, second, third are no amounts.
        if own.is_empty() || own.chars().count() > LONGEST_UNIT || ["st", "nd", "rd", "th"].contains(&own) {
            return None;
        }
        unit = Some(own.to_owned());
        rest = number.trim_end();
    }
    let (plain, mark) = ungroup(rest, comma)?;
    marks.extend(mark);
    let plain = if negative { format!("-{plain}") } else { plain };
    number::parse(&plain, comma)?;
    Some(Undressed { plain, unit, marks })
}

/// Digits without separators between groups of three, and with the expected sign before the decimals; and what was there instead.
fn ungroup(text: &str, comma: bool) -> Option<(String, Vec<&'static str>)> {
    const GROUPED: &str = "thousands separators";
    let (point, other) = if comma { (',', '.') } else { ('.', ',') };
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, decimals) = text.rsplit_once(point).unwrap_or((text, ""));
    if (decimals.is_empty() || are_digits(decimals)) && !text.ends_with(point) {
        let end = if decimals.is_empty() { String::new() } else { format!("{point}{decimals}") };
        if are_digits(whole) {
            return Some((format!("{whole}{end}"), vec![]));
        }
        if let Some(digits) = without_separators(whole, other) {
            return Some((format!("{digits}{end}"), vec![GROUPED]));
        }
    }
    // The roles of comma and point exchanged.
    if let Some(digits) = without_separators(text, point) {
        return Some((digits, vec![GROUPED]));
    }
    let (whole, decimals) = text.rsplit_once(other).filter(|(_, decimals)| are_digits(decimals))?;
    let mark = if comma { "a decimal point, not a comma" } else { "a decimal comma, not a point" };
    if are_digits(whole) {
        return Some((format!("{whole}{point}{decimals}"), vec![mark]));
    }
    Some((format!("{}{point}{decimals}", without_separators(whole, point)?), vec![GROUPED, mark]))
}

/// The digits of groups of three, with one and the same separator between them.
fn without_separators(text: &str, other: char) -> Option<String> {
    let separator = text.chars().find(|c| !c.is_ascii_digit())?;
    if separator != other && !SEPARATORS.contains(&separator) {
        return None;
    }
    let mut groups = text.split(separator);
    let first = groups.next()?;
    let digits = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
    let fit = (1..=3).contains(&first.len()) && digits(first) && groups.all(|group| group.len() == 3 && digits(group));
    fit.then(|| text.replace(separator, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn undressed(cell: &str, comma: bool) -> Option<(String, String)> {
        undress(cell, comma).map(|own| (own.marks(), own.plain))
    }

    #[test]
    fn marks_are_taken_off_and_named() {
        for (cell, comma, marks, plain) in [
            ("$1,234.50", false, "a currency sign and thousands separators", "1234.50"),
            ("1 234 567", false, "thousands separators", "1234567"),
            ("1'234.5 CHF", false, "a currency sign and thousands separators", "1234.5"),
            ("-€5", false, "a currency sign", "-5"),
            ("12.5 %", false, "a percent sign", "12.5"),
            ("\u{2212}3.5", false, "a minus sign that is no hyphen", "-3.5"),
            ("(1,200)", false, "parentheses and thousands separators", "-1200"),
            ("36 months", false, "the unit `months`", "36"),
            ("180cm", false, "the unit `cm`", "180"),
            ("3,14", false, "a decimal comma, not a point", "3.14"),
            ("1.234,50 €", false, "a currency sign, thousands separators and a decimal comma, not a point", "1234.50"),
            ("1.234,50", true, "thousands separators", "1234,50"),
            ("3.14", true, "a decimal point, not a comma", "3,14"),
            ("1.234.567", false, "thousands separators", "1234567"),
            ("-1.5", false, "", "-1.5"),
        ] {
            assert_eq!(undressed(cell, comma), Some((marks.to_owned(), plain.to_owned())), "{cell}");
        }
    }

    #[test]
    fn what_is_no_number_without_marks_is_none() {
        for cell in [
            "",
            "$",
            "abc",
            "12 34",
            "1,23,4",
            "3rd",
            "A12",
            "1-2",
            "10:30",
            "1.2.3",
            "$%",
            "5 very long words",
            "1..5",
        ] {
            assert_eq!(undressed(cell, false), None, "{cell}");
        }
    }
}
