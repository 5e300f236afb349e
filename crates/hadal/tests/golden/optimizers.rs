//! Optimizers: after 100 steps on three problems, to 1e-9, but for Muon, whose constants Keras holds in f32: to
//! 1e-6.

use hadal::optim::MomentumForm;
use hadal::prelude::*;

use super::{GOLDEN, close, close_number, labels, tensor};

#[test]
fn optimizers_take_the_same_path() {
    let golden = &GOLDEN["optimizers"];
    let (c, t) = (tensor(&golden["c"]), tensor(&golden["t"]));
    let (inputs, classes) = (tensor(&golden["inputs"]), labels(&golden["classes"]));
    let problem = |name: &str, w: &Tensor| match name {
        "bowl" => (&c * (w - &t).powi(2) * 0.5 + (w * 3.0).cos()).sum(),
        "valley" => {
            let (before, after) = (w.narrow(0, 0, 5), w.narrow(0, 1, 5));
            ((after - before.powi(2)).powi(2) + (1.0 - before).powi(2) * 0.01).sum()
        }
        _ => CategoricalCrossentropy.from_logits().loss(&inputs.matmul(&w.t()), &classes),
    };
    type Make = fn() -> Box<dyn Optimizer>;
    let cases: [(&str, Make); 23] = [
        ("sgd", || Box::new(Sgd::new(0.01))),
        ("sgd_weight_decay", || Box::new(Sgd::new(0.01).weight_decay(0.1))),
        ("sgd_momentum", || Box::new(Sgd::new(0.01).momentum(0.5))),
        ("sgd_momentum_keras", || Box::new(Sgd::new(0.01).momentum(0.9).momentum_form(MomentumForm::Keras))),
        // At a constant learning rate the lecture's spelling takes the same steps.
        ("sgd_momentum_keras", || Box::new(Sgd::new(0.01).momentum(0.9).momentum_form(MomentumForm::Classical))),
        ("sgd_nesterov", || Box::new(Sgd::new(0.01).momentum(0.9).nesterov(true))),
        ("sgd_nesterov_keras", || {
            Box::new(Sgd::new(0.01).momentum(0.9).momentum_form(MomentumForm::Keras).nesterov(true))
        }),
        ("adagrad", || Box::new(Adagrad::new(0.05))),
        ("adadelta", || Box::new(Adadelta::default())),
        ("adadelta_keras", || Box::new(Adadelta::new(1.0).rho(0.95).epsilon(1e-7))),
        ("rmsprop", || Box::new(RmsProp::default())),
        ("rmsprop_momentum", || Box::new(RmsProp::new(0.002).rho(0.8).momentum(0.7))),
        ("rmsprop_centered", || Box::new(RmsProp::new(0.002).rho(0.8).centered())),
        ("rmsprop_centered_momentum", || Box::new(RmsProp::new(0.002).rho(0.8).centered().momentum(0.7))),
        ("adam", || Box::new(Adam::default())),
        ("adam_other", || Box::new(Adam::new(0.01).betas(0.7, 0.9).epsilon(1e-4))),
        // With an epsilon this small PyTorch's form and Keras's are one.
        ("adam_weight_decay", || Box::new(Adam::new(0.01).epsilon(1e-30).weight_decay(0.1))),
        ("amsgrad", || Box::new(Adam::new(0.01).betas(0.9, 0.9).amsgrad())),
        ("adamw", || Box::new(AdamW::new(0.01).decoupled_weight_decay(0.1))),
        ("adamax", || Box::new(hadal::optim::Adamax::new(0.01).betas(0.9, 0.9))),
        ("nadam", || Box::new(Nadam::new(0.01))),
        ("lion", || Box::new(Lion::new(0.01).betas(0.9, 0.99))),
        ("muon", || Box::new(Muon::new(0.01))),
    ];
    for (name, make) in cases {
        let tolerance = if name == "muon" { 1e-6 } else { 1e-9 };
        for which in ["bowl", "valley", "regression"] {
            let mut optimizer = make();
            optimizer.check().unwrap();
            let mut w = tensor(&golden["starts"][which]).requires_grad();
            for _ in 0..100 {
                let gradients = problem(which, &w).backward();
                optimizer.step(&mut w, &gradients);
            }
            close(&format!("{name} on {which}"), &w.detach(), &golden[name][which], tolerance);
        }
    }
}

#[test]
fn clipping_shortens_gradients_as_pytorch_does() {
    let golden = &GOLDEN["clipping"];
    let direction = tensor(&golden["gradient"]);
    let w = direction.zeros_like().requires_grad();
    let mut gradients = (&w * &direction).sum().backward();
    close_number("norm", gradients.clip_norm(1.5), &golden["norm"], 1e-12);
    // PyTorch divides by the norm plus 1e-6.
    close("clipped", &gradients[&w], &golden["clipped"], 1e-6);
    let mut gradients = (&w * &direction).sum().backward();
    gradients.clip_value(0.7);
    let expected: Vec<f64> = direction.to_vec::<f64>().into_iter().map(|g| g.clamp(-0.7, 0.7)).collect();
    assert_eq!(gradients[&w].to_vec::<f64>(), expected);
}
