//! A model is saved, loaded by what could be another program, and trained on.
use hadal::data::synthetic::spirals;
use hadal::prelude::*;

fn main() -> hadal::Result<()> {
    let data = spirals(300, 3, 0.02, 1)?;
    let path = "target/tour/spirals.safetensors";

    let mut model = Sequential::new([2])
        .add(Dense::new(32).activation(Tanh))
        .add(Dense::new(32).activation(Tanh))
        .add(Dense::new(3).activation(Softmax))
        .compile(Adam::new(0.01), CategoricalCrossentropy, [Accuracy])?;
    model.fit(&data, Fit::epochs(40).quiet())?;
    let before = model.evaluate(&data)?;
    println!("before {before}");
    model.model.save(path, &[("classes".to_owned(), "three spirals".to_owned())].into())?;

    let (network, notes) = Sequential::load(path)?;
    // The file holds the network and not the optimizer's state.
    let mut model = network.compile(Adam::new(0.01), CategoricalCrossentropy, [Accuracy])?;
    println!("loaded {} ({})", model.evaluate(&data)?, notes["classes"]);
    assert_eq!(model.evaluate(&data)?, before);
    model.fit(&data, Fit::epochs(160).quiet())?;
    let after = model.evaluate(&data)?;
    println!("after  {after}");
    assert!(after["loss"] < before["loss"] && after["accuracy"] > 0.95);
    Ok(())
}
