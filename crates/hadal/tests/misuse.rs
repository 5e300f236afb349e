//! What the library says about mistakes in models, data and settings; nothing here may panic.

use hadal::classic::{Adaline, LinearSvm, Perceptron};
use hadal::data::synthetic;
use hadal::nn::{Feedback, Initializer, Merge, Regularizer};
use hadal::optim::second_order::{Lbfgs, LevenbergMarquardt, Newton};
use hadal::optim::{ParamGroup, ReduceLrOnPlateau};
use hadal::prelude::*;
use hadal::{Error, Result};

#[track_caller]
fn says<T>(result: Result<T>, parts: &[&str]) {
    let error: Error = match result {
        Ok(_) => panic!("this should be an error that says {parts:?}"),
        Err(error) => error,
    };
    let message = error.to_string();
    for part in parts {
        assert!(message.contains(part), "`{message}` does not say `{part}`");
    }
}

fn points(labels: &[i64]) -> Dataset {
    let n = labels.len();
    let x = Tensor::randn([n, 2], &mut Rng::new(1));
    Dataset::new("points", x, Tensor::from_slice(labels, [n])).unwrap()
}

fn fit(
    model: Sequential,
    optimizer: impl Optimizer + 'static,
    loss: impl Loss + 'static,
    data: &Dataset,
) -> Result<()> {
    model.compile(optimizer, loss, [Accuracy])?.fit(data, Fit::epochs(1).quiet()).map(|_| ())
}

fn softmax() -> Sequential {
    Sequential::new([2]).add(Dense::new(3).activation(Softmax))
}

#[test]
fn a_layer_that_does_not_fit_its_input_is_named_with_its_number_and_both_shapes() {
    let build = |model: Sequential| model.build();
    says(
        build(Sequential::new([784]).add(Reshape::new([28, 28])).add(Dense::new(3))),
        &["layer 2 (Dense)", "[features]", "[28, 28]", "Flatten"],
    );
    says(build(Sequential::new([784]).add(Reshape::new([28, 27]))), &["layer 1 (Reshape)", "[28, 27]", "[784]"]);
    says(
        build(Sequential::new([4]).add(Residual::new().add(Dense::new(5)))),
        &["layer 1 (Residual of 1)", "[4]", "[5]"],
    );
    says(
        build(Sequential::new([4]).add(Residual::new().add(Dense::new(4)).add(Dense::new(0)))),
        &["layer 1", "layer 2 (Dense)", "at least 1 unit"],
    );
    let parallel = Parallel::new(Merge::Sum).branch(Chain::new()).branch(Chain::new().add(Dense::new(3)));
    says(build(Sequential::new([4]).add(parallel)), &["branch 2", "[3]", "[4]"]);
    says(build(Sequential::new([4]).add(Parallel::new(Merge::Sum))), &["at least one branch"]);
    let along = |axis| {
        let wider = Chain::new().add(Conv2d::new(5, 1));
        build(
            Sequential::new([2, 4, 6])
                .add(Parallel::new(Merge::ConcatenateAlong(axis)).branch(Chain::new()).branch(wider)),
        )
    };
    says(along(0), &["[2, 4, 6]", "axis 0", "counted from 1 to 3"]);
    says(along(4), &["[2, 4, 6]", "axis 4", "counted from 1 to 3"]);
    says(along(2), &["branch 2", "[5, 4, 6]", "[2, 4, 6]", "all axes but axis 2"]);
    along(1).unwrap();
    let alone = Parallel::new(Merge::ConcatenateAlong(2)).branch(Chain::new());
    says(build(Sequential::new([4]).add(alone)), &["axis 2", "counted from 1 to 1"]);
    says(build(Sequential::new([10, 4]).add(Dense::new(3))), &["[10, 4]", "Flatten", "TimeDistributed around it"]);
    says(build(Sequential::new([2, 10, 4]).add(Dense::new(3))), &["[2, 10, 4]", "once for each axis but the last"]);
    says(build(Sequential::new([]).add(BatchNorm::new())), &["BatchNorm", "[features, ..]", "[]"]);
    says(build(Sequential::new([]).add(LayerNorm::new())), &["LayerNorm"]);
    says(build(Sequential::new([2]).add(Embedding::new(0, 3))), &["Embedding"]);
    says(
        build(
            Sequential::new([4])
                .add(Dense::new(3).feedback(Feedback::Direct))
                .add(Parallel::new(Merge::Concatenate).branch(Chain::new()).branch(Chain::new()))
                .add(Dense::new(2)),
        ),
        &["layer 1 (Dense)", "direct feedback", "3 units", "[6]"],
    );
}

