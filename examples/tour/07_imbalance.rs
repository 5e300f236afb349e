//! Rare classes: with class weights or sample weights a network finds more of the samples of the rare class.
use hadal::data::synthetic::moons;
use hadal::prelude::*;

/// Moons with nine samples of class 0 for each of class 1.
fn imbalanced(samples: usize, seed: u64) -> hadal::Result<Dataset> {
    let all = moons(samples, 0.4, seed)?;
    let labels = all.targets().to_vec::<i64>();
    let mut rng = Rng::new(seed);
    let rows: Vec<usize> = (0..samples).filter(|&row| labels[row] == 0 || rng.uniform() < 1.0 / 9.0).collect();
    let (x, y) = all.batch(&rows);
    Dataset::new("imbalanced moons", x, y)
}

fn recall(train: &Dataset, test: &Dataset, loss: impl Loss + 'static) -> hadal::Result<f64> {
    let mut model = Sequential::new([2])
        .add(Dense::new(16).activation(Relu))
        .add(Dense::new(1).activation(Sigmoid))
        .compile(Adam::new(0.01), loss, (Accuracy, Precision::default(), Recall::default()))?;
    model.fit(train, Fit::epochs(30).quiet())?;
    let result = model.evaluate(test)?;
    println!("  {result}");
    Ok(result["recall"])
}

fn main() -> hadal::Result<()> {
    let (train, test) = (imbalanced(2000, 1)?, imbalanced(2000, 2)?);
    println!("no weights");
    let before = recall(&train, &test, BinaryCrossentropy)?;
    println!("class weights 1 and 9");
    let by_class = recall(&train, &test, BinaryCrossentropy.class_weights(&[1.0, 9.0]))?;
    println!("the same as sample weights");
    let labels = train.targets().to_vec::<i64>();
    let weights: Vec<f64> = labels.iter().map(|&label| if label == 1 { 9.0 } else { 1.0 }).collect();
    let by_sample = recall(&train.clone().sample_weights(&weights)?, &test, BinaryCrossentropy)?;
    assert!(by_class > before + 0.1 && by_sample > before + 0.1);
    Ok(())
}
