//! What is found in images, arrays and tables is said, and what does not fit is refused.

use std::path::Path;

use hadal::{DType, Tensor};

use crate::support::{fails, hadal, succeeds, text, write_png};

fn run(home: &Path, line: &str) -> std::process::Output {
    hadal(home).args(line.split_whitespace()).output().unwrap()
}

#[track_caller]
fn passes(home: &Path, line: &str) -> String {
    succeeds(&run(home, line))
}

/// A folder with arrays: `x` of four features, and the labels or numbers `y`.
fn arrays(home: &Path, name: &str, x: DType, y: Tensor) {
    let samples = y.size(0);
    std::fs::create_dir(home.join(name)).unwrap();
    let values: Vec<f32> = (0..samples * 4).map(|i| ((i / 4 % 3) * 50 + i * 13 % 40) as f32).collect();
    let inputs = Tensor::from_vec(values, [samples, 4]).to_dtype(x);
    hadal::format::npy::write(home.join(name).join("x.npy"), &inputs).unwrap();
    hadal::format::npy::write(home.join(name).join("y.npy"), &y).unwrap();
}

fn labels(label: impl Fn(i64) -> i64) -> Tensor {
    Tensor::from_vec((0..60).map(label).collect::<Vec<i64>>(), [60])
}

#[test]
fn arrays_of_another_type_are_refused_by_predict_as_by_evaluate() {
    let home = tempfile::tempdir().unwrap();
    let at = home.path();
    for (name, dtype) in [("bytes", DType::U8), ("wide", DType::I64), ("floats", DType::F32)] {
        arrays(at, name, dtype, labels(|i| i % 3));
    }
    for (trained, own) in [("bytes", "u8"), ("wide", "i64"), ("floats", "f32")] {
        passes(at, &format!("train {trained} --epochs 1 --out m_{trained}"));
        for (given, other) in [("bytes", "u8"), ("wide", "i64"), ("floats", "f32")] {
            for command in ["predict", "evaluate"] {
                let output = run(at, &format!("{command} m_{trained} {given}"));
                if given == trained {
                    succeeds(&output);
                } else {
                    fails(&output, &[&format!("inputs are {other}, but the model was trained on {own}")]);
                    assert!(output.stdout.is_empty());
                }
            }
        }
    }
}

#[test]
fn arrays_say_what_was_found_and_what_guessing_reaches() {
    let home = tempfile::tempdir().unwrap();
    let at = home.path();
    arrays(at, "c", DType::F32, labels(|i| i % 3));
    let output = passes(at, "train c --epochs 1");
    for words in [
        "c: x: f32 [60, 4]; y: i64 [60]\n",
        "Classification: 3 classes: 0 (20), 1 (20), 2 (20) (integers; for numbers, floats or --task regression)\n",
        "(always `2`: 33.33%)",
    ] {
        assert!(output.contains(words), "{output:?} does not say {words:?}");
    }
    arrays(at, "r", DType::F32, Tensor::from_vec((0..60).map(|i| i as f32 / 7.0).collect::<Vec<f32>>(), [60]));
    let output = passes(at, "train r --epochs 1");
    let words = "Regression: `y` is a number (floats; for classes, integers or --task classification)";
    assert!(output.contains(words) && !output.contains("always"), "{output}");
}

#[test]
fn images_say_what_was_found_and_parts_are_not_taken_for_classes() {
    let home = tempfile::tempdir().unwrap();
    let at = home.path();
    for (folder, count) in [("pics/cats", 6), ("pics/dogs", 12), ("parts/train", 3), ("parts/val", 3)] {
        std::fs::create_dir_all(at.join(folder)).unwrap();
        for i in 0..count {
            write_png(&at.join(folder).join(format!("{i}.png")), 4, 6, 10 * i + 100 * (count / 12));
        }
    }
    let output = passes(at, "train pics --epochs 1");
    let words = "pics: 18 images of 6 x 4 pixels (height x width), grey; 2 classes: cats (6), dogs (12)";
    assert!(output.contains(words) && output.contains("(always `dogs`: "), "{output}");
    fails(&run(at, "train parts --epochs 1"), &["sub-folders train, val", "parts, not classes", "parts/train"]);
}

