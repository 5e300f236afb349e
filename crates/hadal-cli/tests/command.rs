//! The command as a user meets it: what it prints, what it writes, and what it says about mistakes.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use tempfile::TempDir;

/// The command, in an environment of its own: no data folder, no cache, and a proxy that nothing listens at, so that no
/// test depends on a network.
fn hadal(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hadal"));
    command.current_dir(home).env_clear().env("HOME", home).env("RUST_BACKTRACE", "0");
    command.env("HTTPS_PROXY", "http://127.0.0.1:1");
    command
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// IDX bytes with this header.
fn idx(magic: u32, sizes: &[u32], data: &[u8]) -> Vec<u8> {
    let header = [&[magic][..], sizes].concat();
    header.into_iter().flat_map(u32::to_be_bytes).chain(data.iter().copied()).collect()
}

const NAMES: [&str; 4] = [
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
];

/// A data folder with 300 training and 100 test images whose label is the brightest of ten stripes.
fn small_mnist() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("mnist")).unwrap();
    for (part, count) in [(0, 300usize), (2, 100)] {
        let label = |i: usize| (i * 7 % 10) as u8;
        let pixel = |i: usize| if (i % 784) / 79 == label(i / 784) as usize { 200 } else { (i * 31 % 60) as u8 };
        let images: Vec<u8> = (0..count * 784).map(pixel).collect();
        let labels: Vec<u8> = (0..count).map(label).collect();
        let images = idx(0x803, &[count as u32, 28, 28], &images);
        std::fs::write(folder.path().join("mnist").join(NAMES[part]), gzip(&images)).unwrap();
        let labels = idx(0x801, &[count as u32], &labels);
        std::fs::write(folder.path().join("mnist").join(NAMES[part + 1]), gzip(&labels)).unwrap();
    }
    folder
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Checks that the command failed with one clear error holding all the words, and without a panic.
#[track_caller]
fn fails(output: &Output, words: &[&str]) {
    let error = text(&output.stderr);
    assert!(!output.status.success(), "this should fail, but printed {}", text(&output.stdout));
    assert!(!error.contains("panicked"), "{error}");
    assert_eq!(error.matches("error:").count(), 1, "one error, not {error}");
    for word in words {
        assert!(error.contains(word), "{error:?} does not say {word:?}");
    }
}

#[track_caller]
fn succeeds(output: &Output) -> String {
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found
}

fn write_png(path: &Path, width: usize, height: usize, value: u8) {
    let image = hadal::Tensor::full_of([height, width], f64::from(value), hadal::DType::U8);
    hadal::format::image::write_png(path, &image).unwrap();
}

/// A trained model in `out` below the folder.
fn trained(home: &Path, data: &Path) -> PathBuf {
    let out = home.join("out");
    let output = hadal(home)
        .args(["train", "mnist", "--epochs", "2", "--batch-size", "32", "--data-dir"])
        .arg(data)
        .arg("--out")
        .arg(&out)
        .output()
        .unwrap();
    succeeds(&output);
    out
}

