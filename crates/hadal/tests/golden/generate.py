"""Golden values of layers, losses, optimizers and metrics from the reference implementations, in f64.

Usage: pip install torch keras numpy; KERAS_BACKEND=torch python generate.py > golden.json
"""
import json
import os

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras
import numpy as np
import torch
import torch.nn.functional as F

keras.config.set_floatx("float64")
rng = np.random.default_rng(20261123)
golden = {"versions": {"torch": torch.__version__.split("+")[0], "keras": keras.__version__}}


def array(x):
    x = x.detach().cpu().numpy() if isinstance(x, torch.Tensor) else np.asarray(x)
    return {"shape": list(x.shape), "data": x.astype(np.float64).ravel().tolist()}


def leaf(x):
    return torch.tensor(x, dtype=torch.float64, requires_grad=True)


# Layers and activations: output, and the gradients of sum(output * weights).
x, w, b, weights = rng.normal(size=(5, 3)), rng.normal(size=(4, 3)), rng.normal(size=4), rng.normal(size=(5, 4))
golden["linear"] = {name: array(value) for name, value in dict(x=x, w=w, b=b, weights=weights).items()}
activations = {
    "identity": lambda y: y,
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softmax": lambda y: torch.softmax(y, -1),
    "log_softmax": lambda y: torch.log_softmax(y, -1),
}
for name, function in activations.items():
    leaves = [leaf(x), leaf(w), leaf(b)]
    y = function(F.linear(*leaves))
    (y * torch.tensor(weights)).sum().backward()
    golden["linear"][name] = {"y": array(y), **{f"d{k}": array(t.grad) for k, t in zip("xwb", leaves)}}

# Losses: value, and gradient in the prediction. One row is confidently wrong, to meet the clipping.
logits, labels = rng.normal(size=(6, 4)) * 3, rng.integers(0, 4, size=6)
# Not quite normalised: Keras divides by the sum.
probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True) * 1.1
soft = rng.dirichlet(np.ones(4), size=6)
golden["losses"] = {name: array(v) for name, v in dict(p=probabilities, logits=logits, labels=labels, soft=soft).items()}


def loss(name, prediction, function):
    prediction = leaf(prediction)
    value = function(prediction)
    value.backward()
    golden["losses"][name] = {"loss": value.item(), "gradient": array(prediction.grad)}


one_hot = torch.tensor(np.eye(4)[labels])
# The operation under the loss of that name, which itself reduces in f32.


def crossentropy(target, output):
    return keras.ops.categorical_crossentropy(target, output).mean()

loss("categorical_crossentropy", probabilities, lambda p: crossentropy(one_hot, p))
loss("categorical_crossentropy_soft", probabilities, lambda p: crossentropy(torch.tensor(soft), p))
loss("negative_log_likelihood", np.log(probabilities), lambda p: F.nll_loss(p, torch.tensor(labels)))
loss("mean_squared_error", logits, lambda p: F.mse_loss(p, torch.tensor(soft)))
sure = np.array([[1.0, 0.0], [0.0, 1.0]])
golden["losses"]["clipped"] = {
    "p": array(sure),
    "labels": array([0, 0]),
    "loss": float(crossentropy(torch.tensor(np.eye(2)[[0, 0]]), torch.tensor(sure))),
}

# Optimizers: 50 steps on f(w) = sum(c (w - t)^2 / 2 + cos(3 w)), a bumpy bowl.
start, c, t = rng.normal(size=7), rng.uniform(0.1, 3, size=7), rng.normal(size=7)
golden["optimizers"] = {"start": array(start), "c": array(c), "t": array(t), "steps": 50}


def gradient(w):
    return torch.tensor(c) * (w - torch.tensor(t)) - 3 * torch.sin(3 * w)


def torch_run(make):
    w = leaf(start)
    optimizer = make([w])
    for _ in range(50):
        w.grad = gradient(w.detach())
        optimizer.step()
    return array(w)


def keras_run(optimizer):
    w = keras.Variable(start, dtype="float64")
    optimizer.build([w])
    for _ in range(50):
        optimizer.apply([gradient(w.value.detach())], [w])
    return array(w.value)


golden["optimizers"]["sgd"] = torch_run(lambda p: torch.optim.SGD(p, lr=0.01))
golden["optimizers"]["sgd_momentum"] = torch_run(lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.5))
golden["optimizers"]["rmsprop"] = keras_run(keras.optimizers.RMSprop())
golden["optimizers"]["rmsprop_momentum"] = keras_run(keras.optimizers.RMSprop(0.002, rho=0.8, momentum=0.7))
golden["optimizers"]["adam"] = keras_run(keras.optimizers.Adam())
golden["optimizers"]["adam_other"] = keras_run(keras.optimizers.Adam(0.01, beta_1=0.7, beta_2=0.9, epsilon=1e-4))

# Metrics.
metric = keras.metrics.SparseCategoricalAccuracy()
metric.update_state(labels, probabilities)
golden["accuracy"] = float(metric.result())

# Schedules: the factor of each of 10 steps.
w = leaf([0.0])
optimizer = torch.optim.SGD([w], lr=1.0)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10)
factors = []
for _ in range(10):
    factors.append(optimizer.param_groups[0]["lr"])
    optimizer.step()
    schedule.step()
golden["cosine"] = factors

print(json.dumps(golden, indent=None, separators=(",", ":")))
