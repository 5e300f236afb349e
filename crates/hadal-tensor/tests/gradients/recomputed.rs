//! Values that are computed again on the way back.

use hadal_tensor::autograd::{BackwardOptions, checkpoint};
use hadal_tensor::{DType, Rng, Tensor, no_grad};

use super::{check, random};

#[test]
fn what_is_computed_again_has_the_gradients_of_what_it_computes() {
    fn of(x: &[Tensor]) -> Tensor {
        (x[0].matmul(&x[1]).tanh() * &x[0]).sum_axes(&[1])
    }
    let inputs = || [random(&[3, 4], 1), random(&[4, 4], 2)];
    check("checkpoint", |x| checkpoint(&[&x[0], &x[1]], of), &inputs());
    check("checkpoint in the middle", |x| checkpoint(&[&x[0].exp(), &x[1]], of) + x[0].sum_axes(&[1]), &inputs());
    check(
        "one in another",
        |x| checkpoint(&[&x[0], &x[1]], |x| checkpoint(&[&x[0].sin(), &x[1]], of).powi(2)),
        &inputs(),
    );
    check("an input twice", |x| checkpoint(&[&x[0], &x[0]], |x| &x[0] * x[1].exp()), &inputs()[..1]);
    check("the same leaf inside and outside", |x| checkpoint(&[&x[0]], |x| x[0].tanh()) * &x[0], &inputs()[..1]);
    check("nothing but its input", |x| checkpoint(&[&x[0].exp()], |x| x[0].clone()), &inputs()[..1]);
    check("an input that has no part", |x| checkpoint(&[&x[0], &x[1]], |x| x[1].exp()), &inputs());
}

#[test]
fn what_is_computed_again_has_the_same_bits() {
    let (x, w) = (random(&[5, 6], 1).to_dtype(DType::F32), random(&[6, 6], 2).to_dtype(DType::F32));
    let block = |x: &[Tensor]| {
        let kept = Tensor::bernoulli_scaled([5, 6], 0.5, 2.0, &mut Rng::new(3));
        (x[0].linear(&x[1], None).relu() * kept).softmax(1) + x[0].exp()
    };
    let run = |checkpointed: bool| {
        let (x, w) = (x.clone().requires_grad(), w.clone().requires_grad());
        let mut y = x.tanh();
        for _ in 0..3 {
            y = if checkpointed { checkpoint(&[&y, &w], block) } else { block(&[y, w.clone()]) };
        }
        let gradients = y.powi(2).sum().backward();
        [y.to_vec::<f32>(), gradients[&x].to_vec(), gradients[&w].to_vec()]
    };
    assert_eq!(run(true), run(false));
}

#[test]
fn computing_again_says_what_cannot_be() {
    let message = |f: Box<dyn Fn() + std::panic::UnwindSafe + std::panic::RefUnwindSafe>| {
        let panic = std::panic::catch_unwind(f).unwrap_err();
        panic.downcast_ref::<String>().cloned().or(panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap()
    };
    let forgotten = message(Box::new(|| {
        let (x, w) = (random(&[2], 1).requires_grad(), random(&[2], 2).requires_grad());
        checkpoint(&[&x], move |x| &x[0] * &w).sum().backward();
    }));
    assert!(forgotten.contains("not among the inputs; add it"), "{forgotten}");
    let other = message(Box::new(|| {
        let (x, calls) = (random(&[2], 1).requires_grad(), std::sync::atomic::AtomicUsize::new(1));
        let grow = move |x: &[Tensor]| x[0].repeat(&[calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed)]);
        checkpoint(&[&x], grow).sum().backward();
    }));
    assert!(other.contains("gave f64 [2] at first, and f64 [4]"), "{other}");
    // It can be walked twice, and costs nothing where nothing is recorded.
    let x = random(&[2], 1).requires_grad();
    let y = checkpoint(&[&x], |x| x[0].exp()).sum();
    let first = y.backward_with(BackwardOptions { retain_graph: true, ..Default::default() });
    assert_eq!(first[&x].to_vec::<f64>(), y.backward()[&x].to_vec::<f64>());
    assert!(!no_grad(|| checkpoint(&[&x], |x| x[0].exp())).is_tracked());
}
