//! Settings that do not fit the data are refused, and none is ignored in silence.

use std::io::Write;
use std::path::Path;

use hadal::Tensor;

use crate::support::{
    are_equal, begin, epochs_in, fails, hadal, passes, small_mnist, succeeds, text, until, write_png,
};

fn run(home: &Path, line: &str) -> std::process::Output {
    hadal(home).args(line.split_whitespace()).output().unwrap()
}

/// Forty rows: two classes, a number, a category of twenty levels.
fn table(home: &Path) {
    let row = |i: usize| format!("{},{}.5,l{}\n", ["no", "yes"][i % 2], i % 2 * 5 + i % 3, i % 20);
    let rows: String = (0..40).map(row).collect();
    std::fs::write(home.join("t.csv"), format!("kind,width,level\n{rows}")).unwrap();
}

fn config(home: &Path, text: &str) {
    std::fs::write(home.join("c.toml"), text).unwrap();
}

#[test]
fn settings_of_another_kind_of_data_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let at = home.path();
    table(at);
    for i in 0..4 {
        std::fs::create_dir_all(at.join(format!("pics/{}", i % 2))).unwrap();
        write_png(&at.join(format!("pics/{}/{i}.png", i % 2)), 4, 4, 50 * i);
    }
    let train_table = "train t.csv --target kind --config c.toml";
    for (toml, line, words) in [
        (
            "[preprocess]\nmax_one_hot = 3",
            "train pics --config c.toml",
            &["max_one_hot is for tables", "folder of images"][..],
        ),
        (
            "[preprocess]\nstandardize = false",
            train_table,
            &["standardize is for folders of images and arrays", "a table"],
        ),
        ("[data]\nimages = true", train_table, &["images is for folders of images", "a table"]),
        (
            "[model]\nhidden = [3]\nlayers = [{ layer = \"dense\", units = 2 }]",
            train_table,
            &["layers and hidden", "one of the two"],
        ),
        ("[split]\ntrain = 0.5\nholdout = 0.2", "train digits --config c.toml", &["train and holdout add up to 0.7"]),
        ("[data]\ntask = \"regression\"", "train digits --config c.toml", &["are classes", "regression"]),
        ("[preprocess]\naugment = { steps = [{ rotate = 10.0 }] }", train_table, &["rotate", "t.csv"]),
        (
            "[preprocess]\naugment = { steps = [{ rotat = 10.0 }] }",
            train_table,
            &["line 2", "`rotat`", "did you mean `rotate`?"],
        ),
        (
            "[preprocess]\naugment = { steps = [{ mixup = { alpha = 0.2, classes = 2 } }] }",
            train_table,
            &["mixup cannot mix", "max_one_hot"],
        ),
        (
            "[tune]\noptimizer.learning_rate = { min = 1.0, max = 0.1 }",
            train_table,
            &["c.toml", "min must be below max"],
        ),
        ("[tune]\nmodel.hidden = []", train_table, &["nothing to choose from"]),
    ] {
        config(at, toml);
        fails(&run(at, line), words);
    }
    fails(
        &hadal(at).args(["train", "pics", "--augment", "shfit(0.1)"]).output().unwrap(),
        &["--augment", "no step `shfit`", "did you mean `shift`?"],
    );
}

#[test]
fn noise_changes_the_training_of_a_table_and_leaves_its_categories() {
    let home = tempfile::tempdir().unwrap();
    table(home.path());
    let train = |extra: &[&str]| {
        let args = ["train", "t.csv", "--target", "kind", "--epochs", "2", "-q"];
        succeeds(&hadal(home.path()).args(args).args(extra).output().unwrap())
    };
    assert_ne!(train(&[]), train(&["--augment", "noise(0.5)"]));
    assert_eq!(train(&["--augment", "noise(0.5)"]), train(&["--augment", "noise(0.5)", "--threads", "1"]));
}

