//! Recurrent layers: all steps of a layer in one direction, and their way back.
//!
//! Sequences do not see each other: each piece of work is some of them, from the first step to the last, so that threads meet once for a
//! layer and not at every step. Pieces are cut by the number of sequences: the bits do not depend on threads. The product with the
//! recurrent weight is by a matrix that is packed once ([`Prepared`]); what is done to each number of a step is in [`step`] and
//! [`back`].

mod back;
mod step;
pub(super) mod storage;

use std::ops::Range;

use super::buffer::{Buffer, Plain};
use super::gemm::{Formats, Matrix, Prepared};
use super::simd::dispatch;
use super::threads::{SharedMut, for_each_piece};
use crate::recurrent::{RecurrentCell, Steps};
use back::Back;
use step::Step;

/// Sequences of a piece of work, at most. Each piece reads the whole recurrent weight at every step, for all its sequences at once; of a
/// batch of 32, two threads have a piece each.
const SEQUENCES: usize = 16;
/// Fewer sequences are one piece, whose products are shared among threads.
const FEW: usize = 8;

/// A layer in one direction: what it is made of, and what it begins with.
#[derive(Clone, Copy)]
pub(super) struct Layer<'a, T> {
    pub cell: RecurrentCell,
    pub steps: &'a Steps,
    pub units: usize,
    /// Sequences, also those without any step.
    pub sequences: usize,
    /// `[gates * units, units]`.
    pub hh: &'a [T],
    /// `h`, and `c` of an LSTM, `[sequences, units]` each.
    pub state: [&'a [T]; 2],
}

/// What is sent back.
pub(super) struct Gradients<T: Plain> {
    /// To the gates' parts that come from the input, `[rows, gates * units]`.
    pub input: Buffer<T>,
    /// To those that come from the state, where they are others.
    pub hidden: Option<Buffer<T>>,
    /// No gradient: the hidden state before each step, `[rows, units]`.
    pub previous: Buffer<T>,
    /// To the state in the beginning, `[states * sequences, units]`.
    pub state: Buffer<T>,
}

