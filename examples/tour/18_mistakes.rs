//! Beginners' mistakes: the messages that five of them give. Each is a result that a program can handle, not a panic.
use hadal::data::synthetic::{blobs, moons};
use hadal::prelude::*;

/// Trains a network that ends in `last` for an epoch.
fn train(data: &Dataset, last: Dense, learning_rate: f64) -> hadal::Result<()> {
    let mut model = Sequential::new([2]).add(Dense::new(8).activation(Relu)).add(last).compile(
        Adam::new(learning_rate),
        CategoricalCrossentropy,
        [Accuracy],
    )?;
    model.fit(data, Fit::epochs(1).quiet())?;
    Ok(())
}

fn main() -> hadal::Result<()> {
    let data = moons(64, 0.1, 1)?;
    let softmax = |units| Dense::new(units).activation(Softmax);
    train(&data, softmax(2), 0.01)?;

    let images = Dataset::new("images", Tensor::zeros([64, 784]), data.targets().clone())?;
    let float_labels = Dataset::new("float labels", data.inputs().clone(), data.targets().to_dtype(DType::F32))?;
    let mistakes = [
        ("no softmax before the loss", train(&data, Dense::new(2), 0.01)),
        ("three classes, two outputs", train(&blobs(64, 3, 0.1, 1)?, softmax(2), 0.01)),
        ("inputs of another size", train(&images, softmax(2), 0.01)),
        ("labels that are floats", train(&float_labels, softmax(2), 0.01)),
        ("a negative learning rate", train(&data, softmax(2), -0.01)),
    ];
    for (mistake, result) in &mistakes {
        let Err(error) = result else { panic!("{mistake}: no error") };
        println!("{mistake}:\n  {error}");
    }
    assert!(mistakes.iter().all(|(_, result)| result.is_err()));
    Ok(())
}
