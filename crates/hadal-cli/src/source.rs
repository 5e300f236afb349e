//! What SOURCE stands for.

use std::path::{Path, PathBuf};

use hadal::{Error, Result, nearest};

use crate::config::{Data, Kind};

/// Where the samples are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    Mnist,
    Digits,
    /// A CSV or TSV file; `-` is standard input.
    Table(PathBuf),
    /// A folder with a folder of images for each class.
    Images(PathBuf),
    /// A folder with `x.npy` and `y.npy`, or an `.npz` file.
    Arrays(PathBuf),
    /// A text file.
    Text(PathBuf),
}

impl Source {
    /// That of these settings; without a name MNIST. A file is a text if the settings say so, or if its name ends with `.txt` or
    /// `.txt.gz` and they name no target, as a table needs.
    pub fn of(data: &Data) -> Result<Source> {
        let source = Source::find(data.source.as_deref().unwrap_or("mnist"))?;
        if let Source::Images(path) = &source
            && (data.text == Some(true) || is_of_texts(path))
        {
            return Err(Error::Config(format!(
                "{0} is a folder, but a text is one file; join several, cat {0}/*.txt > all.txt for example, and give that",
                path.display()
            )));
        }
        let Source::Table(path) = &source else { return Ok(source) };
        let ends_so = is_named_as_text(path);
        match data.text.unwrap_or(ends_so && data.target.is_none()) {
            true if path == Path::new("-") => Err(Error::Config(
                "a text is read from a file, so that the run can be resumed and verified: write standard input to a file, and give \
                 that"
                    .into(),
            )),
            true => Ok(Source::Text(path.clone())),
            false => Ok(source),
        }
    }

    /// From what the user wrote, and what is there. A text is not told from a table.
    pub fn find(text: &str) -> Result<Source> {
        match text {
            "mnist" => return Ok(Source::Mnist),
            "digits" => return Ok(Source::Digits),
            "-" => return Ok(Source::Table(PathBuf::from("-"))),
            _ => {}
        }
        let path = PathBuf::from(text);
        if path.is_dir() {
            let is_array = ["x.npy", "y.npy"].iter().any(|name| path.join(name).exists());
            return Ok(if is_array { Source::Arrays(path) } else { Source::Images(path) });
        }
        if !path.exists() {
            let similar = neighbour(&path).map_or(String::new(), |name| format!("; did you mean {name}?"));
            return Err(Error::Config(format!(
                "there is no file or folder {text}{similar} (a source is mnist, digits, a CSV or TSV file, a text, a folder with a \
                 folder of images for each class, or a folder or .npz file with the arrays x and y)"
            )));
        }
        let extension = path.extension().and_then(|extension| extension.to_str()).map(str::to_lowercase);
        match extension.as_deref() {
            Some("npz") => Ok(Source::Arrays(path)),
            Some("npy") => Err(Error::Config(format!(
                "{text} is one array; give the folder that holds x.npy and y.npy, or an .npz file with x and y"
            ))),
            Some("png" | "jpg" | "jpeg") => Err(Error::Config(format!(
                "{text} is one image; give the folder that has a folder of images for each class"
            ))),
            _ => Ok(Source::Table(path)),
        }
    }

    /// What it is called in results and files: its name without its folders.
    pub fn name(&self) -> String {
        match self {
            Source::Mnist => "mnist".to_owned(),
            Source::Digits => "digits".to_owned(),
            Source::Table(path) | Source::Images(path) | Source::Arrays(path) | Source::Text(path) => {
                path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
            }
        }
    }

    /// The kind of its data, which decides what settings there are.
    pub fn data_kind(&self) -> Kind {
        match self {
            Source::Mnist | Source::Digits => Kind::Digits,
            Source::Table(_) => Kind::Table,
            Source::Images(_) => Kind::Images,
            Source::Arrays(_) => Kind::Arrays,
            Source::Text(_) => Kind::Text,
        }
    }

    /// What it is, for a reader.
    pub fn kind(&self) -> &'static str {
        match self {
            Source::Mnist | Source::Digits => "images of digits",
            Source::Table(_) => "a table",
            Source::Images(_) => "a folder of images",
            Source::Arrays(_) => "arrays",
            Source::Text(_) => "a text",
        }
    }

    /// One of what is there, for a reader.
    pub fn sample(&self) -> &'static str {
        match self {
            Source::Mnist | Source::Digits | Source::Images(_) => "image",
            Source::Table(_) => "row",
            Source::Arrays(_) => "sample",
            Source::Text(_) => "sequence",
        }
    }
}

