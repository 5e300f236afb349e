//! Recurrent layers and cells: outputs, states at the end and all gradients as PyTorch has them, outputs as Keras has them; networks
//! trained on sequences of differing length as PyTorch trains on packed ones. Tolerance: 1e-12; 5e-7 for Keras, whose products are in f32 also where the rest is in f64.

use hadal::nn::{GruCell, LstmCell, LstmState, SimpleRnnCell, TimeDistributed};

use super::*;

const TOLERANCE: f64 = 1e-12;

fn golden() -> Value {
    serde_json::from_str(include_str!("recurrent.json")).unwrap()
}

fn tensors(values: &Value) -> Vec<Tensor> {
    values.as_array().unwrap().iter().map(|x| tensor(x).requires_grad()).collect()
}

/// A layer with the golden tensors, loaded by their names, in f64.
fn loaded<M: Module>(mut layer: M, weights: &Value) -> M {
    load_state(&mut layer, "recurrent layer", &tensors_by_name(weights));
    layer
}

/// What was computed from `x` and `state`, against the golden values.
fn compare(
    name: &str,
    case: &Value,
    module: &impl Module,
    inputs: (&Tensor, &[Tensor]),
    y: Option<&Tensor>,
    end: &[Tensor],
) {
    let (x, state) = inputs;
    if let Some(y) = y {
        close(name, y, &case["y"], TOLERANCE);
    }
    for (index, end) in end.iter().enumerate() {
        close(&format!("{name}: state {index}"), end, &case["end"][index], TOLERANCE);
    }
    let sums = y.into_iter().chain(end).map(weighted);
    let gradients = sums.reduce(|a, b| a + b).unwrap().backward();
    close(&format!("{name}: gradient of x"), &gradients[x], &case["dx"], TOLERANCE);
    for (index, state) in state.iter().enumerate() {
        close(&format!("{name}: gradient of state {index}"), &gradients[state], &case["dstate"][index], TOLERANCE);
    }
    assert_eq!(module.state_dict().len(), case["dweights"].as_object().unwrap().len(), "{name}");
    for (weight, tensor) in module.state_dict() {
        close(&format!("{name}: gradient of {weight}"), &gradients[&tensor], &case["dweights"][&weight], TOLERANCE);
    }
}

/// Settings of a layer by the end of its name.
macro_rules! with_settings {
    ($layer:expr, $name:expr) => {{
        let (layer, name): (_, &str) = ($layer, $name);
        let layer = if name.ends_with("no bias") { layer.without_bias() } else { layer };
        let layer = if name.ends_with("deep") || name.ends_with("all") { layer.layers(2) } else { layer };
        let layer = if name.ends_with("both") || name.ends_with("all") { layer.bidirectional() } else { layer };
        layer.built([4, 2], &mut Rng::new(0)).unwrap()
    }};
}

#[test]
fn layers_give_pytorchs_outputs_states_and_gradients() {
    let mut cases = 0;
    for (name, case) in
        golden().as_object().unwrap().iter().filter(|(_, case)| case.get("end").is_some() && case.get("y").is_some())
    {
        cases += 1;
        let x = tensor(&case["x"]).requires_grad();
        let state = tensors(&case["state"]);
        let lengths: Option<Vec<usize>> =
            case["lengths"].as_array().map(|all| all.iter().map(|n| n.as_u64().unwrap() as usize).collect());
        let lengths = lengths.as_deref();
        let ctx = &mut Context::evaluation();
        let kind = name.split(' ').next().unwrap();
        if kind == "lstm" {
            let layer = loaded(with_settings!(Lstm::new(3), name), &case["weights"]);
            let before = state.first().map(|h| LstmState { h: h.clone(), c: state[1].clone() });
            let (y, end) = layer.run(&x, before.as_ref(), lengths, ctx);
            compare(name, case, &layer, (&x, &state), Some(&y), &[end.h, end.c]);
        } else if kind == "gru" {
            let layer = loaded(with_settings!(Gru::new(3), name), &case["weights"]);
            let (y, end) = layer.run(&x, state.first(), lengths, ctx);
            compare(name, case, &layer, (&x, &state), Some(&y), &[end]);
        } else {
            let layer = SimpleRnn::new(3).activation(if kind == "relu" { Relu } else { Tanh });
            let layer = loaded(with_settings!(layer, name), &case["weights"]);
            let (y, end) = layer.run(&x, state.first(), lengths, ctx);
            compare(name, case, &layer, (&x, &state), Some(&y), &[end]);
        }
    }
    assert_eq!(cases, 3 * 6 + 1);
}

