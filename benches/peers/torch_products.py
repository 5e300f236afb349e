"""GFLOP/s of PyTorch's matrix products. Usage: THREADS f32|bf16 [LARGEST]   Prints: kind rows depth columns gflops"""
import sys
import time
import torch

torch.set_num_threads(int(sys.argv[1]))
dtype = {"f32": torch.float32, "bf16": torch.bfloat16}[sys.argv[2]]
largest = int(sys.argv[3]) if len(sys.argv) > 3 else 4096
shapes = [(128, 784, 512), (128, 512, 512), (128, 512, 10)] + [(n, n, n) for n in (512, 1000, 1024, 2048, 4096) if n <= largest]
for batch, width, units in shapes:
    x, w, g = (torch.randn(*s).to(dtype) for s in ((batch, width), (units, width), (batch, units)))
    flops = 2 * batch * width * units
    for kind, product in (("forward", lambda: x @ w.t()), ("input", lambda: g @ w), ("weight", lambda: g.t() @ x)):
        product()
        repeats = max(1, int(3e9 / flops))
        best = []
        for _ in range(5):
            start = time.perf_counter()
            for _ in range(repeats):
                product()
            best.append((time.perf_counter() - start) / repeats)
        print(kind, batch, width, units, f"{flops / sorted(best)[2] / 1e9:.1f}", flush=True)
