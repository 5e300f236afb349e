//! What a run would otherwise pass over in silence: numbers that f32 cannot tell apart, settings that are not used, samples that
//! are not there.

use std::path::Path;

use hadal::Tensor;

use crate::support::{fails, hadal, succeeds, text};

fn run(home: &Path, line: &str) -> std::process::Output {
    hadal(home).args(line.split_whitespace()).output().unwrap()
}

/// A table of `rows` rows below a header.
fn table(home: &Path, name: &str, header: &str, rows: usize, row: impl Fn(usize) -> String) {
    let rows: String = (0..rows).map(|i| row(i) + "\n").collect();
    std::fs::write(home.join(name), format!("{header}\n{rows}")).unwrap();
}

fn arrays(home: &Path, name: &str, x: Tensor, y: Tensor) {
    std::fs::create_dir(home.join(name)).unwrap();
    hadal::format::npy::write(home.join(name).join("x.npy"), &x).unwrap();
    hadal::format::npy::write(home.join(name).join("y.npy"), &y).unwrap();
}

#[test]
fn targets_that_f32_hardly_tells_apart_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let at = home.path();
    table(at, "t.csv", "x,y", 60, |i| format!("{}.5,{}", i * 7 % 11, 1_600_000_000 + i));
    fails(&run(at, "train t.csv --target y"), &["the target `y`", "f32", "predict the difference from 1600000"]);
    table(at, "same.csv", "x,y", 60, |i| format!("{}.5,0.1", i * 7 % 11));
    fails(&run(at, "train same.csv --target y --task regression"), &["is 0.1 in all training rows"]);
    // Years differ by enough.
    table(at, "year.csv", "x,y", 60, |i| format!("{}.5,{}", i * 7 % 11, 2000 + i % 15));
    succeeds(&run(at, "train year.csv --target y --epochs 1 --no-out"));
    let x = || Tensor::from_vec((0..120).map(|i| (i * 7 % 11) as f32).collect(), [60, 2]);
    for (name, step, words) in
        [("near", 40, "the difference from 16000"), ("equal", 0, "all targets in `y` are equal in f32")]
    {
        let y: Vec<i64> = (0..60).map(|i| 1_600_000_000 + i * step).collect();
        arrays(at, name, x(), Tensor::from_vec(y, [60]));
        fails(&run(at, &format!("train {name} --task regression")), &[words]);
    }
}

#[test]
fn arrays_without_numbers_or_samples_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let at = home.path();
    let labels = || Tensor::from_vec((0..60i64).map(|i| i % 2).collect(), [60]);
    arrays(at, "none", Tensor::zeros([60, 0]), labels());
    fails(&run(at, "train none"), &["none: `x` has shape [60, 0]", "nothing to predict from"]);
    arrays(at, "some", Tensor::from_vec((0..120).map(|i| (i % 4) as f32).collect(), [60, 2]), labels());
    succeeds(&run(at, "train some --epochs 1 --out m"));
    hadal::format::npy::write(at.join("empty.npy"), &Tensor::zeros([0, 2])).unwrap();
    let output = run(at, "predict m empty.npy");
    fails(&output, &["empty.npy", "[0, 2]", "no samples"]);
    assert!(text(&output.stdout).is_empty());
}

/// Two classes, a number that tells them apart now and then, and some words.
fn animals(home: &Path, name: &str, header: &str) {
    table(home, name, header, 60, |i| {
        format!("{},{}.25,{},g{}", ["cat", "dog"][i % 2], i * 7 % 23, i * 11 % 19, i % 12)
    });
}

