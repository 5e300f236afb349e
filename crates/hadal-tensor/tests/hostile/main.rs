//! Every public operation on tensors, with arbitrary and extreme shapes, axes, ranges, indices and views: what comes out is a
//! value, the same for every layout of the inputs, or a panic that names the line of the caller.

mod operations;

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use hadal_tensor::{DType, Rng, Shape, Tensor, no_grad};
use proptest::prelude::*;

use operations::{Operation, operations};

/// More elements than any memory holds, so that nothing of this size is ever filled.
const HUGE: usize = 1 << 57;
/// Views of more elements than this are not summed over in products, which would take years.
const LARGE: usize = 1 << 20;
/// What the names of operations hold that sum products of their operands.
const PRODUCTS: [&str; 6] = ["attention", "conv", "einsum", "linear", "matmul", "recurrent"];

/// Choices, taken from the words that a test case is made of.
struct Choices<'a>(std::slice::Iter<'a, u32>);

impl Choices<'_> {
    fn below(&mut self, limit: usize) -> usize {
        self.0.next().map_or(0, |&word| word as usize % limit)
    }

    fn of<T: Copy>(&mut self, options: &[T]) -> T {
        options[self.below(options.len())]
    }

    fn is_over(&self) -> bool {
        self.0.len() == 0
    }

    fn size(&mut self) -> usize {
        match self.below(40) {
            0 => HUGE,
            1 => self.of(&[usize::MAX, 1 << 60, isize::MAX as usize]),
            _ => self.of(&[0, 1, 1, 2, 2, 3, 4, 5, 17]),
        }
    }

    fn shape(&mut self) -> Vec<usize> {
        let rank = self.of(&[0, 1, 1, 2, 2, 2, 3, 4, 7]);
        (0..rank).map(|_| self.size()).collect()
    }

    fn axis(&mut self) -> isize {
        match self.below(30) {
            0 => self.of(&[isize::MIN, isize::MAX]),
            _ => self.of(&[0, 0, 1, 1, 2, -1, -1, -2, -3, 3]),
        }
    }

    fn number(&mut self) -> f64 {
        let any = [0.0, 1.0, -1.0, 2.0, 0.5, -2.5, 3.0, 255.0, 256.0, 1e-40, 1e300, f64::NAN, f64::INFINITY];
        self.of(&any)
    }

    fn index(&mut self) -> usize {
        match self.below(30) {
            0 => self.of(&[usize::MAX, HUGE, isize::MAX as usize]),
            _ => self.below(6),
        }
    }
}

/// What an operation may take.
#[derive(Clone)]
struct Arguments {
    x: Tensor,
    y: Tensor,
    z: Tensor,
    /// Indices, some of which fit.
    index: Tensor,
    shape: Vec<usize>,
    axes: Vec<isize>,
    axis: isize,
    other_axis: isize,
    start: usize,
    end: usize,
    number: f64,
    dtype: DType,
}

thread_local! {
    static PANIC: RefCell<Option<(String, String)>> = const { RefCell::new(None) };
}

/// The value of `f`, or where it panicked and why.
fn outcome<T>(f: impl FnOnce() -> T) -> Result<T, (String, String)> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let old = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if std::thread::current().name() == Some("hadal-worker") {
                return old(info);
            }
            let file = info.location().map_or_else(String::new, |location| location.to_string());
            PANIC.set(Some((file, info.payload_as_str().unwrap_or_default().to_owned())));
        }));
    });
    catch_unwind(AssertUnwindSafe(f)).map_err(|_| PANIC.take().unwrap_or_default())
}

/// A panic on the caller's line, with words of ours; or for want of memory.
fn is_clean((file, message): &(String, String)) -> bool {
    let ours = file.contains("hostile") && !message.contains("assertion") && !message.starts_with("attempt to");
    ours || message.starts_with("out of memory")
}

fn numbers(x: &Tensor) -> Vec<f64> {
    x.detach().to_dtype(DType::F64).to_vec::<f64>()
}

/// Equal but for rounding, which differs between ways to multiply.
fn alike(a: &Tensor, b: &Tensor) -> bool {
    let close =
        |a: f64, b: f64| a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-4 * a.abs().max(b.abs()).max(1.0);
    a.shape() == b.shape() && a.dtype() == b.dtype() && numbers(a).into_iter().zip(numbers(b)).all(|(a, b)| close(a, b))
}

/// The same numbers in storage of their own, in order.
fn laid_out(x: &Tensor) -> Tensor {
    let copy = x.detach().contiguous();
    if x.is_tracked() { copy.requires_grad() } else { copy }
}

fn beginning() -> Vec<Tensor> {
    let mut rng = Rng::new(5);
    let x = Tensor::randn([3, 4], &mut rng);
    vec![
        x.clone(),
        x.t(),
        x.clone().requires_grad(),
        Tensor::randn([2, 3, 4], &mut rng).permute(&[2, 0, 1]).requires_grad(),
        x.slice_step(1, 1.., 2),
        Tensor::randn([4], &mut rng).to_dtype(DType::F64),
        Tensor::randn([5, 1], &mut rng).expand([5, 3]).requires_grad(),
        Tensor::scalar(2.0),
        Tensor::from_slice(&[0i64, 1, 2, 1], [4]),
        Tensor::from_slice(&[0i64, -1, i64::MAX, 1], [2, 2]),
        Tensor::from_slice(&[200u8, 100, 3, 0, 255, 1], [2, 3]).t(),
        x.gt(0.0),
        Tensor::zeros([0, 4]).slice(1, 1..),
        Tensor::zeros([3, 4]).slice(0, 3..).requires_grad(),
        Tensor::ones([1]).expand([HUGE]),
        Tensor::ones([1, 1]).expand([HUGE / 4, 2]),
        Tensor::randn([40, 33], &mut rng),
        Tensor::randn([33, 40], &mut rng).t(),
    ]
}

