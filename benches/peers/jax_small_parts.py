"""Nanoseconds of one operation on 8 numbers (a matrix product: 8 x 8), JAX on the processor. Usage: ROUNDS

Prints `name: nanoseconds` a line each, the median of rounds of 1,000 calls; each call waits for its result, which is
dropped before the next is made. "untracked": the operation of jax.numpy, not compiled with others. "forward and
backward": one compiled function of the operation's sum and its gradient by the first input. Compilation is not timed.
The names are those of examples/peer_small_parts.rs; JAX has no tracked results. Times of the matrix product vary several
times over on a busy machine.
"""
import os
import statistics
import sys
import timeit

os.environ["JAX_PLATFORMS"] = "cpu"
import jax
import jax.numpy as jnp

CALLS = 1000
OPERATIONS = {
    "add": (lambda x, y: x + y, "x + y", (8,)),
    "multiply": (lambda x, y: x * y, "x * y", (8,)),
    "tanh": (lambda x, y: jnp.tanh(x), "jnp.tanh(x)", (8,)),
    "sum": (lambda x, y: jnp.sum(x), "jnp.sum(x)", (8,)),
    "matmul 8 x 8": (lambda x, y: x @ y, "x @ y", (8, 8)),
}

rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 100


def measure(name, statement, **names):
    # timeit compiles the statement into its loop: no function call is timed with it.
    timer = timeit.Timer(statement, globals={"jnp": jnp, **names})
    timer.timeit(10)
    print(f"{name}: {statistics.median(timer.repeat(rounds, CALLS)) * 1e9 / CALLS:.1f}", flush=True)


for name, (function, operation, shape) in OPERATIONS.items():
    key_x, key_y = jax.random.split(jax.random.key(0))
    x, y = jax.random.normal(key_x, shape), jax.random.normal(key_y, shape)
    measure(f"{name}, untracked", f"({operation}).block_until_ready()", x=x, y=y)
    compiled = jax.jit(jax.value_and_grad(lambda x, y: jnp.sum(function(x, y))))
    # The value and the gradient are results of one execution: both are ready when one is.
    measure(f"{name}, forward and backward", "compiled(x, y)[1].block_until_ready()", compiled=compiled, x=x, y=y)
