"""Golden values of image transforms from torchvision's v2 functional API.

Usage: pip install torch torchvision; python augment.py > augment.json   (a second)
"""
import json

import torch
import torchvision
from torchvision.transforms.v2 import InterpolationMode, functional as F

torch.manual_seed(20261126)
BILINEAR = InterpolationMode.BILINEAR
images = {"grey": torch.rand(1, 9, 12), "colour": torch.rand(3, 8, 7)}
golden = {"versions": {module.__name__: module.__version__.split("+")[0] for module in (torch, torchvision)}}


def numbers(x):
    return [float(f"{number:.7g}") for number in x.flatten().tolist()]


def array(x):
    return {"shape": list(x.shape), "data": numbers(x)}


def filled(transform, image, fill):
    """Bilinear interpolation with a constant around the image. Given a fill, even 0, torchvision multiplies pixels on the
    border by the weight that lies within the image twice; without one it does not."""
    return transform(image - fill) + fill


for name, image in images.items():
    height, width = image.shape[1:]
    own = golden[name] = {"image": array(image)}
    # Angle and shear in degrees, shift in pixels to the right and down.
    own["affine"] = [
        {"angle": angle, "shift": shift, "scale": scale, "shear": shear, "fill": fill,
         "output": array(filled(lambda x: F.affine(x, angle, shift, scale, [shear, 0.0], BILINEAR), image, fill))}
        for angle, shift, scale, shear, fill in [
            (0.0, [2, -1], 1.0, 0.0, 0.25), (30.0, [0, 0], 1.0, 0.0, 0.0), (0.0, [0, 0], 1.25, 0.0, 0.0),
            (0.0, [0, 0], 1.0, 20.0, 0.0), (-15.0, [1, 2], 0.8, -10.0, 0.5), (170.0, [-3, 1], 1.1, 5.0, 0.0)]
    ]
    # In pixels; torchvision takes fractions of half the size.
    field = torch.randn(1, height, width, 2) * 1.5
    own["elastic"] = {"x": numbers(field[..., 0]), "y": numbers(field[..., 1]), "fill": 0.3}
    half = torch.tensor([width / 2, height / 2])
    own["elastic"]["output"] = array(filled(lambda x: F.elastic(x, field / half, BILINEAR), image, 0.3))
    own["flip_horizontal"] = array(F.horizontal_flip(image))
    own["flip_vertical"] = array(F.vertical_flip(image))
    # Two pixels of padding, then the part whose upper left corner is 4 down and 1 to the right of the padded one's.
    own["crop"] = array(F.crop(F.pad(image, [2, 2, 2, 2], [0.5]), 4, 1, height, width))
    own["erase"] = array(F.erase(image, 2, 3, 4, 2, torch.tensor(0.5)))
    for kind, function in (("brightness", F.adjust_brightness), ("contrast", F.adjust_contrast)):
        own[kind] = [{"factor": factor, "output": array(function(image, factor))} for factor in (0.0, 0.7, 1.0, 1.6)]

print(json.dumps(golden, indent=None, separators=(",", ":")))
