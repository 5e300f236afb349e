//! A small convolutional network on MNIST, trained on images that are shifted and turned a little, and kept in
//! `target/examples/mnist_cnn.safetensors`. Usage: `mnist_cnn [SEED [EPOCHS]]` (default 1 and 10)
use hadal::optim::Schedule;
use hadal::prelude::*;

fn main() -> hadal::Result<()> {
    let argument = |n: usize, default| std::env::args().nth(n).and_then(|text| text.parse().ok()).unwrap_or(default);
    let (seed, epochs) = (argument(1, 1), argument(2, 10) as usize);
    let (train, test) = Mnist::load()?;
    let (train, test) = (train.reshape([1, 28, 28])?, test.reshape([1, 28, 28])?);
    let train = train.augment(Augment::new().shift(0.08).rotate(10.0))?;
    let mut model = Sequential::new([1, 28, 28])
        .seed(seed)
        .add(Conv2d::new(32, 3).padding(1).without_bias())
        .add(BatchNorm::new())
        .add(Relu)
        .add(MaxPool2d::new(2))
        .add(Conv2d::new(64, 3).padding(1).without_bias())
        .add(BatchNorm::new())
        .add(Relu)
        .add(MaxPool2d::new(2))
        .add(Conv2d::new(128, 3).padding(1).without_bias())
        .add(BatchNorm::new())
        .add(Relu)
        .add(Flatten)
        .add(Dropout::new(0.4))
        .add(Dense::new(10).activation(Softmax))
        .compile(Adam::new(0.003), CategoricalCrossentropy, [Accuracy])?;
    println!("{}", model.summary());
    let schedule = Schedule::OneCycle { div_factor: 10.0, final_div_factor: 1e3, pct_start: 0.2 };
    model.fit(&train, Fit::epochs(epochs).batch_size(128).schedule(schedule))?;
    println!("Test {}", model.evaluate(&test)?);
    model.model.save("target/examples/mnist_cnn.safetensors", &[].into())?;
    Ok(())
}
