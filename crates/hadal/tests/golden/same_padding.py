"""Golden values of layers with `padding="same"`, strides included, in f64: outputs of Keras's layers, and the gradients of
sum(output * cos(0, 1, 2, ..)) for the input and every weight.

On JAX, whose pooling leaves the padding out of means, as TensorFlow's does; on PyTorch, Keras repeats the outermost elements instead
where the padding is odd.

Usage: pip install jax keras numpy; JAX_ENABLE_X64=1 KERAS_BACKEND=jax python same_padding.py > same_padding.json   (a minute)
"""
import json
import os

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_ENABLE_X64"] = "1"

import jax
import jax.numpy as jnp
import keras
import numpy as np
from keras import layers

keras.backend.set_floatx("float64")
rng = np.random.default_rng(20261127)
golden = {}


def array(x):
    return {"shape": list(x.shape), "data": np.asarray(x, dtype=np.float64).reshape(-1).tolist()}


def last(x):
    """`[N, C, ..]` to `[N, .., C]`."""
    return jnp.moveaxis(x, 1, -1)


def first(x):
    return jnp.moveaxis(x, -1, 1)


def filters_first(w):
    """`[kernel.., C, O]` to `[O, C, kernel..]`."""
    return jnp.moveaxis(w, (-1, -2), (0, 1))


def channels_first(w):
    """`[kernel.., C, multiplier]` to `[C * multiplier, 1, kernel..]`."""
    w = jnp.moveaxis(w, (-2, -1), (0, 1))
    return w.reshape(w.shape[0] * w.shape[1], 1, *w.shape[2:])


NAMES = {
    "kernel": ("weight", filters_first),
    "bias": ("bias", lambda w: w),
}
DEPTHWISE = {**NAMES, "kernel": ("weight", channels_first)}
SEPARABLE = {
    "depthwise_kernel": ("depthwise.weight", channels_first),
    "pointwise_kernel": ("pointwise.weight", filters_first),
    "bias": ("pointwise.bias", lambda w: w),
}


def case(name, layer, shape, names=NAMES):
    """For inputs `[N, C, ..]`; weights with the names and axes of PyTorch."""
    x = jnp.asarray(rng.normal(size=shape))
    layer.build(last(x).shape)
    weights = [jnp.asarray(0.5 * rng.normal(size=weight.shape)) for weight in layer.weights]

    def outputs(x, weights):
        return first(layer.stateless_call(weights, [], last(x))[0])

    def weighed(x, weights):
        y = outputs(x, weights)
        return (y * jnp.cos(jnp.arange(y.size, dtype=jnp.float64)).reshape(y.shape)).sum()

    dx, gradients = jax.grad(weighed, argnums=(0, 1))(x, weights)
    renamed = lambda values: {
        names[weight.name][0]: array(names[weight.name][1](value)) for weight, value in zip(layer.weights, values)
    }
    golden[name] = {
        "x": array(x),
        "state": renamed(weights),
        "y": array(outputs(x, weights)),
        "dx": array(dx),
        "gradients": renamed(gradients),
    }


same = {"padding": "same"}
case("conv1d", layers.Conv1D(3, 4, strides=3, **same), (2, 2, 8))
case("conv1d dilation", layers.Conv1D(3, 2, dilation_rate=3, **same), (2, 2, 7))
case("conv2d", layers.Conv2D(3, 3, strides=2, **same), (2, 2, 6, 5))
case("conv2d sides", layers.Conv2D(4, (2, 5), strides=(3, 2), groups=2, **same), (2, 4, 7, 6))
case("conv2d smaller than its stride", layers.Conv2D(3, 1, strides=2, **same), (1, 2, 4, 5))
case("conv3d", layers.Conv3D(2, (3, 2, 1), strides=(2, 2, 1), **same), (1, 2, 4, 3, 2))
case("depthwise", layers.DepthwiseConv2D(3, strides=2, depth_multiplier=2, **same), (2, 3, 4, 6), DEPTHWISE)
case("separable", layers.SeparableConv2D(4, 3, strides=2, depth_multiplier=2, **same), (2, 3, 6, 5), SEPARABLE)
case("max_pool1d", layers.MaxPooling1D(2, **same), (2, 2, 5))
case("max_pool2d", layers.MaxPooling2D(3, strides=2, **same), (2, 2, 6, 5))
case("max_pool2d sides", layers.MaxPooling2D((2, 5), strides=(1, 3), **same), (2, 2, 4, 8))
case("max_pool3d", layers.MaxPooling3D(2, **same), (1, 2, 3, 4, 5))
case("avg_pool1d", layers.AveragePooling1D(4, strides=3, **same), (2, 2, 8))
case("avg_pool2d", layers.AveragePooling2D(3, strides=2, **same), (2, 2, 6, 5))
case("avg_pool2d sides", layers.AveragePooling2D((2, 5), strides=(1, 3), **same), (2, 2, 4, 8))
case("avg_pool2d smaller than its stride", layers.AveragePooling2D(2, strides=3, **same), (1, 2, 7, 8))
case("avg_pool3d", layers.AveragePooling3D(2, **same), (1, 2, 3, 4, 5))
print(json.dumps(golden))
