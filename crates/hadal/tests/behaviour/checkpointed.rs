//! Parts of networks that are computed again: the same bits as without.

use hadal::autograd::BackwardOptions;
use hadal::nn::{LayerConfig, Regularizer};
use hadal::optim::second_order::hessian;
use hadal::prelude::*;

use super::{points, says};

fn block(units: usize) -> Chain {
    Chain::new()
        .add(Dense::new(units).activation(Tanh).weight_regularizer(Regularizer::l2(1e-3)))
        .add(BatchNorm::new())
        .add(Dropout::new(0.3))
        .add(Dense::new(units).activation(Relu))
}

/// Three blocks, one of them in a shortcut; `part` makes a layer of each.
fn network<L: Layer + 'static>(part: impl Fn(Chain) -> L) -> Sequential {
    let nested = Chain::new().add(part(block(6))).add(Dense::new(6)).add(part(block(6)));
    Sequential::new([2])
        .seed(3)
        .add(part(block(6)))
        .add(Residual::new().add(part(nested)))
        .add(Dense::new(3).activation(Softmax))
}

fn numbers(model: &dyn Module) -> Vec<(String, Vec<f32>)> {
    model.state_dict().into_iter().map(|(name, tensor)| (name, tensor.to_vec())).collect()
}

#[test]
fn training_goes_on_to_the_same_bits() {
    let data = points(45, 3);
    let train = |model: Sequential| {
        let mut model = model.compile(Adam::new(0.02), CategoricalCrossentropy, Accuracy).unwrap();
        let history = model.fit(&data, Fit::epochs(4).batch_size(8).clip_norm(1.0).quiet()).unwrap();
        (numbers(&model.model), history.last("loss").unwrap())
    };
    let (plain, loss) = train(network(|chain| chain));
    let (again, own) = train(network(Checkpointed::new));
    assert_eq!(again, plain);
    // Penalties are added in another order.
    assert!((loss - own).abs() < 1e-6, "{loss} {own}");
    assert!(plain.iter().any(|(name, _)| name == "layers.1.0.2.1.running_mean"));
}

#[test]
fn what_is_not_recorded_or_trained_is_as_without() {
    let x = Tensor::randn([5, 2], &mut Rng::new(1));
    let (plain, own) = (network(|chain| chain).build().unwrap(), network(Checkpointed::new).build().unwrap());
    let y = |model: &Sequential, ctx: &mut Context| model.forward(&x, ctx);
    let same = |a: Tensor, b: Tensor| assert_eq!(a.to_vec::<f32>(), b.to_vec::<f32>());
    same(y(&plain, &mut Context::evaluation()), y(&own, &mut Context::evaluation()));
    let y = no_grad(|| y(&own, &mut Context::evaluation()));
    assert!(!y.is_tracked());
    // Frozen blocks use their running means, and pass gradients on.
    let run = |mut model: Sequential| {
        model.freeze("layers.0.").unwrap();
        model.freeze("layers.1.").unwrap();
        let x = x.clone().requires_grad();
        let before = numbers(&model);
        let y = model.forward(&x, &mut Context::training(Rng::new(2)));
        assert_eq!(numbers(&model), before);
        let gradients = y.powi(2).sum().backward();
        assert_eq!(gradients.len(), 3);
        gradients[&x].to_vec::<f32>()
    };
    assert_eq!(run(plain), run(own));
}

#[test]
fn penalties_reach_the_weights() {
    let model = |wrap: bool| {
        let dense = Dense::new(4).activation(Tanh).weight_regularizer(Regularizer::l1(0.1));
        let chain =
            Chain::new().add(dense.activity_regularizer(Regularizer::l2(0.2)).bias_regularizer(Regularizer::l2(0.3)));
        let model = Sequential::new([2]).add(Dense::new(2).weight_regularizer(Regularizer::l2(0.5)));
        let model = if wrap { model.add(Checkpointed::new(chain)) } else { model.add(chain) };
        model.build().unwrap()
    };
    let x = Tensor::randn([7, 2], &mut Rng::new(1));
    let run = |model: Sequential| {
        let mut ctx = Context::training(Rng::new(2));
        let y = model.forward(&x, &mut ctx);
        let penalty = ctx.take_penalty().unwrap();
        let gradients = (y.sum() + &penalty).backward();
        let all = model.state_dict().into_iter().flat_map(|(_, tensor)| gradients[&tensor].to_vec::<f32>());
        (penalty.item(), all.collect::<Vec<f32>>())
    };
    let (plain, own) = (run(model(false)), run(model(true)));
    assert!((plain.0 - own.0).abs() < 1e-6 && plain.1.len() == own.1.len());
    assert!(plain.1.iter().zip(&own.1).all(|(a, b)| (a - b).abs() < 1e-6), "{plain:?} {own:?}");
}

