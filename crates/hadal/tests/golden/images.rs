//! Layers of pictures and a small ResNet beside PyTorch's, whose state they load by its names: outputs and gradients of the input and
//! of every parameter, to 1e-11. Outputs of Keras's convolutions, to 1e-12.

use std::sync::LazyLock;

use hadal::Interpolation;
use hadal::nn::{
    DepthwiseConv2d, Initializer, InstanceNorm, Merge, PRelu, Pad, Plan, RmsNorm, SeparableConv2d, Upsample,
};
use hadal::prelude::*;
use serde_json::Value;

use super::{close, number, outputs_and_gradients, tensor, with_state};

static IMAGES: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(include_str!("images.json")).unwrap());

fn of_pytorch() -> Vec<(&'static str, Box<dyn Layer>)> {
    vec![
        ("conv1d", Box::new(Conv1d::new(4, 3).stride(2).padding(1).dilation(2))),
        ("conv2d", Box::new(Conv2d::new(4, [3, 2]).stride([2, 1]).padding([1, 0]))),
        ("conv2d without bias", Box::new(Conv2d::new(3, 3).without_bias())),
        ("conv2d groups", Box::new(Conv2d::new(6, 3).padding(1).groups(2))),
        ("conv2d same", Box::new(Conv2d::new(3, [3, 4]).same_padding().dilation([2, 1]))),
        ("conv2d relu", Box::new(Chain::new().add(Conv2d::new(3, 2).activation(Relu)))),
        ("conv3d", Box::new(Conv3d::new(3, [2, 3, 1]).stride([1, 2, 1]).padding([1, 0, 0]))),
        ("depthwise", Box::new(DepthwiseConv2d::new(3).padding(1).multiplier(2))),
        ("conv_transpose1d", Box::new(ConvTranspose1d::new(2, 4).stride(3).padding(1).output_padding(2))),
        ("conv_transpose2d", Box::new(ConvTranspose2d::new(6, 3).stride(2).padding(1).output_padding(1).groups(2))),
        ("conv_transpose2d dilation", Box::new(ConvTranspose2d::new(3, [2, 3]).dilation(2).without_bias())),
        ("conv_transpose3d", Box::new(ConvTranspose3d::new(3, 2).stride([1, 2, 2]))),
        ("max_pool2d", Box::new(MaxPool2d::new(3).stride(2).padding(1))),
        ("max_pool1d", Box::new(MaxPool1d::new(2).dilation(2))),
        ("max_pool3d", Box::new(MaxPool3d::new([1, 2, 2]))),
        ("avg_pool1d", Box::new(AvgPool1d::new(3).stride(1).padding(1).count_padding(false))),
        ("avg_pool2d", Box::new(AvgPool2d::new([2, 3]))),
        ("avg_pool3d", Box::new(AvgPool3d::new(2).padding(1))),
        ("max_pool1d ceil_mode", Box::new(MaxPool1d::new(3).stride(2).dilation(2).ceil_mode(true))),
        ("max_pool2d ceil_mode", Box::new(MaxPool2d::new(3).stride(2).padding([1, 0]).ceil_mode(true))),
        ("max_pool3d ceil_mode", Box::new(MaxPool3d::new(2).ceil_mode(true))),
        ("avg_pool1d ceil_mode", Box::new(AvgPool1d::new(2).ceil_mode(true))),
        ("avg_pool2d ceil_mode", Box::new(AvgPool2d::new(3).stride(2).padding(1).ceil_mode(true))),
        (
            "avg_pool2d ceil_mode inside",
            Box::new(AvgPool2d::new(3).stride(2).padding(1).ceil_mode(true).count_padding(false)),
        ),
        ("avg_pool3d ceil_mode", Box::new(AvgPool3d::new([1, 2, 3]).ceil_mode(true))),
        ("adaptive_avg_pool1d", Box::new(AdaptiveAvgPool1d::new(3))),
        ("adaptive_avg_pool2d", Box::new(AdaptiveAvgPool2d::new([3, 2]))),
        ("adaptive_avg_pool3d", Box::new(AdaptiveAvgPool3d::new(2))),
        ("global_average_pool", Box::new(GlobalAveragePool)),
        ("upsample", Box::new(Upsample::new(2))),
        ("upsample bilinear", Box::new(Upsample::new(3).interpolation(Interpolation::Linear))),
        ("upsample size", Box::new(Upsample::to([5, 2]).interpolation(Interpolation::LinearCorners))),
        ("pad zeros", Box::new(Pad::zeros([(0, 3), (1, 2)]))),
        ("pad reflect", Box::new(Pad::reflect([(0, 1), (1, 2)]))),
        ("pad replicate", Box::new(Pad::replicate([(2, 1)]))),
        ("group_norm", Box::new(GroupNorm::new(2))),
        ("instance_norm", Box::new(InstanceNorm::new())),
        ("instance_norm affine", Box::new(InstanceNorm::new().affine())),
        ("rms_norm", Box::new(RmsNorm::new())),
        ("prelu", Box::new(PRelu::new())),
        ("prelu per channel", Box::new(PRelu::per_channel())),
        ("resnet", Box::new(resnet())),
        ("inception", Box::new(inception())),
    ]
}

/// Layers in a chain within the module `layers`, as those of a `Sequential`.
#[derive(Module)]
struct Named {
    layers: Chain,
}

impl Forward for Named {
    fn forward(&self, x: &Tensor, ctx: &mut Context) -> Tensor {
        self.layers.forward(x, ctx)
    }
}

