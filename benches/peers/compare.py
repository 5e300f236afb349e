"""Times Hadal and PyTorch in one run, alternating, and prints medians and ratios as a Markdown table.

Usage: HADAL_DATA_DIR=... python benches/peers/compare.py [ROUNDS]   (PyTorch and NumPy from requirements.txt)
"""
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 3
subprocess.run(["cargo", "build", "--release", "-p", "hadal-benches", "--examples"], cwd=ROOT, check=True)


def seconds(*command):
    out = subprocess.run(command, cwd=HERE, check=True, capture_output=True, text=True).stdout
    # The first of each run warms up.
    return [float(line) for line in out.split()][1:]


print("| work | Hadal, median s | PyTorch, median s | ratio |\n| --- | --- | --- | --- |")
for work, hadal, torch in [
    ("epoch of the lecture's network, RMSprop, batch 128", "peer_epoch", "torch_epoch.py"),
    ("autograd program, 2,000 steps", "peer_autograd", "torch_autograd.py"),
]:
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours += seconds(os.path.join(ROOT, "target", "release", "examples", hadal), "6")
        theirs += seconds(sys.executable, torch, "6")
    a, b = statistics.median(ours), statistics.median(theirs)
    print(f"| {work} | {a:.4f} | {b:.4f} | {a / b:.3f} |", flush=True)
