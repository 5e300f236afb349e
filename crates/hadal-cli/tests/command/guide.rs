//! The guide's commands do what stands under them.

use std::path::Path;

use hadal::{DType, Rng, Tensor};

use crate::support::{hadal, succeeds};

/// The commands of a chapter, each with the lines under it.
fn commands(chapter: &str) -> Vec<(String, Vec<String>)> {
    let mut commands: Vec<(String, Vec<String>)> = Vec::new();
    let mut inside = false;
    for line in chapter.lines() {
        if let Some(language) = line.strip_prefix("```") {
            inside = language == "text";
        } else if let Some(command) = line.strip_prefix("$ hadal ").filter(|_| inside) {
            commands.push((command.to_owned(), Vec::new()));
        } else if let Some((_, lines)) = commands.last_mut().filter(|_| inside) {
            lines.push(line.to_owned());
        }
        if line == "```" {
            // What stands in a block without a command belongs to none.
            commands.push((String::new(), Vec::new()));
        }
    }
    commands.retain(|(command, _)| !command.is_empty());
    commands
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

/// Runs a chapter's commands in a folder, and looks for the lines in what they print.
fn follow(home: &Path, chapter: &str) {
    let commands = commands(chapter);
    assert!(commands.len() >= 3);
    for (command, lines) in commands {
        let printed = succeeds(&hadal(home).args(words(&command)).output().unwrap());
        let mut rest = printed.lines().map(shape);
        for line in lines.iter().filter(|line| !line.trim().is_empty() && line.trim() != "...") {
            let line = shape(line);
            assert!(rest.any(|own| own.starts_with(&line)), "hadal {command}: no line `{line}` in {printed}");
        }
    }
}

#[test]
fn the_chapter_on_tables_is_true() {
    let home = tempfile::tempdir().unwrap();
    let data = std::env::var_os("HADAL_DATA_DIR").map(|data| Path::new(&data).join("tables/titanic.csv"));
    let Some(data) = data.filter(|data| data.is_file()) else {
        return println!("skipped: there is no tables/titanic.csv in HADAL_DATA_DIR");
    };
    let table = std::fs::read_to_string(data).unwrap();
    std::fs::write(home.path().join("titanic.csv"), &table).unwrap();
    let new: Vec<&str> = table.lines().take(2).collect();
    std::fs::write(home.path().join("new.csv"), new.join("\n")).unwrap();
    follow(home.path(), include_str!("../../../../book/src/your_table.md"));
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
fn every_picture_is_drawn_by_the_code_beside_it() {
    let book = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../book/src");
    let mut pictures = 0;
    for entry in std::fs::read_dir(&book).unwrap() {
        let path = entry.unwrap().path();
        let Some("md") = path.extension().and_then(|extension| extension.to_str()) else { continue };
        let chapter = std::fs::read_to_string(&path).unwrap();
        for shown in chapter.split("](pictures/").skip(1) {
            let name = shown.split(')').next().unwrap();
            assert!(book.join("pictures").join(name).is_file(), "{}: there is no {name}", path.display());
            assert!(chapter.contains(&format!("(\"{name}\"")), "{}: nothing draws {name}", path.display());
            pictures += 1;
        }
    }
    assert!(pictures >= 5);
}
