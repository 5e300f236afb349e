//! Optimizers on an ill-conditioned quadratic loss: first-order methods, the largest stable learning rate, and second-order methods.
use hadal::optim::second_order::{Lbfgs, Newton, largest_eigenvalues};
use hadal::plot::Plot;
use hadal::prelude::*;

/// A bowl a hundred times steeper along one axis than along the other.
fn loss(p: &[Tensor]) -> Tensor {
    (p[0].powi(2) * Tensor::from_slice(&[1.0f64, 100.0], [2])).sum() * 0.5
}

fn main() -> hadal::Result<()> {
    let start = Tensor::from_slice(&[10.0f64, 1.0], [2]);
    let steepest = largest_eigenvalues(loss, std::slice::from_ref(&start), 1, &mut Rng::new(0))?[0];
    println!(
        "Largest eigenvalue of the Hessian {steepest:.0}: gradient descent diverges above learning rate {:.3}.",
        2.0 / steepest
    );
    let all: [(&str, Box<dyn Optimizer>); 8] = [
        ("SGD", Box::new(Sgd::new(0.018))),
        ("momentum", Box::new(Sgd::new(0.01).momentum(0.9))),
        ("Nesterov", Box::new(Sgd::new(0.01).momentum(0.9).nesterov(true))),
        ("AdaGrad", Box::new(Adagrad::new(1.0))),
        ("RMSprop", Box::new(RmsProp::new(0.1))),
        ("Adam", Box::new(Adam::new(0.5))),
        ("Nadam", Box::new(Nadam::new(0.5))),
        ("Lion", Box::new(Lion::new(0.1))),
    ];
    let mut picture = Plot::new("100 steps in a narrow valley").labels("step", "log10 of the loss");
    for (name, mut optimizer) in all {
        let mut w = start.clone().requires_grad();
        let mut losses = Vec::new();
        for step in 0..100 {
            let value = loss(std::slice::from_ref(&w));
            losses.push((f64::from(step), value.item().max(1e-12).log10()));
            optimizer.step(&mut w, &value.backward());
        }
        println!("{name:>10}: loss {:.2e} after 100 steps", loss(&[w]).item());
        picture = picture.line(name, &losses);
    }
    picture.save("target/examples/optimizers.svg")?;
    let newton = Newton::default().minimize(loss, std::slice::from_ref(&start))?;
    println!(
        "    Newton: loss {:.2e} after {} steps, the inverse Hessian being the best learning rate",
        newton.loss, newton.iterations
    );
    let lbfgs = Lbfgs::default().minimize(loss, &[start])?;
    println!("    L-BFGS: loss {:.2e} after {} steps", lbfgs.loss, lbfgs.iterations);
    println!("The curves are drawn in target/examples/optimizers.svg.");
    Ok(())
}
