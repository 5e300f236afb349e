"""Golden values of layers, losses, optimizers, schedules and metrics from the reference implementations, in f64.

Usage: pip install torch keras numpy scikit-learn; python generate.py > golden.json   (a few seconds)
"""
import json
import os

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras
import numpy as np
import sklearn
import sklearn.metrics
import sklearn.svm
import torch
import torch.nn.functional as F

keras.config.set_floatx("float64")
rng = np.random.default_rng(20261123)
golden = {"versions": {"torch": torch.__version__.split("+")[0], "keras": keras.__version__, "sklearn": sklearn.__version__}}


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
    "leaky_relu 0.01": F.leaky_relu,
    "elu 1.3": lambda y: F.elu(y, 1.3),
    "selu": F.selu,
    "gelu": F.gelu,
    "silu": F.silu,
    "softplus": F.softplus,
    "hard_sigmoid": F.hardsigmoid,
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

# Normalisation: output, gradients, and what is remembered.
def normalised(name, layer, x):
    golden[name] = {"x": array(x), "weights": array(np.cos(np.arange(x.size).reshape(x.shape)))}
    for key, value in (("w", layer.weight), ("b", layer.bias)):
        value.data = torch.tensor(rng.normal(size=value.shape))
        golden[name][key] = array(value)
    y_in = leaf(x)
    y = layer(y_in)
    (y * torch.tensor(np.cos(np.arange(x.size).reshape(x.shape)))).sum().backward()
    golden[name] |= {"y": array(y), "dx": array(y_in.grad), "dw": array(layer.weight.grad), "db": array(layer.bias.grad)}
    layer.eval()
    golden[name]["evaluation"] = array(layer(torch.tensor(x)))


batch_norm = torch.nn.BatchNorm1d(3).double()
normalised("batch_norm", batch_norm, rng.normal(size=(6, 3)) * 2 + 1)
golden["batch_norm"] |= {"mean": array(batch_norm.running_mean), "var": array(batch_norm.running_var)}
normalised("batch_norm_images", torch.nn.BatchNorm2d(2).double(), rng.normal(size=(3, 2, 4, 5)))
normalised("layer_norm", torch.nn.LayerNorm(4).double(), rng.normal(size=(5, 4)) * 3)
x = rng.normal(size=(6, 3))
layer = keras.layers.BatchNormalization(dtype="float64")
golden["batch_norm_keras"] = {"x": array(x), "y": array(layer(torch.tensor(x), training=True))}
golden["batch_norm_keras"] |= {"mean": array(layer.moving_mean.value), "var": array(layer.moving_variance.value)}

# Penalties and limits on weights.
w = rng.normal(size=(3, 5))
golden["regularizers"] = {
    "w": array(w),
    "l1": float(keras.regularizers.L1(0.1)(torch.tensor(w))),
    "l2": float(keras.regularizers.L2(0.1)(torch.tensor(w))),
    "l1_l2": float(keras.regularizers.L1L2(0.1, 0.2)(torch.tensor(w))),
    # Keras's weights are [in, out].
    "max_norm": array(keras.constraints.MaxNorm(1.5)(torch.tensor(w.T)).T),
}

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


def log_p(p):
    return torch.log_softmax(p, -1)


classes = torch.tensor(labels)
loss("categorical_crossentropy_logits", logits, lambda p: F.cross_entropy(p, classes))
loss("categorical_crossentropy_smooth", logits, lambda p: F.cross_entropy(p, classes, label_smoothing=0.1))
loss("categorical_crossentropy_sum", logits, lambda p: F.cross_entropy(p, classes, reduction="sum"))
class_weights = torch.tensor([1.0, 2.0, 0.5, 3.0], dtype=torch.float64)
loss("class_weights", logits, lambda p: F.cross_entropy(p, classes, weight=class_weights))
loss("class_weights_smooth", logits, lambda p: F.cross_entropy(p, classes, weight=class_weights, label_smoothing=0.1))
sample_weights = torch.tensor([1.0, 0.0, 2.0, 0.5, 3.0, 1.5], dtype=torch.float64)
loss("sample_weights", logits, lambda p: (F.cross_entropy(p, classes, reduction="none") * sample_weights).mean())
normalised_p = probabilities / probabilities.sum(1, keepdims=True)
loss("complement", normalised_p, lambda p: F.binary_cross_entropy(p / p.sum(1, keepdim=True), one_hot, reduction="sum") / 6)
bits = (rng.uniform(size=(6, 4)) < 0.5).astype(np.float64)
p_bits = 1 / (1 + np.exp(-logits))
golden["losses"] |= {"bits": array(bits), "p_bits": array(p_bits), "signs": array(2 * bits - 1)}
loss("binary_crossentropy", p_bits, lambda p: F.binary_cross_entropy(p, torch.tensor(bits)))
loss("binary_crossentropy_logits", logits, lambda p: F.binary_cross_entropy_with_logits(p, torch.tensor(bits)))
loss(
    "binary_crossentropy_smooth",
    p_bits,
    lambda p: keras.losses.binary_crossentropy(torch.tensor(bits), p, label_smoothing=0.2).mean(),
)
loss("mean_absolute_error", logits, lambda p: F.l1_loss(p, torch.tensor(soft)))
loss("huber", logits, lambda p: F.huber_loss(p, torch.tensor(soft)))
loss("huber_wide", logits, lambda p: F.huber_loss(p, torch.tensor(soft), delta=2.5))
loss("hinge", logits, lambda p: keras.losses.hinge(torch.tensor(2 * bits - 1), p).mean())
loss("log_cosh", logits, lambda p: keras.losses.log_cosh(torch.tensor(soft), p).mean())
loss("kl_divergence", normalised_p, lambda p: F.kl_div(p.log(), torch.tensor(soft), reduction="batchmean"))

