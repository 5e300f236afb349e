//! What the way back of a step does to each number, before the products.

use super::step::each;
use crate::cpu::float::Float;
use crate::cpu::simd::Task;
use crate::recurrent::RecurrentCell;

/// The way back of a step of some sequences, of which each has a row in every part.
pub(super) struct Back<'a, T> {
    pub cell: RecurrentCell,
    pub units: usize,
    /// What the gates let through.
    pub gates: &'a [T],
    /// As the step left it.
    pub extra: &'a [T],
    /// That of the step's output.
    pub gradient: &'a [T],
    /// The hidden state before the step.
    pub previous: &'a [T],
    /// An LSTM's `c` before the step: the first rows, and the others.
    pub c_before: [&'a [T]; 2],
    /// That of the state after the step; then that of the state before it, without what the product with the gates' gradient adds.
    pub dh: &'a mut [T],
    pub dc: &'a mut [T],
    /// Set to the gradients of the gates' parts before their functions.
    pub input: &'a mut [T],
    /// Those of a GRU that come from the state.
    pub hidden: &'a mut [T],
    /// Room for a row.
    pub scratch: &'a mut [T],
}

impl<T: Float> Task for Back<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Back { cell, units, gates, extra, gradient, previous, c_before, dh, dc, input, hidden, scratch } = self;
        let width = cell.gates() * units;
        let early = c_before[0].len() / units.max(1);
        let rows = gates.chunks_exact(width).zip(input.chunks_exact_mut(width)).zip(dh.chunks_exact_mut(units));
        for (row, ((gates, sent), dh)) in rows.enumerate() {
            let place = row * units..(row + 1) * units;
            each(dh, [&gradient[place.clone()]], |dh, [g]| dh + g);
            match cell {
                RecurrentCell::Tanh => each(sent, [dh, gates], |_, [g, y]| g * (T::ONE - y * y)),
                RecurrentCell::Relu => each(sent, [dh, gates], |_, [g, y]| if y <= T::ZERO { T::ZERO } else { g }),
                RecurrentCell::Lstm => {
                    let c_before = if row < early {
                        &c_before[0][place.clone()]
                    } else {
                        &c_before[1][(row - early) * units..][..units]
                    };
                    lstm(gates, &extra[place.clone()], c_before, dh, &mut dc[place], sent, scratch);
                }
                RecurrentCell::Gru => {
                    let hidden = &mut hidden[row * width..][..width];
                    gru(gates, &extra[place.clone()], &previous[place], dh, sent, hidden);
                }
            }
        }
    }
}

/// With `s = sigmoid(x)`, the derivative is `s (1 - s)`; with `t = tanh(x)`, `1 - t^2`.
#[inline(always)]
fn lstm<T: Float>(gates: &[T], c: &[T], c_before: &[T], dh: &[T], dc: &mut [T], sent: &mut [T], tanh_c: &mut [T]) {
    let units = c.len();
    let part = |index: usize| &gates[index * units..][..units];
    let [i, f, g, o] = [part(0), part(1), part(2), part(3)];
    let (to_i, rest) = sent.split_at_mut(units);
    let (to_f, rest) = rest.split_at_mut(units);
    let (to_g, to_o) = rest.split_at_mut(units);
    each(tanh_c, [c], |_, [c]| c.tanh());
    each(to_o, [dh, tanh_c, o], |_, [dh, t, o]| dh * t * (o * (T::ONE - o)));
    each(dc, [dh, tanh_c, o], |dc, [dh, t, o]| dc + dh * o * (T::ONE - t * t));
    each(to_i, [dc, g, i], |_, [dc, g, i]| dc * g * (i * (T::ONE - i)));
    each(to_f, [dc, c_before, f], |_, [dc, c, f]| dc * c * (f * (T::ONE - f)));
    each(to_g, [dc, i, g], |_, [dc, i, g]| dc * i * (T::ONE - g * g));
    each(dc, [f], |dc, [f]| dc * f);
}

#[inline(always)]
fn gru<T: Float>(gates: &[T], from_state: &[T], h: &[T], dh: &mut [T], input: &mut [T], hidden: &mut [T]) {
    let units = h.len();
    let part = |index: usize| &gates[index * units..][..units];
    let [r, z, n] = [part(0), part(1), part(2)];
    let (to_r, rest) = input.split_at_mut(units);
    let (to_z, to_n) = rest.split_at_mut(units);
    each(to_z, [dh, h, n, z], |_, [dh, h, n, z]| dh * (h - n) * (z * (T::ONE - z)));
    each(to_n, [dh, z, n], |_, [dh, z, n]| dh * (T::ONE - z) * (T::ONE - n * n));
    each(to_r, [to_n, from_state, r], |_, [dn, x, r]| dn * x * (r * (T::ONE - r)));
    let (same, from_reset) = hidden.split_at_mut(2 * units);
    each(from_reset, [to_n, r], |_, [dn, r]| dn * r);
    each(dh, [z], |dh, [z]| dh * z);
    same.copy_from_slice(&input[..2 * units]);
}
