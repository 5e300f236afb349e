//! How much room the numbers of [minimal filtering](super) take, so that registers are whole and caches are used evenly.

use super::PLACES;
use crate::cpu::simd::level;

/// Channels of a block, at most: those of the widest register.
pub(super) const LANES: usize = 16;

/// Whether a register has fewer numbers than a block.
pub(super) fn has_narrow_registers<T>() -> bool {
    level().lanes::<T>() < LANES
}

/// Room for so many numbers, in an odd number of cache lines: what lies at multiples of powers of two falls into the same few places of
/// the nearest cache.
pub(super) fn odd_lines(length: usize) -> usize {
    (length.div_ceil(LANES) | 1) * LANES
}

/// Room for so many channels or filters: whole registers.
pub(super) fn padded(channels: usize) -> usize {
    channels.next_multiple_of(LANES)
}

/// From a tile to the next, of so many padded channels at each place.
pub(super) fn tile(padded: usize) -> usize {
    odd_lines(PLACES * padded)
}
