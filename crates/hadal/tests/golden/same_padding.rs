//! Layers with `same_padding` beside Keras's on JAX, strides included: outputs and gradients of the input and of every weight, to 1e-11.

use hadal::nn::{DepthwiseConv2d, SeparableConv2d};
use hadal::prelude::*;
use serde_json::Value;

use super::outputs_and_gradients;

#[test]
fn same_padding_gives_kerass_outputs_and_gradients() {
    let golden: Value = serde_json::from_str(include_str!("same_padding.json")).unwrap();
    let cases: Vec<(&str, Box<dyn Layer>)> = vec![
        ("conv1d", Box::new(Conv1d::new(3, 4).stride(3).same_padding())),
        ("conv1d dilation", Box::new(Conv1d::new(3, 2).dilation(3).same_padding())),
        ("conv2d", Box::new(Conv2d::new(3, 3).stride(2).same_padding())),
        ("conv2d sides", Box::new(Conv2d::new(4, [2, 5]).stride([3, 2]).groups(2).same_padding())),
        ("conv2d smaller than its stride", Box::new(Conv2d::new(3, 1).stride(2).same_padding())),
        ("conv3d", Box::new(Conv3d::new(2, [3, 2, 1]).stride([2, 2, 1]).same_padding())),
        ("depthwise", Box::new(DepthwiseConv2d::new(3).stride(2).multiplier(2).same_padding())),
        ("separable", Box::new(SeparableConv2d::new(4, 3).stride(2).multiplier(2).same_padding())),
        ("max_pool1d", Box::new(MaxPool1d::new(2).same_padding())),
        ("max_pool2d", Box::new(MaxPool2d::new(3).stride(2).same_padding())),
        ("max_pool2d sides", Box::new(MaxPool2d::new([2, 5]).stride([1, 3]).same_padding())),
        ("max_pool3d", Box::new(MaxPool3d::new(2).same_padding())),
        ("avg_pool1d", Box::new(AvgPool1d::new(4).stride(3).same_padding())),
        ("avg_pool2d", Box::new(AvgPool2d::new(3).stride(2).same_padding())),
        ("avg_pool2d sides", Box::new(AvgPool2d::new([2, 5]).stride([1, 3]).same_padding())),
        ("avg_pool2d smaller than its stride", Box::new(AvgPool2d::new(2).stride(3).same_padding())),
        ("avg_pool3d", Box::new(AvgPool3d::new(2).same_padding())),
    ];
    assert_eq!(golden.as_object().unwrap().len(), cases.len());
    for (name, layer) in cases {
        outputs_and_gradients(layer, name, &golden[name], 1e-11);
    }
}
