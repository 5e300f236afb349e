//! Matrix products.

use super::arithmetic::{check_float, check_same_dtype};
use crate::autograd::{Sink, record, record_with_output, records, unrecorded};
use crate::backend::{Epilogue, View};
use crate::shape::{Layout, MAX_RANK, Shape};
use crate::tensor::{Tensor, Value};

impl Tensor {
    /// The matrix product: `[.., m, k] x [.., k, n] -> [.., m, n]`, leading (batch) axes broadcast.
    ///
    /// A vector on the left is a row (`[k] x [k, n] -> [n]`), on the right a column (`[m, k] x [k] -> [m]`), as in
    /// PyTorch. Any strides are taken as they are: a transposed view costs no copy. Gradients: `g bT` and `aT g`.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let a = Tensor::from_slice(&[1.0f32, 2.0, 3.0, 4.0], [2, 2]);
    /// assert_eq!(a.matmul(&a).to_vec::<f32>(), [7.0, 10.0, 15.0, 22.0]);
    /// ```
    ///
    /// # Panics
    /// If the inner sizes differ, batch axes do not broadcast, or dtypes differ or are not floating-point.
    #[doc(alias = "mm")]
    #[doc(alias = "bmm")]
    #[doc(alias = "mv")]
    #[doc(alias = "dot")]
    #[doc(alias = "inner")]
    #[doc(alias = "@")]
    #[track_caller]
    pub fn matmul(&self, other: &Tensor) -> Tensor {
        assert!(
            self.rank() > 0 && other.rank() > 0,
            "matmul: {} x {}: a scalar has no axes to sum over; use *",
            self.shape(),
            other.shape()
        );
        if self.rank() == 1 {
            return self.unsqueeze(0).matmul(other).squeeze(if other.rank() == 1 { 0 } else { -2 });
        }
        if other.rank() == 1 {
            return self.matmul(&other.unsqueeze(1)).squeeze(-1);
        }
        check_float("matmul", self);
        check_same_dtype("matmul", self, other);
        let (a, b) = (self.shape(), other.shape());
        let (inner, rows) = (a[a.rank() - 1], b[b.rank() - 2]);
        assert!(inner == rows, "matmul: {a} x {b}: inner sizes {inner} and {rows} differ");
        let Some(value) = product(self, self.layout(), other, other.layout(), None) else {
            let batch = |s: &Shape| Shape::new(&s[..s.rank() - 2]);
            panic!("matmul: {a} x {b}: batch axes {} and {} do not broadcast", batch(a), batch(b));
        };
        if !records(&[self, other]) {
            return unrecorded("matmul", value, &[self, other]);
        }
        let (x, y) = (self.clone(), other.clone());
        record("matmul", value, &[self, other], move |g, sink| {
            sink.add(0, || product_like(&x, (g, false), (&y, true)).sum_to(*x.shape()));
            sink.add(1, || product_like(&y, (&x, true), (g, false)).sum_to(*y.shape()));
        })
    }

    /// `x wᵀ + b` for `x` `[.., in]`, `weight` `[out, in]` and `bias` `[out]`, as PyTorch's `linear`; the bias is added to
    /// each part of the product while that is near the processor.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let (x, weight) = (Tensor::from_slice(&[1.0f32, 2.0], [1, 2]), Tensor::from_slice(&[3.0f32, 4.0], [1, 2]));
    /// let bias = Tensor::from_slice(&[-20.0f32], [1]);
    /// assert_eq!(x.linear(&weight, Some(&bias)).to_vec::<f32>(), [-9.0]);
    /// assert_eq!(x.linear_relu(&weight, Some(&bias)).to_vec::<f32>(), [0.0]);
    /// ```
    ///
    /// # Panics
    /// If the sizes do not fit, or dtypes differ or are not floating-point.
    #[doc(alias = "addmm")]
    #[track_caller]
    pub fn linear(&self, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
        self.affine(weight, bias, false)
    }

    /// `relu(x wᵀ + b)`: [`linear`](Tensor::linear) and [`relu`](Tensor::relu) in one pass.
    ///
    /// # Panics
    /// As [`linear`](Tensor::linear).
    #[track_caller]
    pub fn linear_relu(&self, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
        self.affine(weight, bias, true)
    }

    /// `gelu(x wᵀ + b)`: [`linear`](Tensor::linear) and [`gelu`](Tensor::gelu), which keeps its derivative for the backward pass instead
    /// of what it was computed from.
    ///
    /// ```
    /// # use hadal_tensor::Tensor;
    /// let (x, weight) = (Tensor::from([[1.0, 2.0]]), Tensor::from([[3.0, -1.0]]));
    /// assert_eq!(x.linear_gelu(&weight, None).item(), x.linear(&weight, None).gelu().item());
    /// ```
    ///
    /// # Panics
    /// As [`linear`](Tensor::linear).
    #[track_caller]
    pub fn linear_gelu(&self, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
        let inputs: Vec<&Tensor> = [Some(self), Some(weight), bias].into_iter().flatten().collect();
        if self.rank() < 2 || !records(&inputs) {
            return self.linear(weight, bias).gelu();
        }
        check_linear(self, weight, bias);
        if self.rank() > 2 {
            return self.rows().linear_gelu(weight, bias).reshape(self.shape().with(self.rank() - 1, weight.size(0)));
        }
        let mut derivative = self.detach().linear(&weight.detach(), bias.map(Tensor::detach).as_ref());
        let shape = *derivative.shape();
        let y = self.backend().gelu_with_gradient(&mut derivative.make_unshared().storage);
        let (x, w, b) = (self.clone(), weight.clone(), bias.cloned());
        record("linear_gelu", Value::contiguous(shape, y), &inputs, move |g, sink| {
            if records(&[g, &x, &w, b.as_ref().unwrap_or(&w)]) {
                return sink.send_through(&x.linear(&w, b.as_ref()).gelu(), g);
            }
            send_linear(&x, &w, &(g * &derivative), sink);
        })
    }

