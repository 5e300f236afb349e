//! Losses at infinite logits, saturated outputs and weights of 0, and losses of datasets however they are cut into batches.

use hadal::loss::{LogCosh, Reduction, Weights};
use hadal::nn::Regularizer;
use hadal::optim::second_order::hessian;
use hadal::prelude::*;

use super::{floats, labels, panics, points};

const INF: f32 = f32::INFINITY;

/// The loss, and the gradient in the prediction.
fn both(loss: &dyn Loss, prediction: Tensor, target: &Tensor) -> (f64, Vec<f32>) {
    let prediction = prediction.requires_grad();
    let value = loss.loss(&prediction, target);
    (value.item(), value.backward()[&prediction].to_vec())
}

#[test]
fn infinite_logits_cost_what_they_should_and_have_finite_gradients() {
    let bce = BinaryCrossentropy.from_logits();
    for (logit, target, loss, gradient) in [
        (-INF, 0.0, 0.0, 0.0),
        (INF, 1.0, 0.0, 0.0),
        (-INF, 1.0, f64::INFINITY, -1.0),
        (INF, 0.0, f64::INFINITY, 1.0),
        (INF, 0.5, f64::INFINITY, 0.5),
        (-1e30, 0.0, 0.0, 0.0),
    ] {
        let found = both(&bce, floats([logit], [1, 1]), &floats([target], [1, 1]));
        assert_eq!(found, (loss, vec![gradient]), "logit {logit}, target {target}");
    }
    let ce = CategoricalCrossentropy.from_logits();
    let logits = || floats([0.0, 0.0, -INF], [1, 3]);
    for loss in [&ce as &dyn Loss, &ce.complement()] {
        for target in [labels([0]), floats([1.0, 0.0, 0.0], [1, 3]), floats([0.25, 0.75, 0.0], [1, 3])] {
            let (value, gradient) = both(loss, logits(), &target);
            assert!(value.is_finite() && gradient.iter().all(|g| g.is_finite()), "{value} {gradient:?}");
            assert_eq!(gradient[2], 0.0);
        }
    }
    assert!((both(&ce, logits(), &floats([0.5, 0.5, 0.0], [1, 3])).0 - 2f64.ln()).abs() < 1e-6);
    // A class that cannot be but is, or of which smoothing makes a little.
    assert_eq!(both(&ce, logits(), &labels([2])).0, f64::INFINITY);
    let (value, gradient) = both(&ce.label_smoothing(0.3), logits(), &labels([0]));
    assert!(value == f64::INFINITY && gradient.iter().all(|g| g.is_finite()), "{gradient:?}");
}

#[test]
fn predictions_that_are_all_zero_cost_a_finite_amount() {
    for loss in [&CategoricalCrossentropy as &dyn Loss, &CategoricalCrossentropy.complement(), &KlDivergence] {
        for scale in [0.0f32, 1e-38, 1e-20] {
            let prediction = floats([0.0, scale, 0.0, 0.0], [2, 2]);
            let target = floats([1.0, 0.0, 0.5, 0.5], [2, 2]);
            let (value, gradient) = both(loss, prediction, &target);
            let name = loss.name();
            assert!(value.is_finite() && value > 5.0, "{name} {scale}: {value}");
            assert!(gradient.iter().all(|g| g.is_finite()), "{name} {scale}: {gradient:?}");
        }
    }
    let value = CategoricalCrossentropy.loss(&floats([0.0, 0.0], [1, 2]), &labels([1])).item();
    assert!((value - 16.118).abs() < 1e-3, "{value}");
}

