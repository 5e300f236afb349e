//! What TensorBoard itself reads of the files that are written for it.
#![cfg(feature = "tensorboard")]

use std::path::Path;
use std::process::Command;

use hadal::monitor::tensorboard::{HParam, Log, TensorBoard};
use hadal::prelude::*;
use serde_json::{Value, json};

/// What TensorBoard's readers find in a folder, or a line that says why the test is skipped.
fn read(test: &str, folder: &Path) -> Option<Value> {
    let python = std::env::var("HADAL_PYTHON").unwrap_or_else(|_| "python3".into());
    let has = Command::new(&python).args(["-c", "import tensorboard"]).output();
    if !has.is_ok_and(|output| output.status.success()) {
        println!("skipped: {test} ({python} has no tensorboard; HADAL_PYTHON may name one that has)");
        return None;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tensorboard/read.py");
    let output = Command::new(&python).arg(script).arg(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

fn last(values: &Value) -> &Value {
    values.as_array().unwrap().last().unwrap()
}

fn floats(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

#[test]
fn tensorboard_reads_what_a_log_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::open(folder.path()).unwrap();
    let colours = Tensor::from_slice(&[255u8, 0, 0, 255, 10, 20], [3, 1, 2]);
    let model = Sequential::new([2]).add(Dense::new(3).activation(Relu)).add(Dense::new(1)).build().unwrap();
    log.hparams([("rate", HParam::from(0.1)), ("name", "a \"b\"".into()), ("on", true.into())]).unwrap();
    log.graph(&model);
    for (step, value) in [0.5, f64::NAN, f64::INFINITY, -1e-30].into_iter().enumerate() {
        log.step(10 * step).scalar("group/loss", value).unwrap();
    }
    log.step(7);
    log.histogram("w", &Tensor::from([0.0, 1.0, 1.0, 64.0])).unwrap();
    log.image("colours", &colours).unwrap();
    log.text("note", "# A title\n\u{1F40B} <script>").unwrap();
    log.pr_curve("cats", &Tensor::from([1, 0, 1, 1]), &Tensor::from([0.9, 0.6, 0.4, 1.0])).unwrap();
    drop(log);

    let Some(found) = read("tensorboard_reads_what_a_log_wrote", folder.path()) else { return };
    let scalars = &found["scalars"]["group/loss"];
    assert_eq!(scalars, &json!([[0, "0.5"], [10, "nan"], [20, "inf"], [30, format!("{:?}", f64::from(-1e-30f32))]]));
    let histogram = &found["histograms"]["w"][0];
    assert_eq!((&histogram[0], floats(&histogram[1])), (&json!(7), vec![0.0, 64.0, 4.0, 66.0, 4098.0]));
    let (limits, counts) = (floats(&histogram[2]), floats(&histogram[3]));
    assert_eq!((limits[0], limits[63], counts[0], counts[1], counts[63]), (1.0, 64.0, 1.0, 2.0, 1.0));
    let image = &found["images"]["colours"][0];
    assert_eq!((&image[0], &image[1], &image[2]), (&json!(7), &json!(1), &json!(2)));
    let png = folder.path().join("colours.png");
    let hex = image[3].as_str().unwrap();
    let bytes = (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap());
    std::fs::write(&png, bytes.collect::<Vec<u8>>()).unwrap();
    let mut reader =
        png::Decoder::new(std::io::BufReader::new(std::fs::File::open(&png).unwrap())).read_info().unwrap();
    let mut pixels = [0; 6];
    reader.next_frame(&mut pixels).unwrap();
    assert_eq!(pixels, [255, 0, 10, 0, 255, 20], "red, green and blue of a pixel stand together");
    assert_eq!(found["texts"]["note"], json!([[7, "# A title\n\u{1F40B} <script>"]]));
    let curve = &found["curves"]["cats"][0];
    let at = |row: usize, threshold: usize| curve[1][row][threshold].as_f64().unwrap() as f32;
    assert_eq!((0..6).map(|row| at(row, 63)).collect::<Vec<_>>(), [2.0, 1.0, 0.0, 1.0, 2.0 / 3.0, 2.0 / 3.0]);
    assert_eq!(found["start"]["hparams"], json!({"rate": 0.1, "name": "a \"b\"", "on": true}));
    assert_eq!(found["graph"]["0_Dense/Dense"], json!(["Dense (relu)", ["input", "0_Dense/weight", "0_Dense/bias"]]));
    let pages = [
        ("group/loss", "scalars"),
        ("w", "histograms"),
        ("colours", "images"),
        ("note", "text"),
        ("cats", "pr_curves"),
    ];
    for (tag, page) in pages {
        assert_eq!(found["pages"][tag], page, "{tag}");
    }
}

#[test]
fn tensorboard_reads_a_training_run() {
    let folder = tempfile::tempdir().unwrap();
    let data = Digits::samples(1, 0, 500).unwrap();
    let mut model = Sequential::new(data.input_shape())
        .add(Flatten)
        .add(Dense::new(16).activation(Relu))
        .add(Dense::new(10).activation(Softmax))
        .compile(Adam::new(0.001), CategoricalCrossentropy, [Accuracy])
        .unwrap();
    let board = TensorBoard::new(folder.path())
        .every_steps(20)
        .validation_data(&data)
        .class_names((0..10).map(|digit| format!("digit \"{digit}\" <b>")))
        .sample_columns(["a|b"], |sample| vec![format!("*{sample}*")])
        .verbatim("configuration", "[training]\nepochs = 2\n")
        .hparams([("learning_rate", 0.001.into())]);
    let history = model.fit(&data, Fit::epochs(2).validation_data(&data).callback(board).quiet()).unwrap();

    let Some(found) = read("tensorboard_reads_a_training_run", folder.path()) else { return };
    let steps = data.len().div_ceil(32);
    for (tag, name) in [("loss/train", "loss"), ("accuracy/validation", "val_accuracy")] {
        let expected: Vec<Value> = history
            .get(name)
            .unwrap()
            .iter()
            .enumerate()
            .map(|(epoch, value)| json!([(epoch + 1) * steps, format!("{:?}", f64::from(*value as f32))]))
            .collect();
        assert_eq!(found["scalars"][tag], Value::Array(expected), "{tag}");
    }
    assert_eq!(found["scalars"]["gradient_norm"].as_array().unwrap().len(), 2 * steps / 20);
    let (name, weight) = model.model.state_dict().swap_remove(0);
    let histogram = &found["histograms"][format!("weights/{name}")][2];
    let numbers = floats(&histogram[1]);
    assert_eq!(numbers[..3], [weight.min().item(), weight.max().item(), weight.elements() as f64]);
    assert_eq!(floats(&histogram[3]).iter().sum::<f64>(), weight.elements() as f64);

    // By definition, at a threshold that no prediction is near enough to for rounding to matter.
    let (predictions, threshold) = (model.predict(&data).unwrap().to_vec::<f32>(), 30);
    let labels = data.targets().to_vec::<i64>();
    let count = |positive: bool, predicted: bool| {
        let own = labels.iter().enumerate().filter(|(sample, label)| {
            let is_predicted = predictions[10 * sample + 3] >= threshold as f32 / 126.0;
            (**label == 3) == positive && is_predicted == predicted
        });
        own.count() as f64
    };
    let expected = [count(true, true), count(false, true), count(false, false), count(true, false)];
    let curve = last(&found["curves"]["precision_recall/digit \"3\" <b>"]);
    assert_eq!(curve[0], json!(2 * steps));
    assert_eq!([0, 1, 2, 3].map(|row| curve[1][row][threshold].as_f64().unwrap()), expected);

    let mut counts = vec![vec![0.0; 10]; 10];
    for (label, own) in labels.iter().zip(predictions.chunks(10)) {
        let predicted = (0..10).max_by(|a, b| own[*a].total_cmp(&own[*b])).unwrap();
        counts[*label as usize][predicted] += 1.0;
    }
    let matrices = &found["matrices"]["confusion_matrix"];
    let names: Vec<String> = (0..10).map(|digit| format!("digit \"{digit}\" <b>")).collect();
    assert_eq!(last(matrices), &json!([2 * steps, counts, {"classes": names}]));
    // The first epoch, too, and no epoch twice.
    let evaluated: Vec<&Value> = matrices.as_array().unwrap().iter().map(|own| &own[0]).collect();
    assert_eq!(evaluated, [&json!(steps), &json!(2 * steps)][2 - evaluated.len()..]);
    for (tag, lines) in [("predictions", 2 + 25), ("mistakes", 2 + 16), ("confusion_matrix/table", 2 + 10)] {
        let text = last(&found["texts"][tag])[1].as_str().unwrap();
        assert_eq!(text.lines().count(), lines, "{text}");
        assert!(text.contains("\" &lt;b>") && !text.contains('<'), "{text}");
        assert!(tag.starts_with("confusion") || text.contains("| a\\|b |\n"), "{text}");
    }
    assert!(last(&found["texts"]["predictions"])[1].as_str().unwrap().ends_with(" | \\*24\\* |\n"));
    let dead = found["scalars"]["dead_units/1 Dense (relu)"].as_array().unwrap();
    assert_eq!(dead.len(), 2);
    let shares = dead.iter().map(|own| own[1].as_str().unwrap().parse::<f64>().unwrap());
    assert!(shares.into_iter().all(|share| (0.0..=1.0).contains(&share) && (16.0 * share).fract() == 0.0), "{dead:?}");
    #[cfg(target_os = "linux")]
    {
        let memory = last(&found["scalars"]["system/memory"]);
        assert_eq!(memory[0], json!(20));
        assert!((1e6..1e12).contains(&memory[1].as_str().unwrap().parse::<f64>().unwrap()), "{memory}");
    }

    assert_eq!(found["start"]["hparams"]["learning_rate"], json!(0.001));
    assert_eq!(found["start"]["hparams"]["epochs"], json!(2.0));
    assert_eq!(found["end"]["status"], "STATUS_SUCCESS");
    assert_eq!(found["texts"]["configuration"], json!([[0, "    [training]\n    epochs = 2\n"]]));
    assert_eq!(found["graph"]["output"][1], json!(["2_Dense/Dense"]));
    let chart = &found["layout"]["category"][0]["chart"][0];
    assert_eq!(chart["multiline"]["tag"], json!(["^loss/train$", "^loss/validation$"]));
    let pages = [
        ("samples", "images"),
        ("first layer", "images"),
        ("mistakes/all", "images"),
        ("activations/1 Dense (relu)", "histograms"),
        ("predictions", "text"),
        ("confusion_matrix", "hadal_confusion_matrix"),
    ];
    for (tag, page) in pages {
        assert_eq!(found["pages"][tag], page, "{tag}");
    }
}

#[test]
fn tensorboard_reads_the_beginning_of_a_file_that_is_cut_anywhere() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::open(folder.path()).unwrap();
    (1..=3).for_each(|step| log.step(step).scalar("loss", step as f64).unwrap());
    let path = log.path().to_owned();
    drop(log);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 5]).unwrap();
    let Some(found) = read("tensorboard_reads_the_beginning_of_a_file_that_is_cut_anywhere", folder.path()) else {
        return;
    };
    assert_eq!(found["scalars"]["loss"], json!([[1, "1.0"], [2, "2.0"]]));
}
