//! Focal, Dice, triplet, contrastive and CTC losses against `further_losses.py`: the loss of each sample and all gradients, to
//! 1e-11, but to 1e-6 where Keras computes in f32, and for its Dice loss, which adds the constant below alone.

use hadal::loss::Reduction;

use super::*;

static CASES: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(include_str!("further_losses.json")).unwrap());

/// Compares losses, and the gradients of their weighted sum, with the case called `name`.
#[track_caller]
fn check(name: &str, tolerance: f64, losses: impl Fn(&[Tensor], &Value) -> Tensor) {
    let case = &CASES[name];
    let inputs: Vec<Tensor> = case["inputs"].as_array().unwrap().iter().map(|x| tensor(x).requires_grad()).collect();
    let losses = losses(&inputs, case);
    close(name, &losses, &case["losses"], tolerance);
    let weights = Tensor::arange(losses.elements()).to_dtype(DType::F64).cos();
    let gradients = (losses * weights).sum().backward();
    for (x, expected) in inputs.iter().zip(case["gradients"].as_array().unwrap()) {
        close(name, &gradients[x], expected, tolerance);
    }
}

/// Checks a [`Loss`] on predictions and the targets of the case.
#[track_caller]
fn check_loss(name: &str, tolerance: f64, loss: &dyn Loss, predict: impl Fn(&Tensor) -> Tensor) {
    check(name, tolerance, |x, case| {
        let (prediction, target) = (predict(&x[0]), tensor(&case["target"]));
        loss.check(&Shape::from(&prediction.shape()[1..]), &target).unwrap();
        loss.check_prediction(&prediction).unwrap();
        loss.per_sample(&prediction, &target)
    });
}

#[test]
fn focal_losses_are_keras_and_torchvisions() {
    let cases = [
        ("focal", Focal),
        ("focal_soft", Focal.gamma(0.5).alpha(&[0.25])),
        ("focal_alpha", Focal.gamma(3.0).alpha(&[0.125, 0.25, 0.375, 0.5])),
    ];
    for (name, loss) in cases {
        check_loss(name, 1e-11, &loss, |z| z.softmax(1));
        check_loss(name, 1e-11, &loss.clone().from_logits(), Tensor::clone);
        // Not the direct result of a softmax: differentiated step by step.
        check_loss(name, 1e-11, &loss, |z| z.softmax(1) * 1.0);
    }
    check("focal", 1e-11, |z, case| Focal.from_logits().per_sample(&z[0], &labels(&case["labels"])));
    for (name, loss) in [("binary_focal", BinaryFocal), ("binary_focal_plain", BinaryFocal.gamma(1.5).alpha(None))] {
        check_loss(name, 1e-11, &loss, Tensor::sigmoid);
        check_loss(name, 1e-11, &loss.from_logits(), Tensor::clone);
        check_loss(name, 1e-11, &loss, |z| z.sigmoid() * 1.0);
    }
}

#[test]
fn dice_losses_are_milletaris_and_keras() {
    check_loss("dice", 1e-11, &Dice.smoothing(0.5), Tensor::sigmoid);
    check_loss("dice", 1e-11, &Dice.smoothing(0.5).from_logits(), Tensor::clone);
    check_loss("dice_keras", 1e-6, &Dice::keras().from_logits(), Tensor::clone);
    let areas = |case: &Value| labels(&case["target"]);
    check("dice_labels", 1e-11, |z, case| Dice.from_logits().per_sample(&z[0], &areas(case)));
    check("dice_labels", 1e-11, |z, case| {
        let p = z[0].softmax(1);
        Dice.check(&Shape::from(&p.shape()[1..]), &areas(case)).unwrap();
        Dice.per_sample(&p, &areas(case))
    });
    check("dice_labels", 1e-11, |z, case| {
        let planes = areas(case).one_hot(3).permute(&[0, 3, 1, 2]);
        Dice.per_class().per_sample(&z[0].softmax(1), &planes)
    });
}

#[test]
fn losses_of_embeddings_are_pytorchs() {
    let cases = [
        ("triplet", Triplet::default()),
        ("triplet_swap", Triplet::default().margin(2.5).swap(true)),
        ("triplet_p1", Triplet::default().margin(4.0).p(1.0)),
        ("triplet_p3", Triplet::default().margin(2.0).p(3.0)),
    ];
    for (name, loss) in cases {
        check(name, 1e-11, |x, _| loss.triplets(&x[0], &x[1], &x[2]));
    }
    check("triplet_hard", 1e-11, |x, case| Triplet::default().margin(1.5).per_sample(&x[0], &labels(&case["labels"])));
    let contrastive = Contrastive::default().margin(2.5);
    check("contrastive", 1e-11, |x, case| contrastive.pairs(&x[0], &x[1], &labels(&case["same"])));
    check("contrastive_labels", 1e-11, |x, case| contrastive.per_sample(&x[0], &labels(&case["labels"])));
    check("nt_xent", 1e-11, |x, _| NtXent::default().views(&x[0], &x[1]));
}

/// PyTorch has the steps on the first axis.
fn ctc(name: &str, loss: Ctc) {
    let lengths = |value: &Value| tensor(value).to_vec::<f64>().into_iter().map(|n| n as usize).collect::<Vec<_>>();
    check(name, 1e-11, |z, case| {
        let (inputs, targets) = (lengths(&case["input_lengths"]), lengths(&case["target_lengths"]));
        loss.sequences(&z[0].transpose(0, 1).log_softmax(2), &labels(&case["targets"]), &inputs, &targets)
    });
    check(name, 1e-11, |z, case| {
        let (inputs, targets) = (lengths(&case["input_lengths"]), lengths(&case["target_lengths"]));
        loss.from_logits().sequences(&z[0].transpose(0, 1), &labels(&case["targets"]), &inputs, &targets)
    });
}

#[test]
fn ctc_is_pytorchs_and_keras() {
    ctc("ctc", Ctc::default());
    ctc("ctc_lengths", Ctc::default());
    ctc("ctc_blank", Ctc::default().blank(2));
    ctc("ctc_impossible", Ctc::default().zero_infinity(true));
    check("ctc_keras", 1e-6, |z, case| Ctc::default().from_logits().per_sample(&z[0], &labels(&case["targets"])));
    // PyTorch's mean divides by the length of each target.
    check("ctc_mean", 1e-11, |z, _| {
        let targets = Tensor::from([[1, 2, 3], [2, 2, 0], [3, 0, 0]]);
        let loss = Ctc::default().from_logits().per_label().reduction(Reduction::Mean);
        loss.loss(&z[0].transpose(0, 1), &targets).reshape([1])
    });
}
