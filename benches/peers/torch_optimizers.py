"""Seconds of one step over 10 million parameters, PyTorch's foreach implementations. Usage: REPEATS"""
import sys
import time
import torch

repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 20
for name, make in [
    ("SGD", lambda p: torch.optim.SGD(p, lr=1e-3, foreach=True)),
    ("RMSprop", lambda p: torch.optim.RMSprop(p, lr=1e-3, alpha=0.9, eps=1e-7, foreach=True)),
    ("Adam", lambda p: torch.optim.Adam(p, lr=1e-3, eps=1e-7, foreach=True)),
]:
    parameter = torch.zeros(10_000_000, requires_grad=True)
    parameter.grad = torch.full_like(parameter, 1e-3)
    optimizer = make([parameter])
    optimizer.step()
    for _ in range(repeats):
        start = time.perf_counter()
        optimizer.step()
        print(name, f"{time.perf_counter() - start:.6f}", flush=True)
