"""Seconds for the lecture's autograd program, 2,000 steps with losses recorded, PyTorch eager. Usage: REPEATS"""
import sys
import time
import torch

torch.manual_seed(0)
for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 5):
    x, y = torch.randn(64, 3), torch.randn(64, 2)
    w1, w2 = torch.randn(3, 4, requires_grad=True), torch.randn(4, 2, requires_grad=True)
    losses = []
    start = time.perf_counter()
    for _ in range(2000):
        y_pred = x.mm(w1).tanh().mm(w2)
        loss = (y_pred - y).pow(2).sum()
        losses.append(loss.item())
        loss.backward()
        with torch.no_grad():
            w1 -= 1e-5 * w1.grad
            w2 -= 1e-5 * w2.grad
            w1.grad.zero_()
            w2.grad.zero_()
    print(f"{time.perf_counter() - start:.4f}", flush=True)
