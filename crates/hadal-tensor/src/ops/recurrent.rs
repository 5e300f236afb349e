//! Recurrent layers along packed sequences.

use super::arithmetic::{check_float, check_same_dtype};
use super::join::concat;
use crate::recurrent::{RecurrentCell, RecurrentWeights, Steps};
use crate::tensor::Tensor;

impl Tensor {
    /// A recurrent layer along [packed](Steps) sequences `[rows, features]`: the hidden states at all steps, `[rows, units]`, and the state
    /// at the end of each sequence. `state` is that before the first step: `h`, and `c` for an LSTM, each `[sequences, units]`; sequences
    /// are those with the most steps first, and may be more than have any step.
    ///
    /// ```
    /// use hadal_tensor::{RecurrentCell, RecurrentWeights, Rng, Steps, Tensor};
    /// let mut rng = Rng::new(0);
    /// let (ih, hh) = (Tensor::randn([4 * 5, 3], &mut rng), Tensor::randn([4 * 5, 5], &mut rng));
    /// let weights = RecurrentWeights { ih: &ih, hh: &hh, bias: None };
    /// // Two sequences, of 3 steps and of 1.
    /// let (x, zeros) = (Tensor::randn([4, 3], &mut rng), Tensor::zeros([2, 5]));
    /// let (h, state) = x.recurrent(RecurrentCell::Lstm, weights, &[zeros.clone(), zeros], &Steps::packed(&[2, 1, 1]));
    /// assert_eq!((h.shape(), state[1].shape()), (&[4, 5].into(), &[2, 5].into()));
    /// assert_eq!(state[0].narrow(0, 1, 1).to_vec::<f32>(), h.narrow(0, 1, 1).to_vec::<f32>());
    /// ```
    ///
    /// # Panics
    /// If shapes do not fit, or dtypes differ or are not floating-point.
    #[doc(alias = "lstm")]
    #[doc(alias = "gru")]
    #[doc(alias = "rnn")]
    #[track_caller]
    pub fn recurrent(
        &self,
        cell: RecurrentCell,
        weights: RecurrentWeights,
        state: &[Tensor],
        steps: &Steps,
    ) -> (Tensor, Vec<Tensor>) {
        let (sequences, units) = check(self, cell, weights, state, steps);
        let all = composed(self, cell, weights, state, steps);
        let rows = steps.rows();
        let mut states = Vec::with_capacity(state.len());
        for index in 0..state.len() {
            states.push(all.narrow(0, rows + index * sequences, sequences));
        }
        debug_assert_eq!(all.shape()[1], units);
        (all.narrow(0, 0, rows), states)
    }
}

/// The numbers of sequences and of units.
#[track_caller]
fn check(
    x: &Tensor,
    cell: RecurrentCell,
    weights: RecurrentWeights,
    state: &[Tensor],
    steps: &Steps,
) -> (usize, usize) {
    let RecurrentWeights { ih, hh, bias } = weights;
    check_float("recurrent", x);
    let gates = cell.gates();
    assert!(
        hh.rank() == 2 && hh.shape()[1].checked_mul(gates) == Some(hh.shape()[0]),
        "recurrent: weight_hh is {}, but must be [{gates} units, units]",
        hh.shape()
    );
    let units = hh.shape()[1];
    assert!(
        x.rank() == 2 && ih.rank() == 2 && ih.shape()[0] == hh.shape()[0] && ih.shape()[1] == x.shape()[1],
        "recurrent: inputs {} and weight_ih {} do not fit weight_hh {}: inputs are [rows, features], weight_ih [{gates} units, features]",
        x.shape(),
        ih.shape(),
        hh.shape()
    );
    assert!(
        x.shape()[0] == steps.rows(),
        "recurrent: the input has {} rows, but the steps of all sequences are {}",
        x.shape()[0],
        steps.rows()
    );
    assert!(
        state.len() == cell.states(),
        "recurrent: the state of {cell:?} has {} tensors, {} were given",
        cell.states(),
        state.len()
    );
    let sequences = state[0].shape().first().copied().unwrap_or(0);
    for state in state {
        assert!(
            state.shape()[..] == [sequences, units] && sequences >= steps.sequences(),
            "recurrent: a state is {}, but must be [sequences, {units}] for {} sequences",
            state.shape(),
            steps.sequences().max(sequences)
        );
        check_same_dtype("recurrent", x, state);
    }
    for bias in bias.into_iter().flatten() {
        assert!(
            bias.shape()[..] == hh.shape()[..1],
            "recurrent: a bias is {}, but must be [{}]",
            bias.shape(),
            hh.shape()[0]
        );
        check_same_dtype("recurrent", x, bias);
    }
    check_same_dtype("recurrent", x, ih);
    check_same_dtype("recurrent", x, hh);
    (sequences, units)
}

/// The hidden states at all steps, and below them the states at the end, by operations that can be differentiated any number of times.
#[track_caller]
fn composed(x: &Tensor, cell: RecurrentCell, weights: RecurrentWeights, state: &[Tensor], steps: &Steps) -> Tensor {
    let RecurrentWeights { ih, hh, bias } = weights;
    let projected = x.linear(ih, bias.map(|bias| bias[0]));
    let mut state = state.to_vec();
    let mut outputs = Vec::new();
    for rows in steps.in_order() {
        let mut now = Vec::with_capacity(state.len());
        for state in &state {
            now.push(state.narrow(0, 0, rows.len()));
        }
        let from_state = now[0].linear(hh, bias.map(|bias| bias[1]));
        let next = step(cell, &projected.narrow(0, rows.start, rows.len()), &from_state, &now);
        outputs.push((rows.start, next[0].clone()));
        for (state, next) in state.iter_mut().zip(next) {
            let rest = state.narrow(0, rows.len(), state.shape()[0] - rows.len());
            *state = concat(&[next, rest], 0);
        }
    }
    outputs.sort_by_key(|(start, _)| *start);
    let parts: Vec<Tensor> = outputs.into_iter().map(|(_, output)| output).chain(state).collect();
    concat(&parts, 0)
}

/// The state after a step, from the parts of the gates that come from the input and from the state, and the state before.
#[track_caller]
fn step(cell: RecurrentCell, input: &Tensor, hidden: &Tensor, state: &[Tensor]) -> Vec<Tensor> {
    let units = state[0].shape()[1];
    let gate = |gates: &Tensor, index: usize| gates.narrow(1, index * units, units);
    match cell {
        RecurrentCell::Tanh => vec![(input + hidden).tanh()],
        RecurrentCell::Relu => vec![(input + hidden).relu()],
        RecurrentCell::Lstm => {
            let gates = input + hidden;
            let kept = gate(&gates, 1).sigmoid() * &state[1];
            let c = kept + gate(&gates, 0).sigmoid() * gate(&gates, 2).tanh();
            vec![gate(&gates, 3).sigmoid() * c.tanh(), c]
        }
        RecurrentCell::Gru => {
            let reset = (gate(input, 0) + gate(hidden, 0)).sigmoid();
            let update = (gate(input, 1) + gate(hidden, 1)).sigmoid();
            let new = (gate(input, 2) + reset * gate(hidden, 2)).tanh();
            vec![(&state[0] - &new) * update + new]
        }
    }
}
