//! Models with several inputs and outputs.

use hadal::data::Parts;
use hadal::loss::Losses;
use hadal::metric::MeanAbsoluteError as AbsoluteError;
use hadal::nn::{Model, Regularizer};
use hadal::prelude::*;

use super::{floats, labels, panics, points, says};

/// One output, which is the input as it came: what a model was fed.
#[derive(Module)]
struct Echo {
    scale: Tensor,
}

impl Echo {
    fn new() -> Echo {
        Echo { scale: Tensor::ones([1]).requires_grad() }
    }
}

impl Model for Echo {
    fn input_names(&self) -> Vec<&str> {
        vec!["image", "age"]
    }

    fn forward_parts(&self, inputs: &Parts, _: &mut Context) -> Parts {
        Parts::from([("image", &inputs["image"] * &self.scale), ("age", &inputs["age"] * &self.scale)])
    }
}

#[test]
fn raw_inputs_are_transformed_by_name_and_each_by_itself() {
    let (image, age) = (Tensor::from_slice(&[100u8, 200], [2, 1]), Tensor::from_slice(&[3u8, 5], [2, 1]));
    let inputs = [("image", image.clone()), ("age", age.clone())];
    let targets = [("image", Tensor::zeros([2, 1])), ("age", Tensor::zeros([2, 1]))];
    let data = Dataset::with_parts("echo", inputs, targets).unwrap().for_input("image").unwrap().divide(100.0);
    let losses = Losses::new().output("image", MeanSquaredError).output("age", MeanSquaredError);
    let mut model = Trainer::new(Echo::new(), Sgd::new(1e-12), losses, ());
    model.fit(&data, Fit::epochs(1).quiet()).unwrap();
    let fed = |inputs: Parts| {
        let outputs = model.predict_parts(&inputs).unwrap();
        (outputs["image"].to_vec::<f32>(), outputs["age"].to_vec::<f32>())
    };
    let expected = (vec![1.0, 2.0], vec![3.0, 5.0]);
    assert_eq!(fed(Parts::from([("image", image.clone()), ("age", age.clone())])), expected);
    assert_eq!(fed(Parts::from([("age", age.clone()), ("image", image.clone())])), expected);
    assert_eq!(fed(Parts::from([("age", age.to_dtype(DType::F32)), ("image", image.clone())])), expected);
    let data = Dataset::with_parts("echo", [("picture", image)], Tensor::zeros([2, 1])).unwrap();
    says(model.evaluate(&data), &["takes an input `image`", "picture"]);
}

#[test]
fn the_only_loss_tells_every_metric_its_threshold() {
    struct Named;
    impl Module for Named {
        fn visit(&self, _: &str, _: &mut dyn FnMut(&str, &Tensor)) {}
        fn visit_mut(&mut self, _: &str, _: &mut dyn FnMut(&str, &mut Tensor)) {}
    }
    impl Model for Named {
        fn forward_parts(&self, inputs: &Parts, _: &mut Context) -> Parts {
            inputs.iter().map(|(_, input)| ("out", input.clone())).collect()
        }
    }
    let x = floats([0.2, -0.2, 0.3, -0.3], [4, 1]);
    let loss = || BinaryCrossentropy.from_logits();
    let data =
        |target: &str| Dataset::with_parts("logits", x.clone(), [(target.to_owned(), labels([1, 0, 1, 0]))]).unwrap();
    let accuracy = |model: Trainer<Named>, name: &str| {
        let logs = model.evaluate(&data(name)).unwrap();
        logs.iter().find(|(name, _)| name.ends_with("accuracy")).unwrap().1
    };
    assert_eq!(accuracy(Trainer::new(Named, Sgd::new(0.1), loss(), Accuracy), "out"), 1.0);
    assert_eq!(accuracy(Trainer::new(Named, Sgd::new(0.1), loss(), Accuracy.of("out")), "out"), 1.0);
    let losses = Losses::new().output("out", loss());
    assert_eq!(accuracy(Trainer::new(Named, Sgd::new(0.1), losses, Accuracy), "out"), 1.0);
}