#[test]
fn numbers_of_a_file_are_checked_as_those_of_flags() {
    let home = tempfile::tempdir().unwrap();
    let at = home.path();
    animals(at, "t.csv", "kind,width,height,group");
    for (toml, words) in [
        ("[model]\ndropout = nan", &["[model] dropout NaN", "below 1"][..]),
        ("[model]\ndropout = -0.5", &["[model] dropout -0.5", "at least 0"]),
        ("[model]\nl2 = -1.0", &["[model] l2 -1 must be 0 or"]),
        ("[model]\nl2 = nan", &["[model] l2 NaN"]),
        ("[model]\nhidden = [0]", &["[model] hidden: 0 units"]),
        ("[loss]\nlabel_smoothing = 1.0", &["[loss] label_smoothing 1 must be"]),
        ("[loss]\nclass_weights = [1e300, 1.0]", &["class_weights", "between 1e-30 and 1e30"]),
        ("[loss]\nclass_weights = [1e-40, 1.0]", &["class_weights", "between 1e-30 and 1e30"]),
        ("[loss]\nclass_weights = [nan, 1.0]", &["class_weights", "between 1e-30 and 1e30"]),
        ("[training]\nepochs = 0", &["[training] epochs 0 must be at least 1"]),
        ("[training]\nbatch_size = 0", &["[training] batch_size 0"]),
        ("[training]\ntest_batch_size = 0", &["[training] test_batch_size 0"]),
        ("[training]\nmax_steps = 0", &["[training] max_steps 0"]),
        ("[training]\nmin_delta = -0.1", &["[training] min_delta -0.1"]),
        ("[training]\ntime_limit = \"abc\"", &["[training] time_limit", "abc"]),
        ("[training]\nmonitor = \"val_acuracy\"\npatience = 0\nkeep_best = false", &["val_acuracy", "`val_accuracy`?"]),
        ("[optimizer]\nlearning_rate = 0.0", &["[optimizer] learning_rate 0 must be a positive"]),
        ("[optimizer]\nlearning_rate = nan", &["[optimizer] learning_rate NaN"]),
        ("[optimizer]\nname = \"sgd\"\nmomentum = 1.0", &["[optimizer] momentum 1 must be"]),
        ("[optimizer]\nweight_decay = -0.1", &["[optimizer] weight_decay -0.1"]),
        ("[preprocess]\nmax_one_hot = 0", &["[preprocess] max_one_hot 0"]),
        ("[data]\nsize = [0, 5]", &["[data] size: 0"]),
        ("[split]\ntrain = -0.5", &["[split] train -0.5"]),
        ("[split]\nholdout = nan", &["[split] holdout NaN"]),
        ("[tune]\nmodel.dropout = [0.1, 1.5]", &["model.dropout", "[model] dropout 1.5"]),
    ] {
        std::fs::write(at.join("c.toml"), toml).unwrap();
        fails(
            &run(at, "train t.csv --target kind --epochs 1 --no-out --config c.toml"),
            &[&["c.toml"][..], words].concat()
                [usize::from(toml.contains("class_weights") || toml.contains("monitor"))..],
        );
    }
}

#[test]
fn flags_overrule_what_they_name_and_nothing_else() {
    let home = tempfile::tempdir().unwrap();
    let at = home.path();
    animals(at, "t.csv", "kind,width,height,group");
    let config = |text: &str| std::fs::write(at.join("c.toml"), text).unwrap();
    let train =
        |flags: &str| run(at, &format!("train t.csv --target kind --epochs 1 --no-out --config c.toml {flags}"));
    config("[split]\norder = \"width\"\n");
    // All of a group are neither first nor last.
    fails(&train("--group group"), &["group", "has rows in the training part and in the"]);
    fails(&train("--part group"), &["order and part cannot be combined"]);
    config("[split]\nstratify = true\n");
    let output = train("--group group");
    assert!(succeeds(&output).contains("(by group)"));
    assert!(text(&output.stderr).contains("--group stands in place of stratify"), "{}", text(&output.stderr));
    config("[model]\nlayers = [{ layer = \"dense\", units = 2, activation = \"softmax\" }]\n");
    for flag in ["--hidden 3", "--activation tanh", "--dropout 0.1", "--l2 0.1", "--batch-norm"] {
        fails(&train(flag), &[flag.split(' ').next().unwrap(), "[[model.layers]]", "leave out"]);
    }
    config("[data]\ndrop = [\"height\"]\n");
    let printed = succeeds(&train("--drop height --drop group --group group"));
    assert!(printed.contains("predicted from 1 column"), "{printed}");
    assert!(printed.contains("left out: dropped (--drop)"), "{printed}");
    assert!(printed.contains("left out: the group, which keeps rows together"), "{printed}");
    fails(&train("--drop kind"), &["`kind` is the target"]);
    table(at, "r.csv", "y,x", 60, |i| format!("{}.5,{}.25", i * 7 % 23, i * 11 % 19));
    let mixup = |file: &str, classes: usize| {
        let augment = format!("mixup(0.2, {classes})");
        let target = if file == "r.csv" { "y" } else { "kind" };
        hadal(at)
            .args(["train", file, "--target", target, "--epochs", "1", "--no-out", "--augment", &augment])
            .output()
            .unwrap()
    };
    fails(&mixup("r.csv", 3), &["mixup is told of 3 classes", "regression"]);
}

