//! The ready networks beside the same ones in PyTorch, whose state they load by its names: outputs, and gradients of the input and of every
//! parameter, in training and in evaluation, to 1e-11. Of large gradients, some elements and sums of all of them are compared.

use hadal::nn::networks::{MlpMixer, lenet, mlp_mixer, resnet20};

use super::*;

const TOLERANCE: f64 = 1e-11;

/// The numbers of `uniform` in `networks.py`.
fn uniform(stream: u32, count: usize) -> Vec<f64> {
    let number = |index: u32| {
        let mut x = index + (stream << 20);
        x = (x ^ (x >> 16)).wrapping_mul(0x85eb_ca6b);
        x = (x ^ (x >> 13)).wrapping_mul(0xc2b2_ae35);
        f64::from(x ^ (x >> 16)) / 2f64.powi(31) - 1.0
    };
    (0..count as u32).map(number).collect()
}

/// A tensor that is given by how its numbers are made.
fn made(value: &Value) -> Tensor {
    let shape: Vec<usize> = value["shape"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect();
    let numbers = uniform(value["stream"].as_u64().unwrap() as u32, shape.iter().product());
    Tensor::from_vec(numbers, shape) * number(&value["scale"]) + number(&value["offset"])
}

/// A gradient, or what was kept of it.
#[track_caller]
fn close_in_parts(name: &str, got: &Tensor, expected: &Value) {
    let Some(elements) = expected["elements"].as_array() else {
        return close(name, got, expected, TOLERANCE);
    };
    let shape: Vec<usize> =
        expected["shape"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect();
    assert_eq!(got.shape()[..], shape, "{name}");
    let got = got.to_vec::<f64>();
    let step = expected["step"].as_u64().unwrap() as usize;
    for (got, expected) in got.iter().step_by(step).zip(elements) {
        close_number(name, *got, expected, TOLERANCE);
    }
    for (stream, expected) in (1000..).zip(expected["sums"].as_array().unwrap()) {
        let sum = got.iter().zip(uniform(stream, got.len())).map(|(x, weight)| x * weight).sum();
        close_number(&format!("{name}: sum"), sum, expected, TOLERANCE);
    }
}

#[test]
fn networks_load_pytorchs_state_and_give_its_outputs_and_gradients() {
    let golden: Value = serde_json::from_str(include_str!("networks.json")).unwrap();
    let mixer = MlpMixer { image: [2, 4, 6], patch: 2, hidden: 5, tokens: 3, channels: 7, blocks: 2, classes: 3 };
    let cases = [("lenet", lenet(3)), ("resnet20", resnet20(3)), ("mlp_mixer", mlp_mixer(&mixer).unwrap())];
    assert_eq!(golden.as_object().unwrap().len(), cases.len());
    for (name, model) in cases {
        let case = &golden[name];
        let x = made(&case["x"]).requires_grad();
        let mut model = model.build().unwrap();
        let state = case["state"].as_object().unwrap().iter().map(|(name, value)| (name.clone(), made(value)));
        load_state(&mut model, name, &state.collect());
        // Training leaves the running statistics that evaluation takes.
        for (mode, mut ctx) in [("training", Context::training(Rng::new(0))), ("evaluation", Context::evaluation())] {
            let (name, case) = (format!("{name} in {mode}"), &case[mode]);
            let y = model.forward(&x, &mut ctx);
            close(&name, &y, &case["y"], TOLERANCE);
            let gradients = weighted(&y).backward();
            close_in_parts(&format!("{name}: input"), &gradients[&x], &case["dx"]);
            let mut trained = 0;
            model.visit("", &mut |parameter, tensor| {
                if tensor.is_leaf() {
                    trained += 1;
                    close_in_parts(&format!("{name}: {parameter}"), &gradients[tensor], &case["gradients"][parameter]);
                }
            });
            assert_eq!(trained, case["gradients"].as_object().unwrap().len(), "{name}");
        }
    }
}
