"""Golden values of attention, transformer layers and a small GPT from PyTorch, and of losses of sequences from Keras and PyTorch, in f64.

Usage: pip install torch keras numpy; KERAS_BACKEND=torch python attention.py > attention.json   (seconds)
"""
import json
import math

import keras
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

rng = np.random.default_rng(20170612)
torch.set_default_dtype(torch.float64)
keras.config.set_floatx("float64")
golden = {}


def array(x):
    return {"shape": list(x.shape), "data": x.detach().double().reshape(-1).tolist()}


def normal(*shape):
    return torch.tensor(rng.normal(size=shape), requires_grad=True)


def randomize(module):
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.tensor(rng.normal(size=tuple(parameter.shape)) * 0.5))


def case(name, module, y, inputs, extra=None):
    """Outputs, state by PyTorch's names, and the gradients of sum(y * cos(0, 1, 2, ..)) for inputs and state."""
    weights = torch.cos(torch.arange(y.numel(), dtype=torch.float64)).reshape(y.shape)
    (y * weights).sum().backward()
    golden[name] = {
        "inputs": {key: array(x) for key, x in inputs.items()},
        "state": {key: array(x) for key, x in module.state_dict().items()},
        "y": array(y),
        "gradients": {key: array(x.grad) for key, x in [*inputs.items(), *module.named_parameters()] if x.grad is not None},
        **{key: array(x) for key, x in (extra or {}).items()},
    }


N, T, S, E, H = 2, 4, 3, 4, 2
PADDING = torch.tensor([[False, False, False, False], [False, True, False, True]])
MEMORY_PADDING = torch.tensor([[False, False, True], [False, False, False]])
CAUSAL = torch.triu(torch.ones(T, T, dtype=torch.bool), 1)


def attention(name, bias=True, sizes=None, masks=None, added=False):
    kdim, vdim = sizes or (None, None)
    module = nn.MultiheadAttention(E, H, bias=bias, kdim=kdim, vdim=vdim, batch_first=True)
    randomize(module)
    if sizes:
        inputs = {"query": normal(N, T, E), "key": normal(N, S, kdim), "value": normal(N, S, vdim)}
    else:
        inputs = {"query": normal(N, T, E)}
    query, key, value = (inputs.get(name, inputs["query"]) for name in ("query", "key", "value"))
    masks = masks or {}
    if added:
        inputs["added"] = normal(T, key.shape[1])
        masks = {"attn_mask": inputs["added"]}
    y, weights = module(query, key, value, average_attn_weights=False, **masks)
    case(name, module, y, inputs, {"weights": weights})


attention("self")
attention("self without bias", bias=False)
attention("self, causal and padded", masks={"attn_mask": CAUSAL, "key_padding_mask": PADDING})
attention("self with numbers added", added=True)
attention("cross", sizes=(5, 3), masks={"key_padding_mask": MEMORY_PADDING})


def encoder(name, masks, **settings):
    module = nn.TransformerEncoderLayer(E, H, dim_feedforward=3, dropout=0.0, batch_first=True, **settings)
    randomize(module)
    inputs = {"x": normal(N, T, E)}
    case(name, module, module(inputs["x"], **masks), inputs)


encoder("encoder layer", {})
encoder("encoder layer, padded", {"src_key_padding_mask": PADDING})
encoder("encoder layer, norm first", {"src_mask": CAUSAL, "is_causal": True}, norm_first=True, activation="gelu")
encoder("encoder layer without bias", {}, norm_first=True, bias=False, layer_norm_eps=0.1)


def decoder(name, **settings):
    module = nn.TransformerDecoderLayer(E, H, dim_feedforward=3, dropout=0.0, batch_first=True, **settings)
    randomize(module)
    inputs = {"target": normal(N, T, E), "memory": normal(N, S, E)}
    masks = {"tgt_mask": CAUSAL, "tgt_key_padding_mask": PADDING, "memory_key_padding_mask": MEMORY_PADDING}
    case(name, module, module(inputs["target"], inputs["memory"], **masks), inputs)


decoder("decoder layer")
decoder("decoder layer, norm first", norm_first=True, activation="gelu")


def stacks():
    layer = nn.TransformerEncoderLayer(4, 2, dim_feedforward=3, dropout=0.0, batch_first=True)
    module = nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(4), enable_nested_tensor=False)
    randomize(module)
    inputs = {"x": normal(1, 3, 4)}
    case("encoder", module, module(inputs["x"]), inputs)
    layer = nn.TransformerDecoderLayer(4, 2, dim_feedforward=3, dropout=0.0, batch_first=True)
    module = nn.TransformerDecoder(layer, 2, norm=nn.LayerNorm(4))
    randomize(module)
    inputs = {"target": normal(1, 3, 4), "memory": normal(1, 2, 4)}
    case("decoder", module, module(inputs["target"], inputs["memory"]), inputs)


stacks()