#[test]
fn labels_are_what_the_task_says_or_refused_with_the_way_out() {
    let home = tempfile::tempdir().unwrap();
    let at = home.path();
    let floats = |number: fn(i32) -> f32| Tensor::from_vec((0..60).map(number).collect::<Vec<f32>>(), [60]);
    arrays(at, "whole", DType::F32, floats(|i| (i % 2) as f32));
    arrays(at, "half", DType::F32, floats(|i| i as f32 / 2.0));
    arrays(at, "negative", DType::F32, labels(|i| i % 7 - 3));
    arrays(at, "sparse", DType::F32, labels(|i| i % 2 * 1_000_000));
    arrays(at, "one", DType::F32, labels(|_| 1));
    let output = passes(at, "train whole --task classification --epochs 1 --out w");
    assert!(output.contains("2 classes: 0 (30), 1 (30)"), "{output}");
    assert!(passes(at, "evaluate w whole").contains("accuracy"));
    assert!(passes(at, "train whole --epochs 1").contains("Regression: "));
    assert!(passes(at, "train negative --task regression --epochs 1 --out n").contains("Regression: "));
    assert!(passes(at, "evaluate n negative").contains("mean_absolute_error"));
    for (line, words) in [
        ("half --task classification", &["holds 0.5 for sample 1", "whole numbers, from 0 on"][..]),
        ("negative", &["holds -3 for sample 0", "--task regression"]),
        ("sparse", &["the largest label in `y` is 1000000", "60 samples", "np.unique", "--task regression"]),
        ("one", &["every label in `y` is 1; two classes are needed"]),
        ("one --task regression", &["all targets in `y` are equal (1)"]),
    ] {
        fails(&run(at, &format!("train {line} --epochs 1")), words);
    }
}

#[test]
fn integers_that_hardly_repeat_are_pointed_out() {
    let home = tempfile::tempdir().unwrap();
    let y = Tensor::from_vec((0..240i64).map(|i| i * 7 % 200).collect::<Vec<i64>>(), [240]);
    arrays(home.path(), "many", DType::F32, y);
    let output = run(home.path(), "train many --epochs 1 --hidden 4 -q");
    succeeds(&output);
    let notes = text(&output.stderr);
    assert!(notes.contains("200 classes for 240 samples; if it holds numbers, --task regression"), "{notes}");
    let told = run(home.path(), "train many --epochs 1 --hidden 4 -q --task classification");
    assert!(!text(&told.stderr).contains("if it holds numbers"));
}

#[test]
fn pictures_of_saliency_keep_their_folder_and_replace_nothing() {
    let home = tempfile::tempdir().unwrap();
    let at = home.path();
    for (class, value) in [("cats", 40), ("dogs", 200)] {
        std::fs::create_dir_all(at.join("pics").join(class)).unwrap();
        (0..8).for_each(|i| write_png(&at.join(format!("pics/{class}/{i}.png")), 6, 6, value + i));
    }
    passes(at, "train pics --epochs 2 --out m");
    let output = passes(at, "explain m pics/cats/0.png pics/dogs/0.png --out s");
    assert!(
        output.contains("wrote s/cats_0.saliency.png") && output.contains("wrote s/dogs_0.saliency.png"),
        "{output}"
    );
    std::fs::write(at.join("s/cats_0.saliency.png"), "mine").unwrap();
    let again = "explain m pics/dogs/1.png pics/cats/0.png --out s";
    fails(&run(at, again), &["s/cats_0.saliency.png already exists", "--overwrite"]);
    assert_eq!(std::fs::read(at.join("s/cats_0.saliency.png")).unwrap(), b"mine");
    assert!(!at.join("s/dogs_1.saliency.png").exists());
    passes(at, &format!("{again} --overwrite"));
    assert_ne!(std::fs::read(at.join("s/cats_0.saliency.png")).unwrap(), b"mine");
    fails(&run(at, "explain m pics/cats/1.png --csv"), &["--csv is for tables"]);
}

/// Forty rows of two classes.
fn table(home: &Path) {
    let row = |i: usize| format!("{},{}.5,{}\n", ["no", "yes"][i % 2], i % 2 * 5 + i % 3, i * 7 % 5);
    let rows: String = (0..40).map(row).collect();
    std::fs::write(home.join("t.csv"), format!("kind,width,height\n{rows}")).unwrap();
}

#[test]
fn one_shuffle_has_no_deviation() {
    let home = tempfile::tempdir().unwrap();
    table(home.path());
    passes(home.path(), "train t.csv --target kind --epochs 1 --out m");
    let once = passes(home.path(), "explain m t.csv --repeats 1");
    assert!(once.contains("(1 time each)") && !once.contains('±'), "{once}");
    assert!(passes(home.path(), "explain m t.csv").contains('±'));
}

