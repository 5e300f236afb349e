//! Groups, decay of groups, settings that cannot work, and steps at extremes.

use hadal::optim::second_order::{Lbfgs, LevenbergMarquardt, Newton};
use hadal::optim::{Adamax, ParamGroup};
use hadal::prelude::*;

use super::{floats, panics, points, says};

/// What a step makes of `w`, 1, under a gradient of 0.
fn after_a_step(optimizer: &mut dyn Optimizer) -> f64 {
    let mut w = Tensor::ones([1, 1]).requires_grad();
    let gradients = (&w * 0.0).sum().backward();
    optimizer.step(&mut w, &gradients);
    w.item()
}

#[test]
fn a_groups_decay_counts_where_the_optimizer_has_none() {
    let group = || ParamGroup::prefix("").weight_decay(0.5);
    let close = |name: &str, mut optimizer: Box<dyn Optimizer>, expected: f64| {
        let found = after_a_step(&mut optimizer);
        assert!((found - expected).abs() < 1e-4, "{name}: {found} instead of {expected}");
    };
    // Coupled: a gradient of 0.5, of which Adam makes a whole step of 0.1. Decoupled: 1 - 0.1 * 0.5.
    close("sgd", Box::new(Sgd::new(0.1).param_group(group())), 0.95);
    close("adam", Box::new(Adam::new(0.1).param_group(group())), 0.9);
    close("adamw", Box::new(AdamW::new(0.1).decoupled_weight_decay(0.0).param_group(group())), 0.95);
    close("adamw of its own decay", Box::new(AdamW::new(0.1).param_group(group())), 0.95);
    close("lion", Box::new(Lion::new(0.1).param_group(group())), 0.95);
    close("muon", Box::new(Muon::new(0.1).param_group(group())), 0.95);
    // Where it has one, the group's is of that kind.
    close("adam, decoupled", Box::new(Adam::new(0.1).decoupled_weight_decay(0.1).param_group(group())), 0.95);
    close("adamw", Box::new(AdamW::new(0.1).weight_decay(0.1).param_group(group())), 0.95);
    // The decay that an optimizer is named for is decoupled, as in PyTorch and Keras: 1 - 0.1 * 0.5.
    close("weight_decay of adamw", Box::new(AdamW::new(0.1).weight_decay(0.5)), 0.95);
    close("weight_decay of lion", Box::new(Lion::new(0.1).weight_decay(0.5)), 0.95);
    close("weight_decay of muon", Box::new(Muon::new(0.1).weight_decay(0.5)), 0.95);
    close("weight_decay of adam", Box::new(Adam::new(0.1).weight_decay(0.5)), 0.9);
    close("none", Box::new(AdamW::new(0.1).param_group(ParamGroup::prefix("").weight_decay(0.0))), 1.0);
}

#[test]
fn a_group_of_no_parameter_is_a_mistake() {
    let fit = |optimizer: Sgd| {
        let mut model = Sequential::new([2])
            .add(Dense::new(3).activation(Softmax))
            .compile(optimizer, CategoricalCrossentropy, [Accuracy])
            .unwrap();
        model.fit(&points(9, 3), Fit::epochs(1).quiet()).map(|_| ())
    };
    let wrong = || {
        Sgd::new(0.1)
            .param_group(ParamGroup::suffix("bias").learning_rate_scale(0.1))
            .param_group(ParamGroup::prefix("layer.0").learning_rate_scale(0.5))
    };
    says(fit(wrong()), &["group with prefix `layer.0`", "layers.0.weight, layers.0.bias"]);
    fit(Sgd::new(0.1).param_group(ParamGroup::prefix("layers.0."))).unwrap();
    let mut optimizer = Sgd::new(0.1).momentum(0.9).param_group(ParamGroup::suffix("kernel"));
    panics(|| after_a_step(&mut optimizer), &["group with suffix `kernel`"]);
    // Nothing was lost to the panic.
    assert_eq!((optimizer.learning_rate(), optimizer.core().steps()), (0.1, 0));
}

#[test]
fn steps_refuse_settings_that_cannot_work() {
    for mut optimizer in [
        Box::new(Adam::new(0.1).epsilon(0.0)) as Box<dyn Optimizer>,
        Box::new(RmsProp::new(0.1).epsilon(1e-50)),
        Box::new(Adagrad::new(0.1).epsilon(1e-50)),
        Box::new(Adadelta::new(0.1).epsilon(-1.0)),
        Box::new(Adamax::new(0.1).epsilon(f64::NAN)),
        Box::new(Nadam::new(0.1).epsilon(1e-46)),
    ] {
        panics(|| after_a_step(&mut optimizer), &["epsilon"]);
    }
    panics(|| after_a_step(&mut Sgd::new(0.1).momentum(1.5)), &["momentum 1.5"]);
    panics(|| after_a_step(&mut Muon::new(0.1).momentum(-0.5)), &["momentum -0.5"]);
}

