//! Mistakes panic with a message that names the caller's own line, what did not fit, and what would.

use std::ops::{AddAssign, DivAssign};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use hadal_tensor::autograd::with_gradient;
use hadal_tensor::{DType, REST, Tensor, concat, stack};

static LAST: Mutex<Option<(String, u32, String)>> = Mutex::new(None);

/// The file, line and message of the panic in `f`.
fn panic_of(f: impl FnOnce()) -> (String, u32, String) {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let old = std::panic::take_hook();
    std::panic::set_hook(Box::new(|info| {
        let location = info.location().expect("panics have a location");
        let message = info.payload_as_str().unwrap_or_default().to_owned();
        *LAST.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((location.file().to_owned(), location.line(), message));
    }));
    let outcome = catch_unwind(AssertUnwindSafe(f));
    std::panic::set_hook(old);
    assert!(outcome.is_err(), "this should panic");
    LAST.lock().unwrap_or_else(PoisonError::into_inner).take().expect("the hook has run")
}

/// Checks that the expression panics on its own line with all of the given words.
macro_rules! panics {
    ($expression:expr, $($word:literal),+) => {{
        let line = line!();
        let (file, at, message) = panic_of(|| { let _ = $expression; });
        assert!(file.ends_with("messages.rs"), "{file}: {message}");
        assert_eq!(at, line, "{message}");
        $(assert!(message.contains($word), "{message:?} does not say {:?}", $word);)+
    }};
}

#[test]
fn shape_mistakes_name_the_line_and_both_shapes() {
    let (a, b) = (Tensor::zeros([64, 3]), Tensor::zeros([4, 2]));
    panics!(a.matmul(&b), "matmul: [64, 3] x [4, 2]: inner sizes 3 and 4 differ");
    panics!(&a + &b, "add", "[64, 3]", "[4, 2]", "do not broadcast");
    panics!(&a - b.clone(), "sub", "[64, 3]", "[4, 2]");
    panics!(a.clone() * &b, "mul", "[64, 3]", "[4, 2]");
    panics!(a.clone() / b.clone(), "div", "[64, 3]", "[4, 2]");
    panics!(a.maximum(&b), "maximum", "[64, 3]", "[4, 2]");
    panics!(a.gt(&b), "gt", "[64, 3]", "[4, 2]");
    panics!(a.reshape([5, 5]), "reshape", "[64, 3]", "192", "[5, 5]", "25");
    panics!(a.expand([2, 3]), "expand", "[64, 3]", "[2, 3]");
    panics!(a.transpose(0, 2), "axis 2", "[64, 3]");
    panics!(a.permute(&[0, 0]), "permute", "[64, 3]");
    panics!(a.sum_axes(&[-3]), "sum_axes", "axis -3", "[64, 3]");
    panics!(a.sum_axes(&[0, -2]), "duplicate axis");
    panics!(a.narrow(1, 2, 2), "2..4", "axis 1", "[64, 3]");
    panics!(a.slice_step(0, .., 0), "step must be at least 1");
    panics!(a.squeeze(0), "squeeze", "[64, 3]");
    panics!(a.softmax(5), "softmax", "axis 5");
    panics!(concat(&[a.clone(), b.clone()], 0), "concat", "[64, 3]", "[4, 2]");
    panics!(Tensor::from_slice(&[1.0f32, 2.0], [3]), "from_vec: 2 values", "[3]");
    let (_, _, message) = panic_of(|| drop(Tensor::zeros([1; 9])));
    assert!(message.contains("has 9 axes; a tensor has at most 6"), "{message}");
    panics!(b.clone().add_assign(&a), "+=", "[64, 3]", "[4, 2]");
}