fn run(words: &[u32], operations: &[Operation], seen: &mut [usize; 2]) -> Result<(), TestCaseError> {
    let mut choices = Choices(words.iter());
    let mut tensors = beginning();
    while !choices.is_over() {
        let (name, operation) = &operations[choices.below(operations.len())];
        let mut pick = || tensors[choices.below(tensors.len())].clone();
        let (x, y, z) = (pick(), pick(), pick());
        // Half of the time the operands are of one shape, without which few operations would take them.
        let y = if choices.below(2) == 0 && x.elements() < LARGE { laid_out(&x).detach() } else { y };
        let index = match choices.below(3) {
            0 => Tensor::zeros(if x.elements() < LARGE { *x.shape() } else { Shape::from([2]) }).to_dtype(DType::I64),
            1 => Tensor::from_slice(&[0i64, 1, 0], [3]),
            _ => tensors[8 + choices.below(2)].clone(),
        };
        let count = choices.below(4);
        let arguments = Arguments {
            x,
            y,
            z,
            index,
            shape: choices.shape(),
            axes: (0..count).map(|_| choices.axis()).collect(),
            axis: choices.axis(),
            other_axis: choices.axis(),
            start: choices.index(),
            end: choices.index(),
            number: choices.number(),
            dtype: choices.of(&[DType::F32, DType::F64, DType::I64, DType::U8, DType::Bool]),
        };
        let Arguments { x, y, z, .. } = &arguments;
        let is_product = PRODUCTS.iter().any(|product| name.contains(product));
        if is_product && [x, y, z].iter().any(|operand| operand.elements() > LARGE) {
            continue;
        }
        let before = if x.elements() < LARGE { Some(numbers(x)) } else { None };
        let result = match outcome(|| operation(&arguments)) {
            Ok(result) => result,
            Err(panic) => {
                prop_assert!(is_clean(&panic), "{}: {:?}", name, panic);
                seen[1] += 1;
                continue;
            }
        };
        seen[0] += 1;
        prop_assert_eq!(result.elements(), result.shape().iter().product::<usize>());
        if let Some(before) = before {
            let same = numbers(x).iter().zip(&before).all(|(a, b)| a.to_bits() == b.to_bits());
            prop_assert!(same, "{} has changed its argument", name);
        }
        if result.elements() > LARGE {
            tensors.push(result);
            continue;
        }
        prop_assert_eq!(numbers(&result).len(), result.elements());
        if [&arguments.x, &arguments.y, &arguments.z].iter().all(|x| x.elements() < LARGE) {
            let [x, y, z] = [&arguments.x, &arguments.y, &arguments.z].map(laid_out);
            let plain = Arguments { x, y, z, ..arguments.clone() };
            let again = outcome(|| operation(&plain));
            let again = again.map_err(|panic| TestCaseError::fail(format!("{name}, laid out: {panic:?}")))?;
            prop_assert!(alike(&result, &again), "{} depends on the layout: {:?} and {:?}", name, result, again);
        }
        if result.is_tracked() && result.dtype().is_float() {
            let leaves = [&arguments.x, &arguments.y, &arguments.z];
            match outcome(|| result.sum().backward()) {
                Ok(gradients) => {
                    for leaf in leaves {
                        let fits =
                            gradients.get(leaf).is_none_or(|g| g.shape() == leaf.shape() && g.dtype() == leaf.dtype());
                        prop_assert!(fits, "{}: a gradient has another shape", name);
                    }
                }
                Err(panic) => prop_assert!(is_clean(&panic), "{}, gradient: {:?}", name, panic),
            }
        }
        if tensors.len() < 40 {
            // Walks back have released what it was made of.
            tensors.push(no_grad(|| result.detach()));
        }
    }
    Ok(())
}

#[test]
fn any_call_gives_a_value_or_a_clean_panic() {
    let operations = operations();
    let mut seen = [0; 2];
    let cell = RefCell::new(&mut seen);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(20_000)
    });
    let words = prop::collection::vec(any::<u32>(), 0..600);
    let outcome = runner.run(&words, |words| run(&words, &operations, &mut cell.borrow_mut()));
    if let Err(failure) = outcome {
        // The hook that keeps panics quiet would keep this one quiet, too.
        eprintln!("{failure}");
        panic!("{failure}");
    }
    let [values, panics] = seen;
    assert!(
        values > 100_000 && panics > 50_000,
        "{values} values, {panics} panics: the calls are not what they should be"
    );
}

#[test]
fn every_operation_is_called() {
    let called: Vec<&str> = operations().iter().map(|(name, _)| *name).collect();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ops");
    for file in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap_or_default();
        for line in text.lines().filter(|line| line.trim_start().starts_with("pub fn ")) {
            let name = line.trim_start()["pub fn ".len()..].split(['(', '<']).next().unwrap();
            assert!(called.contains(&name), "{name} is not among the operations of this test");
        }
    }
}
