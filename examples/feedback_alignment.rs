//! Can the cortex do backpropagation? The lecture's network on MNIST with the error sent back through the weights, through
//! fixed random matrices, and straight from the output; and the angle between each update and the gradient.
//!
//! Usage: `feedback_alignment [EPOCHS]` (default 5)
use std::collections::BTreeMap;

use hadal::nn::Feedback;
use hadal::plot::Plot;
use hadal::prelude::*;

fn network(feedback: Feedback) -> hadal::Result<Sequential> {
    // Alignment changes what a layer sends back, direct feedback what a hidden layer receives.
    let last = if feedback == Feedback::Alignment { feedback } else { Feedback::Backpropagation };
    Sequential::new([784])
        .seed(1)
        .add(Dense::new(512).activation(Relu).feedback(feedback))
        .add(Dropout::new(0.2))
        .add(Dense::new(512).activation(Relu).feedback(feedback))
        .add(Dropout::new(0.2))
        .add(Dense::new(10).activation(Softmax).feedback(last))
        .build()
}

/// The angle between two tensors as vectors, in degrees.
fn angle(a: &Tensor, b: &Tensor) -> f64 {
    let product = |a: &Tensor, b: &Tensor| (a * b).sum().item();
    (product(a, b) / (product(a, a) * product(b, b)).sqrt()).clamp(-1.0, 1.0).acos().to_degrees()
}

/// The gradients of one batch by parameter name.
fn gradients(model: &Sequential, x: &Tensor, y: &Tensor, ctx: &mut Context) -> BTreeMap<String, Tensor> {
    let gradients = CategoricalCrossentropy.loss(&model.forward(x, ctx), y).backward();
    let named = model.state_dict().into_iter();
    named.filter_map(|(name, tensor)| gradients.get(&tensor).map(|gradient| (name, gradient.clone()))).collect()
}

fn main() -> hadal::Result<()> {
    let epochs: usize = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(5);
    let (train, test) = Mnist::load()?;
    let mut picture = Plot::new("Angle between update and gradient")
        .labels("step", "degrees")
        .limits(0.0..(epochs * train.len().div_ceil(128)) as f64, 0.0..100.0);
    let mut reached = Vec::new();
    for (name, feedback) in [
        ("backpropagation", Feedback::Backpropagation),
        ("feedback alignment", Feedback::Alignment),
        ("direct feedback alignment", Feedback::Direct),
    ] {
        let mut model = network(feedback)?;
        let mut reference = network(Feedback::Backpropagation)?;
        let mut angles: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
        let mut optimizer = RmsProp::default();
        let (mut order, mut ctx) = (Rng::with_stream(1, 1), Context::training(Rng::with_stream(1, 2)));
        let mut step = 0;
        for _ in 0..epochs {
            for (x, y) in train.batches(128).shuffle(&mut order) {
                if feedback != Feedback::Backpropagation && step % 20 == 0 {
                    // The same weights, the same units dropped, and the gradient.
                    let known: BTreeMap<String, Tensor> = model.state_dict().into_iter().collect();
                    reference.visit_mut("", &mut |name, tensor| tensor.assign(&known[name].detach()));
                    let update = gradients(&model, &x, &y, &mut ctx.clone());
                    let gradient = gradients(&reference, &x, &y, &mut ctx.clone());
                    for layer in ["layers.0.weight", "layers.2.weight"] {
                        let degrees = angle(&update[layer], &gradient[layer]);
                        angles.entry(layer.into()).or_default().push((f64::from(step), degrees));
                    }
                }
                let loss = CategoricalCrossentropy.loss(&model.forward(&x, &mut ctx), &y);
                optimizer.step(&mut model, &loss.backward());
                step += 1;
            }
        }
        let trainer = model.compile(RmsProp::default(), CategoricalCrossentropy, [Accuracy])?;
        let accuracy = 100.0 * trainer.evaluate(&test)?.get("accuracy").unwrap_or(f64::NAN);
        reached.push(accuracy);
        println!("{name}: {accuracy:.2}% on the test images after {epochs} epochs");
        for (layer, points) in &angles {
            let mean = |points: &[(f64, f64)]| points.iter().map(|point| point.1).sum::<f64>() / points.len() as f64;
            let tenth = points.len().div_ceil(10);
            let (first, last) = (mean(&points[..1]), mean(&points[points.len() - tenth..]));
            println!(
                "  {layer}: {first:.1} degrees from the gradient at the first step, {last:.1} over the last tenth"
            );
            picture = picture.line(&format!("{name}, {layer}"), points);
        }
    }
    println!("Behind backpropagation by {:.2} and {:.2} points.", reached[0] - reached[1], reached[0] - reached[2]);
    picture.save("target/examples/feedback_alignment.svg")?;
    println!("The angles are drawn in target/examples/feedback_alignment.svg.");
    Ok(())
}
