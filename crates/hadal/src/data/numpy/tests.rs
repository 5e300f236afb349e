use super::*;
use crate::Shape;

/// A folder with these arrays, each with its name.
fn folder(arrays: &[(&str, Tensor)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, tensor) in arrays {
        npy::write(folder.path().join(name), tensor).unwrap();
    }
    folder
}

fn message(arrays: &[(&str, Tensor)]) -> String {
    NumPy::load(folder(arrays).path()).unwrap_err().to_string()
}

fn numbers(values: &[f32], shape: impl Into<Shape>) -> Tensor {
    Tensor::from_slice(values, shape)
}

fn classes(values: &[i64]) -> Tensor {
    Tensor::from_slice(values, [values.len()])
}

/// A file that NumPy wrote (tests/numpy/generate.py).
fn numpy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/numpy").join(name)
}

#[test]
fn batches_from_disk_are_those_from_memory() {
    let x = numbers(&(0..30).map(|i| i as f32).collect::<Vec<_>>(), [5, 2, 3]);
    let wide = x.to_dtype(DType::F64);
    let bytes = x.to_dtype(DType::U8);
    for x in [x, wide, bytes] {
        let folder = folder(&[("x.npy", x), ("y.npy", classes(&[0, 1, 2, 1, 0]))]);
        let open = || NumPy::open(folder.path()).unwrap();
        let [memory, disk] = [true, false].map(|place| open().in_memory(place).dataset().unwrap());
        assert_eq!((disk.len(), disk.input_shape()), (5, Shape::from([2, 3])));
        let ([a, b], [c, d]) =
            ([&memory, &disk].map(|data| data.batch(&[4, 0, 0]).0), [&memory, &disk].map(Dataset::targets));
        assert_eq!((a.dtype(), a.to_vec::<f32>()), (b.dtype(), b.to_vec::<f32>()));
        assert_eq!(c.to_vec::<i64>(), d.to_vec::<i64>());
    }
}

#[test]
fn archives_stored_and_compressed_are_datasets() {
    let data = NumPy::open(numpy("stored.npz")).unwrap().in_memory(false).dataset().unwrap();
    assert_eq!((data.name(), data.targets().to_vec::<i64>()), ("stored", vec![1, 0]));
    assert_eq!(data.batch(&[1]).0.to_vec::<f32>(), [3.0, 4.0, 5.0]);
    assert_eq!(NumPy::read_inputs(numpy("stored.npz")).unwrap().shape(), &[2, 3]);
    assert_eq!(NumPy::read_inputs(numpy("c_order.npy")).unwrap().shape(), &[2, 3]);
}

#[test]
fn integers_are_classes_and_floats_are_numbers() {
    let x = || ("x.npy", Tensor::zeros([3, 2]));
    let targets = |y: Tensor| NumPy::load(folder(&[x(), ("y.npy", y)]).path()).unwrap().targets().clone();
    assert_eq!(targets(classes(&[2, 0, 1])).to_vec::<i64>(), [2, 0, 1]);
    assert_eq!(targets(classes(&[2, 0, 1]).reshape([3, 1])).shape(), &[3]);
    assert_eq!(targets(Tensor::from_slice(&[true, false, true], [3])).to_vec::<i64>(), [1, 0, 1]);
    assert_eq!(targets(Tensor::from_slice(&[7u8, 0, 1], [3])).to_vec::<i64>(), [7, 0, 1]);
    // Whole, but floats.
    assert_eq!(targets(numbers(&[2.0, 0.0, 1.0], [3])).dtype(), DType::F32);
    assert_eq!(targets(Tensor::from_slice(&[0.5f64; 6], [3, 2])).dtype(), DType::F32);
}

#[test]
fn targets_that_are_neither_are_errors() {
    let message = |y: Tensor| message(&[("x.npy", Tensor::zeros([2, 2])), ("y.npy", y)]);
    assert!(message(classes(&[0, -1])).contains("y.npy: holds -1 for sample 1; integers are classes, from 0 on"));
    assert!(
        message(classes(&[0, 1, 1, 0]).reshape([2, 2]))
            .contains("y.npy: has shape [2, 2]; classes, which are integers, are [2]")
    );
    assert!(message(Tensor::zeros([2, 1, 1])).contains("targets of a regression are [2] or [2, k]"));
    assert!(message(classes(&[0, 1, 2])).contains("has 2 samples in `x` (shape [2, 2]), but 3 in `y` (shape [3])"));
    assert!(
        message(numbers(&[0.0, f32::NAN], [2])).contains("y.npy: holds NaN in sample 1; every number must be finite")
    );
}

