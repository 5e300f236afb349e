//! Finding the operation that first gave NaN or an infinity: PyTorch's `detect_anomaly`, with the place and the inputs.
//!
//! A result that is not finite, from inputs that are, is an *origin*. What is computed from it has the same origin, so that an
//! infinity which something else replaces, such as a mask before a softmax, is never blamed for a NaN.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::panic::Location;

use super::Node;
use crate::backend::Storage;
use crate::dtype::DType;
use crate::tensor::{Tensor, Value};

thread_local! {
    static TRACING: Cell<bool> = const { Cell::new(false) };
    static SEEN: RefCell<Seen> = RefCell::default();
}

/// Checks the results of all operations of this thread, and all gradients, while it lives. Operations then take several times
/// as long, and their inputs are kept.
///
/// ```
/// use hadal_tensor::{Tensor, autograd::Trace};
/// let w = Tensor::from([[1.0, 2.0], [3.0, 0.0]]).requires_grad();
/// let trace = Trace::start();
/// let loss = w.ln().sum_axes(&[1]).mean();
/// let origin = trace.origin(&loss).unwrap();
/// assert_eq!((loss.item(), origin.operation), (f64::NEG_INFINITY, "ln"));
/// assert_eq!(origin.inputs[0].to_vec::<f32>(), [1.0, 2.0, 3.0, 0.0]);
/// assert!(trace.origin(&w).is_none());
/// ```
#[doc(alias = "detect_anomaly")]
pub struct Trace(PhantomData<*const ()>);

/// The operation that first gave a number that is not finite.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Origin {
    /// The operation's name, as its method is called.
    pub operation: &'static str,
    /// Whether the number is in the gradient that the operation passed on, not in its result.
    pub in_gradient: bool,
    /// The line that called it, where that is not in this library.
    pub location: Option<&'static Location<'static>>,
    /// What ran at that time, outermost first: what [`Trace::enter`] was told.
    pub scopes: Vec<String>,
    /// The result, or the gradient.
    pub result: Tensor,
    /// The inputs of the operation.
    pub inputs: Vec<Tensor>,
}

#[derive(Default)]
struct Seen {
    scopes: Vec<String>,
    origins: Vec<Origin>,
    /// The numbers that are not finite, with their origins. They are held, so that no other result gets their place in memory.
    values: Vec<(Value, usize)>,
    /// The recorded operations, by node.
    operations: BTreeMap<u64, Origin>,
    /// The origins of gradients that are not finite, by node.
    gradients: BTreeMap<u64, usize>,
}

impl Trace {
    /// Starts checking, and forgets what an earlier trace of this thread has seen.
    pub fn start() -> Trace {
        SEEN.take();
        TRACING.set(true);
        Trace(PhantomData)
    }

    /// Where the numbers of this result came from that are not finite; `None` if all are, or no operation was seen.
    pub fn origin(&self, result: &Tensor) -> Option<Origin> {
        if is_finite(result.value()) {
            return None;
        }
        SEEN.with_borrow(|seen| {
            // A result that was changed in place is another one: the first origin is the best guess.
            let index = seen.known(result.value()).unwrap_or(0);
            seen.origins.get(index).cloned()
        })
    }

    /// Where the numbers of the gradient of this leaf came from that are not finite; `None` if all are.
    pub fn origin_of_gradient(&self, leaf: &Tensor) -> Option<Origin> {
        let id = leaf.node()?.id;
        SEEN.with_borrow(|seen| seen.origins.get(*seen.gradients.get(&id)?).cloned())
    }

    /// Says what runs until the guard goes: a layer, for example. Does nothing, at no cost, while nothing is traced.
    pub fn enter(name: impl FnOnce() -> String) -> Scope {
        let entered = TRACING.get();
        if entered {
            let name = name();
            SEEN.with_borrow_mut(|seen| seen.scopes.push(name));
        }
        Scope { entered }
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        TRACING.set(false);
        SEEN.take();
    }
}

/// The time until this is dropped belongs to what [`Trace::enter`] was told.
#[must_use = "the scope ends where this is dropped"]
pub struct Scope {
    entered: bool,
}

impl Drop for Scope {
    fn drop(&mut self) {
        if self.entered {
            SEEN.with_borrow_mut(|seen| seen.scopes.pop());
        }
    }
}

/// Stops checking until it is dropped; see [`pause`].
pub(super) struct Paused {
    pub was_tracing: bool,
}

/// Stops checking until the guard goes: the operations within a backward pass are checked by what they deliver.
pub(super) fn pause() -> Paused {
    Paused { was_tracing: TRACING.replace(false) }
}

impl Drop for Paused {
    fn drop(&mut self) {
        TRACING.set(self.was_tracing);
    }
}

/// Checks the result of an operation, which has this node if it is recorded.
#[inline]
#[track_caller]
pub(super) fn check(operation: &'static str, value: &Value, inputs: &[&Tensor], node: Option<&Node>) {
    if TRACING.get() {
        // Not within the closure, whose caller is another line.
        let location = Location::caller();
        SEEN.with_borrow_mut(|seen| seen.check(operation, value, inputs, node, location));
    }
}

/// Checks the gradients that `node` has delivered to its inputs; `pending` gives what an input has received.
pub(super) fn check_gradients(node: &Node, mut pending: impl FnMut(u64) -> Option<Tensor>) {
    SEEN.with_borrow_mut(|seen| {
        for input in node.inputs.iter().flatten() {
            let Some(gradient) = pending(input.id).filter(|gradient| !is_finite(gradient.value())) else { continue };
            let origin = seen.gradients.get(&node.id).copied().or_else(|| {
                let operation = seen.operations.get(&node.id)?.clone();
                seen.origins.push(Origin { in_gradient: true, result: gradient.detach(), ..operation });
                Some(seen.origins.len() - 1)
            });
            if let Some(origin) = origin {
                seen.gradients.entry(input.id).or_insert(origin);
            }
        }
    });
}

