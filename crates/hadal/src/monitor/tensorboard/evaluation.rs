//! What a network gets right and wrong, for TensorBoard: confusion matrix, precision-recall curves, predictions and mistakes.

use super::{Log, confusion, markdown};
use crate::data::Dataset;
use crate::monitor::evaluation::{Evaluation, Gathered, Scale, Verdict, class_name};
use crate::monitor::images::{as_images, image_of, room};
use crate::monitor::note;
use crate::monitor::sample_columns::SampleColumns;
use crate::nn::{Context, Forward, Sequential};
use crate::{Result, Shape, Tensor, no_grad};

/// How many samples and mistakes are shown.
const SAMPLES: usize = 25;
const MISTAKES: usize = 16;

/// How many classes have curves.
pub(super) const CLASSES: usize = 100;

/// How many samples go through the network at once.
const BATCH: usize = 1000;

/// What `model` gives for `data`; `None` if that is not about classes.
pub(super) fn evaluate(model: &Sequential, data: &Dataset, scale: Scale) -> Result<Option<Evaluation>> {
    let mut gathered = Gathered::default().of_scale(scale);
    data.batches(BATCH).read_ahead(|next| -> Result<()> {
        while let Some(batch) = next()? {
            let outputs = no_grad(|| model.forward(batch.inputs.first(), &mut Context::evaluation()));
            gathered.add(&outputs.into(), &batch.targets);
        }
        Ok(())
    })?;
    Ok(of_end(gathered, data))
}

/// What the trained model gives; a note says why there is nothing to be shown where an output is NaN or infinite.
pub(super) fn of_end(gathered: Gathered, data: &Dataset) -> Option<Evaluation> {
    if !gathered.is_finite() {
        note(&format!(
            "an output of the model for {} is not finite; its mistakes and precision-recall curves are not shown",
            data.name()
        ));
    }
    gathered.evaluation()
}

/// The validation data, and how its samples and classes are shown.
#[derive(Clone, Copy)]
pub(super) struct Shown<'a> {
    pub data: &'a Dataset,
    pub names: &'a [String],
    pub image_shape: Option<&'a Shape>,
    pub columns: Option<&'a SampleColumns>,
}

impl Shown<'_> {
    fn class(&self, class: usize) -> String {
        class_name(self.names, class)
    }

    /// A table of samples, with a probability of each.
    fn table(&self, probability: &str, samples: &[Verdict], of: impl Fn(&Verdict) -> f64) -> String {
        let mut header = ["sample", "class", "predicted", probability].map(str::to_owned).to_vec();
        header.extend(self.columns.iter().flat_map(|own| own.names()).map(|name| markdown::escaped(&name)));
        let row = |verdict: &Verdict| {
            let [class, predicted] =
                [verdict.class, verdict.predicted].map(|class| markdown::shortened(&self.class(class)));
            let predicted = if verdict.is_mistake() { format!("**{predicted}**") } else { predicted };
            let probability = format!("{:.2}%", 100.0 * of(verdict));
            let mut row = vec![verdict.sample.to_string(), class, predicted, probability];
            let cells = self.columns.iter().flat_map(|own| own.cells(verdict.sample));
            row.extend(cells.map(|cell| markdown::escaped(&cell)));
            row
        };
        markdown::table(&header, samples.iter().map(row))
    }
}

/// Logs all that is shown of an evaluation but the pictures of its mistakes, each by itself.
pub(super) fn log_evaluation(log: &mut Log, evaluation: &Evaluation, shown: &Shown) -> Result<()> {
    log_pr_curves(log, evaluation, shown.names)?;
    let verdicts = evaluation.verdicts();
    // Where samples have several classes, there is not one that another is taken for.
    if let Some(verdicts) = verdicts.into_iter().collect::<Option<Vec<_>>>() {
        let names: Vec<String> = (0..evaluation.classes()).map(|class| shown.class(class)).collect();
        if names.len() <= confusion::MOST_CLASSES {
            log.values(confusion::values("confusion_matrix", &names, &evaluation.confusion(), &[]))?;
        }
        let first = &verdicts[..verdicts.len().min(SAMPLES)];
        let table = shown.table("probability of the predicted class", first, |own| own.confidence);
        log.text("predictions", &table)?;
    }
    log_mistakes(log, evaluation, shown)
}

