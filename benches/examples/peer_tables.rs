//! Five-fold cross-validation of the settings that suit a table without being tuned: a JSON line per table, as
//! benches/peers/tables.py prints them. Usage: `--folds FILE.json [TABLE...]`, or `--read`: milliseconds to read diamonds.csv and
//! prepare all its inputs, median of 20 runs.
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use hadal::data::{Encoder, Preprocess, Table, Task};
use hadal::metric::R2Score;
use hadal::nn::Rescaling;
use hadal::prelude::*;
use hadal::train::Recipe;
use hadal_benches::median;
use serde_json::json;

/// Table, target, the column that scikit-learn's program drops as well, and its task.
const TABLES: [(&str, &str, Option<&str>, Task); 5] = [
    ("iris", "species", None, Task::Classification),
    ("penguins", "species", None, Task::Classification),
    ("titanic", "survived", Some("alive"), Task::Classification),
    ("mpg", "mpg", Some("name"), Task::Regression),
    ("diamonds", "price", None, Task::Regression),
];
const SEEDS: u64 = 5;

fn path(table: &str) -> PathBuf {
    let data = std::env::var_os("HADAL_DATA_DIR").expect("HADAL_DATA_DIR is set");
    PathBuf::from(data).join("tables").join(format!("{table}.csv"))
}

/// Adam, a cosine schedule and relu, as `hadal train` does, without early stopping.
fn fitted(encoder: &Encoder, data: &Dataset, seed: u64) -> hadal::Result<Trainer<Sequential>> {
    let recipe = Recipe::for_rows(data.len());
    let mut model = encoder.network();
    for units in recipe.hidden {
        model = model.add(Dense::new(units).activation(Relu));
    }
    let output = Dense::new(encoder.outputs());
    let (model, loss, metric): (_, _, Box<dyn Metric>) = match encoder.target_scale() {
        None => {
            let loss = Losses::weighted(CategoricalCrossentropy::default(), 1.0);
            (model.add(output.activation(Softmax)), loss, Box::new(Accuracy))
        }
        Some((mean, std)) => {
            let loss = Losses::weighted(MeanSquaredError, 1.0 / (std * std));
            (model.add(output).add(Rescaling::new(std, mean)), loss, Box::new(R2Score::new()))
        }
    };
    let optimizer = Adam::new(recipe.learning_rate).weight_decay(recipe.weight_decay);
    let mut trainer = Trainer::new(model.seed(seed).build()?, optimizer, loss, vec![metric]).seed(seed);
    let fit = Fit::epochs(recipe.epochs).batch_size(recipe.batch_size).schedule(Schedule::Cosine).quiet();
    trainer.fit(data, fit)?;
    Ok(trainer)
}

/// The score on the rows of `test` (accuracy or R²) after training on all others, and the seconds of fitting alone.
fn fold(table: &Table, preprocess: &Preprocess, test: &[usize], seed: u64) -> hadal::Result<(f64, f64)> {
    let mut training = vec![true; table.rows()];
    test.iter().for_each(|row| training[*row] = false);
    let train = table.take_rows(&(0..table.rows()).filter(|row| training[*row]).collect::<Vec<_>>());
    let start = Instant::now();
    let encoder = preprocess.fit(&train)?;
    let trainer = fitted(&encoder, &encoder.dataset(&train)?, seed)?;
    let seconds = start.elapsed().as_secs_f64();
    let logs = trainer.evaluate(&encoder.dataset(&table.take_rows(test))?)?;
    let score = logs.get("accuracy").or(logs.get("r2_score")).expect("one of the two is measured");
    Ok((score, seconds))
}

fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len() as f64
}

/// Standard error of the mean.
fn error(scores: &[f64]) -> f64 {
    let (mean, count) = (mean(scores), scores.len() as f64);
    (scores.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / (count - 1.0) / count).sqrt()
}

fn cross_validate(name: &str, folds: &[Vec<usize>]) -> hadal::Result<()> {
    let (_, target, dropped, task) = TABLES.into_iter().find(|table| table.0 == name).expect("a table of the list");
    let table = Table::read(path(name))?.drop(dropped)?;
    let preprocess = Preprocess::target(target).task(task);
    let (mut scores, mut seconds) = (Vec::new(), Vec::new());
    for seed in 0..SEEDS {
        let runs = folds.iter().map(|test| fold(&table, &preprocess, test, seed)).collect::<hadal::Result<Vec<_>>>()?;
        scores.push(runs.iter().map(|run| run.0).collect::<Vec<_>>());
        seconds.extend(runs.iter().map(|run| run.1));
    }
    let seeds: Vec<f64> = scores.iter().map(|scores| mean(scores)).collect();
    let line = json!({
        "table": name, "model": "hadal", "mean": seeds[0], "error": error(&scores[0]), "scores": scores[0],
        "seconds": median(seconds), "threads": hadal::num_threads(), "seeds": seeds, "mean_over_seeds": mean(&seeds),
    });
    println!("{line}");
    Ok(())
}

fn read() -> hadal::Result<()> {
    let (mut read, mut both) = (Vec::new(), Vec::new());
    for run in 0..21 {
        let start = Instant::now();
        let table = Table::read(path("diamonds"))?;
        let between = start.elapsed();
        std::hint::black_box(Preprocess::target("price").fit(&table)?.inputs(&table)?);
        // The first run warms the file up.
        if run > 0 {
            read.push(1e3 * between.as_secs_f64());
            both.push(1e3 * start.elapsed().as_secs_f64());
        }
    }
    println!("read {:.1} ms, read and prepare {:.1} ms", median(read), median(both));
    Ok(())
}

fn main() -> hadal::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (first, file) = (arguments.next(), arguments.next());
    if first.as_deref() == Some("--read") {
        return read();
    }
    let (Some("--folds"), Some(file)) = (first.as_deref(), file) else { panic!("usage: --folds FILE.json [TABLE...]") };
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
    let folds: BTreeMap<String, Vec<Vec<usize>>> =
        serde_json::from_str(&text).expect("rows of the folds of each table");
    let named: Vec<String> = arguments.collect();
    for (name, ..) in TABLES.iter().filter(|table| named.is_empty() || named.iter().any(|name| name == table.0)) {
        cross_validate(name, &folds[*name])?;
    }
    Ok(())
}
