//! Focal, Dice, triplet, contrastive and CTC losses at their edges: infinite logits, saturated outputs, empty sequences, bad input.

use hadal::autograd::{BackwardOptions, check_gradients};
use hadal::optim::second_order::hessian;
use hadal::prelude::*;

use super::{floats, labels, panics, says};

const INF: f32 = f32::INFINITY;

/// The loss, and the gradient in the prediction.
fn both(loss: &dyn Loss, prediction: Tensor, target: &Tensor) -> (f64, Vec<f32>) {
    let prediction = prediction.requires_grad();
    let value = loss.loss(&prediction, target);
    (value.item(), value.backward()[&prediction].to_vec())
}

fn normal(shape: impl Into<Shape>, seed: u64) -> Tensor {
    Tensor::randn(shape, &mut Rng::new(seed)).to_dtype(DType::F64)
}

#[test]
fn focal_losses_of_infinite_logits_have_finite_gradients() {
    for gamma in [0.0, 0.5, 1.0, 2.0] {
        let focal = Focal.gamma(gamma).from_logits();
        for target in [labels([0]), floats([0.25, 0.75, 0.0], [1, 3])] {
            let (value, gradient) = both(&focal, floats([0.0, 0.0, -INF], [1, 3]), &target);
            assert!(value.is_finite() && gradient.iter().all(|g| g.is_finite()), "{gamma}: {value} {gradient:?}");
            assert_eq!(gradient[2], 0.0);
        }
        assert_eq!(both(&focal, floats([0.0, 0.0, -INF], [1, 3]), &labels([2])).0, f64::INFINITY);
        let binary = BinaryFocal.gamma(gamma).alpha(None).from_logits();
        for (logit, target, loss, gradient) in [
            (-INF, 0.0, 0.0, 0.0),
            (INF, 1.0, 0.0, 0.0),
            (-INF, 1.0, f64::INFINITY, -1.0),
            (INF, 0.0, f64::INFINITY, 1.0),
        ] {
            let found = both(&binary, floats([logit], [1, 1]), &floats([target], [1, 1]));
            assert!((found.0 - loss).abs() < 1e-15 || found.0 == loss, "{gamma} {logit} {target}: {found:?}");
            assert!((found.1[0] - gradient).abs() < 1e-6, "{gamma} {logit} {target}: {found:?}");
        }
    }
}

#[test]
fn a_saturated_output_still_learns_from_focal_loss() {
    let z = floats([0.0, 300.0], [1, 2]).requires_grad();
    let gradient = Focal.loss(&z.softmax(1), &labels([0])).backward()[&z].to_vec::<f32>();
    assert_eq!(gradient, [-1.0, 1.0]);
    let z = floats([-200.0], [1, 1]).requires_grad();
    let gradient = BinaryFocal.alpha(None).loss(&z.sigmoid(), &labels([1])).backward()[&z].to_vec::<f32>();
    assert_eq!(gradient, [-1.0]);
}

#[test]
fn focal_loss_without_its_factor_is_cross_entropy() {
    let (z, y) = (normal([5, 3], 1), labels([0, 2, 1, 1, 0]));
    let close = |a: &dyn Loss, b: &dyn Loss, z: &Tensor, y: &Tensor| {
        assert!((a.loss(z, y) - b.loss(z, y)).abs().item() < 1e-12, "{}", a.describe());
    };
    close(&Focal.gamma(0.0).from_logits(), &CategoricalCrossentropy.from_logits(), &z, &y);
    close(
        &Focal.gamma(0.0).label_smoothing(0.1).class_weights(&[1.0, 2.0, 3.0]),
        &CategoricalCrossentropy.label_smoothing(0.1).class_weights(&[1.0, 2.0, 3.0]),
        &z.softmax(1),
        &y,
    );
    close(&Focal.gamma(0.0), &CategoricalCrossentropy, &z.softmax(1), &y.one_hot(3).to_dtype(DType::F64));
    let bits = y.one_hot(3).to_dtype(DType::F64);
    close(&BinaryFocal.gamma(0.0).alpha(None).from_logits(), &BinaryCrossentropy.from_logits(), &z, &bits);
}

