//! Gradients: of leaves, of a result in between, of gradients themselves, and a Hessian-vector product.
use hadal::autograd::BackwardOptions;
use hadal::optim::second_order::hessian_vector_product;
use hadal::prelude::*;

fn main() -> hadal::Result<()> {
    let x = Tensor::from([1.0, 2.0]).requires_grad();
    let h = (&x * 3).retain_grad();
    let loss = h.powi(2).sum();
    let grads = loss.backward();
    println!("loss {}, dloss/dh {}, dloss/dx {}", loss.item(), grads[&h], grads[&x]);
    assert_eq!(grads[&h].to_vec::<f32>(), [6.0, 12.0]);
    assert_eq!(grads[&x].to_vec::<f32>(), [18.0, 36.0]);

    // The second derivative of x^3 is 6 x.
    let first = x.powi(3).sum().backward_with(BackwardOptions { create_graph: true, ..Default::default() });
    let second = first[&x].sum().backward();
    println!("x^3: first {}, second {}", first[&x], second[&x]);
    assert_eq!(second[&x].to_vec::<f32>(), [6.0, 12.0]);

    // x0^2 x1 has the Hessian [[2 x1, 2 x0], [2 x0, 0]].
    let loss = |p: &[Tensor]| (p[0].slice(0, 0..1).powi(2) * p[0].slice(0, 1..2)).sum();
    let product = hessian_vector_product(loss, &[Tensor::from([1.0, 2.0])], &[Tensor::from([1.0, 1.0])]);
    println!("Hessian times [1, 1]: {}", product[0]);
    assert_eq!(product[0].to_vec::<f32>(), [6.0, 2.0]);

    // Gradient descent on Rosenbrock's valley, with a step from the gradients.
    let mut p = Tensor::from([-1.0, 1.0]).requires_grad();
    for _ in 0..20_000 {
        let (a, b) = (p.slice(0, 0..1), p.slice(0, 1..2));
        let loss = ((1.0 - &a).powi(2) + 100.0 * (b - a.powi(2)).powi(2)).sum();
        let grads = loss.backward();
        p -= 1e-3 * &grads[&p];
    }
    println!("the valley's lowest point: {p}");
    assert!((&p - 1).abs().max().item() < 0.01);
    Ok(())
}
