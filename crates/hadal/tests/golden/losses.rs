//! Losses: values and gradients, to 1e-11, but for label smoothing, hinge and log-cosh, which Keras computes in f32: to 1e-6.

use hadal::loss::Reduction;
use hadal::prelude::*;

use super::{GOLDEN, close, close_number, labels, tensor};

#[test]
fn losses_and_their_gradients() {
    let golden = &GOLDEN["losses"];
    let of = |name: &str| tensor(&golden[name]);
    let labels = labels(&golden["labels"]);
    let (p, logits, soft) = (of("p"), of("logits"), of("soft"));
    let (bits, p_bits, signs) = (of("bits"), of("p_bits"), of("signs"));
    let normalized = &p / p.sum_keepdim(&[1]);
    let cases: Vec<(&str, Box<dyn Loss>, &Tensor, &Tensor)> = vec![
        ("categorical_crossentropy", Box::new(CategoricalCrossentropy), &p, &labels),
        ("categorical_crossentropy_soft", Box::new(CategoricalCrossentropy), &p, &soft),
        ("categorical_crossentropy_logits", Box::new(CategoricalCrossentropy.from_logits()), &logits, &labels),
        (
            "categorical_crossentropy_smooth",
            Box::new(CategoricalCrossentropy.from_logits().label_smoothing(0.1)),
            &logits,
            &labels,
        ),
        (
            "categorical_crossentropy_sum",
            Box::new(CategoricalCrossentropy.from_logits().reduction(Reduction::Sum)),
            &logits,
            &labels,
        ),
        (
            "class_weights",
            Box::new(CategoricalCrossentropy.from_logits().class_weights(&[1.0, 2.0, 0.5, 3.0])),
            &logits,
            &labels,
        ),
        (
            "class_weights_smooth",
            Box::new(CategoricalCrossentropy.from_logits().label_smoothing(0.1).class_weights(&[1.0, 2.0, 0.5, 3.0])),
            &logits,
            &labels,
        ),
        ("complement", Box::new(CategoricalCrossentropy.complement()), &normalized, &labels),
        ("binary_crossentropy", Box::new(BinaryCrossentropy), &p_bits, &bits),
        ("binary_crossentropy_logits", Box::new(BinaryCrossentropy.from_logits()), &logits, &bits),
        ("binary_crossentropy_smooth", Box::new(BinaryCrossentropy.label_smoothing(0.2)), &p_bits, &bits),
        ("mean_squared_error", Box::new(MeanSquaredError), &logits, &soft),
        ("mean_absolute_error", Box::new(MeanAbsoluteError), &logits, &soft),
        ("huber", Box::new(Huber::default()), &logits, &soft),
        ("huber_wide", Box::new(Huber::new(2.5)), &logits, &soft),
        ("log_cosh", Box::new(hadal::loss::LogCosh), &logits, &soft),
        ("hinge", Box::new(Hinge), &logits, &signs),
        ("kl_divergence", Box::new(KlDivergence), &normalized, &soft),
    ];
    for (name, loss, prediction, target) in cases {
        let prediction = prediction.clone().requires_grad();
        let value = loss.loss(&prediction, target);
        let tolerance = if matches!(name, "binary_crossentropy_smooth" | "hinge" | "log_cosh") { 1e-6 } else { 1e-11 };
        close_number(name, value.item(), &golden[name]["loss"], tolerance);
        close(name, &value.backward()[&prediction], &golden[name]["gradient"], tolerance);
        let output = hadal::Shape::from(&prediction.shape()[1..]);
        loss.check(&output, target).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let log_p = p.ln().requires_grad();
    let value = NegativeLogLikelihood.loss(&log_p, &labels);
    close_number("negative_log_likelihood", value.item(), &golden["negative_log_likelihood"]["loss"], 1e-12);
    close("negative_log_likelihood", &value.backward()[&log_p], &golden["negative_log_likelihood"]["gradient"], 1e-12);

    let weights = Tensor::from_slice(&[1.0f64, 0.0, 2.0, 0.5, 3.0, 1.5], [6]);
    let logits = logits.requires_grad();
    let value = CategoricalCrossentropy.from_logits().weighted(&logits, &labels, &weights);
    close_number("sample_weights", value.item(), &golden["sample_weights"]["loss"], 1e-12);
    close("sample_weights", &value.backward()[&logits], &golden["sample_weights"]["gradient"], 1e-12);
}

#[test]
fn a_confident_mistake_costs_a_finite_amount() {
    let clipped = &GOLDEN["losses"]["clipped"];
    let value = CategoricalCrossentropy.loss(&tensor(&clipped["p"]), &labels(&clipped["labels"]));
    close_number("clipped", value.item(), &clipped["loss"], 1e-9);
}

#[test]
fn labels_mean_what_their_numbers_mean() {
    let golden = &GOLDEN["losses"];
    let bits = tensor(&golden["bits"]).narrow(1, 0, 1);
    let own = bits.to_dtype(DType::I64).reshape([6]);
    let p = tensor(&golden["p_bits"]).narrow(1, 0, 1);
    assert_eq!(BinaryCrossentropy.loss(&p, &own).item(), BinaryCrossentropy.loss(&p, &bits).item());
    let y = tensor(&golden["logits"]).narrow(1, 0, 1);
    assert_eq!(Hinge.loss(&y, &own).item(), Hinge.loss(&y, &(&bits * 2.0 - 1.0)).item());
    let labels = labels(&golden["labels"]);
    let one_hot = labels.one_hot(4).to_dtype(DType::F64);
    let loss = CategoricalCrossentropy.from_logits().label_smoothing(0.2);
    let logits = tensor(&golden["logits"]);
    assert_eq!(loss.loss(&logits, &labels).item(), loss.loss(&logits, &one_hot).item());
}
