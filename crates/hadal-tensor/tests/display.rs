//! What `{}` and `{:?}` print. The expected strings of `{}` are PyTorch 2's, but for `tensor(` and the line breaks of long rows.

use hadal_tensor::{DType, Tensor};

#[test]
fn numbers_print_as_in_pytorch() {
    let cases = [
        (Tensor::scalar(3.5), "3.5000"),
        (Tensor::arange(8).slice(0, 7..).squeeze(0), "7"),
        (Tensor::from([1.0, -20.0, 0.0]), "[  1., -20.,   0.]"),
        (Tensor::from([[1.0, -0.5], [0.25, 10.0]]), "[[ 1.0000, -0.5000],\n [ 0.2500, 10.0000]]"),
        (Tensor::from([0.00001, 1.0]), "[1.0000e-05, 1.0000e+00]"),
        (Tensor::from([1.0, 2000.0]), "[1.0000e+00, 2.0000e+03]"),
        (Tensor::from([1e9, 2e9]), "[1.0000e+09, 2.0000e+09]"),
        (Tensor::from([f32::NAN, 1.5, f32::NEG_INFINITY]), "[   nan, 1.5000,   -inf]"),
        (Tensor::from([f32::NAN, 1.0, f32::INFINITY]), "[nan,  1., inf]"),
        (Tensor::from([[1, -20], [300, 4]]), "[[  1, -20],\n [300,   4]]"),
        (Tensor::from(vec![0.1, 123.456]), "[1.0000e-01, 1.2346e+02]"),
        (Tensor::from(vec![-1e-300, 1e-301]), "[-1.0000e-300,  1.0000e-301]"),
        (Tensor::zeros([2, 2]), "[[0., 0.],\n [0., 0.]]"),
        (Tensor::from(vec![7u8, 255]), "[  7, 255]"),
        (Tensor::from([true, false]), "[ true, false]"),
        (Tensor::from([i64::MAX, 1 << 53 | 1]), "[9223372036854775807,    9007199254740993]"),
        (Tensor::zeros([0]), "[]"),
        (Tensor::zeros([0, 3]), "[], shape [0, 3]"),
        (
            Tensor::arange(12).reshape([2, 2, 3]).t(),
            "[[[ 0,  3],\n  [ 1,  4],\n  [ 2,  5]],\n\n [[ 6,  9],\n  [ 7, 10],\n  [ 8, 11]]]",
        ),
        (Tensor::arange(8).reshape([2, 1, 2, 2]), "[[[[0, 1],\n   [2, 3]]],\n\n\n [[[4, 5],\n   [6, 7]]]]"),
    ];
    for (tensor, expected) in cases {
        assert_eq!(tensor.to_string(), expected);
    }
}

#[test]
fn the_middle_of_large_tensors_is_left_out() {
    let expected = "\
[[   0,    1,    2,  ...,   47,   48,   49],
 [  50,   51,   52,  ...,   97,   98,   99],
 [ 100,  101,  102,  ...,  147,  148,  149],
 ...,
 [1850, 1851, 1852,  ..., 1897, 1898, 1899],
 [1900, 1901, 1902,  ..., 1947, 1948, 1949],
 [1950, 1951, 1952,  ..., 1997, 1998, 1999]]";
    assert_eq!(Tensor::arange(2000).reshape([40, 50]).to_string(), expected);
    // 1000 elements are not many.
    assert!(!Tensor::arange(1000).to_string().contains("..."));
    let deep = Tensor::zeros([20, 10, 6]).to_string();
    assert!(deep.contains("]],\n\n ...,\n\n [[") && deep.contains("],\n  ...,\n  ["), "{deep}");
}

#[test]
fn views_of_more_than_memory_holds_print() {
    let huge = Tensor::from([[true]]).expand([1 << 28, 1 << 28]);
    assert_eq!(huge.to_string().lines().count(), 7);
    assert!(format!("{huge:?}").ends_with("true, true]..)"));
    let huge = Tensor::ones([1]).requires_grad().expand([1 << 57]);
    assert_eq!(huge.to_string(), "[1., 1., 1.,  ..., 1., 1., 1.]");
}

#[test]
fn a_precision_sets_the_decimals() {
    assert_eq!(format!("{:.2}", Tensor::from([1.0, 2.345])), "[1.00, 2.35]");
    assert_eq!(format!("{:.1}", Tensor::from([1.0, 2.0])), "[1.0, 2.0]");
    assert_eq!(format!("{:.1}", Tensor::from([1.0, 5000.0])), "[1.0e+00, 5.0e+03]");
    assert_eq!(format!("{:.2}", Tensor::from([1, 2])), "[1, 2]");
}

#[test]
fn debug_names_dtype_shape_and_first_numbers() {
    assert_eq!(format!("{:?}", Tensor::scalar(0.1)), "Tensor(f32 [], 0.1)");
    assert_eq!(format!("{:?}", Tensor::ones([2]).requires_grad()), "Tensor(f32 [2], [1.0, 1.0], requires_grad)");
    assert_eq!(format!("{:?}", Tensor::from([i64::MAX])), "Tensor(i64 [1], [9223372036854775807])");
    assert_eq!(format!("{:?}", Tensor::zeros([1, 2]).to_dtype(DType::Bool)), "Tensor(bool [1, 2], [false, false])");
    assert_eq!(format!("{:?}", Tensor::zeros([0, 3])), "Tensor(f32 [0, 3], [])");
    // Row-major order, whatever the strides.
    let turned = format!("{:?}", Tensor::arange(40).reshape([20, 2]).t());
    assert_eq!(turned, "Tensor(i64 [2, 20], [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30]..)");
    let rows = format!("{:?}", Tensor::arange(60).reshape([20, 3]));
    assert_eq!(rows, "Tensor(i64 [20, 3], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]..)");
}
