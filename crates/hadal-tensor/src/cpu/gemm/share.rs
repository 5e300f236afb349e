//! Which products are worth sharing out among threads.

use crate::cpu::threads::for_each_piece;

/// Products of fewer multiplications are not worth handing to other threads.
const SERIAL: usize = 64 * 1024;

/// Runs the pieces of a product of `work` multiplications, on all threads if it is worth that.
pub(crate) fn share(work: usize, pieces: usize, piece: impl Fn(usize) + Sync) {
    if work < SERIAL {
        (0..pieces).for_each(piece);
    } else {
        for_each_piece(pieces, piece);
    }
}
