//! The transformed weights of [minimal filtering](super), in the order in which they are read.

use std::ops::Range;

use super::room::{LANES, has_narrow_registers, odd_lines};
use super::transform::{Window, columns, row};
use super::{PIECES, PLACES, SIDE};
use crate::cpu::buffer::Buffer;
use crate::cpu::gemm::kernels::Gemm;
use crate::cpu::gemm::{Matrix, share, transposed};
use crate::cpu::simd::{Task, dispatch};
use crate::cpu::threads::SharedMut;

/// The windows of a weight: how many windows from a filter's to the next, and from a channel's.
#[derive(Clone, Copy)]
pub(super) struct Windows<'a, T> {
    pub w: &'a [T],
    pub filters: usize,
    pub channels: usize,
    pub from_filter: usize,
    pub from_channel: usize,
    /// Whether they are read from the end.
    pub are_turned: bool,
}

/// Filters by panels of `width`, whole registers: `[place][panel][channel][filter]`.
#[derive(Clone, Copy)]
pub(super) struct Panels {
    pub filters: usize,
    pub width: usize,
    pub channels: usize,
}

impl Panels {
    pub fn count(&self) -> usize {
        self.filters.div_ceil(self.width)
    }

    /// The filters of a panel.
    pub fn filters(&self, panel: usize) -> Range<usize> {
        panel * self.width..self.filters.min((panel + 1) * self.width)
    }

    /// From a panel to the next.
    pub fn length(&self) -> usize {
        self.channels * self.width
    }

    /// From a place to the next.
    pub fn place(&self) -> usize {
        odd_lines(self.count() * self.length())
    }
}

impl<T: Gemm> Windows<'_, T> {
    /// All windows, transformed.
    pub fn transformed(&self, panels: &Panels) -> Buffer<T> {
        let mut out = Buffer::scratch(PLACES * panels.place());
        let base = SharedMut::new(out.as_mut_ptr());
        // An element takes as long as some 16 multiplications.
        let pieces = PIECES.min(panels.count());
        share::share(16 * out.len(), share::tiled::<T>(), pieces, |piece| {
            let own = piece * panels.count() / pieces..(piece + 1) * panels.count() / pieces;
            for panel in own {
                let mut places: [&mut [T]; PLACES] = std::array::from_fn(|place| {
                    // SAFETY: each piece has panels of its own, within the buffer.
                    unsafe { base.part(place * panels.place() + panel * panels.length(), panels.length()) }
                });
                let (filters, width) = (panels.filters(panel), panels.width);
                if has_narrow_registers::<T>() {
                    dispatch(Transformed::<T, { LANES / 2 }> { windows: self, filters, width, places: &mut places });
                } else {
                    dispatch(Transformed::<T, LANES> { windows: self, filters, width, places: &mut places });
                }
            }
        });
        out
    }
}

/// A panel, `N` filters at a time.
struct Transformed<'a, 'b, T, const N: usize> {
    windows: &'a Windows<'a, T>,
    filters: Range<usize>,
    width: usize,
    places: &'a mut [&'b mut [T]; PLACES],
}

impl<T: Gemm, const N: usize> Task for Transformed<'_, '_, T, N> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Transformed { windows, filters, width, places } = self;
        let &Windows { w, channels, from_filter, from_channel, are_turned, .. } = windows;
        let none = [T::ZERO; N];
        // Windows that follow each other are laid out together, in whole squares.
        let together = if from_channel == 1 { 8.min(channels) } else { 1 };
        // The elements of channels' windows, filters side by side.
        let mut elements = Buffer::filled(9 * together * width, T::ZERO);
        let mut between = [[T::ZERO; N]; PLACES];
        for start in (0..channels).step_by(together) {
            let count = together.min(channels - start);
            let matrix = Matrix {
                data: w,
                offset: 9 * (start * from_channel + filters.start * from_filter),
                row_stride: 1,
                column_stride: (9 * from_filter) as isize,
            };
            transposed(matrix, 9 * count, filters.len(), width, &mut elements);
            for channel in 0..count {
                let elements = &elements[9 * channel * width..][..9 * width];
                for first in (0..width).step_by(N) {
                    let mut window = [&none; PLACES];
                    for (k, g) in window[..9].iter_mut().enumerate() {
                        let at = if are_turned { 8 - k } else { k };
                        *g = elements[at * width + first..].first_chunk().expect("whole registers");
                    }
                    columns::<Window, T, N>(&window, &mut between);
                    let at = (start + channel) * width + first;
                    for (i, places) in places.chunks_exact_mut(SIDE).enumerate() {
                        for (place, numbers) in places.iter_mut().zip(&row::<Window, T, N>(&between, i)) {
                            place[at..at + N].copy_from_slice(numbers);
                        }
                    }
                }
            }
        }
    }
}
