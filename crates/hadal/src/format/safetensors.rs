//! Tensors in files that anyone can read and that can run no code: safetensors.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::{DType, Error, MAX_RANK, Result, Tensor};

/// Writes tensors under their names, with `metadata` in the header. The file appears whole or not at all.
///
/// # Errors
/// If the file cannot be written.
pub fn save(path: &Path, tensors: &[(String, Tensor)], metadata: BTreeMap<String, String>) -> Result<()> {
    let bytes: Vec<Vec<u8>> = tensors.iter().map(|(_, tensor)| to_bytes(tensor)).collect();
    let views = tensors.iter().zip(&bytes).map(|((name, tensor), bytes)| {
        let view = TensorView::new(dtype_name(tensor.dtype()), tensor.shape().to_vec(), bytes);
        view.map(|view| (name.as_str(), view))
    });
    let invalid = |error: safetensors::SafeTensorError| Error::file(path, format!("cannot be written: {error}"));
    let views = views.collect::<Result<Vec<_>, _>>().map_err(invalid)?;
    let metadata: HashMap<String, String> = metadata.into_iter().collect();
    let file = safetensors::serialize(views, Some(metadata)).map_err(invalid)?;
    super::write_atomically(path, |out| out.write_all(&file))
}

/// Reads all tensors and the metadata.
///
/// # Errors
/// If the file cannot be read, is not safetensors, is cut short, or holds a dtype or rank that tensors here cannot have.
pub fn load(path: &Path) -> Result<(BTreeMap<String, Tensor>, BTreeMap<String, String>)> {
    let bytes = std::fs::read(path).map_err(Error::io(path, "read the model"))?;
    let broken = |error: safetensors::SafeTensorError| {
        Error::file(path, format!("is not a whole safetensors file ({error}); it may be cut short or something else"))
    };
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(broken)?;
    let metadata = header.metadata().clone().unwrap_or_default().into_iter().collect();
    let file = SafeTensors::deserialize(&bytes).map_err(broken)?;
    let mut tensors = BTreeMap::new();
    for (name, view) in file.iter() {
        let tensor = from_bytes(&view).map_err(|reason| Error::file(path, format!("tensor `{name}` {reason}")))?;
        tensors.insert(name.to_owned(), tensor);
    }
    Ok((tensors, metadata))
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

/// The elements, little-endian as the format demands.
fn to_bytes(tensor: &Tensor) -> Vec<u8> {
    match tensor.dtype() {
        DType::F64 => tensor.to_vec::<f64>().into_iter().flat_map(f64::to_le_bytes).collect(),
        DType::I64 => tensor.to_vec::<i64>().into_iter().flat_map(i64::to_le_bytes).collect(),
        DType::U8 => tensor.to_vec::<u8>(),
        DType::Bool => tensor.to_vec::<bool>().into_iter().map(u8::from).collect(),
        _ => tensor.to_vec::<f32>().into_iter().flat_map(f32::to_le_bytes).collect(),
    }
}

fn from_bytes(view: &TensorView) -> Result<Tensor, String> {
    let (shape, data) = (view.shape(), view.data());
    if shape.len() > MAX_RANK {
        return Err(format!("has {} axes; at most {MAX_RANK} are supported", shape.len()));
    }
    Ok(match view.dtype() {
        Dtype::F32 => Tensor::from_vec(data.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect(), shape),
        Dtype::F64 => Tensor::from_vec(data.as_chunks().0.iter().map(|&b| f64::from_le_bytes(b)).collect(), shape),
        Dtype::I64 => Tensor::from_vec(data.as_chunks().0.iter().map(|&b| i64::from_le_bytes(b)).collect(), shape),
        Dtype::U8 => Tensor::from_vec(data.to_vec(), shape),
        Dtype::BOOL => Tensor::from_vec(data.iter().map(|&byte| byte != 0).collect::<Vec<bool>>(), shape),
        other => return Err(format!("holds {other:?}, which is not supported; f32, f64, i64, u8 and bool are")),
    })
}