#[test]
fn a_saturated_output_still_learns() {
    let close = |found: Vec<f32>, expected: &[f64]| {
        for (a, b) in found.iter().zip(expected) {
            assert!((f64::from(*a) - b).abs() < 1e-6, "{found:?} instead of {expected:?}");
        }
    };
    let gradient = |loss: &dyn Loss, z: Tensor, squash: fn(&Tensor) -> Tensor, t: &Tensor| -> Vec<f32> {
        let z = z.requires_grad();
        loss.loss(&squash(&z), t).backward()[&z].to_vec()
    };
    let sigmoid = |z: &Tensor| z.sigmoid();
    let t = floats([1.0, 0.0, 1.0, 0.0], [2, 2]);
    close(
        gradient(&BinaryCrossentropy, floats([-200.0, 200.0, 0.0, 0.0], [2, 2]), sigmoid, &t),
        &[-0.25, 0.25, -0.125, 0.125],
    );
    close(gradient(&BinaryCrossentropy.label_smoothing(0.2), floats([-200.0], [1, 1]), sigmoid, &labels([1])), &[-0.9]);
    let softmax = |z: &Tensor| z.softmax(-1);
    let z = || floats([0.0, 300.0, 0.0, 0.0], [2, 2]);
    close(gradient(&CategoricalCrossentropy, z(), softmax, &labels([0, 0])), &[-0.5, 0.5, -0.25, 0.25]);
    let soft = floats([1.0, 0.0, 0.5, 1.0], [2, 2]);
    close(gradient(&CategoricalCrossentropy, z(), softmax, &soft), &[-0.5, 0.5, 0.125, -0.125]);
    let weighted = CategoricalCrossentropy.label_smoothing(0.2).class_weights(&[2.0, 1.0]);
    // The spread target times the weights is [1.8, 0.1]; the divisor is 2 + 2.
    close(
        gradient(&weighted, floats([0.0, 300.0, 0.0, 300.0], [2, 2]), softmax, &labels([0, 0])),
        &[-0.45, 0.45, -0.45, 0.45],
    );
    // Where nothing is saturated it is the gradient that it was: against PyTorch's on logits.
    let x = Tensor::randn([5, 3], &mut Rng::new(1));
    let y = labels([0, 1, 2, 1, 0]);
    let direct = gradient(&CategoricalCrossentropy, x.clone(), softmax, &y);
    let logits = gradient(&CategoricalCrossentropy.from_logits(), x, |z| z.clone(), &y);
    for (a, b) in direct.iter().zip(&logits) {
        assert!((a - b).abs() < 1e-6);
    }
    // A network that begins sure of the wrong class gets out of it.
    let data = Dataset::new("ones", Tensor::ones([8, 1]), Tensor::ones([8]).to_dtype(DType::I64)).unwrap();
    let start = hadal::nn::Initializer::Constant(-200.0);
    let mut model = Sequential::new([1])
        .add(Dense::new(1).bias_initializer(start).activation(Sigmoid))
        .compile(Sgd::new(10.0), BinaryCrossentropy, [Accuracy])
        .unwrap();
    model.fit(&data, Fit::epochs(60).quiet()).unwrap();
    assert_eq!(model.evaluate(&data).unwrap().get("accuracy"), Some(1.0));
}

#[test]
fn gradients_that_go_to_the_logits_can_be_differentiated_again() {
    let at = [Tensor::randn([4, 3], &mut Rng::new(1)).to_dtype(DType::F64)];
    let y = labels([0, 1, 2, 1]);
    let bits = y.one_hot(3).to_dtype(DType::F64);
    type Of = Box<dyn Fn(&[Tensor]) -> Tensor>;
    let (y2, b2) = (y.clone(), bits.clone());
    let pairs: [(Of, Of); 2] = [
        (
            Box::new(move |p| CategoricalCrossentropy.loss(&p[0].softmax(1), &y)),
            Box::new(move |p| CategoricalCrossentropy.from_logits().loss(&p[0], &y2)),
        ),
        (
            Box::new(move |p| BinaryCrossentropy.loss(&p[0].sigmoid(), &bits)),
            Box::new(move |p| BinaryCrossentropy.from_logits().loss(&p[0], &b2)),
        ),
    ];
    for (through, logits) in pairs {
        let (found, expected) = (hessian(through, &at), hessian(logits, &at));
        assert!((found - expected).abs().max().item() < 1e-12);
    }
}

