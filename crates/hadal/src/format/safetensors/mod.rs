//! Tensors in files that anyone can read and that can run no code: safetensors.
//!
//! Files are the same, byte for byte, whenever their contents are: header and metadata are sorted. Each carries a SHA-256 of
//! all it holds (`hadal.sha256`, see [`save`]), so that damage is noticed when it is read.

mod digest;
mod header;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, TensorInfo};

use self::digest::digest;
use self::header::Header;
use super::open::open_regular;
use super::{Hash, Staged};
use crate::{DType, Error, Result, Tensor, memory};

/// The key of the digest in the metadata.
const DIGEST: &str = "hadal.sha256";
/// The key of the format, which says that there is a digest.
const FORMAT: &str = "hadal.format";
/// The newest format, and the first with a digest.
const NEWEST: &str = "2";

/// How many elements are converted at once.
const PIECE: usize = 16 * 1024;

/// Writes tensors under their names, with `metadata` in the header. The file appears whole or not at all. Any numbers are
/// written, NaN and infinities included, which [`Sequential::save`](crate::nn::Sequential::save) refuses.
///
/// Two entries are added to the metadata, and taken out by [`load`]: `hadal.format`, which is `2`, and `hadal.sha256`, the
/// SHA-256, in hexadecimal, of the following, where numbers and lengths are 64 bits, little-endian, and each text comes after
/// its length: the number of other entries of the metadata, and each, sorted by key, as key and value; the number of tensors,
/// and each, sorted by name, as name, dtype as the header says it, number of axes, sizes and SHA-256 of its bytes.
///
/// ```
/// use hadal::{Tensor, format::safetensors};
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("weights.safetensors");
/// safetensors::save(&path, &[("weight".into(), Tensor::ones([2, 3]))], Default::default())?;
/// let (tensors, _) = safetensors::load(&path)?;
/// assert_eq!(tensors["weight"].shape(), &[2, 3]);
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// # Errors
/// If the file cannot be written, two tensors have one name, one is called `__metadata__`, or the header would be larger than
/// the 32 MiB that are read.
pub fn save(path: &Path, tensors: &[(String, Tensor)], metadata: BTreeMap<String, String>) -> Result<()> {
    stage(path, tensors, metadata)?.commit()
}

/// As [`save`], but for the last step.
pub(crate) fn stage(
    path: &Path,
    tensors: &[(String, Tensor)],
    mut metadata: BTreeMap<String, String>,
) -> Result<Staged> {
    let mut sorted: Vec<(&str, &Tensor)> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    // The order of the safetensors crate: each tensor's bytes begin where its dtype may.
    sorted.sort_by(|(a, x), (b, y)| dtype_name(y.dtype()).cmp(&dtype_name(x.dtype())).then(a.cmp(b)));
    let mut end = 0;
    let infos = sorted.iter().map(|(name, tensor)| {
        let begin = end;
        let dtype = dtype_name(tensor.dtype());
        end += tensor.elements() * dtype.bitsize() / 8;
        (name.to_string(), TensorInfo { dtype, shape: tensor.shape().to_vec(), data_offsets: (begin, end) })
    });
    let infos: Vec<(String, TensorInfo)> = infos.collect();
    let largest = infos.iter().map(|(_, info)| info.data_offsets.1 - info.data_offsets.0).max().unwrap_or(0);
    // A copy of each tensor in turn is taken apart.
    memory::require(largest).map_err(|reason| Error::file(path, format!("cannot be written: {reason}")))?;
    let mut hashes = BTreeMap::new();
    for ((name, tensor), (_, info)) in sorted.iter().zip(&infos) {
        let mut hash = Hash::default();
        pieces(tensor, &mut |bytes| {
            hash.update(bytes);
            Ok(())
        })
        .map_err(Error::io(path, "read the tensors"))?;
        if hashes.insert(*name, (info, hash.finish())).is_some() {
            return Err(Error::file(path, format!("cannot be written: two tensors are called `{name}`")));
        }
    }
    metadata.remove(DIGEST);
    metadata.insert(FORMAT.to_owned(), NEWEST.to_owned());
    let digest = digest(&metadata, &hashes);
    metadata.insert(DIGEST.to_owned(), digest);
    let header = Header { metadata, tensors: infos };
    let header = header.to_bytes().map_err(|reason| Error::file(path, format!("cannot be written: {reason}")))?;
    super::stage(path, |out| {
        out.write_all(&header)?;
        sorted.iter().try_for_each(|(_, tensor)| pieces(tensor, &mut |bytes| out.write_all(bytes)))
    })
}

