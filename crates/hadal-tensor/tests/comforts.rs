//! Literals, numbers of all kinds beside tensors, sizes left out, and gradients of results on request.

use hadal_tensor::autograd::BackwardOptions;
use hadal_tensor::{DType, REST, Shape, Tensor};

#[test]
fn literals_have_the_kind_and_shape_they_show() {
    let identity = Tensor::from([[0., 1.], [1., 0.]]);
    assert_eq!((identity.dtype(), identity.shape()), (DType::F32, &Shape::from([2, 2])));
    assert_eq!(Tensor::from([0, 1, 2]).to_vec::<i64>(), [0, 1, 2]);
    assert_eq!(Tensor::from([true, false]).to_vec::<bool>(), [true, false]);
    assert_eq!(Tensor::from([[[1, 2]], [[3, 4]], [[5, 6]]]).shape(), &[3, 1, 2]);
    assert_eq!(Tensor::from([[[[1.5]], [[2.5]]]]).shape(), &[1, 2, 1, 1]);
    assert_eq!(Tensor::from([[0.0; 3]; 0]).shape(), &[0, 3]);
    assert_eq!(Tensor::from(vec![1.0, 2.0]).dtype(), DType::F64);
    assert_eq!(Tensor::from(&[1u8, 2][..]).dtype(), DType::U8);
}

#[test]
fn numbers_of_all_kinds_stand_on_the_right() {
    let x = Tensor::from([1.0, 2.0]);
    for y in [&x * 2.0, &x * 2.0f32, &x * 2, &x * 2i64, &x * 2usize, &x * 2u8, x.clone() + &x, &x + x.clone()] {
        assert_eq!((y.dtype(), y.to_vec::<f32>()), (DType::F32, vec![2.0, 4.0]));
    }
    let n = Tensor::from([1, i64::MAX - 3]);
    assert_eq!((&n + 3usize).to_vec::<i64>(), [4, i64::MAX]);
    assert_eq!((&n * 1u8).dtype(), DType::I64);
    assert_eq!((&n * 0.5f32).dtype(), DType::F32);
    // f32 by its exact value: 0.1f32 is not 0.1.
    let wide = Tensor::from(vec![1.0f64]);
    assert_eq!((&wide * 0.1f32).item(), f64::from(0.1f32));
    assert_eq!(n.eq(1usize).to_vec::<bool>(), n.eq(1).to_vec::<bool>());
    assert_eq!(x.gt(1.5f32).to_vec::<bool>(), [false, true]);
    let mut y = x.clone();
    y += 1usize;
    y -= 1i32;
    y *= 4.0f32;
    y /= 2u8;
    assert_eq!(y.to_vec::<f32>(), [2.0, 4.0]);
}

#[test]
fn the_types_of_literals_are_inferred() {
    let x = Tensor::ones([2]);
    assert_eq!((&x * 2).sum().item(), 4.0);
    assert_eq!((x.clone() * 2.0).sum().item(), 4.0);
    assert_eq!((2 * &x).sum().item() + (2.0 * x.clone()).sum().item(), 8.0);
    assert_eq!((1.0 - &x / 2 + -1).mean().item(), -0.5);
}

#[test]
fn one_size_of_reshape_may_be_left_out() {
    let x = Tensor::arange(24);
    assert_eq!(x.reshape([REST, 6]).shape(), &[4, 6]);
    assert_eq!(x.reshape(vec![2, REST, 3]).shape(), &[2, 4, 3]);
    assert_eq!(x.reshape(&[24, REST][..]).shape(), &[24, 1]);
    assert_eq!(x.reshape([4, 6]).reshape(REST).shape(), &[24]);
    assert_eq!(x.reshape(x.shape()).reshape(*x.shape()).shape(), &[24]);
    assert_eq!(Tensor::scalar(1.0).reshape([REST]).reshape([]).shape(), &[] as &[usize; 0]);
    assert_eq!(Tensor::zeros([0, 3]).reshape([REST, 3]).shape(), &[0, 3]);
}

#[test]
fn retained_results_report_their_gradient() {
    let w = Tensor::from([1.0, 2.0]).requires_grad();
    let h = w.powi(2).retain_grad();
    assert!(h.is_tracked() && !h.is_leaf());
    let mut grads = (&h * 3.0 + &h).sum().backward();
    assert_eq!(grads[&h].to_vec::<f32>(), [4.0, 4.0]);
    assert_eq!(grads[&w].to_vec::<f32>(), [8.0, 16.0]);
    // Norms and clipping are about the leaves.
    assert_eq!(grads.len(), 1);
    assert_eq!(grads.clip_norm(1e-3), 320f64.sqrt());
    assert_eq!(grads[&h].to_vec::<f32>(), [4.0, 4.0]);
    assert!(grads.remove(&h).is_some() && grads.get(&h).is_none());
    // A leaf is reported anyway.
    assert!(w.clone().retain_grad().is_leaf());
}

#[test]
fn gradients_of_retained_results_can_be_differentiated() {
    let x = Tensor::from([2.0]).requires_grad();
    let h = x.powi(2).retain_grad();
    let options = BackwardOptions { create_graph: true, ..Default::default() };
    let grads = h.powi(3).sum().backward_with(options);
    // d/dh h^3 = 3 h^2 = 3 x^4, whose derivative in x is 12 x^3 and in h 6 h.
    let second = grads[&h].sum().backward();
    assert_eq!((grads[&h].item(), second[&h].item(), second[&x].item()), (48.0, 24.0, 96.0));
}
