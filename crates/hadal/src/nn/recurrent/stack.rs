//! What all recurrent layers share: their settings, their weights, and how they run over a batch of sequences.

use serde::{Deserialize, Serialize};

use super::packing::Packing;
use super::weights::{Scheme, Weights};
use crate::nn::{Activation, Context, Dropout, Forward, Plan};
use crate::{Error, RecurrentCell, Result, Rng, Shape, Tensor, concat, stack};

/// The recurrent layers by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    SimpleRnn,
    Lstm,
    Gru,
}

impl Family {
    pub fn name(self) -> &'static str {
        match self {
            Family::SimpleRnn => "SimpleRnn",
            Family::Lstm => "Lstm",
            Family::Gru => "Gru",
        }
    }

    fn cell(self, activation: Activation) -> RecurrentCell {
        match self {
            Family::SimpleRnn if activation == Activation::Relu => RecurrentCell::Relu,
            Family::SimpleRnn => RecurrentCell::Tanh,
            Family::Lstm => RecurrentCell::Lstm,
            Family::Gru => RecurrentCell::Gru,
        }
    }
}

/// Recurrent layers one upon another, in one direction or both.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stack {
    // Defaults are not written to files.
    pub units: usize,
    /// Of a simple layer; the other cells have theirs.
    #[serde(default = "tanh", skip_serializing_if = "is_tanh")]
    pub activation: Activation,
    #[serde(default, skip_serializing_if = "is_default")]
    pub return_sequences: bool,
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub layers: usize,
    #[serde(default, skip_serializing_if = "is_default")]
    pub bidirectional: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub dropout: f64,
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub use_bias: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub init: Scheme,
    /// Layer by layer, the forward direction first.
    #[serde(skip)]
    pub weights: Vec<Weights>,
}

fn tanh() -> Activation {
    Activation::Tanh
}

fn is_tanh(activation: &Activation) -> bool {
    *activation == tanh()
}

fn one() -> usize {
    1
}

fn is_one(number: &usize) -> bool {
    *number == 1
}