#[test]
fn train_evaluate_and_predict_work_together() {
    let (home, data) = (tempfile::tempdir().unwrap(), small_mnist());
    let args = ["train", "--epochs", "8", "--batch-size", "32", "--seed", "3", "--out", "out", "--data-dir"];
    let output = succeeds(&hadal(home.path()).args(args).arg(data.path()).output().unwrap());
    for words in
        ["Dense (relu)", "669,706", "Training on mnist: 300 images, 100 to test, seed 3", "mnist epoch 8/8  loss"]
    {
        assert!(output.contains(words), "{output}");
    }
    let last = output.lines().find(|line| line.starts_with("mnist test: loss")).unwrap().to_owned();
    assert!(last.ends_with("accuracy 100.00%"), "stripes are easy: {last}");
    let history = std::fs::read_to_string(home.path().join("out/history.csv")).unwrap();
    assert!(history.starts_with("epoch,loss,accuracy,val_loss,val_accuracy,learning_rate,seconds,dataset\n1,"));
    assert_eq!(history.lines().count(), 9);

    let evaluated = hadal(home.path()).args(["evaluate", "out", "--data-dir"]).arg(data.path()).output().unwrap();
    assert_eq!(succeeds(&evaluated).trim_end(), last);

    // Stripe 4 of ten, light on dark; and dark on light.
    let stripe = |light: u8, dark: u8| {
        let pixels: Vec<u8> = (0..784).map(|i| if i / 79 == 4 { light } else { dark }).collect();
        hadal::Tensor::from_vec(pixels, [28, 28])
    };
    hadal::format::image::write_png(&home.path().join("four.png"), &stripe(200, 30)).unwrap();
    hadal::format::image::write_png(&home.path().join("dark.png"), &stripe(55, 225)).unwrap();
    let output = succeeds(&hadal(home.path()).args(["predict", "out", "four.png", "four.png"]).output().unwrap());
    assert_eq!(output.lines().count(), 2);
    assert!(output.starts_with("four.png: 4 ("), "{output}");
    let inverted =
        hadal(home.path()).args(["predict", "--invert", "out/model.safetensors", "dark.png"]).output().unwrap();
    assert!(succeeds(&inverted).starts_with("dark.png: 4 ("));
    let puzzled = hadal(home.path()).args(["predict", "out", "dark.png"]).output().unwrap();
    assert!(text(&puzzled.stderr).contains("--invert"));
}

#[test]
fn the_same_seed_prints_the_same_numbers_on_any_number_of_threads() {
    let (home, data) = (tempfile::tempdir().unwrap(), small_mnist());
    let run = |extra: &[&str]| {
        let args = ["train", "mnist", "--epochs", "2", "--quiet", "--data-dir"];
        succeeds(&hadal(home.path()).args(args).arg(data.path()).args(extra).output().unwrap())
    };
    let one = run(&["--threads", "1"]);
    assert_eq!(one.lines().count(), 1, "--quiet prints the result alone: {one}");
    assert_eq!(one, run(&["--threads", "2"]));
    assert_eq!(run(&["--precision", "medium", "--threads", "1"]), run(&["--precision", "medium", "--threads", "2"]));
    assert_eq!(one, run(&["--no-cuda", "--test-batch-size", "7"]));
    assert_ne!(one, run(&["--seed", "2"]));
    for other in [
        &["--optimizer", "sgd", "--momentum", "0.5", "--lr", "0.1"][..],
        &["--optimizer", "adam"],
        &["--schedule", "cosine"],
    ] {
        assert_ne!(one, run(other), "{other:?}");
    }
}

#[test]
fn log_interval_prints_a_line_every_few_batches() {
    let (home, data) = (tempfile::tempdir().unwrap(), small_mnist());
    let args = ["train", "mnist", "--epochs", "1", "--batch-size", "32", "--log-interval", "3", "--data-dir"];
    let output = succeeds(&hadal(home.path()).args(args).arg(data.path()).output().unwrap());
    let lines: Vec<&str> =
        output.lines().filter(|line| line.contains('[')).filter(|line| line.contains("epoch")).collect();
    assert_eq!(lines.len(), 3, "{output}");
    assert!(lines[0].starts_with("mnist epoch 1/1 [96/300 (32%)]  loss "), "{}", lines[0]);
}

#[test]
fn without_mnist_the_built_in_digits_are_trained_on_and_named_everywhere() {
    let home = tempfile::tempdir().unwrap();
    let args = ["train", "--epochs", "1", "--batch-size", "500", "--out", "out"];
    let output = hadal(home.path()).args(args).output().unwrap();
    let notes = text(&output.stderr);
    let printed = succeeds(&output);
    assert!(notes.contains("MNIST cannot be had"), "{notes}");
    assert_eq!(notes.lines().count(), 2, "{notes}");
    assert!(notes.contains("tried") && notes.contains("cache") && notes.contains("--data-dir"), "{notes}");
    assert!(printed.contains("Training on digits: 60000 images"), "{printed}");
    assert!(printed.contains("digits epoch 1/1") && printed.contains("digits test: loss"), "{printed}");
    let history = std::fs::read_to_string(home.path().join("out/history.csv")).unwrap();
    assert!(history.lines().nth(1).unwrap().ends_with(",digits"), "{history}");
    let evaluated = succeeds(&hadal(home.path()).args(["evaluate", "out"]).output().unwrap());
    assert_eq!(printed.lines().find(|line| line.starts_with("digits test")), evaluated.lines().next());

    let named = hadal(home.path()).args(["train", "mnist"]).output().unwrap();
    fails(&named, &["mnist cannot be had", "tried", "--data-dir"]);
    assert!(named.stdout.is_empty());
}

