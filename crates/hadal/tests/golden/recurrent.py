"""Golden values of recurrent layers and cells from PyTorch, and of Keras's with its weights copied, in f64: outputs, states at the end,
and the gradients of sum(outputs * cos(0, 1, 2, ..)) + sum(states * cos(0, 1, 2, ..)); networks trained on packed sequences.

Usage: pip install torch keras numpy; KERAS_BACKEND=torch python recurrent.py > recurrent.json   (seconds)
"""
import json
import os

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras
import numpy as np
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

torch.set_default_dtype(torch.float64)
keras.backend.set_floatx("float64")
keras.config.set_dtype_policy("float64")
torch.manual_seed(20261127)
rng = np.random.default_rng(20261127)
golden = {}
BATCH, TIME, FEATURES, UNITS = 3, 4, 2, 3


def array(x):
    return {"shape": list(x.shape), "data": x.detach().reshape(-1).tolist()}


def random(*shape):
    return torch.tensor(rng.normal(size=shape), requires_grad=True)


def weighted(y):
    return (y * torch.cos(torch.arange(y.numel(), dtype=torch.float64)).reshape(y.shape)).sum()


def tensors(state):
    return list(state) if isinstance(state, tuple) else [state]


def case(name, layer, with_state=False, lengths=None):
    directions = 2 if layer.bidirectional else 1
    x = random(BATCH, TIME, FEATURES)
    count = 2 if isinstance(layer, torch.nn.LSTM) else 1
    state = [random(layer.num_layers * directions, BATCH, UNITS) for _ in range(count)] if with_state else []
    given = None if not state else tuple(state) if count == 2 else state[0]
    if lengths is None:
        y, end = layer(x, given)
    else:
        packed = pack_padded_sequence(x, torch.tensor(lengths), batch_first=True, enforce_sorted=False)
        y, end = layer(packed, given)
        y, _ = pad_packed_sequence(y, batch_first=True, total_length=TIME)
    (weighted(y) + sum(weighted(s) for s in tensors(end))).backward()
    golden[name] = {
        "x": array(x),
        "state": [array(s) for s in state],
        "lengths": lengths,
        "weights": {key: array(value) for key, value in layer.state_dict().items()},
        "y": array(y),
        "end": [array(s) for s in tensors(end)],
        "dx": array(x.grad),
        "dstate": [array(s.grad) for s in state],
        "dweights": {key: array(value.grad) for key, value in layer.named_parameters()},
    }


for name, make in [
    ("rnn", torch.nn.RNN),
    ("relu", lambda *sizes, **settings: torch.nn.RNN(*sizes, nonlinearity="relu", **settings)),
    ("lstm", torch.nn.LSTM),
    ("gru", torch.nn.GRU),
]:
    layer = lambda **settings: make(FEATURES, UNITS, batch_first=True, **settings)
    case(f"{name}", layer())
    if name == "relu":
        continue
    case(f"{name} no bias", layer(bias=False))
    case(f"{name} deep", layer(num_layers=2), with_state=True)
    case(f"{name} both", layer(bidirectional=True), with_state=True)
    case(f"{name} lengths", layer(), with_state=True, lengths=[2, 4, 1])
    case(f"{name} all", layer(num_layers=2, bidirectional=True), with_state=True, lengths=[3, 1, 3])

for name, cell in [
    ("rnn cell", torch.nn.RNNCell(FEATURES, UNITS)),
    ("lstm cell", torch.nn.LSTMCell(FEATURES, UNITS)),
    ("gru cell", torch.nn.GRUCell(FEATURES, UNITS)),
]:
    x = random(BATCH, FEATURES)
    state = [random(BATCH, UNITS) for _ in range(2 if name == "lstm cell" else 1)]
    end = tensors(cell(x, tuple(state) if len(state) == 2 else state[0]))
    sum(weighted(s) for s in end).backward()
    golden[name] = {
        "x": array(x),
        "state": [array(s) for s in state],
        "weights": {key: array(value) for key, value in cell.state_dict().items()},
        "end": [array(s) for s in end],
        "dx": array(x.grad),
        "dstate": [array(s.grad) for s in state],
        "dweights": {key: array(value.grad) for key, value in cell.named_parameters()},
    }

