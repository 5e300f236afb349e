"""Milliseconds of JAX's training steps on the processor, and the process's peak memory in MiB.
Usage: cnn|resnet|lstm|gpt THREADS   Prints: network milliseconds MiB

The networks of torch_networks.py: one compiled step, parameters donated, images with channels last. Weights are lists of
arrays in the order of PyTorch's, matrices as [inputs, outputs]. Compilation is not timed, but counts in the memory.
"""
import os
import resource
import sys
import time

kind, threads = sys.argv[1], int(sys.argv[2])
# Before JAX is loaded: its pool has as many threads as processors are allowed.
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
os.environ["JAX_PLATFORMS"] = "cpu"
if threads == 1:
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
import jax
import jax.numpy as jnp
import numpy as np

rng = np.random.default_rng(1)
VOCABULARY, CONTEXT, LAYERS, HEADS, WIDTH = 65, 64, 4, 4, 128


def uniform(shape, inputs):
    return jnp.asarray(rng.uniform(-(inputs**-0.5), inputs**-0.5, shape), jnp.float32)


def dense(inputs, outputs):
    return [uniform((inputs, outputs), inputs), uniform(outputs, inputs)]


def kernel(size, inputs, outputs):
    return uniform((size, size, inputs, outputs), size * size * inputs)


def norm(width):
    return [jnp.ones(width), jnp.zeros(width)]


def conv(x, w, stride=1, padding="VALID"):
    return jax.lax.conv_general_dilated(x, w, (stride, stride), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def batch_norm(x, weights, running):
    mean, variance, count = x.mean((0, 1, 2)), x.var((0, 1, 2)), x.size // x.shape[-1]
    new = [0.9 * running[0] + 0.1 * mean, 0.9 * running[1] + 0.1 * variance * count / (count - 1)]
    return (x - mean) * jax.lax.rsqrt(variance + 1e-5) * weights[0] + weights[1], new


def layer_norm(x, weights):
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) * jax.lax.rsqrt(variance + 1e-5) * weights[0] + weights[1]


def cnn(params, running, x):
    (w1, b1), (w2, b2), (w3, b3), (w4, b4) = params
    x = jax.nn.relu(conv(jax.nn.relu(conv(x, w1) + b1), w2) + b2)
    x = x.reshape(len(x), 12, 2, 12, 2, 64).max((2, 4))  # its gradient is faster than that of reduce_window
    return jax.nn.relu(x.reshape(len(x), -1) @ w3 + b3) @ w4 + b4, running


def resnet(params, running, x):
    first, *blocks, (w, b) = params
    new = []

    def conv_norm(x, layer, stride=1):
        same = layer[0].shape[0] // 2
        x, statistics = batch_norm(conv(x, layer[0], stride, [(same, same)] * 2), layer[1], running[len(new)])
        new.append(statistics)
        return x

    x = jax.nn.relu(conv_norm(x, first))
    for one, two, *shortcut in blocks:
        stride = 2 if shortcut else 1
        y = conv_norm(jax.nn.relu(conv_norm(x, one, stride)), two)
        x = jax.nn.relu(y + (conv_norm(x, shortcut[0], stride) if shortcut else x))
    return x.mean((1, 2)) @ w + b, new


