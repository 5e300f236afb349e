//! What a network gets right and wrong, for TensorBoard: precision-recall curves and its worst mistakes.

use std::fmt::Write;

use super::Log;
use crate::data::Dataset;
use crate::monitor::evaluation::{Evaluation, class_name};
use crate::monitor::images::{as_images, image_of};
use crate::monitor::note;
use crate::{Result, Shape, Tensor};

/// How many mistakes are shown, and of how many classes curves.
const MISTAKES: usize = 16;
const CLASSES: usize = 100;

/// Logs a precision-recall curve of each class.
pub(super) fn log_pr_curves(log: &mut Log, evaluation: &Evaluation, names: &[String]) -> Result<()> {
    let classes = evaluation.truth.size(1);
    if classes > CLASSES {
        note(&format!("TensorBoard: precision-recall curves of the first {CLASSES} of {classes} classes are written"));
    }
    for class in 0..classes.min(CLASSES) {
        let column = |tensor: &Tensor| tensor.narrow(1, class, 1).squeeze(1);
        let tag = format!("precision_recall/{}", class_name(names, if classes == 1 { 1 } else { class }));
        log.pr_curve(&tag, &column(&evaluation.truth), &column(&evaluation.probabilities))?;
    }
    Ok(())
}

/// Logs the samples whose own class was given the least probability, as a table, and as images where they are images.
pub(super) fn log_mistakes(
    log: &mut Log,
    evaluation: &Evaluation,
    data: &Dataset,
    names: &[String],
    image_shape: Option<&Shape>,
) -> Result<()> {
    let mistakes = evaluation.mistakes(MISTAKES);
    if mistakes.is_empty() {
        return Ok(());
    }
    let mut table =
        String::from("| sample | class | predicted | probability of its class |\n| --- | --- | --- | --- |\n");
    let image = image_of(data, image_shape);
    for (place, mistake) in mistakes.iter().enumerate() {
        let [class, predicted] = [mistake.class, mistake.predicted].map(|class| class_name(names, class));
        let probability = 100.0 * mistake.probability;
        let [class_cell, predicted_cell] = [&class, &predicted].map(|name| markdown(name));
        // Writing to a String cannot fail.
        let _ = writeln!(table, "| {} | {class_cell} | {predicted_cell} | {probability:.2}% |", mistake.sample);
        if let Some(image) = image {
            let (inputs, _) = data.try_batch(&[mistake.sample])?;
            if let Some(picture) = as_images(inputs.first(), image) {
                let (sample, [class, predicted]) = (mistake.sample, [class, predicted].map(|name| in_a_tag(&name)));
                let tag = format!("mistakes/{:02}: sample {sample} is {class}, predicted {predicted}", place + 1);
                log.image(&tag, &picture)?;
            }
        }
    }
    log.text("mistakes", &table)
}

/// The text in Markdown, as it is.
fn markdown(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '#' | '+' | '-' | '.' | '!' | '|' => {
                escaped.extend(['\\', c]);
            }
            _ => escaped.push(c),
        }
    }
    escaped
}

/// The text without what keeps an image from being shown by its tag: TensorBoard 2.21's data server refuses those with characters
/// that JSON escapes.
fn in_a_tag(text: &str) -> String {
    let plain = |c: char| match c {
        '"' => '\'',
        '\\' => '/',
        c if c.is_control() => ' ',
        c => c,
    };
    text.chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_as_they_are() {
        assert_eq!(markdown("a|b <i>*c*</i> & \u{1F40B}"), "a\\|b &lt;i>\\*c\\*&lt;/i> &amp; \u{1F40B}");
        assert_eq!(in_a_tag("a \"b\"\n\\c <i>"), "a 'b' /c <i>");
    }
}
