//! Recurrent layers along packed sequences.

use super::arithmetic::{check_float, check_same_dtype};
use super::join::concat;
use super::matmul::product_like;
use crate::autograd::{Sink, record_with_output, records, unrecorded};
use crate::backend::{RecurrentLayer, Storage, View};
use crate::recurrent::{RecurrentCell, RecurrentWeights, Steps};
use crate::shape::Shape;
use crate::tensor::{Tensor, Value};

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
        check(self, cell, weights, state, steps);
        let all = fused(self, cell, weights, state, steps);
        let (rows, sequences) = (steps.rows(), state[0].shape()[0]);
        let mut states = Vec::with_capacity(state.len());
        for index in 0..state.len() {
            states.push(all.narrow(0, rows + index * sequences, sequences));
        }
        (all.narrow(0, 0, rows), states)
    }
}

/// The hidden states at all steps, and below them the states at the end. The product of all inputs with their weight is one, and so are
/// the gradients of the weights; a gradient that is itself to be differentiated goes through [`composed`].
#[track_caller]
fn fused(x: &Tensor, cell: RecurrentCell, weights: RecurrentWeights, state: &[Tensor], steps: &Steps) -> Tensor {
    let RecurrentWeights { ih, hh, bias } = weights;
    let (bias_together, bias_apart) = biases(cell, bias);
    // The gates' parts that come from the input, which become what the gates let through.
    let mut gates = x.detach().linear(&ih.detach(), bias_together.as_ref());
    let views: Vec<View> = state.iter().map(Tensor::view).collect();
    let layer = RecurrentLayer { cell, steps, hh: hh.view(), state: &views };
    let numbers = &mut gates.make_unshared().storage;
    let [hidden, extra] = x.backend().recurrent(layer, numbers, bias_apart.as_ref().map(Tensor::view));
    let rows = steps.rows() + state.len() * state[0].shape()[0];
    let value = Value::contiguous(Shape::new(&[rows, hh.shape()[1]]), hidden);
    let inputs: Vec<&Tensor> = [x, ih, hh].into_iter().chain(bias.into_iter().flatten()).chain(state).collect();
    if !records(&inputs) {
        return unrecorded("recurrent", value, &inputs);
    }
    let call = Call { cell, steps: steps.clone(), inputs: inputs.iter().map(|&input| input.clone()).collect() };
    record_with_output("recurrent", value, &inputs, move |g, y, sink| {
        if records(&call.inputs.iter().collect::<Vec<_>>()) {
            return call.send_through_composed(g, sink);
        }
        call.send_back(g, &gates.value().storage, [&y.value().storage, &extra], sink);
    })
}

/// The biases of the gates, and that which a GRU's new state has within the reset.
#[track_caller]
fn biases(cell: RecurrentCell, bias: Option<[&Tensor; 2]>) -> (Option<Tensor>, Option<Tensor>) {
    let Some([input, state]) = bias.map(|bias| bias.map(Tensor::detach)) else { return (None, None) };
    if cell != RecurrentCell::Gru {
        return (Some(input + state), None);
    }
    let units = state.elements() / 3;
    let sum = input.narrow(0, 0, 2 * units) + state.narrow(0, 0, 2 * units);
    (Some(concat(&[sum, input.narrow(0, 2 * units, units)], 0)), Some(state.narrow(0, 2 * units, units)))
}

/// What a recurrent layer was called with.
struct Call {
    cell: RecurrentCell,
    steps: Steps,
    /// The input, the weights, the biases if there are any, and the state.
    inputs: Vec<Tensor>,
}

impl Call {
    /// Where the state begins among the inputs.
    fn first_state(&self) -> usize {
        self.inputs.len() - self.cell.states()
    }

    fn send_back(&self, g: &Tensor, gates: &Storage, given: [&Storage; 2], sink: &mut Sink) {
        let [x, ih, hh, ..] = &self.inputs[..] else { unreachable!("an input and two weights come first") };
        let first_state = self.first_state();
        let state = &self.inputs[first_state..];
        let views: Vec<View> = state.iter().map(Tensor::view).collect();
        let layer = RecurrentLayer { cell: self.cell, steps: &self.steps, hh: hh.view(), state: &views };
        let sent = x.backend().recurrent_gradients(layer, g.view(), gates, given);
        let rows = |columns: usize, storage| Tensor::from_storage(Shape::new(&[self.steps.rows(), columns]), storage);
        let [width, units] = [hh.shape()[0], hh.shape()[1]];
        let input = rows(width, sent.input);
        let hidden = sent.hidden.map_or_else(|| input.clone(), |hidden| rows(width, hidden));
        let previous = rows(units, sent.previous);
        let sequences = state[0].shape()[0];
        let states = Tensor::from_storage(Shape::new(&[state.len() * sequences, units]), sent.state);
        sink.add(0, || product_like(x, (&input, false), (ih, false)));
        sink.add(1, || product_like(ih, (&input, true), (x, false)));
        sink.add(2, || product_like(hh, (&hidden, true), (&previous, false)));
        if first_state > 3 {
            sink.add(3, || input.sum_to(Shape::new(&[width])));
            sink.add(4, || hidden.sum_to(Shape::new(&[width])));
        }
        for index in 0..state.len() {
            sink.add(first_state + index, || states.narrow(0, index * sequences, sequences));
        }
    }

    fn send_through_composed(&self, g: &Tensor, sink: &mut Sink) {
        let [x, ih, hh, rest @ ..] = &self.inputs[..] else { unreachable!("an input and two weights come first") };
        let (biases, state) = rest.split_at(self.first_state() - 3);
        let bias = if let [input, state] = biases { Some([input, state]) } else { None };
        let result = composed(x, self.cell, RecurrentWeights { ih, hh, bias }, state, &self.steps);
        sink.send_through(&result, g);
    }
}

#[track_caller]
fn check(x: &Tensor, cell: RecurrentCell, weights: RecurrentWeights, state: &[Tensor], steps: &Steps) {
    let RecurrentWeights { ih, hh, bias } = weights;
    check_float("recurrent", x);
    let gates = cell.gates();
    assert!(
        hh.rank() == 2 && hh.shape()[1].checked_mul(gates) == Some(hh.shape()[0]),
        "recurrent: weight_hh is {}, but must be [{gates} units, units]",
        hh.shape()
    );
    let units = hh.shape()[1];
    assert!(units > 0, "recurrent: weight_hh is {}; at least 1 unit is needed", hh.shape());
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
