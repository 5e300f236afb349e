//! Muon.

use super::adam::Adam;
use super::{Core, Optimizer, ParamUpdate, assert_ready, check_share, has_core};
use crate::nn::Module;
use crate::{Gradients, Result, Tensor, UpdateRule, no_grad};

/// Muon (Jordan and others, 2024): SGD with Nesterov momentum whose update matrix is orthogonalized by Newton-Schulz
/// iterations. `m = momentum * m + g`; the step is `O = newton_schulz(g + momentum * m)` and
/// `w -= learning_rate * 0.2 sqrt(max(rows, columns)) * O` (the scale of Liu and others, arXiv 2502.16982, with which the
/// learning rates of AdamW fit). `newton_schulz` runs five times `x = a x + (b A + c A^2) x` with `A = x xᵀ` on the matrix
/// divided by its norm.
///
/// It is meant for the weight matrices of hidden layers. Parameters with other than two axes follow
/// [`Adam`]'s rule at the same learning rate, as in Keras.
///
/// ```
/// use hadal::prelude::*;
/// let mut model = Sequential::new([4]).add(Dense::new(8).activation(Relu)).add(Dense::new(1)).build()?;
/// let mut optimizer = Muon::new(0.01);
/// let (x, y) = (Tensor::ones([2, 4]), Tensor::zeros([2, 1]));
/// let loss = MeanSquaredError.loss(&model.forward(&x, &mut Context::evaluation()), &y);
/// optimizer.step(&mut model, &loss.backward());
/// assert_eq!(optimizer.core().steps(), 1);
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Muon {
    core: Core,
    momentum: f64,
    nesterov: bool,
}

/// The coefficients `a`, `b`, `c`: steep at 0, so that few iterations do.
const COEFFICIENTS: [f64; 3] = [3.4445, -4.7750, 2.0315];
const ITERATIONS: usize = 5;
/// The root mean square of a step's elements, as a fraction of the learning rate.
const SCALE: f64 = 0.2;

impl Muon {
    /// With the given learning rate; the rest as in [`default`](Muon::default).
    pub fn new(learning_rate: f64) -> Muon {
        Muon { core: Core::new(learning_rate).decoupled(), momentum: 0.95, nesterov: true }
    }

    /// The momentum factor. Default: 0.95.
    pub fn momentum(mut self, momentum: f64) -> Muon {
        self.momentum = momentum;
        self
    }

    /// Whether to use Nesterov momentum. Default: yes.
    pub fn nesterov(mut self, nesterov: bool) -> Muon {
        self.nesterov = nesterov;
        self
    }

    fn matrix_step(&self, place: ParamUpdate) {
        let ParamUpdate { parameter, gradient, states, learning_rate, decay } = place;
        no_grad(|| {
            let weight = parameter.detach();
            let gradient = if decay.coupled == 0.0 { gradient.clone() } else { gradient + &weight * decay.coupled };
            drop(weight);
            if states.is_empty() {
                states.push(parameter.zeros_like());
            }
            let m = &mut states[0];
            *m *= self.momentum;
            *m += &gradient;
            let direction = if self.nesterov { gradient + &*m * self.momentum } else { m.clone() };
            let longest = parameter.size(0).max(parameter.size(1)) as f64;
            let step = orthogonalize(&direction);
            if decay.factor != 1.0 {
                *parameter *= decay.factor;
            }
            parameter.add_scaled(-learning_rate * SCALE * longest.sqrt(), &step);
        });
    }
}

/// A matrix with nearly the singular vectors of `x` and singular values near 1; 0 for 0.
fn orthogonalize(x: &Tensor) -> Tensor {
    if x.elements() == 0 {
        return x.clone();
    }
    let tall = x.size(0) > x.size(1);
    let x = if tall { x.t() } else { x.clone() };
    // Divided by its largest element first, so that no square overflows.
    let largest = x.abs().max();
    let largest = largest.eq(0.0).where_(&largest.ones_like(), &largest);
    let x = x / &largest;
    let norm = x.powi(2).sum().sqrt() + 1e-7 / largest;
    let [a, b, c] = COEFFICIENTS;
    let mut x = x / norm;
    for _ in 0..ITERATIONS {
        let square = x.matmul(&x.t());
        let polynomial = &square * b + square.matmul(&square) * c;
        x = &x * a + polynomial.matmul(&x);
    }
    if tall { x.t() } else { x }
}

impl Default for Muon {
    /// Learning rate 0.001, momentum 0.95 with Nesterov momentum: Keras's defaults, but without weight decay.
    fn default() -> Muon {
        Muon::new(0.001)
    }
}

impl Optimizer for Muon {
    has_core!("muon");

    fn update_rule(&self, learning_rate: f64, step: u64, apply: &mut dyn FnMut(&dyn UpdateRule)) {
        Adam::default().update_rule(learning_rate, step, apply);
    }

    fn describe(&self) -> String {
        let Muon { momentum, nesterov, .. } = self;
        format!("muon with learning rate {}, momentum {momentum}, nesterov {nesterov}", self.learning_rate())
    }

    fn step(&mut self, model: &mut dyn Module, gradients: &Gradients) {
        assert_ready(self, model);
        let mut core = std::mem::take(&mut self.core);
        let step = core.steps() + 1;
        core.walk(model, gradients, &mut |place| {
            if place.parameter.rank() == 2 {
                return self.matrix_step(place);
            }
            place.step(self, step);
        });
        self.core = core;
    }

    fn check_settings(&self) -> Result<()> {
        check_share("momentum", self.momentum)
    }
}
