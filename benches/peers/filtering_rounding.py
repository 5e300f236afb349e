"""Rounding of minimal filtering by tiles of 4 x 4 places for 3 x 3 windows, in float32, by the points of its polynomials (Lavin and Gray,
arXiv 1509.09308; Cook and Toom's algorithm), beside sums of products one after another. Usage: [CHANNELS]"""
import sys

import numpy as np

OUT, WINDOW = 4, 3
SIDE = OUT + WINDOW - 1


def matrices(points):
    """Of the tile's elements, of the window's and of the output's, for finite points and infinity."""
    points = np.asarray(points, dtype=np.float64)
    elements = np.zeros((SIDE, SIDE))
    windows = np.zeros((SIDE, WINDOW))
    outputs = np.zeros((OUT, SIDE))
    for i, point in enumerate(points):
        others = np.delete(points, i)
        elements[i, :SIDE - 1] = np.poly(others)[::-1]
        windows[i] = point ** np.arange(WINDOW) / np.prod(point - others)
        outputs[:, i] = point ** np.arange(OUT)
    elements[-1] = np.poly(points)[::-1]
    windows[-1, -1] = outputs[-1, -1] = 1
    return elements, windows, outputs


def filtered(x, w, points):
    """The 4 x 4 places of tiles [.., channels, 6, 6] and windows [channels, 3, 3], in the numbers' own precision."""
    elements, windows, outputs = (matrix.astype(x.dtype) for matrix in matrices(points))
    sums = np.zeros(x.shape[:-3] + (SIDE, SIDE), x.dtype)
    for channel in range(x.shape[-3]):
        sums += (elements @ x[..., channel, :, :] @ elements.T) * (windows @ w[channel] @ windows.T)
    return outputs @ sums @ outputs.T


def direct(x, w):
    sums = np.zeros(x.shape[:-3] + (OUT, OUT), x.dtype)
    for channel in range(x.shape[-3]):
        for i in range(WINDOW):
            for j in range(WINDOW):
                sums += x[..., channel, i:i + OUT, j:j + OUT] * w[channel, i, j]
    return sums


def main():
    channels = int(sys.argv[1]) if len(sys.argv) > 1 else 130
    rng = np.random.default_rng(1)
    x = rng.uniform(-1, 1, (600, channels, SIDE, SIDE)).astype(np.float32)
    w = rng.uniform(-1, 1, (channels, WINDOW, WINDOW)).astype(np.float32)
    exact = direct(x.astype(np.float64), w.astype(np.float64))
    half = np.sqrt(0.5)
    for name, y in (
        ("sums of products", direct(x, w)),
        ("0, 1/sqrt(2), -1/sqrt(2), sqrt(2), -sqrt(2), infinity", filtered(x, w, [0, half, -half, 1 / half, -1 / half])),
        ("0, 1, -1, 2, -2, infinity", filtered(x, w, [0, 1, -1, 2, -2])),
    ):
        error = np.abs(y - exact)
        print(f"{name}: root of the mean square {np.sqrt(np.mean(error ** 2)):.2e}, at most {error.max():.2e} of {error.size}")


main()