#[test]
fn other_mistakes_say_what_would_be_right() {
    let (x, labels) = (Tensor::zeros([2, 3]), Tensor::from_slice(&[0i64, 7], [2]));
    panics!(&x + labels.unsqueeze(1), "f32", "i64", "to_dtype");
    panics!(labels.exp(), "exp", "i64", "to_dtype");
    panics!(x.gather(1, &labels.unsqueeze(1)), "index 7", "size 3");
    panics!(x.gather(1, &x), "i64", "f32");
    panics!(labels.one_hot(5), "index 7", "size 5");
    panics!(x.index_select(0, &labels), "index 7", "size 2");
    panics!(x.item(), "6 elements");
    panics!(x.to_vec::<f64>(), "f32", "f64");
    panics!(x.sum().backward(), "requires_grad");
    panics!(x.clone().requires_grad().backward(), "sum()");
    panics!(labels.clone().requires_grad(), "i64");
    panics!(labels.clone().add_scaled(2.0, &labels), "add_scaled", "i64", "to_dtype");
    panics!(x.clone().add_scaled(2.0, &labels), "add_scaled", "f32", "i64");
    let truth = x.eq(0.0);
    panics!(truth.max(), "max: bool tensors", "to_dtype");
    panics!(truth.min_axes(&[0]), "min_axes: bool tensors");
    panics!(truth.relu(), "relu: bool tensors");
    panics!(truth.clamp(0.0, 1.0), "clamp: bool tensors");
    panics!(truth.powi(2), "powi: bool tensors");
    panics!(x.narrow(0, 0, 0).max_axes(&[0]), "max_axes: shape [0, 3]");
    panics!(x.where_(&x, &x), "where_", "f32", "bool");
    panics!(x.clamp(1.0, 0.0), "clamp");
    panics!(Tensor::bernoulli([1], 1.5, &mut hadal_tensor::Rng::new(0)), "1.5", "[0, 1]");
    panics!(Tensor::zeros([0]).max(), "no elements");
    panics!(x.gt(0.0).max(), "to_dtype");
    panics!(x.to_dtype(DType::Bool) * 2.0, "to_dtype");
    panics!(Tensor::zeros([2]).to_dtype(DType::U8) * 256, "mul", "u8 cannot hold 256", "to_dtype");
    panics!(Tensor::zeros([2]).to_dtype(DType::U8) + -1, "add", "u8 cannot hold -1");
    panics!(labels.clone().add_assign(0.5), "+=", "f32", "i64", "to_dtype");
    panics!(labels.clone().div_assign(2), "/=", "f32", "i64");
    panics!(labels.clamp(0.5, 2.0), "clamp", "0.5", "i64");
    panics!(Tensor::full_of([2], 0.5, DType::I64), "full_of: i64 cannot hold 0.5");
    panics!(Tensor::full_of([2], f64::NAN, DType::U8), "full_of: u8 cannot hold NaN");
    panics!(x.linear(&Tensor::zeros([3]), None), "linear", "[2, 3]", "[3]", "[out, in]");
    panics!(x.linear(&Tensor::zeros([4, 3]), Some(&Tensor::zeros([3]))), "linear", "bias [3]", "[4, 3]");
}

#[test]
fn sizes_that_memory_cannot_address_are_refused_by_name() {
    const HUGE: usize = 1 << 60;
    let (one, column) = (Tensor::zeros([1]), Tensor::zeros([16, 1]));
    panics!(one.expand([1 << 32, 1 << 32]), "[4294967296, 4294967296]", "memory");
    panics!(Tensor::zeros([0, HUGE, 2]), "[0, 1152921504606846976, 2]");
    panics!(Tensor::zeros([usize::MAX]), "[18446744073709551615]");
    let wide = Tensor::zeros([1, 1]).expand([1, HUGE - 1]);
    panics!(column.matmul(&wide), "[16, 1152921504606846975]");
    panics!(&column + &wide, "[16, 1152921504606846975]");
    panics!(concat(&vec![wide.clone(); 20], 1), "memory");
    panics!(stack(&vec![wide.clone(); 20], 0), "memory");
    panics!(Tensor::from_slice(&[0i64], [1]).one_hot(usize::MAX), "[1, 18446744073709551615]");
    panics!(one.unsqueeze(0).expand([1, 1, 1, 1, 1, 1]).unsqueeze(0), "7 axes");
    let large = 1 << 58;
    let makers: [&dyn Fn() -> Tensor; 4] =
        [&|| Tensor::zeros([large]), &|| wide.contiguous(), &|| Tensor::arange(large), &|| {
            Tensor::permutation(large, &mut hadal_tensor::Rng::new(0))
        }];
    for make in makers {
        let (_, _, message) = panic_of(|| drop(make()));
        assert!(message.starts_with("out of memory"), "{message}");
    }
}