fn yes() -> bool {
    true
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What a run gives.
pub(super) struct Outputs {
    packing: Packing,
    /// Those of the last layer, as packed rows.
    rows: Tensor,
    /// `[layers * directions, batch, units]` each.
    pub state: Vec<Tensor>,
}

impl Outputs {
    /// `[batch, time, directions * units]`.
    pub fn sequences(&self) -> Tensor {
        self.packing.unpack(&self.rows)
    }
}

impl Stack {
    pub fn new(units: usize, init: Scheme) -> Stack {
        Stack {
            units,
            activation: tanh(),
            return_sequences: false,
            layers: 1,
            bidirectional: false,
            dropout: 0.0,
            use_bias: true,
            init,
            weights: Vec::new(),
        }
    }

    fn directions(&self) -> usize {
        if self.bidirectional { 2 } else { 1 }
    }

    /// What is wrong with the settings.
    fn check(&self, family: Family) -> Result<(), String> {
        let simple = family == Family::SimpleRnn;
        let Stack { units, activation, layers, dropout, .. } = *self;
        if units == 0 || layers == 0 {
            let what = if units == 0 { "unit" } else { "layer" };
            return Err(format!("at least 1 {what} is needed, not 0"));
        }
        if !(0.0..1.0).contains(&dropout) {
            return Err(format!("the dropout rate {dropout} is not within [0, 1)"));
        }
        if dropout > 0.0 && layers == 1 {
            return Err(format!(
                "dropout acts between layers, but there is 1 layer; use layers(2), or a Dropout({dropout}) after this layer"
            ));
        }
        if !(activation == Activation::Tanh || simple && activation == Activation::Relu) {
            let allowed = if simple { "tanh or relu" } else { "tanh" };
            return Err(format!("the activation can be {allowed}, not {activation}"));
        }
        Ok(())
    }

    pub fn plan(&self, family: Family, input: &Shape) -> Result<Plan> {
        let name = family.name();
        self.check(family).map_err(|problem| Error::Config(format!("{name}: {problem}")))?;
        let &[time, features] = &**input else {
            let hint = if input.rank() == 1 {
                "; indices of words become vectors by an Embedding before it, and numbers that follow in time a sequence of \
                 vectors by a Reshape"
            } else {
                ""
            };
            return Err(Error::Config(format!(
                "{name} takes samples of shape [time, features], but its input has shape {input}{hint}"
            )));
        };
        if time == 0 {
            return Err(Error::Config(format!("{name}: its input of shape {input} has no steps")));
        }
        let rows = family.cell(self.activation).gates().saturating_mul(self.units);
        let biases = if self.use_bias { 2 } else { 0 };
        let width = self.units.saturating_mul(self.directions());
        let layer = |features: usize| {
            let columns = features.saturating_add(self.units).saturating_add(biases);
            Shape::try_new(&[self.directions(), rows, columns]).map(|shape| shape.elements())
        };
        let weights = layer(features)?.saturating_add(layer(width)?.saturating_mul(self.layers - 1));
        let sizes = [time, width];
        let output_shape = Shape::try_new(if self.return_sequences { &sizes } else { &sizes[1..] })?;
        Ok(Plan { output_shape, weights })
    }

    #[track_caller]
    pub fn build(&mut self, family: Family, features: usize, rng: &mut Rng) {
        let cell = family.cell(self.activation);
        self.weights.clear();
        for layer in 0..self.layers {
            let features = if layer == 0 { features } else { self.units * self.directions() };
            for _ in 0..self.directions() {
                self.weights.push(Weights::new(cell, self.init, features, self.units, self.use_bias, rng));
            }
        }
    }

    /// The setting `what` decides which weights there are.
    #[track_caller]
    pub fn assert_no_weights(&self, family: Family, what: &str) {
        let name = family.name();
        assert!(
            self.weights.is_empty(),
            "{name}: {what} must be set before the weights are made, for example by {name}::new(units).{what}(..).built([time, \
             features], rng)"
        );
    }

    pub fn label(&self, family: Family) -> String {
        let name = family.name();
        match (self.layers, self.bidirectional) {
            (1, false) => name.to_owned(),
            (1, true) => format!("{name} (bidirectional)"),
            (layers, false) => format!("{name} ({layers} layers)"),
            (layers, true) => format!("{name} ({layers}, bidirectional)"),
        }
    }

    /// PyTorch's end of the names of the tensors of each layer and direction.
    fn suffix(&self, index: usize) -> String {
        let directions = self.directions();
        format!("_l{}{}", index / directions, if index % directions == 1 { "_reverse" } else { "" })
    }

    pub fn visit(&self, path: &str, visitor: &mut dyn FnMut(&str, &Tensor)) {
        for (index, weights) in self.weights.iter().enumerate() {
            weights.visit(path, &self.suffix(index), visitor);
        }
    }

    pub fn visit_mut(&mut self, path: &str, visitor: &mut dyn FnMut(&str, &mut Tensor)) {
        for index in 0..self.weights.len() {
            let suffix = self.suffix(index);
            self.weights[index].visit_mut(path, &suffix, visitor);
        }
    }

    /// Runs over `[batch, time, features]` from `state`, zeros without one.
    ///
    /// # Errors
    /// What does not fit.
    pub fn run(
        &self,
        family: Family,
        x: &Tensor,
        state: Option<&[Tensor]>,
        lengths: Option<&[usize]>,
        ctx: &mut Context,
    ) -> Result<Outputs, String> {
        let name = family.name();
        self.check_inputs(family, x, state).map_err(|problem| format!("{name}: {problem}"))?;
        let packing = Packing::new(x.size(0), x.size(1), lengths).map_err(|problem| format!("{name}: {problem}"))?;
        let cell = family.cell(self.activation);
        let zeros = Tensor::full_of([x.size(0), self.units], 0.0, x.dtype());
        let start: Option<Vec<Tensor>> =
            state.map(|state| state.iter().map(|state| packing.sorted(state, 1)).collect());
        let backward = packing.steps.reversed();
        let mut rows = packing.pack(x);
        let mut ends = vec![Vec::new(); cell.states()];
        for (layer, weights) in self.weights.chunks(self.directions()).enumerate() {
            if layer > 0 && self.dropout > 0.0 {
                rows = Dropout::new(self.dropout).forward(&rows, ctx);
            }
            let mut outputs = Vec::with_capacity(weights.len());
            for (direction, weights) in weights.iter().enumerate() {
                let index = layer * self.directions() + direction;
                let before: Vec<Tensor> = match &start {
                    Some(start) => start.iter().map(|start| start.narrow(0, index, 1).squeeze(0)).collect(),
                    None => vec![zeros.clone(); cell.states()],
                };
                let steps = if direction == 0 { &packing.steps } else { &backward };
                let (output, end) = rows.recurrent(cell, weights.as_recurrent(), &before, steps);
                outputs.push(output);
                for (ends, end) in ends.iter_mut().zip(end) {
                    ends.push(end);
                }
            }
            rows = if outputs.len() == 1 { outputs.remove(0) } else { concat(&outputs, 1) };
        }
        let state = ends.iter().map(|ends| packing.unsorted(&stack(ends, 0), 1)).collect();
        Ok(Outputs { packing, rows, state })
    }

    fn check_inputs(&self, family: Family, x: &Tensor, state: Option<&[Tensor]>) -> Result<(), String> {
        let Some(first) = self.weights.first() else {
            return Err("the layer has no weights yet; make it with built(), or build or compile the Sequential that \
                        contains it"
                .into());
        };
        self.check(family)?;
        let (features, dtype) = (first.features(), first.ih.dtype());
        if x.rank() != 3 || x.size(2) != features {
            let hint = match x.rank() {
                2 => "; unsqueeze(0) makes a batch of one sequence",
                3 if x.size(1) == features => "; its features seem to be axis 1: transpose(1, 2) makes them the last",
                _ => "",
            };
            return Err(format!(
                "the input has shape {}, but the layer takes [batch, time, {features}]{hint}",
                x.shape()
            ));
        }
        if x.size(1) == 0 {
            return Err(format!("the input of shape {} has no steps", x.shape()));
        }
        if x.dtype() != dtype {
            return Err(format!("the input holds {}, the weights {dtype}; convert one with to_dtype", x.dtype()));
        }
        for state in state.into_iter().flatten() {
            let expected = [self.weights.len(), x.size(0), self.units];
            if state.shape()[..] != expected || state.dtype() != dtype {
                return Err(format!(
                    "the state is {} {}, but must be {dtype} {expected:?}: [layers * directions, batch, units]",
                    state.dtype(),
                    state.shape()
                ));
            }
        }
        Ok(())
    }

    /// # Errors
    /// If it cannot take sequences piece by piece.
    pub fn check_stream(&self, family: Family) -> Result<(), String> {
        if !self.bidirectional {
            return Ok(());
        }
        Err(format!(
            "{}: a bidirectional layer needs the whole sequence; it cannot run in a Stream, where it comes piece by piece",
            family.name()
        ))
    }

    /// The output of the layer in a network: that of all steps, or that of each direction's last.
    ///
    /// # Errors
    /// What does not fit.
    pub fn forward(&self, family: Family, x: &Tensor, ctx: &mut Context) -> Result<Tensor, String> {
        if ctx.carried.is_some() {
            self.check_stream(family)?;
        }
        let lengths = ctx.take_lengths();
        let output = ctx.carry(|ctx, before: Option<Vec<Tensor>>| {
            match self.run_piece(family, x, before.as_deref(), lengths.as_deref(), ctx) {
                Ok(outputs) => (Ok(self.output(&outputs)), outputs.state),
                Err(problem) => (Err(problem), before.unwrap_or_default()),
            }
        });
        ctx.set_lengths(lengths.filter(|_| self.return_sequences));
        output
    }

    /// [`run`](Stack::run) over a piece of sequences that have come as far as `before`.
    fn run_piece(
        &self,
        family: Family,
        x: &Tensor,
        before: Option<&[Tensor]>,
        lengths: Option<&[usize]>,
        ctx: &mut Context,
    ) -> Result<Outputs, String> {
        match before.and_then(|state| state.first()).map(|h| h.size(1)) {
            Some(began) if x.rank() == 3 && x.size(0) != began => Err(format!(
                "{}: this piece has {} samples, but the sequence began with {began}",
                family.name(),
                x.size(0)
            )),
            _ => self.run(family, x, before, lengths, ctx),
        }
    }

    fn output(&self, outputs: &Outputs) -> Tensor {
        if self.return_sequences {
            return outputs.sequences();
        }
        let (h, directions) = (&outputs.state[0], self.directions());
        let last = |direction: usize| h.narrow(0, self.weights.len() - directions + direction, 1).squeeze(0);
        if directions == 1 { last(0) } else { concat(&[last(0), last(1)], 1) }
    }
}
