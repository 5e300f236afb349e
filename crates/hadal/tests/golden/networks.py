"""Golden values of the ready networks LeNet, ResNet-20 and MLP-Mixer, written in PyTorch, in f64: outputs in training and in evaluation,
and the gradients of sum(output * cos(0, 1, 2, ..)) for the input and every parameter.

The networks have too many parameters for a file, so inputs and states are made of numbers that Python and Rust compute alike (`uniform`),
and large gradients are kept as some of their elements and sums of all of them, each times a number.

Usage: pip install torch numpy; python networks.py > networks.json   (seconds)
"""
import json

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

torch.set_default_dtype(torch.float64)
golden = {}

# Gradients of more elements are kept in part.
WHOLE = 32
# How many elements are then kept, and how many sums.
ELEMENTS, SUMS = 8, 4


def uniform(stream, count):
    """`count` numbers on [-1, 1) that look random: the end of MurmurHash3, of counters that begin with `stream * 2^20`."""
    x = np.arange(count, dtype=np.uint64) + np.uint64(stream << 20)
    low = np.uint64(0xFFFFFFFF)
    x = ((x ^ (x >> np.uint64(16))) * np.uint64(0x85EBCA6B)) & low
    x = ((x ^ (x >> np.uint64(13))) * np.uint64(0xC2B2AE35)) & low
    x = x ^ (x >> np.uint64(16))
    return torch.tensor(x.astype(np.float64) / 2.0**31 - 1.0)


def made(stream, tensor, scale, offset=0.0):
    """Fills `tensor` with `offset + scale * uniform`; how that was done."""
    with torch.no_grad():
        tensor.copy_(offset + scale * uniform(stream, tensor.numel()).reshape(tensor.shape))
    return {"shape": list(tensor.shape), "stream": stream, "scale": scale, "offset": offset}


def parts(x):
    """What is kept of a gradient."""
    flat = x.detach().reshape(-1)
    count = flat.numel()
    if count <= WHOLE:
        return {"shape": list(x.shape), "data": flat.tolist()}
    step = count // ELEMENTS
    sums = [(flat * uniform(1000 + index, count)).sum().item() for index in range(SUMS)]
    return {"shape": list(x.shape), "step": step, "elements": flat[::step][:ELEMENTS].tolist(), "sums": sums}


def run(network, x):
    """Output and gradients."""
    x = x.clone().requires_grad_()
    network.zero_grad()
    y = network(x)
    (y * torch.cos(torch.arange(y.numel(), dtype=torch.float64)).reshape(y.shape)).sum().backward()
    return {
        "y": {"shape": list(y.shape), "data": y.detach().reshape(-1).tolist()},
        "dx": parts(x.grad),
        "gradients": {name: parts(parameter.grad) for name, parameter in network.named_parameters()},
    }


def case(name, network, shape, gain=6.0):
    """In training first, so that evaluation has the running statistics that it left. Weights have the variance `gain / (3 * fan_in)`."""
    state = {}
    for stream, (key, tensor) in enumerate(network.state_dict().items(), 1):
        if "num_batches" in key:
            continue
        if tensor.dim() > 1:
            state[key] = made(stream, tensor, (gain / tensor[0].numel()) ** 0.5)
        elif key.endswith("running_var") or key.endswith("weight"):
            state[key] = made(stream, tensor, 0.5, 1.0)
        else:
            state[key] = made(stream, tensor, 0.3)
    x = torch.empty(shape)
    golden[name] = {"x": made(0, x, 1.0), "state": state}
    golden[name]["training"] = run(network.train(), x)
    golden[name]["evaluation"] = run(network.eval(), x)


# The names are those of the layers of our networks. Layers without parameters have numbers, too.


class LeNet(nn.Module):
    """LeCun and others, 1998, figure 2, with rectifiers, max pooling and a softmax."""

    def __init__(self, classes):
        super().__init__()
        self.layers = nn.ModuleDict({
            "0": nn.Conv2d(1, 6, 5, padding=2),
            "2": nn.Conv2d(6, 16, 5),
            "5": nn.Linear(400, 120),
            "6": nn.Linear(120, 84),
            "7": nn.Linear(84, classes),
        })

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.layers["0"](x)), 2)
        x = F.max_pool2d(F.relu(self.layers["2"](x)), 2)
        x = F.relu(self.layers["5"](x.flatten(1)))
        x = F.relu(self.layers["6"](x))
        return F.softmax(self.layers["7"](x), -1)