#[test]
fn outputs_of_two_dtypes_train_together() {
    #[derive(Module)]
    struct Mixed {
        weight: Tensor,
    }
    impl Model for Mixed {
        fn forward_parts(&self, inputs: &Parts, _: &mut Context) -> Parts {
            let y = &inputs["x"] * &self.weight;
            Parts::from([("wide", y.to_dtype(DType::F64)), ("narrow", y)])
        }
    }
    let x = Tensor::ones([4, 1]);
    let targets = [("wide", x.clone()), ("narrow", x.clone())];
    let data = Dataset::with_parts("mixed", [("x", x.clone())], targets).unwrap();
    let losses = Losses::new().output("wide", MeanSquaredError).output("narrow", MeanSquaredError);
    let mut model = Trainer::new(Mixed { weight: Tensor::zeros([1]).requires_grad() }, Sgd::new(0.1), losses, ());
    model.fit(&data, Fit::epochs(1).quiet()).unwrap();
    // Two gradients of -2 and a learning rate of 0.1.
    assert!((model.model.weight.item() - 0.4).abs() < 1e-6);
}

/// Two inputs, two outputs.
#[derive(Module)]
struct Net {
    image: Linear,
    meta: Linear,
    class: Linear,
    age: Linear,
}

impl Net {
    fn new() -> Net {
        let mut rng = Rng::new(3);
        let mut linear = |from, to| Linear::new(from, to, &mut rng);
        Net { image: linear(4, 8), meta: linear(2, 8), class: linear(8, 3), age: linear(8, 1) }
    }
}

impl Model for Net {
    fn forward_parts(&self, inputs: &Parts, ctx: &mut Context) -> Parts {
        let hidden = (self.image.forward(&inputs["image"], ctx) + self.meta.forward(&inputs["meta"], ctx)).tanh();
        Parts::from([("class", self.class.forward(&hidden, ctx)), ("age", self.age.forward(&hidden, ctx))])
    }

    fn check_parts(&self, inputs: &Parts) -> hadal::Result<()> {
        for (name, size) in [("image", 4), ("meta", 2)] {
            let fits = inputs.get(name).is_some_and(|input| input.rank() == 2 && input.size(1) == size);
            if !fits {
                return Err(hadal::Error::Data(format!("the model takes `{name}` of shape [N, {size}]")));
            }
        }
        Ok(())
    }
}

fn people(n: usize) -> Dataset {
    let mut rng = Rng::new(1);
    let image = Tensor::from_vec((0..4 * n).map(|_| rng.below(256) as u8).collect(), [n, 4]);
    let meta = Tensor::randn([n, 2], &mut rng);
    let class: Vec<i64> = image.to_vec::<u8>().chunks(4).map(|pixels| i64::from(pixels[0] / 86)).collect();
    let age = meta.narrow(1, 0, 1) * 2.0 + 1.0;
    let targets = [("class", Tensor::from_vec(class, [n])), ("age", age)];
    let data = Dataset::with_parts("people", [("image", image), ("meta", meta)], targets).unwrap();
    data.for_input("image").unwrap().divide(255.0).for_input("meta").unwrap().normalize(0.5, 2.0)
}

fn losses() -> Losses {
    Losses::new().output("class", CategoricalCrossentropy.from_logits()).weighted_output("age", MeanSquaredError, 0.25)
}

fn trainer() -> Trainer<Net> {
    Trainer::new(Net::new(), Adam::new(0.02), losses(), (Accuracy.of("class"), AbsoluteError::new().of("age")))
}

#[test]
fn they_train_through_fit_as_those_with_one_do() {
    let (data, test) = (people(300), people(300).take(100));
    let mut model = trainer();
    let history = model.fit(&data, Fit::epochs(30).validation_data(&test).quiet()).unwrap();
    for name in ["loss", "class_loss", "age_loss", "class_accuracy", "age_mean_absolute_error", "val_age_loss"] {
        assert_eq!(history.get(name).unwrap().len(), 30, "{name}");
    }
    assert!(history.last("class_accuracy").unwrap() > 0.9, "{:?}", history.get("class_accuracy"));
    assert!(history.last("val_age_mean_absolute_error").unwrap() < 0.2);
    let logs = model.evaluate(&test).unwrap();
    assert!((logs["loss"] - logs["class_loss"] - 0.25 * logs["age_loss"]).abs() < 1e-9);
    // In batches of any size, and predicted from raw samples as from the dataset.
    let outputs = model.predict_parts(&test).unwrap();
    let raw = model.predict_parts(test.input_parts()).unwrap();
    assert_eq!(outputs["class"].to_vec::<f32>(), raw["class"].to_vec::<f32>());
    assert_eq!(outputs["age"].shape(), &[100, 1]);
    let right = outputs["class"].argmax(1).eq(&test.target_parts()["class"]).sum().item() / 100.0;
    assert!((right - logs["class_accuracy"]).abs() < 1e-9);
    let plateau = hadal::optim::ReduceLrOnPlateau::new("val_class_accuracy");
    model.fit(&data, Fit::epochs(1).validation_data(&test).reduce_lr_on_plateau(plateau).quiet()).unwrap();
    assert!(model.learning_rate_range_test(&data, 1e-4, 1.0, 10, 32).is_ok());
}

