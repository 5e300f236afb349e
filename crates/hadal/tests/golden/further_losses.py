"""Golden values of losses from PyTorch, torchvision and Keras, in f64: the losses of samples, and the gradients of
sum(losses * cos(0, 1, 2, ..)).

Usage: pip install torch torchvision keras numpy; python further_losses.py > further_losses.json   (a few seconds)
"""
import json
import os

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras
import numpy as np
import torch
import torch.nn.functional as F
from torchvision.ops import sigmoid_focal_loss

keras.config.set_floatx("float64")
rng = np.random.default_rng(20261201)
golden = {}


def array(x):
    return {"shape": list(x.shape), "data": x.detach().double().reshape(-1).tolist()}


def leaf(*shape):
    return torch.tensor(rng.normal(size=shape), requires_grad=True)


def case(name, losses, *inputs, **constants):
    weights = torch.cos(torch.arange(losses.numel(), dtype=torch.float64))
    (losses * weights).sum().backward()
    golden[name] = {"losses": array(losses), "inputs": [array(x) for x in inputs], "gradients": [array(x.grad) for x in inputs]}
    golden[name] |= {key: array(torch.as_tensor(value)) for key, value in constants.items()}


def focal(p, t, gamma, alpha):
    """Lin and others, eq. 5, as Keras's CategoricalFocalCrossentropy has it."""
    return keras.losses.CategoricalFocalCrossentropy(alpha=alpha, gamma=gamma, reduction=None)(t, p)


labels = torch.tensor([0, 3, 1, 1, 2])
one_hot = F.one_hot(labels, 4).double()
soft = torch.tensor(rng.dirichlet(np.ones(4), size=5))
for name, target, gamma, alpha in [("focal", one_hot, 2.0, 1.0), ("focal_soft", soft, 0.5, 0.25), ("focal_alpha", one_hot, 3.0, [0.125, 0.25, 0.375, 0.5])]:
    z = leaf(5, 4)
    p = z.softmax(1)
    case(name, focal(p, target, gamma, alpha), z, target=target, labels=labels)
for name, gamma, alpha in [("binary_focal", 2.0, 0.25), ("binary_focal_plain", 1.5, -1.0)]:
    z, t = leaf(4, 3), torch.tensor(rng.integers(0, 2, size=(4, 3))).double()
    case(name, sigmoid_focal_loss(z, t, alpha, gamma).mean(1), z, target=t)

mask = torch.tensor(rng.integers(0, 2, size=(3, 2, 4))).double()
z = leaf(3, 2, 4)
p = z.sigmoid()
# Milletari and others, section 3, for one area; s is the smoothing constant.
overlap = (2 * (p * mask).sum((1, 2)) + 0.5) / ((p ** 2).sum((1, 2)) + (mask ** 2).sum((1, 2)) + 0.5)
case("dice", 1 - overlap, z, target=mask)
z = leaf(3, 2, 4)
p = z.sigmoid()
case("dice_keras", torch.stack([keras.losses.dice(t, q) for t, q in zip(mask, p)]), z, target=mask)
z, areas = leaf(2, 3, 2, 2), torch.tensor(rng.integers(0, 3, size=(2, 2, 2)))
planes = F.one_hot(areas, 3).permute(0, 3, 1, 2).double()
p = z.softmax(1)
overlap = (2 * (p * planes).sum((2, 3)) + 1e-5) / ((p ** 2).sum((2, 3)) + (planes ** 2).sum((2, 3)) + 1e-5)
case("dice_labels", (1 - overlap).mean(1), z, target=areas)

for name, settings in [("triplet", {}), ("triplet_swap", {"margin": 2.5, "swap": True}), ("triplet_p1", {"margin": 4.0, "p": 1.0}), ("triplet_p3", {"margin": 2.0, "p": 3.0})]:
    a, p, n = leaf(5, 3), leaf(5, 3), leaf(5, 3)
    case(name, torch.nn.TripletMarginLoss(reduction="none", **settings)(a, p, n), a, p, n)
x, classes = leaf(6, 3), torch.tensor([0, 1, 0, 1, 0, 2])
distance = F.pairwise_distance(x[:, None], x[None])
same = classes[:, None] == classes[None]
own = torch.eye(6, dtype=torch.bool)
# Hermans and others, batch hard.
positive = distance.masked_fill(~same | own, -1.0).argmax(1)
negative = distance.masked_fill(same, float("inf")).argmin(1)
losses = F.triplet_margin_loss(x, x[positive], x[negative], margin=1.5, reduction="none") * torch.tensor([1, 1, 1, 1, 1, 0])
case("triplet_hard", losses, x, labels=classes)
a, b, together = leaf(5, 3), leaf(5, 3), torch.tensor([1, 0, 0, 1, 0])
d = F.pairwise_distance(a, b)
# Hadsell and others, eq. 4.
case("contrastive", (together * d ** 2 + (1 - together) * (2.5 - d).relu() ** 2) / 2, a, b, same=together)
x = leaf(6, 3)
distance = F.pairwise_distance(x[:, None], x[None])
pairs = (same * distance ** 2 + ~same * (2.5 - distance).relu() ** 2) / 2
case("contrastive_labels", (pairs * ~own).sum(1) / 5, x, labels=classes)
a, b = leaf(4, 3), leaf(4, 3)
views = F.normalize(torch.cat([a, b]))
similar = (views @ views.T / 0.5).masked_fill(torch.eye(8, dtype=torch.bool), float("-inf"))
# Chen and others, eq. 1: the other view is the right one among all others.
case("nt_xent", F.cross_entropy(similar, (torch.arange(8) + 4) % 8, reduction="none"), a, b)

for name, shape, targets, input_lengths, target_lengths, settings in [
    ("ctc", (6, 3, 4), [[1, 2, 3], [2, 2, 1], [3, 1, 2]], [6, 6, 6], [3, 3, 3], {}),
    ("ctc_lengths", (6, 4, 4), [[1, 2, 3], [2, 2, 1], [3, 1, 2], [1, 1, 1]], [6, 4, 2, 5], [2, 3, 1, 0], {}),
    ("ctc_blank", (5, 2, 3), [[0, 1, 0], [1, 1, 0]], [5, 5], [3, 2], {"blank": 2}),
    ("ctc_impossible", (4, 3, 3), [[1, 1, 2], [1, 1, 1], [2, 1, 2]], [4, 4, 2], [3, 3, 3], {"zero_infinity": True}),
]:
    z = leaf(*shape)
    log_p = z.log_softmax(2)
    losses = F.ctc_loss(log_p, torch.tensor(targets), torch.tensor(input_lengths), torch.tensor(target_lengths), reduction="none", **settings)
    case(name, losses, z, targets=targets, input_lengths=input_lengths, target_lengths=target_lengths)
z = leaf(6, 3, 4)
mean = F.ctc_loss(z.log_softmax(2), torch.tensor([[1, 2, 3], [2, 2, 1], [3, 1, 2]]), torch.tensor([6, 6, 6]), torch.tensor([3, 2, 1]))
case("ctc_mean", mean.reshape(1), z)
z, targets = torch.tensor(rng.normal(size=(2, 5, 4)), requires_grad=True), torch.tensor([[1, 3, 0], [2, 0, 0]])
# Keras takes logits, and targets filled up with blanks.
case("ctc_keras", keras.losses.CTC(reduction=None)(targets, z), z, targets=targets)
print(json.dumps(golden))
