//! Many images at once: which there are in a folder, and one tensor of all.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::{Channels, Header, decode, header, resize};
use crate::format::kind_name;
use crate::{Error, Result, Shape, Tensor, for_each_part, memory};

/// How images become rows of one tensor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    pub channels: Channels,
    /// Height and width.
    pub size: [usize; 2],
    /// Whether images of another size are resized; else they are errors.
    pub resize: bool,
}

impl Form {
    /// The shape of one image: `[height, width]`, or `[3, height, width]`.
    pub fn shape(&self) -> Shape {
        let [height, width] = self.size;
        match self.channels {
            Channels::Grey => Shape::from([height, width]),
            Channels::Rgb => Shape::from([3, height, width]),
        }
    }

    /// The planes of the image at `path`.
    fn read(&self, path: &Path) -> Result<Vec<u8>> {
        let (size, planes) = decode(path, self.channels)?;
        if size != self.size && !self.resize {
            let ([height, width], [h, w]) = (size, self.size);
            return Err(Error::file(path, format!("is {height} x {width} pixels (height x width), not {h} x {w}")));
        }
        Ok(resize::planes(planes, size, self.size))
    }

    /// All images as `u8`, `[N, height, width]` or `[N, 3, height, width]`, decoded in parallel.
    pub fn read_all(&self, paths: &[&Path]) -> Result<Tensor> {
        let mut sizes = vec![paths.len()];
        sizes.extend_from_slice(&self.shape());
        let shape = Shape::try_new(&sizes)?;
        memory::require(shape.elements()).map_err(|reason| Error::Data(format!("{} images: {reason}", paths.len())))?;
        Tensor::bytes_from(shape, |bytes| {
            let image = self.shape().elements().max(1);
            let failures = Failures::default();
            for_each_part(bytes, image, |start, part| match self.read(paths[start / image]) {
                Ok(planes) => part.copy_from_slice(&planes),
                Err(error) => failures.add(start / image, error),
            });
            failures.none_of(paths.len())
        })
    }

    /// Decodes all images to find those that are damaged.
    pub fn check_all(&self, paths: &[&Path]) -> Result<()> {
        let failures = Failures::default();
        for_each_part(&mut vec![(); paths.len()], 4, |start, part| {
            for (index, path) in paths.iter().enumerate().skip(start).take(part.len()) {
                if let Err(error) = self.read(path) {
                    failures.add(index, error);
                }
            }
        });
        failures.none_of(paths.len())
    }
}

/// The headers of all images, read in parallel.
pub(crate) fn headers(paths: &[&Path]) -> Result<Vec<Header>> {
    let failures = Failures::default();
    let mut headers = vec![Header { size: [0; 2], channels: Channels::Grey }; paths.len()];
    for_each_part(&mut headers, 16, |start, part| {
        for (index, out) in (start..).zip(part) {
            match header(paths[index]) {
                Ok(header) => *out = header,
                Err(error) => failures.add(index, error),
            }
        }
    });
    failures.none_of(paths.len())?;
    Ok(headers)
}

/// The images that could not be read.
#[derive(Default)]
struct Failures(Mutex<Vec<(usize, Error)>>);

impl Failures {
    fn add(&self, index: usize, error: Error) {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push((index, error));
    }

    fn none_of(self, images: usize) -> Result<()> {
        let mut failures = self.0.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
        failures.sort_by_key(|(index, _)| *index);
        let found = failures.len();
        if found <= 1 {
            return failures.pop().map_or(Ok(()), |(_, error)| Err(error));
        }
        let named: String = failures.iter().take(5).map(|(_, error)| format!("\n  {error}")).collect();
        let more = if found > 5 { format!("\n  and {} more", found - 5) } else { String::new() };
        Err(Error::Data(format!("{found} of {images} images cannot be read:{named}{more}")))
    }
}

/// The size that all images have, or an error that names two that differ.
pub(crate) fn common_size(paths: &[&Path], headers: &[Header]) -> Result<[usize; 2]> {
    let Some(first) = headers.first() else { return Err(Error::Data("there are no images".to_owned())) };
    // Each size, its first image and how many there are.
    let mut sizes: Vec<([usize; 2], usize, usize)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for (index, header) in headers.iter().enumerate() {
        let place = *places.entry(header.size).or_insert_with(|| {
            sizes.push((header.size, index, 0));
            sizes.len() - 1
        });
        sizes[place].2 += 1;
    }
    if sizes.len() == 1 {
        return Ok(first.size);
    }
    let show = |&([height, width], index, count): &([usize; 2], usize, usize)| {
        let images = if count == 1 { "1 image is".to_owned() } else { format!("{count} images are") };
        format!("{images} {height} x {width} pixels ({} is the first)", paths[index].display())
    };
    let shown: Vec<String> = sizes.iter().take(2).map(show).collect();
    let more = match sizes.len() - 2 {
        0 => String::new(),
        1 => ", and 1 more size".to_owned(),
        more => format!(", and {more} more sizes"),
    };
    Err(Error::Data(format!(
        "images differ in size (height x width): {}{more}; set the size that they become, for example 32 x 32",
        shown.join(", ")
    )))
}