case("lenet", LeNet(3), (2, 1, 28, 28))


def convolution(channels, filters, size, stride):
    return nn.Conv2d(channels, filters, size, stride=stride, padding=size // 2, bias=False)


class Block(nn.ModuleDict):
    """He and others, 2016, figure 2; where the shape changes, with a projection."""

    def __init__(self, channels, filters, stride):
        super().__init__({
            "0": convolution(channels, filters, 3, stride),
            "1": nn.BatchNorm2d(filters),
            "3": convolution(filters, filters, 3, 1),
            "4": nn.BatchNorm2d(filters),
        })
        if stride > 1:
            self["shortcut"] = nn.Sequential(convolution(channels, filters, 1, stride), nn.BatchNorm2d(filters))

    def forward(self, x):
        y = F.relu(self["1"](self["0"](x)))
        y = self["4"](self["3"](y))
        return F.relu(y + (self["shortcut"](x) if "shortcut" in self else x))


class ResNet(nn.Module):
    """He and others, 2016, section 4.2."""

    def __init__(self, blocks, classes):
        super().__init__()
        self.layers = nn.ModuleDict({"0": convolution(3, 16, 3, 1), "1": nn.BatchNorm2d(16)})
        self.blocks = []
        channels = 16
        for filters, first_stride in [(16, 1), (32, 2), (64, 2)]:
            for index in range(blocks):
                # A rectifier comes before each block.
                self.blocks.append(str(3 + 2 * len(self.blocks)))
                self.layers[self.blocks[-1]] = Block(channels, filters, first_stride if index == 0 else 1)
                channels = filters
        # Behind the last block's rectifier and the mean.
        self.head = str(3 + 2 * len(self.blocks) + 1)
        self.layers[self.head] = nn.Linear(64, classes)

    def forward(self, x):
        x = F.relu(self.layers["1"](self.layers["0"](x)))
        for block in self.blocks:
            x = self.layers[block](x)
        return F.softmax(self.layers[self.head](x.mean((2, 3))), -1)


# Each block adds to its input; with weights of He's variance, the softmax would be 0 and 1 in evaluation.
case("resnet20", ResNet(3, 3), (2, 3, 32, 32), gain=1.5)


class Mixing(nn.ModuleDict):
    """One half of a block: Tolstikhin and others, 2021, eq. 1. `place` is that of the dense layers behind the normalization."""

    def __init__(self, hidden, place, inputs, units):
        self.place = place
        dense = nn.ModuleList([nn.Linear(inputs, units), nn.Linear(units, inputs)])
        super().__init__({"0": nn.LayerNorm(hidden, eps=1e-6), place: dense})

    def forward(self, x, across_patches):
        y = self["0"](x)
        y = y.transpose(1, 2) if across_patches else y
        first, second = self[self.place]
        y = second(F.gelu(first(y)))
        return x + (y.transpose(1, 2) if across_patches else y)


class MlpMixer(nn.Module):
    def __init__(self, image, patch, hidden, tokens, channels, blocks, classes):
        super().__init__()
        depth, height, width = image
        patches = (height // patch) * (width // patch)
        self.layers = nn.ModuleDict({"0": nn.Conv2d(depth, hidden, patch, stride=patch)})
        # Behind what makes rows of the patches.
        for index in range(3, 3 + 2 * blocks, 2):
            self.layers[str(index)] = Mixing(hidden, "2", patches, tokens)
            self.layers[str(index + 1)] = Mixing(hidden, "1", hidden, channels)
        self.last = 3 + 2 * blocks
        self.layers[str(self.last)] = nn.LayerNorm(hidden, eps=1e-6)
        # Behind the mean, which takes the patches last.
        self.layers[str(self.last + 3)] = nn.Linear(hidden, classes)

    def forward(self, x):
        x = self.layers["0"](x).flatten(2).transpose(1, 2)
        for index in range(3, self.last, 2):
            x = self.layers[str(index)](x, across_patches=True)
            x = self.layers[str(index + 1)](x, across_patches=False)
        x = self.layers[str(self.last)](x).mean(1)
        return F.softmax(self.layers[str(self.last + 3)](x), -1)


case("mlp_mixer", MlpMixer((2, 4, 6), patch=2, hidden=5, tokens=3, channels=7, blocks=2, classes=3), (2, 2, 4, 6))
print(json.dumps(golden))