#[test]
fn gradients_are_of_the_weights_that_were_used() {
    let mut own = network(Checkpointed::new).build().unwrap();
    let plain = network(|chain| chain).build().unwrap();
    let x = Tensor::randn([5, 2], &mut Rng::new(1));
    let loss = |model: &Sequential| {
        let mut ctx = Context::training(Rng::new(2));
        let loss = model.forward(&x, &mut ctx).powi(2).sum();
        ctx.take_penalty();
        loss
    };
    let (late, expected) = (loss(&own), loss(&plain).backward());
    let leaves: Vec<Tensor> = own.state_dict().into_iter().map(|(_, tensor)| tensor).collect();
    // A step, before the backward pass.
    own.visit_mut("", &mut |_, tensor| *tensor *= 0.5);
    let after = numbers(&own);
    let gradients = late.backward_with(BackwardOptions { retain_graph: true, ..Default::default() });
    let again = late.backward();
    let mut compared = 0;
    for (leaf, (name, other)) in leaves.iter().zip(plain.state_dict()) {
        if leaf.is_leaf() {
            assert_eq!(gradients[leaf].to_vec::<f32>(), expected[&other].to_vec::<f32>(), "{name}");
            assert_eq!(again[leaf].to_vec::<f32>(), expected[&other].to_vec::<f32>(), "{name}");
            compared += 1;
        }
    }
    assert_eq!((compared, numbers(&own)), (22, after));
}

#[derive(Module)]
struct Net<H> {
    hidden: H,
    output: Linear,
}

impl<H: Forward> Forward for Net<H> {
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        self.output.forward(&self.hidden.forward(x, ctx).tanh(), ctx)
    }
}

#[test]
fn a_module_of_ones_own_can_be_differentiated_twice() {
    let linears = || {
        let mut rng = Rng::new(1);
        let mut linear = |inputs, outputs| {
            let mut linear = Linear::new(inputs, outputs, &mut rng);
            linear.visit_mut("", &mut |_, tensor| *tensor = tensor.detach().to_dtype(DType::F64).requires_grad());
            linear
        };
        (linear(2, 4), linear(4, 1))
    };
    let (hidden, output) = linears();
    let plain = Net { hidden, output };
    let (hidden, output) = linears();
    let own = Net { hidden: Checkpointed::new(hidden), output };
    assert_eq!(own.state_dict()[0].0, "hidden.weight");
    let at = [Tensor::randn([3, 2], &mut Rng::new(2)).to_dtype(DType::F64)];
    let of = |model: &dyn Forward, x: &[Tensor]| model.forward(&x[0], &mut Context::evaluation()).powi(2).sum();
    let (a, b) = (hessian(|x| of(&plain, x), &at), hessian(|x| of(&own, x), &at));
    assert_eq!(a.to_vec::<f64>(), b.to_vec::<f64>());
}

#[test]
fn a_network_with_such_parts_is_saved_and_described() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let model = network(Checkpointed::new).build().unwrap();
    model.save(&path, &Default::default()).unwrap();
    let (loaded, _) = Sequential::load(&path).unwrap();
    assert_eq!((numbers(&loaded), loaded.architecture()), (numbers(&model), model.architecture()));
    // Its weights are those of a network without.
    let mut plain = network(|chain| chain).build().unwrap();
    plain.load_state_dict(&loaded.state_dict().into_iter().collect()).unwrap();
    let config = LayerConfig::of(&Checkpointed::new(Chain::new().add(Relu)));
    assert_eq!(
        serde_json::to_string(&config).unwrap(),
        r#"{"layer":"checkpointed","layers":[{"layer":"activation","function":"relu"}]}"#
    );
    let summary = model.summary();
    assert!(summary.to_string().contains("Checkpointed chain of 4"), "{summary}");
    assert_eq!(summary.parameters(), plain.summary().parameters());
    says(
        Sequential::new([3]).add(Checkpointed::new(Chain::new().add(Reshape::new([4])))).build(),
        &["layer 1 (Checkpointed chain of 1)", "layer 1 (Reshape"],
    );
}