#[test]
fn a_batch_that_weighs_nothing_costs_nothing() {
    let loss = CategoricalCrossentropy.from_logits().class_weights(&[0.0, 1.0, 1.0]);
    assert_eq!(both(&loss, floats([1.0, 2.0, 3.0], [1, 3]), &labels([0])), (0.0, vec![0.0; 3]));
    assert_eq!(both(&MeanSquaredError, Tensor::zeros([0, 2]), &Tensor::zeros([0, 2])), (0.0, vec![]));
    // Neither does an infinite loss of weight 0.
    let infinite = floats([0.0, -INF], [1, 2]);
    let loss = CategoricalCrossentropy.from_logits().class_weights(&[1.0, 0.0]);
    assert_eq!(both(&loss, infinite.clone(), &labels([1])).0, 0.0);
    let weights = floats([0.0], [1]);
    assert_eq!(CategoricalCrossentropy.from_logits().weighted(&infinite, &labels([1]), &weights).item(), 0.0);
    let data = points(9, 3);
    let mut model = Sequential::new([2])
        .add(Dense::new(3).activation(Softmax))
        .compile(Sgd::new(0.1), CategoricalCrossentropy.class_weights(&[0.0, 0.0, 1.0]), [Accuracy])
        .unwrap();
    assert!(
        model
            .fit(&data, Fit::epochs(2).batch_size(1).quiet())
            .unwrap()
            .get("loss")
            .unwrap()
            .iter()
            .all(|l| l.is_finite())
    );
}

#[test]
fn weights_and_reductions_commute() {
    let (z, y) = (Tensor::randn([5, 3], &mut Rng::new(2)), labels([0, 1, 2, 1, 0]));
    let (c, s) = ([0.5, 2.0, 1.0], floats([1.0, 0.0, 3.0, 0.5, 2.0], [5]));
    let loss = CategoricalCrossentropy.from_logits().label_smoothing(0.1);
    let sum = loss.reduction(Reduction::Sum);
    for (a, b) in [
        (sum.class_weights(&c).loss(&z, &y), loss.class_weights(&c).reduction(Reduction::Sum).loss(&z, &y)),
        (
            sum.class_weights(&c).weighted(&z, &y, &s),
            loss.class_weights(&c).reduction(Reduction::Sum).weighted(&z, &y, &s),
        ),
        (sum.reduction(Reduction::Mean).class_weights(&c).loss(&z, &y), loss.class_weights(&c).loss(&z, &y)),
        (loss.class_weights(&[1.0; 3]).class_weights(&c).loss(&z, &y), loss.class_weights(&c).loss(&z, &y)),
    ] {
        assert_eq!(a.item(), b.item());
    }
    // sum of c s l / sum of c.
    let plain = CategoricalCrossentropy.from_logits();
    let l = plain.per_sample(&z, &y).to_vec::<f32>();
    let (mut above, mut below) = (0.0, 0.0);
    for ((l, y), s) in l.iter().zip([0, 1, 2, 1, 0]).zip(s.to_vec::<f32>()) {
        above += c[y] * f64::from(s * l);
        below += c[y];
    }
    let found = plain.class_weights(&c).weighted(&z, &y, &s).item();
    assert!((found - above / below).abs() < 1e-6, "{found} {}", above / below);
    let own = plain.class_weights(&c).per_sample(&z, &y).sum().item();
    assert!((own - plain.class_weights(&c).parts(&z, &y, Weights::default()).sum.item()).abs() < 1e-6);
}

