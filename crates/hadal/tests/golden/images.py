"""Golden values of layers for pictures, in f64: outputs, and the gradients of sum(output * cos(0, 1, 2, ..)) for the input and every
parameter, from PyTorch; outputs of Keras's convolutions with given weights.

Usage: pip install torch keras numpy; KERAS_BACKEND=torch python images.py > images.json   (seconds)
"""
import json
import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
import torch
from torch import nn

torch.manual_seed(20261127)
rng = np.random.default_rng(20261127)
golden = {}


def array(x):
    x = torch.as_tensor(x)
    return {"shape": list(x.shape), "data": x.detach().double().reshape(-1).tolist()}


def numbers(*shape):
    return torch.tensor(rng.normal(size=shape))


def weighed(y):
    return (y * torch.cos(torch.arange(y.numel(), dtype=torch.float64)).reshape(y.shape)).sum()


def case(name, layer, shape, state_after=False):
    """`layer` in training mode."""
    layer = layer.double().train()
    # Numbers that differ from where training begins.
    for parameter in layer.parameters():
        parameter.data += 0.3 * numbers(*parameter.shape)
    state = {key: array(value) for key, value in layer.state_dict().items() if "num_batches" not in key}
    x = numbers(*shape).requires_grad_()
    y = layer(x)
    weighed(y).backward()
    golden[name] = {
        "x": array(x),
        "state": state,
        "y": array(y),
        "dx": array(x.grad),
        "gradients": {key: array(value.grad) for key, value in layer.named_parameters()},
        "evaluation": array(layer.eval()(x)),
    }


