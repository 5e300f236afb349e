//! Pieces of work on several threads, with results that do not depend on how many.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use crate::failure;

/// Runs `f` on each item on up to `workers` threads; the results in the order of the items. `each` is called on this thread with every
/// result, in the order of the items, as soon as it and all before it are there.
///
/// A panic is the error of its item alone; the message is that of [`failure::contain`].
pub fn run_in_order<I: Sync, T: Send>(
    items: &[I],
    workers: usize,
    f: impl Fn(&I) -> T + Sync,
    mut each: impl FnMut(&I, &Result<T, String>),
) -> Vec<Result<T, String>> {
    let next = AtomicUsize::new(0);
    let work = |send: Sender<(usize, Result<T, String>)>| {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { return };
            // Nobody receives any more if `each` panicked.
            if send.send((index, failure::contain(|| f(item)))).is_err() {
                return;
            }
        }
    };
    thread::scope(|scope| {
        let (send, receive) = channel();
        let start = || {
            let send = send.clone();
            thread::Builder::new().spawn_scoped(scope, || work(send)).is_ok()
        };
        // Fewer threads than asked for are only slower.
        if (0..workers.min(items.len())).filter(|_| start()).count() == 0 {
            work(send.clone());
        }
        drop(send);
        let mut early = BTreeMap::new();
        let mut results = Vec::with_capacity(items.len());
        for (index, result) in receive {
            early.insert(index, result);
            while let Some(result) = early.remove(&results.len()) {
                each(&items[results.len()], &result);
                results.push(result);
            }
        }
        results
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    proptest! {
        #[test]
        fn results_and_calls_are_in_the_order_of_the_items(items in prop::collection::vec(0u64..400, 0..20), workers in 0usize..9) {
            let mut calls = Vec::new();
            let slow = |item: &u64| {
                thread::sleep(Duration::from_micros(*item));
                item * 2
            };
            let results = run_in_order(&items, workers, slow, |item, result| calls.push((*item, result.clone())));
            let expected: Vec<_> = items.iter().map(|item| Ok(item * 2)).collect();
            prop_assert_eq!(&results, &expected);
            prop_assert_eq!(calls, items.iter().copied().zip(expected).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_panic_is_the_error_of_its_item_alone() {
        let work = |item: &i32| if *item == 2 { panic!("item {item} is bad") } else { *item };
        let results = run_in_order(&[1, 2, 3], 2, work, |_, _| ());
        assert_eq!((&results[0], &results[2]), (&Ok(1), &Ok(3)));
        let message = results[1].as_ref().unwrap_err();
        assert!(message.contains("item 2 is bad"), "{message}");
    }

    #[test]
    fn several_items_run_at_the_same_time() {
        let together = std::sync::Barrier::new(3);
        // With fewer than three at a time, this would wait for ever.
        run_in_order(&[(), (), ()], 3, |()| together.wait().is_leader(), |_, _| ());
    }
}
