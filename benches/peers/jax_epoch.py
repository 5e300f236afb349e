"""Seconds per epoch of the lecture's network in JAX: the whole epoch one jitted scan, data in memory. Usage: EPOCHS"""
import sys
import time
import jax
import jax.numpy as jnp
import mnist_data

(x_train, y_train), _ = mnist_data.load()
x_train, y_train = jnp.asarray(x_train), jnp.asarray(y_train)
SIZES, BATCH, STEPS = [784, 512, 512, 10], 128, 60000 // 128


def loss_function(params, x, y, key):
    for i, (w, b) in enumerate(params):
        x = x @ w + b
        if i < 2:
            keep = jax.random.bernoulli(jax.random.fold_in(key, i), 0.8, x.shape)
            x = jnp.where(keep, jax.nn.relu(x) / 0.8, 0.0)
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(x), y[:, None], 1))


@jax.jit
def epoch(params, square, key):
    order = jax.random.permutation(key, 60000)[: STEPS * BATCH].reshape(STEPS, BATCH)

    def step(state, at):
        params, square = state
        index, i = at
        loss, grads = jax.value_and_grad(loss_function)(params, x_train[index], y_train[index], jax.random.fold_in(key, i))
        square = jax.tree.map(lambda s, g: 0.9 * s + 0.1 * g * g, square, grads)
        params = jax.tree.map(lambda w, s, g: w - 0.001 * g / jnp.sqrt(s + 1e-7), params, square, grads)
        return (params, square), loss

    return jax.lax.scan(step, (params, square), (order, jnp.arange(STEPS)))


key = jax.random.key(1)
params = []
for i, (n, m) in enumerate(zip(SIZES, SIZES[1:])):
    limit = (6 / (n + m)) ** 0.5
    params.append((jax.random.uniform(jax.random.fold_in(key, i), (n, m), jnp.float32, -limit, limit), jnp.zeros(m)))
square = jax.tree.map(jnp.zeros_like, params)
for i in range(int(sys.argv[1]) if len(sys.argv) > 1 else 5):
    start = time.perf_counter()
    (params, square), losses = jax.block_until_ready(epoch(params, square, jax.random.fold_in(key, 100 + i)))
    print(f"{time.perf_counter() - start:.3f}", flush=True)