    /// The matrix of all rows.
    fn rows(&self) -> Tensor {
        let (last, leading) = self.shape().split_last().expect("at least one axis");
        self.reshape([leading.iter().product(), *last])
    }

    #[track_caller]
    fn affine(&self, weight: &Tensor, bias: Option<&Tensor>, relu: bool) -> Tensor {
        check_linear(self, weight, bias);
        if self.rank() > 2 {
            // One product of all rows instead of one for each place of the leading axes, each with a gradient of the weight.
            return self.rows().affine(weight, bias, relu).reshape(self.shape().with(self.rank() - 1, weight.size(0)));
        }
        let Some(bias) = bias.filter(|_| self.rank() == 2) else {
            let product = self.matmul(&weight.t());
            let sum = match bias {
                Some(bias) => product + bias,
                None => product,
            };
            return if relu { sum.relu() } else { sum };
        };
        let epilogue = Epilogue { bias: bias.view(), relu };
        let value = product(self, self.layout(), weight, &weight.layout().transpose(0, 1), Some(epilogue))
            .expect("two matrices have no batch axes");
        let name = if relu { "linear_relu" } else { "linear" };
        if !records(&[self, weight, bias]) {
            return unrecorded(name, value, &[self, weight, bias]);
        }
        let (x, w) = (self.clone(), weight.clone());
        record_with_output(name, value, &[self, weight, bias], move |g, y, sink| {
            let gated = relu.then(|| g.gate(y));
            send_linear(&x, &w, gated.as_ref().unwrap_or(g), sink);
        })
    }
}

#[track_caller]
fn check_linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) {
    assert!(
        weight.rank() == 2 && x.shape().last() == Some(&weight.shape()[1]),
        "linear: inputs {} and weight {} do not fit: the weight is [out, in], the inputs [.., in]",
        x.shape(),
        weight.shape()
    );
    if let Some(bias) = bias {
        assert!(
            bias.shape()[..] == weight.shape()[..1],
            "linear: bias {} and weight {} do not fit: the bias is [out], the weight [out, in]",
            bias.shape(),
            weight.shape()
        );
    }
    check_float("linear", x);
    for other in [Some(weight), bias].into_iter().flatten() {
        check_same_dtype("linear", x, other);
    }
}

/// What `x wᵀ + b` sends to `x`, `w` and, if there is one, `b` when it receives `g`.
fn send_linear(x: &Tensor, w: &Tensor, g: &Tensor, sink: &mut Sink) {
    sink.add(0, || product_like(x, (g, false), (w, false)));
    sink.add(1, || product_like(w, (g, true), (x, false)));
    if sink.inputs.len() > 2 {
        sink.add(2, || g.sum_to(Shape::from([w.size(0)])));
    }
}

/// The products of the matrices in the last two axes, without a record; `None` if the other axes do not broadcast.
#[track_caller]
fn product(a: &Tensor, left: &Layout, b: &Tensor, right: &Layout, epilogue: Option<Epilogue>) -> Option<Value> {
    let leading = |layout: &Layout| Shape::new(&layout.shape[..layout.shape.rank() - 2]);
    let batch = leading(left).broadcast(&leading(right))?;
    let (m, k) = (left.shape[left.shape.rank() - 2], left.shape[left.shape.rank() - 1]);
    let n = right.shape[right.shape.rank() - 1];
    // Made first, and with it the check that memory can hold it.
    let shape = with_matrix(&batch, m, n);
    let (left, right) = match batch.rank() {
        0 => (*left, *right),
        _ => (left.expand(with_matrix(&batch, m, k)), right.expand(with_matrix(&batch, k, n))),
    };
    let left = View { storage: &a.value().storage, layout: &left };
    let storage = a.backend().matmul(left, View { storage: &b.value().storage, layout: &right }, epilogue);
    Some(Value::contiguous(shape, storage))
}

/// Matrices of `rows` and `columns`, one for each place of `batch`.
#[track_caller]
fn with_matrix(batch: &Shape, rows: usize, columns: usize) -> Shape {
    let rank = batch.rank() + 2;
    let mut sizes = [0; MAX_RANK];
    sizes[..rank - 2].copy_from_slice(batch);
    sizes[rank - 2..rank].copy_from_slice(&[rows, columns]);
    Shape::new(&sizes[..rank])
}

/// `a b`, each transposed first where its flag says so; column by column in memory where `like` is. The gradient of a
/// transposed parameter then lies in memory as the parameter does, and its update reads both from front to back.
pub(super) fn product_like(like: &Tensor, (a, flip_a): (&Tensor, bool), (b, flip_b): (&Tensor, bool)) -> Tensor {
    if let [.., 1, column] = like.layout().strides()
        && *column != 1
    {
        return matrix_product((b, !flip_b), (a, !flip_a)).t();
    }
    matrix_product((a, flip_a), (b, flip_b))
}

fn matrix_product((a, flip_a): (&Tensor, bool), (b, flip_b): (&Tensor, bool)) -> Tensor {
    let flipped = |x: &Tensor, flip: bool| if flip { x.t() } else { x.clone() };
    if records(&[a, b]) {
        return flipped(a, flip_a).matmul(&flipped(b, flip_b));
    }
    let layout = |x: &Tensor, flip: bool| {
        let rank = x.rank();
        if flip { x.layout().transpose(rank - 2, rank - 1) } else { *x.layout() }
    };
    let value = product(a, &layout(a, flip_a), b, &layout(b, flip_b), None);
    Tensor::new(value.expect("the batch axes of a product broadcast against its operands'"), None)
}
