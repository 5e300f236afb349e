//! The SHA-256 of a file's contents, whatever their order in the file.

use std::collections::BTreeMap;

use safetensors::tensor::TensorInfo;

use crate::format::digest::Hash;

/// The digest that [`save`](super::save) describes, in hexadecimal.
pub(super) fn digest(metadata: &BTreeMap<String, String>, tensors: &BTreeMap<&str, (&TensorInfo, [u8; 32])>) -> String {
    let mut hash = Hash::default();
    hash.number(metadata.len());
    for (key, value) in metadata {
        hash.text(key);
        hash.text(value);
    }
    hash.number(tensors.len());
    for (name, (info, bytes)) in tensors {
        hash.text(name);
        hash.text(&info.dtype.to_string());
        hash.number(info.shape.len());
        info.shape.iter().for_each(|&size| hash.number(size));
        hash.update(bytes);
    }
    hash.hexadecimal()
}
