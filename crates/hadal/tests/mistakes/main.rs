//! A beginner's mistakes: the message that each gets, and the line that it names. The guide has them as a table.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use hadal::loss::Weights;
use hadal::nn::{InstanceNorm, PRelu, Pad, Permute, Regularizer, RmsNorm, SpatialDropout, TimeDistributed, Upsample};
use hadal::prelude::*;

/// The file, line and message of the panic in `f`.
fn panic_of(f: impl FnOnce()) -> (String, u32, String) {
    static TURN: Mutex<()> = Mutex::new(());
    static LAST: Mutex<Option<(String, u32, String)>> = Mutex::new(None);
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let old = std::panic::take_hook();
    std::panic::set_hook(Box::new(|info| {
        let location = info.location().expect("panics have a location");
        let message = info.payload_as_str().unwrap_or_default().to_owned();
        *LAST.lock().unwrap() = Some((location.file().to_owned(), location.line(), message));
    }));
    let outcome = catch_unwind(AssertUnwindSafe(f));
    std::panic::set_hook(old);
    assert!(outcome.is_err(), "this should panic");
    LAST.lock().unwrap().take().expect("the hook has run")
}

/// Checks that the expression panics on its own line, or on one of the next if it takes several, with all of the given words.
macro_rules! panics {
    ($expression:expr, $($word:literal),+) => {{
        let line = line!();
        let (file, at, message) = panic_of(|| { let _ = $expression; });
        $(assert!(message.contains($word), "{message:?} does not say {:?}", $word);)+
        assert_eq!(file, file!(), "{at}: {message}");
        assert!((line..line + 5).contains(&at), "{at}, not {line}: {message}");
    }};
}

mod guide;
mod sequences;
mod windows;

#[track_caller]
fn says<T>(result: hadal::Result<T>, words: &[&str]) {
    let message = result.err().expect("this should be an error").to_string();
    for word in words {
        assert!(message.contains(word), "`{message}` does not say `{word}`");
    }
}

fn points() -> Dataset {
    let x = Tensor::randn([12, 2], &mut Rng::new(1));
    Dataset::new("points", x, Tensor::from_vec((0..12i64).map(|i| i % 3).collect(), [12])).unwrap()
}

fn network(last: Activation) -> Sequential {
    Sequential::new([2]).add(Dense::new(4).activation(Relu)).add(Dense::new(3).activation(last))
}

#[test]
fn mistakes_in_a_loop_of_ones_own_name_the_line() {
    let net = network(Softmax).build().unwrap();
    let mut ctx = Context::training(Rng::new(1));
    let (x, labels) = (Tensor::ones([4, 2]), Tensor::from_slice(&[0i64, 1, 2, 0], [4]));
    panics!(net.forward(&Tensor::ones([4, 5]), &mut ctx), "Sequential", "[4, 5]", "samples of shape [2]");
    panics!(net.forward(&Tensor::ones([2]), &mut ctx), "[2]", "[N, ..]");
    panics!(network(Softmax).forward(&x, &mut ctx), "no weights yet", "build() or compile()");

    panics!(Dense::new(3).forward(&x, &mut ctx), "Dense", "no weights yet", "built()");
    panics!(BatchNorm::new().forward(&x, &mut ctx), "BatchNorm", "no weights yet", "built()");
    panics!(LayerNorm::with(3).forward(&x, &mut ctx), "LayerNorm", "[4, 2]", "3 features");
    panics!(LayerNorm::with(3).forward(&Tensor::ones([4, 1]), &mut ctx), "[4, 1]", "3 features");

    let y = net.forward(&x, &mut ctx);
    let loss = CategoricalCrossentropy;
    panics!(loss.loss(&y, &labels.to_dtype(DType::F32)), "labels (i64 of shape [4]", "to_dtype(DType::I64)", "f32");
    panics!(loss.loss(&y, &labels.reshape([4, 1])), "i64 of shape [4, 1]", "labels (i64 of shape [4]");
    panics!(loss.loss(&y, &labels.narrow(0, 0, 3)), "i64 of shape [3]", "labels (i64 of shape [4]");
    panics!(loss.loss(&y, &(&labels + 1)), "sample 2 has label 3", "labels 0 to 2");
    panics!(loss.loss(&y, &Tensor::ones([4, 2])), "f32 of shape [4, 2]", "[4, 3]");
    panics!(NegativeLogLikelihood.loss(&y.ln(), &labels.to_dtype(DType::F32)), "labels", "f32");
    panics!(NegativeLogLikelihood.loss(&y.ln(), &y), "must be labels, i64");
    panics!(MeanSquaredError.loss(&y, &labels), "mean_squared_error", "[4, 3]", "[4]");
    panics!(BinaryCrossentropy.parts(&y, &labels.reshape([4, 1]), Weights::default()), "binary_crossentropy", "[4, 1]");

    let value = loss.loss(&y, &labels);
    let _ = value.backward();
    panics!(value.backward(), "freed by an earlier backward()", "retain_graph");
    panics!(Tensor::ones([2]).sum().backward(), "requires_grad()");
    panics!(y.backward(), "12 elements", "sum()");
}

