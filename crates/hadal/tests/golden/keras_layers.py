"""Golden values of layers with Keras's defaults: outputs with given weights, and the gradients of sum(output * cos(0, 1, 2, ..)) for the
input and every weight; and where weights begin. Names, shapes and the order of axes are PyTorch's. In f64, but for normalizations and
means over time without a mask, which Keras computes in f32 whatever its inputs are.

Usage: pip install torch keras numpy; KERAS_BACKEND=torch python keras_layers.py > keras_layers.json   (seconds)
"""
import json
import os

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
import torch

keras.config.set_floatx("float64")
keras.config.set_dtype_policy("float64")
rng = np.random.default_rng(20261129)
keras.utils.set_random_seed(20261129)
golden = {}


def array(x):
    return {"shape": list(x.shape), "data": x.detach().double().reshape(-1).tolist()}


def numbers(*shape, scale=1.0):
    return torch.tensor(scale * rng.normal(size=shape))


def weighed(y):
    return (y * torch.cos(torch.arange(y.numel(), dtype=torch.float64)).reshape(y.shape)).sum()


def last(x):
    """`[N, C, ..]` to `[N, .., C]`."""
    return x.movedim(1, -1)


def first(x):
    return x.movedim(-1, 1)


same = lambda x: x


def case(name, layer, x, names, to_keras=same, from_keras=same, order=same):
    """`layer` on `to_keras(x)`; `order` brings a weight, or its gradient, to the shape that it has in PyTorch."""
    layer.build(tuple(to_keras(x).shape))
    # Numbers that differ from where training begins.
    layer.set_weights([1.0 + 0.3 * np.asarray(numbers(*weight.shape)) for weight in layer.weights])
    x = x.requires_grad_()
    y = from_keras(layer(to_keras(x)))
    weighed(y).backward()
    golden[name] = {
        "x": array(x),
        "state": {names[w.name]: array(order(w.value)) for w in layer.weights},
        "y": array(y),
        "dx": array(x.grad),
        "gradients": {names[w.name]: array(order(w.value.grad)) for w in layer.weights},
    }


# Inputs are so small that epsilon counts.
affine = {"gamma": "weight", "beta": "bias"}
images = {"to_keras": last, "from_keras": first}
case("layer_norm", keras.layers.LayerNormalization(), numbers(2, 3, 4, scale=0.05), affine)
case("group_norm", keras.layers.GroupNormalization(2), numbers(2, 4, 3, 2, scale=0.05), affine, **images)
case("rms_norm", keras.layers.RMSNormalization(), numbers(2, 3, 4, scale=0.02), {"scale": "weight"})
flat = lambda w: w.reshape(-1)
slopes = {"names": {"alpha": "weight"}, "order": flat}
case("prelu", keras.layers.PReLU(), numbers(4, 3), **slopes)
case("prelu, shared axes", keras.layers.PReLU(shared_axes=[1, 2]), numbers(2, 3, 4, 2), **images, **slopes)

embedding = keras.layers.Embedding(7, 3)
embedding.build()
words = torch.tensor([[1, 6, 1], [0, 2, 1]])
y = embedding(words)
weighed(y).backward()
table = embedding.embeddings.value
golden["embedding"] = {
    "words": words.tolist(),
    "weight": array(table),
    "y": array(y),
    "gradient": array(table.grad),
    "limit": max(abs(embedding.embeddings_initializer.minval), embedding.embeddings_initializer.maxval),
}

N, T, S, E, H = 2, 4, 3, 6, 2
# True for what is attended to.
PADDING = torch.tensor([[True, True, True, True], [True, False, True, True]])


def in_projection(kernels):
    """Kernels `[in, H, D]` to weights `[H * D, in]`."""
    return [kernel.flatten(1).T for kernel in kernels]