#[test]
fn one_step_has_the_gradient_of_the_weighted_sum() {
    let data = people(8);
    let mut model = Trainer::new(Net::new(), Sgd::new(1.0), losses(), ());
    let (inputs, targets) = data.batch_parts(&[0, 1, 2, 3, 4, 5, 6, 7]);
    let outputs = model.model.forward_parts(&inputs, &mut Context::training(Rng::new(0)));
    let loss = CategoricalCrossentropy.from_logits().loss(&outputs["class"], &targets["class"])
        + MeanSquaredError.loss(&outputs["age"], &targets["age"]) * 0.25;
    let gradients = loss.backward();
    let expected = &model.model.image.weight - &gradients[&model.model.image.weight];
    drop((outputs, loss));
    model.fit(&data, Fit::epochs(1).shuffle(false).quiet()).unwrap();
    let close = (&model.model.image.weight - expected).abs().max().item();
    assert!(close < 1e-6, "{close}");
}

#[test]
fn mistakes_are_found_before_the_first_step() {
    let data = people(8);
    let fit = |losses: Losses| {
        let mut model = Trainer::new(Net::new(), Sgd::new(0.1), losses, ());
        model.fit(&data, Fit::epochs(1).quiet()).map(drop)
    };
    says(fit(Losses::new().output("size", MeanSquaredError)), &["no output is called `size`", "class, age"]);
    says(fit(Losses::new()), &["no loss"]);
    says(fit(Losses::new().output("class", MeanSquaredError)), &["people", "mean_squared_error"]);
    let mut single = Trainer::new(Net::new(), Sgd::new(0.1), MeanSquaredError, ());
    says(single.fit(&data, Fit::epochs(1).quiet()), &["outputs class, age", "must name its own", "Losses::output"]);
    let mut metric = Trainer::new(Net::new(), Sgd::new(0.1), losses(), Accuracy);
    says(metric.fit(&data, Fit::epochs(1).quiet()), &["outputs class, age", "Metric::of"]);
    let mut metric = Trainer::new(Net::new(), Sgd::new(0.1), losses(), Accuracy.of("klass"));
    says(metric.fit(&data, Fit::epochs(1).quiet()), &["no output is called `klass`"]);
    says(trainer().predict(&data), &["outputs class, age", "predict_parts"]);
    says(trainer().predict_parts(&points(4, 3)), &["takes `image`"]);
    let model = Sequential::new([2]).add(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError, ());
    says(model.unwrap().fit(&data, Fit::epochs(1).quiet()), &["takes one input, not image, meta", "Model"]);
    panics(|| Losses::new().output("a", Hinge).output("a", Hinge), &["`a` has a loss already"]);
    panics(|| Losses::new().weighted_output("a", Hinge, -1.0), &["weight -1"]);
    panics(|| data.batch_parts(&[0]).0["photo"].clone(), &["no `photo` among image, meta"]);
    says(people(4).for_input("photo"), &["`photo`", "image, meta"]);
    let (one, two) = (floats([1.0], [1, 1]), floats([1.0, 2.0], [2, 1]));
    let data = |inputs: [(&str, Tensor); 2], targets: Tensor| Dataset::with_parts("parts", inputs, targets);
    says(data([("a", one.clone()), ("b", two.clone())], one.clone()), &["1 inputs `a` but 2 inputs `b`"]);
    says(data([("a", one.clone()), ("a", one.clone())], one.clone()), &["two inputs are called `a`"]);
    says(data([("a", one.clone()), ("b", one.clone())], labels([0, 1])), &["1 inputs `a` but 2 targets"]);
    says(data([("a", one.clone()), ("b", &one * f64::NAN)], one.clone()), &["input `b` 0 holds NaN"]);
    says(Dataset::with_parts("none", [] as [(&str, Tensor); 0], one), &["no inputs"]);
}