#[test]
fn targets_are_what_they_are_asked_to_be() {
    let open = |y: Tensor| {
        let folder = folder(&[("x.npy", Tensor::zeros([3, 2])), ("y.npy", y)]);
        (NumPy::open(folder.path()).unwrap(), folder)
    };
    let (arrays, _folder) = open(numbers(&[2.0, 0.0, 1.0], [3, 1]));
    let data = arrays.classification().dataset().unwrap();
    assert_eq!(data.targets().shape(), &[3]);
    assert_eq!(data.targets().to_vec::<i64>(), [2, 0, 1]);
    let (arrays, _folder) = open(classes(&[-2, 0, 1]));
    let data = arrays.regression().dataset().unwrap();
    assert_eq!((data.targets().dtype(), data.targets().to_vec::<f32>()), (DType::F32, vec![-2.0, 0.0, 1.0]));
    for (y, words) in [
        (numbers(&[0.0, 1.5, 1.0], [3]), "y.npy: holds 1.5 for sample 1; classes are whole numbers, from 0 on"),
        (numbers(&[0.0, -1.0, 1.0], [3]), "holds -1 for sample 1"),
        (numbers(&[0.0, f32::NAN, 1.0], [3]), "holds NaN in sample 1"),
    ] {
        let (arrays, _folder) = open(y);
        let found = arrays.classification().dataset().unwrap_err().to_string();
        assert!(found.contains(words), "{found}");
    }
}

#[test]
fn numbers_that_are_not_finite_are_named_by_sample_in_memory_and_on_disk() {
    let mut values = vec![0.5f32; 600_000];
    values[500_003] = f32::NEG_INFINITY;
    values[500_009] = f32::NAN;
    let y = classes(&vec![1; 100_000]);
    let path = folder(&[("x.npy", numbers(&values, [100_000, 6])), ("y.npy", y)]);
    for place in [true, false] {
        let data = NumPy::open(path.path()).unwrap().in_memory(place).dataset();
        let found = data.unwrap_err().to_string();
        assert!(found.contains("x.npy: holds -inf in sample 83333, at element 5 of its 6"), "{found}");
    }
    let large = Tensor::from_slice(&[1.0, 1e300], [2, 1]);
    let found = message(&[("x.npy", large), ("y.npy", classes(&[0, 1]))]);
    assert!(found.contains("holds inf (as f32, which 64-bit floats become) in sample 1"), "{found}");
}

#[test]
fn a_missing_array_is_answered_with_those_there_are() {
    let found = message(&[("x.npy", Tensor::zeros([1])), ("labels.npy", classes(&[0]))]);
    assert!(found.contains("has no array `y`; there are `labels`, `x` (`y.npy` is looked for)"), "{found}");
    let found = message(&[]);
    assert!(found.contains("has no array `x`; there are no arrays in it"), "{found}");
    let found = message(&[("X.npy", Tensor::zeros([1]))]);
    assert!(found.contains("is `X` meant?"), "{found}");
    let found = NumPy::load(numpy("numbers.npz")).unwrap_err().to_string();
    assert!(found.contains("numbers.npz: has no array `x`; there are `b1`, `i1`"), "{found}");
    let found = NumPy::load(numpy("c_order.npy")).unwrap_err().to_string();
    assert!(found.contains("is one array; a folder with x.npy and y.npy or an .npz archive"), "{found}");
    let found = NumPy::load(numpy("generate.py")).unwrap_err().to_string();
    assert!(found.contains("is not an .npy file"), "{found}");
    assert!(message(&[("x.npy", Tensor::zeros([0, 2])), ("y.npy", classes(&[]))]).contains("holds no samples"));
}

#[test]
fn arrays_that_cannot_be_read_by_row_are_kept_in_memory_unless_asked_otherwise() {
    let path = folder(&[("y.npy", classes(&[0, 1]))]);
    std::fs::copy(numpy("fortran_order.npy"), path.path().join("x.npy")).unwrap();
    let data = NumPy::load(path.path()).unwrap();
    assert_eq!(data.batch(&[1]).0.to_vec::<f32>(), (12..24).map(|i| i as f32).collect::<Vec<_>>());
    let on_disk = NumPy::open(path.path()).unwrap().in_memory(false).dataset();
    assert!(on_disk.unwrap_err().to_string().contains("np.ascontiguousarray"));
}