#[test]
fn gradients_can_be_differentiated_again() {
    let at = [normal([4, 3], 1)];
    let y = labels([0, 1, 2, 1]);
    let bits = y.one_hot(3).to_dtype(DType::F64);
    type Of<'a> = &'a dyn Fn(&Tensor) -> Tensor;
    let plain: Of = &|z| {
        let p = z.softmax(1) * 1.0;
        Focal.gamma(1.5).loss(&p, &y)
    };
    let binary: Of = &|z| {
        let p = z.sigmoid() * 1.0;
        BinaryFocal.gamma(1.5).loss(&p, &bits)
    };
    let direct: [(Of, Of); 4] = [
        (plain, &|z| Focal.gamma(1.5).loss(&z.softmax(1), &y)),
        (plain, &|z| Focal.gamma(1.5).from_logits().loss(z, &y)),
        (binary, &|z| BinaryFocal.gamma(1.5).loss(&z.sigmoid(), &bits)),
        (binary, &|z| BinaryFocal.gamma(1.5).from_logits().loss(z, &bits)),
    ];
    for (plain, direct) in direct {
        let (expected, found) = (hessian(|z| plain(&z[0]), &at), hessian(|z| direct(&z[0]), &at));
        assert!((found - expected).abs().max().item() < 1e-9);
    }
    // What cannot be is refused.
    let z = normal([1, 3, 3], 2).requires_grad();
    let loss = Ctc::default().from_logits().loss(&z, &Tensor::from([[1]]));
    let gradients = loss.backward_with(BackwardOptions { create_graph: true, ..Default::default() });
    panics(|| gradients[&z].sum().backward(), &["ctc", "differentiated again"]);
}

#[test]
fn gradients_are_those_of_the_losses() {
    let (x, y) = ([normal([6, 3], 3)], labels([0, 1, 0, 1, 0, 2]));
    let mask = Tensor::bernoulli([6, 3], 0.5, &mut Rng::new(4)).to_dtype(DType::F64);
    let check = |name: &str, f: &dyn Fn(&Tensor) -> Tensor, x: &[Tensor]| {
        let error = check_gradients(|x| f(&x[0]), x);
        assert!(error < 1e-6, "{name}: {error}");
    };
    for gamma in [0.5, 2.0] {
        check("focal", &|z| Focal.gamma(gamma).from_logits().loss(z, &y), &x);
        check("binary focal", &|z| BinaryFocal.gamma(gamma).from_logits().loss(z, &mask), &x);
    }
    check("dice", &|z| Dice.from_logits().loss(z, &mask), &x);
    check("triplet", &|x| Triplet::default().margin(2.0).loss(x, &y), &x);
    check("contrastive", &|x| Contrastive::default().margin(2.0).loss(x, &y), &x);
    check("nt_xent", &|x| NtXent::default().loss(x, &y), &x);
    let targets = Tensor::from([[1, 2, 2], [3, 0, 0], [0, 0, 0]]);
    check("ctc", &|z| Ctc::default().from_logits().loss(z, &targets), &[normal([3, 5, 4], 5)]);
}

#[test]
fn samples_without_partners_cost_nothing() {
    let alone = floats([1.0, 2.0], [1, 2]);
    for loss in [&Triplet::default() as &dyn Loss, &Contrastive::default(), &NtXent::default()] {
        assert_eq!(both(loss, alone.clone(), &labels([3])), (0.0, vec![0.0; 2]), "{}", loss.name());
        assert_eq!(both(loss, Tensor::zeros([0, 2]), &labels([])), (0.0, vec![]), "{}", loss.name());
        // Equal embeddings have a distance whose gradient is finite, and embeddings of 0 a direction.
        let (value, gradient) = both(loss, Tensor::zeros([3, 2]), &labels([0, 0, 1]));
        assert!(value.is_finite() && gradient.iter().all(|g| g.is_finite()), "{}: {value} {gradient:?}", loss.name());
    }
    let x = || floats([0.0, 1.0, 5.0], [3, 1]);
    assert_eq!(Triplet::default().per_sample(&x(), &labels([0, 0, 0])).to_vec::<f32>(), [0.0; 3]);
    assert_eq!(Triplet::default().per_sample(&x(), &labels([0, 1, 2])).to_vec::<f32>(), [0.0; 3]);
    assert_eq!(NtXent::default().per_sample(&x(), &labels([0, 1, 2])).to_vec::<f32>(), [0.0; 3]);
}