case("conv1d", nn.Conv1d(3, 4, 3, stride=2, padding=1, dilation=2), (2, 3, 9))
case("conv2d", nn.Conv2d(2, 4, (3, 2), stride=(2, 1), padding=(1, 0)), (2, 2, 6, 5))
case("conv2d without bias", nn.Conv2d(2, 3, 3, bias=False), (2, 2, 5, 5))
case("conv2d groups", nn.Conv2d(4, 6, 3, padding=1, groups=2), (1, 4, 4, 4))
case("conv2d same", nn.Conv2d(2, 3, (3, 4), padding="same", dilation=(2, 1)), (2, 2, 5, 6))
case("conv2d relu", nn.Sequential(nn.Conv2d(2, 3, 2), nn.ReLU()), (2, 2, 4, 4))
case("conv3d", nn.Conv3d(2, 3, (2, 3, 1), stride=(1, 2, 1), padding=(1, 0, 0)), (1, 2, 3, 5, 3))
case("depthwise", nn.Conv2d(3, 6, 3, padding=1, groups=3), (2, 3, 4, 4))
case("conv_transpose1d", nn.ConvTranspose1d(3, 2, 4, stride=3, padding=1, output_padding=2), (2, 3, 4))
case("conv_transpose2d", nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2), (1, 4, 3, 3))
case("conv_transpose2d dilation", nn.ConvTranspose2d(2, 3, (2, 3), dilation=2, bias=False), (1, 2, 3, 4))
case("conv_transpose3d", nn.ConvTranspose3d(2, 3, 2, stride=(1, 2, 2)), (1, 2, 2, 3, 2))
case("max_pool2d", nn.MaxPool2d(3, stride=2, padding=1), (2, 2, 6, 5))
case("max_pool1d", nn.MaxPool1d(2, dilation=2), (2, 2, 7))
case("max_pool3d", nn.MaxPool3d((1, 2, 2)), (1, 2, 2, 4, 5))
case("avg_pool1d", nn.AvgPool1d(3, stride=1, padding=1, count_include_pad=False), (2, 2, 5))
case("avg_pool2d", nn.AvgPool2d((2, 3)), (2, 2, 4, 6))
case("avg_pool3d", nn.AvgPool3d(2, padding=1), (1, 2, 3, 4, 2))
case("max_pool1d ceil_mode", nn.MaxPool1d(3, stride=2, dilation=2, ceil_mode=True), (2, 2, 8))
case("max_pool2d ceil_mode", nn.MaxPool2d(3, stride=2, padding=(1, 0), ceil_mode=True), (2, 2, 6, 6))
case("max_pool3d ceil_mode", nn.MaxPool3d(2, ceil_mode=True), (1, 2, 3, 4, 5))
case("avg_pool1d ceil_mode", nn.AvgPool1d(2, ceil_mode=True), (2, 2, 5))
case("avg_pool2d ceil_mode", nn.AvgPool2d(3, stride=2, padding=1, ceil_mode=True), (2, 2, 6, 5))
case("avg_pool2d ceil_mode inside", nn.AvgPool2d(3, stride=2, padding=1, ceil_mode=True, count_include_pad=False), (2, 2, 6, 5))
case("avg_pool3d ceil_mode", nn.AvgPool3d((1, 2, 3), ceil_mode=True), (1, 2, 3, 3, 4))
case("adaptive_avg_pool1d", nn.AdaptiveAvgPool1d(3), (2, 2, 7))
case("adaptive_avg_pool2d", nn.AdaptiveAvgPool2d((3, 2)), (1, 2, 5, 4))
case("adaptive_avg_pool3d", nn.AdaptiveAvgPool3d(2), (1, 2, 3, 3, 2))
case("global_average_pool", nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), (2, 3, 4, 3))
case("upsample", nn.Upsample(scale_factor=2), (1, 2, 3, 2))
case("upsample bilinear", nn.Upsample(scale_factor=3, mode="bilinear"), (1, 2, 3, 2))
case("upsample size", nn.Upsample(size=(5, 2), mode="bilinear", align_corners=True), (1, 2, 3, 4))
case("pad zeros", nn.ZeroPad2d((1, 2, 0, 3)), (1, 2, 2, 3))
case("pad reflect", nn.ReflectionPad2d((1, 2, 0, 1)), (1, 2, 2, 3))
case("pad replicate", nn.ReplicationPad1d((2, 1)), (1, 2, 3))
case("group_norm", nn.GroupNorm(2, 4), (3, 4, 3, 2))
case("instance_norm", nn.InstanceNorm2d(3), (2, 3, 3, 2))
case("instance_norm affine", nn.InstanceNorm1d(3, affine=True), (2, 3, 4))
case("rms_norm", nn.RMSNorm(4), (2, 3, 4))
case("prelu", nn.PReLU(), (2, 3, 2))
case("prelu per channel", nn.PReLU(3), (2, 3, 2, 2))


class Residual(nn.Sequential):
    """Layers named 0, 1, .., and beside them a shortcut."""

    def __init__(self, *layers, shortcut):
        super().__init__(*layers)
        self.beside = [shortcut]
        if shortcut is not None:
            self.shortcut = shortcut

    def forward(self, x):
        y = x
        for name, layer in self.named_children():
            if name != "shortcut":
                y = layer(y)
        return y + (x if self.beside[0] is None else self.beside[0](x))


def convolution(channels, filters, stride=1):
    return nn.Conv2d(channels, filters, 3, stride=stride, padding=1, bias=False)


def block(channels, filters, stride):
    shortcut = None
    if stride > 1:
        shortcut = nn.Sequential(nn.Conv2d(channels, filters, 1, stride=stride, bias=False), nn.BatchNorm2d(filters))
    first = [convolution(channels, filters, stride), nn.BatchNorm2d(filters), nn.ReLU()]
    return Residual(*first, convolution(filters, filters), nn.BatchNorm2d(filters), shortcut=shortcut)


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            convolution(2, 3), nn.BatchNorm2d(3), nn.ReLU(),
            block(3, 3, 1), nn.ReLU(),
            block(3, 4, 2), nn.ReLU(),
            nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), nn.Linear(4, 3),
        )

    def forward(self, x):
        return self.layers(x)


case("resnet", ResNet(), (3, 2, 6, 6))