#[test]
fn a_file_that_names_no_source_is_not_mnist() {
    let home = tempfile::tempdir().unwrap();
    table(home.path());
    std::fs::write(home.path().join("c.toml"), "[data]\ntarget = \"kind\"\n").unwrap();
    for command in ["train", "init"] {
        let output = run(home.path(), &format!("{command} --config c.toml"));
        fails(&output, &["c.toml: names no source", "SOURCE"]);
        assert!(output.stdout.is_empty());
    }
    passes(home.path(), "train t.csv --config c.toml --epochs 1");
}

#[test]
fn a_model_from_standard_input_needs_data_to_be_evaluated() {
    let home = tempfile::tempdir().unwrap();
    table(home.path());
    let rows = std::fs::read(home.path().join("t.csv")).unwrap();
    let line = "train - --target kind --epochs 1 --out m";
    succeeds(&hadal(home.path()).args(line.split(' ')).write_stdin(rows.clone()).output().unwrap());
    for flag in ["", "--holdout"] {
        fails(&run(home.path(), &format!("evaluate m {flag}")), &["from standard input", "give the data"]);
    }
    succeeds(&hadal(home.path()).args(["evaluate", "m", "-"]).write_stdin(rows).output().unwrap());
}

#[test]
fn every_class_has_its_probability_on_request() {
    let home = tempfile::tempdir().unwrap();
    table(home.path());
    passes(home.path(), "train t.csv --target kind --epochs 1 --out m");
    let csv = passes(home.path(), "predict m t.csv --csv --probabilities");
    assert_eq!(csv.lines().next(), Some("line,kind,probability,probability_no,probability_yes"));
    for line in csv.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let [best, no, yes] = [2, 3, 4].map(|cell| cells[cell].parse::<f64>().unwrap());
        assert!((no + yes - 1.0).abs() < 1e-5 && best == no.max(yes), "{line}");
        assert_eq!(cells[1], if no > yes { "no" } else { "yes" });
    }
    let json = passes(home.path(), "predict m t.csv --json --probabilities");
    let first: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert!(first["probability_no"].is_number() && first["probability_yes"].is_number(), "{first}");
    let plain = passes(home.path(), "predict m t.csv --probabilities");
    assert!(plain.lines().next().unwrap().contains("probability_no  probability_yes"), "{plain}");
    passes(home.path(), "train t.csv --target height --task regression --epochs 1 --out r");
    fails(&run(home.path(), "predict r t.csv --probabilities"), &["--probabilities is for classes"]);
}

#[test]
fn the_training_data_is_recognized_when_it_is_judged_by() {
    let home = tempfile::tempdir().unwrap();
    table(home.path());
    std::fs::copy(home.path().join("t.csv"), home.path().join("copy.csv")).unwrap();
    passes(home.path(), "train t.csv --target kind --epochs 1 --out m");
    for (line, is_noted) in [
        ("evaluate m ./t.csv", true),
        ("explain m t.csv", true),
        ("evaluate m copy.csv", false),
        ("evaluate m", false),
        ("evaluate m --holdout", false),
    ] {
        let output = run(home.path(), line);
        succeeds(&output);
        let notes = text(&output.stderr);
        assert_eq!(
            notes.contains("is what the model was trained on") && notes.contains("--holdout"),
            is_noted,
            "{line}: {notes}"
        );
    }
}

#[test]
fn a_value_that_no_epoch_reports_is_refused_before_anything_is_made() {
    let home = tempfile::tempdir().unwrap();
    table(home.path());
    let output = run(home.path(), "train t.csv --target kind --monitor acc --out m");
    fails(&output, &["`acc`", "did you mean `accuracy`?", "val_loss, val_accuracy"]);
    assert!(output.stdout.is_empty() && !home.path().join("m").exists());
    passes(home.path(), "train t.csv --target kind --monitor accuracy --epochs 1");
}

