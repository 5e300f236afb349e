"""Nanoseconds of one operation on 8 numbers (a matrix product: 8 x 8), PyTorch eager, one thread. Usage: ROUNDS

Prints `name: nanoseconds` a line each, the median of rounds of 1,000 calls; each result is dropped before the next is
made. "tracked": the first input requires a gradient. "forward and backward": the operation, its sum (unless it is a sum
itself) and backward, with the gradient set to None after each. The names are those of examples/peer_small_parts.rs.
"""
import statistics
import sys
import timeit
import torch

CALLS = 1000
# Each with `x`, the input that may be tracked, and the shape of the inputs.
OPERATIONS = {
    "add": ("x + y", (8,)),
    "multiply": ("x * y", (8,)),
    "tanh": ("x.tanh()", (8,)),
    "sum": ("x.sum()", (8,)),
    "matmul 8 x 8": ("x @ y", (8, 8)),
}

torch.set_num_threads(1)
torch.manual_seed(0)
rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 100


def measure(name, statement, x, y):
    # timeit compiles the statement into its loop: no function call is timed with it.
    times = timeit.Timer(statement, globals={"x": x, "y": y}).repeat(rounds, CALLS)
    print(f"{name}: {statistics.median(times) * 1e9 / CALLS:.1f}", flush=True)


for name, (operation, shape) in OPERATIONS.items():
    x, y = torch.randn(shape), torch.randn(shape)
    w = x.clone().requires_grad_()
    loss = operation if name == "sum" else f"({operation}).sum()"
    measure(f"{name}, untracked", operation, x, y)
    measure(f"{name}, tracked", operation, w, y)
    measure(f"{name}, forward and backward", f"{loss}.backward(); x.grad = None", w, y)