class Inception(nn.Module):
    def __init__(self):
        super().__init__()
        self.branches = nn.ModuleList([
            nn.Sequential(nn.Conv2d(2, 3, 1), nn.ReLU()),
            nn.Sequential(nn.Conv2d(2, 1, 1), nn.Conv2d(1, 4, 3, padding=1)),
            nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), nn.Conv2d(2, 1, 1)),
            nn.Sequential(),
        ])

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.branches], 1)


case("inception", Inception(), (2, 2, 4, 5))

keras.backend.set_floatx("float64")


def keras_case(name, layer, shape, **axes):
    """Outputs for `[N, C, ..]`; weights with their axes in PyTorch's order. `layer` takes `[N, .., C]`."""
    x = numbers(*shape)
    spatial = list(range(2, len(shape)))
    layer.build((shape[0], *shape[2:], shape[1]))
    layer.set_weights([0.5 * np.asarray(numbers(*weight.shape)) for weight in layer.weights])
    y = torch.as_tensor(np.asarray(keras.ops.convert_to_numpy(layer(x.permute(0, *spatial, 1).numpy()))))
    last = len(shape) - 1
    state = {}
    for weight in layer.weights:
        value = torch.tensor(keras.ops.convert_to_numpy(weight))
        state[axes["names"][weight.name]] = array(axes["orders"][weight.name](value))
    golden[name] = {"x": array(x), "state": state, "y": array(y.permute(0, last, *range(1, last)))}


def filters_first(w):
    """`[kernel.., C, O]` to `[O, C, kernel..]`."""
    spatial = list(range(w.dim() - 2))
    return w.permute(-1, -2, *spatial)


def channels_first(w):
    """`[kernel.., C, multiplier]` to `[C * multiplier, 1, kernel..]`."""
    spatial = list(range(w.dim() - 2))
    return w.permute(-2, -1, *spatial).flatten(0, 1).unsqueeze(1)


same = lambda w: w
plain = {"names": {"kernel": "weight", "bias": "bias"}, "orders": {"kernel": filters_first, "bias": same}}
keras_case("keras conv2d", keras.layers.Conv2D(4, (3, 2), strides=(1, 2)), (2, 3, 5, 6), **plain)
keras_case("keras conv2d same", keras.layers.Conv2D(3, (2, 3), padding="same", activation="relu"), (1, 2, 4, 5), **plain)
keras_case("keras conv1d", keras.layers.Conv1D(4, 3, dilation_rate=2), (2, 3, 8), **plain)
# [kernel.., O, C]: PyTorch's order is [C, O, kernel..].
keras_case("keras conv_transpose2d", keras.layers.Conv2DTranspose(3, 3, strides=2), (1, 2, 3, 4), **plain)
keras_case(
    "keras depthwise",
    keras.layers.DepthwiseConv2D(3, depth_multiplier=2),
    (2, 3, 5, 4),
    names={"kernel": "weight", "bias": "bias"},
    orders={"kernel": channels_first, "bias": same},
)
keras_case(
    "keras separable",
    keras.layers.SeparableConv2D(4, (2, 3), depth_multiplier=2, activation="relu"),
    (2, 3, 5, 4),
    names={"depthwise_kernel": "depthwise.weight", "pointwise_kernel": "pointwise.weight", "bias": "pointwise.bias"},
    orders={"depthwise_kernel": channels_first, "pointwise_kernel": filters_first, "bias": same},
)

# The limits of Keras's uniform weights for a convolution of 3 channels.
limits = {}
for name, layer in [
    ("conv2d", keras.layers.Conv2D(8, 5)),
    ("conv2d groups", keras.layers.Conv2D(6, 5, groups=3)),
    ("depthwise", keras.layers.DepthwiseConv2D(5, depth_multiplier=2)),
    ("conv_transpose2d", keras.layers.Conv2DTranspose(8, 5)),
]:
    layer.build((None, 9, 9, 3))
    shape = layer.weights[0].shape
    fan_in, fan_out = keras.src.initializers.random_initializers.compute_fans(shape)
    limits[name] = float(np.sqrt(6 / (fan_in + fan_out)))
golden["keras limits"] = limits
print(json.dumps(golden))
