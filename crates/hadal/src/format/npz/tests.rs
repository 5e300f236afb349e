use super::*;
use crate::data::Rows;
use crate::{DType, Shape};

/// An archive that NumPy wrote (tests/numpy/generate.py).
fn numpy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/numpy").join(name)
}

#[test]
fn every_type_of_number_is_read_from_a_compressed_archive() {
    let archive = open(numpy("numbers.npz")).unwrap();
    assert_eq!(archive.names(), "b1 i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8".split(' ').collect::<Vec<_>>());
    for name in archive.names() {
        let tensor = archive.open(name).unwrap().read().unwrap();
        assert_eq!(tensor.shape(), &[2, 3]);
        let expected = match name {
            "b1" => DType::Bool,
            "u1" => DType::U8,
            "f2" | "f4" => DType::F32,
            "f8" => DType::F64,
            _ => DType::I64,
        };
        assert_eq!(tensor.dtype(), expected, "{name}");
        let values = if name == "b1" { [0.0, 1.0, 1.0, 1.0, 1.0, 1.0] } else { [0.0, 1.0, 2.0, 3.0, 4.0, 5.0] };
        assert_eq!(tensor.to_dtype(DType::F32).to_vec::<f32>(), values, "{name}");
    }
}

#[test]
fn stored_arrays_are_read_row_by_row_and_compressed_ones_are_not() {
    let archive = open(numpy("stored.npz")).unwrap();
    let rows = archive.open("x.npy").unwrap().rows().unwrap();
    assert_eq!((rows.len(), rows.sample_shape()), (2, Shape::from([3])));
    assert_eq!(rows.read(&[1]).unwrap().to_vec::<f32>(), [3.0, 4.0, 5.0]);
    assert_eq!(archive.open("y").unwrap().read().unwrap().to_vec::<i64>(), [1, 0]);
    let array = open(numpy("numbers.npz")).unwrap().open("f4").unwrap();
    assert!(array.rows().unwrap_err().to_string().contains("member `f4.npy` is compressed; save it with np.savez"));
}

#[test]
fn arrays_that_no_tensor_holds_are_named_by_archive_and_member() {
    let archive = open(numpy("refused.npz")).unwrap();
    let message = |name: &str| archive.open(name).unwrap_err().to_string();
    for (name, reason) in [
        ("objects", "is an object array, a pickle"),
        ("big_endian", "is big-endian (dtype '>f4'), which is not read; save it with .astype('<f4')"),
        ("complex", "holds complex numbers (dtype '<c8')"),
        ("texts", "holds texts (dtype '<U4')"),
        ("dates", "holds dates"),
        ("records", "is a structured array"),
        ("scalar", "holds one number without an axis (a 0-d array)"),
        ("seven_axes", "has a shape that cannot be"),
    ] {
        let found = message(name);
        assert!(found.contains(&format!("refused.npz: member `{name}.npy` {reason}")), "{found}");
    }
    let too_large = archive.open("too_large").unwrap().read().unwrap_err().to_string();
    assert!(too_large.contains("holds 18446744073709551615, more than a 64-bit integer"), "{too_large}");
}

#[test]
fn a_missing_array_is_answered_with_those_there_are() {
    let archive = open(numpy("stored.npz")).unwrap();
    let message = |name: &str| archive.open(name).unwrap_err().to_string();
    assert!(message("X").ends_with("has no array `X`; there are `x`, `y`; is `x` meant?"), "{}", message("X"));
    assert!(message("labels").ends_with("has no array `labels`; there are `x`, `y`"), "{}", message("labels"));
}

#[test]
fn archives_that_are_none_or_ambiguous_are_refused() {
    let message = |path: &Path| open(path).unwrap_err().to_string();
    assert!(message(&numpy("twice.npz")).contains("has two members of one name"));
    assert!(message(&numpy("c_order.npy")).contains("is not an .npz file"));
    assert!(message(&numpy("")).contains("is a folder"));
}

/// What happens to a stored or compressed archive with one change.
fn changed(name: &str, change: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut bytes = std::fs::read(numpy(name)).unwrap();
    change(&mut bytes);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npz");
    std::fs::write(&path, &bytes).unwrap();
    let first = |archive: Archive| archive.open(archive.names()[0])?.read();
    open(&path).and_then(first).unwrap_err().to_string()
}

fn find(bytes: &[u8], pattern: &[u8]) -> usize {
    bytes.windows(pattern.len()).position(|window| window == pattern).unwrap()
}

#[test]
fn damage_is_found_by_checksum_and_by_size() {
    // The last number of x, 5.0.
    let flipped = changed("stored.npz", |bytes| {
        let at = find(bytes, &5f32.to_le_bytes());
        bytes[at + 1] ^= 1;
    });
    assert!(flipped.contains("member `x.npy` is damaged: ") && flipped.contains("hecksum"), "{flipped}");
    // The directory's entry of the first member: its flags, method and sizes.
    let encrypted = changed("stored.npz", |bytes| {
        let at = find(bytes, b"PK\x01\x02");
        bytes[at + 8] |= 1;
    });
    assert!(encrypted.contains("encrypted"), "{encrypted}");
    let bzip2 = changed("stored.npz", |bytes| {
        let at = find(bytes, b"PK\x01\x02");
        bytes[at + 10] = 12;
    });
    assert!(bzip2.contains("compressed by") && bzip2.contains("np.savez_compressed"), "{bzip2}");
    let bomb = changed("numbers.npz", |bytes| {
        let at = find(bytes, b"PK\x01\x02");
        bytes[at + 24..at + 28].copy_from_slice(&(1u32 << 31).to_le_bytes());
    });
    assert!(bomb.contains("compressed bytes cannot hold 2147483648"), "{bomb}");
    let longer = changed("numbers.npz", |bytes| {
        let at = find(bytes, b"PK\x01\x02");
        bytes[at + 24] += 8;
    });
    assert!(longer.contains("goes on for 8 bytes after the array"), "{longer}");
}

#[test]
fn every_prefix_of_an_archive_is_an_error() {
    let length = std::fs::metadata(numpy("stored.npz")).unwrap().len() as usize;
    for length in 0..length {
        changed("stored.npz", |bytes| bytes.truncate(length));
    }
}