#[test]
fn damaged_data_is_refused_by_file_and_reason() {
    let home = tempfile::tempdir().unwrap();
    let images = idx(0x803, &[300, 28, 28], &vec![9; 300 * 784]);
    let whole = gzip(&images);
    let mut flipped = whole.clone();
    let middle = flipped.len() - 20;
    flipped[middle] ^= 0x55;
    let mut labels = vec![1u8; 300];
    labels[17] = 10;
    /// Which file, what stands in its place, what the error says.
    type Damage = (usize, Option<Vec<u8>>, &'static [&'static str]);
    let cases: [Damage; 11] = [
        (0, None, &["is missing"]),
        (3, None, &["is missing"]),
        (0, Some(whole[..whole.len() / 2].to_vec()), &["damaged or cut short"]),
        (0, Some(flipped), &["damaged"]),
        (0, Some(b"<html>404</html>".to_vec()), &["is not a gzip file"]),
        (0, Some(vec![]), &["is not a gzip file"]),
        (0, Some(gzip(&idx(0x801, &[300, 28, 28], &[0; 8]))), &["magic number 0x00000801", "0x00000803"]),
        (0, Some(gzip(&images[..images.len() - 5])), &["is cut short", "235195 of 235200"]),
        (0, Some(gzip(&idx(0x803, &[u32::MAX, 28, 28], &[0; 8]))), &["more than"]),
        (1, Some(gzip(&idx(0x801, &[300], &labels))), &["label 17 is 10", "0 to 9"]),
        (1, Some(gzip(&idx(0x801, &[299], &labels[1..]))), &["holds 299 labels", "holds 300 images"]),
    ];
    for (file, contents, words) in cases {
        let data = small_mnist();
        let path = data.path().join("mnist").join(NAMES[file]);
        match contents {
            Some(contents) => std::fs::write(&path, contents).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        let words = [words, &[NAMES[file]]].concat();
        let asked = hadal(home.path()).args(["train", "--out", "out", "--data-dir"]).arg(data.path()).output().unwrap();
        fails(&asked, &words);
        let named =
            hadal(home.path()).args(["train", "--out", "out"]).env("HADAL_DATA_DIR", data.path()).output().unwrap();
        fails(&named, &words);
        assert!(files_below(home.path()).is_empty(), "nothing is written");
    }
}

#[test]
fn an_image_file_of_another_size_is_refused() {
    let (home, data) = (tempfile::tempdir().unwrap(), small_mnist());
    let path = data.path().join("mnist").join(NAMES[0]);
    std::fs::write(path, gzip(&idx(0x803, &[300, 14, 28], &vec![0; 300 * 14 * 28]))).unwrap();
    fails(
        &hadal(home.path()).args(["train", "--data-dir"]).arg(data.path()).output().unwrap(),
        &["14 x 28", "28 x 28"],
    );
}

