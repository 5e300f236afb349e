"""Milliseconds of PyTorch's convolutions. Usage: THREADS   Prints: kind input filters window stride groups milliseconds"""
import sys
import time
import torch
import torch.nn.functional as F

torch.set_num_threads(int(sys.argv[1]))
SHAPES = [
    (128, 1, 6, 28, 5, 1, 2, 1),
    (128, 6, 16, 14, 5, 1, 0, 1),
    (128, 1, 32, 28, 3, 1, 0, 1),
    (128, 32, 64, 26, 3, 1, 0, 1),
    (64, 3, 16, 32, 3, 1, 1, 1),
    (64, 16, 16, 32, 3, 1, 1, 1),
    (64, 16, 32, 32, 3, 2, 1, 1),
    (64, 32, 32, 16, 3, 1, 1, 1),
    (64, 64, 64, 8, 3, 1, 1, 1),
    (64, 16, 32, 32, 1, 2, 0, 1),
    (64, 32, 32, 32, 3, 1, 1, 32),
    (64, 128, 128, 16, 3, 1, 1, 128),
]
for n, c, o, size, window, stride, padding, groups in SHAPES:
    x, w, b = torch.randn(n, c, size, size), torch.randn(o, c // groups, window, window), torch.randn(o)
    convolve = lambda x, w, b=None: F.conv2d(x, w, b, stride, padding, groups=groups)
    outputs = convolve(x, w).numel()
    repeats = int(min(max(2e9 / (2 * outputs * c // groups * window * window), 1), 40))
    xt, wt = x.clone().requires_grad_(), w.clone().requires_grad_()

    def forward():
        with torch.no_grad():
            convolve(x, w, b)

    works = [
        ("forward", forward),
        ("forward+input", lambda: torch.autograd.grad(convolve(xt, w).sum(), xt)),
        ("forward+weight", lambda: torch.autograd.grad(convolve(x, wt).sum(), wt)),
    ]
    for kind, work in works:
        work()
        seconds = []
        for _ in range(5):
            start = time.perf_counter()
            for _ in range(repeats):
                work()
            seconds.append((time.perf_counter() - start) / repeats)
        print(kind, f"{n}x{c}x{size}x{size}", o, window, stride, groups, f"{sorted(seconds)[2] * 1e3:.3f}", flush=True)