impl<T: Formats> Layer<'_, T> {
    fn width(&self) -> usize {
        self.cell.gates() * self.units
    }

    /// How many pieces the sequences are cut into, and how many sequences each has, for a matrix that is packed or not.
    fn pieces(&self, packed: bool) -> (usize, usize) {
        let count = self.steps.sequences();
        let pieces = if count < FEW || !packed { 1 } else { count.div_ceil(SEQUENCES).next_multiple_of(2) };
        let size = count.div_ceil(pieces).max(1);
        (count.div_ceil(size), size)
    }

    /// The recurrent weight, `[gates * units, units]`, from some gate on.
    fn weight(&self, gate: usize) -> Matrix<'_, T> {
        let units = self.units;
        Matrix { data: self.hh, offset: gate * units * units, row_stride: units as isize, column_stride: 1 }
    }

    /// All steps. `gates` are the gates' parts that come from the input, `[rows, gates * units]`, with all biases but `bias`, which a GRU's
    /// new state has within the reset; they become what the gates let through. Returns the hidden states at all steps and below them the
    /// states at the end, `[rows + states * sequences, units]`; and what the way back needs beside, `[rows, units]`: an LSTM's `c`, a
    /// GRU's part of the new state that comes from the state.
    pub fn forward(&self, gates: &mut [T], bias: Option<&[T]>) -> (Buffer<T>, Buffer<T>) {
        let Layer { cell, units, steps, sequences, .. } = *self;
        let (rows, width) = (steps.rows(), self.width());
        assert!(gates.len() == rows * width && self.hh.len() == width * units && steps.sequences() <= sequences);
        let end = sequences * units;
        let mut out = Buffer::scratch(rows * units + cell.states() * end);
        for (state, initial) in out[rows * units..].chunks_exact_mut(end.max(1)).zip(self.state) {
            state.copy_from_slice(initial);
        }
        let mut extra = Buffer::scratch(if width == units { 0 } else { rows * units });
        // Of a GRU, the part of the new state that comes from the state stays by itself.
        let together = if cell == RecurrentCell::Gru { 2 } else { cell.gates() };
        let weight = Prepared::new(self.weight(0).flipped(), units, together * units, steps.count());
        let apart = (together < cell.gates())
            .then(|| Prepared::new(self.weight(together).flipped(), units, units, steps.count()));
        let [gates, out_base, extra_base] =
            [gates, &mut out, &mut extra].map(|buffer| SharedMut::new(buffer.as_mut_ptr()));
        let (pieces, size) = self.pieces(weight.is_packed());
        for_each_piece(pieces, |piece| {
            let first = piece * size;
            for range in steps.in_order() {
                let count = range.len().min(first + size).saturating_sub(first);
                if count == 0 {
                    continue;
                }
                // SAFETY: a piece has the rows of its sequences alone, at each step and in the states at the end, which begin
                // behind the rows; all lie within the buffers, whose sizes were made or checked above.
                let (gates, out, h, c, extra) = unsafe {
                    let row = range.start + first;
                    let state = |index: usize| out_base.part((rows + index * sequences + first) * units, count * units);
                    (
                        gates.part(row * width, count * width),
                        out_base.part(row * units, count * units),
                        state(0),
                        if cell.states() == 2 { state(1) } else { &mut [][..] },
                        if width == units { &mut [][..] } else { extra_base.part(row * units, count * units) },
                    )
                };
                let before = Matrix { data: h, offset: 0, row_stride: units as isize, column_stride: 1 };
                weight.multiply(before, count, gates, width, true);
                if let Some(apart) = &apart {
                    apart.multiply(before, count, extra, units, false);
                }
                dispatch(Step { cell, units, gates, extra, bias, h, c, out });
            }
        });
        (out, extra)
    }

    /// The way back of what [`forward`](Layer::forward) gave: `gradient` is that of all it returned.
    pub fn backward(&self, gradient: &[T], gates: &[T], extra: &[T], out: &[T]) -> Gradients<T> {
        let Layer { cell, units, steps, sequences, state, .. } = *self;
        let (rows, width) = (steps.rows(), self.width());
        let mut input = Buffer::scratch(rows * width);
        let mut hidden = (cell == RecurrentCell::Gru).then(|| Buffer::scratch(rows * width));
        let mut previous = Buffer::scratch(rows * units);
        let mut sent = Buffer::from_slice(&gradient[rows * units..]);
        assert!(
            gradient.len() == out.len()
                && gates.len() == rows * width
                && sent.len() == cell.states() * sequences * units
        );
        assert!(steps.sequences() <= sequences);
        let weight = Prepared::new(self.weight(0), width, units, steps.count());
        let [input_base, previous_base, sent_base] =
            [&mut input, &mut previous, &mut sent].map(|buffer| SharedMut::new(buffer.as_mut_ptr()));
        let hidden_base = hidden.as_mut().map(|buffer| SharedMut::new(buffer.as_mut_ptr()));
        let order: Vec<Range<usize>> = steps.in_order().collect();
        let (pieces, size) = self.pieces(weight.is_packed());
        for_each_piece(pieces, |piece| {
            let first = piece * size;
            let mut scratch = Buffer::scratch(units);
            for (turn, range) in order.iter().enumerate().rev() {
                let count = range.len().min(first + size).saturating_sub(first);
                if count == 0 {
                    continue;
                }
                let row = range.start + first;
                // SAFETY: as in `forward`.
                let (input, hidden, previous, dh, dc) = unsafe {
                    let state = |index: usize| sent_base.part((index * sequences + first) * units, count * units);
                    (
                        input_base.part(row * width, count * width),
                        hidden_base.map_or(&mut [][..], |base| base.part(row * width, count * width)),
                        previous_base.part(row * units, count * units),
                        state(0),
                        if cell.states() == 2 { state(1) } else { &mut [][..] },
                    )
                };
                // Those that took a step before this one, and those that begin with it.
                let before = turn.checked_sub(1).map_or(0..0, |turn| order[turn].clone());
                let going_on = before.len().min(first + count).saturating_sub(first);
                let old = (before.start + first) * units..(before.start + first + going_on) * units;
                let new = (first + going_on) * units..(first + count) * units;
                let (from_before, from_start) = previous.split_at_mut(going_on * units);
                if going_on > 0 {
                    from_before.copy_from_slice(&out[old.clone()]);
                }
                from_start.copy_from_slice(&state[0][new.clone()]);
                let c_before = match cell {
                    RecurrentCell::Lstm if going_on > 0 => [&extra[old], &state[1][new]],
                    RecurrentCell::Lstm => [&[][..], &state[1][new]],
                    _ => [&[][..]; 2],
                };
                dispatch(Back {
                    cell,
                    units,
                    gates: &gates[row * width..][..count * width],
                    extra: if extra.is_empty() { extra } else { &extra[row * units..][..count * units] },
                    gradient: &gradient[row * units..][..count * units],
                    previous,
                    c_before,
                    dh,
                    dc,
                    input,
                    hidden,
                    scratch: &mut scratch,
                });
                let sent: &[T] = if cell == RecurrentCell::Gru { hidden } else { input };
                let sent = Matrix { data: sent, offset: 0, row_stride: width as isize, column_stride: 1 };
                weight.multiply(sent, count, dh, units, cell == RecurrentCell::Gru);
            }
        });
        Gradients { input, hidden, previous, state: sent }
    }
}