/// Whether a file's name is that of a text, which may be compressed.
fn is_named_as_text(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    name.strip_suffix(".gz").unwrap_or(&name).ends_with(".txt")
}

/// Whether a folder holds texts, and no folders, which could be those of images by class.
fn is_of_texts(folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    let paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.iter().any(|path| is_named_as_text(path)) && !paths.iter().any(|path| path.is_dir())
}

/// What lies beside a missing file and has a similar name.
fn neighbour(path: &Path) -> Option<String> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (stem, extension) = (path.file_stem()?.to_str()?, path.extension());
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .chain(["mnist", "digits"].map(str::to_owned))
        .collect();
    // `a.csv` is not near to `b.csv` for its extension alone.
    names.retain(|name| extension.is_none() || Path::new(name).extension() == extension);
    let stem_of = |name: &str| Some(Path::new(name).file_stem()?.to_str()?.to_owned());
    let first = |name: &str| name.chars().next().map(|first| first.to_ascii_lowercase());
    // Whoever mistypes a name seldom mistypes its first letter.
    let stems: Vec<String> =
        names.iter().filter_map(|name| stem_of(name)).filter(|own| first(own) == first(stem)).collect();
    let near = nearest(stem, stems.iter().map(String::as_str))?;
    names.iter().find(|name| stem_of(name).as_deref() == Some(near)).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_known_by_its_name_or_by_the_settings() {
        let folder = tempfile::tempdir().unwrap();
        let of = |name: &str, text: Option<bool>, target: Option<&str>| {
            std::fs::write(folder.path().join(name), "a").unwrap();
            let source = Some(folder.path().join(name).display().to_string());
            Source::of(&Data { source, text, target: target.map(str::to_owned), ..Data::default() }).unwrap()
        };
        let is_text = |source: Source| matches!(source, Source::Text(_));
        assert!(is_text(of("a.txt", None, None)) && is_text(of("a.TXT", None, None)));
        assert!(is_text(of("a.txt.gz", None, None)) && !is_text(of("a.txt.gz", None, Some("x"))));
        assert!(is_text(of("a.md", Some(true), None)) && is_text(of("a.txt", Some(true), Some("x"))));
        assert!(!is_text(of("a.csv", None, None)) && !is_text(of("a.txt", None, Some("x"))));
        assert!(!is_text(of("a.txt", Some(false), None)));
        let of_folder = |text: Option<bool>| {
            let source = Some(folder.path().display().to_string());
            Source::of(&Data { source, text, ..Data::default() })
        };
        let error = of_folder(None).unwrap_err().to_string();
        assert!(error.contains("is a folder, but a text is one file; join several, cat "), "{error}");
        std::fs::create_dir(folder.path().join("cats")).unwrap();
        assert!(of_folder(None).is_ok() && of_folder(Some(true)).is_err());
        let error = Source::of(&Data { source: Some("-".into()), text: Some(true), ..Data::default() }).unwrap_err();
        assert!(error.to_string().contains("a text is read from a file"), "{error}");
    }

    #[test]
    fn a_source_is_found_by_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("pictures")).unwrap();
        std::fs::create_dir(at("arrays")).unwrap();
        std::fs::write(at("arrays/x.npy"), "").unwrap();
        for name in ["bother.csv", "table.csv", "table.csv.gz", "arrays.npz", "x.npy", "cat.png"] {
            std::fs::write(at(name), "").unwrap();
        }
        let find = |name: &str| Source::find(at(name).to_str().unwrap());
        assert_eq!(Source::find("mnist").unwrap(), Source::Mnist);
        assert_eq!(find("pictures").unwrap(), Source::Images(at("pictures")));
        assert_eq!(find("arrays").unwrap(), Source::Arrays(at("arrays")));
        assert_eq!(find("arrays.npz").unwrap(), Source::Arrays(at("arrays.npz")));
        assert_eq!(find("table.csv.gz").unwrap(), Source::Table(at("table.csv.gz")));
        let far = find("other.csv").unwrap_err().to_string();
        assert!(!far.contains("did you mean"), "{far}");
        for (name, words) in
            [("tabel.csv", "did you mean table.csv?"), ("x.npy", "one array"), ("cat.png", "one image")]
        {
            assert!(find(name).unwrap_err().to_string().contains(words), "{name}");
        }
    }
}
