//! The guide's page on common mistakes shows the messages that they get, and no others.

use hadal::prelude::*;

use super::panic_of;

const PAGE: &str = include_str!("../../../../book/src/mistakes.md");

/// Long fractions depend on the data.
fn without_fractions(text: &str) -> String {
    let mut shown = String::new();
    for word in text.split_inclusive([' ', ';', '`']) {
        let number = word.trim_end_matches([' ', ';', '`']);
        let long = number.len() > 8 && number.contains('.') && number.parse::<f64>().is_ok();
        if long { shown += &word.replace(number, "#") } else { shown += word }
    }
    shown
}

/// The message column of the tables below a heading.
fn messages(heading: &str) -> Vec<String> {
    let part = PAGE.split("\n## ").find(|part| part.starts_with(heading)).expect("the heading is there");
    let rows = part.lines().filter(|line| line.starts_with("| ")).skip(2);
    rows.map(|row| {
        let message = row.split(" | ").nth(1).expect("a row has three columns");
        without_fractions(message.trim_matches('`'))
    })
    .collect()
}

/// The message of the panic in `f`, which must name this file: the user's.
fn message_of<T>(f: impl FnOnce() -> T) -> String {
    let (file, _, message) = panic_of(|| drop(f()));
    assert!(file.ends_with("guide.rs"), "{file}: {message}");
    message
}

fn check(heading: &str, found: &[String]) {
    let page = messages(heading);
    for message in found.iter().map(|message| without_fractions(message)) {
        assert!(page.contains(&message), "the guide does not show `{message}` under {heading}");
    }
    for message in &page {
        let shown = found.iter().any(|found| without_fractions(found) == *message);
        assert!(shown, "no mistake gets the guide's `{message}`");
    }
}

#[test]
fn messages_of_tensors_and_loops() {
    let (a, b) = (Tensor::zeros([64, 3]), Tensor::zeros([4, 2]));
    let integers = Tensor::from([3, 1, 2]);
    let bytes = Tensor::from_slice(&[1u8], [1]);
    let w = Tensor::ones([2]).requires_grad();
    let product = &w * 2.0;
    let loss = product.sum();
    let gradients = loss.backward();
    let net = Sequential::new([2]).add(Dense::new(3).activation(Softmax)).build().unwrap();
    let unbuilt = Sequential::new([2]).add(Dense::new(3));
    let y = net.forward(&Tensor::ones([4, 2]), &mut Context::training(Rng::new(1)));
    let labels = Tensor::from([0, 1, 2, 0]);
    let cross = CategoricalCrossentropy;
    check(
        "Tensors and loops of your own",
        &[
            message_of(|| a.matmul(&b)),
            message_of(|| &a + &b),
            message_of(|| Tensor::zeros([3]) + &integers),
            message_of(|| Tensor::zeros([4, 6]).reshape([hadal::REST, 5])),
            message_of(|| b.item()),
            message_of(|| b.to_vec::<f64>()),
            message_of(|| integers.exp()),
            message_of(|| &bytes * 256),
            message_of(|| {
                let mut x = integers.clone();
                x += 0.5;
            }),
            message_of(|| integers.clone().requires_grad()),
            message_of(|| y.backward()),
            message_of(|| Tensor::ones([2]).sum().backward()),
            message_of(|| loss.backward()),
            message_of(|| gradients[&product].clone()),
            message_of(|| gradients[&Tensor::ones([3])].clone()),
            message_of(|| gradients[&Tensor::ones([2]).requires_grad()].clone()),
            message_of(|| net.forward(&Tensor::ones([4, 5]), &mut Context::evaluation())),
            message_of(|| net.forward(&Tensor::ones([2]), &mut Context::evaluation())),
            message_of(|| unbuilt.forward(&Tensor::ones([4, 2]), &mut Context::evaluation())),
            message_of(|| cross.loss(&y, &labels.to_dtype(DType::F32))),
            message_of(|| cross.loss(&y, &labels.reshape([4, 1]))),
            message_of(|| cross.loss(&y, &(&labels + 1))),
            message_of(|| MeanSquaredError.loss(&y, &labels)),
        ],
    );
}

#[test]
fn messages_of_data_and_training() {
    let x = Tensor::randn([3, 2], &mut Rng::new(1));
    let points = |labels: [i64; 3]| Dataset::new("points", x.clone(), Tensor::from(labels)).unwrap();
    let data = points([0, 1, 2]);
    let network = |last: Activation| Sequential::new([2]).add(Dense::new(3).activation(last));
    let compile = |last: Activation, loss: Box<dyn Loss>| network(last).compile(Sgd::new(0.1), loss, Accuracy);
    let fit = |model: hadal::Result<Trainer<Sequential>>, data: &Dataset| {
        model.and_then(|mut model| model.fit(data, Fit::epochs(1).quiet())).unwrap_err().to_string()
    };
    let cross = || Box::new(CategoricalCrossentropy) as Box<dyn Loss>;
    let wide = Dataset::new("wide", Tensor::ones([3, 5]), Tensor::from([0, 1, 2])).unwrap();
    let unbuilt = Trainer::new(network(Softmax), Sgd::new(0.1), CategoricalCrossentropy, ());
    let line = Dataset::new("line", Tensor::from([[1e4], [2e4]]), Tensor::from([[1.], [2.]])).unwrap();
    let mut steep = Sequential::new([1]).add(Dense::new(1)).compile(Sgd::new(1e15), MeanSquaredError, ()).unwrap();
    let nan = Tensor::from([[f32::NAN, 0.0], [0.0, 0.0], [0.0, 0.0]]);
    let words = Dataset::new("words", Tensor::from([[4, 1], [0, 3]]), Tensor::ones([2, 1])).unwrap();
    let mut own = Trainer::new(Words(Embedding::with(5, 1, &mut Rng::new(1))), Sgd::new(0.1), MeanSquaredError, ());
    let history = compile(Softmax, cross()).unwrap().fit(&data, Fit::epochs(1).quiet()).unwrap();
    check(
        "Data and training",
        &[
            compile(Softmax, Box::new(CategoricalCrossentropy.from_logits())).err().unwrap().to_string(),
            fit(positive(compile(Identity, cross())), &data),
            fit(positive(compile(Identity, Box::new(NegativeLogLikelihood))), &data),
            fit(Ok(unbuilt), &data),
            fit(compile(Softmax, cross()), &wide),
            fit(compile(Softmax, cross()), &points([1, 2, 3])),
            steep.fit(&line, Fit::epochs(9).quiet()).unwrap_err().to_string(),
            Dataset::new("points", nan, Tensor::from([0, 1, 2])).unwrap_err().to_string(),
            Dataset::new("points", x.clone(), Tensor::from([0, 1])).unwrap_err().to_string(),
            own.fit(&words, Fit::epochs(1).quiet()).unwrap_err().to_string(),
            compile(Softmax, cross()).unwrap().fit(&data, Fit::epochs(0)).unwrap_err().to_string(),
            history.get("val_loss").unwrap_err().to_string(),
        ],
    );
}

/// A model that takes words, and does not say so.
#[derive(Module)]
struct Words(Embedding);

impl Forward for Words {
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        self.0.forward(x, ctx).mean_axes(&[1])
    }
}

/// With weights that give outputs above 1.
fn positive(model: hadal::Result<Trainer<Sequential>>) -> hadal::Result<Trainer<Sequential>> {
    model.map(|mut model| {
        model.model.visit_mut("", &mut |name, tensor| {
            if name.ends_with("bias") {
                *tensor = Tensor::full(*tensor.shape(), 7.123456789).requires_grad();
            }
        });
        model
    })
}
