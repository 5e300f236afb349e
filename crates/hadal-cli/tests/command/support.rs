//! What the tests of the command share.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use tempfile::TempDir;

/// The command, in an environment of its own: no data folder, no cache, and a proxy that nothing listens at, so that no
/// test depends on a network.
pub fn hadal(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hadal"));
    command.current_dir(home).env_clear().env("HOME", home).env("RUST_BACKTRACE", "0");
    command.env("HTTPS_PROXY", "http://127.0.0.1:1");
    command
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// IDX bytes with this header.
pub fn idx(magic: u32, sizes: &[u32], data: &[u8]) -> Vec<u8> {
    let header = [&[magic][..], sizes].concat();
    header.into_iter().flat_map(u32::to_be_bytes).chain(data.iter().copied()).collect()
}

pub const NAMES: [&str; 4] = [
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
];

/// A data folder with 300 training and 100 test images whose label is the brightest of ten stripes.
pub fn small_mnist() -> TempDir {
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

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Checks that the command failed with one clear error holding all the words, and without a panic.
#[track_caller]
pub fn fails(output: &Output, words: &[&str]) {
    let error = text(&output.stderr);
    assert!(!output.status.success(), "this should fail, but printed {}", text(&output.stdout));
    assert!(!error.contains("panicked"), "{error}");
    assert_eq!(error.matches("error:").count(), 1, "one error, not {error}");
    for word in words {
        assert!(error.contains(word), "{error:?} does not say {word:?}");
    }
}

#[track_caller]
pub fn succeeds(output: &Output) -> String {
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found
}

pub fn write_png(path: &Path, width: usize, height: usize, value: u8) {
    let image = hadal::Tensor::full_of([height, width], f64::from(value), hadal::DType::U8);
    hadal::format::image::write_png(path, &image).unwrap();
}

/// A trained model in `out` below the folder.
pub fn trained(home: &Path, data: &Path) -> PathBuf {
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

/// The command as a child that can be watched and killed; its output goes nowhere.
pub fn start(home: &Path, args: &[&str]) -> std::process::Child {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_hadal"));
    command.args(args).current_dir(home).env_clear().env("HOME", home);
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap()
}

/// The command behind shell code, such as limits or redirections, in which `"$@"` stands for it.
pub fn shell(home: &Path, code: &str, args: &[&str]) -> Output {
    let mut command = Command::new("sh");
    command.args(["-c", code, "sh", env!("CARGO_BIN_EXE_hadal")]).args(args);
    command.current_dir(home).env_clear().env("HOME", home).env("HTTPS_PROXY", "http://127.0.0.1:1");
    command.timeout(std::time::Duration::from_secs(60)).output().unwrap()
}

/// What the model in the folder says about itself.
pub fn notes(folder: &Path) -> std::collections::BTreeMap<String, String> {
    hadal::nn::Sequential::load(folder.join("model.safetensors")).unwrap().1
}

/// `t.csv` in the folder: 300 rows, a class that two of four columns tell.
pub fn write_table(home: &Path) {
    let mut random = hadal::Rng::new(5);
    let mut number = |scale: f64| random.below(10_000) as f64 / 10_000.0 * scale;
    let mut table = String::from("kind,a,b,c,word\n");
    for row in 0..300 {
        let kind = row % 3;
        let word = ["x", "y", "z"][number(3.0) as usize];
        table += &format!("k{kind},{:.4},{:.4},{:.4},{word}\n", kind as f64 + number(2.0), number(3.0), number(1.0));
    }
    std::fs::write(home.join("t.csv"), table).unwrap();
}

/// The command with these arguments, split at spaces.
pub fn run(home: &Path, line: &str) -> Output {
    hadal(home).args(line.split_whitespace()).output().unwrap()
}

#[track_caller]
pub fn passes(home: &Path, line: &str) -> String {
    succeeds(&run(home, line))
}

/// The command in the background; what it prints is kept, and must be little.
pub fn begin(home: &Path, line: &str) -> std::process::Child {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_hadal"));
    command.args(line.split_whitespace()).current_dir(home).env_clear().env("HOME", home);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap()
}

/// Waits until it is so, for a minute at most.
#[track_caller]
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = std::time::Instant::now();
    while !is_so() {
        assert!(began.elapsed().as_secs() < 60, "waited for a minute: {what}");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

/// Sends signals, by name, to a process.
pub fn signal(process: &std::process::Child, signals: &[&str]) {
    let kills: Vec<String> = signals.iter().map(|signal| format!("kill -{signal} {}", process.id())).collect();
    std::process::Command::new("sh").args(["-c", &kills.join("; ")]).status().unwrap();
}

/// The number of epochs in a run's history.
pub fn epochs_in(folder: &Path) -> usize {
    std::fs::read_to_string(folder.join("history.csv")).map_or(0, |text| text.lines().count().saturating_sub(1))
}

/// Checks that two folders hold the same model, history and findings.
#[track_caller]
pub fn are_equal(one: &Path, other: &Path) {
    for name in ["model.safetensors", "history.csv", "health.json"] {
        let [a, b] = [one, other].map(|folder| std::fs::read(folder.join(name)).unwrap());
        assert!(a == b, "{name} differs in {} and {}", one.display(), other.display());
    }
}

/// Replaces text in the facts of a checkpoint, and saves it again with its digest.
pub fn forge(checkpoint: &Path, from: &str, to: &str) {
    let (tensors, mut metadata) = hadal::format::safetensors::load(checkpoint).unwrap();
    let facts = metadata.get_mut("hadal.training_state").unwrap();
    assert!(facts.contains(from), "{from} is not in {facts}");
    *facts = facts.replace(from, to);
    let tensors: Vec<_> = tensors.into_iter().collect();
    hadal::format::safetensors::save(checkpoint, &tensors, metadata).unwrap();
}

/// Copies the files of a folder.
pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}