def attention(name, sizes=None, mask=None, **settings):
    """`sizes`: features of keys and values."""
    layer = keras.layers.MultiHeadAttention(H, E // H, **settings.pop("layer", {}))
    inputs = {"query": numbers(N, T, E)}
    if sizes:
        inputs |= {"key": numbers(N, S, sizes[0]), "value": numbers(N, S, sizes[1])}
    inputs = {key: x.requires_grad_() for key, x in inputs.items()}
    query, key, value = (inputs.get(name, inputs["query"]) for name in ("query", "key", "value"))
    layer.build(query.shape, value.shape, key.shape)
    layer.set_weights([0.5 * np.asarray(numbers(*weight.shape)) for weight in layer.weights])
    y, weights = layer(query, value, key=key, attention_mask=mask, return_attention_scores=True, **settings)
    weighed(y).backward()

    def named(of):
        """What `of` makes of each weight, by PyTorch's names, in PyTorch's shapes."""
        parts = [layer.query_dense, layer.key_dense, layer.value_dense]
        kernels = in_projection([of(part.kernel.value) for part in parts])
        if sizes:
            state = dict(zip(["q_proj_weight", "k_proj_weight", "v_proj_weight"], kernels))
        else:
            state = {"in_proj_weight": torch.cat(kernels)}
        state["out_proj.weight"] = of(layer.output_dense.kernel.value).flatten(0, 1).T
        if layer.use_bias:
            state["in_proj_bias"] = torch.cat([of(part.bias.value).flatten() for part in parts])
            state["out_proj.bias"] = of(layer.output_dense.bias.value)
        return {key: array(x) for key, x in state.items()}

    golden[name] = {
        "inputs": {key: array(x) for key, x in inputs.items()},
        "state": named(same),
        "y": array(y),
        "weights": array(weights),
        "gradients": named(lambda w: w.grad) | {key: array(x.grad) for key, x in inputs.items()},
    }


attention("attention")
attention("attention, causal", use_causal_mask=True)
attention("attention, padded", mask=PADDING[:, None, :])
attention("attention without bias", layer={"use_bias": False})
attention("attention, cross", sizes=(5, 3))


def limit(variable):
    fan_in, fan_out = keras.src.initializers.random_initializers.compute_fans(variable.shape)
    return float(np.sqrt(6 / (fan_in + fan_out)))


# The limits of the uniform weights of attention: self-attention's kernels are `[E, H, D]` and `[H, D, E]`.
layer = keras.layers.MultiHeadAttention(4, 8)
layer.build((1, 5, 32), (1, 5, 32))
assert isinstance(layer._kernel_initializer, keras.initializers.GlorotUniform)
assert isinstance(layer._bias_initializer, keras.initializers.Zeros)
parts = {"in_proj_weight": layer.query_dense, "out_proj.weight": layer.output_dense}
golden["attention limits"] = {name: limit(part.kernel) for name, part in parts.items()}
# For keys of 20 features.
layer = keras.layers.MultiHeadAttention(4, 8)
layer.build((1, 5, 32), (1, 5, 12), (1, 5, 20))
golden["attention limits"] |= {"k_proj_weight": limit(layer.key_dense.kernel), "v_proj_weight": limit(layer.value_dense.kernel)}

# The mean of the steps, all of them, or those before the end of each sequence.
lengths = [4, 1, 3]
x = numbers(3, 4, 2).requires_grad_()
mask = torch.arange(4) < torch.tensor(lengths)[:, None]
for name, given in (("mean over time", None), ("mean over time, padded", mask)):
    y = keras.layers.GlobalAveragePooling1D()(x, mask=given)
    golden[name] = {"x": array(x), "y": array(y), "dx": array(torch.autograd.grad(weighed(y), x)[0]), "lengths": lengths}
each = {"names": {"alpha": "weight"}, "order": lambda w: w.movedim(-1, 0)}
case("prelu, each element", keras.layers.PReLU(), numbers(2, 3, 4, 2), **images, **each)
print(json.dumps(golden))