#[test]
fn the_average_of_the_weights_is_validated_kept_and_resumed() {
    let home = tempfile::tempdir().unwrap();
    let at = home.path();
    table(at);
    let settings =
        "[data]\nsource = \"t.csv\"\ntarget = \"kind\"\n[training]\nepochs = 100\nbatch_size = 8\npatience = 0\n";
    config(at, settings);
    let plain = passes(at, "train --config c.toml -q --out plain");
    config(at, &format!("{settings}ema_decay = 0.9\n"));
    let average = passes(at, "train --config c.toml -q --out average");
    assert_ne!(plain, average);
    let evaluated = passes(at, "evaluate average");
    assert!(average.starts_with(evaluated.lines().next().unwrap()), "{average} is not {evaluated}");
    assert!(passes(at, "verify average").contains("The weights are the same, to the last bit"));
    let mut child = begin(at, "train --config c.toml -q --checkpoint-every 1 --out killed");
    until("an epoch", || epochs_in(&at.join("killed")) >= 1);
    child.kill().unwrap();
    child.wait().unwrap();
    passes(at, "train --resume killed -q");
    are_equal(&at.join("average"), &at.join("killed"));
    config(at, &format!("{settings}ema_decay = 1.0\n"));
    fails(&run(at, "train --config c.toml"), &["line 8", "[training] ema_decay 1 must be at least 0 and below 1"]);
}

#[test]
fn mnist_is_augmented_as_images() {
    let (home, data) = (tempfile::tempdir().unwrap(), small_mnist());
    let run =
        |args: &[&str]| succeeds(&hadal(home.path()).args(args).arg("--data-dir").arg(data.path()).output().unwrap());
    let args = ["train", "mnist", "--epochs", "2", "--split", "80/0/20", "--augment", "shift(0.1)", "-q", "--out", "m"];
    let trained = run(&args);
    assert_eq!(run(&["evaluate", "m"]).lines().next(), trained.lines().next());
    assert!(run(&["evaluate", "m", "mnist"]).starts_with("mnist"));
    assert!(run(&["evaluate", "m", "--holdout"]).starts_with("mnist holdout: loss"));
    write_png(&home.path().join("x.png"), 28, 28, 10);
    let output = hadal(home.path()).args(["predict", "m", "x.png"]).output().unwrap();
    assert!(succeeds(&output).contains("\nx.png "));
    succeeds(&hadal(home.path()).args(["explain", "m", "x.png"]).output().unwrap());
}

#[test]
fn an_archive_with_several_outputs_is_trained_on_and_predicted() {
    let home = tempfile::tempdir().unwrap();
    let x: Vec<f32> = (0..120).map(|i| (i * 7 % 50) as f32 / 50.0).collect();
    let y: Vec<f32> = x.chunks(3).flat_map(|x| [x[0] + x[1], 10.0 * x[2]]).collect();
    let arrays = [("x.npy", Tensor::from_vec(x, [40, 3])), ("y.npy", Tensor::from_vec(y, [40, 2]))];
    let file = std::fs::File::create(home.path().join("two.npz")).unwrap();
    let mut archive = zip::ZipWriter::new(file);
    for (name, array) in arrays {
        let path = home.path().join(name);
        hadal::format::npy::write(&path, &array).unwrap();
        archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(&std::fs::read(path).unwrap()).unwrap();
    }
    archive.finish().unwrap();
    let output = run(home.path(), "train two.npz --epochs 3 --out m");
    assert!(succeeds(&output).contains("r2_score"));
    let csv = succeeds(&run(home.path(), "predict m two.npz --csv"));
    assert_eq!(csv.lines().next(), Some("sample,prediction_0,prediction_1"));
    assert_eq!(csv.lines().nth(1).unwrap().split(',').count(), 3);
    let json = succeeds(&run(home.path(), "predict m two.npz --json"));
    let first: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!(first["prediction"].as_array().unwrap().len(), 2, "{first}");
}

#[test]
fn levels_never_seen_and_gaps_are_noted_and_predicted() {
    let home = tempfile::tempdir().unwrap();
    table(home.path());
    succeeds(&run(home.path(), "train t.csv --target kind --epochs 2 --out m"));
    std::fs::write(home.path().join("new.csv"), "width,level\n1.5,l3\n,l99\n5.5,l98\n").unwrap();
    let output = run(home.path(), "predict m new.csv");
    assert_eq!(succeeds(&output).lines().count(), 4);
    let notes = text(&output.stderr);
    assert!(
        notes.contains(
            "`level` has levels that were never seen in training, in 2 of 3 rows (the first is `l99` in line 3)"
        ),
        "{notes}"
    );
    assert!(notes.contains("`width` is missing in 1 of 3 rows (the first is line 3)"), "{notes}");
}