#[test]
fn explanations_say_why_there_are_none() {
    let home = tempfile::tempdir().unwrap();
    let at = home.path();
    table(at, "r.csv", "y,x,z", 60, |i| format!("{}.5,{}.25,{}", i * 7 % 23, i * 11 % 19, i * 3 % 17));
    succeeds(&run(at, "train r.csv --target y --epochs 3 --drop z --out m"));
    table(at, "one.csv", "y,x", 1, |_| "1.5,2.25".to_owned());
    fails(&run(at, "explain m one.csv"), &["one.csv", "has 1 row", "at least 2 rows"]);
    table(at, "same.csv", "y,x,z", 30, |i| format!("1.5,{}.25,3", i % 19));
    let output = run(at, "explain m same.csv");
    assert!(succeeds(&output).contains("How much loss rises"));
    assert!(text(&output.stderr).contains("no r2_score"));
    for command in ["explain", "evaluate", "predict"] {
        let output = run(at, &format!("{command} m same.csv"));
        succeeds(&output);
        assert!(text(&output.stderr).contains("the model does not use z"), "{command}: {}", text(&output.stderr));
    }
    table(at, "flat.csv", "y,x", 30, |i| format!("{}.5,2.25", i % 7));
    let output = run(at, "explain m flat.csv");
    succeeds(&output);
    assert!(text(&output.stderr).contains("no column changes the r2_score"), "{}", text(&output.stderr));
}

#[test]
fn predictions_have_keys_of_their_own() {
    let home = tempfile::tempdir().unwrap();
    let at = home.path();
    for target in ["line", "probability", "probability_cat", "file"] {
        animals(at, "t.csv", &format!("{target},width,height,group"));
        succeeds(&run(at, &format!("train t.csv --target {target} --epochs 1 --out m --overwrite")));
        let key = if target == "file" { "file".to_owned() } else { format!("predicted_{target}") };
        let csv = succeeds(&run(at, "predict m t.csv --csv --probabilities"));
        let header = format!("line,{key},probability,probability_cat,probability_dog");
        assert_eq!(csv.lines().next(), Some(header.as_str()));
        let json = succeeds(&run(at, "predict m t.csv --json --probabilities"));
        let first: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(json.lines().next().unwrap()).unwrap();
        assert!(first.len() == 5 && ["cat", "dog"].contains(&first[&key].as_str().unwrap()), "{first:?}");
    }
}

