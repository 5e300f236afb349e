"""Golden values of operations on tensors from PyTorch, in f64: results, and the gradients of sum(result * cos(0, 1, 2, ..)).

Usage: pip install torch numpy; python operations.py > operations.json   (a second)
"""
import json

import numpy as np
import torch
import torch.nn.functional as F

rng = np.random.default_rng(20261127)
golden = {}


def array(x):
    return {"shape": list(x.shape), "data": x.detach().double().reshape(-1).tolist()}


def case(name, function, *shapes):
    inputs = [torch.tensor(rng.normal(size=shape), requires_grad=True) for shape in shapes]
    y = function(*inputs)
    weights = torch.cos(torch.arange(y.numel(), dtype=torch.float64)).reshape(y.shape)
    (y * weights).sum().backward()
    golden[name] = {"inputs": [array(x) for x in inputs], "y": array(y), "gradients": [array(x.grad) for x in inputs]}


def places(name, function, *shapes):
    """Operations that give places, which have no gradient."""
    inputs = [torch.tensor(rng.normal(size=shape)) for shape in shapes]
    golden[name] = {"inputs": [array(x) for x in inputs], "y": array(function(*inputs)), "gradients": []}


case("conv1d", lambda x, w, b: F.conv1d(x, w, b, stride=2, padding=1, dilation=2), (2, 3, 9), (4, 3, 3), (4,))
case("conv2d", lambda x, w, b: F.conv2d(x, w, b), (2, 3, 6, 5), (4, 3, 3, 2), (4,))
case("conv2d stride", lambda x, w: F.conv2d(x, w, stride=(2, 1), padding=(1, 2)), (2, 2, 7, 6), (3, 2, 3, 3))
case("conv2d groups", lambda x, w: F.conv2d(x, w, padding=1, groups=2), (1, 4, 5, 5), (6, 2, 3, 3))
case("conv2d depthwise", lambda x, w: F.conv2d(x, w, padding=2, dilation=2, groups=3), (2, 3, 6, 6), (6, 1, 3, 3))
case("conv2d pointwise", lambda x, w: F.conv2d(x, w), (2, 4, 3, 3), (5, 4, 1, 1))
case("conv3d", lambda x, w: F.conv3d(x, w, stride=(1, 2, 1), padding=(1, 0, 1)), (1, 2, 4, 5, 4), (3, 2, 2, 3, 3))
case("conv_transpose1d", lambda x, w, b: F.conv_transpose1d(x, w, b, stride=3, padding=1, output_padding=2), (2, 3, 4), (3, 2, 4), (2,))
case("conv_transpose2d", lambda x, w: F.conv_transpose2d(x, w, stride=2, padding=1, groups=2, dilation=2), (1, 4, 3, 4), (4, 3, 3, 3))
case("conv_transpose3d", lambda x, w: F.conv_transpose3d(x, w, stride=(1, 2, 2)), (1, 2, 2, 3, 2), (2, 3, 2, 2, 3))
case("max_pool1d", lambda x: F.max_pool1d(x, 3, stride=2, padding=1), (2, 3, 8))
case("max_pool2d", lambda x: F.max_pool2d(x, 2), (2, 3, 6, 5))
case("max_pool2d dilation", lambda x: F.max_pool2d(x, (3, 2), stride=1, padding=1, dilation=(1, 2)), (1, 2, 6, 7))
case("max_pool3d", lambda x: F.max_pool3d(x, (1, 2, 2)), (1, 2, 3, 4, 5))
case("avg_pool1d", lambda x: F.avg_pool1d(x, 3), (2, 3, 8))
case("avg_pool2d", lambda x: F.avg_pool2d(x, 3, stride=2, padding=1), (2, 3, 7, 6))
case("avg_pool2d inside", lambda x: F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False), (2, 3, 7, 6))
case("adaptive_avg_pool2d", lambda x: F.adaptive_avg_pool2d(x, (3, 2)), (2, 3, 7, 5))
case("adaptive_max_pool2d", lambda x: F.adaptive_max_pool2d(x, (3, 2)), (2, 3, 7, 5))
case("unfold", lambda x: F.unfold(x, (2, 3), padding=1, stride=(1, 2)), (2, 3, 4, 5))
case("fold", lambda x: F.fold(x, (4, 5), (2, 3), padding=1, stride=(1, 2)), (2, 12, 15))
case("interpolate nearest", lambda x: F.interpolate(x, (7, 3)), (1, 2, 4, 5))
case("interpolate bilinear", lambda x: F.interpolate(x, (7, 3), mode="bilinear"), (1, 2, 4, 5))
case("interpolate corners", lambda x: F.interpolate(x, (7, 3), mode="bilinear", align_corners=True), (1, 2, 4, 5))
case("interpolate linear", lambda x: F.interpolate(x, 9, mode="linear"), (2, 2, 4))
case("pad constant", lambda x: F.pad(x, (1, 2, 3, 0), value=1.5), (2, 3, 4))
case("pad reflect", lambda x: F.pad(x, (1, 2, 2, 0), mode="reflect"), (1, 2, 3, 4))
case("pad replicate", lambda x: F.pad(x, (1, 2, 2, 0), mode="replicate"), (1, 2, 3, 4))
case("flip", lambda x: x.flip(0, 2), (2, 3, 4))
case("roll", lambda x: x.roll(-3, 1), (2, 5))
case("repeat", lambda x: x.repeat(2, 1, 3), (2, 3))
case("sort", lambda x: x.sort(1).values, (3, 5))
case("sort descending", lambda x: x.sort(0, descending=True).values, (4, 3))
case("topk", lambda x: x.topk(2, 0).values, (4, 3))
places("argsort", lambda x: x.argsort(1), (3, 6))
case("cumsum", lambda x: x.cumsum(0), (4, 3))
case("cumprod", lambda x: x.cumprod(1), (2, 5))
case("logsumexp", lambda x: x.logsumexp((0, 2)), (2, 3, 4))
case("var", lambda x: x.var((0, 2)), (2, 3, 4))
case("var population", lambda x: x.var(1, correction=0), (3, 4))
case("std", lambda x: x.std(1), (3, 4))
case("norm 1", lambda x: torch.linalg.vector_norm(x, 1, 1), (3, 4))
case("norm 2", lambda x: torch.linalg.vector_norm(x, 2, (0, 1)), (3, 4))
case("norm 3", lambda x: torch.linalg.vector_norm(x, 3, 0), (3, 4))
case("norm infinity", lambda x: torch.linalg.vector_norm(x, float("inf"), 1), (3, 4))
case("tril", lambda x: x.tril(-1), (2, 4, 3))
case("triu", lambda x: x.triu(1), (4, 4))
case("diag", lambda x: x.diag(), (3, 4))
case("outer", lambda x, y: torch.outer(x, y), (3,), (4,))
case("minimum", torch.minimum, (3, 4), (3, 4))
case("einsum product", lambda x, y: torch.einsum("bij,bjk->bki", x, y), (2, 3, 4), (2, 4, 5))
case("einsum three", lambda x, y, z: torch.einsum("ij,jk,kl->il", x, y, z), (2, 3), (3, 4), (4, 2))
case("einsum trace", lambda x: torch.einsum("bii->b", x), (2, 3, 3))
case("index", lambda x: x[:, 1:4:2, -1], (3, 5, 4))
case("max_pool1d rounded up", lambda x: F.max_pool1d(x, 4, stride=3, padding=1, ceil_mode=True), (2, 3, 9))
case("max_pool2d rounded up", lambda x: F.max_pool2d(x, 2, ceil_mode=True), (2, 3, 5, 7))
# A last window in the padding behind the input is left out.
case("max_pool2d rounded up, inside", lambda x: F.max_pool2d(x, (2, 3), stride=(2, 4), padding=1, ceil_mode=True), (1, 2, 5, 8))
case("max_pool2d rounded up, dilation", lambda x: F.max_pool2d(x, (3, 2), stride=2, padding=(0, 1), dilation=(2, 3), ceil_mode=True), (1, 2, 8, 7))
case("max_pool3d rounded up", lambda x: F.max_pool3d(x, 2, ceil_mode=True), (1, 2, 3, 5, 4))
case("max_pool2d larger window", lambda x: F.max_pool2d(x, 3, stride=2, ceil_mode=True), (1, 2, 2, 5))
case("avg_pool1d rounded up", lambda x: F.avg_pool1d(x, 4, stride=3, padding=2, ceil_mode=True), (2, 3, 9))
case("avg_pool2d rounded up", lambda x: F.avg_pool2d(x, 3, stride=2, padding=1, ceil_mode=True), (2, 3, 6, 8))
case("avg_pool2d rounded up, inside", lambda x: F.avg_pool2d(x, 3, stride=2, padding=1, ceil_mode=True, count_include_pad=False), (2, 3, 6, 8))
case("avg_pool3d rounded up", lambda x: F.avg_pool3d(x, (2, 3, 2), stride=(2, 2, 3), padding=(1, 1, 0), ceil_mode=True), (1, 2, 4, 6, 5))
case("conv2d same", lambda x, w: F.conv2d(x, w, padding="same", dilation=(1, 2)), (2, 2, 5, 6), (3, 2, 4, 2))
case("einsum ellipsis", lambda x, y: torch.einsum("...ij,...jk->...ik", x, y), (2, 3, 4, 5), (3, 5, 2))
case("einsum ellipsis broadcast", lambda x, y: torch.einsum("i...,i...->...", x, y), (4, 3, 1), (4, 1, 2))
case("einsum ellipsis implicit", lambda x, y: torch.einsum("b...a,c...b", x, y), (2, 3, 4), (5, 3, 2))
case("einsum ellipsis summed", lambda x, y: torch.einsum("...i,...ij->j", x, y), (2, 3, 4), (3, 4, 5))
case("einsum ellipsis diagonal", lambda x: torch.einsum("...ii->...i", x), (2, 3, 4, 4))
case("einsum ellipsis inside", lambda x, y, z: torch.einsum("i...j,jk,...->k...i", x, y, z), (2, 3, 4), (4, 5), (6, 3))
case("einsum ellipsis of one", lambda x, y: torch.einsum("ij,j...->...i", x, y), (2, 3), (3, 4, 5))
case("einsum size one", lambda x, y: torch.einsum("ij,jk->ik", x, y), (2, 1), (3, 4))
case("einsum size one kept", lambda x, y, z: torch.einsum("bij,bjk,k->bik", x, y, z), (1, 2, 3), (4, 3, 1), (5,))
case("einsum size one diagonal", lambda x, y: torch.einsum("ii,i->i", x, y), (1, 1), (4,))
case("einsum size one implicit", lambda x, y: torch.einsum("ij,i", x, y), (1, 3), (4,))
case("maximum", torch.maximum, (3, 4), (3, 4))
case("masked_fill", lambda x, y: x.masked_fill(y > 0, 2.5) + 0 * y, (3, 4), (4,))
case("split", lambda x: 2 * x.split(2, 1)[2] + x.split(2, 1)[1][:, :1], (3, 5))
case("split sizes", lambda x: x.split([1, 3, 0, 1], 1)[1] * x.split([1, 3, 0, 1], 1)[3], (3, 5))
case("chunk", lambda x: x.chunk(3, 0)[1] * x.chunk(3, 0)[2], (5, 2))
places("arange step", lambda: torch.arange(0.5, 3, 0.25))
places("arange step down", lambda: torch.arange(2, -1, -0.75))
places("linspace", lambda: torch.linspace(-1, 2, 7))
places("eye", lambda: torch.eye(3))
places("eye rows", lambda: torch.eye(4, 2))
case("diag of a vector", lambda x: x.diag(), (4,))
case("diag below", lambda x: x.diag(-1), (4, 3))
case("diag of a vector above", lambda x: x.diag(2), (3,))
places("sort places", lambda x: x.sort(0).indices, (4, 3))
places("sort descending places", lambda x: x.sort(1, descending=True).indices, (3, 5))
places("argsort descending", lambda x: x.argsort(0, descending=True), (5, 3))
places("topk places", lambda x: x.topk(3, 1).indices, (2, 6))
case("topk smallest", lambda x: x.topk(2, 1, largest=False).values, (3, 5))
places("topk smallest places", lambda x: x.topk(2, 1, largest=False).indices, (3, 5))
case("norm half", lambda x: torch.linalg.vector_norm(x, 0.5, 1), (3, 4))
case("norm -1", lambda x: torch.linalg.vector_norm(x, -1, 0), (3, 4))
case("norm -infinity", lambda x: torch.linalg.vector_norm(x, -float("inf"), 1), (3, 4))
case("interpolate nearest, one dimension", lambda x: F.interpolate(x, 7), (2, 2, 3))
case("interpolate nearest, three dimensions", lambda x: F.interpolate(x, (3, 5, 2)), (1, 2, 2, 3, 4))
case("interpolate trilinear", lambda x: F.interpolate(x, (3, 5, 2), mode="trilinear"), (1, 2, 2, 3, 4))
# By factors that round sizes, and one that does not.
case("interpolate nearest by 1.5", lambda x: F.interpolate(x, scale_factor=1.5), (1, 2, 3, 5))
case("interpolate nearest by 0.3", lambda x: F.interpolate(x, scale_factor=0.3), (1, 2, 8, 11))
case("interpolate bilinear by 1.5", lambda x: F.interpolate(x, scale_factor=1.5, mode="bilinear"), (1, 2, 3, 5))
case("interpolate bilinear by 0.6", lambda x: F.interpolate(x, scale_factor=0.6, mode="bilinear"), (1, 2, 4, 7))
case("interpolate linear by 2", lambda x: F.interpolate(x, scale_factor=2, mode="linear"), (2, 2, 4))
case("interpolate corners by 1.5", lambda x: F.interpolate(x, scale_factor=1.5, mode="bilinear", align_corners=True), (1, 2, 3, 5))
print(json.dumps(golden))
