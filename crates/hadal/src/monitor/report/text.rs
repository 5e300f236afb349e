//! Numbers and times in words, and the pieces that sections are made of.

use maud::{Markup, PreEscaped, html};

use crate::nn::thousands;
use crate::plot::Picture;
use crate::{Error, Result};

/// Metrics that are shares, of which a percentage says more.
const SHARES: [&str; 3] = ["accuracy", "top_k_accuracy", "confusion_accuracy"];

/// A score as the console shows it, with its exact value for programs that read the page.
pub(super) fn score(name: &str, value: f64) -> Markup {
    html! { data value=(value) { (score_text(name, value)) } }
}

pub(super) fn score_text(name: &str, value: f64) -> String {
    let base = name.strip_prefix("val_").unwrap_or(name);
    let is_share = SHARES.iter().any(|share| base == *share || base.ends_with(&format!("_{share}")));
    if is_share && value.is_finite() { percent(value) } else { number(value) }
}

pub(super) fn percent(share: f64) -> String {
    format!("{:.2}%", 100.0 * share)
}

/// Four decimals, or four digits of what is very small or large.
pub(super) fn number(value: f64) -> String {
    match value.abs() {
        _ if value.is_nan() => "not a number".to_owned(),
        _ if value.is_infinite() => (if value > 0.0 { "infinity" } else { "-infinity" }).to_owned(),
        size if size != 0.0 && !(1e-3..1e7).contains(&size) => format!("{value:.3e}"),
        _ => format!("{value:.4}"),
    }
}

/// `1 sample`, `1,200 samples`.
pub(super) fn counted(count: usize, what: &str) -> String {
    format!("{} {what}{}", thousands(count), if count == 1 { "" } else { "s" })
}

pub(super) fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match seconds {
        _ if seconds < 0.0995 => format!("{:.1} ms", 1000.0 * seconds),
        _ if seconds < 99.5 => format!("{seconds:.1} s"),
        _ if whole < 3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// A picture with what it shows; a sentence where it cannot be drawn.
pub(super) fn figure(title: &str, picture: Result<Picture>, caption: &str) -> Markup {
    match picture {
        Ok(picture) => html! {
            figure {
                div.picture { (PreEscaped(picture.title(title).svg())) }
                figcaption { span { (caption) } }
            }
        },
        Err(error) => missing(title, &error),
    }
}

/// Says what is not shown, and why.
pub(super) fn missing(what: &str, error: &Error) -> Markup {
    html! { p.note { (what) " cannot be shown: " (error) } }
}

/// A table; cells of numbers stand at the right.
pub(super) fn table(caption: &str, head: &[String], rows: Vec<Vec<Markup>>, numeric: impl Fn(usize) -> bool) -> Markup {
    html! {
        div.wide.many[head.len() > 8] tabindex="0" role="region" aria-label=(caption) {
            table {
                caption { (caption) }
                thead { tr { @for (at, name) in head.iter().enumerate() { th scope="col" class=[numeric(at).then_some("number")] { (name) } } } }
                tbody {
                    @for row in rows {
                        tr {
                            @for (at, cell) in row.into_iter().enumerate() {
                                @if at == 0 { th scope="row" class=[numeric(at).then_some("number")] { (cell) } }
                                @else { td class=[numeric(at).then_some("number")] { (cell) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Names with their values.
pub(super) fn facts<N: AsRef<str>>(all: impl IntoIterator<Item = (N, String)>) -> Markup {
    html! { dl { @for (name, value) in all { div { dt { (name.as_ref()) } dd { (value) } } } } }
}

/// A text as it is, in a region that can be scrolled.
pub(super) fn verbatim(name: &str, text: &str) -> Markup {
    html! { pre tabindex="0" role="region" aria-label=(name) { (text) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_say_what_they_are() {
        for (value, text) in [
            (0.0, "0.0000"),
            (0.12345, "0.1235"),
            (-12.5, "-12.5000"),
            (0.00012345, "1.234e-4"),
            (2.5e9, "2.500e9"),
            (f64::NAN, "not a number"),
            (f64::NEG_INFINITY, "-infinity"),
        ] {
            assert_eq!(number(value), text);
        }
        assert_eq!(score_text("val_accuracy", 0.98256), "98.26%");
        assert_eq!(score_text("loss", 0.98256), "0.9826");
        assert_eq!(score_text("accuracy", f64::NAN), "not a number");
    }

    #[test]
    fn times_are_told_in_their_unit() {
        for (seconds, text) in
            [(0.0123, "12.3 ms"), (4.25, "4.2 s"), (99.4, "99.4 s"), (125.2, "2 min 5 s"), (7322.0, "2 h 2 min")]
        {
            assert_eq!(duration(seconds), text);
        }
    }
}
