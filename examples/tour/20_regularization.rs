//! Regularization in a loop of one's own: dropout, an L2 penalty and a limit to the norm of each unit's weights.
use hadal::data::synthetic::moons;
use hadal::nn::Regularizer;
use hadal::prelude::*;

/// Trains on few noisy samples; returns the loss on the test data.
fn train(name: &str, mut model: Sequential) -> hadal::Result<(f64, Sequential)> {
    let (train, test) = (moons(60, 0.35, 1)?, moons(2000, 0.35, 2)?);
    let mut optimizer = Adam::new(0.003);
    let (mut order, mut ctx) = (Rng::new(1), Context::training(Rng::new(2)));
    for _ in 0..300 {
        for (x, y) in train.batches(20).shuffle(&mut order) {
            let mut loss = BinaryCrossentropy.loss(&model.forward(&x, &mut ctx), &y);
            if let Some(penalty) = ctx.take_penalty() {
                loss += penalty;
            }
            optimizer.step(&mut model, &loss.backward());
            model.constrain();
        }
    }
    let evaluate = |data: &Dataset| {
        let (x, y) = (data.inputs(), data.targets());
        no_grad(|| BinaryCrossentropy.loss(&model.forward(x, &mut Context::evaluation()), y)).item()
    };
    let losses = (evaluate(&train), evaluate(&test));
    println!("{name:>12}: training loss {:.3}, test loss {:.3}", losses.0, losses.1);
    Ok((losses.1, model))
}

fn network(hidden: impl Fn() -> Dense, rate: f64) -> hadal::Result<Sequential> {
    Sequential::new([2])
        .seed(1)
        .add(hidden().activation(Relu))
        .add(Dropout::new(rate))
        .add(hidden().activation(Relu))
        .add(Dropout::new(rate))
        .add(Dense::new(1).activation(Sigmoid))
        .build()
}

fn main() -> hadal::Result<()> {
    let (nothing, _) = train("nothing", network(|| Dense::new(64), 0.0)?)?;
    let (dropout, _) = train("dropout", network(|| Dense::new(64), 0.5)?)?;
    let l2 = || Dense::new(64).weight_regularizer(Regularizer::l2(2e-3));
    let (l2, _) = train("L2", network(l2, 0.0)?)?;
    let (max_norm, model) = train("max norm", network(|| Dense::new(64).max_norm(1.0), 0.0)?)?;
    assert!(dropout < nothing && l2 < nothing && max_norm < nothing);
    for (name, weight) in model.state_dict() {
        if name == "layers.0.weight" || name == "layers.2.weight" {
            let longest = weight.powi(2).sum_axes(&[1]).sqrt().max().item();
            println!("{name}: longest weight vector {longest:.3}");
            assert!(longest < 1.0001);
        }
    }
    Ok(())
}
