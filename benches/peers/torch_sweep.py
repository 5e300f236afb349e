"""Throughput of a training step of dense layers with relu in GFLOP/s, as peer_sweep's, PyTorch eager.

Usage: WIDTH BATCH DEPTH [SECONDS]
"""
import sys
import time
import torch
import torch.nn as nn

width, batch, depth = map(int, sys.argv[1:4])
seconds = float(sys.argv[4]) if len(sys.argv) > 4 else 0.15
torch.manual_seed(1)
model = nn.Sequential(*(layer for _ in range(depth) for layer in (nn.Linear(width, width), nn.ReLU())))
optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
x, y = torch.randn(batch, width), torch.randn(batch, width)


def run(steps):
    start = time.perf_counter()
    for _ in range(steps):
        optimizer.zero_grad()
        (model(x) - y).pow(2).mean().backward()
        optimizer.step()
    return (time.perf_counter() - start) / steps


# The first step makes what the others find made.
run(1)
steps = max(1, int(seconds / run(1)))
operations = 2 * batch * width * width * (3 * depth - 1)
print(f"{operations / run(steps) / 1e9:.2f}", flush=True)
