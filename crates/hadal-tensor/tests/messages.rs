//! Mistakes panic with a message that names the caller's own line, what did not fit, and what would.

use std::ops::{AddAssign, DivAssign};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use hadal_tensor::autograd::with_gradient;
use hadal_tensor::{
    Conv, DType, Interpolation, Padding, Pool, REST, RecurrentCell, RecurrentWeights, Step, Steps, Tensor, concat,
    einsum, stack,
};

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

#[test]
fn windows_that_do_not_fit_are_named_with_what_would() {
    let (x, w) = (Tensor::zeros([8, 3, 5, 5]), Tensor::zeros([4, 3, 3, 3]));
    let conv = Conv::new();
    panics!(x.conv(&Tensor::zeros([4, 3, 7, 7]), None, conv), "conv", "window of 7", "larger than the input of 5");
    panics!(x.conv(&w, None, conv.dilation(3)), "window of 3", "dilation 3", "input of 5", "padding 0");
    panics!(x.conv(&w, None, conv.groups(2)), "3 input and 4 output channels", "2 groups", "divide");
    panics!(x.conv(&w, None, conv.groups(0)), "0 groups");
    panics!(x.conv(&w, None, conv.stride(0)), "stride must be at least 1, not 0");
    panics!(x.conv(&w, None, conv.dilation([1, 0])), "dilation must be at least 1, not 0");
    panics!(x.conv(&w, None, conv.padding([1, 1, 1])), "padding has 3 numbers for 2 dimensions");
    panics!(x.conv(&Tensor::zeros([4, 3, 0, 3]), None, conv), "window's size must be at least 1, not 0");
    let last = Tensor::zeros([8, 5, 5, 3]);
    panics!(last.conv(&w, None, conv), "5 channels", "takes 3", "[N, C, ..]", "[N, .., C]", "permute");
    panics!(x.conv(&Tensor::zeros([4, 2, 3, 3]), None, conv), "3 channels", "takes 2");
    panics!(x.conv(&w, Some(&Tensor::zeros([3])), conv), "bias [3]", "4 output channels");
    panics!(Tensor::zeros([5, 5]).conv(&w, None, conv), "[5, 5]", "3, 4 or 5 axes");
    panics!(x.to_dtype(DType::I64).conv(&w, None, conv), "conv", "i64");
    panics!(x.conv(&w, None, conv.padding(usize::MAX)), "input of 5", "larger than memory can address");
    let up = Tensor::zeros([3, 4, 3, 3]);
    panics!(x.conv_transpose(&up, None, conv.stride(2).output_padding(2)), "output padding 2", "below the stride 2");
    panics!(x.conv_transpose(&up, None, conv.padding(4)), "would be empty");
    panics!(x.conv_transpose(&w, None, conv), "3 channels", "takes 4");
    panics!(x.max_pool(Pool::new(6)), "max_pool", "window of 6", "input of 5");
    panics!(x.max_pool(Pool::new(2).padding(2)), "padding 2 is more than half of the window's size, 2");
    panics!(x.avg_pool(Pool::new(0)), "window's size must be at least 1, not 0");
    panics!(x.adaptive_avg_pool(0), "sizes of at least 1");
    panics!(x.interpolate([0, 2], Interpolation::Linear), "sizes of at least 1");
    panics!(x.interpolate_by(0.1, Interpolation::Linear), "interpolate_by", "sizes of at least 1");
    panics!(x.interpolate_by(1e30, Interpolation::Nearest), "larger than memory can address");
    panics!(x.interpolate_by(f64::NAN, Interpolation::Linear), "positive and finite, not NaN");
    panics!(x.interpolate_by(-2.0, Interpolation::Linear), "positive and finite, not -2");
    panics!(Tensor::zeros([1, 1, 1]).max_pool(Pool::new(2).padding(1).dilation(2)), "within the padding");
    let rounded_up = Pool::new(7).stride(2).ceil_mode(true);
    panics!(x.max_pool(rounded_up), "max_pool", "window of 7", "larger than the input of 5");
    panics!(x.avg_pool(rounded_up.padding(4)), "avg_pool", "padding 4 is more than half");
    panics!(x.avg_pool(Pool::new(2).dilation(2).same_padding()), "avg_pool", "no dilation");
    panics!(Tensor::zeros([1, 1, 1]).max_pool(Pool::new(4).dilation(2).same_padding()), "within the padding");
    panics!(x.max_pool(Pool::new(usize::MAX).dilation(2).same_padding()), "larger than memory can address");
    panics!(x.unfold(Pool::new(2).ceil_mode(true)), "unfold", "ceil_mode", "pad the pictures first");
    panics!(Tensor::zeros([2, 4, 4]).fold([3, 3], Pool::new(2).same_padding()), "fold", "same_padding");
    panics!(Tensor::zeros([1, 1, 0]).max_pool(Pool::new(1).stride(2).ceil_mode(true)), "larger than the input of 0");
    panics!(x.conv_transpose(&up, None, conv.same_padding()), "conv_transpose", "no same_padding");
    panics!(x.conv(&w, None, conv.stride(0).same_padding()), "stride must be at least 1, not 0");
    panics!(Tensor::zeros([2, 5, 4]).fold([3, 3], Pool::new(2)), "axis 1", "does not divide by", "4 elements");
}