#[test]
fn mistakes_with_layers_of_pictures_name_the_line() {
    let (mut ctx, mut rng) = (Context::training(Rng::new(1)), Rng::new(1));
    let image = |sizes: [usize; 3]| Tensor::ones([1, sizes[0], sizes[1], sizes[2]]);
    let (x, rows) = (image([3, 9, 9]), Tensor::ones([4, 2]));
    let conv = Conv2d::with(3, 8, 3, &mut rng);
    panics!(Conv2d::new(8, 3).forward(&x, &mut ctx), "Conv2d", "no weights yet", "with_channels()");
    panics!(conv.forward(&image([9, 9, 3]), &mut ctx), "Conv2d", "[N, 3, H, W]", "permute");
    panics!(conv.forward(&image([3, 9, 2]), &mut ctx), "window of 3", "input of 2");
    panics!(conv.clone().groups(3), "Conv2d: groups has no effect");
    panics!(Conv2d::with(3, 8, 0, &mut rng), "Conv2d: kernel 0x0");
    panics!(ConvTranspose2d::with(3, 8, 0, &mut rng), "ConvTranspose2d: kernel 0x0");
    panics!(MaxPool2d::new(2).forward(&image([3, 1, 9]), &mut ctx), "max_pool", "window of 2");
    panics!(AvgPool2d::new(2).forward(&rows, &mut ctx), "avg_pool", "[N, C, ..]");
    panics!(GlobalAveragePool.forward(&rows, &mut ctx), "GlobalAveragePool", "[4, 2]", "[N, C, ..]");
    panics!(MeanOverTime.forward(&rows, &mut ctx), "MeanOverTime", "[4, 2]", "[N, T, ..]");
    let words = Tensor::arange(6).reshape([1, 3, 2]);
    panics!(MeanOverTime.forward(&words, &mut ctx), "MeanOverTime", "i64", "not floating-point");
    panics!(Upsample::to([2]).forward(&x, &mut ctx), "Upsample", "1 sizes", "2 axes");
    panics!(Pad::reflect(9).forward(&x, &mut ctx), "pad", "by 9 and 9", "at most 8");
    panics!(Pad::zeros([(1, 1)]).forward(&x, &mut ctx), "Pad", "1 pairs", "2 axes");
    panics!(GroupNorm::with(2, 4).forward(&x, &mut ctx), "GroupNorm", "4 channels on axis 1");
    panics!(InstanceNorm::new().forward(&rows, &mut ctx), "InstanceNorm", "[4, 2]", "more than 1 element");
    panics!(RmsNorm::with(3).forward(&rows, &mut ctx), "RmsNorm", "[4, 2]", "3 features");
    panics!(PRelu::with(3).forward(&rows, &mut ctx), "PRelu", "[4, 2]", "3 channels");
    let keras = PRelu::keras().built([2, 3], &mut rng).unwrap();
    panics!(keras.forward(&Tensor::ones([4, 3, 2]), &mut ctx), "PRelu", "[4, 3, 2]", "each element of samples [2, 3]");
    panics!(SpatialDropout::new(0.5).forward(&rows, &mut ctx), "SpatialDropout", "[4, 2]", "[N, C, ..]");
    panics!(Permute::new([2, 1]).forward(&rows, &mut ctx), "Permute", "[2, 1]", "1 axes");
    panics!(TimeDistributed::new(Relu).forward(&Tensor::ones([2]), &mut ctx), "[N, T, ..]");
}

/// A module whose mistake is in its own code.
#[derive(Module)]
struct Wrong {
    weight: Tensor,
}

