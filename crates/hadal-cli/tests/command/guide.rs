//! The guide's commands do what stands under them.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

use hadal::{DType, Rng, Tensor};

use crate::support::text;

/// What a chapter asks its reader to do.
enum Step {
    /// A command, with the lines under it.
    Run(String, Vec<String>),
    /// Lines for the file that the last command wrote.
    Append(String),
}

fn steps(chapter: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    // The language of the block that the line is in, and whether a command stands above it there.
    let (mut language, mut has_command) = ("", false);
    for line in chapter.lines() {
        if let Some(opened) = line.strip_prefix("```") {
            (language, has_command) = (opened, false);
            if language == "toml" {
                steps.push(Step::Append(String::new()));
            }
        } else if let Some(command) = line.strip_prefix("$ hadal ").filter(|_| language == "text") {
            steps.push(Step::Run(command.to_owned(), Vec::new()));
            has_command = true;
        } else {
            match steps.last_mut() {
                Some(Step::Run(_, lines)) if has_command => lines.push(line.to_owned()),
                Some(Step::Append(text)) if language == "toml" => *text += &format!("{line}\n"),
                _ => {}
            }
        }
    }
    steps
}

/// Words in quotes are one argument.
fn words(command: &str) -> Vec<&str> {
    let parts = command.split('"').enumerate();
    parts.flat_map(|(i, part)| if i % 2 == 1 { vec![part] } else { part.split_whitespace().collect() }).collect()
}

