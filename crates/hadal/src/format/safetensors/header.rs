//! The header of a safetensors file: its length (8 bytes, little-endian), then JSON, padded with spaces to a multiple of 8.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;

use safetensors::tensor::TensorInfo;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::{Shape, memory};

/// The largest header that is read or written, in bytes: a history of 300,000 epochs, or 200,000 tensors.
const LARGEST: usize = 32 << 20;

/// The key that stands for the metadata among the tensors.
const METADATA: &str = "__metadata__";

/// What a file holds.
#[derive(Debug)]
pub(super) struct Header {
    pub metadata: BTreeMap<String, String>,
    /// The tensors in the order of their bytes.
    pub tensors: Vec<(String, TensorInfo)>,
}

impl Header {
    /// The beginning of the file, up to the bytes of the first tensor.
    pub fn to_bytes(&self) -> Result<Vec<u8>, String> {
        if self.tensors.iter().any(|(name, _)| name == METADATA) {
            return Err(format!("no tensor can be called `{METADATA}`, where the format keeps its metadata"));
        }
        let mut bytes = vec![0; 8];
        serde_json::to_writer(&mut bytes, self).map_err(|error| error.to_string())?;
        bytes.resize(bytes.len().next_multiple_of(8), b' ');
        let length = bytes.len() - 8;
        if length > LARGEST {
            let (length, largest) = (memory::show(length), memory::show(LARGEST));
            return Err(format!("names, shapes and metadata take {length}, more than the {largest} of a header"));
        }
        bytes[..8].copy_from_slice(&(length as u64).to_le_bytes());
        Ok(bytes)
    }

    /// Reads the header of a file of `length` bytes, and checks that the file can hold what it says.
    pub fn read(file: &mut impl Read, length: u64) -> Result<Header, String> {
        let broken = |reason: &dyn fmt::Display| {
            format!("is not a valid safetensors file ({reason}); it may be truncated or have another format")
        };
        let mut size = [0; 8];
        file.read_exact(&mut size).map_err(|error| broken(&error))?;
        let size = u64::from_le_bytes(size);
        let Some(data) = length.checked_sub(8).and_then(|rest| rest.checked_sub(size)) else {
            return Err(broken(&format!("a header of {size} bytes does not fit into {length}")));
        };
        let Some(size) = usize::try_from(size).ok().filter(|&size| size <= LARGEST) else {
            return Err(format!("has a header of {size} bytes, more than the {} that are read", memory::show(LARGEST)));
        };
        let mut json = memory::reserve(size)?;
        json.resize(size, 0);
        file.read_exact(&mut json).map_err(|error| broken(&error))?;
        let mut header: Header = serde_json::from_slice(&json).map_err(|error| broken(&error))?;
        header.tensors.sort_by_key(|(_, info)| info.data_offsets);
        let mut end = 0;
        for (name, info) in &header.tensors {
            end = check(info, end).map_err(|reason| format!("tensor `{name}` {reason}"))?;
        }
        if end as u64 != data {
            return Err(broken(&format!("its tensors take {end} bytes, but {data} follow the header")));
        }
        Ok(header)
    }
}

/// Checks one tensor, whose bytes should begin at `begin`; returns where they end.
fn check(info: &TensorInfo, begin: usize) -> Result<usize, String> {
    let shape = &info.shape;
    let elements = Shape::try_new(shape).map_err(|error| format!("cannot be read: {error}"))?.elements();
    let bits = elements as u128 * info.dtype.bitsize() as u128;
    let (first, end) = info.data_offsets;
    if !bits.is_multiple_of(8) || first != begin || first as u128 + bits / 8 != end as u128 {
        return Err(format!(
            "has the data offsets {first} to {end}, but {} {shape:?} at byte {begin} takes {} bytes",
            info.dtype,
            bits.div_ceil(8)
        ));
    }
    Ok(end)
}

impl Serialize for Header {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if !self.metadata.is_empty() {
            map.serialize_entry(METADATA, &self.metadata)?;
        }
        self.tensors.iter().try_for_each(|(name, info)| map.serialize_entry(name, info))?;
        map.end()
    }
}