#[test]
fn ranges_name_what_was_given() {
    let x = Tensor::zeros([4, 3]);
    panics!(x.narrow(0, usize::MAX, 1), "18446744073709551615", "axis 0", "[4, 3]");
    panics!(x.slice(1, ..=usize::MAX), "18446744073709551615", "axis 1");
    panics!(x.slice(1, usize::MAX..), "18446744073709551615");
    panics!(x.slice(1, (std::ops::Bound::Excluded(usize::MAX), std::ops::Bound::Unbounded)), "18446744073709551615");
    assert_eq!(x.slice_step(0, .., usize::MAX).shape(), &[1, 3]);
    panics!(x.index_select(0, &Tensor::from_slice(&[i64::MIN], [1])), "-9223372036854775808", "size 4");
}

#[test]
fn a_gradient_of_ones_own_that_does_not_fit_is_named() {
    let x = Tensor::ones([2, 3]).requires_grad();
    let y = with_gradient(&x.detach(), &[&x], |_, g| g.sum());
    let (_, _, message) = panic_of(|| drop(y.sum().backward()));
    assert!(message.contains("input 0 is f32 [], the input is f32 [2, 3]"), "{message}");
    let y = with_gradient(&x.detach(), &[&x], |_, g| g.to_dtype(DType::F64));
    let (_, _, message) = panic_of(|| drop(y.sum().backward()));
    assert!(message.contains("f64 [2, 3], the input is f32 [2, 3]"), "{message}");
}

#[test]
fn gradients_that_are_missing_say_why() {
    let w = Tensor::ones([2]).requires_grad();
    let (scaled, other) = (&w * 2.0, Tensor::ones([2]).requires_grad());
    let loss = scaled.sum();
    let grads = loss.backward();
    panics!(&grads[&scaled], "[2]", "result of an operation", "requires_grad() after", "retain_grad()");
    panics!(&grads[&Tensor::ones([3])], "[3]", "not a leaf", "call requires_grad() on it before");
    panics!(&grads[&other], "does not depend on this tensor");
    panics!(loss.backward(), "freed by an earlier backward()", "retain_graph");
    panics!(Tensor::ones([2]).retain_grad(), "retain_grad", "[2]", "requires_grad()");
}

#[test]
fn sizes_left_out_that_cannot_be_told_are_named() {
    let x = Tensor::zeros([4, 6]);
    panics!(x.reshape([REST, REST]), "[4, 6] as [REST, REST]", "only one");
    panics!(x.reshape([REST, 5]), "[4, 6] as [REST, 5]", "24 elements do not divide by 5");
    panics!(x.reshape([0, REST]), "[0, REST]", "size of 0");
    panics!(Tensor::zeros([0, 3]).reshape([REST, 0]), "[0, 3] as [REST, 0]", "size of 0");
    panics!(x.reshape([REST, 1 << 40, 1 << 40]), "do not divide");
    panics!(x.reshape([REST, 1, 1, 1, 1, 1, 1]), "7 axes");
}

#[test]
fn numbers_that_no_tensor_holds_are_named() {
    let x = Tensor::from([1, 2]);
    panics!(&x + usize::MAX, "18446744073709551615", "9223372036854775807");
    panics!(x.lt(usize::MAX), "18446744073709551615");
    panics!(x.clone().add_assign(usize::MAX), "18446744073709551615");
    panics!(x.clone().add_assign(0.5f32), "+=", "f32", "i64");
    panics!(&x.to_dtype(DType::U8) * 256usize, "mul", "u8 cannot hold 256");
}