impl Layer for Named {
    fn plan(&self, input: &hadal::Shape) -> hadal::Result<Plan> {
        self.layers.plan(input)
    }

    fn build(&mut self, input: &hadal::Shape, rng: &mut Rng) -> hadal::Result<()> {
        self.layers.build(input, rng)
    }
}

fn resnet() -> Named {
    let convolution = |filters, stride| Conv2d::new(filters, 3).stride(stride).padding(1).without_bias();
    let block = |filters, stride| {
        Residual::new()
            .add(convolution(filters, stride))
            .add(BatchNorm::new())
            .add(Relu)
            .add(convolution(filters, 1))
            .add(BatchNorm::new())
    };
    let projected = block(4, 2).shortcut(Conv2d::new(4, 1).stride(2).without_bias()).shortcut(BatchNorm::new());
    let layers = Chain::new()
        .add(convolution(3, 1))
        .add(BatchNorm::new())
        .add(Relu)
        .add(block(3, 1))
        .add(Relu)
        .add(projected)
        .add(Relu)
        .add(GlobalAveragePool)
        .add(Dense::new(3));
    Named { layers }
}

#[test]
fn layers_load_pytorchs_state_and_give_its_outputs_and_gradients() {
    let cases = of_pytorch();
    let golden = IMAGES.as_object().unwrap().keys().filter(|name| !name.starts_with("keras")).count();
    assert_eq!(golden, cases.len());
    for (name, layer) in cases {
        let case = &IMAGES[name];
        let (layer, x) = outputs_and_gradients(layer, name, case, 1e-11);
        let evaluation = layer.forward(&x, &mut Context::evaluation());
        close(&format!("{name} in evaluation"), &evaluation, &case["evaluation"], 1e-11);
    }
}

fn inception() -> Parallel {
    Parallel::new(Merge::ConcatenateAlong(1))
        .branch(Chain::new().add(Conv2d::new(3, 1)).add(Relu))
        .branch(Chain::new().add(Conv2d::new(1, 1)).add(Conv2d::new(4, 3).padding(1)))
        .branch(Chain::new().add(MaxPool2d::new(3).stride(1).padding(1)).add(Conv2d::new(1, 1)))
        .branch(Chain::new())
}

#[test]
fn convolutions_give_kerass_outputs() {
    let cases: Vec<(&str, Box<dyn Layer>)> = vec![
        ("keras conv2d", Box::new(Conv2d::keras(4, [3, 2]).stride([1, 2]))),
        ("keras conv2d same", Box::new(Conv2d::keras(3, [2, 3]).same_padding().activation(Relu))),
        ("keras conv1d", Box::new(Conv1d::keras(4, 3).dilation(2))),
        ("keras conv_transpose2d", Box::new(ConvTranspose2d::keras(3, 3).stride(2))),
        ("keras depthwise", Box::new(DepthwiseConv2d::keras(3).multiplier(2))),
        ("keras separable", Box::new(SeparableConv2d::keras(4, [2, 3]).multiplier(2).activation(Relu))),
    ];
    assert_eq!(IMAGES.as_object().unwrap().keys().filter(|name| name.starts_with("keras ")).count(), cases.len() + 1);
    for (name, layer) in cases {
        let layer = with_state(layer, name, &IMAGES[name]);
        let y = layer.forward(&tensor(&IMAGES[name]["x"]), &mut Context::evaluation());
        close(name, &y.detach(), &IMAGES[name]["y"], 1e-12);
    }
}

/// The largest weight and bias of a layer of 3 channels.
fn largest(layer: impl Layer) -> [f64; 2] {
    let state = layer.built([3, 9, 9], &mut Rng::new(1)).unwrap().state_dict();
    [0, 1].map(|index| state[index].1.abs().max().item())
}

#[test]
fn weights_begin_within_the_limits_of_pytorch_and_keras() {
    // Of some hundred uniform numbers, one lies in the outermost tenth, and none beyond.
    let about = |found: f64, limit: f64| assert!(found <= limit && found > 0.9 * limit, "{found}, not {limit}");
    let torch = |inputs: usize| 1.0 / (inputs as f64).sqrt();
    about(largest(Conv2d::new(90, 5))[0], torch(3 * 25));
    about(largest(Conv2d::new(90, 5))[1], torch(3 * 25));
    about(largest(Conv2d::new(90, [5, 3]).groups(3))[0], torch(15));
    about(largest(DepthwiseConv2d::new(5).multiplier(9))[1], torch(25));
    // PyTorch counts the fan-in of a transposed convolution on axis 1 of its weight.
    about(largest(ConvTranspose2d::new(90, 5))[0], torch(90 * 25));
    about(largest(ConvTranspose2d::new(90, 5).groups(3))[1], torch(30 * 25));
    let limits = &IMAGES["keras limits"];
    for (name, [weight, bias]) in [
        ("conv2d", largest(Conv2d::keras(8, 5))),
        ("conv2d groups", largest(Conv2d::keras(6, 5).groups(3))),
        ("depthwise", largest(DepthwiseConv2d::keras(5).multiplier(2))),
        ("conv_transpose2d", largest(ConvTranspose2d::keras(8, 5))),
    ] {
        about(weight, number(&limits[name]));
        assert_eq!(bias, 0.0);
    }
    // Other initializers take their fans from the same place.
    let [weight, bias] = largest(
        Conv2d::new(90, 5).weight_initializer(Initializer::HeUniform).bias_initializer(Initializer::Constant(0.3)),
    );
    about(weight, (6.0f64 / 75.0).sqrt());
    assert_eq!(bias as f32, 0.3);
}