#[test]
fn sample_weights_and_penalties_count_as_with_one_output() {
    #[derive(Module)]
    struct Two {
        body: Dense,
    }
    impl Model for Two {
        fn forward_parts(&self, inputs: &Parts, ctx: &mut Context) -> Parts {
            let y = self.body.forward(&inputs["x"], ctx);
            Parts::from([("a", y.clone()), ("b", y)])
        }
    }
    let body = Dense::new(1).weight_regularizer(Regularizer::l2(0.5)).built([2], &mut Rng::new(1)).unwrap();
    let x = Tensor::randn([6, 2], &mut Rng::new(2));
    let y = Tensor::zeros([6, 1]);
    let targets = [("a", y.clone()), ("b", y.clone())];
    let weights = [1.0, 0.0, 2.0, 1.0, 1.0, 0.5];
    let data = Dataset::with_parts("two", [("x", x.clone())], targets).unwrap().sample_weights(&weights).unwrap();
    let losses = Losses::new().output("a", MeanSquaredError).weighted_output("b", MeanAbsoluteError, 3.0);
    let model = Trainer::new(Two { body }, Sgd::new(0.1), losses, ());
    let found = model.evaluate(&data).unwrap();
    let p = model.model.body.forward(&x, &mut Context::evaluation());
    let weights = Tensor::from_slice(&weights, [6]).to_dtype(DType::F32);
    let a = MeanSquaredError.weighted(&p, &y, &weights).item();
    let b = MeanAbsoluteError.weighted(&p, &y, &weights).item();
    let weight = model.model.state_dict()[0].1.powi(2).sum().item();
    assert!((found["a_loss"] - a).abs() < 1e-6 && (found["b_loss"] - b).abs() < 1e-6);
    let expected = a + 3.0 * b + 0.5 * weight;
    assert!((found["loss"] - expected).abs() < 1e-5, "{} {expected}", found["loss"]);
}

#[test]
fn the_only_input_needs_no_name_when_it_is_predicted() {
    let pixels = Tensor::from_slice(&[0u8, 255], [2, 1]);
    let named = Dataset::with_parts("named", [("pixel", pixels.clone())], labels([0, 1])).unwrap().divide(255.0);
    let model = Sequential::new([1]).add(Dense::new(2).activation(Softmax));
    let mut model = model.compile(Adam::new(0.1), CategoricalCrossentropy, ()).unwrap();
    model.fit(&named, Fit::epochs(2).quiet()).unwrap();
    let expected = model.predict(&named).unwrap().to_vec::<f32>();
    assert_eq!(model.predict(&pixels).unwrap().to_vec::<f32>(), expected);
    let unnamed = Dataset::new("unnamed", pixels, labels([0, 1])).unwrap();
    says(model.evaluate(&unnamed), &["divided by 255"]);
    model.evaluate(&unnamed.divide(255.0)).unwrap();
}

#[test]
fn an_output_without_samples_is_an_error_even_if_only_a_metric_sees_it() {
    #[derive(Module)]
    struct Scalar {
        weight: Tensor,
    }
    impl Model for Scalar {
        fn forward_parts(&self, inputs: &Parts, _: &mut Context) -> Parts {
            let y = &inputs["x"] * &self.weight;
            Parts::from([("sum", y.sum()), ("y", y)])
        }
    }
    let x = Tensor::ones([3, 1]);
    let data = Dataset::with_parts("scalar", [("x", x.clone())], [("sum", x.clone()), ("y", x)]).unwrap();
    let model = Scalar { weight: Tensor::ones([1]).requires_grad() };
    let losses = Losses::new().output("y", MeanSquaredError);
    let mut model = Trainer::new(model, Sgd::new(0.1), losses, AbsoluteError::new().of("sum"));
    says(model.fit(&data, Fit::epochs(1).quiet()), &["shape [] for 3 samples", "first axis"]);
}
