//! Results and gradients of operations, as PyTorch has them. Tolerance: 1e-12.

use hadal::{Conv, Interpolation, Padding, Pool, Step, einsum};

use super::*;

type Operation = fn(&[Tensor]) -> Tensor;

const OPERATIONS: &[(&str, Operation)] = &[
    ("conv1d", |x| x[0].conv(&x[1], Some(&x[2]), Conv::new().stride(2).padding(1).dilation(2))),
    ("conv2d", |x| x[0].conv(&x[1], Some(&x[2]), Conv::new())),
    ("conv2d stride", |x| x[0].conv(&x[1], None, Conv::new().stride([2, 1]).padding([1, 2]))),
    ("conv2d groups", |x| x[0].conv(&x[1], None, Conv::new().padding(1).groups(2))),
    ("conv2d depthwise", |x| x[0].conv(&x[1], None, Conv::new().padding(2).dilation(2).groups(3))),
    ("conv2d pointwise", |x| x[0].conv(&x[1], None, Conv::new())),
    ("conv3d", |x| x[0].conv(&x[1], None, Conv::new().stride([1, 2, 1]).padding([1, 0, 1]))),
    ("conv_transpose1d", |x| {
        x[0].conv_transpose(&x[1], Some(&x[2]), Conv::new().stride(3).padding(1).output_padding(2))
    }),
    ("conv_transpose2d", |x| x[0].conv_transpose(&x[1], None, Conv::new().stride(2).padding(1).groups(2).dilation(2))),
    ("conv_transpose3d", |x| x[0].conv_transpose(&x[1], None, Conv::new().stride([1, 2, 2]))),
    ("max_pool1d", |x| x[0].max_pool(Pool::new(3).stride(2).padding(1))),
    ("max_pool2d", |x| x[0].max_pool(Pool::new(2))),
    ("max_pool2d dilation", |x| x[0].max_pool(Pool::new([3, 2]).stride(1).padding(1).dilation([1, 2]))),
    ("max_pool3d", |x| x[0].max_pool(Pool::new([1, 2, 2]))),
    ("avg_pool1d", |x| x[0].avg_pool(Pool::new(3))),
    ("avg_pool2d", |x| x[0].avg_pool(Pool::new(3).stride(2).padding(1))),
    ("avg_pool2d inside", |x| x[0].avg_pool(Pool::new(3).stride(2).padding(1).count_padding(false))),
    ("adaptive_avg_pool2d", |x| x[0].adaptive_avg_pool([3, 2])),
    ("adaptive_max_pool2d", |x| x[0].adaptive_max_pool([3, 2])),
    ("unfold", |x| x[0].unfold(Pool::new([2, 3]).stride([1, 2]).padding(1))),
    ("fold", |x| x[0].fold([4, 5], Pool::new([2, 3]).stride([1, 2]).padding(1))),
    ("interpolate nearest", |x| x[0].interpolate([7, 3], Interpolation::Nearest)),
    ("interpolate bilinear", |x| x[0].interpolate([7, 3], Interpolation::Linear)),
    ("interpolate corners", |x| x[0].interpolate([7, 3], Interpolation::LinearCorners)),
    ("interpolate linear", |x| x[0].interpolate(9, Interpolation::Linear)),
    ("pad constant", |x| x[0].pad(&[(3, 0), (1, 2)], Padding::Constant(1.5))),
    ("pad reflect", |x| x[0].pad(&[(2, 0), (1, 2)], Padding::Reflect)),
    ("pad replicate", |x| x[0].pad(&[(2, 0), (1, 2)], Padding::Replicate)),
    ("flip", |x| x[0].flip(&[0, 2])),
    ("roll", |x| x[0].roll(-3, 1)),
    ("repeat", |x| x[0].repeat(&[2, 1, 3])),
    ("sort", |x| x[0].sort(1).0),
    ("sort descending", |x| x[0].sort_descending(0).0),
    ("topk", |x| x[0].topk(2, 0).0),
    ("argsort", |x| x[0].argsort(1).to_dtype(DType::F64)),
    ("cumsum", |x| x[0].cumsum(0)),
    ("cumprod", |x| x[0].cumprod(1)),
    ("logsumexp", |x| x[0].logsumexp(&[0, 2])),
    ("var", |x| x[0].var(&[0, 2], 1)),
    ("var population", |x| x[0].var(&[1], 0)),
    ("std", |x| x[0].std(&[1], 1)),
    ("norm 1", |x| x[0].norm(1.0, &[1])),
    ("norm 2", |x| x[0].norm(2.0, &[0, 1])),
    ("norm 3", |x| x[0].norm(3.0, &[0])),
    ("norm infinity", |x| x[0].norm(f64::INFINITY, &[1])),
    ("tril", |x| x[0].tril(-1)),
    ("triu", |x| x[0].triu(1)),
    ("diag", |x| x[0].diag(0)),
    ("outer", |x| x[0].outer(&x[1])),
    ("minimum", |x| x[0].minimum(&x[1])),
    ("einsum product", |x| einsum("bij,bjk->bki", &[&x[0], &x[1]])),
    ("einsum three", |x| einsum("ij,jk,kl->il", &[&x[0], &x[1], &x[2]])),
    ("einsum trace", |x| einsum("bii->b", &[&x[0]])),
    ("index", |x| x[0].i((.., Step(1..4, 2), -1))),
    ("max_pool1d rounded up", |x| x[0].max_pool(Pool::new(4).stride(3).padding(1).ceil_mode(true))),
    ("max_pool2d rounded up", |x| x[0].max_pool(Pool::new(2).ceil_mode(true))),
    ("max_pool2d rounded up, inside", |x| x[0].max_pool(Pool::new([2, 3]).stride([2, 4]).padding(1).ceil_mode(true))),
    ("max_pool2d rounded up, dilation", |x| {
        x[0].max_pool(Pool::new([3, 2]).stride(2).padding([0, 1]).dilation([2, 3]).ceil_mode(true))
    }),
    ("max_pool3d rounded up", |x| x[0].max_pool(Pool::new(2).ceil_mode(true))),
    ("max_pool2d larger window", |x| x[0].max_pool(Pool::new(3).stride(2).ceil_mode(true))),
    ("avg_pool1d rounded up", |x| x[0].avg_pool(Pool::new(4).stride(3).padding(2).ceil_mode(true))),
    ("avg_pool2d rounded up", |x| x[0].avg_pool(Pool::new(3).stride(2).padding(1).ceil_mode(true))),
    ("avg_pool2d rounded up, inside", |x| {
        x[0].avg_pool(Pool::new(3).stride(2).padding(1).ceil_mode(true).count_padding(false))
    }),
    ("avg_pool3d rounded up", |x| {
        x[0].avg_pool(Pool::new([2, 3, 2]).stride([2, 2, 3]).padding([1, 1, 0]).ceil_mode(true))
    }),
    ("conv2d same", |x| x[0].conv(&x[1], None, Conv::new().dilation([1, 2]).same_padding())),
    ("einsum ellipsis", |x| einsum("...ij,...jk->...ik", &[&x[0], &x[1]])),
    ("einsum ellipsis broadcast", |x| einsum("i...,i...->...", &[&x[0], &x[1]])),
    ("einsum ellipsis implicit", |x| einsum("b...a,c...b", &[&x[0], &x[1]])),
    ("einsum ellipsis summed", |x| einsum("...i,...ij->j", &[&x[0], &x[1]])),
    ("einsum ellipsis diagonal", |x| einsum("...ii->...i", &[&x[0]])),
    ("einsum ellipsis inside", |x| einsum("i...j,jk,...->k...i", &[&x[0], &x[1], &x[2]])),
    ("einsum ellipsis of one", |x| einsum("ij,j...->...i", &[&x[0], &x[1]])),
    ("einsum size one", |x| einsum("ij,jk->ik", &[&x[0], &x[1]])),
    ("einsum size one kept", |x| einsum("bij,bjk,k->bik", &[&x[0], &x[1], &x[2]])),
    ("einsum size one diagonal", |x| einsum("ii,i->i", &[&x[0], &x[1]])),
    ("einsum size one implicit", |x| einsum("ij,i", &[&x[0], &x[1]])),
    ("maximum", |x| x[0].maximum(&x[1])),
    ("masked_fill", |x| x[0].masked_fill(&x[1].gt(0.0), 2.5) + 0.0 * &x[1]),
    ("split", |x| 2.0 * &x[0].split(2, 1)[2] + x[0].split(2, 1)[1].slice(1, ..1)),
    ("split sizes", |x| &x[0].split([1, 3, 0, 1], 1)[1] * &x[0].split([1, 3, 0, 1], 1)[3]),
    ("chunk", |x| &x[0].chunk(3, 0)[1] * &x[0].chunk(3, 0)[2]),
    ("arange step", |_| Tensor::arange_step(0.5, 3.0, 0.25).to_dtype(DType::F64)),
    ("arange step down", |_| Tensor::arange_step(2.0, -1.0, -0.75).to_dtype(DType::F64)),
    ("linspace", |_| Tensor::linspace(-1.0, 2.0, 7).to_dtype(DType::F64)),
    ("eye", |_| Tensor::eye(3).to_dtype(DType::F64)),
    ("eye rows", |_| Tensor::eye([4, 2]).to_dtype(DType::F64)),
    ("diag of a vector", |x| x[0].diag(0)),
    ("diag below", |x| x[0].diag(-1)),
    ("diag of a vector above", |x| x[0].diag(2)),
    ("sort places", |x| x[0].sort(0).1.to_dtype(DType::F64)),
    ("sort descending places", |x| x[0].sort_descending(1).1.to_dtype(DType::F64)),
    ("argsort descending", |x| x[0].argsort_descending(0).to_dtype(DType::F64)),
    ("topk places", |x| x[0].topk(3, 1).1.to_dtype(DType::F64)),
    ("topk smallest", |x| x[0].topk_smallest(2, 1).0),
    ("topk smallest places", |x| x[0].topk_smallest(2, 1).1.to_dtype(DType::F64)),
    ("norm half", |x| x[0].norm(0.5, &[1])),
    ("norm -1", |x| x[0].norm(-1.0, &[0])),
    ("norm -infinity", |x| x[0].norm(f64::NEG_INFINITY, &[1])),
    ("interpolate nearest, one dimension", |x| x[0].interpolate(7, Interpolation::Nearest)),
    ("interpolate nearest, three dimensions", |x| x[0].interpolate([3, 5, 2], Interpolation::Nearest)),
    ("interpolate trilinear", |x| x[0].interpolate([3, 5, 2], Interpolation::Linear)),
    ("interpolate nearest by 1.5", |x| x[0].interpolate_by(1.5, Interpolation::Nearest)),
    ("interpolate nearest by 0.3", |x| x[0].interpolate_by(0.3, Interpolation::Nearest)),
    ("interpolate bilinear by 1.5", |x| x[0].interpolate_by(1.5, Interpolation::Linear)),
    ("interpolate bilinear by 0.6", |x| x[0].interpolate_by(0.6, Interpolation::Linear)),
    ("interpolate linear by 2", |x| x[0].interpolate_by(2.0, Interpolation::Linear)),
    ("interpolate corners by 1.5", |x| x[0].interpolate_by(1.5, Interpolation::LinearCorners)),
];

#[test]
fn operations_give_pytorchs_results_and_gradients() {
    let golden: Value = serde_json::from_str(include_str!("operations.json")).unwrap();
    assert_eq!(golden.as_object().unwrap().len(), OPERATIONS.len());
    for (name, operation) in OPERATIONS {
        let case = &golden[name];
        let inputs = case["inputs"].as_array().unwrap();
        let inputs: Vec<Tensor> = inputs.iter().map(|x| tensor(x).requires_grad()).collect();
        let y = operation(&inputs);
        close(name, &y, &case["y"], 1e-12);
        let expected = case["gradients"].as_array().unwrap();
        if expected.is_empty() {
            continue;
        }
        let weights = Tensor::arange(y.elements()).to_dtype(DType::F64).cos().reshape(y.shape());
        let gradients = (y * weights).sum().backward();
        for (x, expected) in inputs.iter().zip(expected) {
            close(&format!("gradient of {name}"), &gradients[x], expected, 1e-12);
        }
    }
}
