"""Golden values of averaged weights and renewed batch statistics from torch.optim.swa_utils, in f64.

Usage: pip install torch numpy; python averaging.py > averaging.json   (a second)
"""
import json

import numpy as np
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn

rng = np.random.default_rng(20261202)


def array(x):
    return {"shape": list(x.shape), "data": x.detach().double().reshape(-1).tolist()}


model = torch.nn.Linear(2, 3, bias=False).double()
average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9))
mean = AveragedModel(model)
steps = []
for _ in range(6):
    model.weight.data = torch.tensor(rng.normal(size=(3, 2)))
    average.update_parameters(model)
    mean.update_parameters(model)
    steps.append({"weight": array(model.weight), "exponential": array(average.module.weight), "mean": array(mean.module.weight)})

norm = torch.nn.Sequential(torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2)).double()
for _ in range(3):
    norm(torch.tensor(rng.normal(size=(5, 3))))
x = torch.tensor(rng.normal(size=(12, 3)))
state = {name: array(value) for name, value in norm.state_dict().items() if "num" not in name}
update_bn(x.split(4), norm)
after = {name: array(value) for name, value in norm.state_dict().items() if "running" in name}
print(json.dumps({"steps": steps, "x": array(x), "state": state, "after": after}))
