//! What the page says.

use std::path::Path;

use super::Report;
use crate::data::synthetic::moons;
use crate::prelude::*;
use crate::train::{Every, RunFolder};

fn data() -> [Dataset; 2] {
    [moons(120, 0.2, 1).unwrap(), moons(60, 0.2, 2).unwrap().renamed("held back")]
}

fn model() -> Trainer<Sequential> {
    let model = Sequential::new([2]).seed(1).add(Dense::new(8).activation(Relu)).add(Dense::new(1).activation(Sigmoid));
    model.compile(Adam::new(0.02), BinaryCrossentropy, Accuracy).unwrap()
}

/// The page, as a document: void elements are closed, so that a reader of XML takes it, which finds each tag that is not in its place.
fn page(folder: &Path) -> String {
    let page = std::fs::read_to_string(folder.join(Report::FILE)).unwrap();
    let mut closed = String::new();
    let mut rest = page.as_str();
    while let Some(at) = rest.find("<meta") {
        let end = at + rest[at..].find('>').unwrap();
        closed += &format!("{}/>", &rest[..end]);
        rest = &rest[end + 1..];
    }
    closed += rest;
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
    let document = roxmltree::Document::parse_with_options(&closed, options).unwrap();
    check(&document);
    closed
}

/// What holds of every page.
fn check(document: &roxmltree::Document) {
    let mut level = 0;
    for node in document.descendants().filter(|node| node.is_element()) {
        let name = node.tag_name().name();
        assert!(!["script", "iframe", "link", "img", "form", "object"].contains(&name), "{name}");
        for attribute in node.attributes() {
            let (name, value) = (attribute.name(), attribute.value());
            assert!(!name.starts_with("on"), "{name}={value}");
            let is_address = ["href", "src"].contains(&name);
            assert!(!is_address || value.starts_with('#') || value.starts_with("data:image/png;base64,"), "{value}");
            assert!(!value.contains("://"), "{name}={value}");
        }
        if let Some(own) = name.strip_prefix('h').and_then(|level| level.parse::<usize>().ok()) {
            assert!(own <= level + 1, "h{own} after h{level}");
            level = own;
        }
        if let Some(place) = node.attribute("href").and_then(|href| href.strip_prefix('#')) {
            assert!(document.descendants().any(|node| node.attribute("id") == Some(place)), "#{place} leads nowhere");
        }
        if name == "svg" {
            let title = node.children().find(|child| child.tag_name().name() == "title").unwrap();
            assert!(node.attribute("role") == Some("img") && !title.text().unwrap_or_default().is_empty());
        }
    }
}

/// The exact numbers of a table's row, by its first cell.
fn numbers(page: &str, table: &str, row: &str) -> Vec<f64> {
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
    let document = roxmltree::Document::parse_with_options(page, options).unwrap();
    let is = |node: &roxmltree::Node, name: &str| node.tag_name().name() == name;
    let text = |node: roxmltree::Node| {
        node.descendants().filter_map(|own| own.text().filter(|_| own.is_text())).collect::<String>()
    };
    let is_it = |node: &roxmltree::Node| is(node, "table") && text(node.first_element_child().unwrap()).contains(table);
    let table = document.descendants().find(is_it).unwrap_or_else(|| panic!("no table {table}"));
    let row = table
        .descendants()
        .find(|node| is(node, "tr") && text(node.first_element_child().unwrap()) == row)
        .unwrap_or_else(|| panic!("no row {row}"));
    row.descendants().filter_map(|node| node.attribute("value")?.parse().ok()).collect()
}

fn has(page: &str, words: &[&str]) {
    words.iter().for_each(|word| assert!(page.contains(word), "{word} is not in the page"));
}