# Optimizers: 100 steps on three problems, from a fixed start: a bumpy bowl, sum(c (w - t)^2 / 2 + cos(3 w)); Rosenbrock's
# valley in six dimensions, a hundredth of it; and softmax regression, whose parameter is a matrix.
c, t = rng.uniform(0.1, 3, size=7), rng.normal(size=7)
inputs, classes = rng.normal(size=(20, 4)), rng.integers(0, 3, size=20)
golden["optimizers"] = {"c": array(c), "t": array(t), "inputs": array(inputs), "classes": array(classes), "steps": 100}
problems = {
    "bowl": (rng.normal(size=7), lambda w: (torch.tensor(c) * (w - torch.tensor(t)) ** 2 / 2 + torch.cos(3 * w)).sum()),
    "valley": (
        rng.uniform(-0.5, 0.5, size=6),
        lambda w: ((w[1:] - w[:-1] ** 2) ** 2 + 0.01 * (1 - w[:-1]) ** 2).sum(),
    ),
    "regression": (rng.normal(size=(3, 4)), lambda w: F.cross_entropy(torch.tensor(inputs) @ w.T, torch.tensor(classes))),
}
golden["optimizers"]["starts"] = {name: array(start) for name, (start, _) in problems.items()}


def gradient(function, w):
    w = w.detach().clone().requires_grad_()
    function(w).backward()
    return w.grad


def torch_run(name, make):
    golden["optimizers"][name] = {}
    for problem, (start, function) in problems.items():
        w = leaf(start)
        optimizer = make([w])
        for _ in range(100):
            w.grad = gradient(function, w)
            optimizer.step()
        golden["optimizers"][name][problem] = array(w)


def keras_run(name, make):
    golden["optimizers"][name] = {}
    for problem, (start, function) in problems.items():
        w = keras.Variable(start, dtype="float64")
        optimizer = make()
        optimizer.build([w])
        for _ in range(100):
            optimizer.apply([gradient(function, w.value)], [w])
        golden["optimizers"][name][problem] = array(w.value)


K, T = keras.optimizers, torch.optim
torch_run("sgd", lambda p: T.SGD(p, lr=0.01))
torch_run("sgd_weight_decay", lambda p: T.SGD(p, lr=0.01, weight_decay=0.1))
torch_run("sgd_momentum", lambda p: T.SGD(p, lr=0.01, momentum=0.5))
torch_run("sgd_nesterov", lambda p: T.SGD(p, lr=0.01, momentum=0.9, nesterov=True))
keras_run("sgd_momentum_keras", lambda: K.SGD(0.01, momentum=0.9))
keras_run("sgd_nesterov_keras", lambda: K.SGD(0.01, momentum=0.9, nesterov=True))
torch_run("adagrad", lambda p: T.Adagrad(p, lr=0.05))
torch_run("adadelta", lambda p: T.Adadelta(p, lr=1.0))
keras_run("adadelta_keras", lambda: K.Adadelta(1.0, rho=0.95, epsilon=1e-7))
keras_run("rmsprop", lambda: K.RMSprop())
keras_run("rmsprop_momentum", lambda: K.RMSprop(0.002, rho=0.8, momentum=0.7))
keras_run("rmsprop_centered", lambda: K.RMSprop(0.002, rho=0.8, centered=True))
keras_run("rmsprop_centered_momentum", lambda: K.RMSprop(0.002, rho=0.8, momentum=0.7, centered=True))
keras_run("adam", lambda: K.Adam())
keras_run("adam_other", lambda: K.Adam(0.01, beta_1=0.7, beta_2=0.9, epsilon=1e-4))
torch_run("adam_weight_decay", lambda p: T.Adam(p, lr=0.01, weight_decay=0.1, eps=1e-30))
keras_run("amsgrad", lambda: K.Adam(0.01, beta_2=0.9, amsgrad=True))
keras_run("adamw", lambda: K.AdamW(0.01, weight_decay=0.1))
keras_run("adamax", lambda: K.Adamax(0.01, beta_2=0.9))
keras_run("nadam", lambda: K.Nadam(0.01))
keras_run("lion", lambda: K.Lion(0.01))
keras_run("muon", lambda: K.Muon(0.01, weight_decay=None, adam_weight_decay=None))

