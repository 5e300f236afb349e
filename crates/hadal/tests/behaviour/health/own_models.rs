//! Modules of one's own, with one output and with several, are looked at like layers in a row.

use hadal::data::Parts;
use hadal::loss::Losses;
use hadal::nn::Model;
use hadal::prelude::*;
use hadal::train::{Finding, FindingKind, Health};

use super::{contains, data, single};

/// Two outputs, which are visited before what they are made of, from two branches.
#[derive(Module)]
struct Two {
    class: Linear,
    height: Linear,
    hidden: Linear,
    other: Linear,
}

impl Two {
    fn new() -> Two {
        let mut rng = Rng::new(3);
        let mut linear = |from, to| Linear::new(from, to, &mut rng);
        Two { class: linear(20, 2), height: linear(12, 1), hidden: linear(2, 20), other: linear(2, 12) }
    }
}

impl Model for Two {
    fn forward_parts(&self, inputs: &Parts, ctx: &mut Context) -> Parts {
        let (_, x) = inputs.iter().next().unwrap();
        let hidden = self.hidden.forward(x, ctx).relu();
        let other = self.other.forward(x, ctx).relu();
        Parts::from([("class", self.class.forward(&hidden, ctx)), ("height", self.height.forward(&other, ctx))])
    }
}

/// The class of a point of the plane, and one of its coordinates.
fn with_heights() -> Dataset {
    let points = data();
    let height = points.inputs().narrow(1, 1, 1);
    Dataset::with_parts("points", points.inputs().clone(), [("class", points.targets().clone()), ("height", height)])
        .unwrap()
}

fn found(model: Two, optimizer: impl Optimizer + 'static, weight: f64) -> Vec<Finding> {
    let losses = Losses::new().output("class", CategoricalCrossentropy.from_logits());
    let losses = losses.weighted_output("height", MeanSquaredError, weight);
    let mut model = Trainer::new(model, optimizer, losses, ());
    let mut health = Health::new();
    model.fit(&with_heights(), Fit::epochs(60).callback(&mut health).quiet()).unwrap();
    health.findings().to_vec()
}

#[test]
fn two_outputs_that_train_well_have_no_findings() {
    // One branch has a gradient that is a millionth of the other's.
    for weight in [1.0, 1e-6] {
        let findings = found(Two::new(), Adam::new(0.01), weight);
        assert!(findings.is_empty(), "{weight}: {findings:#?}");
    }
}

#[test]
fn what_is_ill_in_a_branch_is_named_by_its_parameter() {
    let mut model = Two::new();
    model.other.bias.as_mut().unwrap().assign(&Tensor::full([12], -1000.0));
    let findings = found(model, Adam::new(0.01), 1.0);
    let finding = single(&findings, FindingKind::DeadUnits);
    assert_eq!(finding.layer.as_deref(), Some("other.bias"));
    contains(&finding.text, &["12 of the 12 units of other.bias are dead"]);
    let findings = found(Two::new(), Sgd::new(1e-7), 1.0);
    single(&findings, FindingKind::LearningRateTooLow);
}

/// One output at the end of a deep row.
#[derive(Module)]
struct Deep {
    layers: Vec<Linear>,
    out: Linear,
}

impl Forward for Deep {
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        let last = self.layers.iter().fold(x.clone(), |x, layer| layer.forward(&x, ctx).sigmoid());
        self.out.forward(&last, ctx)
    }
}

#[test]
fn gradients_that_vanish_or_explode_in_a_module_are_found() {
    let rng = &mut Rng::new(5);
    let layers = (0..9).map(|layer| Linear::new(if layer == 0 { 2 } else { 16 }, 16, rng)).collect();
    let model = Deep { layers, out: Linear::new(16, 2, rng) };
    let mut model = Trainer::new(model, Adam::new(0.001), CategoricalCrossentropy.from_logits(), ());
    let mut health = Health::new();
    model.fit(&data(), Fit::epochs(20).callback(&mut health).quiet()).unwrap();
    let finding = single(health.findings(), FindingKind::VanishingGradients);
    assert_eq!(finding.layer.as_deref(), Some("layers.0.weight"));
    contains(&finding.text, &["out.weight"]);
    let mut model = Two::new();
    model.hidden.weight.assign(&(Tensor::randn([20, 2], &mut Rng::new(1)) * 1e7));
    model.class.weight.assign(&(Tensor::randn([2, 20], &mut Rng::new(2)) * 1e-3));
    let findings = found(model, Sgd::new(1e-30), 1.0);
    assert_eq!(single(&findings, FindingKind::ExplodingGradients).layer.as_deref(), Some("class.weight"));
}