for name, make in [("simple_rnn", keras.layers.SimpleRNN), ("lstm", keras.layers.LSTM), ("gru", keras.layers.GRU)]:
    layer = make(UNITS, return_sequences=True, bias_initializer=keras.initializers.RandomNormal(seed=1))
    x = torch.tensor(rng.normal(size=(BATCH, TIME, FEATURES)))
    sequences = torch.as_tensor(keras.ops.convert_to_numpy(layer(x)))
    layer.return_sequences = False
    last = torch.as_tensor(keras.ops.convert_to_numpy(layer(x)))
    kernel, recurrent, bias = [torch.as_tensor(weight) for weight in layer.get_weights()]
    # Keras's GRU has its gates in the order z, r, n, and two biases; its LSTM's are i, f, g, o.
    order = [1, 0, 2] if name == "gru" else range(kernel.shape[1] // UNITS)
    ordered = lambda w: torch.cat([w[..., gate * UNITS : (gate + 1) * UNITS] for gate in order], dim=-1)
    biases = ordered(bias) if name == "gru" else torch.stack([ordered(bias), torch.zeros_like(bias)])
    golden[f"keras {name}"] = {
        "x": array(x),
        "weights": {
            "weight_ih_l0": array(ordered(kernel).T),
            "weight_hh_l0": array(ordered(recurrent).T),
            "bias_ih_l0": array(biases[0]),
            "bias_hh_l0": array(biases[1]),
        },
        "sequences": array(sequences),
        "last": array(last),
    }

class Padded(torch.nn.Module):
    """Embedded words of packed sequences, a recurrent layer, and a linear one on its last state or on its output at each step."""

    def __init__(self, recurrent, steps):
        super().__init__()
        self.steps = steps
        self.embedding = torch.nn.Embedding(7, FEATURES)
        self.recurrent = recurrent
        self.linear = torch.nn.Linear(2 * UNITS, CLASSES)

    def forward(self, words, lengths):
        packed = pack_padded_sequence(self.embedding(words), lengths, batch_first=True, enforce_sorted=False)
        y, end = self.recurrent(packed)
        if self.steps:
            return self.linear(pad_packed_sequence(y, batch_first=True, total_length=words.shape[1])[0])
        h = end[0] if isinstance(end, tuple) else end
        return self.linear(torch.cat([h[-2], h[-1]], dim=-1))

    def named(self):
        """Its weights by the names that they have in a Sequential."""
        linear = "layers.2.0" if self.steps else "layers.2"
        names = {"embedding": "layers.0", "recurrent": "layers.1", "linear": linear}
        items = self.state_dict().items()
        return {names[key.split(".")[0]] + "." + key.split(".", 1)[1]: array(value) for key, value in items}


CLASSES, SAMPLES, LONGEST = 3, 5, 4
for name, recurrent, steps in [
    ("padded lstm", torch.nn.LSTM(FEATURES, UNITS, bidirectional=True, batch_first=True), False),
    ("padded gru steps", torch.nn.GRU(FEATURES, UNITS, num_layers=2, bidirectional=True, batch_first=True), True),
]:
    model = Padded(recurrent, steps)
    lengths = torch.tensor([3, 4, 1, 2, 4])
    within = torch.arange(LONGEST) < lengths[:, None]
    words = torch.where(within, torch.tensor(rng.integers(1, 7, size=(SAMPLES, LONGEST))), 0)
    labels = torch.tensor(rng.integers(0, CLASSES, size=(SAMPLES, LONGEST) if steps else SAMPLES))
    before, optimizer, losses = model.named(), torch.optim.SGD(model.parameters(), lr=0.5), []
    # Steps behind the end of a sequence have no label.
    targets = torch.where(within, labels, -100) if steps else labels
    for _ in range(3):
        total, count = 0.0, 0
        for batch in (slice(0, 2), slice(2, 4), slice(4, 5)):
            y, t = model(words[batch], lengths[batch]).reshape(-1, CLASSES), targets[batch].reshape(-1)
            loss = torch.nn.functional.cross_entropy(y, t, ignore_index=-100)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total, count = total + loss.item() * (t >= 0).sum().item(), count + (t >= 0).sum().item()
        losses.append(total / count)
    with torch.no_grad():
        y = model(words, lengths).reshape(-1, CLASSES)
    t = targets.reshape(-1)
    golden[name] = {
        "words": words.tolist(),
        "lengths": lengths.tolist(),
        "labels": labels.tolist(),
        "before": before,
        "losses": losses,
        "after": model.named(),
        "loss": torch.nn.functional.cross_entropy(y, t, ignore_index=-100).item(),
        "accuracy": ((y.argmax(-1) == t)[t >= 0]).double().mean().item(),
        "y": array(y.reshape(*labels.shape, CLASSES)),
    }
print(json.dumps(golden))