# Clipping.
w = leaf(rng.normal(size=5))
w.grad = torch.tensor(rng.normal(size=5) * 3)
golden["clipping"] = {"gradient": array(w.grad), "norm": float(torch.nn.utils.clip_grad_norm_([w], 1.5)), "clipped": array(w.grad)}

# Metrics, from scikit-learn, and Keras where it has them to the last digit.
truth, guess = rng.integers(0, 4, size=50), rng.normal(size=(50, 4))
# No sample of class 3 is ever right, and class 4 never occurs.
guess[np.arange(50), truth] += 1.0
chosen = guess.argmax(1)
M = sklearn.metrics
golden["metrics"] = {
    "labels": array(truth),
    "scores": array(guess),
    "accuracy": M.accuracy_score(truth, chosen),
    "top_2": M.top_k_accuracy_score(truth, guess, k=2),
    "confusion": array(M.confusion_matrix(truth, chosen)),
    **{
        f"{name}_{average}": float(function(truth, chosen, average=average))
        for name, function in [("precision", M.precision_score), ("recall", M.recall_score), ("f1", M.f1_score)]
        for average in ("macro", "micro")
    },
    "kappa": float(M.cohen_kappa_score(truth, chosen)),
    "precision_2": float(M.precision_score(truth, chosen, labels=[2], average="macro")),
}
truth, guess = rng.integers(0, 2, size=60), np.round(rng.uniform(size=60), 1)
golden["binary"] = {
    "labels": array(truth),
    "scores": array(guess.reshape(60, 1)),
    "auc": M.roc_auc_score(truth, guess),
    "precision": M.precision_score(truth, guess > 0.5),
    "recall": M.recall_score(truth, guess > 0.5),
    "f1": M.f1_score(truth, guess > 0.5),
}
truth, guess = rng.normal(size=(30, 2)) + 5, rng.normal(size=(30, 2)) + 5
golden["regression"] = {
    "targets": array(truth),
    "predictions": array(guess),
    "mean_absolute_error": M.mean_absolute_error(truth, guess),
    "mean_squared_error": M.mean_squared_error(truth, guess),
    "r2_score": M.r2_score(truth.ravel(), guess.ravel()),
}

# The largest-margin line.
points = rng.normal(size=(40, 2))
sides = (points @ np.array([1.0, -0.5]) > 0.2).astype(int)
points += 0.5 * np.outer(2 * sides - 1, [1.0, -0.5])
svm = sklearn.svm.SVC(kernel="linear", C=1e6, tol=1e-12).fit(points, sides)
soft_svm = sklearn.svm.SVC(kernel="linear", C=0.1, tol=1e-12).fit(points, sides)
golden["linear_svm"] = {
    "points": array(points),
    "labels": array(sides),
    "weight": array(svm.coef_[0]),
    "bias": float(svm.intercept_[0]),
    "soft_weight": array(soft_svm.coef_[0]),
    "soft_bias": float(soft_svm.intercept_[0]),
}

# Schedules: the factor of each of 20 steps.
S = torch.optim.lr_scheduler


def factors(make, first=1.0):
    optimizer = torch.optim.SGD([leaf([0.0])], lr=first)
    schedule, found = make(optimizer), []
    for _ in range(20):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


golden["schedules"] = {
    "step": factors(lambda o: S.StepLR(o, 6, gamma=0.3)),
    "exponential": factors(lambda o: S.ExponentialLR(o, 0.9)),
    "polynomial": factors(lambda o: S.PolynomialLR(o, 20, power=2.0)),
    "cosine": factors(lambda o: S.CosineAnnealingLR(o, T_max=20)),
    "cosine_restarts": factors(lambda o: S.CosineAnnealingWarmRestarts(o, 4, 2)),
    "one_cycle": factors(lambda o: S.OneCycleLR(o, 1.0, total_steps=21, cycle_momentum=False))[:20],
    "one_cycle_20": [
        keep for keep in factors(lambda o: S.OneCycleLR(o, 1.0, total_steps=21, pct_start=0.4, cycle_momentum=False))
    ],
}
# Keras's warm-up, then a cosine over the rest.
warm = keras.optimizers.schedules.CosineDecay(0.0, 16, warmup_target=1.0, warmup_steps=4)
golden["schedules"]["warm_up"] = [float(warm(step)) for step in range(20)]
values = [1.0, 0.8, 0.8, 0.79995, 0.81, 0.5, 0.6, 0.6, 0.6, 0.6]
optimizer = torch.optim.SGD([leaf([0.0])], lr=1.0)
plateau = S.ReduceLROnPlateau(optimizer, factor=0.5, patience=1, threshold=1e-4, threshold_mode="abs")
golden["plateau"] = {"values": values, "factors": []}
for value in values:
    plateau.step(value)
    golden["plateau"]["factors"].append(optimizer.param_groups[0]["lr"])

print(json.dumps(golden, indent=None, separators=(",", ":")))
