//! How the record behaves: depth, memory, values that stay values.

use hadal_tensor::autograd::BackwardOptions;
use hadal_tensor::{DType, Rng, Tensor, live_bytes, no_grad, set_num_threads_exactly};
use proptest::prelude::*;

/// Tests that count bytes of the whole process take turns with all others here.
static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());

fn turn() -> std::sync::MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[test]
fn a_chain_of_a_million_operations_builds_walks_back_and_drops() {
    let _turn = turn();
    let x = Tensor::scalar(1.0).requires_grad();
    let mut y = x.clone();
    for _ in 0..500_000 {
        y = (&y * 1.000_001).tanh() * 1.0;
        y = &y + 1e-9;
    }
    let second = y.clone() * 2.0;
    let gradients = y.backward_with(BackwardOptions { retain_graph: true, ..Default::default() });
    assert!(gradients[&x].item().is_finite());
    drop(y);
    drop(second);
}

#[test]
fn a_long_chain_that_is_never_walked_drops_too() {
    let _turn = turn();
    let mut y = Tensor::ones([2]).requires_grad();
    for _ in 0..1_000_000 {
        y = &y * &y;
    }
    drop(y);
}

#[test]
fn memory_of_a_step_is_returned_before_the_next() {
    let _turn = turn();
    let mut rng = Rng::new(1);
    let x = Tensor::randn([64, 100], &mut rng);
    let mut w1 = Tensor::randn([100, 50], &mut rng).requires_grad();
    let mut w2 = Tensor::randn([50, 10], &mut rng).requires_grad();
    let mut step = || {
        let loss = x.matmul(&w1).relu().matmul(&w2).log_softmax(1).mean();
        let gradients = loss.backward();
        w1 -= 0.1 * &gradients[&w1];
        w2 -= 0.1 * &gradients[&w2];
    };
    step();
    let after_one = live_bytes();
    for _ in 0..20 {
        step();
        assert_eq!(live_bytes(), after_one);
    }
}

#[test]
fn an_update_after_backward_writes_in_place() {
    let _turn = turn();
    let mut w = Tensor::ones([1000]).requires_grad();
    let loss = (&w * &w).sum();
    let gradients = loss.backward();
    let step = gradients[&w].clone();
    let before = live_bytes();
    w -= &step;
    assert_eq!(live_bytes(), before, "the update made a copy");
    assert_eq!(w.to_vec::<f32>(), vec![-1.0; 1000]);
    assert!(w.is_leaf());
}

#[test]
fn an_update_before_backward_does_not_corrupt_what_was_saved() {
    let _turn = turn();
    let mut w = Tensor::full([3], 2.0).requires_grad();
    let loss = (&w * &w).sum();
    w *= 10.0;
    assert_eq!(w.to_vec::<f32>(), [20.0; 3]);
    // The gradient is that of the value that was used, 2 * 2.
    assert_eq!(loss.backward()[&w].to_vec::<f32>(), [4.0; 3]);
}