/// The line without what differs between processors: each number becomes `#`.
fn shape(line: &str) -> String {
    let mut shape = String::new();
    for c in line.chars() {
        match c {
            '0'..='9' if shape.ends_with('#') => {}
            '0'..='9' => shape.push('#'),
            '.' if shape.ends_with('#') => {}
            _ => shape.push(c),
        }
    }
    shape.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Does what a chapter says in a folder, and looks for its lines in what the commands print: those that begin with `note:` or
/// `error:` on standard error. `^C` interrupts the command when the lines above it have been printed.
fn follow(home: &Path, chapter: &str) {
    let (mut commands, mut written) = (0, String::new());
    for step in steps(chapter) {
        match step {
            Step::Append(lines) => {
                let file = home.join(&written);
                let text = std::fs::read_to_string(&file).unwrap();
                std::fs::write(file, text + &lines).unwrap();
            }
            Step::Run(command, lines) => {
                let (command, file) = command.split_once(" > ").unwrap_or((&command, ""));
                let printed = run(home, command, &lines);
                if !file.is_empty() {
                    std::fs::write(home.join(file), printed).unwrap();
                    written = file.to_owned();
                }
                commands += 1;
            }
        }
    }
    assert!(commands >= 1);
}

/// Runs a command; returns what it printed on standard output.
fn run(home: &Path, command: &str, lines: &[String]) -> String {
    let is_about_errors = |line: &&String| line.starts_with("note: ") || line.starts_with("error: ");
    let lines = lines.iter().filter(|line| !line.trim().is_empty() && line.trim() != "...");
    let (about_errors, lines): (Vec<&String>, Vec<&String>) = lines.partition(is_about_errors);
    let mut child = start(home, command);
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let (mut printed, mut is_interrupted) = (String::new(), false);
    for line in lines {
        if line == "^C" {
            interrupt(&child);
            is_interrupted = true;
            continue;
        }
        let wanted = shape(line);
        let found = output.by_ref().any(|own| {
            printed += &format!("{own}\n");
            shape(&own).starts_with(&wanted)
        });
        assert!(found, "hadal {command}: no line `{wanted}` in {printed}");
    }
    output.for_each(|own| printed += &format!("{own}\n"));
    let result = child.wait_with_output().unwrap();
    let errors: Vec<String> = text(&result.stderr).lines().map(shape).collect();
    for line in &about_errors {
        assert!(errors.contains(&shape(line)), "hadal {command}: no line `{line}` in {errors:#?}");
    }
    let status = match (is_interrupted, about_errors.iter().any(|line| line.starts_with("error: "))) {
        (true, _) => 130,
        (false, true) => 1,
        (false, false) => 0,
    };
    assert_eq!(result.status.code(), Some(status), "hadal {command}: {printed}{errors:#?}");
    printed
}

/// The command, as `support::hadal` runs it, while it runs.
fn start(home: &Path, command: &str) -> Child {
    let mut hadal = std::process::Command::new(env!("CARGO_BIN_EXE_hadal"));
    hadal.args(words(command)).current_dir(home).env_clear().env("HOME", home);
    hadal.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// What Ctrl-C sends.
fn interrupt(child: &Child) {
    let sent = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(sent.unwrap().success());
}

/// Copies a table into a folder; `false` where there are no tables.
fn has_table(home: &Path, name: &str) -> bool {
    let table = std::env::var_os("HADAL_DATA_DIR").map(|data| Path::new(&data).join("tables").join(name));
    let table = table.filter(|table| table.is_file());
    match &table {
        Some(table) => drop(std::fs::copy(table, home.join(name)).unwrap()),
        None => println!("skipped: there is no tables/{name} in HADAL_DATA_DIR"),
    }
    table.is_some()
}

#[test]
fn the_chapter_on_tables_is_true() {
    let home = tempfile::tempdir().unwrap();
    if !has_table(home.path(), "titanic.csv") {
        return;
    }
    let table = std::fs::read_to_string(home.path().join("titanic.csv")).unwrap();
    let new: Vec<&str> = table.lines().take(2).collect();
    std::fs::write(home.path().join("new.csv"), new.join("\n")).unwrap();
    follow(home.path(), include_str!("../../../../book/src/your_table.md"));
}

#[test]
fn the_chapter_on_early_stopping_is_true() {
    let home = tempfile::tempdir().unwrap();
    if has_table(home.path(), "titanic.csv") {
        follow(home.path(), include_str!("../../../../book/src/early_stopping.md"));
    }
}

#[test]
fn the_chapter_on_tuning_is_true() {
    let home = tempfile::tempdir().unwrap();
    if has_table(home.path(), "titanic.csv") {
        follow(home.path(), include_str!("../../../../book/src/tuning.md"));
    }
}

#[cfg(unix)]
#[test]
fn the_chapter_on_runs_is_true() {
    let home = tempfile::tempdir().unwrap();
    if has_table(home.path(), "titanic.csv") && has_table(home.path(), "diamonds.csv") {
        follow(home.path(), include_str!("../../../../book/src/runs.md"));
    }
}

#[test]
fn the_chapter_on_watching_is_true() {
    let home = tempfile::tempdir().unwrap();
    if has_table(home.path(), "titanic.csv") {
        follow(home.path(), include_str!("../../../../book/src/watching.md"));
    }
}

#[test]
fn the_chapter_on_reading_curves_is_true() {
    let home = tempfile::tempdir().unwrap();
    if has_table(home.path(), "titanic.csv") {
        follow(home.path(), include_str!("../../../../book/src/reading_curves.md"));
    }
}

#[test]
fn the_chapter_on_pictures_is_true() {
    let home = tempfile::tempdir().unwrap();
    let mut rng = Rng::new(1);
    for (class, is_disc) in [("discs", true), ("squares", false)] {
        let folder = home.path().join("shapes").join(class);
        std::fs::create_dir_all(&folder).unwrap();
        for i in 0..100 {
            let place = Tensor::rand([2], &mut rng).to_vec::<f32>();
            let y = Tensor::arange(24).to_dtype(DType::F32).reshape([24, 1]) - (7.0 + 10.0 * place[0]);
            let x = Tensor::arange(20).to_dtype(DType::F32) - (7.0 + 6.0 * place[1]);
            let distance = if is_disc { (y.powi(2) + x.powi(2)).sqrt() } else { y.abs().maximum(&x.abs()) };
            let image = (-distance + 6.0).clamp(0.0, 1.0) * 0.4 + 0.3 + Tensor::randn([24, 20], &mut rng) * 0.2;
            hadal::format::image::write_png(&folder.join(format!("{i:03}.png")), &image).unwrap();
        }
    }
    follow(home.path(), include_str!("../../../../book/src/pictures.md"));
}

#[test]
fn every_picture_is_drawn_by_the_code_beside_it_or_a_script_or_an_example() {
    let book = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../book/src");
    let read = |path: &str| std::fs::read_to_string(book.join(path)).unwrap();
    let (screenshots, diagrams) = (read("../screenshots.py"), read("../diagrams.py"));
    let example = read("../../examples/features.rs");
    let mut pictures = 0;
    for entry in std::fs::read_dir(&book).unwrap() {
        let path = entry.unwrap().path();
        let Some("md") = path.extension().and_then(|extension| extension.to_str()) else { continue };
        let chapter = std::fs::read_to_string(&path).unwrap();
        for shown in chapter.split("](pictures/").skip(1) {
            let name = shown.split(')').next().unwrap();
            assert!(book.join("pictures").join(name).is_file(), "{}: there is no {name}", path.display());
            let is_drawn = chapter.contains(&format!("(\"{name}\""))
                || screenshots.contains(&format!(", \"{name}\")"))
                || diagrams.contains(&format!(".save(\"{name}\")"))
                || example.contains(&format!("\"target/examples/{name}\""));
            assert!(is_drawn, "{}: nothing draws {name}", path.display());
            pictures += 1;
        }
    }
    assert!(pictures >= 20);
}
