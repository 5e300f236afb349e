use super::*;
use crate::data::Rows;

/// A file that NumPy wrote (tests/numpy/generate.py).
fn numpy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/numpy").join(name)
}

/// A temporary file of these bytes. The folder is removed when it is dropped.
fn file(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn message(path: &Path) -> String {
    open(path).unwrap_err().to_string()
}

#[test]
fn arrays_that_numpy_wrote_are_read() {
    let array = open(numpy("c_order.npy")).unwrap();
    assert_eq!((array.shape(), array.dtype()), (&Shape::from([2, 3]), DType::F32));
    assert_eq!(array.read().unwrap().to_vec::<f32>(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    for version in ["version_2.npy", "version_3.npy"] {
        assert_eq!(open(numpy(version)).unwrap().read().unwrap().to_vec::<i64>(), [0, 1, 2, 3, 4, 5]);
    }
}

#[test]
fn fortran_order_is_turned_into_c_order() {
    let array = open(numpy("fortran_order.npy")).unwrap();
    let tensor = array.read().unwrap();
    assert_eq!(tensor.shape(), &[2, 3, 4]);
    assert_eq!(tensor.to_vec::<f32>(), (0..24).map(|i| i as f32).collect::<Vec<_>>());
    let message = array.rows().unwrap_err().to_string();
    assert!(message.contains("Fortran order") && message.contains("np.ascontiguousarray"), "{message}");
}

#[test]
fn what_is_written_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    let tensors = [
        Tensor::from_slice(&[1.5f32, -2.0], [2, 1]),
        Tensor::from_slice(&[1e300, 0.1], [2]),
        Tensor::from_slice(&[i64::MIN, 7, i64::MAX], [1, 3]),
        Tensor::from_slice(&[0u8, 255], [1, 1, 2]),
        Tensor::from_slice(&[true, false, true], [3]),
        Tensor::zeros([0, 4]),
    ];
    for tensor in tensors {
        write(&path, &tensor).unwrap();
        let found = open(&path).unwrap().read().unwrap();
        assert_eq!((found.shape(), found.dtype()), (tensor.shape(), tensor.dtype()));
        assert_eq!(format!("{found}"), format!("{tensor}"));
    }
    write(&path, &Tensor::scalar(1.0)).unwrap();
    assert!(message(&path).contains("0-d array"));
}

#[test]
fn a_large_array_is_read_in_blocks_and_written_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    let values: Vec<i64> = (0..300_000).collect();
    write(&path, &Tensor::from_slice(&values, [1000, 300])).unwrap();
    let array = open(&path).unwrap();
    assert_eq!(array.read().unwrap().to_vec::<i64>(), values);
    // Rows across blocks, alone and in runs.
    let indices: Vec<usize> = (0..400).chain([999, 3, 3]).chain(500..700).collect();
    let expected: Vec<i64> = indices.iter().flat_map(|row| &values[row * 300..(row + 1) * 300]).copied().collect();
    assert_eq!(array.rows().unwrap().read(&indices).unwrap().to_vec::<i64>(), expected);
}

#[test]
fn rows_come_in_the_order_of_their_indices() {
    let rows = open(numpy("c_order.npy")).unwrap().rows().unwrap();
    assert_eq!((rows.len(), rows.sample_shape(), rows.dtype()), (2, Shape::from([3]), DType::F32));
    let read = rows.read(&[1, 0, 1]).unwrap();
    assert_eq!(read.shape(), &[3, 3]);
    assert_eq!(read.to_vec::<f32>(), [3.0, 4.0, 5.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    assert_eq!(rows.read(&[]).unwrap().shape(), &[0, 3]);
    assert!(rows.read(&[0, 2]).unwrap_err().to_string().contains("there is no sample 2; there are 2"));
}

#[test]
fn lengths_that_differ_from_the_header_are_errors() {
    let whole = std::fs::read(numpy("c_order.npy")).unwrap();
    for length in 0..whole.len() {
        let (_folder, path) = file(&whole[..length]);
        assert!(open(&path).is_err(), "{length} of {} bytes", whole.len());
    }
    let (_folder, path) = file(&whole[..whole.len() - 4]);
    assert!(
        message(&path)
            .contains("is cut short: it has 148 bytes, but an array of shape [2, 3] and dtype '<f4' takes 152")
    );
    let (_folder, path) = file(&[&whole[..], &[0; 8]].concat());
    assert!(message(&path).contains("goes on for 8 bytes after the array of shape [2, 3]"));
}

#[test]
fn headers_that_claim_what_no_disk_holds_are_refused_before_memory_is_taken() {
    let header = header::write(Number::F64, &Shape::from([1 << 20, 1 << 20]));
    let (_folder, path) = file(&header);
    assert!(message(&path).contains("is cut short: it has 128 bytes, but an array of shape [1048576, 1048576]"));
}

#[test]
fn a_file_that_shrinks_after_it_was_opened_is_an_error() {
    let (_folder, path) = file(&std::fs::read(numpy("c_order.npy")).unwrap());
    let array = open(&path).unwrap();
    let rows = array.rows().unwrap();
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(140).unwrap();
    assert!(array.read().unwrap_err().to_string().contains("has become shorter since it was opened"));
    assert!(rows.read(&[1]).unwrap_err().to_string().contains("has become shorter since it was opened"));
    assert!(rows.read(&[0]).is_ok(), "the first row is still there");
}

#[test]
fn what_is_no_array_is_named() {
    let (folder, path) = file(b"x,y\n1,2\n");
    assert!(message(&path).contains("is not an .npy file") && message(&path).contains("x.npy"));
    assert!(message(folder.path()).contains("is a folder"));
    assert!(message(&folder.path().join("z.npy")).contains("cannot open the array"));
}

#[test]
fn what_trains_is_narrow() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    write(&path, &Tensor::from_slice(&[0.1f64, 2.0], [2])).unwrap();
    assert_eq!(open(&path).unwrap().for_training().read().unwrap().to_vec::<f32>(), [0.1, 2.0]);
    write(&path, &Tensor::from_slice(&[true, false], [2])).unwrap();
    assert_eq!(open(&path).unwrap().for_training().rows().unwrap().read(&[1, 0]).unwrap().to_vec::<u8>(), [0, 1]);
}
