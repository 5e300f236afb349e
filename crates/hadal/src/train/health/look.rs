//! What is seen of a step: norms of gradients, weights and updates, and units without gradient.

use crate::nn::Module;
use crate::{DType, Gradients, Tensor};

/// At most so many units of a tensor are looked at, and so many numbers of each, evenly spread. Norms of 64 rows of 512 are within
/// a few percent of those of all, where the thresholds are powers of ten.
const ROWS: usize = 64;
const COLUMNS: usize = 1024;

/// What is seen of a step.
pub(super) struct Look {
    pub at: (usize, usize),
    pub learning_rate: f64,
    /// The weights with gradients, first to last: tensors with two axes or more.
    pub weights: Vec<Weight>,
    /// For every bias, and tensors with one axis like it, by name: which units got a gradient.
    pub units: Vec<(String, Vec<bool>)>,
}

/// What is seen of a tensor.
pub(super) struct Weight {
    pub name: String,
    /// The norm of the gradient.
    pub gradient: f64,
    /// The norm of the tensor.
    pub norm: f64,
    /// The norm of the change of the tensor by this step.
    pub update: Option<f64>,
}

/// Weights before a step.
#[derive(Debug)]
pub(super) struct Snapshot {
    /// The step after which it was taken.
    pub step: usize,
    values: Vec<(String, Vec<f32>)>,
}

impl Snapshot {
    pub fn new(model: &dyn Module, gradients: &Gradients, step: usize) -> Snapshot {
        let mut values = Vec::new();
        model.visit("", &mut |name, tensor| {
            if tensor.rank() >= 2 && gradients.get(tensor).is_some() {
                values.push((name.to_owned(), sample(tensor).0));
            }
        });
        Snapshot { step, values }
    }

    fn of(&self, name: &str) -> Option<&[f32]> {
        self.values.iter().find(|(own, _)| own == name).map(|(_, values)| values.as_slice())
    }
}

impl Look {
    pub fn new(
        model: &dyn Module,
        gradients: &Gradients,
        before: Option<&Snapshot>,
        at: (usize, usize),
        learning_rate: f64,
    ) -> Look {
        let mut look = Look { at, learning_rate, weights: Vec::new(), units: Vec::new() };
        model.visit("", &mut |name, tensor| {
            let Some(gradient) = gradients.get(tensor).filter(|gradient| gradient.elements() > 0) else { return };
            if tensor.rank() == 1 {
                let alive = numbers(gradient).into_iter().map(|g| g != 0.0).collect();
                look.units.push((name.to_owned(), alive));
            } else if tensor.rank() >= 2 {
                let (values, scale) = sample(tensor);
                let before = before.and_then(|before| before.of(name)).filter(|own| own.len() == values.len());
                look.weights.push(Weight {
                    name: name.to_owned(),
                    gradient: norm(sample(gradient).0.into_iter()) * scale,
                    norm: norm(values.iter().copied()) * scale,
                    update: before.map(|before| norm(values.iter().zip(before).map(|(a, b)| a - b)) * scale),
                });
            }
        });
        look
    }
}

/// Some numbers of a tensor with two axes or more, and what their norm is to be multiplied by to estimate that of all.
fn sample(tensor: &Tensor) -> (Vec<f32>, f64) {
    let tensor = tensor.detach();
    let rows = tensor.size(0);
    let whole = tensor.elements();
    if whole == 0 {
        return (Vec::new(), 1.0);
    }
    let step = |size: usize, most: usize| size.div_ceil(most).max(1);
    let part = tensor.reshape([rows, whole / rows]).slice_step(0, .., step(rows, ROWS));
    let part = part.slice_step(1, .., step(whole / rows, COLUMNS));
    let scale = (whole as f64 / part.elements() as f64).sqrt();
    (numbers(&part), scale)
}

fn numbers(tensor: &Tensor) -> Vec<f32> {
    tensor.detach().to_dtype(DType::F32).to_vec::<f32>()
}

/// The 2-norm. Squares are added in eight sums, so that the processor can work on several at a time.
fn norm(numbers: impl Iterator<Item = f32>) -> f64 {
    let mut sums = [0.0f64; 8];
    for (index, number) in numbers.enumerate() {
        sums[index % 8] += f64::from(number) * f64::from(number);
    }
    sums.iter().sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rng;

    #[test]
    fn the_norm_of_a_sample_estimates_that_of_all() {
        let mut rng = Rng::new(1);
        for shape in [vec![3, 2], vec![512, 784], vec![10, 5000], vec![200, 3, 5, 5]] {
            let tensor = Tensor::randn(shape.as_slice(), &mut rng);
            let (values, scale) = sample(&tensor);
            let exact = tensor.powi(2).sum().item().sqrt();
            let estimate = norm(values.into_iter()) * scale;
            assert!((estimate / exact - 1.0).abs() < 0.05, "{shape:?}: {estimate} {exact}");
        }
        assert!(sample(&Tensor::zeros([0, 3])).0.is_empty());
    }
}