#[test]
fn a_regression_whose_test_part_is_constant_is_trained() {
    let home = tempfile::tempdir().unwrap();
    let row = |i: usize| format!("{i},{},{}\n", if i < 20 { i * 3 } else { 7 }, if i < 20 { "train" } else { "test" });
    let rows: String = (0..26).map(row).collect();
    std::fs::write(home.path().join("t.csv"), format!("x,y,part\n{rows}")).unwrap();
    let output =
        run(home.path(), "train t.csv --target y --as x=number --task regression --part part --epochs 2 --out m");
    let printed = succeeds(&output);
    assert!(printed.contains("mean_absolute_error") && !printed.contains("r2_score"), "{printed}");
    assert!(text(&output.stderr).contains("no r2_score"), "{}", text(&output.stderr));
}

#[test]
fn groups_that_leave_a_part_empty_and_folders_of_unknown_classes_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let at = home.path();
    let rows: String = (0..20).map(|i| format!("{},{i}.5,g{}\n", i % 2, i % 2)).collect();
    std::fs::write(at.join("t.csv"), format!("kind,width,group\n{rows}")).unwrap();
    fails(&run(at, "train t.csv --target kind --group group"), &["group", "2"]);
    for (folder, classes) in [("pics", ["a", "b"]), ("other", ["a", "z"])] {
        for class in classes {
            std::fs::create_dir_all(at.join(folder).join(class)).unwrap();
            for i in 0..6 {
                write_png(&at.join(folder).join(class).join(format!("{i}.png")), 4, 4, 40 * i);
            }
        }
    }
    succeeds(&run(at, "train pics --epochs 1 --out m"));
    fails(&run(at, "evaluate m other"), &["the class `z` was never seen in training", "a, b"]);
}

#[test]
fn a_class_with_one_sample_is_called_by_its_name() {
    let home = tempfile::tempdir().unwrap();
    let at = home.path();
    let rows: String =
        (0..30).map(|i| format!("{},{i}.5\n", if i == 7 { "lynx" } else { ["cat", "dog"][i % 2] })).collect();
    std::fs::write(at.join("t.csv"), format!("kind,width\n{rows}")).unwrap();
    for (class, count) in [("cat", 8), ("dog", 9), ("lynx", 1)] {
        std::fs::create_dir_all(at.join("pics").join(class)).unwrap();
        (0..count).for_each(|i| write_png(&at.join(format!("pics/{class}/{i}.png")), 4, 4, 20 * i));
    }
    config(at, "[split]\nstratify = true\n");
    for data in ["t.csv --target kind", "pics"] {
        let words = ["class `lynx` has only 1", "needs at least 2"];
        // No holdout part: it would keep a rare class for training.
        fails(&run(at, &format!("train {data} --folds 2 --split 50/50 --no-out")), &words);
        fails(&run(at, &format!("train {data} --config c.toml --epochs 1 --no-out")), &words);
    }
}

/// A header of ten million columns is refused before anything is made of it.
#[test]
fn ten_million_columns_are_refused_at_once() {
    let home = tempfile::tempdir().unwrap();
    let mut header = "a,".repeat(10_000_000);
    header.push_str("b\n");
    std::fs::write(home.path().join("wide.csv"), header).unwrap();
    fails(&run(home.path(), "train wide.csv --target a"), &["wide.csv", "line 1", "10000001 fields", "65536"]);
}

#[cfg(unix)]
#[test]
fn a_pipe_that_nobody_writes_to_is_no_table() {
    let home = tempfile::tempdir().unwrap();
    let made = std::process::Command::new("mkfifo").arg(home.path().join("pipe.csv")).status().unwrap();
    assert!(made.success());
    fails(&run(home.path(), "train pipe.csv --target a"), &["pipe.csv", "regular file"]);
}