#[test]
fn sequences_that_cannot_be_are_infinite_or_nothing() {
    let log_p = || Tensor::zeros([1, 3, 3]).log_softmax(2);
    let ctc = Ctc::default();
    // Of three steps, two equal labels take all; three labels with a pair of equal ones take four.
    assert!((both(&ctc, log_p(), &Tensor::from([[1, 1]])).0 - 27f64.ln()).abs() < 1e-5);
    assert_eq!(both(&ctc, log_p(), &Tensor::from([[1, 1, 2]])), (f64::INFINITY, vec![0.0; 9]));
    assert_eq!(both(&ctc.zero_infinity(true), log_p(), &Tensor::from([[1, 1, 2]])), (0.0, vec![0.0; 9]));
    // No labels: blanks alone. No steps: no labels.
    assert!((both(&ctc, log_p(), &Tensor::from([[0, 0]])).0 - 27f64.ln()).abs() < 1e-5);
    assert!((both(&ctc, log_p(), &Tensor::zeros([1, 0]).to_dtype(DType::I64)).0 - 27f64.ln()).abs() < 1e-5);
    let losses = ctc.sequences(&log_p().expand([2, 3, 3]), &Tensor::from([[1], [1]]), &[0, 0], &[0, 1]);
    assert_eq!(losses.to_vec::<f32>(), [0.0, INF]);
    // A class that cannot be.
    let never = floats([0.0, -INF, 0.0], [1, 1, 3]);
    assert_eq!(both(&ctc, never.clone(), &Tensor::from([[1]])), (f64::INFINITY, vec![0.0; 3]));
    assert_eq!(both(&ctc, never, &Tensor::from([[2]])), (0.0, vec![0.0, 0.0, -1.0]));
    assert!(both(&ctc, floats([f32::NAN; 3], [1, 1, 3]), &Tensor::from([[2]])).0.is_nan());
}

#[test]
fn ctc_says_what_is_wrong_with_its_input() {
    let (log_p, ctc) = (Tensor::zeros([2, 3, 4]).log_softmax(2), Ctc::default());
    let of = |targets: Tensor, inputs: &[usize], lengths: &[usize]| ctc.sequences(&log_p, &targets, inputs, lengths);
    let fine = || Tensor::from([[1, 2], [3, 0]]);
    assert_eq!(of(fine(), &[3, 3], &[2, 1]).shape(), &[2]);
    panics(|| of(fine(), &[3, 4], &[2, 1]), &["input length 4 of sample 1", "the 3 that there are"]);
    panics(|| of(fine(), &[3, 3], &[3, 1]), &["target length 3 of sample 0", "2"]);
    panics(|| of(fine(), &[3], &[2, 1]), &["1 input lengths for 2 samples"]);
    panics(|| of(fine(), &[3, 3], &[2, 2]), &["sample 1", "blank class 0 at place 1"]);
    panics(|| of(Tensor::from([[1, 4], [1, 2]]), &[3, 3], &[2, 2]), &["sample 0 has label 4 at place 1", "0 to 3"]);
    panics(|| of(Tensor::from([[-1, 1], [1, 2]]), &[3, 3], &[2, 2]), &["label -1"]);
    panics(|| of(Tensor::from([1, 2]), &[3, 3], &[1, 1]), &["labels, i64 of shape [N, S]", "[2]"]);
    panics(|| of(Tensor::from([[1.0], [2.0]]), &[3, 3], &[1, 1]), &["f32 of shape [2, 1]"]);
    panics(|| ctc.loss(&Tensor::zeros([2, 4]), &fine()), &["[N, T, C]", "[2, 4]"]);
    panics(|| ctc.blank(4).loss(&log_p, &fine()), &["blank class 4", "none of the 4"]);
    // As `fit` says it.
    let output = Shape::from([3, 4]);
    assert!(ctc.check(&output, &fine()).is_ok());
    says(ctc.check(&output, &Tensor::from([[0, 1]])), &["sample 0 has the blank class 0 at place 0", "behind them"]);
    says(ctc.check(&output, &Tensor::from([[1, 5]])), &["label 5"]);
    says(ctc.check(&output, &Tensor::from([[1, 2, 2]])), &["3 labels of sample 0", "at least 4 steps", "has 3"]);
    assert!(ctc.zero_infinity(true).check(&output, &Tensor::from([[1, 2, 2]])).is_ok());
    says(ctc.check(&Shape::from([4]), &fine()), &["[N, T, C]"]);
    says(ctc.check_prediction(&Tensor::ones([1, 3, 4])), &["ctc takes log-probabilities", "LogSoftmax", "from_logits"]);
}