#[test]
fn settings_of_layers_that_cannot_work_are_refused() {
    let build = |layer: Dense| Sequential::new([2]).add(layer).build();
    says(build(Dense::new(2).weight_regularizer(Regularizer::l2(-0.1))), &["layer 1", "l2 -0.1"]);
    says(build(Dense::new(2).activity_regularizer(Regularizer::l1(f64::NAN))), &["l1 NaN"]);
    says(build(Dense::new(2).max_norm(0.0)), &["max_norm 0"]);
    says(build(Dense::new(2).weight_initializer(Initializer::Constant(f64::INFINITY))), &["inf"]);
    says(Sequential::new([2]).add(BatchNorm::new().epsilon(0.0)).build(), &["epsilon 0"]);
    says(Sequential::new([2]).add(BatchNorm::new().momentum(1.5)).build(), &["momentum 1.5"]);
    says(Sequential::new([2]).add(hadal::nn::GaussianNoise::new(-1.0)).build(), &["std -1"]);
    let mut model = softmax().build().unwrap();
    says(model.freeze("layer.0"), &["layer.0", "layers.0.weight"]);
    says(model.unfreeze("x"), &["`x`"]);
}

#[test]
fn labels_and_probabilities_must_be_what_the_loss_takes() {
    says(
        fit(softmax(), Sgd::default(), CategoricalCrossentropy, &points(&[0, 3, 1])),
        &["points", "sample 1", "label 3", "0 to 2"],
    );
    says(fit(softmax(), Sgd::default(), CategoricalCrossentropy, &points(&[0, -1])), &["sample 1", "label -1"]);
    let log_softmax = Sequential::new([2]).add(Dense::new(3).activation(LogSoftmax));
    says(fit(log_softmax, Sgd::default(), NegativeLogLikelihood, &points(&[5])), &["label 5"]);
    let binary = || Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
    says(fit(binary(), Sgd::default(), BinaryCrossentropy, &points(&[0, 2])), &["sample 1", "label 2", "0 to 1"]);
    says(fit(binary(), Sgd::default(), Hinge, &points(&[0, 2])), &["label 2"]);
    let x = Tensor::ones([3, 2]);
    let outside = Tensor::from_slice(&[0.5f32, 1.5, 0.0], [3, 1]);
    let data = Dataset::new("soft", x.clone(), outside.clone()).unwrap();
    says(fit(binary(), Sgd::default(), BinaryCrossentropy, &data), &["soft", "target 1.5", "between 0 and 1"]);
    says(fit(binary(), Sgd::default(), KlDivergence, &data), &["target 1.5"]);
    says(fit(binary(), Sgd::default(), Hinge, &data), &["-1 and 1", "0.5"]);
    // A network whose outputs are no probabilities.
    let bare = Sequential::new([2]).add(Dense::new(3).bias_initializer(Initializer::Constant(7.0)));
    says(
        fit(bare, Sgd::default(), CategoricalCrossentropy, &points(&[0, 1])),
        &["prediction", "Softmax", "from_logits"],
    );
    let positive = Sequential::new([2]).add(Dense::new(3).bias_initializer(Initializer::Constant(7.0)));
    says(
        fit(positive, Sgd::default(), NegativeLogLikelihood, &points(&[0, 1])),
        &["log-probabilities", "LogSoftmax", "from_logits"],
    );
    // Another number of outputs, and another kind of target.
    says(fit(softmax(), Sgd::default(), BinaryCrossentropy, &points(&[0, 1])), &["[3]", "i64"]);
    says(fit(softmax(), Sgd::default(), MeanSquaredError, &points(&[0, 1])), &["[3]", "i64"]);
    let weighted = CategoricalCrossentropy.class_weights(&[1.0, 2.0]);
    says(fit(softmax(), Sgd::default(), weighted, &points(&[0, 2])), &["the model's 3 classes", "has 2"]);
    let weighted = CategoricalCrossentropy.class_weights(&[1.0, 2.0, 1.0, 1.0]);
    says(fit(softmax(), Sgd::default(), weighted, &points(&[0, 2])), &["the model's 3 classes", "has 4"]);
}