#[test]
fn parts_and_orders_that_do_not_exist_are_named() {
    let x = Tensor::zeros([2, 3]);
    panics!(x.i(2), "place 2", "axis 0", "[2, 3]", "size 2");
    panics!(x.i((.., -4)), "place -4", "axis 1", "size 3");
    panics!(x.i((.., 1..5)), "1..5", "axis 1", "size 3");
    panics!(x.i((.., -1..1)), "2..1");
    panics!(x.i((0, 0, 0)), "3 parts", "2 axes");
    panics!(x.i(Step(.., 0)), "step must not be 0");
    panics!(x.topk(4, 1), "k is 4", "only 3");
    panics!(x.topk_smallest(4, 1), "topk_smallest", "k is 4", "only 3");
    panics!(x.split(0, 0), "at least 1, not 0");
    panics!(x.split([1, 3], 1), "sizes [1, 3]", "add up to 3", "axis 1", "[2, 3]");
    panics!(Tensor::eye([2, 2, 2]), "3 numbers for 2");
    panics!(x.repeat(&[2]), "1 numbers", "[2, 3]");
    panics!(x.pad(&[(1, 3)], Padding::Reflect), "at most 2", "Reflect");
    panics!(x.pad(&[(1, 1); 3], Padding::Replicate), "3 pairs", "[2, 3]");
    panics!(x.norm(f64::NAN, &[0]), "p is NaN");
    panics!(x.outer(&x), "[2, 3]", "two vectors");
    panics!(Tensor::zeros([2]).tril(0), "[2]", "two axes");
    panics!(einsum("ij,jk->ik", &[&x, &x]), "j stands for sizes 3 and 2");
    panics!(einsum("ii,i", &[&Tensor::zeros([1, 2]), &Tensor::zeros([2])]), "i stands for sizes 1 and 2");
    panics!(einsum("ij->k", &[&x]), "the result's k");
    panics!(einsum("ij,jk", &[&x]), "names 2 tensors, 1 were given");
    panics!(einsum("i", &[&x]), "1 letters", "[2, 3]");
    panics!(einsum("i1", &[&x]), "not an equation");
    panics!(einsum("i..j", &[&x]), "not an equation");
    panics!(einsum("....i", &[&x]), "not an equation");
    panics!(einsum("…i", &[&x]), "not an equation");
    panics!(einsum("...i...", &[&x]), "more than one ellipsis");
    panics!(einsum("...ijk", &[&x]), "3 letters", "[2, 3]");
    panics!(einsum("i...,j...->...", &[&x, &Tensor::zeros([3, 2])]), "axes of ellipses, [3] and [2]", "broadcast");
    panics!(einsum("...i,...j->...i...", &[&x, &x]), "more than one ellipsis");
    panics!(einsum("...i->...k", &[&x]), "the result's k");
    panics!(einsum("...i->...ii", &[&x]), "the result's i");
    panics!(Tensor::arange_step(0.0, 1.0, 0.0), "step not 0");
    panics!(Tensor::linspace(0.0, f64::NAN, 3), "must be finite");
}

#[test]
fn recurrent_layers_say_what_does_not_fit() {
    let (x, ih, hh) = (Tensor::zeros([6, 3]), Tensor::zeros([8, 3]), Tensor::zeros([8, 2]));
    let (state, steps) = (Tensor::zeros([2, 2]), Steps::of(3, 2));
    let both = [state.clone(), state.clone()];
    let lstm = RecurrentCell::Lstm;
    let weights = RecurrentWeights { ih: &ih, hh: &hh, bias: None };
    panics!(x.recurrent(RecurrentCell::Gru, weights, &both, &steps), "weight_hh is [8, 2]", "[3 units, units]");
    panics!(x.t().recurrent(lstm, weights, &both, &steps), "inputs [3, 6]", "weight_ih [8, 3]", "[rows, features]");
    panics!(x.recurrent(lstm, weights, &both, &Steps::of(4, 2)), "6 rows", "are 8");
    panics!(x.recurrent(lstm, weights, &both[..1], &steps), "has 2 tensors, 1 were given");
    panics!(x.recurrent(lstm, weights, &[state.clone(), ih.clone()], &steps), "a state is [8, 3]", "[sequences, 2]");
    panics!(x.recurrent(lstm, weights, &both, &Steps::packed(&[3, 3])), "a state is [2, 2]", "3 sequences");
    let bias = RecurrentWeights { bias: Some([&x, &x]), ..weights };
    panics!(x.recurrent(lstm, bias, &both, &steps), "a bias is [6, 3]", "[8]");
    panics!(x.to_dtype(DType::F64).recurrent(lstm, weights, &both, &steps), "f64", "f32");
    panics!(x.to_dtype(DType::I64).recurrent(lstm, weights, &both, &steps), "i64");
    let none = RecurrentWeights { ih: &Tensor::zeros([0, 3]), hh: &Tensor::zeros([0, 0]), bias: None };
    panics!(x.recurrent(lstm, none, &both, &steps), "[0, 0]", "at least 1 unit");
    panics!(Steps::packed(&[2, 3]), "step 1 has 3 sequences", "must not grow");
    panics!(Steps::packed(&[2, 0]), "step 1 has 0 sequences", "at least 1");
    panics!(Steps::of(usize::MAX, 2), "more than memory can address");
    panics!(Steps::packed(&[usize::MAX, 1]), "more than memory can address");
}