def turned(x, first, base=10000.0):
    """Pairs of features as complex numbers, turned (Su and others, 2021, eq. 12)."""
    places, size = x.shape[-2:]
    angles = torch.outer(torch.arange(first, first + places).double(), base ** (-torch.arange(0, size, 2) / size))
    pairs = torch.view_as_complex(x.reshape(*x.shape[:-1], size // 2, 2)) * torch.polar(torch.ones_like(angles), angles)
    return torch.view_as_real(pairs).reshape(x.shape)


def rotary():
    x = normal(N, H, T, 6)
    y = turned(x, 3, 100.0)
    (y * torch.cos(torch.arange(y.numel()).double()).reshape(y.shape)).sum().backward()
    golden["rotary"] = {"x": array(x), "y": array(y), "dx": array(x.grad)}
    module = nn.MultiheadAttention(8, 2, batch_first=True)
    randomize(module)
    x = normal(N, T, 8)
    q, k, v = F.linear(x, module.in_proj_weight, module.in_proj_bias).split(8, -1)
    heads = lambda x: x.reshape(N, T, 2, 4).transpose(1, 2)
    y = F.scaled_dot_product_attention(turned(heads(q), 0), turned(heads(k), 0), heads(v), is_causal=True)
    case("rotary attention", module, module.out_proj(y.transpose(1, 2).reshape(N, T, 8)), {"query": x})


rotary()


def sinusoids(places, features):
    table = np.zeros((places, features))
    for p in range(places):
        for i in range(features):
            angle = p / 10000 ** ((i - i % 2) / features)
            table[p, i] = math.sin(angle) if i % 2 == 0 else math.cos(angle)
    return torch.tensor(table)


golden["sinusoids"] = [array(sinusoids(7, 6)), array(sinusoids(3, 5))]


class Block(nn.Module):
    """nanoGPT's block."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = nn.ModuleDict({"c_attn": nn.Linear(width, 3 * width), "c_proj": nn.Linear(width, width)})
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(width, 4 * width), "c_proj": nn.Linear(4 * width, width)})

    def forward(self, x):
        n, t, e = x.shape
        q, k, v = (part.view(n, t, self.heads, e // self.heads).transpose(1, 2) for part in self.attn.c_attn(self.ln_1(x)).split(e, 2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(n, t, e)
        x = x + self.attn.c_proj(y)
        return x + self.mlp.c_proj(F.gelu(self.mlp.c_fc(self.ln_2(x))))


class Gpt(nn.Module):
    """nanoGPT, with the output tied to the embedding or not."""

    def __init__(self, vocabulary, context, layers, heads, width, tied):
        super().__init__()
        self.transformer = nn.ModuleDict(
            {
                "wte": nn.Embedding(vocabulary, width),
                "wpe": nn.Embedding(context, width),
                "h": nn.ModuleList([Block(width, heads) for _ in range(layers)]),
                "ln_f": nn.LayerNorm(width),
            }
        )
        if not tied:
            self.lm_head = nn.Linear(width, vocabulary, bias=False)

    def forward(self, x):
        y = self.transformer.wte(x) + self.transformer.wpe(torch.arange(x.shape[1]))
        for block in self.transformer.h:
            y = block(y)
        y = self.transformer.ln_f(y)
        return self.lm_head(y) if hasattr(self, "lm_head") else F.linear(y, self.transformer.wte.weight)


def gpt(name, tied):
    module = Gpt(7, 5, 2, 2, 4, tied)
    randomize(module)
    tokens, labels = torch.tensor(rng.integers(0, 7, (2, 5))), torch.tensor(rng.integers(0, 7, (2, 5)))
    logits = module(tokens)
    loss = F.cross_entropy(logits.reshape(-1, 7), labels.reshape(-1))
    loss.backward()
    golden[name] = {
        "tokens": array(tokens),
        "labels": array(labels),
        "state": {key: array(x) for key, x in module.state_dict().items()},
        "logits": array(logits),
        "loss": loss.item(),
        "gradients": {key: array(x.grad) for key, x in module.named_parameters()},
    }


gpt("gpt", True)
gpt("gpt, not tied", False)


def losses():
    logits, labels = normal(3, 4, 5), torch.tensor(rng.integers(0, 5, (3, 4)))
    samples, classes = torch.tensor([0.5, 2.0, 1.0]), torch.tensor([1.0, 0.5, 2.0, 0.0, 3.0])
    flat = logits.reshape(-1, 5)
    probabilities = logits.softmax(-1)
    spread = normal(3, 4, 5).detach().softmax(-1)
    mean = F.cross_entropy(flat, labels.reshape(-1))
    mean.backward()
    numpy = lambda x: x.detach().numpy()
    accuracy = keras.metrics.SparseCategoricalAccuracy()
    accuracy.update_state(numpy(labels), numpy(logits))
    sparse = keras.losses.SparseCategoricalCrossentropy
    golden["losses"] = {
        "logits": array(logits),
        "labels": array(labels),
        "samples": array(samples),
        "classes": array(classes),
        "spread": array(spread),
        "keras": float(sparse(from_logits=True)(numpy(labels), numpy(logits))),
        "keras, per place": array(torch.tensor(np.array(keras.losses.sparse_categorical_crossentropy(numpy(labels), numpy(logits), from_logits=True)))),
        "keras, probabilities": float(sparse()(numpy(labels), numpy(probabilities))),
        "keras, samples": float(sparse(from_logits=True)(numpy(labels), numpy(logits), sample_weight=numpy(samples)[:, None])),
        "keras, spread": float(keras.losses.CategoricalCrossentropy(from_logits=True)(numpy(spread), numpy(logits))),
        "accuracy": float(accuracy.result()),
        "mean": mean.item(),
        "gradient": array(logits.grad),
        "classes weighted": F.cross_entropy(flat, labels.reshape(-1), weight=classes).item(),
        "smoothed": F.cross_entropy(flat, labels.reshape(-1), label_smoothing=0.1).item(),
        "smoothed, classes weighted": F.cross_entropy(flat, labels.reshape(-1), weight=classes, label_smoothing=0.1).item(),
    }


losses()
print(json.dumps(golden))
