//! The SHA-256 of a file's contents, whatever their order in the file.

use std::collections::BTreeMap;

use safetensors::tensor::TensorInfo;
use sha2::{Digest, Sha256};

/// A SHA-256 in the making.
#[derive(Default)]
pub(super) struct Hash(Sha256);

impl Hash {
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }

    fn number(&mut self, number: usize) {
        self.update(&(number as u64).to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len());
        self.update(text.as_bytes());
    }
}

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
    hash.finish().iter().map(|byte| format!("{byte:02x}")).collect()
}
