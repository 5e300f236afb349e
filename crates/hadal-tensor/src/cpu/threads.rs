//! A small pool of threads that spin briefly before they park, for the forks and joins of a training step.
//!
//! Work is cut into pieces by its size, never by the number of threads, and each piece is computed the same way
//! whoever takes it: results do not depend on how many threads there are.

use std::ffi::OsStr;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::Thread;
use std::time::{Duration, Instant};

use super::pool::{can_allocate, make_pool};

/// How long an idle worker looks for work before it parks: longer than the gaps within a training step.
const SPIN: Duration = Duration::from_micros(100);
/// Looks between two readings of the clock.
const LOOKS: usize = 64;

/// The number of threads that operations use; 0 until it is first asked for.
static THREADS: AtomicUsize = AtomicUsize::new(0);

/// The most threads that operations use.
pub const MAX_THREADS: usize = 256;

/// How many threads operations use. Default: `HADAL_NUM_THREADS`, else the processors available; at most [`MAX_THREADS`], and
/// no more than there are processors, or than the system was able to start.
///
/// ```
/// assert!(hadal_tensor::num_threads() >= 1);
/// ```
#[doc(alias = "get_num_threads")]
pub fn num_threads() -> usize {
    match THREADS.load(Ordering::Relaxed) {
        0 => {
            let threads = default_threads(std::env::var_os("HADAL_NUM_THREADS").as_deref());
            THREADS.store(threads, Ordering::Relaxed);
            threads
        }
        threads => threads,
    }
}

/// The processors that this program may use.
fn processors() -> usize {
    static PROCESSORS: OnceLock<usize> = OnceLock::new();
    *PROCESSORS.get_or_init(|| std::thread::available_parallelism().map_or(1, |n| n.get()).min(MAX_THREADS))
}

fn default_threads(wanted: Option<&OsStr>) -> usize {
    let Some(wanted) = wanted.filter(|text| !text.is_empty()) else { return processors() };
    match wanted.to_str().and_then(|text| text.trim().parse().ok()) {
        Some(threads @ 1..=MAX_THREADS) => at_most_processors(threads),
        _ => {
            note(&format!(
                "HADAL_NUM_THREADS is {}, not a number from 1 to {MAX_THREADS}; {} used",
                wanted.display(),
                in_words(processors())
            ));
            processors()
        }
    }
}

fn in_words(threads: usize) -> String {
    if threads == 1 { "1 thread is".into() } else { format!("{threads} threads are") }
}

/// So many threads, or as many as there are processors, with a note: more would take turns, each waiting for those that are not
/// running.
fn at_most_processors(threads: usize) -> usize {
    let processors = processors();
    if threads > processors {
        let there = if processors == 1 { "is 1 processor".into() } else { format!("are {processors} processors") };
        note(&format!("{threads} threads were asked for, but there {there}; {} used", in_words(processors)));
    }
    threads.min(processors)
}

/// A line on standard error, which nobody needs to be able to read.
pub(super) fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "note: {text}");
}

/// Sets how many threads operations use, from the next operation on. Results do not depend on it. More than there are processors,
/// or than the system can start, are done without, with a note on standard error; more than [`MAX_THREADS`] are taken as so many.
///
/// ```standalone_crate
/// hadal_tensor::set_num_threads(1);
/// assert_eq!(hadal_tensor::num_threads(), 1);
/// ```
///
/// # Panics
/// If `threads` is 0.
#[track_caller]
pub fn set_num_threads(threads: usize) {
    assert!(threads > 0, "set_num_threads: at least one thread is needed");
    set_num_threads_exactly(at_most_processors(threads));
}

/// [`set_num_threads`], also to more than there are processors: for tests that results do not depend on who computes what.
#[doc(hidden)]
pub fn set_num_threads_exactly(threads: usize) {
    THREADS.store(threads.clamp(1, MAX_THREADS), Ordering::Relaxed);
}

/// What must be available for one more thread: its stack, what the allocator reserves for it (64 MiB with glibc), and as much
/// again for tensors. A thread that starts without memory for its signal stack would abort the program.
#[doc(hidden)]
pub const ROOM_FOR_THREAD: usize = 128 << 20;

/// What each thread runs, given the pieces that it takes.
type Run<'a> = dyn Fn(&mut dyn Iterator<Item = usize>) + Sync + 'a;

