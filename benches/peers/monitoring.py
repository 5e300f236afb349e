#!/usr/bin/env python3
"""What it costs to watch a run: the lecture's network with and without its events file, health checks and dashboard, in alternating runs.

Usage: HADAL_DATA_DIR=... python benches/peers/monitoring.py HADAL [EPOCHS] [RUNS]. Medians of the seconds, and of the ratios of each
run to the one beside it."""
import csv, os, statistics, subprocess, sys, tempfile, time

hadal = os.path.abspath(sys.argv[1])
epochs, runs = int((sys.argv[2:] or ["6"])[0]), int((sys.argv[3:] or ["7"])[0])


def run(*switches):
    """Seconds of the whole command, and of its epochs."""
    with tempfile.TemporaryDirectory() as out:
        command = [hadal, "train", "mnist", "--epochs", str(epochs), "--out", f"{out}/run", "--quiet", *switches]
        began = time.time()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds = time.time() - began
        with open(f"{out}/run/timing.csv") as timing:
            return seconds, sum(float(row["seconds"]) for row in csv.DictReader(timing))


ways = {"watched": [], "watched, with --dashboard": ["--dashboard"], "no events file": ["--no-tensorboard"], "no health checks": ["--health", "off"]}
nothing = ["--no-tensorboard", "--health", "off"]
seconds = {way: [] for way in [*ways, "neither"]}
run()
for _ in range(runs):
    for way, switches in ways.items():
        seconds[way].append(run(*switches))
    seconds["neither"].append(run(*nothing))
print("| run | whole command (s) | ratio | its epochs (s) | ratio |\n| --- | --- | --- | --- | --- |")
for way, taken in seconds.items():
    cells = []
    for part in (0, 1):
        ratios = [own[part] / other[part] for own, other in zip(taken, seconds["neither"])]
        cells += [f"{statistics.median(own[part] for own in taken):.3f}", f"{statistics.median(ratios):.3f}"]
    print(f"| {way} | {' | '.join(cells)} |")
