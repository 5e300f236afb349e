//! Every picture of `hadal::plot`: well-formed SVG with its title and labels, and PNG. With HADAL_PICTURES set to a folder, they are
//! written there, to be looked at.
#![cfg(feature = "plot")]

use hadal::classic::LinearSvm;
use hadal::data::synthetic::{blobs, cats_and_dogs, moons, spirals};
use hadal::plot::{self, NO_NAMES, Picture, Plot};
use hadal::prelude::*;

/// Checks a picture; returns the texts in it.
#[track_caller]
fn checked(name: &str, picture: &Picture, words: &[&str]) -> Vec<String> {
    let svg = picture.svg();
    let document = roxmltree::Document::parse(&svg).unwrap_or_else(|error| panic!("{name}: {error}\n{svg}"));
    let texts = document.descendants().filter(|node| node.has_tag_name("text"));
    let texts: Vec<String> = texts.filter_map(|node| node.text()).map(str::to_owned).collect();
    for word in words {
        assert!(texts.iter().any(|text| text.contains(word)), "{name}: `{word}` is not among {texts:?}");
    }
    for bad in ["NaN", "inf\""] {
        assert!(!svg.contains(&format!("=\"{bad}")), "{name}: {bad}");
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = std::env::var_os("HADAL_PICTURES").map_or(folder.path().to_owned(), Into::into);
    picture.save(folder.join(name).with_extension("svg")).unwrap();
    if cfg!(feature = "plot-png") {
        let path = folder.join(name).with_extension("png");
        picture.save(&path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let side = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
        let svg = document.root_element();
        let wanted = ["width", "height"].map(|side| 2 * svg.attribute(side).unwrap().parse::<u32>().unwrap());
        assert_eq!([side(16), side(20)], wanted, "{name}");
    }
    texts
}

fn trained(data: &Dataset, test: &Dataset, epochs: usize) -> (Trainer<Sequential>, hadal::train::History) {
    let model = Sequential::new([2]).add(Dense::new(32).activation(Relu)).add(Dense::new(1).activation(Sigmoid));
    let mut model = model.compile(Adam::new(0.02), BinaryCrossentropy, [Accuracy]).unwrap();
    let history = model.fit(data, Fit::epochs(epochs).validation_data(test).quiet()).unwrap();
    (model, history)
}

#[test]
fn a_binary_classifier_has_all_its_pictures() {
    let (train, test) = (moons(300, 0.25, 1).unwrap(), moons(400, 0.25, 2).unwrap());
    let (model, history) = trained(&train, &test, 40);
    let losses = plot::loss_curves(&history).unwrap();
    checked("loss_curves", &losses, &["Loss", "Metrics", "val_loss", "val_accuracy", "epoch"]);
    let boundary = plot::decision_boundary(&model, &test).unwrap().title("Two moons");
    checked("decision_boundary", &boundary, &["Two moons", "class 0", "class 1", "feature 1"]);
    let scores = model.predict(&test).unwrap();
    checked(
        "roc_curve",
        &plot::roc_curve(&scores, test.targets()).unwrap(),
        &["ROC curve", "area 0.9", "false positive rate"],
    );
    let curve = plot::precision_recall_curve(&scores, test.targets()).unwrap();
    checked("precision_recall_curve", &curve, &["Precision-recall curve", "average 0.9", "recall", "chance, 0.500"]);
    let curve = plot::calibration_curve(&scores, test.targets()).unwrap();
    checked(
        "calibration_curve",
        &curve,
        &["Calibration", "expected calibration error 0.", "observed share of class 1"],
    );
    let mut matrix = ConfusionMatrix::new();
    matrix.update(&scores, test.targets());
    let two = plot::confusion_matrix(&matrix, &["upper moon", "lower <moon> & \"co\""]).unwrap();
    checked("confusion_matrix_2", &two, &["upper moon", "lower <moon>…", "true class", "predicted class"]);
}

#[test]
fn a_classifier_of_ten_classes_has_all_its_pictures() {
    let (train, test) = Digits::generate(1).unwrap();
    let (train, test) = (train.take(2000), test.take(1000));
    let model = Sequential::new([784]).add(Dense::new(64).activation(Relu)).add(Dense::new(10).activation(Softmax));
    let mut model = model.compile(RmsProp::default(), CategoricalCrossentropy, [Accuracy]).unwrap();
    let before = plot::histograms_by_depth(&model.model.state_dict()).unwrap();
    checked("histograms_by_depth", &before, &["layers.0.weight", "100% zero"]);
    model.fit(&train, Fit::epochs(3).quiet()).unwrap();
    let scores = model.predict(&test).unwrap();
    let mut matrix = ConfusionMatrix::new();
    matrix.update(&scores, test.targets());
    checked(
        "confusion_matrix_10",
        &plot::confusion_matrix(&matrix, NO_NAMES).unwrap(),
        &["accuracy", "of 1000 samples"],
    );
    let names =
        ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"];
    checked("confusion_matrix_names", &plot::confusion_matrix(&matrix, &names).unwrap(), &["Ankle boot", "100%"]);
    checked("roc_curve_10", &plot::roc_curve(&scores, test.targets()).unwrap(), &["7 worst of 10 classes", "class"]);
    let curve = plot::calibration_curve(&scores, test.targets()).unwrap();
    checked("calibration_curve_10", &curve, &["probability of the predicted class", "accuracy"]);
    let images = test.inputs().narrow(0, 0, 24).reshape([24, 28, 28]);
    let captions: Vec<String> =
        test.targets().to_vec::<i64>()[..24].iter().map(|label| format!("a {label} 🐈 <i>")).collect();
    checked("image_grid", &plot::image_grid(&images, &captions).unwrap().title("Digits"), &["Digits", "<i>"]);
    checked("weights", &plot::weights(&model.model).unwrap(), &["layers.0.weight: 64 units of 784 weights"]);
    let weights = model.model.state_dict()[0].1.clone();
    checked(
        "histogram",
        &plot::histogram(&weights).unwrap(),
        &["Histogram of 50,176 values", "standard deviation", "count"],
    );
    checked("network_diagram", &plot::network_diagram(&model.model).unwrap(), &["input", "Dense", "50,240", "[784]"]);
}

#[test]
fn other_networks_and_classifiers_are_drawn() {
    let model = Sequential::new([28, 28])
        .add(Flatten)
        .add(Dense::new(512).activation(Relu))
        .add(BatchNorm::new())
        .add(Dropout::new(0.2))
        .add(Residual::new().add(Dense::new(512).activation(Relu)).add(Dense::new(512)))
        .add(Dense::new(10).activation(Softmax))
        .build()
        .unwrap();
    checked("network_diagram_mixed", &plot::network_diagram(&model).unwrap(), &["Flatten", "BatchNorm", "Residual"]);
    let small =
        Sequential::new([3]).add(Dense::new(5).activation(Tanh)).add(Dense::new(4).activation(Tanh)).add(Dense::new(1));
    checked(
        "network_diagram_small",
        &plot::network_diagram(&small.build().unwrap()).unwrap(),
        &["Network of 49 parameters"],
    );
    let deep = (0..30)
        .fold(Sequential::new([16]), |model, _| model.add(Dense::new(16).activation(Relu)).add(LayerNorm::new()));
    checked(
        "network_diagram_deep",
        &plot::network_diagram(&deep.build().unwrap()).unwrap(),
        &["LayerNorm", "272 parameters"],
    );
    let data = cats_and_dogs(100, 0.0, 3).unwrap();
    let line = LinearSvm::new().fit(&data).unwrap().classifier;
    checked("decision_boundary_line", &plot::decision_boundary(&line, &data).unwrap(), &["class 1"]);
    for (name, data, classes) in
        [("blobs", blobs(300, 8, 1.0, 1).unwrap(), 8), ("spirals", spirals(300, 3, 0.1, 1).unwrap(), 3)]
    {
        let model = Sequential::new([2]).add(Dense::new(64).activation(Relu)).add(Dense::new(64).activation(Relu));
        let model = model.add(Dense::new(classes).activation(Softmax));
        let mut model = model.compile(Adam::new(0.01), CategoricalCrossentropy, Accuracy).unwrap();
        model.fit(&data, Fit::epochs(60).quiet()).unwrap();
        checked(&format!("decision_boundary_{name}"), &plot::decision_boundary(&model, &data).unwrap(), &["class 2"]);
    }
}

#[test]
fn optimizers_and_activations_are_drawn() {
    let rosenbrock = |x: f64, y: f64| (1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2);
    let path = |mut optimizer: Box<dyn Optimizer>| {
        let mut w = Tensor::from_slice(&[-1.5f64, -0.5], [2]).requires_grad();
        let mut points = Vec::new();
        for _ in 0..300 {
            let at = w.to_vec::<f64>();
            points.push((at[0], at[1]));
            let (x, y) = (w.narrow(0, 0, 1), w.narrow(0, 1, 1));
            let loss = ((1.0 - &x).powi(2) + (&y - x.powi(2)).powi(2) * 100.0).sum();
            optimizer.step(&mut w, &loss.backward());
        }
        points
    };
    let paths = [
        ("SGD", path(Box::new(Sgd::new(0.001)))),
        ("momentum", path(Box::new(Sgd::new(0.0005).momentum(0.9)))),
        ("RMSprop", path(Box::new(RmsProp::new(0.02)))),
        ("Adam", path(Box::new(Adam::new(0.1)))),
        ("too fast", path(Box::new(Sgd::new(0.02)))),
    ];
    let picture = plot::optimizer_paths(rosenbrock, -2.0..2.0, -1.5..3.0, &paths).unwrap();
    checked("optimizer_paths", &picture, &["Adam: loss", "too fast: diverges", "first weight"]);
    checked("activations", &plot::activations(), &["gelu", "derivative"]);
    checked("activation", &plot::activation(Gelu).unwrap(), &["gelu", "f(x)"]);
}

#[test]
fn plots_of_ones_own_hold_their_series() {
    let waves = |phase: f64| (0..200).map(|i| f64::from(i) / 20.0).map(|x| (x, (x + phase).sin())).collect::<Vec<_>>();
    let plot = (0..16).fold(
        Plot::new("Sixteen waves, which is more than the palette has colours").labels("time (s)", "voltage (mV)"),
        |plot, i| plot.line(&format!("phase {i}"), &waves(f64::from(i) / 4.0)),
    );
    checked("plot_many", &plot.picture().unwrap(), &["time (s)", "voltage (mV)", "phase 15"]);
    let noise = Tensor::randn([200, 2], &mut Rng::new(1)).to_dtype(DType::F64).to_vec::<f64>();
    let cloud = |shift: f64| noise.chunks(2).map(|p| (p[0] + shift, p[1])).collect::<Vec<_>>();
    let plot = (0..4).fold(Plot::new("Clouds").labels("x", "y"), |plot, i| {
        plot.points(&format!("cloud {i}"), &cloud(3.0 * f64::from(i)))
    });
    checked("plot_points", &plot.picture().unwrap(), &["cloud 3"]);
    let rates: Vec<(f64, f64)> = (0..60)
        .map(|i| 10f64.powf(-6.0 + f64::from(i) / 10.0))
        .map(|x| (x, 2.0 / (1.0 + 1e3 * x) + x * x * 1e3))
        .collect();
    let plot =
        Plot::new("Learning rate range test").labels("learning rate", "loss").line("loss", &rates).log_x().log_y();
    checked("plot_log", &plot.picture().unwrap(), &["10⁻⁴", "learning rate"]);
    let million: Vec<(f64, f64)> =
        (0..1_000_000u32).map(|i| (f64::from(i), f64::from(i.wrapping_mul(2_654_435_761) >> 8))).collect();
    let picture = Plot::new("A million points").line("noise", &million).picture().unwrap();
    assert!(picture.svg().len() < 200_000);
    checked("plot_million", &picture, &["200,000"]);
}

#[test]
fn extreme_data_is_drawn_within_its_picture() {
    let wave: Vec<(f64, f64)> = (0..100).map(|i| (f64::from(i), (f64::from(i) / 9.0).sin())).collect();
    let many = (0..60).fold(Plot::new("Sixty curves"), |plot, i| {
        plot.line(&format!("run {i} with a name that is rather long"), &wave)
    });
    checked("plot_sixty", &many.labels("step", "value").picture().unwrap(), &["run 0", "and 54 more"]);
    let long = "A title that is so long that it does not fit into one line and hardly into two, whatever the width is, because it goes on";
    let label = "a label of an axis that goes on and on, with units (m/s²), remarks, <b>markup</b> & \"quotes\" 🐈, and what not, so that it is cut";
    let plot = Plot::new(long).labels(label, label).line(label, &[(0.0, 1e-7), (1e6, 5e-7), (3e6, 2e-7)]);
    checked("plot_long", &plot.picture().unwrap(), &["A title", "a label of an axis", "10⁻⁷", "10⁶"]);
    let plot = Plot::new("Small").labels("x", "y").line("a", &wave).line("b", &wave);
    checked("plot_small", &plot.picture().unwrap().size(160, 160), &["Small"]);
    let names: Vec<String> = (0..1000).map(|class| format!("class called {class}")).collect();
    let labels = Tensor::from_vec((0..5000i64).map(|i| i % 1000).collect(), [5000]);
    let scores = Tensor::rand([5000, 1000], &mut Rng::new(1)) + labels.one_hot(1000).to_dtype(DType::F32) * 0.9985;
    let mut matrix = ConfusionMatrix::new();
    matrix.update(&scores, &labels);
    checked(
        "confusion_matrix_1000",
        &plot::confusion_matrix(&matrix, &names).unwrap(),
        &["975 others", "25 of 1000 classes"],
    );
    let colours = Tensor::rand([5, 3, 8, 16], &mut Rng::new(1));
    let captions = ["one", "a caption longer than its image is wide", "", "🐈", "<b>"];
    checked("image_grid_colours", &plot::image_grid(&colours, &captions).unwrap(), &["one", "a caption lon", "<b>"]);
    checked("image_grid_one", &plot::image_grid(&Tensor::rand([1, 5, 5], &mut Rng::new(1)), NO_NAMES).unwrap(), &[]);
    let tabular = Linear::new(13, 12, &mut Rng::new(1));
    checked("weights_tabular", &plot::weights(&tabular).unwrap(), &["12 units of 13 weights"]);
    let deep: Vec<(String, Tensor)> = (1..40)
        .map(|i| (format!("layer {i}"), Tensor::randn([1000], &mut Rng::new(i)) * 0.9f64.powi(i as i32)))
        .collect();
    checked("histograms_deep", &plot::histograms_by_depth(&deep).unwrap(), &["layer 39"]);
    checked("histogram_one", &plot::histogram(&Tensor::from([3.0])).unwrap(), &["mean 3"]);
}

#[test]
fn the_last_point_of_a_curve_is_at_the_right_place() {
    let picture =
        Plot::new("").line("", &[(0.0, 0.0), (1.0, 0.5), (2.0, 1.0)]).limits(0.0..2.0, 0.0..1.0).picture().unwrap();
    let svg = picture.svg();
    let document = roxmltree::Document::parse(&svg).unwrap();
    let points =
        document.descendants().find(|node| node.has_tag_name("polyline")).unwrap().attribute("points").unwrap();
    let points: Vec<Vec<f64>> =
        points.split(' ').map(|point| point.split(',').map(|x| x.parse().unwrap()).collect()).collect();
    // The frame: the axis on the left, from top to bottom, and that below, from left to right.
    let lines =
        document.descendants().filter(|node| node.has_tag_name("line") && node.attribute("stroke") == Some("#6e6e6e"));
    let ends: Vec<[f64; 4]> =
        lines.map(|line| ["x1", "y1", "x2", "y2"].map(|name| line.attribute(name).unwrap().parse().unwrap())).collect();
    let ([_, top, left, bottom], [_, _, right, _]) = (ends[0], ends[1]);
    assert_eq!(points[0], [left, bottom]);
    assert_eq!(points[2], [right, top]);
    assert!((points[1][0] - (left + right) / 2.0).abs() < 0.02 && (points[1][1] - (top + bottom) / 2.0).abs() < 0.02);
}

#[cfg(feature = "plot-png")]
#[test]
fn text_is_drawn_in_png_on_a_machine_without_fonts() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = |title: &str| {
        let path = folder.path().join("picture.png");
        Plot::new(title).points("", &[(0.0, 0.0)]).save(&path).unwrap();
        std::fs::read(path).unwrap()
    };
    assert_eq!(bytes("same"), bytes("same"));
    assert!(bytes("iiii") != bytes("mmmm") && bytes("αβγ") != bytes("αβδ") && bytes("10⁻⁷") != bytes("10⁻⁸"));
}

#[test]
fn other_endings_than_svg_and_png_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let message = |name: &str| plot::activations().save(folder.path().join(name)).unwrap_err().to_string();
    assert!(message("x.jpg").contains("saved as .svg or .png, not as .jpg"));
    assert!(message("x").contains("must end with .svg or .png"));
    if cfg!(not(feature = "plot-png")) {
        assert!(message("x.png").contains("feature `plot-png`"));
    }
    plot::activations().size(0, u32::MAX).save(folder.path().join("new folder/X.SVG")).unwrap();
    assert!(Picture::grid([], 2).unwrap_err().to_string().contains("at least one picture"));
}