/// One call of [`for_each_piece_with`], as the workers see it. Lives on the caller's stack.
struct Job {
    run: *const Run<'static>,
    pieces: usize,
    /// How many of the lanes are in use.
    lanes: usize,
    next: [Lane; LANES],
    panicked: AtomicBool,
}

/// The most lanes of a job; more threads share them.
const LANES: usize = 8;

/// The next piece of a share of the pieces, on a cache line of its own.
#[repr(align(64))]
struct Lane(AtomicUsize);

impl Job {
    fn new(run: *const Run<'static>, pieces: usize, threads: usize) -> Job {
        let lanes = threads.min(LANES);
        let next = std::array::from_fn(|lane| Lane(AtomicUsize::new(lane * pieces / lanes)));
        Job { run, pieces, lanes, next, panicked: AtomicBool::new(false) }
    }

    /// Runs what a thread does with the pieces that it takes until there are none: those of its own lane first, then the other
    /// lanes'. What a thread computed in one operation is thus likely to be what it reads in the next, and near its processor.
    fn take(&self, thread: usize, run: &Run) {
        run(&mut (0..self.lanes).flat_map(|turn| {
            let lane = (thread + turn) % self.lanes;
            let end = (lane + 1) * self.pieces / self.lanes;
            std::iter::from_fn(move || {
                Some(self.next[lane].0.fetch_add(1, Ordering::Relaxed)).filter(|&index| index < end)
            })
        }));
    }

    /// Leaves no piece to be taken.
    fn end(&self) {
        for lane in &self.next[..self.lanes] {
            lane.0.store(self.pieces, Ordering::Relaxed);
        }
    }
}

/// What a mailbox holds while its worker is at work.
const BUSY: *mut Job = std::ptr::without_provenance_mut(1);

/// A worker's mailbox.
struct Worker {
    /// Null, a job to help with, or [`BUSY`].
    job: AtomicPtr<Job>,
    parked: AtomicBool,
    thread: OnceLock<Thread>,
}

/// All workers; the lock is held while a job runs, so that one job runs at a time.
static POOL: Mutex<Vec<Arc<Worker>>> = Mutex::new(Vec::new());

/// Runs `piece(0)`, .., `piece(pieces - 1)`, each once, on up to [`num_threads`] threads; returns when all are done.
///
/// Calls from within a piece, or while another thread's job runs, run serially on the caller.
///
/// # Panics
/// If a piece panics, after all others have ended.
pub(crate) fn for_each_piece(pieces: usize, piece: impl Fn(usize) + Sync) {
    for_each_piece_with(pieces, || (), |(), index| piece(index));
}

/// The same, with something that each thread makes for itself and keeps for all pieces that it takes.
///
/// # Panics
/// As [`for_each_piece`].
pub(crate) fn for_each_piece_with<S>(pieces: usize, own: impl Fn() -> S + Sync, piece: impl Fn(&mut S, usize) + Sync) {
    let helpers = (num_threads() - 1).min(pieces.saturating_sub(1));
    if helpers > 0 {
        let pool = match POOL.try_lock() {
            Ok(pool) => Some(pool),
            Err(std::sync::TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(std::sync::TryLockError::WouldBlock) => None,
        };
        if let Some(mut pool) = pool {
            return run_shared(&mut pool, helpers, pieces, &|taken| {
                let mut own = own();
                taken.for_each(|index| piece(&mut own, index));
            });
        }
    }
    let mut own = own();
    (0..pieces).for_each(|index| piece(&mut own, index));
}

fn run_shared(pool: &mut Vec<Arc<Worker>>, helpers: usize, pieces: usize, run: &Run) {
    while pool.len() < helpers {
        match start_worker(pool.len() + 1) {
            Ok(worker) => pool.push(worker),
            Err(error) => {
                // Not tried again at the next operation.
                let threads = pool.len() + 1;
                THREADS.store(threads, Ordering::Relaxed);
                note(&format!("no more threads can be started ({error}); {threads} in use"));
                break;
            }
        }
    }
    let helpers = helpers.min(pool.len());
    // SAFETY: only the lifetime changes. Workers reach this pointer through the mailboxes alone, and before this frame ends,
    // even by a panic, `Recall` below takes it back from those who have not begun and waits for those who have.
    let for_workers: *const Run<'static> = unsafe { std::mem::transmute::<&Run, *const Run<'static>>(run) };
    let job = Job::new(for_workers, pieces, helpers + 1);
    let workers = &pool[..helpers];
    for worker in workers {
        worker.job.store((&raw const job).cast_mut(), Ordering::SeqCst);
        if worker.parked.load(Ordering::SeqCst)
            && let Some(thread) = worker.thread.get()
        {
            thread.unpark();
        }
    }
    struct Recall<'a>(&'a [Arc<Worker>], &'a Job);
    impl Drop for Recall<'_> {
        fn drop(&mut self) {
            self.1.end();
            let job = std::ptr::from_ref(self.1).cast_mut();
            for worker in self.0 {
                // A worker that has not woken yet is not waited for.
                if worker.job.compare_exchange(job, std::ptr::null_mut(), Ordering::AcqRel, Ordering::Acquire).is_ok() {
                    continue;
                }
                let mut looks = 0;
                while !worker.job.load(Ordering::Acquire).is_null() {
                    looks += 1;
                    // A worker that takes this long may be waiting for this processor.
                    if looks > 8 * LOOKS { std::thread::yield_now() } else { std::hint::spin_loop() }
                }
            }
        }
    }
    {
        let _recall = Recall(workers, &job);
        job.take(0, run);
    }
    assert!(!job.panicked.load(Ordering::Relaxed), "a worker thread panicked; see the message above");
}