#[test]
fn a_decimal_comma_is_kept_with_the_model() {
    let home = tempfile::tempdir().unwrap();
    let at = home.path();
    let row = |i: usize| format!("{};{},{:03};{}\n", ["cat", "dog"][i % 2], 1 + i % 2, i * 37 % 1000, i % 7);
    let rows: String = (0..60).map(row).chain(["cat;1,5;3\n".to_owned()]).collect();
    std::fs::write(at.join("t.csv"), format!("kind;width;height\n{rows}")).unwrap();
    succeeds(&run(at, "train t.csv --target kind --epochs 5 --out m"));
    let predict = |width: &str| {
        std::fs::write(at.join("new.csv"), format!("width;height\n{width};1\n")).unwrap();
        run(at, "predict m new.csv --csv")
    };
    // Either way it is the same number, and not a thousand.
    assert_eq!(succeeds(&predict("1,234")), succeeds(&predict("1.2340")));
    assert!(std::fs::read_to_string(at.join("m/config.toml")).unwrap().contains("decimal_comma = true"));
    std::fs::write(
        at.join("few.csv"),
        (0..60).fold("kind;width\n".to_owned(), |all, i| {
            all + &format!("{};{},{:03}\n", ["a", "b"][i % 2], 1 + i % 7, 100 + i)
        }),
    )
    .unwrap();
    let printed = succeeds(&run(at, "train few.csv --target kind --decimal-comma --epochs 1 --no-out"));
    assert!(printed.contains("decimal comma") && printed.contains("1.1 to "), "{printed}");
}

#[test]
fn rare_classes_are_for_training_whatever_the_seed() {
    let home = tempfile::tempdir().unwrap();
    let at = home.path();
    let kind = |i: usize| match i {
        7 => "rare",
        8 | 9 => "scarce",
        _ => ["cat", "dog"][i % 2],
    };
    table(at, "t.csv", "kind,width", 60, |i| format!("{},{}.25", kind(i), i * 7 % 23));
    for seed in 1..6 {
        let output = run(at, &format!("train t.csv --target kind --epochs 1 --seed {seed} --out m --overwrite"));
        assert!(succeeds(&output).contains("(stratified)"));
        let notes = text(&output.stderr);
        assert!(notes.contains("`rare` (1 row), `scarce` (2 rows)") && notes.contains("for training alone"), "{notes}");
    }
    assert!(std::fs::read_to_string(at.join("m/config.toml")).unwrap().contains("rare_in_training = true"));
    let trained = succeeds(&run(at, "train t.csv --target kind --epochs 1 --out n -q"));
    let evaluated = succeeds(&run(at, "evaluate n"));
    assert!(trained.starts_with(evaluated.lines().next().unwrap()), "{trained}{evaluated}");
}

#[test]
fn columns_that_give_the_target_away_or_name_the_rows_are_said() {
    let home = tempfile::tempdir().unwrap();
    let at = home.path();
    let x = |i: usize| 1 + i * 7 % 61;
    table(at, "log.csv", "y,log,x", 60, |i| format!("{}.5,{},{}", x(i), (x(i) as f64 + 0.5).ln(), i * 11 % 19));
    let note = |line: &str| text(&run(at, &format!("train {line} --epochs 1 --no-out")).stderr);
    let notes = note("log.csv --target y");
    assert!(notes.contains("`log` gives the target away: it is a monotone function of `y`"), "{notes}");
    let class = |i: usize| ["low", "middle", "high"][(x(i) - 1) / 21];
    table(at, "cut.csv", "class,x,z", 60, |i| format!("{},{}.5,{}", class(i), x(i), i * 11 % 19));
    let notes = note("cut.csv --target class");
    assert!(notes.contains("`x` separates the classes of `class` by itself") && !notes.contains("`z`"), "{notes}");
    // Words with spaces, each in one row, few enough not to be text.
    let label = |i: usize| if i.is_multiple_of(2) { format!("word{i}") } else { format!("two words{i}") };
    table(at, "names.csv", "y,name,x", 120, |i| format!("{}.5,{},{}", i * 7 % 23, label(i), i * 11 % 19));
    let output = run(at, "train names.csv --target y --as name=category --epochs 1 --no-out");
    assert!(succeeds(&output).contains("left out: an identifier, with each level in one row"));
}
