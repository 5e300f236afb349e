//! Numbers from text: exact, and fast for plain decimals.

use super::dress::undress;

/// Powers of ten that are exact in `f64` and that a mantissa of at most 16 digits needs.
const POWERS: [f64; 17] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16];

/// The finite number that `cell` is, correctly rounded; `comma` says that a comma stands where a point would.
///
/// A mantissa of at most 2^53 and a power of ten of at most 10^22 are exact in `f64`, so one division rounds correctly
/// (Clinger, "How to Read Floating Point Numbers Accurately", 1990). All other numbers go to the standard library.
pub(super) fn parse(cell: &str, comma: bool) -> Option<f64> {
    let bytes = cell.as_bytes();
    let (negative, digits) = match bytes.first()? {
        b'-' => (true, &bytes[1..]),
        b'+' => (false, &bytes[1..]),
        _ => (false, bytes),
    };
    if digits.len() > 16 {
        return parse_slowly(cell, comma);
    }
    let (mut mantissa, mut count, mut point) = (0u64, 0, None);
    for &byte in digits {
        match byte {
            b'0'..=b'9' => {
                mantissa = mantissa * 10 + u64::from(byte - b'0');
                count += 1;
            }
            _ if byte == separator(comma) && point.is_none() => point = Some(count),
            _ => return parse_slowly(cell, comma),
        }
    }
    if count == 0 {
        return None;
    }
    if mantissa > 1 << 53 {
        return parse_slowly(cell, comma);
    }
    let value = mantissa as f64 / POWERS[count - point.unwrap_or(count)];
    Some(if negative { -value } else { value })
}

fn separator(comma: bool) -> u8 {
    if comma { b',' } else { b'.' }
}

fn parse_slowly(cell: &str, comma: bool) -> Option<f64> {
    let plain =
        |byte: u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'e' | b'E') || byte == separator(comma);
    if !cell.bytes().all(plain) {
        return None;
    }
    let value = if comma { cell.replace(',', ".").parse() } else { cell.parse::<f64>() };
    value.ok().filter(|value: &f64| value.is_finite())
}

/// Whether a cell with this decimal separator could as well be a whole number with a thousands separator: `12,345`.
pub(super) fn may_be_thousands(cell: &str, separator: char) -> bool {
    let Some((whole, rest)) = cell.trim_start_matches(['-', '+']).split_once(separator) else { return false };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole) && whole.len() <= 3 && !whole.starts_with('0') && digits(rest) && rest.len() == 3
}

/// A cell without the zero decimals of a whole number, so that `3` and `3.0` are the same level.
pub(super) fn without_zero_decimals(cell: &str, comma: bool) -> &str {
    if !cell.ends_with('0') {
        return cell;
    }
    let short = cell.trim_end_matches('0');
    match short.strip_suffix(char::from(separator(comma))) {
        Some(whole) if !whole.is_empty() && whole.trim_start_matches('-').bytes().all(|b| b.is_ascii_digit()) => whole,
        _ => cell,
    }
}

/// Why [`parse`] takes `cell` for no number.
pub(super) fn reason(cell: &str, comma: bool) -> String {
    let shown = super::excerpt(cell);
    let unsigned = cell.trim_start_matches(['-', '+']);
    if ["inf", "infinity"].iter().any(|word| unsigned.eq_ignore_ascii_case(word)) {
        return format!("`{shown}` is not a finite number");
    }
    if cell.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b)) && cell.parse().is_ok_and(f64::is_infinite) {
        return format!("`{shown}` is too large for a number");
    }
    match undress(cell, comma) {
        Some(own) => format!("`{shown}` is not a number: it has {}; write `{}`", own.marks(), own.plain),
        None => format!("`{shown}` is not a number"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_dates_and_numbers_that_are_not_finite_are_no_numbers() {
        for text in
            ["", "-", "+", ".", "-.", "e5", "1e", "inf", "-inf", "nan", "1_000", "0x10", "1e999", "1 000", "1,5"]
        {
            assert_eq!(parse(text, false), None, "{text}");
        }
        for text in ["1.5", "1,5,5", ",", "1.000,5"] {
            assert_eq!(parse(text, true), None, "{text}");
        }
    }

    #[test]
    fn a_decimal_comma_is_read_where_it_is_told() {
        assert_eq!(parse("3,25", true), Some(3.25));
        assert_eq!(parse("-0,1e3", true), Some(-100.0));
        assert_eq!(parse("12345678901234567,5", true), Some(12345678901234567.5));
    }

    #[test]
    fn reasons_say_what_is_wrong() {
        assert_eq!(reason("abc", false), "`abc` is not a number");
        assert_eq!(reason("-inf", false), "`-inf` is not a finite number");
        assert_eq!(reason("1e999", false), "`1e999` is too large for a number");
        assert_eq!(
            reason("1,234.50", false),
            "`1,234.50` is not a number: it has thousands separators; write `1234.50`"
        );
    }

    #[test]
    fn whole_numbers_lose_zero_decimals_and_nothing_else() {
        for (cell, short) in
            [("3.0", "3"), ("-3.00", "-3"), ("30", "30"), ("3.10", "3.10"), (".0", ".0"), ("v1.0", "v1.0")]
        {
            assert_eq!(without_zero_decimals(cell, false), short);
        }
    }

    proptest! {
        #[test]
        fn plain_decimals_are_what_the_standard_library_reads(text in "[+-]?[0-9]{0,19}(\\.[0-9]{0,19})?(e-?[0-9]{1,3})?") {
            let expected = text.parse::<f64>().ok().filter(|value| value.is_finite());
            prop_assert_eq!(parse(&text, false).map(f64::to_bits), expected.map(f64::to_bits));
        }
    }
}