/// Starts the worker that is the given thread of every job; the caller is number 0.
fn start_worker(thread: usize) -> std::io::Result<Arc<Worker>> {
    let worker = Arc::new(Worker {
        job: AtomicPtr::new(std::ptr::null_mut()),
        parked: AtomicBool::new(false),
        thread: OnceLock::new(),
    });
    if !can_allocate(ROOM_FOR_THREAD) {
        return Err(std::io::ErrorKind::OutOfMemory.into());
    }
    let mine = worker.clone();
    let (ready, begun) = std::sync::mpsc::channel();
    let handle = std::thread::Builder::new().name("hadal-worker".into()).spawn(move || {
        // Now, while there is memory for it: later, the C library would end the process for want of it.
        make_pool();
        let _ = ready.send(());
        work(&mine, thread);
    })?;
    let _ = begun.recv();
    let _ = worker.thread.set(handle.thread().clone());
    Ok(worker)
}

fn work(worker: &Worker, thread: usize) {
    let mut looks = 0;
    let mut idle_since = Instant::now();
    loop {
        let job = worker.job.load(Ordering::Acquire);
        if job.is_null() {
            looks += 1;
            if looks % LOOKS != 0 {
                std::hint::spin_loop();
                continue;
            }
            if idle_since.elapsed() < SPIN {
                // Who else waits for this processor may be the one that is waited for.
                std::thread::yield_now();
                continue;
            }
            worker.parked.store(true, Ordering::SeqCst);
            if worker.job.load(Ordering::SeqCst).is_null() {
                std::thread::park();
            }
            worker.parked.store(false, Ordering::SeqCst);
            idle_since = Instant::now();
            continue;
        }
        if worker.job.compare_exchange(job, BUSY, Ordering::AcqRel, Ordering::Acquire).is_err() {
            // Taken back meanwhile.
            continue;
        }
        // SAFETY: the mailbox held the job when it became BUSY, and from then on the caller keeps the job alive until
        // the mailbox is empty, which only the store below does.
        let shared = unsafe { &*job };
        // SAFETY: as above; `run` points to the caller's closure, which outlives the job.
        let run = unsafe { &*shared.run };
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| shared.take(thread, run)));
        if outcome.is_err() {
            shared.panicked.store(true, Ordering::Relaxed);
        }
        worker.job.store(std::ptr::null_mut(), Ordering::Release);
        idle_since = Instant::now();
    }
}

/// Cuts `out` into pieces of `size` elements (the last may be shorter) and runs `piece(start, part)` on each.
#[doc(hidden)]
pub fn for_each_part<T: Send>(out: &mut [T], size: usize, piece: impl Fn(usize, &mut [T]) + Sync) {
    let length = out.len();
    if length <= size {
        if length > 0 {
            piece(0, out);
        }
        return;
    }
    let base = SharedMut::new(out.as_mut_ptr());
    for_each_piece(length.div_ceil(size), |index| {
        let start = index * size;
        let end = (start + size).min(length);
        // SAFETY: start < end <= length, so the part lies within `out`; parts of different indices do not overlap,
        // and each index runs once.
        piece(start, unsafe { base.part(start, end - start) });
    });
}

