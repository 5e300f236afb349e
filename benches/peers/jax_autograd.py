"""Seconds for the lecture's autograd program, 2,000 steps with losses recorded, one compiled loop in JAX. Usage: REPEATS"""
import sys
import time
import jax
import jax.numpy as jnp


def loss_function(weights, x, y):
    return jnp.sum((jnp.tanh(x @ weights[0]) @ weights[1] - y) ** 2)


@jax.jit
def program(weights, x, y):
    def step(weights, _):
        loss, grads = jax.value_and_grad(loss_function)(weights, x, y)
        return jax.tree.map(lambda w, g: w - 1e-5 * g, weights, grads), loss

    return jax.lax.scan(step, weights, None, length=2000)


keys = jax.random.split(jax.random.key(0), 4)
x, y = jax.random.normal(keys[0], (64, 3)), jax.random.normal(keys[1], (64, 2))
weights = (jax.random.normal(keys[2], (3, 4)), jax.random.normal(keys[3], (4, 2)))
for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 5):
    start = time.perf_counter()
    jax.block_until_ready(program(weights, x, y))
    print(f"{time.perf_counter() - start:.4f}", flush=True)