/// Reads all tensors and the metadata. Files of other programs, which have no digest, are read as they are.
///
/// ```
/// use hadal::{Tensor, format::safetensors};
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("weights.safetensors");
/// let metadata = [("epoch".to_string(), "3".to_string())].into();
/// safetensors::save(&path, &[("bias".into(), Tensor::zeros([4]))], metadata)?;
/// let (tensors, metadata) = safetensors::load(&path)?;
/// assert_eq!((tensors.len(), metadata["epoch"].as_str()), (1, "3"));
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// # Errors
/// If the path is no regular file or cannot be read; if the file is not safetensors, is cut short, has a header larger than
/// 32 MiB, or does not match its digest; if it holds a dtype, rank or shape that tensors here cannot have, or more than fits
/// into memory.
pub fn load(path: &Path) -> Result<(BTreeMap<String, Tensor>, BTreeMap<String, String>)> {
    Reader::open(path)?.read()
}

/// A file whose header has been read and checked.
pub(crate) struct Reader {
    path: PathBuf,
    file: BufReader<File>,
    header: Header,
}

impl Reader {
    pub fn open(path: &Path) -> Result<Reader> {
        let (file, length) = open_regular(path, "read the model")?;
        let mut file = BufReader::new(file);
        let header = Header::read(&mut file, length).map_err(|reason| Error::file(path, reason))?;
        Ok(Reader { path: path.to_owned(), file, header })
    }

    /// The metadata, not yet compared with the digest.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.header.metadata
    }

    /// The number of elements of all tensors.
    pub fn elements(&self) -> usize {
        self.header.tensors.iter().map(|(_, info)| info.shape.iter().product::<usize>()).sum()
    }

    /// Reads the tensors, and compares all with the digest.
    pub fn read(mut self) -> Result<(BTreeMap<String, Tensor>, BTreeMap<String, String>)> {
        let mut hashes = BTreeMap::new();
        let mut tensors = BTreeMap::new();
        for (name, info) in &self.header.tensors {
            let mut hash = Hash::default();
            let tensor = read_tensor(&mut self.file, info, &mut hash)
                .map_err(|reason| Error::file(&self.path, format!("tensor `{name}` {reason}")))?;
            hashes.insert(name.as_str(), (info, hash.finish()));
            tensors.insert(name.clone(), tensor);
        }
        let mut metadata = self.header.metadata;
        check_digest(&mut metadata, &hashes).map_err(|reason| Error::file(&self.path, reason))?;
        Ok((tensors, metadata))
    }
}

/// Compares the digest, and takes format and digest out of the metadata.
fn check_digest(
    metadata: &mut BTreeMap<String, String>,
    hashes: &BTreeMap<&str, (&TensorInfo, [u8; 32])>,
) -> Result<(), String> {
    let stored = metadata.remove(DIGEST);
    match stored {
        Some(stored) if stored == digest(metadata, hashes) => {}
        None if !metadata.contains_key(FORMAT) => return Ok(()),
        _ => {
            return Err(
                "is damaged: its contents do not match the SHA-256 in its metadata; restore it from a copy".into()
            );
        }
    }
    match metadata.remove(FORMAT) {
        Some(format) if format == NEWEST => Ok(()),
        format => Err(format!(
            "is of format {}, but this version of Hadal reads up to format {NEWEST}",
            format.as_deref().unwrap_or("unknown")
        )),
    }
}

fn dtype_name(dtype: DType) -> Dtype {
    match dtype {
        DType::F64 => Dtype::F64,
        DType::I64 => Dtype::I64,
        DType::U8 => Dtype::U8,
        DType::Bool => Dtype::BOOL,
        _ => Dtype::F32,
    }
}

/// Hands the elements to `take`, little-endian as the format demands, some at a time.
pub(crate) fn pieces(tensor: &Tensor, take: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    fn convert<T: Copy, const N: usize>(
        values: &[T],
        to_bytes: fn(T) -> [u8; N],
        take: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        values
            .chunks(PIECE)
            .try_for_each(|piece| take(piece.iter().map(|&x| to_bytes(x)).collect::<Vec<_>>().as_flattened()))
    }
    match tensor.dtype() {
        DType::F64 => convert(&tensor.to_vec::<f64>(), f64::to_le_bytes, take),
        DType::I64 => convert(&tensor.to_vec::<i64>(), i64::to_le_bytes, take),
        DType::U8 => take(&tensor.to_vec::<u8>()),
        DType::Bool => convert(&tensor.to_vec::<bool>(), |x| [u8::from(x)], take),
        _ => convert(&tensor.to_vec::<f32>(), f32::to_le_bytes, take),
    }
}

