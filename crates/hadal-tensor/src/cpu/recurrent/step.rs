//! What a step does to each number, after the products.
//!
//! One loop for each result, over what lies adjacent, which compilers vectorize; a row is near the processor through all of them.

use crate::cpu::float::Float;
use crate::cpu::simd::Task;
use crate::recurrent::RecurrentCell;

/// A step of some sequences, of which each has a row in every part.
pub(super) struct Step<'a, T> {
    pub cell: RecurrentCell,
    pub units: usize,
    /// The gates before their functions, and then after: `[rows, gates * units]`.
    pub gates: &'a mut [T],
    /// Set to the new `c` of an LSTM. Of a GRU, the part of the new state that comes from the state, to which `bias` is added.
    pub extra: &'a mut [T],
    pub bias: Option<&'a [T]>,
    /// The state, which is changed.
    pub h: &'a mut [T],
    pub c: &'a mut [T],
    /// Set to the new `h`.
    pub out: &'a mut [T],
}

/// `out = f(out, inputs)`, number by number.
#[inline(always)]
pub(super) fn each<T: Float, const N: usize>(out: &mut [T], inputs: [&[T]; N], f: impl Fn(T, [T; N]) -> T) {
    let length = out.len();
    let inputs = inputs.map(|input| &input[..length]);
    for index in 0..length {
        out[index] = f(out[index], inputs.map(|input| input[index]));
    }
}

impl<T: Float> Task for Step<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Step { cell, units, gates, extra, bias, h, c, out } = self;
        let rows = gates.chunks_exact_mut(cell.gates() * units).zip(h.chunks_exact_mut(units));
        for (row, (gates, h)) in rows.enumerate() {
            let place = row * units..(row + 1) * units;
            match cell {
                RecurrentCell::Tanh => {
                    each(gates, [], |x, []| x.tanh());
                    h.copy_from_slice(gates);
                }
                RecurrentCell::Relu => {
                    each(gates, [], |x, []| x.relu());
                    h.copy_from_slice(gates);
                }
                RecurrentCell::Lstm => {
                    let c = &mut c[place.clone()];
                    lstm(gates, h, c);
                    extra[place.clone()].copy_from_slice(c);
                }
                RecurrentCell::Gru => gru(gates, &mut extra[place.clone()], bias, h),
            }
            out[place].copy_from_slice(h);
        }
    }
}

/// The four parts of a row of gates.
#[inline(always)]
fn lstm<T: Float>(gates: &mut [T], h: &mut [T], c: &mut [T]) {
    let units = h.len();
    let (input_and_forget, rest) = gates.split_at_mut(2 * units);
    let (new, output) = rest.split_at_mut(units);
    each(input_and_forget, [], |x, []| x.sigmoid());
    each(new, [], |x, []| x.tanh());
    each(output, [], |x, []| x.sigmoid());
    let (input, forget) = input_and_forget.split_at(units);
    each(c, [input, forget, new], |c, [i, f, g]| f * c + i * g);
    each(h, [output, c], |_, [o, c]| o * c.tanh());
}

#[inline(always)]
fn gru<T: Float>(gates: &mut [T], from_state: &mut [T], bias: Option<&[T]>, h: &mut [T]) {
    let units = h.len();
    let (reset_and_update, new) = gates.split_at_mut(2 * units);
    each(reset_and_update, [], |x, []| x.sigmoid());
    let (reset, update) = reset_and_update.split_at(units);
    if let Some(bias) = bias {
        each(from_state, [bias], |x, [b]| x + b);
    }
    each(new, [reset, from_state], |n, [r, x]| (n + r * x).tanh());
    each(h, [update, new], |h, [z, n]| (h - n) * z + n);
}
