"""Milliseconds of PyTorch's training steps, and the process's peak memory in MiB.
Usage: cnn|resnet|lstm|gpt THREADS [eager|compiled]   Prints: network milliseconds MiB"""
import resource
import sys
import time
import torch
import torch.nn.functional as F
from torch import nn

kind, how = sys.argv[1], (sys.argv[3] if len(sys.argv) > 3 else "eager")
torch.set_num_threads(int(sys.argv[2]))
torch.manual_seed(1)


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


def resnet20():
    layers, inputs = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()], 16
    for outputs, first in ((16, 1), (32, 2), (64, 2)):
        for stride in (first, 1, 1):
            layers.append(Block(inputs, outputs, stride))
            inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


class Lstm(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.output = nn.LSTM(256, 256, 2, batch_first=True), nn.Linear(256, 10)

    def forward(self, x):
        return self.output(self.lstm(x)[0][:, -1])


class GptBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.c_attn, self.c_proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.fc, self.proj = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        n, t, e = x.shape
        q, k, v = (part.view(n, t, self.heads, e // self.heads).transpose(1, 2) for part in self.c_attn(self.ln_1(x)).split(e, 2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(n, t, e)
        x = x + self.c_proj(y)
        return x + self.proj(F.gelu(self.fc(self.ln_2(x))))


class Gpt(nn.Module):
    def __init__(self, vocabulary=65, context=64, layers=4, heads=4, width=128):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        self.blocks = nn.Sequential(*(GptBlock(width, heads) for _ in range(layers)))
        self.ln_f, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary, bias=False)
        self.head.weight = self.wte.weight
        # As GPT-2 begins; PyTorch's default, of variance 1, makes a loss of 0 of labels that are the input.
        for embedding in (self.wte, self.wpe):
            nn.init.normal_(embedding.weight, std=0.02)

    def forward(self, x):
        return self.head(self.ln_f(self.blocks(self.wte(x) + self.wpe(torch.arange(x.shape[1])))))


if kind == "cnn":
    model = nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                          nn.Linear(9216, 128), nn.ReLU(), nn.Linear(128, 10))
    x, y = torch.rand(128, 1, 28, 28), torch.arange(128) % 10
elif kind == "resnet":
    model, x, y = resnet20(), torch.rand(64, 3, 32, 32), torch.arange(64) % 10
elif kind == "lstm":
    model, x, y = Lstm(), torch.randn(32, 100, 256), torch.arange(32) % 10
else:
    model, x, y = Gpt(), torch.arange(768).reshape(12, 64) % 65, torch.arange(768).reshape(12, 64) % 65
optimizer = torch.optim.Adam(model.parameters(), 0.001)
compute = torch.compile(model) if how == "compiled" else model


def run(steps):
    start = time.perf_counter()
    for _ in range(steps):
        optimizer.zero_grad(set_to_none=True)
        output = compute(x)
        F.cross_entropy(output.reshape(-1, output.shape[-1]), y.reshape(-1)).backward()
        optimizer.step()
    return (time.perf_counter() - start) / steps


steps = 20 if kind == "gpt" else 10
run(steps)
seconds = sorted(run(steps) for _ in range(5))
print(kind, f"{seconds[2] * 1e3:.2f} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}")
