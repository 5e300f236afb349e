//! Recurrent layers.

use hadal_tensor::autograd::BackwardOptions;
use hadal_tensor::{DType, RecurrentCell, RecurrentWeights, Steps, Tensor, concat};

use super::{check, random};

/// Hidden states and states at the end of a recurrent layer, given its input, weights, biases if `bias`, and state.
fn recurrent(x: &[Tensor], cell: RecurrentCell, bias: bool, steps: &Steps) -> Tensor {
    let weights = RecurrentWeights { ih: &x[1], hh: &x[2], bias: bias.then(|| [&x[3], &x[4]]) };
    let (y, state) = x[0].recurrent(cell, weights, &x[if bias { 5 } else { 3 }..], steps);
    concat(&[vec![y], state].concat(), 0)
}

#[test]
fn recurrent_layers() {
    use RecurrentCell::{Gru, Lstm, Relu, Tanh};
    for cell in [Tanh, Relu, Lstm, Gru] {
        // Equal lengths; other lengths, one of them 0; one step, whose products are not packed; no sequence.
        for (sequences, sizes) in [(2, &[2, 2, 2, 2][..]), (4, &[3, 1, 1, 1, 1]), (2, &[2]), (0, &[])] {
            let steps = Steps::packed(sizes);
            let (features, units) = (3, 2);
            let width = cell.gates() * units;
            let shapes =
                [vec![steps.rows(), features], vec![width, features], vec![width, units], vec![width], vec![width]];
            let states = std::iter::repeat_n(vec![sequences, units], cell.states());
            let inputs: Vec<Tensor> =
                shapes.into_iter().chain(states).zip(1..).map(|(shape, seed)| random(&shape, seed)).collect();
            let name = format!("{cell:?} {sizes:?}");
            check(&name, |x| recurrent(x, cell, true, &steps), &inputs);
            check(&format!("{name} reversed"), |x| recurrent(x, cell, true, &steps.reversed()), &inputs);
            let inputs = [&inputs[..3], &inputs[5..]].concat();
            check(&format!("{name} without bias"), |x| recurrent(x, cell, false, &steps), &inputs);
        }
    }
    let steps = Steps::of(4, 2);
    let views = [random(&[3, 8], 1), random(&[3, 8], 2), random(&[2, 8], 3), random(&[2, 2], 4), random(&[2, 2], 5)];
    check("of views", |x| recurrent(&x.iter().map(Tensor::t).collect::<Vec<_>>(), Lstm, false, &steps), &views);
}

/// The same by a graph of the gradient, which goes through other operations, and without one.
#[test]
fn recurrent_gradients_are_those_of_the_composed_operations() {
    // More than one piece, with lengths that end within pieces, several panels and passes, rows that crowd the cache.
    let sizes: Vec<usize> = (0..9).map(|step| 37 - 4 * step).collect();
    for cell in [RecurrentCell::Tanh, RecurrentCell::Relu, RecurrentCell::Lstm, RecurrentCell::Gru] {
        for (units, reversed) in [(130, false), (512, true)] {
            let steps = if reversed { Steps::packed(&sizes).reversed() } else { Steps::packed(&sizes) };
            let width = cell.gates() * units;
            let shapes = [vec![steps.rows(), 5], vec![width, 5], vec![width, units], vec![width], vec![width]];
            let states = std::iter::repeat_n(vec![40, units], cell.states());
            let leaf = |(shape, seed): (Vec<usize>, u64)| (random(&shape, seed) * 0.04).detach().requires_grad();
            let inputs: Vec<Tensor> = shapes.into_iter().chain(states).zip(1..).map(leaf).collect();
            let gradients = |create_graph: bool| {
                let y = recurrent(&inputs, cell, true, &steps);
                let weights = random(y.shape(), 99);
                (&y * weights).sum().backward_with(BackwardOptions { create_graph, ..Default::default() })
            };
            let (fused, composed) = (gradients(false), gradients(true));
            let single: Vec<Tensor> = inputs.iter().map(|input| input.detach().to_dtype(DType::F32)).collect();
            let single = recurrent(&single, cell, true, &steps).to_dtype(DType::F64);
            assert!((single - recurrent(&inputs, cell, true, &steps)).abs().max().item() < 1e-5, "{cell:?} in f32");
            for (index, input) in inputs.iter().enumerate() {
                let scale = composed[input].abs().max().item().max(1.0);
                let error = (&fused[input] - &composed[input]).abs().max().item() / scale;
                assert!(error < 1e-12, "{cell:?} of {units} units, input {index}: {error:e}");
            }
        }
    }
}
