//! Which products are worth sharing out among threads.

use crate::cpu::simd::level;
use crate::cpu::threads::for_each_piece_with;

/// Multiplications for each lane of a register that take so long, some 4 µs, that it pays to hand a part of them to another
/// thread.
const PER_LANE: usize = 24 * 1024;

/// What takes as long where numbers are read or moved as fast as they are used, whatever the registers.
pub(super) const MOVED: usize = 64 * 1024;

/// The smallest product of tiles that is worth sharing, in multiplications.
pub(in crate::cpu) fn tiled<T>() -> usize {
    PER_LANE * level().lanes::<T>()
}

/// Runs the pieces of `work`, on all threads if it is at least `worth`.
pub(in crate::cpu) fn share(work: usize, worth: usize, pieces: usize, piece: impl Fn(usize) + Sync) {
    share_with(work, worth, pieces, || (), |(), index| piece(index));
}

/// The same, with something that each thread makes for itself and keeps for all pieces that it takes.
pub(super) fn share_with<S>(
    work: usize,
    worth: usize,
    pieces: usize,
    own: impl Fn() -> S + Sync,
    piece: impl Fn(&mut S, usize) + Sync,
) {
    if work < worth {
        let mut own = own();
        (0..pieces).for_each(|index| piece(&mut own, index));
    } else {
        for_each_piece_with(pieces, own, piece);
    }
}
