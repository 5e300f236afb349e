//! Tables, folders of images and arrays: trained on, evaluated, predicted, and refused.

use std::path::Path;

use hadal::Tensor;
use tempfile::TempDir;

use crate::support::{fails, hadal, succeeds, text, write_png};

/// Sixty rows of three classes; `garden` has twelve levels.
fn rows() -> Vec<[String; 5]> {
    let row = |i: usize| {
        let class = i * 7 % 3;
        let width = class as f64 * 2.0 + (i * 31 % 60) as f64 / 60.0;
        let height = 5.0 - class as f64 + (i * 17 % 60) as f64 / 60.0;
        let colour = ["red", "blue"][i % 2].to_owned();
        [
            ["a", "b", "c"][class].to_owned(),
            format!("{width:.3}"),
            format!("{height:.3}"),
            colour,
            format!("g{}", i % 12),
        ]
    };
    (0..60).map(row).collect()
}

fn csv(rows: &[[String; 5]]) -> String {
    let lines: Vec<String> = rows.iter().map(|row| row.join(",")).collect();
    format!("kind,width,height,colour,garden\n{}\n", lines.join("\n"))
}

/// A folder with the table `t.csv`, and `new.csv`: other columns in another order, without the target.
fn tables() -> TempDir {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("t.csv"), csv(&rows())).unwrap();
    let new = "note,colour,height,width\nx,red,5.1,0.3\ny,\"blue\",3.2,4.4\nz,red,4.2,2.3\n";
    std::fs::write(home.path().join("new.csv"), new).unwrap();
    home
}

/// Runs the words of a command line.
fn run(home: &Path, line: &str) -> std::process::Output {
    hadal(home).args(line.split_whitespace()).output().unwrap()
}

#[track_caller]
fn passes(home: &Path, line: &str) -> String {
    succeeds(&run(home, line))
}

#[track_caller]
fn last_line(text: &str, start: &str) -> String {
    let line = text.lines().rev().find(|line| line.starts_with(start));
    line.unwrap_or_else(|| panic!("no line starts with {start:?} in {text}")).to_owned()
}

const TRAIN: &str = "train t.csv --target kind --drop garden --epochs 6 --out m";

#[test]
fn a_table_is_evaluated_to_the_numbers_that_training_printed() {
    let home = tables();
    let trained = last_line(&passes(home.path(), TRAIN), "t.csv test:");
    let evaluated = passes(home.path(), "evaluate m");
    let score = last_line(&evaluated, "t.csv test:");
    assert!(trained.starts_with(&score), "{trained} and {score}");
    assert!(evaluated.contains("Confusion matrix"), "{evaluated}");
    assert!(passes(home.path(), "evaluate m --holdout").starts_with("t.csv holdout: loss"));
    assert!(passes(home.path(), "evaluate m t.csv").starts_with("t.csv: loss"));
}

#[test]
fn new_rows_are_predicted_from_a_file_and_from_standard_input() {
    let home = tables();
    passes(home.path(), TRAIN);
    let output = run(home.path(), "predict m new.csv --csv");
    let csv = succeeds(&output);
    assert!(text(&output.stderr).contains("does not use note"), "{}", text(&output.stderr));
    let lines: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(lines[0], ["line", "kind", "probability"]);
    assert_eq!(lines[1..].iter().map(|line| line[0]).collect::<Vec<_>>(), ["2", "3", "4"]);
    for line in &lines[1..] {
        assert!(["a", "b", "c"].contains(&line[1]) && line[2].parse::<f64>().unwrap() <= 1.0, "{line:?}");
    }
    let rows = std::fs::read(home.path().join("new.csv")).unwrap();
    let piped = hadal(home.path()).args(["predict", "m", "-", "--csv"]).write_stdin(rows).output().unwrap();
    assert_eq!(succeeds(&piped), csv);
    let json = passes(home.path(), "predict m new.csv --json");
    for (object, line) in json.lines().zip(&lines[1..]) {
        let object: serde_json::Value = serde_json::from_str(object).unwrap();
        assert_eq!(object["line"].to_string(), line[0]);
        assert_eq!(object["kind"], line[1]);
        assert!(object["probability"].is_number());
    }
    assert_eq!(json.lines().count(), 3);
}

