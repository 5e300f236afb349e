//! Regularization of an overparameterized network: weight decay, L1 and L2 penalties, dropout, max-norm.
use hadal::data::synthetic::moons;
use hadal::nn::Regularizer;
use hadal::plot::Plot;
use hadal::prelude::*;

fn network(layer: impl Fn() -> Dense, rate: f64) -> Sequential {
    let mut model = Sequential::new([2]).seed(1);
    for _ in 0..2 {
        model = model.add(layer().activation(Relu));
        if rate > 0.0 {
            model = model.add(Dropout::new(rate));
        }
    }
    model.add(Dense::new(1).activation(Sigmoid))
}

fn main() -> hadal::Result<()> {
    let (train, test) = (moons(60, 0.35, 1)?, moons(2000, 0.35, 2)?);
    let dense = || Dense::new(128);
    let l2 = || Dense::new(128).weight_regularizer(Regularizer::l2(2e-3));
    let l1 = || Dense::new(128).weight_regularizer(Regularizer::l1(1e-3));
    let short = || Dense::new(128).max_norm(1.0);
    let all: [(&str, Sequential, Box<dyn Optimizer>); 6] = [
        ("nothing", network(dense, 0.0), Box::new(Adam::new(0.003))),
        ("L2", network(l2, 0.0), Box::new(Adam::new(0.003))),
        ("L1", network(l1, 0.0), Box::new(Adam::new(0.003))),
        ("dropout 0.5", network(dense, 0.5), Box::new(Adam::new(0.003))),
        ("max norm", network(short, 0.0), Box::new(Adam::new(0.003))),
        ("AdamW", network(dense, 0.0), Box::new(AdamW::new(0.003).decoupled_weight_decay(0.5))),
    ];
    let mut picture =
        Plot::new("60 noisy samples, 17,000 parameters").labels("epoch", "test loss").limits(0.0..300.0, 0.2..1.2);
    for (name, model, optimizer) in all {
        let mut model = model.compile(optimizer, BinaryCrossentropy, [Accuracy])?;
        let history = model.fit(&train, Fit::epochs(300).batch_size(20).validation_data(&test).quiet())?;
        let (losses, accuracies) = (history.get("val_loss")?, history.get("val_accuracy")?);
        println!("{name:>12}: test loss {:.3}, accuracy {:.2}%", losses[299], 100.0 * accuracies[299]);
        let points: Vec<(f64, f64)> =
            losses.iter().enumerate().map(|(epoch, &loss)| (epoch as f64 + 1.0, loss)).collect();
        picture = picture.line(name, &points);
    }
    picture.save("target/examples/regularization.svg")?;
    println!("The curves are drawn in target/examples/regularization.svg.");
    Ok(())
}
