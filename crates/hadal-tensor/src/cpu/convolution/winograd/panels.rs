//! The transformed weights of [minimal filtering](super), in the order in which they are read.

use std::ops::Range;

use super::PLACES;
use super::transform::{LANES, odd_lines};
use crate::cpu::buffer::Buffer;
use crate::cpu::convolution::PIECES;
use crate::cpu::float::Float;
use crate::cpu::gemm::kernels::Gemm;
use crate::cpu::gemm::{Matrix, share, transposed};
use crate::cpu::rows::copy_row;
use crate::cpu::simd::{Task, dispatch};
use crate::cpu::threads::SharedMut;

/// The windows of a weight: how many windows from a filter's to the next, and from a channel's.
#[derive(Clone, Copy)]
pub(super) struct Windows<'a, T> {
    pub w: &'a [T],
    pub filter: usize,
    pub channel: usize,
    /// Whether they are read from the end.
    pub is_turned: bool,
}

/// Filters by panels of at most `height`, all of about the same size: `[place][panel][channel][filter]`, with room for `height` filters.
#[derive(Clone, Copy)]
pub(super) struct Panels {
    pub filters: usize,
    pub height: usize,
    pub channels: usize,
}

impl Panels {
    pub fn count(&self) -> usize {
        self.filters.div_ceil(self.height)
    }

    /// The filters of a panel.
    pub fn rows(&self, panel: usize) -> Range<usize> {
        self.first(panel)..self.first(panel + 1)
    }

    fn first(&self, panel: usize) -> usize {
        panel * self.filters / self.count()
    }

    /// From a panel to the next.
    pub fn length(&self) -> usize {
        self.channels * self.height
    }

    /// From a place to the next.
    pub fn place(&self) -> usize {
        odd_lines(self.count() * self.length())
    }

    /// The transformed windows.
    pub fn transformed<T: Gemm>(&self, windows: Windows<T>) -> Buffer<T> {
        let mut out = Buffer::scratch(PLACES * self.place());
        let base = SharedMut::new(out.as_mut_ptr());
        // Whole registers of filters.
        let pieces = PIECES.min(self.filters.div_ceil(LANES));
        // An element takes as long as some 16 multiplications.
        share::share(16 * out.len(), share::tiled::<T>(), pieces, |piece| {
            let own = piece * self.count() / pieces..(piece + 1) * self.count() / pieces;
            let mut places: [&mut [T]; PLACES] = std::array::from_fn(|place| {
                // SAFETY: each piece has panels of its own, within the buffer.
                unsafe { base.part(place * self.place() + own.start * self.length(), own.len() * self.length()) }
            });
            dispatch(Transform { windows, panels: *self, own, places: &mut places });
        });
        out
    }
}

/// `G g Gt` of the windows of panels, for `G = [[1, 0, 0], [1/2, 1/2, 1/2], [1/2, -1/2, 1/2], [0, 0, 1]]`.
struct Transform<'a, 'b, T> {
    windows: Windows<'a, T>,
    panels: Panels,
    own: Range<usize>,
    places: &'a mut [&'b mut [T]; PLACES],
}

impl<T: Gemm> Task for Transform<'_, '_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Transform { windows, panels, own, places } = self;
        let Panels { height, channels, .. } = panels;
        let (begin, end) = (panels.first(own.start), panels.first(own.end));
        let filters = end - begin;
        let row = filters.next_multiple_of(LANES);
        // Where the filters of each register go: so many, from a lane on, to a place of the first channel's.
        let parts: Vec<Vec<(usize, usize, usize)>> = (begin..end)
            .step_by(LANES)
            .map(|first| {
                let of = |panel: usize| {
                    let rows = panels.rows(panel);
                    let (from, to) = (rows.start.max(first), rows.end.min(first + LANES));
                    let out = (panel - own.start) * panels.length() + from.saturating_sub(rows.start);
                    (from < to).then(|| (to - from, from - first, out))
                };
                own.clone().filter_map(of).collect()
            })
            .collect();
        // Windows that follow each other are laid out together, in whole squares.
        let together = if windows.channel == 1 { 8.min(channels) } else { 1 };
        // The elements of channels' windows, filters side by side. A row has room for whole registers.
        let mut elements = vec![T::ZERO; 9 * together * row];
        for start in (0..channels).step_by(together) {
            let count = together.min(channels - start);
            let matrix = Matrix {
                data: windows.w,
                offset: 9 * (start * windows.channel + begin * windows.filter),
                row_stride: 1,
                column_stride: (9 * windows.filter) as isize,
            };
            transposed(matrix, 9 * count, filters, row, &mut elements);
            for channel in 0..count {
                let elements = &elements[9 * channel * row..][..9 * row];
                let out = (start + channel) * height;
                for (register, parts) in parts.iter().enumerate() {
                    let mut g = [[T::ZERO; LANES]; 9];
                    for (k, g) in g.iter_mut().enumerate() {
                        let at = if windows.is_turned { 8 - k } else { k };
                        g.copy_from_slice(&elements[at * row + register * LANES..][..LANES]);
                    }
                    let columns = [along(&g[0], &g[3], &g[6]), along(&g[1], &g[4], &g[7]), along(&g[2], &g[5], &g[8])];
                    for k in 0..4 {
                        let weights = along(&columns[0][k], &columns[1][k], &columns[2][k]);
                        for (place, weights) in places[4 * k..][..4].iter_mut().zip(&weights) {
                            for &(filters, lane, first) in parts {
                                copy_row(&weights[lane..][..filters], &mut place[out + first..][..filters]);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// `G g` of columns `g`, of a register of filters.
#[inline(always)]
fn along<T: Float>(a: &[T; LANES], b: &[T; LANES], c: &[T; LANES]) -> [[T; LANES]; 4] {
    let half = T::from_f64(0.5);
    let mut between = [[T::ZERO; LANES]; 2];
    for i in 0..LANES {
        between[0][i] = half * (a[i] + c[i] + b[i]);
    }
    for i in 0..LANES {
        between[1][i] = half * (a[i] + c[i] - b[i]);
    }
    [*a, between[0], between[1], *c]
}