#[test]
fn a_number_is_predicted_and_other_rows_are_judged_in_the_same_unit() {
    let home = tables();
    // The second half of the rows is the test part.
    let part = |i: usize| if i < 30 { "train" } else { "test" };
    let lines: Vec<String> =
        rows().iter().enumerate().map(|(i, row)| format!("{},{}\n", row.join(","), part(i))).collect();
    let header = "kind,width,height,colour,garden,part\n";
    std::fs::write(home.path().join("p.csv"), format!("{header}{}", lines.concat())).unwrap();
    std::fs::write(home.path().join("half.csv"), format!("{header}{}", lines[30..].concat())).unwrap();
    std::fs::write(home.path().join("one.csv"), format!("{header}{}", lines[30])).unwrap();
    let line = "train p.csv --target width --drop garden --part part --epochs 4 --out m";
    let trained = last_line(&passes(home.path(), line), "p.csv test:");
    let evaluated = passes(home.path(), "evaluate m half.csv");
    assert_eq!(
        trained.split_once(": ").unwrap().1.trim(),
        evaluated.lines().next().unwrap().split_once(": ").unwrap().1
    );
    let output = run(home.path(), "evaluate m one.csv");
    assert!(succeeds(&output).contains("mean_absolute_error"));
    assert!(text(&output.stderr).contains("no r2_score"), "{}", text(&output.stderr));
    let json = passes(home.path(), "predict m one.csv --json");
    let first: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(first["line"] == 2 && first["width"].is_number(), "{first}");
}

#[test]
fn a_configuration_file_and_flags_give_the_same_model_as_the_same_seed() {
    let home = tables();
    let config = passes(home.path(), "init t.csv --target kind --drop garden --epochs 4");
    // What is not for tables is not in it; without data, all is.
    assert!(config.contains("# missing =") && !config.contains("[text]") && !config.contains("# size ="), "{config}");
    let all = passes(home.path(), "init");
    assert!(["[text]", "# size =", "# missing ="].iter().all(|words| all.contains(words)), "{all}");
    std::fs::write(home.path().join("run.toml"), config).unwrap();
    passes(home.path(), "train --config run.toml --out a");
    passes(home.path(), "train t.csv --target kind --drop garden --epochs 4 --out b");
    passes(home.path(), "train --config run.toml --out c --seed 2");
    let model = |folder: &str| std::fs::read(home.path().join(folder).join("model.safetensors")).unwrap();
    assert!(model("a") == model("b"));
    assert!(model("a") != model("c"));
}

#[test]
fn training_stops_early_and_keeps_the_best_model_beside_the_last() {
    let home = tables();
    let line = "train t.csv --target kind --drop garden --patience 2 --epochs 300 --lr 0.3 --out m";
    passes(home.path(), line);
    let history = std::fs::read_to_string(home.path().join("m/history.csv")).unwrap();
    assert!(history.lines().count() < 250, "{history}");
    let file = |name: &str| std::fs::read(home.path().join("m").join(name)).unwrap();
    assert!(file("model.safetensors") != file("last.safetensors"));
}

#[test]
fn mistakes_in_a_table_s_settings_are_named() {
    let home = tables();
    for (flags, words) in [
        ("--target knid", &["no column `knid`", "did you mean `kind`?"][..]),
        ("--target kind --drop widht", &["no column `widht`", "did you mean `width`?"]),
        ("--target kind --as widht=number", &["no column `widht`", "did you mean `width`?"]),
        ("--target kind --as width=nmber", &["`nmber` is not a kind", "did you mean `number`?"]),
        ("--target kind --split 70/20/20", &["add up to 110, not to 100"]),
        ("--target kind --split 100/0/0", &["test 0 must be above 0"]),
        ("--target kind --group gardn", &["no column `gardn`", "did you mean `garden`?"]),
        ("--target kind --part colour", &["line 2", "`red` is no part", "`holdout`"]),
        ("--target kind --monitor val_los", &["`val_los`", "val_loss"]),
        ("--target kind --size 3x3", &["size is for folders of images", "a table"]),
        ("", &["--target", "kind, width, height"]),
    ] {
        fails(&run(home.path(), &format!("train t.csv --epochs 1 {flags}")), words);
    }
    fails(&run(home.path(), "train tt.csv --target kind"), &["no file or folder tt.csv", "did you mean t.csv?"]);
}

