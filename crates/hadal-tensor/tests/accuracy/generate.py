"""Exact values of functions of one number, in high precision, and PyTorch's errors on the same inputs.

Usage: pip install mpmath torch; python generate.py > values.txt   (a minute)
       python generate.py --peers                                  (PyTorch's worst errors, as Markdown)

values.txt: a line of inputs for each type, then a line for each function and type. A number is its bits in hexadecimal; exact
values are rounded to f64, and for f64 what rounding took follows in 1/64 of a unit in the last place.
"""
import math
import random
import struct
import sys

import mpmath
from mpmath import mp, mpf

mp.prec = 2400
HALF, ONE = mpf(1) / 2, mpf(1)


def elu(x, alpha=ONE, scale=ONE):
    return scale * (x if x > 0 else alpha * mpmath.expm1(x))


def log_cosh(x):
    a = abs(x)
    return a + mpmath.log1p(mpmath.expm1(-2 * a) / 2)


SELU_SCALE, SELU_ALPHA = mpf("1.0507009873554804934193349852946"), mpf("1.6732632423543772848170429916717")
# Beyond these the result is 0, or what `far` says, and high precision would take for ever.
FUNCTIONS = {
    "exp": mpmath.exp,
    "expm1": mpmath.expm1,
    "ln": lambda x: mpmath.log(x) if x > 0 else None,
    "log1p": lambda x: mpmath.log1p(x) if x > -1 else None,
    "sqrt": lambda x: mpmath.sqrt(x) if x >= 0 else None,
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "atan": mpmath.atan,
    "tanh": mpmath.tanh,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log1p(mpmath.exp(-abs(x))) + max(x, mpf(0)),
    "erf": mpmath.erf,
    "erfc": mpmath.erfc,
    "gelu": lambda x: x * mpmath.erfc(-x / mpmath.sqrt(2)) / 2,
    "silu": lambda x: x / (1 + mpmath.exp(-x)),
    "log_cosh": log_cosh,
    "elu": elu,
    "selu": lambda x: elu(x, SELU_ALPHA, SELU_SCALE),
    "recip": lambda x: 1 / x if x != 0 else None,
    "powi 3": lambda x: x**3,
    "powi -2": lambda x: x**-2 if x != 0 else None,
    "powf 0.3": lambda x: x ** mpf(0.3) if x > 0 else None,
}
# Where the exponential function is called, arguments are held within what differs from 0 and infinity.
LIMIT = mpf(1500)
HELD = {"exp", "expm1", "tanh", "sigmoid", "softplus", "erf", "erfc", "gelu", "silu", "log_cosh", "elu", "selu"}
FAR = {  # for x above and below the limit
    "exp": (math.inf, 0.0), "expm1": (math.inf, -1.0), "tanh": (1.0, -1.0), "sigmoid": (1.0, 0.0),
    "softplus": (None, 0.0), "erf": (1.0, -1.0), "erfc": (0.0, 2.0), "gelu": (None, -0.0), "silu": (None, -0.0),
    "log_cosh": ("ln2", "ln2"), "elu": (None, -1.0), "selu": ("selu", "selu"),
}


def bits(x, size):
    return struct.pack(">f" if size == 4 else ">d", x).hex()


def rounded(x, size):
    return struct.unpack(">f", struct.pack(">f", x))[0] if size == 4 else x


def inputs(size):
    rng = random.Random(2026)
    lowest, highest = (-149, 127) if size == 4 else (-1074, 1023)
    step = 3 if size == 4 else 11
    numbers = []
    for exponent in range(lowest, highest + 1, step):
        for sign in (1, -1):
            numbers.append(sign * rounded(math.ldexp(1 + rng.random(), exponent), size))
    dense = [(-0.01, 0.01, 12), (-1, 1, 24), (-20, 20, 40), (-110, 95, 16)]
    dense += [] if size == 4 else [(-750, 715, 20)]
    # Where exponentials and the tails of the normal distribution under- and overflow.
    dense += [(-15, -12, 8), (-104, -87, 8)] if size == 4 else [(-38.6, -36, 8), (-746, -707, 8), (26, 27.3, 6)]
    for low, high, count in dense:
        numbers += [rounded(rng.uniform(low, high), size) for _ in range(count)]
    return [x for x in numbers if x != 0 and math.isfinite(x)]


def exact(name, x):
    """The value as mpf or float, None where there is none."""
    m = mpf(x)
    if name in HELD and abs(m) > LIMIT:
        far = FAR[name][0 if m > 0 else 1]
        if far is None:
            return m
        if far == "ln2":
            return abs(m) - mpmath.log(2)
        if far == "selu":
            return SELU_SCALE * (m if m > 0 else -SELU_ALPHA)
        return far
    return FUNCTIONS[name](m)


def to_float(value):
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def residual(value, near):
    """What rounding took, in units in the last place of `near`."""
    if not math.isfinite(near) or isinstance(value, float):
        return 0.0
    return float((value - mpf(near)) / mpf(math.ulp(near)))


def table():
    for size in (4, 8):
        print(f"inputs {size}", *(bits(x, size) for x in inputs(size)))
        for name in FUNCTIONS:
            cells = []
            for x in inputs(size):
                value = exact(name, x)
                if value is None:
                    cells.append("nan")
                    continue
                near = to_float(value)
                cell = bits(near, 8)
                if size == 8:
                    cell += format(max(-127, min(127, round(64 * residual(value, near)))) + 128, "02x")
                cells.append(cell)
            print(f"{name.replace(' ', '_')} {size}", *cells)


def peers():
    import torch
    import torch.nn.functional as F

    torch_functions = {
        "exp": torch.exp, "expm1": torch.expm1, "ln": torch.log, "log1p": torch.log1p, "sqrt": torch.sqrt, "sin": torch.sin,
        "cos": torch.cos, "atan": torch.atan, "tanh": torch.tanh, "sigmoid": torch.sigmoid, "softplus": F.softplus,
        "erf": torch.erf, "erfc": torch.erfc, "gelu": F.gelu, "silu": F.silu, "elu": F.elu, "selu": F.selu,
        "recip": torch.reciprocal, "powi 3": lambda x: x**3, "powi -2": lambda x: x**-2, "powf 0.3": lambda x: x**0.3,
        "log_cosh": lambda x: x + F.softplus(-2 * x) - math.log(2),
    }
    for name in FUNCTIONS:
        row = []
        for size, dtype in ((4, torch.float32), (8, torch.float64)):
            numbers = inputs(size)
            got = torch_functions[name](torch.tensor(numbers, dtype=dtype)).tolist()
            worst = 0.0
            for x, y in zip(numbers, got):
                value = exact(name, x)
                if value is None:
                    continue
                near = to_float(value)
                largest = 3.4028234663852886e38 if size == 4 else 1.7976931348623157e308
                if not math.isfinite(near) or abs(near) > largest or not math.isfinite(y):
                    if math.isfinite(y) != (abs(near) <= largest):
                        worst = math.inf
                    continue
                if size == 4:
                    unit = max(2.0**-149, math.ulp(near) * 2.0**29)
                    error = abs(y - near) / unit
                else:
                    unit = math.ulp(near)
                    error = abs(float((mpf(y) - (value if not isinstance(value, float) else mpf(value))) / mpf(unit)))
                worst = max(worst, error)
            row.append(f"{worst:.3g}")
        print(f"| {name} | {' | '.join(row)} |")


peers() if "--peers" in sys.argv else table()