/// Logs a precision-recall curve of each class.
fn log_pr_curves(log: &mut Log, evaluation: &Evaluation, names: &[String]) -> Result<()> {
    let classes = evaluation.truth.size(1);
    for class in 0..classes.min(CLASSES) {
        let column = |tensor: &Tensor| tensor.narrow(1, class, 1).squeeze(1);
        let tag = format!("precision_recall/{}", class_name(names, if classes == 1 { 1 } else { class }));
        log.pr_curve(&tag, &column(&evaluation.truth), &column(&evaluation.probabilities))?;
    }
    Ok(())
}

/// Logs the samples whose own class was given the least probability: a table, and where they are images all in one.
fn log_mistakes(log: &mut Log, evaluation: &Evaluation, shown: &Shown) -> Result<()> {
    let mistakes = evaluation.mistakes(MISTAKES);
    if mistakes.is_empty() {
        let samples = evaluation.samples();
        return log.text("mistakes", &format!("No sample of {samples} is taken for one of another class."));
    }
    log.text("mistakes", &shown.table("probability of its class", &mistakes, |own| own.probability))?;
    let Some(image) = image_of(shown.data, shown.image_shape) else { return Ok(()) };
    let samples: Vec<usize> = mistakes.iter().map(|own| own.sample).take(room(image)).collect();
    let (inputs, _) = shown.data.try_batch(&samples)?;
    match as_images(inputs.first(), image) {
        Some(images) => log.image("mistakes/all", &images),
        None => Ok(()),
    }
}

/// Logs a picture of each of the worst mistakes, with what it is and was taken for in its tag.
pub(super) fn log_mistake_images(log: &mut Log, evaluation: &Evaluation, shown: &Shown) -> Result<()> {
    let Some(image) = image_of(shown.data, shown.image_shape) else { return Ok(()) };
    for (place, mistake) in evaluation.mistakes(MISTAKES).iter().enumerate() {
        let (inputs, _) = shown.data.try_batch(&[mistake.sample])?;
        if let Some(picture) = as_images(inputs.first(), image) {
            let [class, predicted] = [mistake.class, mistake.predicted].map(|class| in_a_tag(&shown.class(class)));
            let tag = format!("mistakes/{:02}: sample {} is {class}, predicted {predicted}", place + 1, mistake.sample);
            log.image(&tag, &picture)?;
        }
    }
    Ok(())
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
    fn names_in_tags_have_no_characters_that_json_escapes() {
        assert_eq!(in_a_tag("a \"b\"\n\\c <i>"), "a 'b' /c <i>");
    }

    #[test]
    fn a_table_of_samples_has_their_columns_cut_and_escaped() {
        let data = Dataset::new("d", Tensor::zeros([2, 1]), Tensor::from([0, 1])).unwrap();
        let names: Vec<String> = (0..14).map(|column| format!("c|{column}")).collect();
        // One cell too few, then too many.
        let row = |sample: usize| (0..13 + 3 * sample).map(|cell| format!("<{cell}>").repeat(1 + 20 * cell)).collect();
        let columns = SampleColumns::new(names, row);
        let classes = ["a*b".to_owned(), "other".to_owned()];
        let shown = Shown { data: &data, names: &classes, image_shape: None, columns: Some(&columns) };
        let verdict = |sample, class| Verdict { sample, class, predicted: 0, probability: 0.25, confidence: 0.75 };
        let table = shown.table("p", &[verdict(0, 0), verdict(1, 1)], |own| own.probability);
        let lines: Vec<&str> = table.lines().collect();
        assert!(lines[0].starts_with("| sample | class | predicted | p | c\\|0 | c\\|1 |"), "{table}");
        assert!(lines[0].ends_with(" | c\\|11 |"), "{table}");
        let cut = format!("{}…", "&lt;1>".repeat(13) + "&lt;");
        assert!(lines[2].starts_with(&format!("| 0 | a\\*b | a\\*b | 25.00% | &lt;0> | {cut} |")), "{table}");
        assert!(lines[3].starts_with("| 1 | other | **a\\*b** | 25.00% |"), "{table}");
        let cells = |line: &str| line.replace("\\|", "").matches('|').count();
        assert!(lines.iter().all(|line| cells(line) == 4 + 12 + 1), "{table}");
        let narrow = SampleColumns::new(["x"; 3], |_| vec!["1".into()]);
        let table = Shown { columns: Some(&narrow), ..shown }.table("p", &[verdict(0, 0)], |own| own.probability);
        assert!(table.ends_with("| 1 |  |  |\n"), "{table}");
    }
}