#[test]
fn the_loss_of_a_data_set_does_not_depend_on_its_batches() {
    let n = 23;
    let x = Tensor::randn([n, 2], &mut Rng::new(1));
    let two = Tensor::from_vec((0..n as i64).map(|i| i * i % 2).collect(), [n]);
    let three = Tensor::from_vec((0..n as i64).map(|i| i * i % 3).collect(), [n]);
    let numbers = Tensor::randn([n, 3], &mut Rng::new(2));
    let soft = numbers.softmax(1);
    let signs = two.to_dtype(DType::F32).unsqueeze(1) * 2.0 - 1.0;
    let samples: Vec<f64> = (0..n).map(|i| (i % 4) as f64).collect();
    type Case<'a> = (fn() -> Box<dyn Loss>, usize, hadal::nn::Activation, &'a Tensor);
    let cases: [Case; 16] = [
        (|| Box::new(CategoricalCrossentropy), 3, Softmax, &three),
        (|| Box::new(CategoricalCrossentropy.label_smoothing(0.1)), 3, Softmax, &three),
        (|| Box::new(CategoricalCrossentropy.complement()), 3, Softmax, &soft),
        (|| Box::new(CategoricalCrossentropy.from_logits()), 3, Identity, &three),
        (|| Box::new(NegativeLogLikelihood), 3, LogSoftmax, &three),
        (|| Box::new(KlDivergence), 3, Softmax, &soft),
        (|| Box::new(BinaryCrossentropy), 1, Sigmoid, &two),
        (|| Box::new(BinaryCrossentropy.from_logits().label_smoothing(0.1)), 1, Identity, &two),
        (|| Box::new(Focal.label_smoothing(0.1)), 3, Softmax, &three),
        (|| Box::new(BinaryFocal), 1, Sigmoid, &two),
        (|| Box::new(Dice), 3, Sigmoid, &soft),
        (|| Box::new(Hinge), 1, Identity, &signs),
        (|| Box::new(MeanSquaredError), 3, Identity, &numbers),
        (|| Box::new(MeanAbsoluteError), 3, Identity, &numbers),
        (|| Box::new(Huber::new(0.5)), 3, Identity, &numbers),
        (|| Box::new(LogCosh), 3, Identity, &numbers),
    ];
    for (make, units, activation, targets) in cases {
        for reduction in [Reduction::Mean, Reduction::Sum] {
            for (class_weighted, sample_weighted) in [(false, false), (true, false), (false, true), (true, true)] {
                if class_weighted && targets.dtype() != DType::I64 {
                    continue;
                }
                let mut data = Dataset::new("data", x.clone(), targets.clone()).unwrap();
                if sample_weighted {
                    data = data.sample_weights(&samples).unwrap();
                }
                let class_weights = &[0.5, 3.0, 1.0][..units.max(2)];
                let values = [1, 3, 7, n].map(|batch| {
                    let loss = make().reduction(reduction);
                    let loss: Box<dyn Loss> =
                        if class_weighted { Box::new(loss.class_weights(class_weights)) } else { Box::new(loss) };
                    let dense = Dense::new(units).activation(activation).weight_regularizer(Regularizer::l2(0.01));
                    let mut model =
                        Sequential::new([2]).add(dense).compile(Sgd::new(1e-3), loss, Vec::<Accuracy>::new()).unwrap();
                    let fit = Fit::epochs(1).full_batch().validation_data(&data).validation_batch_size(batch).quiet();
                    model.fit(&data, fit).unwrap().get("val_loss").unwrap()[0]
                });
                for value in values {
                    assert!(
                        (value - values[3]).abs() <= 1e-6 * values[3].abs().max(1.0),
                        "{} {reduction:?}, weights of classes {class_weighted}, of samples {sample_weighted}: {values:?}",
                        make().name()
                    );
                }
            }
        }
    }
}

#[test]
fn settings_that_are_nothing_in_f32_are_refused() {
    for weight in [-1.0, f64::NAN, f64::INFINITY, 1e300] {
        panics(|| MeanSquaredError.class_weights(&[weight, 1.0]), &["class_weights"]);
    }
    panics(|| MeanSquaredError.class_weights(&[0.0, 1e-300]), &["at least one must be positive"]);
    panics(|| Huber::new(1e300), &["delta", "f32"]);
    panics(|| Huber::new(1e-300), &["delta", "f32"]);
}

#[test]
fn targets_of_f64_are_taken_by_a_model_of_f32() {
    let t = floats([0.25, 0.75], [1, 2]).to_dtype(DType::F64);
    for loss in [&MeanSquaredError as &dyn Loss, &MeanAbsoluteError, &Huber::default(), &KlDivergence] {
        assert!(loss.loss(&floats([0.5, 0.5], [1, 2]), &t).item().is_finite());
    }
}
