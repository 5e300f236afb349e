//! Averaged weights and renewed batch statistics against `averaging.py`, to 1e-13.

use hadal::train::{ExponentialMovingAverage, StochasticWeightAveraging, renew_batch_statistics};

use super::*;

static CASES: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(include_str!("averaging.json")).unwrap());

#[test]
fn averages_of_weights_are_pytorchs() {
    let mut model = Linear::new(2, 3, &mut Rng::new(0));
    let (mut exponential, mut mean) = (ExponentialMovingAverage::new(0.9), StochasticWeightAveraging::new(1));
    for step in CASES["steps"].as_array().unwrap() {
        model.weight = tensor(&step["weight"]).requires_grad();
        exponential.update(&model);
        mean.update(&model);
        let weight = |all: Option<Vec<(String, Tensor)>>| all.unwrap().into_iter().find(|(name, _)| name == "weight");
        close("exponential moving average", &weight(exponential.weights()).unwrap().1, &step["exponential"], 1e-13);
        close("mean", &weight(mean.weights()).unwrap().1, &step["mean"], 1e-13);
    }
}

#[test]
fn renewed_batch_statistics_are_pytorchs() {
    let mut model =
        Sequential::new([3]).add(BatchNorm::new()).add(Dense::new(2)).add(BatchNorm::new()).build().unwrap();
    model.visit_mut("", &mut |name, own| {
        let value = tensor(&CASES["state"][name.strip_prefix("layers.").unwrap()]);
        *own = if own.is_leaf() { value.requires_grad() } else { value };
    });
    let data = Dataset::new("x", tensor(&CASES["x"]), Tensor::zeros([12])).unwrap();
    renew_batch_statistics(&mut model, &data, 4).unwrap();
    for (name, value) in model.state_dict().iter().filter(|(name, _)| name.contains("running")) {
        close(name, value, &CASES["after"][name.strip_prefix("layers.").unwrap()], 1e-13);
    }
}