#[test]
fn numbers_that_are_none_are_found_in_data() {
    for bad in [f32::NAN, f32::INFINITY] {
        let x = Tensor::from_slice(&[1.0, 2.0, bad, 3.0], [2, 2]);
        says(Dataset::new("data", x.clone(), Tensor::arange(2)), &["input 1", &bad.to_string()]);
        let model = softmax().compile(Sgd::default(), CategoricalCrossentropy, [Accuracy]).unwrap();
        says(model.predict(&x), &["sample 1 holds", &bad.to_string()]);
        let y = Tensor::from_slice(&[1.0, bad], [2, 1]);
        says(Dataset::new("data", Tensor::ones([2, 2]), y), &["target 1", &bad.to_string()]);
        says(points(&[0, 1]).sample_weights(&[1.0, f64::from(bad)]), &["sample 1", "weight"]);
        model.evaluate(&points(&[0, 1])).unwrap();
    }
    says(Dataset::new("data", Tensor::zeros([0, 2]), Tensor::arange(0)), &["no inputs"]);
    says(points(&[0, 1]).sample_weights(&[1.0]), &["1 weights for 2 samples"]);
    let words = |index: i64| Dataset::new("words", Tensor::from_slice(&[0, index], [1, 2]), Tensor::arange(1)).unwrap();
    let model = || Sequential::new([2]).add(Embedding::new(5, 2)).add(Flatten).add(Dense::new(1).activation(Sigmoid));
    says(fit(model(), Sgd::default(), BinaryCrossentropy, &words(5)), &["words", "index 5", "0 to 4"]);
    says(fit(model(), Sgd::default(), BinaryCrossentropy, &words(-1)), &["index -1"]);
    says(fit(model(), Sgd::default(), BinaryCrossentropy, &points(&[0])), &["i64 indices", "f32"]);
    says(fit(softmax(), Sgd::default(), CategoricalCrossentropy, &words(1)), &["floating-point", "i64"]);
}