/// Reads images as one tensor of `u8`, `[N, height, width]`, or `[N, 3, height, width]` in colour: for predictions.
/// Each is resized to `size`, `[height, width]`; without a size they must have one size.
///
/// ```
/// use hadal::{Tensor, format::image::{Channels, list, read_many, write_png}};
/// # let folder = tempfile::tempdir().unwrap();
/// # let folder = folder.path();
/// write_png(&folder.join("a.png"), &Tensor::zeros([28, 28]))?;
/// write_png(&folder.join("b.png"), &Tensor::ones([28, 28]))?;
/// let images = read_many(&list(folder)?, Channels::Grey, None)?;
/// assert_eq!(images.shape(), &[2, 28, 28]);
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// # Errors
/// If there are no images, they differ in size, a side of `size` is 0, or some cannot be read: up to five are named.
/// As [`read`](super::read) for each.
pub fn read_many(paths: &[impl AsRef<Path>], channels: Channels, size: Option<[usize; 2]>) -> Result<Tensor> {
    let paths: Vec<&Path> = paths.iter().map(AsRef::as_ref).collect();
    let form = match size {
        Some(size) => Form { channels, size: checked(size)?, resize: true },
        None => Form { channels, size: common_size(&paths, &headers(&paths)?)?, resize: false },
    };
    if paths.is_empty() {
        return Err(Error::Data("there are no images".to_owned()));
    }
    form.read_all(&paths)
}

/// A size that images can become.
pub(crate) fn checked(size: [usize; 2]) -> Result<[usize; 2]> {
    let [height, width] = size;
    let pixels = height.checked_mul(width).filter(|pixels| *pixels as u64 <= super::MOST_PIXELS);
    match pixels {
        Some(1..) => Ok(size),
        _ => Err(Error::Config(format!(
            "images cannot become {height} x {width} pixels; sides are at least 1, and there are at most {} pixels",
            super::MOST_PIXELS
        ))),
    }
}

/// The PNG and JPEG images in a folder and the folders in it, sorted by path; of a file, the file alone. Hidden files
/// and folders are passed over, and so are files whose names do not end in `.png`, `.jpg` or `.jpeg`.
///
/// # Errors
/// If a folder cannot be read, or there are no images in it.
pub fn list(path: impl AsRef<Path>) -> Result<Vec<PathBuf>> {
    let path = path.as_ref();
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let found = Found::below(path)?;
    if found.images.is_empty() {
        return Err(Error::file(path, format!("holds no PNG or JPEG images{}", found.others())));
    }
    Ok(found.images)
}

/// What is in a folder.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Sorted.
    pub images: Vec<PathBuf>,
    /// Files that are no images, by their names, and the first of them.
    pub ignored: usize,
    pub example: Option<PathBuf>,
}

impl Found {
    /// In a folder and those in it.
    pub fn below(folder: &Path) -> Result<Found> {
        let mut found = Found::default();
        // Links may lead back: every folder is looked into once.
        let mut seen = HashSet::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            let real = std::fs::canonicalize(&folder).map_err(Error::io(&folder, "read the folder"))?;
            if seen.insert(real) {
                folders.extend(found.add(&folder)?);
            }
        }
        found.images.sort();
        Ok(found)
    }

    /// The files of one folder; returns the folders in it.
    pub fn add(&mut self, folder: &Path) -> Result<Vec<PathBuf>> {
        let mut folders = Vec::new();
        for path in entries(folder)? {
            if path.is_dir() {
                folders.push(path);
            } else if is_image_name(&path) {
                self.images.push(path);
            } else {
                self.ignored += 1;
                self.example = Some(self.example.take().map_or(path.clone(), |other| other.min(path)));
            }
        }
        Ok(folders)
    }

    /// For a message: which other files there are.
    pub fn others(&self) -> String {
        match (&self.example, self.ignored) {
            (Some(example), 1) => format!(" (only {})", example.display()),
            (Some(example), more) => format!(" (but {more} other files, for example {})", example.display()),
            _ => String::new(),
        }
    }
}

/// What is in a folder, sorted, without hidden files and what systems leave behind.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let kind = std::fs::metadata(folder).map_err(Error::io(folder, "read the folder"))?.file_type();
    if !kind.is_dir() {
        return Err(Error::file(folder, format!("is {}, not a folder", kind_name(kind))));
    }
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(Error::io(folder, "read the folder"))? {
        let entry = entry.map_err(Error::io(folder, "read the folder"))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if !name.starts_with('.') && !matches!(&*name, "Thumbs.db" | "desktop.ini" | "__MACOSX") {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

fn is_image_name(path: &Path) -> bool {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    matches!(extension.as_deref(), Some("png" | "jpg" | "jpeg"))
}