#[test]
fn cells_give_pytorchs_states_and_gradients() {
    let golden = golden();
    let rng = &mut Rng::new(0);
    let case = |name: &str| {
        let case = &golden[name];
        (case, tensor(&case["x"]).requires_grad(), tensors(&case["state"]))
    };
    let (values, x, state) = case("lstm cell");
    let cell = loaded(LstmCell::new(2, 3, rng), &values["weights"]);
    let end = cell.step(&x, Some(&LstmState { h: state[0].clone(), c: state[1].clone() }));
    compare("lstm cell", values, &cell, (&x, &state), None, &[end.h, end.c]);
    let (values, x, state) = case("gru cell");
    let cell = loaded(GruCell::new(2, 3, rng), &values["weights"]);
    let end = cell.step(&x, state.first());
    compare("gru cell", values, &cell, (&x, &state), None, &[end]);
    let (values, x, state) = case("rnn cell");
    let cell = loaded(SimpleRnnCell::new(2, 3, rng), &values["weights"]);
    let end = cell.step(&x, state.first());
    compare("rnn cell", values, &cell, (&x, &state), None, &[end]);
}

#[test]
fn layers_give_kerass_outputs_at_the_last_step_and_at_all() {
    let golden = golden();
    let ctx = &mut Context::evaluation();
    let mut check = |name: &str, last: &dyn Forward, sequences: &dyn Forward| {
        let case = &golden[name];
        close(name, &last.forward(&tensor(&case["x"]), ctx), &case["last"], 5e-7);
        close(name, &sequences.forward(&tensor(&case["x"]), ctx), &case["sequences"], 5e-7);
    };
    macro_rules! layer {
        ($name:literal, $layer:ident) => {{
            let layer = loaded($layer::keras(3).built([4, 2], &mut Rng::new(0)).unwrap(), &golden[$name]["weights"]);
            check($name, &layer, &layer.clone().return_sequences());
        }};
    }
    layer!("keras simple_rnn", SimpleRnn);
    layer!("keras lstm", Lstm);
    layer!("keras gru", Gru);
}

/// Integers, `[N]` or `[N, T]`.
fn integers(value: &Value) -> Tensor {
    let rows = value.as_array().unwrap();
    let numbers: Vec<i64> = match rows[0].as_array() {
        Some(_) => rows.iter().flat_map(|row| row.as_array().unwrap()).map(|n| n.as_i64().unwrap()).collect(),
        None => rows.iter().map(|n| n.as_i64().unwrap()).collect(),
    };
    let rest = numbers.len() / rows.len();
    let numbers = Tensor::from_vec(numbers, [rows.len(), rest]);
    if rows[0].is_array() { numbers } else { numbers.squeeze(1) }
}

#[test]
fn networks_of_padded_sequences_train_as_pytorchs_on_packed_ones() {
    let golden = golden();
    let input = || Sequential::new([4]).add(Embedding::new(7, 2).padding_index(0));
    let last = input().add(Lstm::new(3).bidirectional()).add(Dense::new(3));
    let steps =
        input().add(Gru::new(3).layers(2).bidirectional().return_sequences()).add(TimeDistributed::new(Dense::new(3)));
    for (name, model) in [("padded lstm", last), ("padded gru steps", steps)] {
        let case = &golden[name];
        let model = loaded(model.build().unwrap(), &case["before"]);
        let (words, labels) = (integers(&case["words"]), integers(&case["labels"]));
        let data = Dataset::new(name, words.clone(), labels.clone()).unwrap();
        let loss = CategoricalCrossentropy.from_logits();
        let mut model = model.compile(Sgd::new(0.5), loss, Accuracy).unwrap();
        let history = model.fit(&data, Fit::epochs(3).batch_size(2).shuffle(false).quiet()).unwrap();
        for (found, expected) in history.get("loss").unwrap().iter().zip(case["losses"].as_array().unwrap()) {
            close_number(&format!("{name}: loss of an epoch"), *found, expected, TOLERANCE);
        }
        let after = case["after"].as_object().unwrap();
        assert_eq!(model.model.state_dict().len(), after.len(), "{name}");
        for (weight, tensor) in model.model.state_dict() {
            close(&format!("{name}: {weight}"), &tensor, &after[&weight], TOLERANCE);
        }
        let scores = model.evaluate(&data).unwrap();
        close_number(&format!("{name}: loss"), scores["loss"], &case["loss"], TOLERANCE);
        let y = model.predict(&words).unwrap();
        if labels.rank() == 1 {
            close(&format!("{name}: prediction"), &y, &case["y"], TOLERANCE);
            continue;
        }
        close_number(&format!("{name}: accuracy"), scores["accuracy"], &case["accuracy"], TOLERANCE);
        let expected = tensor(&case["y"]);
        for (sample, length) in (0..).zip(case["lengths"].as_array().unwrap()) {
            let own = |x: &Tensor| x.i((sample, ..length.as_i64().unwrap() as isize));
            assert!((own(&y) - own(&expected)).abs().max().item() < TOLERANCE, "{name}: outputs of sample {sample}");
        }
    }
}
