//! A chain as text.

use std::str::FromStr;

use super::{Augment, AugmentStep};
use crate::{Error, Result, nearest};

/// The steps by their names.
const NAMES: [&str; 14] = [
    "shift",
    "rotate",
    "scale",
    "shear",
    "elastic",
    "flip_horizontal",
    "flip_vertical",
    "crop",
    "crop_resized",
    "erase",
    "brightness",
    "contrast",
    "noise",
    "mixup",
];

/// Steps as they are displayed, separated by commas: `shift(0.1), scale(0.9, 1.1)`.
///
/// ```
/// use hadal::data::Augment;
/// let augment: Augment = "shift(0.1), scale(0.9, 1.1)".parse()?;
/// assert_eq!(augment, Augment::new().shift(0.1).scale(0.9, 1.1));
/// # Ok::<(), hadal::Error>(())
/// ```
impl FromStr for Augment {
    type Err = Error;

    fn from_str(text: &str) -> Result<Augment> {
        let mut steps = Vec::new();
        let mut rest = text.trim();
        while !rest.is_empty() {
            let (step, after) = rest.split_once(')').ok_or_else(|| form(rest))?;
            let (name, settings) = step.split_once('(').ok_or_else(|| form(step))?;
            steps.push(step_of(name.trim(), settings)?);
            let after = after.trim_start();
            rest = match after.strip_prefix(',') {
                Some(next) if !next.trim().is_empty() => next.trim(),
                None if after.is_empty() => "",
                _ => return Err(form(after)),
            };
        }
        if steps.is_empty() { Err(form(text)) } else { Ok(Augment { steps, fill: 0.0 }) }
    }
}

fn form(text: &str) -> Error {
    Error::Config(format!("augment: `{text}` is not of the form \"shift(0.1), scale(0.9, 1.1)\""))
}

fn step_of(name: &str, settings: &str) -> Result<AugmentStep> {
    let number = |text: &str| {
        let text = text.trim();
        text.parse::<f64>().map_err(|_| Error::Config(format!("augment: {name}: `{text}` is not a number")))
    };
    let numbers = settings.split(',').map(number).collect::<Result<Vec<f64>>>()?;
    let whole = |number: f64| number >= 0.0 && number.fract() == 0.0 && number < 2f64.powi(32);
    Ok(match (name, &numbers[..]) {
        ("shift", &[fraction]) => AugmentStep::Shift(fraction),
        ("rotate", &[degrees]) => AugmentStep::Rotate(degrees),
        ("scale", &[min, max]) => AugmentStep::Scale(min, max),
        ("shear", &[degrees]) => AugmentStep::Shear(degrees),
        ("elastic", &[alpha, sigma]) => AugmentStep::Elastic { alpha, sigma },
        ("flip_horizontal", &[probability]) => AugmentStep::FlipHorizontal(probability),
        ("flip_vertical", &[probability]) => AugmentStep::FlipVertical(probability),
        ("crop", &[padding]) if whole(padding) => AugmentStep::Crop(padding as usize),
        ("crop_resized", &[min, max]) => AugmentStep::CropResized(min, max),
        ("erase", &[probability]) => AugmentStep::Erase(probability),
        ("brightness", &[factor]) => AugmentStep::Brightness(factor),
        ("contrast", &[factor]) => AugmentStep::Contrast(factor),
        ("noise", &[std]) => AugmentStep::Noise(std),
        ("mixup", &[alpha, classes]) if whole(classes) => AugmentStep::Mixup { alpha, classes: classes as usize },
        _ if NAMES.contains(&name) => {
            let form = match name {
                "scale" | "crop_resized" => "(min, max)",
                "elastic" => "(alpha, sigma)",
                "mixup" => "(alpha, classes)",
                "crop" => "(pixels)",
                _ => "(number)",
            };
            return Err(Error::Config(format!("augment: {name}({settings}) is not of the form {name}{form}")));
        }
        _ => {
            let advice = nearest(name, NAMES).map_or(String::new(), |name| format!("; did you mean `{name}`?"));
            return Err(Error::Config(format!(
                "augment: there is no step `{name}`{advice} (there are {})",
                NAMES.join(", ")
            )));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_displayed_is_what_is_parsed() {
        let all = Augment::new().shift(0.1).rotate(15.0).scale(0.9, 1.1).shear(5.0).elastic(34.0, 4.0).crop(2);
        let all = all.flip_horizontal(0.5).flip_vertical(0.25).crop_resized(0.5, 1.0).erase(0.5).brightness(0.2);
        let all = all.contrast(0.3).noise(0.05).mixup(0.2, 10);
        assert_eq!(all.steps().len(), NAMES.len());
        assert!(all.steps().iter().all(|step| NAMES.contains(&step.name())));
        assert_eq!(all.to_string().parse::<Augment>().unwrap(), all);
    }

    #[test]
    fn what_is_no_chain_is_named() {
        for (text, words) in [
            ("", "not of the form"),
            ("shift", "`shift` is not of the form"),
            ("shift(0.1) rotate(3)", "`rotate(3)` is not of the form"),
            ("shift(0.1),", "`,` is not of the form"),
            ("shift(a)", "shift: `a` is not a number"),
            ("shift()", "shift: `` is not a number"),
            ("shift(1, 2)", "shift(1, 2) is not of the form shift(number)"),
            ("crop(1.5)", "crop(1.5) is not of the form crop(pixels)"),
            ("scale(1)", "form scale(min, max)"),
            ("shfit(0.1)", "did you mean `shift`?"),
        ] {
            let message = text.parse::<Augment>().unwrap_err().to_string();
            assert!(message.contains(words), "{text:?}: {message}");
        }
    }
}
