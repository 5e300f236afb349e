//! Steps on the gradients of several batches are those of one large batch.

use hadal::data::{Augment, Parts};
use hadal::loss::Reduction;
use hadal::nn::Regularizer;
use hadal::prelude::*;

use super::{contains, points, says};

/// The numbers of a model after 3 epochs, and the losses of its epochs and steps.
fn trained<M: Model>(mut trainer: Trainer<M>, data: &Dataset, fit: Fit) -> (Vec<f32>, Vec<f64>) {
    let mut losses = Vec::new();
    let see = |event: &Event| {
        if let Event::BatchEnd { loss, predictions, targets, .. } = event {
            let (predicted, own) = (predictions.iter().next().unwrap().1, targets.iter().next().unwrap().1);
            assert_eq!(predicted.size(0), own.size(0));
            losses.push(*loss);
        }
        Ok(Flow::Continue)
    };
    let history = trainer.fit(data, fit.quiet().on_event(see)).unwrap();
    losses.extend(history.get("loss").unwrap());
    (trainer.model.state_dict().iter().flat_map(|(_, tensor)| tensor.to_vec::<f32>()).collect(), losses)
}

/// Compares batches of 24 samples with batches of 6, four for a step; the last step of an epoch has 9 samples of 57.
fn compare<M: Model>(what: &str, data: &Dataset, make: impl Fn() -> Trainer<M>) {
    let fit = || Fit::epochs(3).clip_norm(0.5);
    let (large, losses) = trained(make(), data, fit().batch_size(24));
    let (small, own) = trained(make(), data, fit().batch_size(6).accumulate(4));
    assert_eq!(losses.len(), 3 * 3 + 3);
    for (a, b) in losses.iter().zip(&own) {
        assert!((a - b).abs() < 1e-5 * a.abs().max(1.0), "{what}: losses {losses:?} {own:?}");
    }
    for (a, b) in large.iter().zip(&small) {
        assert!((a - b).abs() < 2e-5, "{what}: {a} {b}");
    }
    let (others, _) = trained(make(), data, fit().batch_size(6));
    assert!(
        large.iter().zip(&others).any(|(a, b)| (a - b).abs() > 1e-3),
        "{what}: the size of a batch does not matter"
    );
}

#[test]
fn accumulated_gradients_are_those_of_a_large_batch() {
    let data = points(57, 3);
    let weighted = data.clone().sample_weights(&Vec::from_iter((0..57).map(|i| f64::from(i % 4)))).unwrap();
    let penalized =
        |units| Dense::new(units).weight_regularizer(Regularizer::l2(0.05)).activity_regularizer(Regularizer::l1(0.02));
    let losses: [fn() -> Box<dyn Loss>; 4] = [
        || Box::new(CategoricalCrossentropy),
        || Box::new(CategoricalCrossentropy.class_weights(&[0.2, 5.0, 1.0])),
        || Box::new(CategoricalCrossentropy.reduction(Reduction::Sum)),
        || Box::new(Focal),
    ];
    for loss in losses {
        for data in [&data, &weighted] {
            for with_penalties in [false, true] {
                let make = || {
                    let hidden = if with_penalties { penalized(8) } else { Dense::new(8) };
                    let model =
                        Sequential::new([2]).add(hidden.activation(Tanh)).add(Dense::new(3).activation(Softmax));
                    model.compile(Sgd::new(0.2).momentum(0.9), loss(), ()).unwrap()
                };
                compare(&format!("{} {with_penalties}", loss().describe()), data, make);
            }
        }
    }
}

#[derive(Module)]
struct TwoHeads {
    hidden: Linear,
    class: Linear,
    number: Linear,
}

impl Model for TwoHeads {
    fn forward_parts(&self, inputs: &Parts, ctx: &mut Context) -> Parts {
        let hidden = self.hidden.forward(inputs.iter().next().unwrap().1, ctx).tanh();
        Parts::from([("class", self.class.forward(&hidden, ctx)), ("number", self.number.forward(&hidden, ctx))])
    }
}

#[test]
fn losses_of_several_outputs_are_each_divided_by_their_own() {
    let all = points(57, 3);
    let numbers = all.inputs().sum_keepdim(&[1]);
    let targets = [("class", all.targets().clone()), ("number", numbers)];
    let data = Dataset::with_parts("two", [("x", all.inputs().clone())], targets).unwrap();
    compare("two heads", &data, || {
        let mut rng = Rng::new(1);
        let net = TwoHeads {
            hidden: Linear::new(2, 8, &mut rng),
            class: Linear::new(8, 3, &mut rng),
            number: Linear::new(8, 1, &mut rng),
        };
        let class = CategoricalCrossentropy.from_logits().class_weights(&[0.2, 5.0, 1.0]);
        let losses = Losses::new().output("class", class).weighted_output("number", MeanSquaredError, 0.3);
        Trainer::new(net, Sgd::new(0.2), losses, ())
    });
}

#[test]
fn mixup_mixes_the_samples_of_a_whole_step() {
    let data = points(57, 3).augment(Augment::new().mixup(0.4, 3)).unwrap();
    compare("mixup", &data, || {
        let model = Sequential::new([2]).add(Dense::new(8).activation(Tanh)).add(Dense::new(3).activation(Softmax));
        model.compile(Sgd::new(0.2), CategoricalCrossentropy.label_smoothing(0.1), ()).unwrap()
    });
}

#[test]
fn settings_that_cannot_work_are_refused_and_steps_counted() {
    let data = points(57, 3);
    let model = || {
        let model =
            Sequential::new([2]).add(Dense::new(4)).add(BatchNorm::new()).add(Dense::new(3).activation(Softmax));
        model.compile(Sgd::new(0.1), CategoricalCrossentropy, ()).unwrap()
    };
    says(model().fit(&data, Fit::epochs(1).accumulate(0).quiet()), &["accumulate", "at least 1"]);
    // 57 = 5 * 10 + 7 and 8 * 7 + 1.
    says(model().fit(&data, Fit::epochs(1).batch_size(8).accumulate(2).quiet()), &["batch size 8", "has 1"]);
    let mut trainer = model();
    trainer.fit(&data, Fit::epochs(2).batch_size(10).accumulate(4).quiet()).unwrap();
    assert_eq!(trainer.steps(), 4);
    trainer.fit(&data, Fit::epochs(1).batch_size(10).accumulate(usize::MAX).quiet()).unwrap();
    assert_eq!(trainer.steps(), 5);
}

/// A logarithm.
#[derive(Module)]
struct Log;

impl Forward for Log {
    fn forward(&self, x: &Tensor, _: &mut Context) -> Tensor {
        x.ln()
    }
}

impl Layer for Log {}

#[test]
fn numbers_that_are_not_finite_are_found_in_their_batch() {
    let x = Tensor::from_vec((0..40).map(|i| if i == 27 { 0.0 } else { 1.0 + i as f32 }).collect(), [40, 1]);
    let data = Dataset::new("logs", x, Tensor::ones([40, 1])).unwrap();
    let mut model =
        Sequential::new([1]).add(Log).add(Dense::new(1)).compile(Sgd::new(1e-3), MeanSquaredError, ()).unwrap();
    let fit = Fit::epochs(1).batch_size(5).accumulate(4).shuffle(false).quiet();
    let error = model.fit(&data, fit).unwrap_err().to_string();
    contains(
        &error,
        &[
            "the loss became inf in epoch 1, batch 2 (step 2)",
            "layer 1 (Log)",
            "row 2 of the batch (sample 27 of logs)",
        ],
    );
}