fn read_tensor(file: &mut impl Read, info: &TensorInfo, hash: &mut Hash) -> Result<Tensor, String> {
    let shape = info.shape.as_slice();
    Ok(match info.dtype {
        Dtype::F32 => Tensor::from_vec(read_elements(file, shape, f32::from_le_bytes, hash)?, shape),
        // As f32, which has all their numbers.
        Dtype::F16 => Tensor::from_vec(read_elements(file, shape, f32_from_f16, hash)?, shape),
        Dtype::BF16 => Tensor::from_vec(read_elements(file, shape, f32_from_bf16, hash)?, shape),
        Dtype::F64 => Tensor::from_vec(read_elements(file, shape, f64::from_le_bytes, hash)?, shape),
        Dtype::I64 => Tensor::from_vec(read_elements(file, shape, i64::from_le_bytes, hash)?, shape),
        Dtype::U8 => Tensor::from_vec(read_elements(file, shape, |[byte]: [u8; 1]| byte, hash)?, shape),
        Dtype::BOOL => Tensor::from_vec(read_elements(file, shape, |[byte]: [u8; 1]| byte != 0, hash)?, shape),
        other => {
            return Err(format!(
                "has the unsupported dtype {other:?}; supported dtypes are f16, bf16, f32, f64, i64, u8 and bool"
            ));
        }
    })
}

/// A bfloat16 is the upper half of an f32.
fn f32_from_bf16([low, high]: [u8; 2]) -> f32 {
    f32::from_le_bytes([0, 0, low, high])
}

/// IEEE 754's binary16: 1 bit of sign, 5 of exponent, 10 of fraction.
fn f32_from_f16(bytes: [u8; 2]) -> f32 {
    let bits = u16::from_le_bytes(bytes);
    let (exponent, fraction) = ((bits >> 10) & 0x1f, f32::from(bits & 0x3ff));
    let magnitude = match exponent {
        0 => fraction * 2f32.powi(-24),
        0x1f if fraction == 0.0 => f32::INFINITY,
        0x1f => f32::NAN,
        exponent => (1.0 + fraction / 1024.0) * 2f32.powi(i32::from(exponent) - 15),
    };
    if bits >> 15 == 0 { magnitude } else { -magnitude }
}