#[test]
fn mistakes_are_answered_in_the_words_of_the_command() {
    let home = tempfile::tempdir().unwrap();
    let at = home.path();
    table(at);
    let output = run(at, "train t.csv --target kind --drop width,height");
    fails(&output, &["no column `width,height`", "--drop width --drop height"]);
    for delimiter in [";;", "·", "\"", ""] {
        let output = hadal(at).args(["train", "t.csv", "--target", "kind", "--delimiter", delimiter]).output().unwrap();
        fails(&output, &["one ASCII character", "tab"]);
    }
    for line in ["--loss mse", "--loss mae"] {
        passes(at, &format!("train t.csv --target height --task regression --epochs 1 {line}"));
    }
    std::fs::write(at.join("s.toml"), "[model]\nlayers = [{ layer = \"dense\", units = 2 }]\n").unwrap();
    let output = run(at, "train t.csv --target kind --config s.toml");
    fails(&output, &["softmax"]);
    assert!(!text(&output.stderr).contains("from_logits"), "{}", text(&output.stderr));
    arrays(at, "wide", DType::I64, labels(|i| i % 2));
    std::fs::write(at.join("raw.toml"), "[preprocess]\nstandardize = false\n").unwrap();
    let output = run(at, "train wide --config raw.toml --epochs 1");
    fails(&output, &["wide: ", "floating-point inputs, not i64; save x as floats, x.astype('<f4')"]);
    std::fs::create_dir_all(at.join("pics/a")).unwrap();
    std::fs::create_dir_all(at.join("pics/b")).unwrap();
    for i in 0..8 {
        write_png(&at.join(format!("pics/{}/{i}.png", ["a", "b"][i % 2])), 4, 4 + i / 7, 20 * i as u8);
    }
    fails(&run(at, "train pics --epochs 1"), &["--size 32x32"]);
    passes(at, "train pics --epochs 1 --color gray --size 4x4");
}

#[test]
fn words_for_gaps_and_the_order_of_dates_are_kept_with_the_model() {
    let home = tempfile::tempdir().unwrap();
    let at = home.path();
    let row = |i: usize| {
        let width = if i % 9 == 4 { "-999".to_owned() } else { format!("{}.5", i % 2 * 5 + i % 3) };
        format!("{},{width},{:02}/{:02}/2020\n", ["no", "yes", "unknown"][i % 5 % 3], i % 12 + 1, i % 11 + 1)
    };
    let rows: String = (0..60).map(row).collect();
    std::fs::write(at.join("g.csv"), format!("kind,width,day\n{rows}")).unwrap();
    let output =
        passes(at, "train g.csv --target kind --missing unknown --missing -999 --day-first --epochs 1 --out m");
    assert!(output.contains("classes no, yes, predicted") && output.contains("day/month/year"), "{output}");
    let plain = passes(at, "train g.csv --target kind --epochs 1");
    assert!(plain.contains("no, unknown, yes") && plain.contains("month/day/year"), "{plain}");
    let config = hadal::nn::Sequential::load(at.join("m/model.safetensors")).unwrap().1["hadal.config"].clone();
    assert!(config.contains("missing = [\"unknown\", \"-999\"]") && config.contains("day_first = true"), "{config}");
    std::fs::write(at.join("h.csv"), "kind,width,day\nunknown,-999,03/04/2020\nno,1.5,03/04/2020\nyes,,03/04/2020\n")
        .unwrap();
    let predicted = passes(at, "predict m h.csv --csv");
    let cells: Vec<Vec<&str>> = predicted.lines().skip(1).map(|line| line.split(',').collect()).collect();
    // -999 is a gap, as the empty cell is.
    assert_eq!(cells[0][1..], cells[2][1..], "{predicted}");
    let output = run(at, "evaluate m h.csv");
    succeeds(&output);
    assert!(text(&output.stderr).contains("1 of 3 rows have no `kind`"), "{}", text(&output.stderr));
    assert!(passes(at, "explain m h.csv --repeats 1").contains("on the 2 rows"));
    std::fs::create_dir_all(at.join("a")).unwrap();
    hadal::format::npy::write(at.join("a/x.npy"), &Tensor::zeros([4, 2])).unwrap();
    fails(&run(at, "train a --missing x"), &["missing is for tables"]);
    fails(&run(at, "train a --day-first"), &["day_first is for tables"]);
}

#[test]
fn levels_never_seen_are_noted_with_their_part() {
    let home = tempfile::tempdir().unwrap();
    let row = |i: usize| {
        let part = ["train", "train", "test", "holdout"][i / 2 % 4];
        let level = if part == "train" { "known" } else { part };
        format!("{},{},{}.5,{part}\n", ["no", "yes"][i % 2], if i.is_multiple_of(3) { "other" } else { level }, i % 7)
    };
    let rows: String = (0..80).map(row).collect();
    std::fs::write(home.path().join("t.csv"), format!("kind,level,width,part\n{rows}")).unwrap();
    let output = run(home.path(), "train t.csv --target kind --part part --epochs 1");
    succeeds(&output);
    let notes = text(&output.stderr);
    for part in ["test", "holdout"] {
        assert!(
            notes.contains(&format!("t.csv {part}: `level` has levels that were never seen in training")),
            "{notes}"
        );
    }
}