#[test]
fn bias_corrections_are_right_after_many_steps() {
    let (beta, steps) = (1.0 - 1e-10, 3_000_000_000u64);
    let mut rule = String::new();
    Adamax::new(1.0).betas(beta, 0.999).update_rule(1.0, steps, &mut |own| rule = format!("{own:?}"));
    let (_, learning_rate) = rule.split_once("learning_rate: ").unwrap();
    let learning_rate: f64 = learning_rate.split(',').next().unwrap().parse().unwrap();
    let expected = 1.0 / -(steps as f64 * (-1e-10f64).ln_1p()).exp_m1();
    assert!((learning_rate / expected - 1.0).abs() < 1e-6, "{learning_rate} {expected}");
}

#[test]
fn muons_step_is_orthogonal_for_gradients_of_any_size() {
    let direction = floats([3.0, 0.0, 0.0, 1.0], [2, 2]);
    let step = |scale: f64| {
        let mut w = Tensor::zeros([2, 2]).requires_grad();
        let gradients = (&w * (&direction * scale)).sum().backward();
        Muon::new(1.0).momentum(0.0).step(&mut w, &gradients);
        w.to_vec::<f32>()
    };
    let expected = step(1.0);
    assert!(expected[0] < -0.1);
    for scale in [1e-3, 1e20, 1e37] {
        for (a, b) in step(scale).iter().zip(&expected) {
            assert!((a - b).abs() < 1e-3, "{scale}: {:?} {expected:?}", step(scale));
        }
    }
    assert_eq!(step(0.0), [0.0; 4]);
    let mut empty = Tensor::zeros([0, 3]).requires_grad();
    let gradients = empty.sum().backward();
    Muon::new(1.0).step(&mut empty, &gradients);
}

#[test]
fn warm_up_begins_at_zero_and_is_whole_at_its_last_step() {
    let warm = Schedule::WarmUp { warmup_steps: 10, then: Box::new(Schedule::Constant) };
    let factors: Vec<f64> = (0..12).map(|step| warm.factor(step, 20)).collect();
    assert_eq!((factors[0], factors[5], factors[9], factors[10], factors[11]), (0.0, 0.5, 0.9, 1.0, 1.0));
    // What lies behind the last step is not above it.
    assert!(Schedule::Cosine.factor(30, 20) < 1e-12);
    assert_eq!(Schedule::CosineRestarts { t_0: 4, t_mult: 1 }.factor(4_000_000_001, 20), half_cosine(0.25));
}

fn half_cosine(part: f64) -> f64 {
    (1.0 + (std::f64::consts::PI * part).cos()) / 2.0
}

#[test]
fn methods_of_second_order_end_and_refuse_what_cannot_work() {
    let start = [Tensor::ones([2]).to_dtype(DType::F64)];
    let bowl = |p: &[Tensor]| p[0].powi(2).sum();
    for tolerance in [-1.0, f64::NAN] {
        says(Newton::default().tolerance(tolerance).minimize(bowl, &start), &["tolerance"]);
        says(Lbfgs::default().tolerance(tolerance).minimize(bowl, &start), &["tolerance"]);
    }
    says(LevenbergMarquardt::default().damping(-1.0).fit(|p| p[0].clone(), &start), &["damping -1"]);
    says(Newton::default().minimize(bowl, &[Tensor::zeros([0]).to_dtype(DType::F64)]), &["no parameters"]);
    // A curvature that is infinite at the start is the end, not a loop without one.
    let cusp = |p: &[Tensor]| (p[0].powi(2).sum() + 1e-310).sqrt() + (p[0].sum() * 1e200).exp() * 0.0 + p[0].sum();
    let start = [Tensor::zeros([2]).to_dtype(DType::F64)];
    assert!(Newton::default().minimize(cusp, &start).map_or(true, |found| found.iterations <= 200));
}

#[test]
fn a_large_gradient_does_not_make_an_optimizer_give_nan_and_nan_is_not_hidden() {
    let optimizers: [fn() -> Box<dyn Optimizer>; 10] = [
        || Box::new(Adam::new(0.01)),
        || Box::new(Adam::new(0.01).amsgrad()),
        || Box::new(Adamax::new(0.01)),
        || Box::new(Nadam::new(0.01)),
        || Box::new(Lion::new(0.01)),
        || Box::new(Adagrad::new(0.01)),
        || Box::new(Adadelta::new(0.01)),
        || Box::new(RmsProp::new(0.01)),
        || Box::new(RmsProp::new(0.01).momentum(0.5)),
        || Box::new(RmsProp::new(0.01).momentum(0.5).centered()),
    ];
    let run = |optimizer: &mut dyn Optimizer, gradients: &[f32]| {
        let mut w = Tensor::full([1], 0.7).requires_grad();
        for &g in gradients {
            let gradients = (&w * floats([g], [1])).sum().backward();
            optimizer.step(&mut w, &gradients);
        }
        w.item()
    };
    for optimizer in optimizers {
        let name = optimizer().describe();
        assert!(run(&mut *optimizer(), &[1e25, 0.5, 0.5, -3e38, 3e38]).is_finite(), "{name}");
        assert!(run(&mut *optimizer(), &[0.5, f32::NAN, 0.5]).is_nan(), "{name}");
    }
}