fn read_elements<T, const N: usize>(
    file: &mut impl Read,
    shape: &[usize],
    from_bytes: fn([u8; N]) -> T,
    hash: &mut Hash,
) -> Result<Vec<T>, String> {
    let mut left: usize = shape.iter().product();
    // Twice: here, and where the tensor will keep them.
    memory::require(left.saturating_mul(2 * size_of::<T>()))?;
    let mut values = memory::reserve(left)?;
    let mut bytes = vec![0; left.min(PIECE) * N];
    while left > 0 {
        let piece = &mut bytes[..left.min(PIECE) * N];
        file.read_exact(piece).map_err(|error| format!("cannot be read: {error}"))?;
        hash.update(piece);
        values.extend(piece.as_chunks().0.iter().map(|&bytes| from_bytes(bytes)));
        left -= left.min(PIECE);
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensors() -> Vec<(String, Tensor)> {
        vec![
            ("small".into(), Tensor::from_slice(&[1u8, 2, 3], [3])),
            ("b".into(), Tensor::from_slice(&[1.5f32, -0.0], [2, 1])),
            ("a".into(), Tensor::from_slice(&[2.5f32; 3], [3])),
            ("wide".into(), Tensor::from_slice(&[-7i64], [])),
            ("double".into(), Tensor::from_slice(&[0.1f64; 4], [2, 2])),
            ("flags".into(), Tensor::from_slice(&[true, false, true], [1, 3])),
            ("empty".into(), Tensor::zeros([0, 5])),
        ]
    }

    fn notes() -> BTreeMap<String, String> {
        ["history", "a note", "\u{1F40B} \"quoted\"\n"].map(|text| (text.to_owned(), format!("{text}!"))).into()
    }

    #[test]
    fn what_is_saved_is_loaded_and_the_crate_reads_it_in_its_own_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.safetensors");
        save(&path, &tensors(), notes()).unwrap();
        let (loaded, metadata) = load(&path).unwrap();
        assert_eq!(metadata, notes());
        assert_eq!(loaded.len(), tensors().len());
        for (name, tensor) in tensors() {
            assert_eq!((loaded[&name].dtype(), loaded[&name].shape()), (tensor.dtype(), tensor.shape()));
            assert_eq!(format!("{:?}", loaded[&name]), format!("{tensor:?}"));
        }
        let bytes = std::fs::read(&path).unwrap();
        let crates = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let (header_length, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
        assert_eq!(crates.tensor("b").unwrap().data(), [1.5f32.to_le_bytes(), (-0.0f32).to_le_bytes()].as_flattened());
        assert_eq!(header.offset_keys(), ["wide", "double", "a", "b", "empty", "small", "flags"].map(str::to_owned));
        // What the Python package asks for: the header begins with a brace, and the data at a multiple of 8.
        assert_eq!((bytes[8], header_length % 8), (b'{', 0));
        // The crate writes the same data; its header differs only by the order of the metadata.
        let again = safetensors::serialize(crates.iter(), header.metadata().clone()).unwrap();
        assert_eq!(again.len(), bytes.len());
        assert_eq!(again[8 + header_length..], bytes[8 + header_length..]);
    }

    #[test]
    fn the_same_contents_are_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["one", "two"].map(|name| folder.path().join(name));
        let mut backwards = tensors();
        backwards.reverse();
        save(&paths[0], &tensors(), notes()).unwrap();
        save(&paths[1], &backwards, notes()).unwrap();
        assert_eq!(std::fs::read(&paths[0]).unwrap(), std::fs::read(&paths[1]).unwrap());
    }

    #[test]
    fn names_that_would_lose_a_tensor_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let save = |names: [&str; 2]| {
            let tensors = names.map(|name| (name.to_owned(), Tensor::zeros([2])));
            super::save(&path, &tensors, BTreeMap::new()).unwrap_err().to_string()
        };
        assert!(save(["x", "x"]).contains("two tensors are called `x`"));
        assert!(save(["x", "__metadata__"]).contains("`__metadata__`"));
        let huge = BTreeMap::from([("note".to_owned(), "x".repeat(33 << 20))]);
        assert!(super::save(&path, &[], huge).unwrap_err().to_string().contains("32.0 MiB"));
        assert!(!path.exists());
    }

    #[test]
    fn half_precision_is_read_as_f32() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        // 1, -2, 65504, the smallest subnormal, infinity, 1/3 rounded.
        let halves = [0x3c00u16, 0xc000, 0x7bff, 0x0001, 0x7c00, 0x3555].map(u16::to_le_bytes).concat();
        let brains = [0x3f80u16, 0xc000, 0x7f7f, 0x0001, 0x7f80, 0x3eab].map(u16::to_le_bytes).concat();
        let view = |dtype, bytes| safetensors::tensor::TensorView::new(dtype, vec![6], bytes).unwrap();
        let views = [("half", view(Dtype::F16, &halves[..])), ("brain", view(Dtype::BF16, &brains))];
        std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
        let (tensors, _) = load(&path).unwrap();
        let third = 1365.0 / 4096.0;
        let expected = [1.0, -2.0, 65504.0, 2f32.powi(-24), f32::INFINITY, third];
        assert_eq!(tensors["half"].to_vec::<f32>(), expected);
        let expected =
            [1.0, -2.0, f32::from_bits(0x7f7f_0000), f32::from_bits(0x0001_0000), f32::INFINITY, 0.333_984_38];
        assert_eq!(tensors["brain"].to_vec::<f32>(), expected);
    }

    #[test]
    fn every_flipped_bit_and_every_blank_page_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        save(&path, &tensors(), notes()).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let refused = |bytes: &[u8], what: &str| {
            std::fs::write(&path, bytes).unwrap();
            assert!(load(&path).is_err(), "{what} went unnoticed");
        };
        for bit in 0..8 * whole.len() {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            refused(&bytes, &format!("bit {} of byte {}", bit % 8, bit / 8));
        }
        for length in 0..whole.len() {
            refused(&whole[..length], &format!("the loss of what follows byte {length}"));
        }
        refused(&[&whole[..], b"\0"].concat(), "a byte more");
        let path_of_large = folder.path().join("large");
        let large = Tensor::rand([64, 512], &mut crate::Rng::new(1));
        save(&path_of_large, &[("x".to_owned(), large)], notes()).unwrap();
        let whole = std::fs::read(&path_of_large).unwrap();
        for page in 0..whole.len() / 4096 {
            let mut bytes = whole.clone();
            bytes[4096 * page..][..4096].fill(0);
            refused(&bytes, &format!("blank page {page}"));
        }
    }

    #[test]
    fn files_of_other_programs_have_no_digest_and_newer_formats_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let view = safetensors::tensor::TensorView::new(Dtype::F32, vec![2], &[0; 8]).unwrap();
        let foreign = safetensors::serialize([("x", view)], Some([("format".into(), "pt".into())].into())).unwrap();
        std::fs::write(&path, foreign).unwrap();
        let (tensors, metadata) = load(&path).unwrap();
        assert_eq!((tensors.len(), metadata["format"].as_str()), (1, "pt"));

        let mut metadata = BTreeMap::from([(FORMAT.to_owned(), "3".to_owned())]);
        metadata.insert(DIGEST.to_owned(), digest(&metadata, &BTreeMap::new()));
        std::fs::write(&path, Header { metadata, tensors: Vec::new() }.to_bytes().unwrap()).unwrap();
        assert!(load(&path).unwrap_err().to_string().contains("format 3"));
    }
}