#[test]
fn matrices_are_heat_maps() {
    let words = ["The", "cat", "that", "the", "dog", "saw", "sleeps", "."];
    let weights = Tensor::randn([8, 8], &mut Rng::new(1)).masked_softmax(1.0, true, None);
    let map =
        plot::HeatMap::new("What each word looks at", &weights).rows(&words).columns(&words).labels("key", "query");
    checked("heat_map", &map.picture().unwrap(), &["What each word", "sleeps", "key", "query", "1.00", "0.5"]);
    let correlations = Tensor::from([[1.0, -0.62, 0.08], [-0.62, 1.0, 0.3], [0.08, 0.3, 1.0]]);
    let names = ["age", "fare in pounds of 1912", "siblings <aboard>"];
    let map = plot::HeatMap::new("Correlation", &correlations).rows(&names).columns(&names);
    checked("heat_map_signed", &map.picture().unwrap(), &["−0.62", "−1", "age"]);
    let large = Tensor::rand([40, 120], &mut Rng::new(2));
    checked("heat_map_large", &plot::HeatMap::new("Large", &large).picture().unwrap(), &["Large", "0", "118"]);
    let panels = ["Head 1", "Head 2"].map(|name| map.picture().unwrap().title(name));
    checked("heat_map_grid", &Picture::grid(panels, 2).unwrap().size(760, 340), &["Head 1", "Head 2"]);
}
