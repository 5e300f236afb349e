//! A two-layer network trained by gradient descent, written with tensors and gradients alone.
use hadal::{plot, prelude::*};

fn main() -> hadal::Result<()> {
    let mut rng = Rng::new(0);
    let x = Tensor::randn([64, 3], &mut rng);
    let y = Tensor::randn([64, 2], &mut rng);
    let mut w1 = Tensor::randn([3, 4], &mut rng).requires_grad();
    let mut w2 = Tensor::randn([4, 2], &mut rng).requires_grad();
    let mut losses = Vec::new();
    for _ in 0..2000 {
        let y_pred = x.matmul(&w1).tanh().matmul(&w2);
        let loss = (&y_pred - &y).powi(2).sum();
        losses.push(loss.item());
        let grads = loss.backward();
        w1 -= 1e-5 * &grads[&w1];
        w2 -= 1e-5 * &grads[&w2];
    }
    let picture = "target/examples/autograd.svg";
    println!("loss {:.3} -> {:.3}, drawn in {picture}", losses[0], losses[1999]);
    plot::line(picture, "Gradient descent", "step", "loss", &losses)
}
