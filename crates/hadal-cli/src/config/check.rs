//! Numbers of a configuration that cannot be: flags are checked by their parsers, and files here.

use super::{Config, ScheduleName};
use crate::args::numbers;

/// What must be said of a number for it to be one of its setting's.
type Rule = (fn(f64) -> bool, &'static str);

const BELOW_ONE: Rule = (|number| (0.0..1.0).contains(&number), "at least 0 and below 1");
const UP_TO_ONE: Rule = (|number| (0.0..=1.0).contains(&number), "from 0 to 1");
// In f32, in which the network is trained.
const NOT_NEGATIVE: Rule = (|number| number >= 0.0 && (number as f32).is_finite(), "0 or a positive, finite number");
const POSITIVE: Rule = (|number| number as f32 > 0.0 && (number as f32).is_finite(), "a positive, finite number");

/// Checks the numbers of all settings; the text names the section and the key.
pub fn check(config: &Config) -> Result<(), String> {
    let Config { data, split, preprocess, model, text, loss, optimizer, training, .. } = config;
    let reals = [
        ("split", "train", split.train, UP_TO_ONE),
        ("split", "test", split.test, UP_TO_ONE),
        ("split", "holdout", split.holdout, UP_TO_ONE),
        ("model", "dropout", model.dropout, BELOW_ONE),
        ("model", "l2", model.l2, NOT_NEGATIVE),
        ("loss", "label_smoothing", loss.label_smoothing, BELOW_ONE),
        ("optimizer", "learning_rate", optimizer.learning_rate, POSITIVE),
        ("optimizer", "momentum", optimizer.momentum, BELOW_ONE),
        ("optimizer", "weight_decay", optimizer.weight_decay, NOT_NEGATIVE),
        ("training", "min_delta", training.min_delta, NOT_NEGATIVE),
        ("training", "ema_decay", training.ema_decay, BELOW_ONE),
    ];
    for (section, key, number, (holds, rule)) in reals {
        if let Some(number) = number.filter(|number| !holds(*number)) {
            return Err(format!("[{section}] {key} {number} must be {rule}"));
        }
    }
    let counts = [
        ("preprocess", "max_one_hot", preprocess.max_one_hot),
        ("text", "steps", text.steps),
        ("training", "epochs", training.epochs),
        ("training", "batch_size", training.batch_size),
        ("training", "test_batch_size", training.test_batch_size),
        ("training", "max_steps", training.max_steps),
    ];
    for (section, key, count) in counts {
        if let Some(count) = count.filter(|count| !(1..=numbers::MOST).contains(count)) {
            return Err(format!("[{section}] {key} {count} must be at least 1 and at most {}", numbers::MOST));
        }
    }
    let sizes = [("context", text.context), ("blocks", text.blocks), ("heads", text.heads), ("width", text.width)];
    for (key, size) in sizes {
        if let Some(size) = size.filter(|size| !(1..=numbers::MOST_SIZE).contains(size)) {
            return Err(format!("[text] {key} {size} must be at least 1 and at most {}", numbers::MOST_SIZE));
        }
    }
    if let (Some(steps), Some(epochs)) = (text.steps, training.epochs) {
        return Err(format!(
            "[text] steps {steps} stands in place of [training] epochs, {epochs}: both say how long the training is; give one of the two"
        ));
    }
    if text.steps.is_some() && training.schedule == Some(ScheduleName::OneCycle) {
        return Err(
            "[training] schedule one_cycle goes over whole epochs: set epochs (--epochs) in place of [text] steps"
                .to_owned(),
        );
    }
    for (step, rate) in training.learning_rate_changes.iter().flatten() {
        let (holds, rule) = POSITIVE;
        if *step == 0 || !holds(*rate) {
            return Err(format!(
                "[training] learning_rate_changes: [{step}, {rate}] must be a step, from 1 on, and a rate that is {rule}"
            ));
        }
    }
    if let Some(units) = model.hidden.iter().flatten().find(|units| !(1..=1 << 20).contains(*units)) {
        return Err(format!("[model] hidden: {units} units must be at least 1 and at most {}", 1 << 20));
    }
    if let Some(side) = data.size.iter().flatten().find(|side| !(1..=16_384).contains(*side)) {
        return Err(format!("[data] size: {side} must be a height or width of 1 to 16384 pixels"));
    }
    let time = training.time_limit.as_deref().map_or(Ok(String::new()), numbers::time);
    time.map(drop).map_err(|reason| format!("[training] time_limit: {reason}"))
}