/// A pointer that pieces of work write through, each in a part of its own.
#[derive(Clone, Copy)]
pub(crate) struct SharedMut<T>(*mut T);

// SAFETY: the holder hands out parts only under `part`'s contract: disjoint parts, each used by one thread.
unsafe impl<T: Send> Send for SharedMut<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for SharedMut<T> {}

impl<T> SharedMut<T> {
    pub fn new(base: *mut T) -> SharedMut<T> {
        SharedMut(base)
    }

    pub fn pointer(&self) -> *mut T {
        self.0
    }

    /// # Safety
    /// `start .. start + length` must lie within the allocation, which must outlive the result, and no other part
    /// that overlaps it may be in use.
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn part<'a>(&self, start: usize, length: usize) -> &'a mut [T] {
        // SAFETY: the caller's contract.
        unsafe { std::slice::from_raw_parts_mut(self.0.add(start), length) }
    }
}

/// Used by tests that must not be disturbed by others changing the number of threads.
#[cfg(test)]
pub(crate) fn lock_threads() -> std::sync::MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    LOCK.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_piece_runs_once() {
        let _lock = lock_threads();
        for threads in [1, 2, 4] {
            set_num_threads_exactly(threads);
            for pieces in [0, 1, 2, 7, 1000] {
                let counts: Vec<AtomicUsize> = (0..pieces).map(|_| AtomicUsize::new(0)).collect();
                for_each_piece(pieces, |i| {
                    counts[i].fetch_add(1, Ordering::Relaxed);
                });
                assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 1));
            }
        }
    }

    #[test]
    fn each_thread_makes_its_own_once() {
        let _lock = lock_threads();
        for threads in [1, 2, 4] {
            set_num_threads_exactly(threads);
            let (made, seen) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let own = || made.fetch_add(1, Ordering::Relaxed);
            for_each_piece_with(100, own, |number, _| {
                assert!(*number < threads);
                seen.fetch_add(1, Ordering::Relaxed);
            });
            assert!((1..=threads).contains(&made.into_inner()));
            assert_eq!(seen.into_inner(), 100);
        }
    }

    #[test]
    fn many_callers_at_once_each_get_their_own_work_done() {
        let _lock = lock_threads();
        set_num_threads_exactly(3);
        std::thread::scope(|scope| {
            for caller in 0..4 {
                scope.spawn(move || {
                    for round in 0..3000 {
                        let sum = AtomicUsize::new(0);
                        let pieces = (round + caller) % 9;
                        for_each_piece(pieces, |i| {
                            sum.fetch_add(i + 1, Ordering::Relaxed);
                        });
                        assert_eq!(sum.into_inner(), pieces * (pieces + 1) / 2);
                        if round % 500 == 0 {
                            // Long enough for the workers to park.
                            std::thread::sleep(Duration::from_millis(1));
                        }
                    }
                });
            }
        });
    }

    #[test]
    fn a_number_of_threads_that_is_none_is_passed_over() {
        let processors = default_threads(None);
        for bad in ["abc", "0", "-1", "18446744073709551616", "257", "1.5"] {
            assert_eq!(default_threads(Some(OsStr::new(bad))), processors);
        }
        assert_eq!(default_threads(Some(OsStr::new(" 1 "))), 1);
    }

    #[test]
    fn no_more_threads_work_than_there_are_processors() {
        assert_eq!(default_threads(Some(OsStr::new("256"))), processors());
        let _lock = lock_threads();
        set_num_threads(usize::MAX);
        assert_eq!(num_threads(), processors());
        set_num_threads_exactly(usize::MAX);
        assert_eq!(num_threads(), MAX_THREADS);
        set_num_threads(2);
    }

    #[test]
    fn a_panicking_piece_panics_the_caller_and_leaves_the_pool_usable() {
        let _lock = lock_threads();
        set_num_threads_exactly(2);
        let result = std::panic::catch_unwind(|| for_each_piece(8, |i| assert!(i != 5)));
        assert!(result.is_err());
        let sum = AtomicUsize::new(0);
        for_each_piece(8, |i| {
            sum.fetch_add(i, Ordering::Relaxed);
        });
        assert_eq!(sum.into_inner(), 28);
    }
}
