//! What a small operation asks of the system: the handle of its result, and a node in the record if it is tracked. Numbers lie in
//! blocks that earlier tensors gave back. (To put a list of tensors together takes a list more.)

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use hadal_tensor::{DType, Rng, Tensor};

/// Counts the allocations of each thread.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's contract is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract is the same.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often an operation allocates once it has run a few times.
fn allocations(operation: &dyn Fn() -> Tensor) -> usize {
    (0..4).for_each(|_| drop(operation()));
    let before = ALLOCATIONS.get();
    let result = operation();
    let count = ALLOCATIONS.get() - before;
    drop(result);
    count
}

#[test]
fn an_operation_on_untracked_tensors_allocates_at_most_once() {
    hadal_tensor::set_num_threads(1);
    let mut rng = Rng::new(1);
    let (x, y) = (Tensor::randn([8], &mut rng), Tensor::randn([8], &mut rng));
    let (a, b) = (Tensor::randn([8, 8], &mut rng), Tensor::randn([8, 8], &mut rng));
    let column = Tensor::randn([8, 1], &mut rng);
    let (positive, transposed) = (x.abs() + 1.0, b.t());
    let (index, mask) = (Tensor::from([2, 0, 7]), x.gt(0.0));
    let operations: &[(&str, &dyn Fn() -> Tensor)] = &[
        ("add", &|| &x + &y),
        ("sub", &|| &x - &y),
        ("mul", &|| &x * &y),
        ("div", &|| &x / &y),
        ("add, broadcast", &|| &a + &column),
        ("add a number", &|| &x + 1.0),
        ("a number minus", &|| 1.0 - &x),
        ("mul by a number", &|| &x * 2.0),
        ("div by a number", &|| &x / 3.0),
        ("neg", &|| -&x),
        ("exp", &|| x.exp()),
        ("ln", &|| positive.ln()),
        ("sqrt", &|| positive.sqrt()),
        ("tanh", &|| x.tanh()),
        ("sigmoid", &|| x.sigmoid()),
        ("relu", &|| x.relu()),
        ("powi", &|| x.powi(3)),
        ("powf", &|| positive.powf(1.5)),
        ("clamp", &|| x.clamp(-1.0, 1.0)),
        ("gt", &|| x.gt(&y)),
        ("gt a number", &|| x.gt(0.5)),
        ("eq", &|| x.eq(&y)),
        ("where_", &|| mask.where_(&x, &y)),
        ("maximum", &|| x.maximum(&y)),
        ("to_dtype", &|| x.to_dtype(DType::F64)),
        ("sum", &|| x.sum()),
        ("sum over an axis", &|| a.sum_axes(&[0])),
        ("mean", &|| x.mean()),
        ("mean over an axis", &|| a.mean_axes(&[1])),
        ("max", &|| x.max()),
        ("argmax", &|| a.argmax(1)),
        ("softmax", &|| a.softmax(1)),
        ("log_softmax", &|| a.log_softmax(1)),
        ("matmul", &|| a.matmul(&b)),
        ("matmul, transposed", &|| a.matmul(&transposed)),
        ("linear", &|| a.linear(&b, Some(&x))),
        ("linear_relu", &|| a.linear_relu(&b, Some(&x))),
        ("t", &|| a.t()),
        ("reshape", &|| a.reshape([4, 16])),
        ("reshape of a view", &|| transposed.reshape([64])),
        ("unsqueeze", &|| x.unsqueeze(0)),
        ("narrow", &|| x.narrow(0, 2, 3)),
        ("expand", &|| column.expand([8, 8])),
        ("contiguous", &|| a.contiguous()),
        ("index_select", &|| x.index_select(0, &index)),
        ("gather", &|| x.gather(0, &index)),
        ("zeros", &|| Tensor::zeros([8])),
        ("ones_like", &|| x.ones_like()),
        ("detach", &|| x.detach()),
    ];
    for (name, operation) in operations {
        let count = allocations(operation);
        assert!(count <= 1, "{name} allocates {count} times");
    }
    // The counter counts.
    assert_eq!(allocations(&|| &x + &(&y * 2.0)), 2);
    let w = x.clone().requires_grad();
    assert_eq!(allocations(&|| &w * &y), 2, "a handle and a node");
}