const WRONG: u32 = line!() + 3;
impl Forward for Wrong {
    fn forward(&self, x: &Tensor, _: &mut Context) -> Tensor {
        x.matmul(&self.weight)
    }
}

#[test]
fn mistakes_in_a_module_of_ones_own_name_its_line() {
    let module = Wrong { weight: Tensor::ones([5, 1]) };
    let (file, line, message) = panic_of(|| drop(module.forward(&Tensor::ones([4, 2]), &mut Context::evaluation())));
    assert!(file.ends_with("main.rs") && message.contains("inner sizes 2 and 5 differ"), "{file}: {message}");
    assert_eq!(line, WRONG, "{message}");
}

#[test]
fn mistakes_in_what_is_compiled_are_found_before_the_first_step() {
    let data = points();
    let compile = |last, loss: Box<dyn Loss>| network(last).compile(Sgd::new(0.1), loss, Accuracy);
    let logits = || Box::new(CategoricalCrossentropy.from_logits());
    says(compile(Softmax, logits()), &["output of a softmax", "applied twice", "remove from_logits()"]);
    says(compile(Sigmoid, logits()), &["output of a sigmoid", "applied twice"]);
    says(
        compile(Tanh, Box::new(NegativeLogLikelihood)).and_then(|mut model| model.fit(&data, Fit::epochs(1).quiet())),
        &["log-probabilities", "LogSoftmax"],
    );
    let mut ends_in_relu = compile(Identity, Box::new(CategoricalCrossentropy)).unwrap();
    says(ends_in_relu.fit(&data, Fit::epochs(1).quiet()), &["probabilities", "Softmax", "from_logits()"]);
    compile(LogSoftmax, logits()).unwrap();
    let mut unbuilt = Trainer::new(network(Softmax), Sgd::new(0.1), CategoricalCrossentropy, ());
    says(unbuilt.fit(&data, Fit::epochs(1).quiet()), &["build() or compile()"]);
    says(unbuilt.predict(&Tensor::ones([1, 2])), &["build() or compile()"]);
}

/// What `name`, one of the ignored tests below, prints on standard error, in a process of its own: some is said once.
fn notes_of(name: &str) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let output = command.args(["--ignored", "--exact", name, "--nocapture", "--test-threads", "1"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).unwrap()
}

#[track_caller]
fn notes(name: &str, line: Option<u32>, words: &[&str]) {
    let text = notes_of(name);
    let found: Vec<&str> = text.lines().filter(|line| line.starts_with("note: ") && line.contains(words[0])).collect();
    assert_eq!(found.len(), 1, "once, not: {text}");
    for word in words {
        assert!(found[0].contains(word), "`{}` does not say `{word}`", found[0]);
    }
    if let Some(line) = line {
        assert!(found[0].contains(&format!("main.rs:{line}: ")), "`{}` does not name line {line}", found[0]);
    }
}

#[test]
fn what_may_be_meant_is_said_once_with_the_remedy_and_the_line() {
    notes("in_a_loop::softmax_under_a_loss_from_logits", Some(in_a_loop::LOGITS), &["applied twice", "from_logits()"]);
    notes("in_a_loop::positive_log_probabilities", Some(in_a_loop::POSITIVE), &["log-probabilities", "LogSoftmax"]);
    notes("in_a_loop::a_penalty_that_is_forgotten", Some(in_a_loop::PENALTY), &["regularizers", "ctx.take_penalty()"]);
    assert_eq!(notes_of("in_a_loop::a_penalty_that_is_taken"), "");
    assert_eq!(notes_of("in_a_loop::penalties_of_two_networks"), "");
    notes(
        "in_a_loop::a_step_without_gradients",
        None,
        &["step changed nothing", "none of the parameters has a gradient"],
    );
    notes("in_fit::odd_settings", None, &["batch size 100 is more than the 12 samples of points"]);
    notes("in_fit::odd_settings", None, &["no sample has label 3 and 1 more of the labels", "5 outputs"]);
    notes("in_fit::odd_settings", None, &["warm-up takes 50 steps", "only 2"]);
    notes("in_fit::odd_settings", None, &["reduced every 9 epochs", "only 3"]);
}

mod in_a_loop {
    use super::*;

    pub const LOGITS: u32 = line!() + 8;
    #[test]
    #[ignore = "run by another test, in a process of its own"]
    fn softmax_under_a_loss_from_logits() {
        let net = network(Softmax).build().unwrap();
        let data = points();
        for _ in 0..3 {
            let y = net.forward(data.inputs(), &mut Context::training(Rng::new(1)));
            CategoricalCrossentropy.from_logits().loss(&y, data.targets()).backward();
        }
    }