/// Read by hand: derived code would let one of two tensors of the same name vanish.
impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Header, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("tensors by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let mut metadata = None;
                let mut tensors = BTreeMap::new();
                while let Some(name) = map.next_key::<String>()? {
                    let again = if name == METADATA {
                        metadata.replace(map.next_value::<Metadata>()?.0).is_some()
                    } else {
                        tensors.insert(name.clone(), map.next_value::<TensorInfo>()?).is_some()
                    };
                    if again {
                        return Err(A::Error::custom(format!("duplicate key `{name}`")));
                    }
                }
                Ok(Header { metadata: metadata.unwrap_or_default(), tensors: tensors.into_iter().collect() })
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

struct Metadata(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Metadata, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Metadata;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("texts by key")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Metadata, A::Error> {
                let mut entries = BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<String, String>()? {
                    if let Some(value) = entries.insert(key, value) {
                        return Err(A::Error::custom(format!(
                            "duplicate metadata key, first with the value `{value}`"
                        )));
                    }
                }
                Ok(Metadata(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said about a file with this header and this many bytes behind it.
    fn message(json: &str, data: usize) -> String {
        let file = [&(json.len() as u64).to_le_bytes()[..], json.as_bytes(), &vec![0; data]].concat();
        let error = Header::read(&mut &file[..], file.len() as u64).unwrap_err();
        assert!(error.len() < 500, "{error}");
        error
    }

    #[test]
    fn tensors_that_cannot_be_are_refused_by_name() {
        let tensor =
            |shape: &str, end: u64| format!(r#"{{"w":{{"dtype":"F32","shape":{shape},"data_offsets":[0,{end}]}}}}"#);
        let huge = u64::MAX;
        for shape in [format!("[{huge},2]"), format!("[0,{huge},{huge}]"), format!("[{huge},{huge},0]")] {
            let text = message(&tensor(&shape, 0), 0);
            assert!(text.contains("`w` cannot be read: shape [") && text.contains("larger than memory"), "{text}");
        }
        assert!(
            message(&tensor("[1,1,1,1,1,1,1]", 4), 4)
                .contains("`w` cannot be read: shape [1, 1, 1, 1, 1, 1, 1] has 7 axes")
        );
        assert!(message(&tensor("[2]", 4), 4).contains("`w` has the data offsets 0 to 4"));
        assert!(message(&tensor("[2]", 8), 4).contains("tensors take 8 bytes, but 4 follow"));
        assert!(message(&tensor("[2]", huge), 4).contains("`w` has the data offsets"));
        assert!(message(&tensor("[-2]", 8), 8).contains("not a valid safetensors file"));
        // Nested more deeply than a stack could follow.
        let (open, close) = ("[".repeat(1_000_000), "]".repeat(1_000_000));
        for nested in [format!(r#"{{"w":{open}{close}}}"#), format!(r#"{{"w":{{"more":{open}{close}}}}}"#)] {
            assert!(message(&nested, 0).contains("not a valid safetensors file"));
        }
    }

    #[test]
    fn one_name_twice_is_refused() {
        let w = r#""w":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}"#;
        assert!(message(&format!("{{{w},{w}}}"), 0).contains("duplicate key `w`"));
        assert!(message(r#"{"__metadata__":{},"__metadata__":{}}"#, 0).contains("duplicate key `__metadata__`"));
        assert!(message(r#"{"__metadata__":{"a":"1","a":"2"}}"#, 0).contains("duplicate metadata key"));
        assert!(message(r#"{"__metadata__":{"a":1}}"#, 0).contains("not a valid safetensors file"));
    }

    #[test]
    fn a_header_is_judged_by_its_length_first() {
        let read = |size: u64, length: u64| Header::read(&mut &size.to_le_bytes()[..], length).unwrap_err();
        assert!(read(u64::MAX, 100).contains("does not fit into 100"));
        assert!(read(93, 100).contains("does not fit into 100"));
        assert!(read(1 << 40, 1 << 50).contains("more than the 32.0 MiB"));
        assert!(Header::read(&mut &b"123"[..], 3).unwrap_err().contains("not a valid safetensors file"));
    }
}