#[test]
fn the_numbers_are_those_of_the_trained_model() {
    let folder = tempfile::tempdir().unwrap();
    let [train, test] = data();
    let mut model = model();
    let report = Report::new(folder.path())
        .validation_data(&test)
        .part("training", &train)
        .part("test", &test)
        .class_names(["upper", "lower"])
        .settings("epochs = 4\n")
        .repeat(["cargo run"]);
    let history = model.fit(&train, Fit::epochs(4).validation_data(&test).callback(report).quiet()).unwrap();
    let page = page(folder.path());
    let score = model.evaluate(&test).unwrap();
    let intervals = model.intervals(&test, &score).unwrap();
    for name in ["loss", "accuracy"] {
        let interval = intervals.iter().find(|own| own.name == name).unwrap();
        let expected = [score[name], interval.low, interval.high, history.last(name).unwrap()];
        assert_eq!(numbers(&page, "Scores of the trained model", name), expected, "{name}");
    }
    let ids = [
        "scores",
        "curves",
        "network",
        "classes",
        "calibration",
        "mistakes",
        "inputs",
        "data",
        "timing",
        "settings",
        "repeat",
    ];
    ids.iter().for_each(|id| has(&page, &[&format!("<section id=\"{id}\">"), &format!("href=\"#{id}\"")]));
    let mut matrix = ConfusionMatrix::new();
    matrix.update(&model.predict(&test).unwrap(), test.targets());
    for (class, name) in ["upper", "lower"].iter().enumerate() {
        let row = format!("{name}</th>");
        let at = page.find("Scores of each class").map(|at| at + page[at..].find(&row).unwrap()).unwrap();
        let recall = matrix.count(class, class) as f64 / (matrix.count(class, 0) + matrix.count(class, 1)) as f64;
        has(&page[at..at + 400], &[&format!("{:.2}%", 100.0 * recall)]);
    }
    has(&page, &["input 0", "epochs = 4", "cargo run", "The learning rate was 0.0200 throughout"]);
    assert!(!page.contains("not those of the last one"));
}

#[test]
fn the_scores_are_those_of_restored_weights() {
    let folder = tempfile::tempdir().unwrap();
    let [train, test] = data();
    let mut model = model();
    // The worst validation loss is the first one's.
    let first = KeepBest::new("val_loss").mode(crate::optim::Mode::Max);
    let report = Report::new(folder.path()).validation_data(&test);
    let fit = Fit::epochs(4).validation_data(&test).callback(first).callback(report).quiet();
    model.fit(&train, fit).unwrap();
    let page = page(folder.path());
    has(&page, &["left with the weights of epoch 1 of 4"]);
    let loss = model.evaluate(&test).unwrap()["loss"];
    assert_eq!(numbers(&page, "Scores of the trained model", "loss")[0], loss);
}

#[test]
fn hostile_names_are_shown_and_never_executed() {
    let folder = tempfile::tempdir().unwrap();
    let [train, test] = data();
    let hostile = "\"'><script>alert(1)</script>&amp;\u{1F40B}</style></pre>";
    let (train, test) = (train.renamed(hostile), test.renamed(hostile));
    let report = Report::new(folder.path())
        .title(hostile)
        .validation_data(&test)
        .part(hostile, &train)
        .class_names([hostile, hostile])
        .settings(hostile)
        .fact(hostile, hostile)
        .details(hostile)
        .repeat([hostile])
        .feature_names([(hostile, 0..1), (hostile, 1..2)])
        .sample_columns([hostile], move |_| vec![hostile.to_owned()]);
    model().fit(&train, Fit::epochs(1).validation_data(&test).callback(report).quiet()).unwrap();
    std::fs::write(
        folder.path().join(RunFolder::HEALTH),
        "[{\"kind\": \"overfitting\", \"layer\": null, \"epoch\": 1, \"step\": 2, \"text\": \"<script>\", \"advice\": \"a & b\"}]",
    )
    .unwrap();
    let page = page(folder.path());
    assert!(!page.contains("<script"));
    assert!(page.matches("&lt;script&gt;alert(1)&lt;/script&gt;&amp;amp;\u{1F40B}").count() > 8);
    has(&page, &["default-src 'none'"]);
}

#[derive(Module)]
struct Net {
    layer: Linear,
}

impl Forward for Net {
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        self.layer.forward(x, ctx)
    }
}

#[test]
fn a_model_of_ones_own_has_a_report_too() {
    let folder = tempfile::tempdir().unwrap();
    let [train, test] = data();
    let net = Net { layer: Linear::new(2, 1, &mut Rng::new(0)) };
    let mut model = Trainer::new(net, Sgd::new(0.1), BinaryCrossentropy.from_logits(), Accuracy);
    let path = folder.path().join("of my own.HTML");
    let report = Report::new(&path).validation_data(&test);
    model.fit(&train, Fit::epochs(2).validation_data(&test).callback(report).quiet()).unwrap();
    std::fs::rename(path, folder.path().join(Report::FILE)).unwrap();
    let page = page(folder.path());
    has(&page, &["id=\"classes\"", "id=\"calibration\"", "id=\"inputs\""]);
    assert!(!page.contains("id=\"network\""));
    // Above a logit of 0, class 1 is predicted.
    let accuracy = model.evaluate(&test).unwrap()["accuracy"];
    has(&page, &["Confusion matrix", &format!("{:.2}%", 100.0 * accuracy)]);
    let mut matrix = ConfusionMatrix::new().threshold(0.0);
    matrix.update(&model.predict(&test).unwrap(), test.targets());
    has(&page, &[&format!("{} mistakes", matrix.count(0, 1) + matrix.count(1, 0))]);
}