#[test]
fn views_and_clones_keep_their_values_when_the_original_changes() {
    let _turn = turn();
    let mut x = Tensor::arange(6).to_dtype(DType::F32).reshape([2, 3]);
    let (clone, row) = (x.clone(), x.narrow(0, 1, 1));
    x += 100.0;
    assert_eq!(clone.to_vec::<f32>(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    assert_eq!(row.to_vec::<f32>(), [3.0, 4.0, 5.0]);
    assert_eq!(x.to_vec::<f32>(), [100.0, 101.0, 102.0, 103.0, 104.0, 105.0]);
    let mut y = Tensor::ones([2, 2]);
    let own = y.t();
    y += &own;
    assert_eq!(y.to_vec::<f32>(), [2.0; 4]);
}

#[test]
fn assigning_to_what_is_tracked_is_recorded() {
    let _turn = turn();
    let w = Tensor::full([2], 3.0).requires_grad();
    let mut y = &w * 2.0;
    y *= &w;
    y += 1.0;
    assert_eq!(y.sum().backward()[&w].to_vec::<f32>(), [12.0; 2]);
}

#[test]
fn an_update_by_a_tracked_step_can_be_differentiated_through() {
    let _turn = turn();
    // One step of gradient descent on w^2, differentiated in the learning rate: d/dr (w - 2 r w)^2 = -4 w (w - 2 r w).
    let learning_rate = Tensor::from_slice(&[0.1f64], []).requires_grad();
    let mut w = Tensor::from_slice(&[3.0f64], []).requires_grad();
    let step = &learning_rate * &w.detach() * 2.0;
    w -= &step;
    let slope = w.powi(2).backward()[&learning_rate].item();
    assert!((slope - -4.0 * 3.0 * (3.0 - 0.2 * 3.0)).abs() < 1e-12);
}

#[test]
fn no_grad_and_detach_stop_gradients() {
    let _turn = turn();
    let w = Tensor::ones([2]).requires_grad();
    assert!(!no_grad(|| &w * 2.0).is_tracked());
    assert!(!w.detach().is_tracked());
    let loss = (&w * &w.detach()).sum();
    assert_eq!(loss.backward()[&w].to_vec::<f32>(), [1.0; 2]);
    let panicked = std::panic::catch_unwind(|| no_grad(|| panic!("on purpose")));
    assert!(panicked.is_err() && (&w * 2.0).is_tracked(), "recording is on again after a panic");
}

#[test]
fn a_released_record_says_how_to_walk_twice() {
    let _turn = turn();
    let w = Tensor::ones([2]).requires_grad();
    let loss = w.powi(2).sum();
    let options = BackwardOptions { retain_graph: true, ..Default::default() };
    assert_eq!(loss.backward_with(options)[&w].to_vec::<f32>(), loss.backward()[&w].to_vec::<f32>());
    let message = panic_message(|| drop(loss.backward()));
    assert!(message.contains("retain_graph"), "{message}");
}

#[test]
fn gradients_of_tensors_that_took_no_part_are_absent() {
    let _turn = turn();
    let (w, other) = (Tensor::ones([2]).requires_grad(), Tensor::ones([2]).requires_grad());
    let gradients = w.sum().backward();
    assert!(gradients.get(&other).is_none() && gradients.len() == 1);
    let message = panic_message(|| drop(gradients[&other].clone()));
    assert!(message.contains("does not depend on this tensor"), "{message}");
}

#[test]
fn the_same_seed_gives_the_same_bits_on_any_number_of_threads() {
    let _turn = turn();
    let run = |threads: usize| {
        set_num_threads_exactly(threads);
        let mut rng = Rng::new(5);
        let x = Tensor::randn([300, 200], &mut rng);
        let mut w1 = (Tensor::randn([200, 300], &mut rng) * 0.05).requires_grad();
        let mut w2 = (Tensor::randn([300, 40], &mut rng) * 0.05).requires_grad();
        for _ in 0..10 {
            let mask = Tensor::bernoulli_scaled([300, 300], 0.8, 1.25, &mut rng);
            let hidden = x.matmul(&w1).tanh() * mask;
            let loss = hidden.matmul(&w2).log_softmax(1).powi(2).mean();
            let gradients = loss.backward();
            w1.add_scaled(-0.5, &gradients[&w1]);
            w2.add_scaled(-0.5, &gradients[&w2]);
        }
        let bits = |w: &Tensor| w.to_vec::<f32>().into_iter().map(f32::to_bits).collect::<Vec<_>>();
        (bits(&w1), bits(&w2))
    };
    let one = run(1);
    for threads in [2, 3, 5] {
        assert!(run(threads) == one, "{threads} threads gave other bits than one");
    }
}

#[track_caller]
fn panic_message(f: impl FnOnce()) -> String {
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).expect_err("this should panic");
    match panic.downcast::<String>() {
        Ok(message) => *message,
        Err(panic) => panic.downcast_ref::<&str>().copied().unwrap_or_default().to_owned(),
    }
}

proptest! {
    /// A tensor receives its gradient slice by slice, in any order, with gaps and overlaps; of whole numbers, so that sums are exact.
    #[test]
    fn a_gradient_in_slices_is_their_sum(
        sizes in prop::array::uniform3(1usize..6), of_a_leaf in any::<bool>(),
        uses in prop::collection::vec((0usize..4, 0usize..5, 1usize..6, 1usize..3), 1..7),
    ) {
        let _turn = turn();
        let x = Tensor::zeros(sizes).requires_grad();
        let middle = if of_a_leaf { x.clone() } else { &x * 1.0 };
        let mut loss = Tensor::scalar(0.0);
        let mut expected = vec![0.0; x.elements()];
        for (count, &(axis, start, length, step)) in uses.iter().enumerate() {
            let factor = (count + 1) as f64;
            // Of axis 3, all of it.
            let (range, part) = if axis == 3 {
                (0..usize::MAX, middle.clone())
            } else {
                let start = start.min(sizes[axis]);
                let range = start..(start + length).min(sizes[axis]);
                (range.clone(), middle.slice_step(axis as isize, range, step))
            };
            let weights = Tensor::arange(part.elements()).reshape(part.shape()).to_dtype(DType::F32) * factor;
            loss += (part * weights).sum();
            let mut number = 0;
            for (place, expected) in expected.iter_mut().enumerate() {
                let index = [place / (sizes[1] * sizes[2]), place / sizes[2] % sizes[1], place % sizes[2]];
                let inside = axis == 3 || range.contains(&index[axis]) && (index[axis] - range.start).is_multiple_of(step);
                if inside {
                    *expected += number as f64 * factor;
                    number += 1;
                }
            }
        }
        let gradient = loss.backward()[&x].to_dtype(DType::F64).to_vec::<f64>();
        prop_assert_eq!(gradient, expected);
    }
}

#[test]
fn a_slice_for_every_step_receives_its_gradient() {
    let _turn = turn();
    let (steps, width) = (200, 1000);
    let x = Tensor::ones([steps, width]).requires_grad();
    let y = &x * 2.0;
    let mut state = Tensor::zeros([1, width]);
    for step in 0..steps {
        state = state * 0.5 + y.narrow(0, step, 1);
    }
    let gradient = state.sum().backward()[&x].to_vec::<f32>();
    assert_eq!(gradient[(steps - 1) * width..], vec![2.0; width]);
    assert_eq!(gradient[(steps - 3) * width..][..width], vec![0.5; width]);
}