#[test]
fn rates_and_other_settings_of_optimizers_are_checked_before_the_first_step() {
    let data = points(&[0, 1]);
    let refused = |optimizer: Box<dyn Optimizer>, parts: &[&str]| {
        says(fit(softmax(), optimizer, CategoricalCrossentropy, &data), parts);
    };
    for learning_rate in [0.0, -0.1, f64::NAN, f64::INFINITY] {
        let all: [Box<dyn Optimizer>; 9] = [
            Box::new(Sgd::new(learning_rate)),
            Box::new(Adagrad::new(learning_rate)),
            Box::new(Adadelta::new(learning_rate)),
            Box::new(RmsProp::new(learning_rate)),
            Box::new(Adam::new(learning_rate)),
            Box::new(AdamW::new(learning_rate)),
            Box::new(Nadam::new(learning_rate)),
            Box::new(Lion::new(learning_rate)),
            Box::new(Muon::new(learning_rate)),
        ];
        for optimizer in all {
            refused(optimizer, &["learning rate", &learning_rate.to_string()]);
        }
    }
    refused(Box::new(Sgd::new(0.1).momentum(1.0)), &["momentum 1"]);
    refused(Box::new(Sgd::new(0.1).nesterov(true)), &["Nesterov", "momentum"]);
    refused(Box::new(Adam::new(0.1).betas(0.9, 1.5)), &["beta2 1.5"]);
    refused(Box::new(Adam::new(0.1).epsilon(0.0)), &["epsilon 0"]);
    refused(Box::new(RmsProp::new(0.1).rho(-0.1)), &["rho -0.1"]);
    refused(Box::new(Sgd::new(0.1).weight_decay(-1.0)), &["weight decay -1"]);
    refused(
        Box::new(Sgd::new(0.1).param_group(ParamGroup::prefix("layers").learning_rate_scale(-1.0))),
        &["layers", "learning_rate_scale -1"],
    );
    let run = |fit: Fit| {
        softmax().compile(Sgd::default(), CategoricalCrossentropy, [Accuracy]).unwrap().fit(&data, fit.quiet())
    };
    says(run(Fit::epochs(1).clip_norm(0.0)), &["clip_norm 0"]);
    says(run(Fit::epochs(1).clip_norm(1e-60)), &["clip_norm 1e-60", "too small for f32"]);
    says(run(Fit::epochs(1).clip_value(1e60)), &["clip_value 1e60", "too large for f32"]);
    says(run(Fit::epochs(1).clip_value(-1.0)), &["clip_value -1"]);
    says(run(Fit::epochs(1).schedule(Schedule::Step { step_size: 0, gamma: 0.1 })), &["step_size", "at least 1"]);
    says(run(Fit::epochs(1).schedule(Schedule::Exponential { gamma: -1.0 })), &["gamma -1"]);
    let warm = Schedule::WarmUp {
        warmup_steps: 2,
        then: Box::new(Schedule::OneCycle { div_factor: 25.0, final_div_factor: 1e4, pct_start: 2.0 }),
    };
    says(run(Fit::epochs(1).schedule(warm)), &["pct_start 2"]);
    says(run(Fit::epochs(1).reduce_lr_on_plateau(ReduceLrOnPlateau::new("val_loss"))), &["val_loss", "loss, accuracy"]);
    says(run(Fit::epochs(1).reduce_lr_on_plateau(ReduceLrOnPlateau::new("loss").factor(2.0))), &["factor", "below 1"]);
    let mut model = softmax().compile(Sgd::default(), CategoricalCrossentropy, [Accuracy]).unwrap();
    says(model.learning_rate_range_test(&data, 1.0, 0.1, 10, 2), &["learning rates that grow", "1 to 0.1"]);
    says(model.learning_rate_range_test(&data, 0.0, 0.1, 10, 2), &["min_lr 0"]);
}

#[test]
fn an_optimizer_notices_parameters_that_it_did_not_begin_with() {
    let data = points(&[0, 1]);
    let mut trainer = softmax().compile(Adam::default(), CategoricalCrossentropy, [Accuracy]).unwrap();
    trainer.fit(&data, Fit::epochs(1).quiet()).unwrap();
    trainer.model = Sequential::new([2]).add(Dense::new(4).activation(Softmax)).build().unwrap();
    says(trainer.fit(&data, Fit::epochs(1).quiet()), &["layers.0.weight", "[3, 2]", "[4, 2]", "reset"]);
    trainer.model = Sequential::new([2]).add(Flatten).add(Dense::new(3).activation(Softmax)).build().unwrap();
    says(trainer.fit(&data, Fit::epochs(1).quiet()), &["layers.0.", "does not have"]);

    // In a loop of one's own it is a programming mistake, and panics.
    let mut optimizer = Sgd::new(0.1).momentum(0.9);
    let mut w = Tensor::ones([2]).requires_grad();
    let gradients = w.sum().backward();
    optimizer.step(&mut w, &gradients);
    let mut other = Tensor::ones([3]).requires_grad();
    let gradients = other.sum().backward();
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| optimizer.step(&mut other, &gradients)));
    let message = *panic.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains("[2]") && message.contains("[3]"), "{message}");
    optimizer = Sgd::new(-0.1).momentum(0.9);
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| optimizer.step(&mut other, &gradients)));
    assert!(panic.unwrap_err().downcast::<String>().unwrap().contains("-0.1"));
}