#[test]
fn mistakes_in_a_configuration_file_are_named_with_their_line() {
    let home = tables();
    for (toml, words) in [
        ("[modle]\nhidden = [3]\n", &["line 1", "no key `modle`", "did you mean `model`?"][..]),
        ("[model]\nlayers = [{ layer = \"dens\", units = 3 }]\n", &["line 2", "`dens`", "did you mean `dense`?"]),
        ("[model]\nlayers = [{ layer = \"dense\", units = 2 }]\n", &["shape [2]", "3 outputs are needed"]),
        ("[data]\nkinds = { width = \"nmber\" }\n", &["`nmber`", "did you mean `number`?"]),
        ("[split]\ntrain = 0.5\ntest = 0.75\n", &["[split]", "add up to 1.25, not to 1"]),
    ] {
        std::fs::write(home.path().join("run.toml"), toml).unwrap();
        fails(&run(home.path(), "train t.csv --target kind --config run.toml"), words);
    }
}

#[test]
fn parts_follow_groups_order_and_a_column() {
    let home = tables();
    let line = "train t.csv --target kind --epochs 1";
    let output = run(home.path(), &format!("{line} --group garden"));
    assert!(succeeds(&output).contains("(by group)"));
    // The groups are no inputs: those of the test part would be levels never seen.
    assert!(!text(&output.stderr).contains("never seen"), "{}", text(&output.stderr));
    assert!(passes(home.path(), &format!("{line} --order width")).contains("(in order)"));
    let part = |i: usize| ["train", "train", "test", "holdout"][i / 3 % 4];
    let table = csv(&rows()).replacen('\n', ",part\n", 1);
    let lines: Vec<&str> = table.lines().collect();
    let lines = lines[1..].iter().enumerate().map(|(i, line)| format!("{line},{}\n", part(i)));
    std::fs::write(
        home.path().join("p.csv"),
        format!("{}\n{}", table.lines().next().unwrap(), lines.collect::<String>()),
    )
    .unwrap();
    let output = passes(home.path(), "train p.csv --target kind --epochs 1 --part part");
    assert!(output.contains("30 rows, 15 to test, 15 held out (parts as the table says)"), "{output}");
}

#[test]
fn gaps_in_the_target_rare_and_unknown_classes_are_pointed_out() {
    let home = tables();
    let write = |name: &str, text: String| std::fs::write(home.path().join(name), text).unwrap();
    let train = |name: &str| run(home.path(), &format!("train {name} --target kind --drop garden --epochs 1 -q"));
    let mut gaps = rows();
    (gaps[1][0], gaps[3][0]) = (String::new(), String::new());
    write("gap.csv", csv(&gaps));
    let output = train("gap.csv");
    succeeds(&output);
    assert!(text(&output.stderr).contains("2 of 60 rows have no `kind` (the first is line 3)"));
    write("lone.csv", csv(&rows()) + "lone,1,2,red,g1\n");
    let output = train("lone.csv");
    succeeds(&output);
    assert!(text(&output.stderr).contains("for training alone: `lone` (1 row)"), "{}", text(&output.stderr));
    passes(home.path(), TRAIN);
    write("other.csv", csv(&rows()).replace("\nc,", "\nz,"));
    fails(&run(home.path(), "evaluate m other.csv"), &["other.csv: line", "the class `z` of `kind`", "a, b, c"]);
    write("two.csv", csv(&rows()[..2]));
    fails(&train("two.csv"), &["two.csv", "the test part would have 0 of 2 rows"]);
}

/// Images of 8 x 8 pixels in `pics/dark` and `pics/light`, twelve each.
fn pictures(home: &Path) {
    for (class, value) in [("dark", 40), ("light", 200)] {
        std::fs::create_dir_all(home.join("pics").join(class)).unwrap();
        for i in 0..12 {
            write_png(&home.join(format!("pics/{class}/{i:02}.png")), 8, 8, value + i);
        }
    }
}

