//! Folders of images, one sub-folder for each class.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::rows::{check_indices, fits_in_memory};
use super::{Dataset, Rows};
use crate::format::image::{self, Channels, Form, Found};
use crate::{DType, Error, Result, Shape, Tensor, monitor};

/// A folder with one sub-folder of PNG or JPEG images for each class, named as the class: torchvision's
/// `ImageFolder`, Keras's `image_dataset_from_directory`.
///
/// Classes are numbered in the order of their names, images in the order of their paths. Images are found in folders
/// within a class's folder, too. Hidden files are passed over; other files are counted in a note on standard error.
///
/// ```
/// use hadal::format::image::write_png;
/// use hadal::prelude::*;
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path();
/// for (class, value) in [("bright", 0.9), ("dark", 0.1)] {
///     std::fs::create_dir(path.join(class)).unwrap();
///     write_png(&path.join(class).join("1.png"), &Tensor::full([28, 28], value))?;
/// }
/// let folder = hadal::data::ImageFolder::open(path)?;
/// assert_eq!(folder.classes(), ["bright", "dark"]);
/// let data = folder.load()?;
/// assert_eq!((data.len(), data.input_shape()), (2, Shape::from([28, 28])));
/// assert_eq!(data.targets().to_vec::<i64>(), [0, 1]);
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ImageFolder {
    path: PathBuf,
    classes: Vec<String>,
    files: Vec<PathBuf>,
    labels: Vec<i64>,
    size: Option<[usize; 2]>,
    channels: Option<Channels>,
    in_memory: Option<bool>,
}

/// Names of folders that hold parts of the data, not classes.
const PARTS: [&str; 9] = ["train", "training", "test", "testing", "val", "valid", "validation", "eval", "holdout"];

impl ImageFolder {
    /// Finds the classes and their images; reads none.
    ///
    /// # Errors
    /// If the folder or one in it cannot be read, there are no sub-folders or only one, one holds no images, or all are
    /// named as parts of the data are, `train` and `test` for example.
    pub fn open(path: impl AsRef<Path>) -> Result<ImageFolder> {
        let path = path.as_ref();
        // What lies beside the sub-folders belongs to no class.
        let mut beside = Found::default();
        let folders = beside.add(path)?;
        if folders.is_empty() {
            let lie = match beside.images.len() {
                0 => String::new(),
                1 => "; 1 image lies directly in it".to_owned(),
                images => format!("; {images} images lie directly in it"),
            };
            let reason =
                format!("has no sub-folders; one for each class is expected, named as the class, with its images{lie}");
            return Err(Error::file(path, reason));
        }
        let names: Vec<String> =
            folders.iter().filter_map(|own| Some(own.file_name()?.to_string_lossy().into_owned())).collect();
        if names.len() > 1 && names.iter().all(|name| PARTS.contains(&name.to_lowercase().as_str())) {
            let (shown, first) = (names.join(", "), names.iter().find(|name| name.to_lowercase().starts_with("train")));
            let one = path.join(first.unwrap_or(&names[0]));
            let reason = format!(
                "has the sub-folders {shown}: those are parts, not classes; give one of them, {}",
                one.display()
            );
            return Err(Error::file(path, reason));
        }
        let mut ignored = beside.images.len() + beside.ignored;
        let (mut classes, mut files, mut labels) = (Vec::new(), Vec::new(), Vec::new());
        for (label, folder) in folders.iter().enumerate() {
            let name = folder.file_name().and_then(|name| name.to_str());
            let name =
                name.ok_or_else(|| Error::file(folder, "has a name that is not UTF-8; classes are named by it"))?;
            let found = Found::below(folder)?;
            if found.images.is_empty() {
                let reason = format!("holds no PNG or JPEG images{}; each class needs some", found.others());
                return Err(Error::file(folder, reason));
            }
            ignored += found.ignored;
            labels.resize(labels.len() + found.images.len(), label as i64);
            files.extend(found.images);
            classes.push(name.to_owned());
        }
        if let [only] = &classes[..] {
            let reason =
                format!("has one sub-folder, `{only}`; at least two classes are needed, each with a sub-folder");
            return Err(Error::file(path, reason));
        }
        if ignored > 0 {
            let files = if ignored == 1 { "1 file is".to_owned() } else { format!("{ignored} files are") };
            monitor::note(&format!(
                "{}: {files} ignored: not named .png, .jpg or .jpeg, or in no class's folder",
                path.display()
            ));
        }
        Ok(ImageFolder { path: path.to_owned(), classes, files, labels, size: None, channels: None, in_memory: None })
    }