#[test]
fn flags_that_cannot_work_are_refused_with_advice() {
    let home = tempfile::tempdir().unwrap();
    let cases: [(&[&str], &[&str]); 16] = [
        (&["--precision", "low"], &["'low'", "--precision", "highest, high, medium"]),
        (&["--batch-size", "0"], &["'0'", "--batch-size", "at least 1"]),
        (&["--batch-size", "many"], &["'many'", "whole number"]),
        (&["--test-batch-size", "0"], &["--test-batch-size", "at least 1"]),
        (&["--epochs", "-3"], &["-3"]),
        (&["--epochs", "0"], &["--epochs", "at least 1"]),
        (&["--threads", "0"], &["--threads", "at least 1"]),
        (&["--lr", "nan"], &["'nan'", "--lr", "positive, finite"]),
        (&["--lr", "-0.1"], &["'-0.1'", "positive, finite"]),
        (&["--lr", "inf"], &["'inf'", "positive, finite"]),
        (&["--momentum", "1"], &["--momentum", "below 1"]),
        (&["--epoch", "3"], &["--epoch", "'--epochs'"]),
        (&["--optimizer", "rmsprob"], &["'rmsprob'", "rmsprop"]),
        (&["mnits"], &["'mnits'", "mnist"]),
        (&["digits", "--optimizer", "adam", "--momentum", "0.9"], &["adam has no --momentum"]),
        (&["digits", "--device", "cuda"], &["no GPU support yet", "--device cpu"]),
    ];
    for (flags, words) in cases {
        fails(&hadal(home.path()).arg("train").args(flags).output().unwrap(), words);
    }
    fails(&hadal(home.path()).arg("trian").output().unwrap(), &["'trian'", "'train'"]);
    assert!(text(&hadal(home.path()).output().unwrap().stderr).contains("Usage"));
}

#[test]
fn a_folder_that_holds_a_run_is_not_overwritten_unasked() {
    let (home, data) = (tempfile::tempdir().unwrap(), small_mnist());
    let out = trained(home.path(), data.path());
    let before = std::fs::read(out.join("model.safetensors")).unwrap();
    let again = |extra: &[&str]| {
        let args = ["train", "--epochs", "1", "--seed", "9", "--out", "out", "--data-dir"];
        hadal(home.path()).args(args).arg(data.path()).args(extra).output().unwrap()
    };
    fails(&again(&[]), &["model.safetensors is there already", "--overwrite"]);
    assert_eq!(std::fs::read(out.join("model.safetensors")).unwrap(), before);
    succeeds(&again(&["--overwrite"]));
    assert_ne!(std::fs::read(out.join("model.safetensors")).unwrap(), before);
}

#[test]
fn an_out_folder_that_cannot_be_made_is_an_error() {
    let (home, data) = (tempfile::tempdir().unwrap(), small_mnist());
    std::fs::write(home.path().join("file"), "").unwrap();
    let args = ["train", "--epochs", "1", "--out", "file/out", "--data-dir"];
    let output = hadal(home.path()).args(args).arg(data.path()).output().unwrap();
    fails(&output, &["file/out", "make the folder"]);
    // Found before the training, not after it.
    assert!(!text(&output.stdout).contains("epoch 1/1"));
}