#[derive(Module)]
struct Two {
    scale: Tensor,
}

impl Model for Two {
    fn input_names(&self) -> Vec<&str> {
        vec!["a", "b"]
    }

    fn forward_parts(&self, inputs: &Parts, _: &mut Context) -> Parts {
        Parts::from([("a", &inputs["a"] * &self.scale), ("b", &inputs["b"] * &self.scale)])
    }
}

#[test]
fn several_inputs_and_outputs_are_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let ones = || Tensor::ones([4, 1]);
    let data = Dataset::with_parts("two", [("a", ones()), ("b", ones())], [("a", ones()), ("b", ones())]).unwrap();
    let losses = Losses::new().output("a", MeanSquaredError).output("b", MeanSquaredError);
    let mut model = Trainer::new(Two { scale: Tensor::full([1], 0.5).requires_grad() }, Sgd::new(0.01), losses, ());
    let report = Report::new(folder.path()).validation_data(&data).part("all", &data);
    model.fit(&data, Fit::epochs(2).callback(report).quiet()).unwrap();
    let page = page(folder.path());
    has(&page, &["The model has the outputs a, b", "several inputs", "a_loss"]);
}

#[test]
fn numbers_have_errors_in_place_of_confusions() {
    let folder = tempfile::tempdir().unwrap();
    let x = Tensor::randn([200, 3], &mut Rng::new(3));
    let y = x.narrow(1, 0, 1) * 2.0 + x.narrow(1, 1, 1);
    let data = Dataset::new("plane", x, y).unwrap();
    let model = Sequential::new([3]).seed(1).add(Dense::new(1));
    let mut model = model
        .compile(Adam::new(0.05), MeanSquaredError, (crate::metric::MeanAbsoluteError::new(), R2Score::new()))
        .unwrap();
    let report = Report::new(folder.path())
        .validation_data(&data)
        .part("all", &data)
        .sample_columns(["row"], |sample| vec![format!("row {sample}")]);
    model.fit(&data, Fit::epochs(5).validation_data(&data).callback(report).quiet()).unwrap();
    let page = page(folder.path());
    let score = model.evaluate(&data).unwrap();
    let close = |a: f64, b: f64| (a - b).abs() < 1e-5 * b.abs().max(1.0);
    let [_, absolute, squared, r2] = numbers(&page, "Errors, predicted minus true", "0").try_into().unwrap();
    assert!(close(absolute, score["mean_absolute_error"]) && close(r2, score["r2_score"]), "{absolute} {r2} {score}");
    assert!(close(squared.powi(2), score["loss"]));
    has(
        &page,
        &[
            "Residuals",
            "Predicted against true",
            "The numbers to be predicted",
            "How much loss rises without an input",
            "row 1",
        ],
    );
    assert!(!page.contains("id=\"calibration\"") && !page.contains("id=\"classes\""));
}

#[test]
fn the_report_of_a_resumed_run_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let [train, test] = data();
    let fit = || Fit::epochs(5).validation_data(&test).quiet();
    let run = |model: &Trainer<Sequential>| {
        let folder = RunFolder::open(at, model.model.architecture(), Default::default()).unwrap();
        folder.checkpoint(Every::Steps(usize::MAX), Default::default())
    };
    let mut first = model();
    let pause = |event: &Event| {
        Ok(if matches!(event, Event::EpochEnd { epoch: 2, .. }) { Flow::Suspend } else { Flow::Continue })
    };
    let all = fit().callback(run(&first)).callback(Report::new(at).validation_data(&test)).on_event(pause);
    first.fit(&train, all).unwrap();
    let so_far = page(at);
    has(
        &so_far,
        &["Training was stopped after 2 epochs of 5 and step 8, to be resumed", "Loss and metrics of epoch 2"],
    );
    assert!(!so_far.contains("id=\"classes\""));
    let mut second = model();
    let all = fit().callback(run(&second)).callback(Report::new(at).validation_data(&test));
    let history = second.resume(at.join(RunFolder::CHECKPOINT), &train, all).unwrap();
    let whole = page(at);
    has(&whole, &["for 5 epochs", "<dt>resumed</dt><dd>1 time</dd>"]);
    assert!(!whole.contains("Training was stopped"));
    let score = second.evaluate(&test).unwrap();
    assert_eq!(numbers(&whole, "Scores of the trained model", "loss")[0], score["loss"]);
    // The curve has a point for each epoch.
    let curve = whole.split("<polyline points=\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!((curve.split(' ').count(), history.epochs.len()), (5, 5));
}