#[test]
fn a_folder_of_images_is_trained_on_evaluated_and_predicted() {
    let home = tables();
    pictures(home.path());
    let trained = last_line(&passes(home.path(), "train pics --epochs 5 --out m"), "pics test:");
    let score = last_line(&passes(home.path(), "evaluate m"), "pics test:");
    assert!(trained.starts_with(&score), "{trained} and {score}");
    assert!(passes(home.path(), "evaluate m pics").contains("accuracy 100.00%"));
    let predicted = passes(home.path(), "predict m pics/dark/00.png pics/light/01.png");
    let lines: Vec<&str> = predicted.lines().collect();
    let words: Vec<Vec<&str>> = lines.iter().map(|line| line.split_whitespace().take(2).collect()).collect();
    assert_eq!(words, [["file", "class"], ["pics/dark/00.png", "dark"], ["pics/light/01.png", "light"]]);
    write_png(&home.path().join("pics/dark/05.png"), 8, 9, 45);
    fails(&run(home.path(), "train pics"), &["differ in size", "pics/dark/05.png", "9 x 8"]);
    passes(home.path(), "train pics --size 6x6 --epochs 2 --out small");
    assert!(passes(home.path(), "predict small pics/dark/05.png").contains("dark"));
    fails(&run(home.path(), "explain m pics/dark/05.png"), &["pics/dark/05.png", "8 x 9", "8 x 8"]);
    passes(home.path(), "explain m pics/dark/00.png --out seen");
    assert_eq!(hadal::format::image::read_png_size(&home.path().join("seen/dark_00.saliency.png")).unwrap(), [8, 8]);
    fails(&run(home.path(), "train pics --target kind"), &["target is for tables", "a folder of images"]);
    fails(&run(home.path(), "train pics --size 8x8 --task regression"), &["are classes", "regression"]);
}

/// Arrays with a class for each of forty samples, in a folder.
fn arrays(home: &Path, name: &str, features: usize) {
    std::fs::create_dir(home.join(name)).unwrap();
    let x = |i: usize| ((i / features) % 3) as f32 + (i * 13 % 40) as f32 / 40.0;
    let x: Vec<f32> = (0..40 * features).map(x).collect();
    let y: Vec<i64> = (0..40).map(|i| i % 3).collect();
    hadal::format::npy::write(home.join(name).join("x.npy"), &Tensor::from_vec(x, [40, features])).unwrap();
    hadal::format::npy::write(home.join(name).join("y.npy"), &Tensor::from_vec(y, [40])).unwrap();
}

#[test]
fn arrays_are_trained_on_evaluated_and_predicted() {
    let home = tables();
    arrays(home.path(), "four", 4);
    arrays(home.path(), "eight", 8);
    let trained = last_line(&passes(home.path(), "train four --epochs 3 --out m"), "four test:");
    let score = last_line(&passes(home.path(), "evaluate m"), "four test:");
    assert!(trained.starts_with(&score), "{trained} and {score}");
    assert_eq!(passes(home.path(), "predict m four/x.npy --csv").lines().next(), Some("sample,prediction,probability"));
    fails(&run(home.path(), "evaluate m eight"), &["shape [8]", "shape [4]"]);
    fails(&run(home.path(), "predict m eight"), &["shape [8]", "shape [4]"]);
    let output = passes(home.path(), "train four --task regression --epochs 3 --out r");
    assert!(output.contains("r2_score"), "{output}");
    assert!(passes(home.path(), "evaluate r four").contains("r2_score"));
    let json = passes(home.path(), "predict r four --json");
    let first: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert!(first["prediction"].is_number() && first["sample"] == 0, "{first}");
}

#[test]
fn a_model_refuses_data_of_another_kind() {
    let home = tables();
    pictures(home.path());
    arrays(home.path(), "four", 4);
    passes(home.path(), TRAIN);
    passes(home.path(), "train pics --epochs 1 --out p");
    passes(home.path(), "train four --epochs 1 --out n");
    for (line, words) in [
        ("evaluate m pics", &["trained on a table", "pics is a folder of images"][..]),
        ("evaluate m four", &["trained on a table", "four is arrays"]),
        ("evaluate m mnist", &["trained on a table", "images of digits"]),
        ("evaluate p t.csv", &["trained on a folder of images", "t.csv is a table"]),
        ("evaluate n pics", &["trained on arrays", "pics is a folder of images"]),
        ("predict m pics", &["trained on a table", "pics is a folder"]),
        ("predict m pics/dark/00.png", &["is a PNG image, not a table"]),
        ("predict p t.csv", &["t.csv: is not a PNG or JPEG image"]),
        ("predict n t.csv", &["t.csv: is not an .npy file"]),
    ] {
        fails(&run(home.path(), line), words);
    }
}
