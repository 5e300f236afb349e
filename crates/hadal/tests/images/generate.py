"""Writes the images that Hadal's tests read, and what Pillow makes of them. Run in this folder: python generate.py"""

import io
import json

import numpy as np
from PIL import Image

rng = np.random.default_rng(1)
smooth = np.array([[[9 * x + 2 * y, 255 - 11 * y, 8 * x] for x in range(24)] for y in range(16)]).clip(0, 255).astype("u1")
colour = Image.fromarray(smooth)
expected = {}


def keep(name, image):
    """The first values and the sum of an image's bytes, planes after each other."""
    values = np.asarray(image)
    planes = values.transpose(2, 0, 1) if values.ndim == 3 else values
    expected[name] = {"shape": list(planes.shape), "values": planes.reshape(-1).tolist()}


colour.save("colour.jpg", quality=90, subsampling=0)
keep("colour.jpg rgb", Image.open("colour.jpg").convert("RGB"))
keep("colour.jpg grey", Image.open("colour.jpg").convert("L"))
colour.save("progressive.jpg", quality=90, progressive=True, subsampling=0)
keep("progressive.jpg rgb", Image.open("progressive.jpg").convert("RGB"))
colour.convert("L").save("grey.jpg", quality=90)
keep("grey.jpg grey", Image.open("grey.jpg"))
exif = Image.Exif()
exif[0x0112] = 6
colour.save("turned.jpg", quality=90, subsampling=0, exif=exif)
keep("turned.jpg rgb", Image.open("colour.jpg").convert("RGB").rotate(-90, expand=True))

noise = Image.fromarray(rng.integers(0, 256, (10, 13), dtype="u1"))
noise.save("noise.png")
for height, width in [(5, 6), (10, 4), (3, 13), (20, 30), (1, 1), (7, 40)]:
    keep(f"noise.png {height} {width}", noise.resize((width, height), Image.BILINEAR))
palette = colour.resize((6, 4)).convert("P", palette=Image.ADAPTIVE, colors=8)
palette.save("palette.png")
keep("palette.png rgb", palette.convert("RGB"))
keep("palette.png grey", palette.convert("RGB").convert("L"))

with open("expected.json", "w") as file:
    json.dump(expected, file, separators=(",", ":"))
