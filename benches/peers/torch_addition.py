"""The task, network and training of examples/addition.rs in PyTorch. Usage: torch_addition.py STEPS SEED...
Prints the share of right sums of numbers of up to so many digits; those of training have 8 at most."""
import math
import sys
import torch
import torch.nn.functional as F
from torch import nn


class Adder(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.output = nn.LSTM(20, 32, batch_first=True), nn.Linear(32, 10)

    def forward(self, a, b):
        # One step for each pair of digits, and one for the last carry.
        places = max(a.shape[1], b.shape[1]) + 1
        return self.output(self.cell(torch.cat([one_hot(a, places), one_hot(b, places)], 2))[0])


def one_hot(numbers, places):
    """Nothing but zeros where the numbers have ended."""
    return F.pad(F.one_hot(numbers, 10).float(), (0, 0, 0, places - numbers.shape[1]))


def numbers(count, digits):
    """Digits, the ones first."""
    return torch.randint(10, (count, digits))


def sums(a, b):
    places = max(a.shape[1], b.shape[1]) + 1
    totals = F.pad(a, (0, places - a.shape[1])) + F.pad(b, (0, places - b.shape[1]))
    carry = torch.zeros(len(a), dtype=torch.long)
    for place in range(places):
        total = totals[:, place] + carry
        totals[:, place], carry = total % 10, total // 10
    return totals


def length(longest):
    return int(torch.randint(1, longest + 1, ()))


torch.set_num_threads(1)
steps, seeds = int(sys.argv[1]), sys.argv[2:] or ["1"]
for seed in map(int, seeds):
    torch.manual_seed(seed)
    adder = Adder()
    optimizer = torch.optim.Adam(adder.parameters(), 0.01, eps=1e-7)
    for step in range(steps):
        a, b = numbers(32, length(8)), numbers(32, length(8))
        optimizer.param_groups[0]["lr"] = 0.01 * (1 + math.cos(math.pi * step / steps)) / 2
        optimizer.zero_grad()
        F.cross_entropy(adder(a, b).flatten(0, 1), sums(a, b).flatten()).backward()
        optimizer.step()
    shares = []
    with torch.no_grad():
        for longest in (8, 20, 50, 100):
            right = 0
            for _ in range(100):
                a, b = numbers(10, longest), numbers(10, length(longest))
                right += int((adder(a, b).argmax(-1) == sums(a, b)).all(1).sum())
            shares.append(f"{longest}: {right / 10:.1f}%")
    print(f"torch {torch.__version__} seed {seed}: {', '.join(shares)}", flush=True)
