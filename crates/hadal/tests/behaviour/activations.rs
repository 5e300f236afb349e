//! Activations that are more than one operation, against values in high precision (`hadal-tensor/tests/accuracy/generate.py`).

use hadal::prelude::*;

/// The words of the line of the table that begins so.
fn line(start: &str) -> Vec<&'static str> {
    let table = include_str!("../../../hadal-tensor/tests/accuracy/values.txt");
    table.lines().find_map(|line| line.strip_prefix(start)).unwrap().split_whitespace().collect()
}

#[test]
fn elu_and_selu_are_within_two_units_in_the_last_place() {
    for (name, activation) in [("elu", Elu(1.0)), ("selu", Selu)] {
        let inputs: Vec<f32> =
            line("inputs 4 ").iter().map(|x| f32::from_bits(u32::from_str_radix(x, 16).unwrap())).collect();
        let got = activation.apply(&Tensor::from_slice(&inputs, [inputs.len()])).to_vec::<f32>();
        for ((x, y), exact) in inputs.iter().zip(got).zip(line(&format!("{name} 4 "))) {
            let exact = f64::from_bits(u64::from_str_radix(exact, 16).unwrap());
            let near = exact as f32;
            if near.is_infinite() {
                assert!(y.is_infinite(), "{name}({x:e}) is {y:e}");
                continue;
            }
            let unit = f64::from(near.abs().next_up()) - f64::from(near.abs());
            let error = (f64::from(y) - exact).abs() / unit;
            assert!(error <= 2.5, "{name}({x:e}) is {y:e}: {error} ulp from {exact:e}");
        }
    }
}

#[test]
fn small_negative_inputs_are_kept() {
    let at = |activation: Activation, x: f32| activation.apply(&Tensor::from_slice(&[x], [1])).item();
    assert_eq!(at(Elu(1.0), -1e-8) as f32, -1e-8);
    assert!((at(Selu, -1e-7) / -1.758_099_3e-7 - 1.0).abs() < 1e-6);
    assert!((at(Gelu, -5.5) / -1.044_423_4e-7 - 1.0).abs() < 1e-5, "{}", at(Gelu, -5.5));
    assert!(at(Gelu, 3e38) > 2.9e38 && at(Silu, 3e38) > 2.9e38);
    let x = Tensor::from_slice(&[-3e38f32, 3e38, f32::NEG_INFINITY], [3]).requires_grad();
    for activation in [Silu, Gelu, Elu(1.0), Selu, Softplus, HardSigmoid, Tanh, Sigmoid] {
        let gradient = (activation.apply(&x) * 4.0).sum().backward()[&x].to_vec::<f32>();
        assert!(gradient.iter().all(|g| g.is_finite()), "{activation}: {gradient:?}");
    }
}

#[test]
fn log_cosh_is_half_the_square_near_0_and_never_negative() {
    for e in [1e-4f32, 1e-10, 0.0, 1.0, 88.0, 3e38] {
        let (y, t) = (Tensor::from_slice(&[e], [1, 1]), Tensor::zeros([1, 1]));
        let loss = hadal::loss::LogCosh.loss(&y, &t).item();
        let exact = if e < 1e-3 {
            f64::from(e).powi(2) / 2.0
        } else {
            f64::from(e).min(700.0).cosh().ln().max(f64::from(e) - 0.7)
        };
        assert!((loss - exact).abs() <= 1e-6 * exact.max(1e-30), "{e}: {loss}, not {exact}");
    }
}