#[test]
fn metrics_that_would_mean_nothing_are_refused() {
    let data = points(&[0, 1, 2]);
    let run = |model: Sequential, metric: Box<dyn Metric>, data: &Dataset| {
        let binary = data.name() != "points" || data.targets().max().item() < 2.0;
        let loss: Box<dyn Loss> = if binary { Box::new(BinaryCrossentropy) } else { Box::new(CategoricalCrossentropy) };
        model.compile(Sgd::default(), loss, [metric]).unwrap().fit(data, Fit::epochs(1).quiet())
    };
    says(run(softmax(), TopKAccuracy::new(4).boxed(), &data), &["k is 4", "3 classes"]);
    says(run(softmax(), RocAuc::new().boxed(), &data), &["two classes", "[3]"]);
    let binary = || Sequential::new([2]).add(Dense::new(1).activation(Sigmoid));
    says(run(binary(), RocAuc::new().boxed(), &points(&[1, 1])), &["all samples are of one"]);
    let constant = Dataset::new("flat", Tensor::ones([3, 2]), Tensor::zeros([3, 1])).unwrap();
    says(run(binary(), R2Score::new().boxed(), &constant), &["all targets are equal"]);
    assert!(RocAuc::new().compute().is_nan() && R2Score::new().compute().is_nan());
}

#[test]
fn lines_need_two_classes_and_numbers_that_fit() {
    let one = points(&[1, 1, 1]);
    says(Perceptron::new().fit(&one), &["points", "all samples are of class 1"]);
    says(Adaline::new(0.1).fit(&one), &["all samples are of class 1"]);
    says(LinearSvm::new().fit(&one), &["all samples are of class 1"]);
    says(Perceptron::new().fit(&points(&[0, 2])), &["sample 1", "label 2"]);
    let data = points(&[0, 1]);
    says(Perceptron::new().learning_rate(0.0).fit(&data), &["learning rate 0"]);
    says(Perceptron::new().epochs(0).fit(&data), &["epochs"]);
    says(Adaline::new(-1.0).fit(&data), &["learning rate -1"]);
    says(Adaline::new(1e9).epochs(1000).fit(&data), &["loss became", "epoch"]);
    says(LinearSvm::new().penalty(f64::NAN).fit(&data), &["penalty NaN"]);
    let images = Dataset::new("images", Tensor::zeros([2, 3, 3]), Tensor::arange(2)).unwrap();
    says(Perceptron::new().fit(&images), &["images", "[3, 3]"]);
    let fitted = Perceptron::new().fit(&data).unwrap();
    says(fitted.classifier.predict(&Tensor::zeros([2, 5])), &["[N, 2]", "[2, 5]"]);
}

#[test]
fn generators_refuse_what_they_cannot_draw() {
    says(synthetic::cats_and_dogs(1, 0.0, 0), &["at least 2 samples"]);
    says(synthetic::cats_and_dogs(10, 1.5, 0), &["overlap 1.5"]);
    says(synthetic::xor(10, -1.0, 0), &["noise -1"]);
    says(synthetic::moons(10, f64::NAN, 0), &["noise NaN"]);
    says(synthetic::spirals(10, 1, 0.0, 0), &["at least 2"]);
    says(synthetic::blobs(0, 3, 0.1, 0), &["at least 3"]);
    says(synthetic::regression(synthetic::Curve::Sinc, 0, 0.1, 0), &["at least 2"]);
}

#[test]
fn methods_of_second_order_say_what_they_need() {
    let start = [Tensor::ones([2]).to_dtype(DType::F64)];
    let infinite = |p: &[Tensor]| (p[0].sum() - 2.0).ln();
    says(Newton::default().minimize(infinite, &start), &["-inf", "another starting point"]);
    says(Lbfgs::default().minimize(|p| &p[0] * 2.0, &start), &["must be a scalar", "[2]"]);
    says(Lbfgs::default().minimize(|_| Tensor::scalar(1.0), &start), &["depends on the parameters"]);
    says(Newton::default().minimize(|p| p[0].sum(), &[]), &["no parameters"]);
    says(Newton::default().minimize(|p| p[0].sum(), &[Tensor::arange(2)]), &["floating-point"]);
    says(LevenbergMarquardt::default().fit(|p| p[0].narrow(0, 0, 1), &start), &["1 residuals", "2 parameters"]);
    says(LevenbergMarquardt::default().fit(|_| Tensor::ones([3]), &start), &["do not depend"]);
}