impl Seen {
    fn check(
        &mut self,
        operation: &'static str,
        value: &Value,
        inputs: &[&Tensor],
        node: Option<&Node>,
        location: &'static Location<'static>,
    ) {
        let origin = || Origin {
            operation,
            in_gradient: false,
            location: Some(location).filter(|location| !is_own(location)),
            scopes: self.scopes.clone(),
            result: Tensor::new(value.clone(), None),
            inputs: inputs.iter().map(|input| input.detach()).collect(),
        };
        if let Some(node) = node {
            self.operations.insert(node.id, origin());
        }
        if is_finite(value) || self.known(value).is_some() {
            return;
        }
        let inherited = inputs.iter().filter(|input| !is_finite(input.value()));
        let inherited = inherited.filter_map(|input| self.known(input.value())).min();
        let index = inherited.unwrap_or(self.origins.len());
        if index == self.origins.len() {
            let origin = origin();
            self.origins.push(origin);
        }
        self.values.push((value.clone(), index));
    }

    /// The origin of these numbers, if some in their storage are not finite.
    fn known(&self, value: &Value) -> Option<usize> {
        let place = address(&value.storage);
        self.values.iter().find(|(known, _)| address(&known.storage) == place).map(|(_, origin)| *origin)
    }
}

fn address(storage: &Storage) -> usize {
    match storage {
        Storage::F32(buffer) => buffer.as_ptr() as usize,
        Storage::F64(buffer) => buffer.as_ptr() as usize,
        Storage::I64(buffer) => buffer.as_ptr() as usize,
        Storage::U8(buffer) | Storage::Bool(buffer) => buffer.as_ptr() as usize,
    }
}

/// Whether all numbers are finite. No operation, which would be checked in its turn.
fn is_finite(value: &Value) -> bool {
    let tensor = Tensor::new(value.clone(), None);
    match tensor.dtype() {
        DType::F32 => tensor.to_vec::<f32>().iter().all(|x| x.is_finite()),
        DType::F64 => tensor.to_vec::<f64>().iter().all(|x| x.is_finite()),
        _ => true,
    }
}

/// Whether a line is in this library.
fn is_own(location: &Location) -> bool {
    let own = file!();
    location.file().starts_with(&own[..own.len() - "autograd/trace.rs".len()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::no_grad;

    fn leaf(numbers: &[f32]) -> Tensor {
        Tensor::from_slice(numbers, [numbers.len()]).requires_grad()
    }

    #[test]
    fn the_first_operation_is_named_with_its_line_and_scope() {
        let x = leaf(&[1.0, -1.0]);
        let trace = Trace::start();
        let loss = {
            let _outer = Trace::enter(|| "outer".into());
            let _inner = Trace::enter(|| "inner".into());
            (x.sqrt() * 2.0).exp().sum()
        };
        let origin = trace.origin(&loss).unwrap();
        assert_eq!((origin.operation, origin.in_gradient), ("sqrt", false));
        assert_eq!(origin.scopes, ["outer", "inner"]);
        assert_eq!(origin.result.to_vec::<f32>()[0], 1.0);
        assert_eq!(origin.inputs[0].to_vec::<f32>(), [1.0, -1.0]);
        assert!(trace.origin(&x).is_none());
    }

    #[test]
    fn an_infinity_that_is_replaced_is_not_blamed() {
        let x = leaf(&[0.0, 2.0]);
        let trace = Trace::start();
        let logarithm = x.ln();
        let held = x.detach().gt(0.0).where_(&logarithm, &Tensor::zeros([2]));
        let loss = (held.sum() - x.sum() * 0.5 - 3.0).sqrt();
        assert_eq!(trace.origin(&loss).unwrap().operation, "sqrt");
        assert_eq!(trace.origin(&logarithm).unwrap().operation, "ln");
    }

    #[test]
    fn operations_without_a_record_are_checked_too() {
        let x = Tensor::from([0.0]);
        let trace = Trace::start();
        let y = no_grad(|| (1.0 / &x).reshape([1, 1]).detach() * 0.0);
        assert_eq!(trace.origin(&y).unwrap().operation, "recip");
    }

    #[test]
    fn gradients_are_traced_to_the_operation_without_a_derivative() {
        let x = leaf(&[4.0, 0.0]);
        let trace = Trace::start();
        let loss = (x.sqrt() * 3.0).sum();
        let gradients = loss.backward();
        assert_eq!(gradients[&x].to_vec::<f32>(), [0.75, f32::INFINITY]);
        let origin = trace.origin_of_gradient(&x).unwrap();
        assert_eq!((origin.operation, origin.in_gradient), ("sqrt", true));
        assert_eq!(origin.inputs[0].to_vec::<f32>(), [4.0, 0.0]);
        assert!(trace.origin(&loss).is_none());
    }

    #[test]
    fn nothing_is_kept_after_the_trace_and_nothing_seen_before_it() {
        let x = leaf(&[0.0]);
        let y = x.ln();
        let trace = Trace::start();
        assert!(trace.origin(&y).is_none(), "computed before");
        drop(trace);
        let _scope = Trace::enter(|| panic!("nothing is traced"));
        assert!(Trace::start().origin(&x.ln()).is_some());
    }
}