def lstm(params, running, x):
    *layers, (w, b) = params
    x = x.swapaxes(0, 1)
    for w_input, w_hidden, b_input, b_hidden in layers:

        def step(state, projected):
            h, c = state
            i, f, g, o = jnp.split(projected + h @ w_hidden, 4, -1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        zeros = jnp.zeros((x.shape[1], len(w_hidden)))
        _, x = jax.lax.scan(step, (zeros, zeros), x @ w_input + (b_input + b_hidden))
    return x[-1] @ w + b, running


def gpt(params, running, x):
    wte, wpe, *blocks, ln_f = params
    x = wte[x] + wpe
    for ln_1, ln_2, (w_attention, b_attention), (w_projection, b_projection), (w_up, b_up), (w_down, b_down) in blocks:
        q, k, v = jnp.split(layer_norm(x, ln_1) @ w_attention + b_attention, 3, -1)
        q, k, v = (part.reshape(*x.shape[:2], HEADS, WIDTH // HEADS) for part in (q, k, v))
        y = jax.nn.dot_product_attention(q, k, v, is_causal=True).reshape(x.shape)
        x = x + y @ w_projection + b_projection
        x = x + jax.nn.gelu(layer_norm(x, ln_2) @ w_up + b_up, approximate=False) @ w_down + b_down
    return layer_norm(x, ln_f) @ wte.T, running


running, model = [], {"cnn": cnn, "resnet": resnet, "lstm": lstm, "gpt": gpt}[kind]
if kind == "cnn":
    params = [[kernel(3, 1, 32), uniform(32, 9)], [kernel(3, 32, 64), uniform(64, 288)], dense(9216, 128), dense(128, 10)]
    x, y = rng.random((128, 28, 28, 1), np.float32), np.arange(128) % 10
elif kind == "resnet":
    params, inputs = [[kernel(3, 3, 16), norm(16)]], 16
    for outputs in (16, 16, 16, 32, 32, 32, 64, 64, 64):
        block = [[kernel(3, inputs, outputs), norm(outputs)], [kernel(3, outputs, outputs), norm(outputs)]]
        params.append(block if inputs == outputs else [*block, [kernel(1, inputs, outputs), norm(outputs)]])
        inputs = outputs
    widths = [16] * 7 + [32] * 7 + [64] * 7
    running = [[jnp.zeros(width), jnp.ones(width)] for width in widths]
    params.append(dense(64, 10))
    x, y = rng.random((64, 32, 32, 3), np.float32), np.arange(64) % 10
elif kind == "lstm":
    shapes = [(256, 1024), (256, 1024), 1024, 1024]
    params = [*([uniform(shape, 256) for shape in shapes] for _ in range(2)), dense(256, 10)]
    x, y = rng.standard_normal((32, 100, 256), np.float32), np.arange(32) % 10
else:
    embeddings = [jnp.asarray(0.02 * rng.standard_normal((n, WIDTH)), jnp.float32) for n in (VOCABULARY, CONTEXT)]
    shapes = [(WIDTH, 3 * WIDTH), (WIDTH, WIDTH), (WIDTH, 4 * WIDTH), (4 * WIDTH, WIDTH)]
    params = [*embeddings, *([norm(WIDTH), norm(WIDTH), *(dense(*s) for s in shapes)] for _ in range(LAYERS)), norm(WIDTH)]
    x = y = np.arange(768).reshape(12, 64) % 65
x, y = jnp.asarray(x), jnp.asarray(y)


def loss_function(params, running, x, y):
    output, running = model(params, running, x)
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(output), y[..., None], -1)), running


def train(state, x, y):
    params, running, mean, square, count = state
    (loss, running), grads = jax.value_and_grad(loss_function, has_aux=True)(params, running, x, y)
    count += 1
    mean = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, mean, grads)
    square = jax.tree.map(lambda s, g: 0.999 * s + 0.001 * g * g, square, grads)
    rate, scale = 0.001 / (1 - 0.9**count), 1 / (1 - 0.999**count)
    params = jax.tree.map(lambda w, m, s: w - rate * m / (jnp.sqrt(s * scale) + 1e-8), params, mean, square)
    return (params, running, mean, square, count), loss


step = jax.jit(train, donate_argnums=0)
zeros = lambda: jax.tree.map(jnp.zeros_like, params)
state = (params, running, zeros(), zeros(), jnp.float32(0))


def run(steps):
    global state
    start = time.perf_counter()
    for _ in range(steps):
        state, loss = step(state, x, y)
    jax.block_until_ready(state)
    return (time.perf_counter() - start) / steps


if __name__ == "__main__":
    steps = 20 if kind == "gpt" else 10
    run(steps)
    seconds = sorted(run(steps) for _ in range(5))
    print(kind, f"{seconds[2] * 1e3:.2f} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}")
