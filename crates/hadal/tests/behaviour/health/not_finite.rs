//! What is said where a loss or gradient becomes NaN or infinite.

use std::sync::Arc;

use hadal::data::Rows;
use hadal::prelude::*;
use hadal::{Result, Shape};

use crate::says;

/// The natural logarithm, as a layer.
#[derive(Module)]
struct Log;

impl Forward for Log {
    fn forward(&self, x: &Tensor, _: &mut Context) -> Tensor {
        x.ln()
    }
}
impl Layer for Log {}

/// The square root, as a layer.
#[derive(Module)]
struct Root;

impl Forward for Root {
    fn forward(&self, x: &Tensor, _: &mut Context) -> Tensor {
        x.sqrt()
    }
}
impl Layer for Root {}

/// Ones, but for some rows.
fn inputs(samples: usize, rows: &[usize], value: f32) -> Tensor {
    let mut x = vec![1.0f32; samples * 2];
    rows.iter().for_each(|row| x[row * 2] = value);
    Tensor::from_vec(x, [samples, 2])
}

fn fit(model: Sequential, optimizer: impl Optimizer + 'static, data: &Dataset, fit: Fit) -> Result<()> {
    let mut model = model.compile(optimizer, MeanSquaredError, ())?;
    model.fit(data, fit.quiet()).map(drop)
}

#[test]
fn the_logarithm_of_0_in_a_layer_is_named_with_layer_line_rows_and_samples() {
    // Beyond the samples that are tried before the run.
    let bad = [40, 41, 42, 43, 44, 45];
    let data = Dataset::new("sums", inputs(60, &bad, 0.0), Tensor::ones([60, 1])).unwrap();
    let model = || Sequential::new([2]).add(Dropout::new(0.0)).add(Log).add(Dense::new(1));
    let result = fit(model(), Sgd::new(0.01), &data, Fit::epochs(2).batch_size(20).shuffle(false));
    says(
        result,
        &[
            "the loss became ",
            " in epoch 1, batch 3 (step 3): first in `ln` of layer 2 (Log) (",
            "not_finite.rs:17), rows 0, 1, 2, 3 and 2 more of the batch (samples 40, 41, 42, 43 and 2 more of sums), which gives -inf \
             for 0; try to keep its inputs",
        ],
    );
    // Shuffled, the samples are still named.
    let result = fit(model(), Sgd::new(0.01), &data, Fit::epochs(1).batch_size(60));
    let message = result.unwrap_err().to_string();
    let samples = message.split("(samples ").nth(1).unwrap().split(" and ").next().unwrap();
    assert!(samples.split(", ").all(|sample| bad.contains(&sample.parse().unwrap())), "{message}");
}

/// Rows that are read when they are asked for, with an infinity in one.
#[derive(Debug)]
struct Infinite(Tensor);

impl Rows for Infinite {
    fn len(&self) -> usize {
        self.0.size(0)
    }

    fn sample_shape(&self) -> Shape {
        Shape::from([2])
    }

    fn dtype(&self) -> DType {
        DType::F32
    }

    fn read(&self, indices: &[usize]) -> Result<Tensor> {
        let indices: Vec<i64> = indices.iter().map(|&index| index as i64).collect();
        Ok(self.0.index_select(0, &Tensor::from_slice(&indices, [indices.len()])))
    }
}

#[test]
fn infinite_inputs_are_named_by_row_and_sample() {
    let rows = Infinite(inputs(60, &[47], f32::INFINITY));
    let data = Dataset::from_rows("sensors", Arc::new(rows), Tensor::ones([60, 1])).unwrap();
    let model = Sequential::new([2]).add(Dense::new(4).activation(Relu)).add(Dense::new(1));
    let result = fit(model, Sgd::new(0.01), &data, Fit::epochs(2).batch_size(20).shuffle(false));
    says(
        result,
        &[
            "the loss became ",
            " in epoch 1, batch 3 (step 3): the inputs hold inf, in row 7 of the batch (sample 47 of sensors); try to correct",
        ],
    );
}

#[test]
fn an_overflow_is_named_and_a_lower_rate_advised() {
    let data = Dataset::new("steep", Tensor::full([64, 1], 10.0), Tensor::full([64, 1], 10.0)).unwrap();
    let model = || Sequential::new([1]).add(Dense::new(3)).add(Dense::new(1));
    let message = fit(model(), Sgd::new(1e6), &data, Fit::epochs(50)).unwrap_err().to_string();
    for part in ["the loss became ", ": first in `", ", whose inputs reach ", "; try a lower learning rate, or clip"] {
        let other = part == ", whose inputs reach " && message.contains(", which gives inf for ");
        assert!(message.contains(part) || other, "{message}");
    }
}

#[test]
fn a_derivative_that_does_not_exist_is_named_with_its_layer() {
    let mut x = inputs(60, &[], 1.0).to_vec::<f32>();
    (x[100], x[101]) = (0.0, 0.0);
    let data = Dataset::new("roots", Tensor::from_vec(x, [60, 2]), Tensor::ones([60, 1])).unwrap();
    let positive = || Dense::new(2).without_bias().weight_initializer(hadal::nn::Initializer::Constant(0.5));
    let model = Sequential::new([2]).add(positive()).add(Root).add(Dense::new(1));
    let result = fit(model, Sgd::new(0.0001), &data, Fit::epochs(1).batch_size(30).shuffle(false));
    says(
        result,
        &[
            "the gradient of `layers.0.",
            " in epoch 1, batch 2 (loss ",
            "), step 2: first in",
            "first in the gradient of `sqrt` of layer 2 (Root) (",
            ", row 20 of the batch (sample 50 of roots), which is ",
            "; try to keep its inputs in its domain and away from 0",
        ],
    );
}

#[test]
fn the_model_is_left_as_the_last_step_left_it() {
    let data = Dataset::new("sums", inputs(60, &[40], 0.0), Tensor::ones([60, 1])).unwrap();
    let model = Sequential::new([2]).add(Log).add(BatchNorm::new()).add(Dense::new(1)).build().unwrap();
    let mut model = model.compile(Sgd::new(0.01), MeanSquaredError, ()).unwrap();
    let mut after = Vec::new();
    let watch = |event: &Event| {
        if let Event::BatchEnd { model, .. } = event {
            after = model.state_dict();
        }
        Ok(Flow::Continue)
    };
    let options = Fit::epochs(1).batch_size(20).shuffle(false).on_event(watch).quiet();
    says(model.fit(&data, options), &["the loss became NaN", "`ln` of layer 1 (Log)"]);
    let bits = |tensor: &Tensor| tensor.to_vec::<f32>().into_iter().map(f32::to_bits).collect::<Vec<u32>>();
    for ((name, before), (_, now)) in after.iter().zip(model.model.state_dict()) {
        assert!(name.contains("running") || bits(before) == bits(&now), "{name}");
    }
}
