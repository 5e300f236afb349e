//! The lecture's Keras program: a multilayer perceptron on MNIST.
use hadal::prelude::*;

fn main() -> hadal::Result<()> {
    let (train, test) = Mnist::load()?;
    let mut model = Sequential::new([784])
        .add(Dense::new(512).activation(Relu))
        .add(Dropout::new(0.2))
        .add(Dense::new(512).activation(Relu))
        .add(Dropout::new(0.2))
        .add(Dense::new(10).activation(Softmax))
        .compile(RmsProp::default(), CategoricalCrossentropy, [Accuracy])?;
    println!("{}", model.summary());
    model.fit(&train, Fit::epochs(20).batch_size(128).validation_data(&test))?;
    println!("Test {}", model.evaluate(&test)?);
    Ok(())
}