#[test]
fn a_folder_that_is_removed_meanwhile_is_made_again_and_one_that_cannot_be_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("run");
    let [train, test] = data();
    for blocked in [false, true] {
        let spoil = |event: &Event| {
            if let Event::EpochEnd { epoch: 1, .. } = event {
                std::fs::remove_dir_all(&at).unwrap();
                if blocked {
                    std::fs::write(&at, "a file").unwrap();
                }
            }
            Ok(Flow::Continue)
        };
        let fit = Fit::epochs(2).callback(Report::new(&at).validation_data(&test)).on_event(spoil).quiet();
        assert_eq!(model().fit(&train, fit).unwrap().epochs.len(), 2);
        assert_eq!(at.join(Report::FILE).exists(), !blocked);
    }
}

#[test]
fn a_place_that_cannot_be_written_to_is_known_before_training() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join(Report::FILE)).unwrap();
    let [train, _] = data();
    let fit = Fit::epochs(1).callback(Report::new(folder.path())).quiet();
    let message = model().fit(&train, fit).unwrap_err().to_string();
    assert!(message.contains("report.html") && message.contains("is a folder, where the report"), "{message}");
}

#[test]
fn what_cannot_be_shown_is_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let [train, _] = data();
    let other = Dataset::new("others", Tensor::ones([3, 5]), Tensor::from([0, 1, 0])).unwrap();
    std::fs::write(folder.path().join(RunFolder::HEALTH), "[{\"kind\": \"unheard of\"").unwrap();
    let report = || Report::new(folder.path()).validation_data(&other);
    let refused = model().fit(&train, Fit::epochs(1).callback(report().image_shape([7, 7])).quiet());
    let message = refused.unwrap_err().to_string();
    assert!(message.contains("Report: image_shape is") && message.contains("[7, 7]"), "{message}");
    let report = report();
    model().fit(&train, Fit::epochs(1).callback(report).quiet()).unwrap();
    let page = page(folder.path());
    has(&page, &["The scores cannot be shown: ", "The model’s outputs are not shown: ", "is not a list of findings"]);
}

#[test]
fn findings_and_images_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let finding = "[{\"kind\": \"dead_units\", \"layer\": \"layers.0.weight\", \"epoch\": 3, \"step\": 150, \"text\": \"7 of 8 units sleep\", \
                   \"advice\": \"a lower learning rate\"}]";
    std::fs::write(at.join(RunFolder::HEALTH), finding).unwrap();
    let mut rng = Rng::new(1);
    let pixels = (Tensor::rand([60, 4, 6], &mut rng) * 255.0).to_dtype(DType::U8);
    let labels: Vec<i64> = (0..60).map(|sample| sample % 3).collect();
    let data = Dataset::new("noise", pixels, Tensor::from_vec(labels, [60])).unwrap().divide(255.0);
    let model = Sequential::new([4, 6])
        .seed(1)
        .add(Flatten)
        .add(Dense::new(5).activation(Relu))
        .add(Dense::new(3).activation(Softmax));
    let mut model = model.compile(Adam::new(0.001), CategoricalCrossentropy, Accuracy).unwrap();
    let report = Report::new(at).validation_data(&data).class_names(["a", "b", "c"]);
    model.fit(&data, Fit::epochs(1).callback(report).quiet()).unwrap();
    let page = page(at);
    has(
        &page,
        &[
            "Epoch 3, step 150: 7 of 8 units sleep. Try a lower learning rate.",
            "Weights of the first layer",
            "5 units, each with a weight",
        ],
    );
    assert!(page.matches("data:image/png;base64,").count() >= 5 + 16, "weights and mistakes");
}

#[test]
fn a_single_epoch_and_a_loss_that_is_not_finite_are_kept_to_the_bit() {
    use crate::train::{Callback, CallbackState};
    let folder = tempfile::tempdir().unwrap();
    let mut report = Report::new(folder.path());
    let mut logs = crate::train::Logs::default();
    logs.push("loss", f64::NAN, "NaN".into());
    logs.push("accuracy", 0.1 + 0.2, "0.3".into());
    let (model, rate) = (model(), 0.1);
    let event = Event::EpochEnd {
        epoch: 1,
        logs: &logs,
        learning_rate: rate,
        elapsed: std::time::Duration::from_millis(5),
        model: &model.model,
    };
    report.on_event(&event).unwrap();
    let mut other = Report::new(folder.path());
    other.load_state(report.state().unwrap()).unwrap();
    let history = other.run.history();
    assert!(history.epochs[0]["loss"].is_nan() && history.epochs[0]["accuracy"] == 0.1 + 0.2);
    let error = other.load_state(CallbackState::text("{}".into())).unwrap_err().to_string();
    assert!(error.contains("the checkpoint's state of Report cannot be read"), "{error}");
}