#[test]
fn files_that_are_no_model_are_refused() {
    let (home, data) = (tempfile::tempdir().unwrap(), small_mnist());
    let out = trained(home.path(), data.path());
    let path = out.join("model.safetensors");
    let whole = std::fs::read(&path).unwrap();
    let header = u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let json = String::from_utf8(whole[8..8 + header].to_vec()).unwrap();
    let with_header =
        |json: String| [&(json.len() as u64).to_le_bytes()[..], json.as_bytes(), &whole[8 + header..]].concat();
    let reshaped = json.replacen("[512,784]", "[784,512]", 1);
    let grown = json.replace(r#"\"units\":512"#, r#"\"units\":513"#);
    let forged = json.replace(r#"\"units\":512"#, r#"\"units\":9000000000000000000"#);
    let unknown = json.replace("hadal.architecture", "something.else");
    let strange = json.replace(r#"\"layer\":\"dense\""#, r#"\"layer\":\"telepathy\""#);
    for changed in [&reshaped, &grown, &forged, &unknown, &strange] {
        assert_ne!(changed, &json);
    }
    let cases: [(Vec<u8>, &[&str]); 10] = [
        (whole[..whole.len() - 100].to_vec(), &["not a whole safetensors file"]),
        (whole[..20].to_vec(), &["not a whole safetensors file"]),
        (vec![], &["not a whole safetensors file"]),
        (b"this is a text file, not a model".to_vec(), &["not a whole safetensors file"]),
        (vec![0xff; 64], &["not a whole safetensors file"]),
        (with_header(reshaped), &["`layers.0.weight` is f32 [784, 512]", "f32 [512, 784]"]),
        (with_header(grown), &["are stored"]),
        (with_header(forged), &["larger than memory"]),
        (with_header(unknown), &["no architecture"]),
        (with_header(strange), &["telepathy"]),
    ];
    write_png(&home.path().join("image.png"), 28, 28, 0);
    for (contents, words) in cases {
        std::fs::write(&path, contents).unwrap();
        let words = [words, &["model.safetensors"]].concat();
        fails(&hadal(home.path()).args(["evaluate", "out", "--data-dir"]).arg(data.path()).output().unwrap(), &words);
        fails(&hadal(home.path()).args(["predict", "out", "image.png"]).output().unwrap(), &words);
    }
    fails(&hadal(home.path()).args(["evaluate", "nowhere"]).output().unwrap(), &["nowhere", "cannot read"]);
}

#[test]
fn a_model_for_other_data_is_refused() {
    use hadal::prelude::*;
    let home = tempfile::tempdir().unwrap();
    let model = Sequential::new([5]).add(Dense::new(2)).build().unwrap();
    model.save(home.path().join("small.safetensors"), &Default::default()).unwrap();
    fails(&hadal(home.path()).args(["evaluate", "small.safetensors"]).output().unwrap(), &["[5]", "[784]"]);
    let model = Sequential::new([784]).add(Dense::new(10)).build().unwrap();
    model.save(home.path().join("other.safetensors"), &Default::default()).unwrap();
    fails(
        &hadal(home.path()).args(["evaluate", "other.safetensors"]).output().unwrap(),
        &["does not name", "mnist and digits"],
    );
}

#[test]
fn images_that_do_not_fit_are_refused() {
    let (home, data) = (tempfile::tempdir().unwrap(), small_mnist());
    trained(home.path(), data.path());
    write_png(&home.path().join("good.png"), 28, 28, 0);
    write_png(&home.path().join("wide.png"), 30, 28, 0);
    std::fs::write(home.path().join("text.png"), "not an image").unwrap();
    let png = std::fs::read(home.path().join("good.png")).unwrap();
    std::fs::write(home.path().join("half.png"), &png[..png.len() / 2]).unwrap();
    for (image, words) in [
        ("wide.png", &["wide.png", "30 x 28", "28 x 28"][..]),
        ("text.png", &["text.png", "PNG"]),
        ("half.png", &["half.png", "PNG"]),
        ("missing.png", &["missing.png", "open the image"]),
        ("out", &["out", "PNG"]),
    ] {
        let output = hadal(home.path()).args(["predict", "out", "good.png", image]).output().unwrap();
        if image == "out" {
            assert!(!output.status.success(), "a folder is no image");
        } else {
            fails(&output, words);
        }
        assert!(output.stdout.is_empty(), "no half answer");
    }
}

#[test]
fn a_reader_that_leaves_early_is_no_panic() {
    let (home, data) = (tempfile::tempdir().unwrap(), small_mnist());
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_hadal"))
        .args(["train", "mnist", "--epochs", "2", "--data-dir"])
        .arg(data.path())
        .current_dir(home.path())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(!text(&output.stderr).contains("panicked"), "{}", text(&output.stderr));
}

#[test]
fn help_names_every_flag_and_its_default() {
    let home = tempfile::tempdir().unwrap();
    let help = succeeds(&hadal(home.path()).args(["train", "--help"]).output().unwrap());
    for flag in [
        "--epochs",
        "--batch-size",
        "--test-batch-size",
        "--lr",
        "--momentum",
        "--seed",
        "--log-interval",
        "--no-cuda",
        "--optimizer",
        "--schedule",
        "--data-dir",
        "--threads",
        "--precision",
        "--out",
        "--quiet",
        "[default: 20]",
        "[default: 128]",
    ] {
        assert!(help.contains(flag), "{help}");
    }
}