    pub const POSITIVE: u32 = line!() + 7;
    #[test]
    #[ignore = "run by another test, in a process of its own"]
    fn positive_log_probabilities() {
        let net = network(Softmax).build().unwrap();
        for _ in 0..3 {
            let y = net.forward(points().inputs(), &mut Context::training(Rng::new(1)));
            NegativeLogLikelihood.loss(&y, points().targets()).backward();
        }
    }

    fn regularized() -> Sequential {
        let dense = Dense::new(3).activation(Softmax).weight_regularizer(Regularizer::l2(0.1));
        Sequential::new([2]).add(dense).build().unwrap()
    }

    pub const PENALTY: u32 = line!() + 7;
    #[test]
    #[ignore = "run by another test, in a process of its own"]
    fn a_penalty_that_is_forgotten() {
        let (mut net, mut optimizer) = (regularized(), Sgd::new(0.1));
        let mut ctx = Context::training(Rng::new(1));
        for step in 0..5 {
            let y = net.forward(points().inputs(), &mut ctx);
            let loss = CategoricalCrossentropy.loss(&y, points().targets());
            if step == 4 {
                // What was forgotten is not kept: the penalty is that of the last pass alone.
                let weight = net.state_dict()[0].1.powi(2).sum().item();
                assert!((ctx.take_penalty().unwrap().item() - 0.1 * weight).abs() < 1e-6);
            }
            optimizer.step(&mut net, &loss.backward());
        }
    }

    #[test]
    #[ignore = "run by another test, in a process of its own"]
    fn a_step_without_gradients() {
        let (a, mut b) = (regularized(), regularized());
        let gradients = a.forward(points().inputs(), &mut Context::evaluation()).sum().backward();
        Sgd::new(0.1).step(&mut b, &gradients);
        Sgd::new(0.1).step(&mut b, &gradients);
    }

    #[test]
    #[ignore = "run by another test, in a process of its own"]
    fn penalties_of_two_networks() {
        let (a, b) = (regularized(), regularized());
        let mut ctx = Context::training(Rng::new(1));
        a.forward(points().inputs(), &mut ctx);
        // A walk back that has nothing to do with them.
        Tensor::ones([1]).requires_grad().sum().backward();
        b.forward(points().inputs(), &mut ctx);
        let both = 0.1 * (a.state_dict()[0].1.powi(2).sum().item() + b.state_dict()[0].1.powi(2).sum().item());
        assert!((ctx.take_penalty().unwrap().item() - both).abs() < 1e-6);
    }

    #[test]
    #[ignore = "run by another test, in a process of its own"]
    fn a_penalty_that_is_taken() {
        let (mut net, mut optimizer) = (regularized(), Sgd::new(0.1));
        let mut ctx = Context::training(Rng::new(1));
        for _ in 0..3 {
            // Two passes count both their penalties.
            let y = net.forward(points().inputs(), &mut ctx) + net.forward(points().inputs(), &mut ctx);
            let loss = MeanSquaredError.loss(&y, &Tensor::zeros([12, 3])) + ctx.take_penalty().unwrap();
            optimizer.step(&mut net, &loss.backward());
        }
        net.forward(points().inputs(), &mut Context::evaluation());
    }
}

mod in_fit {
    use super::*;

    #[test]
    #[ignore = "run by another test, in a process of its own"]
    fn odd_settings() {
        let model = Sequential::new([2]).add(Dense::new(5).activation(Softmax));
        let mut model = model.compile(Sgd::new(0.1), CategoricalCrossentropy, ()).unwrap();
        let schedule = Schedule::WarmUp { warmup_steps: 50, then: Box::new(Schedule::Constant) };
        model.fit(&points(), Fit::epochs(2).batch_size(100).schedule(schedule).quiet()).unwrap();
        let data = Dataset::new("others", points().inputs().clone(), points().targets() + 2).unwrap();
        let schedule = Schedule::Step { step_size: 9, gamma: 0.1 };
        model.fit(&data, Fit::epochs(1).schedule_by_epoch(schedule).quiet()).unwrap();
        model.fit(&data, Fit::epochs(1).full_batch().quiet()).unwrap();
    }
}
