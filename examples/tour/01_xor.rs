//! XOR, which no line separates, is learned by a network with one hidden layer.
use hadal::prelude::*;

fn main() -> hadal::Result<()> {
    let x = Tensor::from([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]);
    let y = Tensor::from([0, 1, 1, 0]);
    let data = Dataset::new("xor", x, y)?;
    let mut model = Sequential::new([2])
        .add(Dense::new(8).activation(Tanh))
        .add(Dense::new(1).activation(Sigmoid))
        .compile(Adam::new(0.1), BinaryCrossentropy, [Accuracy])?;
    model.fit(&data, Fit::epochs(200).quiet())?;
    println!("{}", model.predict(&data)?);
    println!("{}", model.evaluate(&data)?);
    assert_eq!(model.evaluate(&data)?["accuracy"], 1.0);
    Ok(())
}