#[test]
fn other_losses_say_what_is_wrong_with_their_input() {
    let output = Shape::from([3]);
    says(Focal.check(&output, &labels([3])), &["sample 0 has label 3"]);
    says(Focal.alpha(&[1.0, 2.0]).check(&output, &labels([2])), &["alpha has 2 numbers", "3 outputs"]);
    panics(|| Focal.alpha(&[1.0, 2.0]).loss(&Tensor::zeros([1, 3]), &labels([2])), &["alpha has 2", "3 classes"]);
    panics(|| Focal.gamma(-1.0), &["gamma -1"]);
    panics(|| Focal.alpha(&[]), &["one for each class"]);
    says(Focal.check_prediction(&floats([2.0, -1.0], [1, 2])), &["takes probabilities", "from_logits()"]);
    says(BinaryFocal.check(&[1].into(), &labels([2])), &["label 2"]);
    panics(|| BinaryFocal.alpha(2.0), &["not within [0, 1]"]);
    says(Dice.check(&[3, 2, 2].into(), &Tensor::from([[0, 1]])), &["labels (i64) of shape [N, ..]", "[3, 2, 2]"]);
    says(Dice.check(&[2, 2].into(), &Tensor::from([[0, 1], [1, 2]])), &["sample 1 has label 2", "0 to 1"]);
    says(Dice.check_prediction(&floats([2.0], [1, 1])), &["takes probabilities"]);
    panics(|| Dice.loss(&Tensor::zeros([2, 3]), &Tensor::zeros([2, 4])), &["dice", "differ in shape"]);
    panics(|| Dice.smoothing(0.0), &["smoothing 0"]);
    for loss in [&Triplet::default() as &dyn Loss, &Contrastive::default(), &NtXent::default()] {
        says(loss.check(&[2, 2].into(), &labels([1])), &["embeddings [D] with labels", "[2, 2]"]);
        panics(|| loss.loss(&Tensor::zeros([2, 3]), &labels([1])), &["labels, i64 of shape [2]"]);
        panics(|| loss.loss(&Tensor::zeros([2, 3, 1]), &labels([1, 0])), &["[N, D]"]);
    }
    let (a, b) = (Tensor::zeros([2, 3]), Tensor::zeros([3, 3]));
    panics(|| Triplet::default().triplets(&a, &a, &b), &["the anchor is f32 [2, 3]", "the negative is f32 [3, 3]"]);
    panics(|| Contrastive::default().pairs(&a, &a, &labels([1])), &["`same` has shape [1]", "2 pairs"]);
    panics(|| NtXent::default().temperature(0.0), &["temperature 0"]);
    panics(|| Triplet::default().margin(-1.0), &["margin -1"]);
}

#[test]
fn the_losses_of_samples_do_not_depend_on_threads() {
    let z = Tensor::randn([9, 20, 6], &mut Rng::new(1));
    let targets = Tensor::from_vec((0..9 * 6).map(|i| 1 + i * i % 5).collect::<Vec<i64>>(), [9, 6]);
    let bits = || both(&Ctc::default().from_logits(), z.clone(), &targets);
    let threads = hadal::num_threads();
    let with = |count| {
        hadal::set_num_threads_exactly(count);
        bits()
    };
    let (one, four) = (with(1), with(4));
    hadal::set_num_threads_exactly(threads);
    assert_eq!(one, four);
}

/// A network that learns to say which of three tones it hears, from steps without labels.
#[test]
fn a_network_learns_from_sequences_without_alignment() {
    let mut rng = Rng::new(1);
    let (samples, steps) = (32, 6);
    let labels: Vec<i64> = (0..samples * 2).map(|_| 1 + rng.below(3) as i64).collect();
    let mut x = vec![0f32; samples * steps * 4];
    for (sample, pair) in labels.chunks(2).enumerate() {
        // Each tone sounds for one step, somewhere in its half; else there is silence.
        for (half, label) in pair.iter().enumerate() {
            let step = 3 * half + rng.below(2) as usize;
            x[(sample * steps + step) * 4 + *label as usize] = 1.0;
        }
    }
    let x = Tensor::from_vec(x, [samples, steps * 4]);
    let data = Dataset::new("tones", x, Tensor::from_vec(labels, [samples, 2])).unwrap();
    let mut model = Sequential::new([steps * 4])
        .add(Dense::new(steps * 4))
        .add(Reshape::new([steps, 4]))
        .add(LogSoftmax)
        .compile(Adam::new(0.05), Ctc::default(), ())
        .unwrap();
    let history = model.fit(&data, Fit::epochs(60).quiet()).unwrap();
    assert!(history.last("loss").unwrap() < 0.1 * history.get("loss").unwrap()[0], "{history:?}");
}

#[test]
fn embeddings_of_a_class_come_together() {
    let data = hadal::data::synthetic::moons(60, 0.05, 1).unwrap();
    let losses: [Box<dyn Loss>; 3] =
        [Box::new(Triplet::default().margin(0.5)), Box::new(Contrastive::default()), Box::new(NtXent::default())];
    for loss in losses {
        let name = loss.name();
        let mut model = Sequential::new([2])
            .add(Dense::new(16).activation(Relu))
            .add(Dense::new(2))
            .compile(Adam::new(0.01), loss, ())
            .unwrap();
        let history = model.fit(&data, Fit::epochs(80).full_batch().quiet()).unwrap();
        let loss = history.get("loss").unwrap();
        assert!(loss[79] < 0.9 * loss[0], "{name}: {} to {}", loss[0], loss[79]);
    }
}