    /// Resizes every image, with antialiasing; the ratio of the sides is not kept. Default: the size that all images
    /// have.
    pub fn size(self, height: usize, width: usize) -> ImageFolder {
        ImageFolder { size: Some([height, width]), ..self }
    }

    /// Reads one channel, of colours their luma. Default: if no image has colours.
    pub fn grey(self) -> ImageFolder {
        ImageFolder { channels: Some(Channels::Grey), ..self }
    }

    /// Reads three channels: red, green and blue. Default: if an image has colours.
    pub fn rgb(self) -> ImageFolder {
        ImageFolder { channels: Some(Channels::Rgb), ..self }
    }

    /// Whether all images are kept in memory, or decoded when a batch needs them. Default: in memory up to 256 MiB,
    /// if four times as much is available.
    pub fn in_memory(self, in_memory: bool) -> ImageFolder {
        ImageFolder { in_memory: Some(in_memory), ..self }
    }

    /// The names of the classes: class 0 is the first.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The images, in the order of the samples.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The class of each image.
    pub fn labels(&self) -> &[i64] {
        &self.labels
    }

    /// The images as a dataset: inputs `u8`, `[N, height, width]` for grey and `[N, 3, height, width]` for colours,
    /// divided by 255 for the model; targets the classes (`i64`). Every image is decoded once, in parallel, also if
    /// they stay on disk, where each is decoded again whenever a batch has it.
    ///
    /// # Errors
    /// If images differ in size and none is set, a side of the size is 0, or some images cannot be read: up to five
    /// are named.
    pub fn load(&self) -> Result<Dataset> {
        let form = self.form()?;
        let targets = Tensor::from_slice(&self.labels, [self.labels.len()]);
        let name = self.path.file_name().unwrap_or(self.path.as_os_str()).to_string_lossy().into_owned();
        let bytes = form.shape().elements().saturating_mul(self.files.len());
        let data = if self.in_memory.unwrap_or_else(|| fits_in_memory(bytes)) {
            Dataset::new(&name, form.read_all(&self.paths())?, targets)?
        } else {
            form.check_all(&self.paths())?;
            Dataset::from_rows(&name, Arc::new(ImageRows { files: self.files.clone(), form }), targets)?
        };
        Ok(data.divide(255.0))
    }

    fn paths(&self) -> Vec<&Path> {
        self.files.iter().map(PathBuf::as_path).collect()
    }

    /// Size and channels, by what is set and the images' headers.
    fn form(&self) -> Result<Form> {
        let paths = self.paths();
        if let (Some(size), Some(channels)) = (self.size, self.channels) {
            return Ok(Form { channels, size: image::checked(size)?, resize: true });
        }
        let headers = image::headers(&paths)?;
        let has_colours = headers.iter().any(|header| header.channels == Channels::Rgb);
        let channels = self.channels.unwrap_or(if has_colours { Channels::Rgb } else { Channels::Grey });
        match self.size {
            Some(size) => Ok(Form { channels, size: image::checked(size)?, resize: true }),
            None => Ok(Form { channels, size: image::common_size(&paths, &headers)?, resize: false }),
        }
    }
}

/// Images on disk, decoded when a batch needs them, in parallel.
#[derive(Debug)]
struct ImageRows {
    files: Vec<PathBuf>,
    form: Form,
}

impl Rows for ImageRows {
    fn len(&self) -> usize {
        self.files.len()
    }

    fn sample_shape(&self) -> Shape {
        self.form.shape()
    }

    fn dtype(&self) -> DType {
        DType::U8
    }

    fn read(&self, indices: &[usize]) -> Result<Tensor> {
        check_indices("the images", self.len(), indices)?;
        let paths: Vec<&Path> = indices.iter().map(|&index| self.files[index].as_path()).collect();
        self.form.read_all(&paths)
    }
}

#[cfg(test)]
mod tests;
