//! MNIST (Y. LeCun, C. Cortes, C. J. C. Burges): 70,000 handwritten digits of 28 x 28 pixels.

use std::path::Path;

use super::Dataset;
use super::source::{self, RemoteFile};
use crate::format::idx;
use crate::{DType, Error, ROOM_FOR_THREAD, Result, can_allocate};

/// The MNIST dataset of handwritten digits.
#[derive(Clone, Copy, Debug)]
pub struct Mnist;

/// The name of the dataset and of its folder.
const NAME: &str = "mnist";

const FILES: [RemoteFile; 4] = [
    RemoteFile {
        name: "train-images-idx3-ubyte.gz",
        bytes: 9_912_422,
        sha256: "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    },
    RemoteFile {
        name: "train-labels-idx1-ubyte.gz",
        bytes: 28_881,
        sha256: "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    },
    RemoteFile {
        name: "t10k-images-idx3-ubyte.gz",
        bytes: 1_648_877,
        sha256: "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    },
    RemoteFile {
        name: "t10k-labels-idx1-ubyte.gz",
        bytes: 4_542,
        sha256: "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    },
];

const MIRRORS: [&str; 2] =
    ["https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"];

impl Mnist {
    /// The 60,000 training and 10,000 test images, inputs `[N, 784]` scaled to `[0, 1]`, targets the digits (`i64`).
    ///
    /// Looked for in `HADAL_DATA_DIR`, then the cache folder, else (feature `download`) fetched; see [`source`].
    ///
    /// # Errors
    /// If the files cannot be found or fetched, or one is damaged.
    pub fn load() -> Result<(Dataset, Dataset)> {
        Mnist::load_from(None)
    }

    /// As [`load`](Mnist::load), from `<folder>/mnist/` if a folder is given.
    ///
    /// # Errors
    /// As [`load`](Mnist::load).
    pub fn load_from(folder: Option<&Path>) -> Result<(Dataset, Dataset)> {
        let folder = source::find(NAME, &FILES, &MIRRORS, folder)?;
        // Decompressing the training images takes longest; the test set is read beside it.
        std::thread::scope(|scope| {
            let read_test = || read(&folder, &FILES[2..]);
            let start = || std::thread::Builder::new().spawn_scoped(scope, read_test).ok();
            let test = can_allocate(ROOM_FOR_THREAD).then(start).flatten();
            let train = read(&folder, &FILES[..2]);
            let test = match test {
                Some(test) => test.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                // The system has no thread to spare.
                None => read_test(),
            };
            Ok((train?, test?))
        })
    }

    /// The 10,000 test images alone.
    ///
    /// # Errors
    /// As [`load`](Mnist::load).
    pub fn load_test(folder: Option<&Path>) -> Result<Dataset> {
        read(&source::find(NAME, &FILES, &MIRRORS, folder)?, &FILES[2..])
    }
}

/// One pair of images and labels.
fn read(folder: &Path, files: &[RemoteFile]) -> Result<Dataset> {
    let (images_path, labels_path) = (folder.join(files[0].name), folder.join(files[1].name));
    let (images, labels) = (idx::open_gzip(&images_path, 3)?, idx::open_gzip(&labels_path, 1)?);
    let (shape, labels_shape) = (images.shape(), labels.shape());
    let (samples, sizes) = (shape[0], &shape[1..]);
    if samples != labels_shape[0] {
        return Err(Error::file(
            &labels_path,
            format!("holds {} labels, but {} holds {samples} images", labels_shape[0], images_path.display()),
        ));
    }
    if sizes != [28, 28] {
        let (height, width) = (sizes[0], sizes[1]);
        return Err(Error::file(&images_path, format!("holds images of {height} x {width} pixels, not 28 x 28")));
    }
    if samples == 0 {
        return Err(Error::file(&images_path, "holds no images"));
    }
    let (images, labels) = (images.read()?, labels.read()?);
    let digits = labels.to_vec::<u8>();
    if let Some(index) = digits.iter().position(|&label| label > 9) {
        return Err(Error::file(
            &labels_path,
            format!("label {index} is {}, out of range: digits are 0 to 9", digits[index]),
        ));
    }
    let (inputs, targets) = (images.reshape([samples, 784]), labels.to_dtype(DType::I64));
    Ok(Dataset::new(NAME, inputs, targets)?.divide(255.0))
}
