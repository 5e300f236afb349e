//! How often the holdout part of a run was looked at: `holdout.csv` in its folder.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use hadal::format::write_atomically;
use hadal::monitor::{csv_line, note};
use hadal::train::{Logs, RunFolder};

/// What the holdout part said at the first look; `None` if there was none, or it cannot be read.
pub fn first_look(folder: &Path) -> Option<String> {
    let text = std::fs::read_to_string(folder.join(RunFolder::HOLDOUT)).ok()?;
    let mut lines = text.lines().map(|line| line.split(',').skip(1));
    let (names, values) = (lines.next()?, lines.next()?);
    let score = names.zip(values).map(|(name, value)| {
        let value: f64 = value.parse().ok()?;
        Some(if name == "accuracy" { format!("{name} {:.2}%", 100.0 * value) } else { format!("{name} {value:.4}") })
    });
    let score = score.collect::<Option<Vec<_>>>()?;
    (!score.is_empty()).then(|| score.join("  "))
}

/// Notes a look at the holdout part of the run in `folder`, and from the second on says why it can be trusted less. Holdout parts of
/// models that lie in no run's folder are not counted.
pub fn look(folder: &Path, score: &Logs) {
    if RunFolder::existing_run(folder).is_none() {
        return;
    }
    let path = folder.join(RunFolder::HOLDOUT);
    let before = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => {
            note(&format!(
                "how often the holdout part was looked at before is not known: {} cannot be read ({error})",
                path.display()
            ));
            return;
        }
    };
    let looks = before.lines().skip(1).count();
    let mut text = before;
    if text.is_empty() {
        let names = score.iter().map(|(name, _)| name.to_owned());
        text = csv_line(["unix_time".to_owned()].into_iter().chain(names)) + "\n";
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let values = score.iter().map(|(_, value)| value.to_string());
    text += &(csv_line([now.to_string()].into_iter().chain(values)) + "\n");
    if let Err(error) = write_atomically(&path, |out| out.write_all(text.as_bytes())) {
        note(&format!("that the holdout part was looked at could not be recorded ({error})"));
    }
    if looks > 0 {
        note(&format!(
            "the holdout part was looked at {looks} time{} before: if anything was changed because of what it said, the model is \
             fitted to it a little, and it is too good by that; it judges a model once, at the end",
            if looks == 1 { "" } else { "s" }
        ));
    }
}
