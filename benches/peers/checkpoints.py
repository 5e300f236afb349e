"""What the run folder and its checkpoints cost: `hadal train mnist` with `--no-out`, and with checkpoints at several intervals.

Usage: HADAL_DATA_DIR=... checkpoints.py HADAL [EPOCHS] [ROUNDS] [INTERVAL...]

Seconds of whole commands, which take turns: medians, and the median of the ratios to the run beside it whose folder gets a
checkpoint at its end only.
"""
import os, shutil, statistics, subprocess, sys, tempfile, time

hadal, epochs, rounds = os.path.abspath(sys.argv[1]), (sys.argv[2:] or ["20"])[0], int((sys.argv[3:] or ["5"])[0])
home = tempfile.mkdtemp()
ONLY_LAST = "with a folder, checkpoint at the end only"
train = [hadal, "train", "mnist", "--quiet", "--data-dir", os.environ["HADAL_DATA_DIR"], "--epochs", epochs]
kept = [*train, "--out", f"{home}/run", "--overwrite", "--checkpoint-every"]
commands = {"--no-out": [*train, "--no-out"], ONLY_LAST: [*kept, "1000000"]}
for interval in sys.argv[4:] or ["30s", "2s"]:
    commands[f"with a folder, checkpoint every {interval}"] = [*kept, interval]

seconds = {name: [] for name in commands}
for turn in range(rounds):
    for name, command in commands.items():
        shutil.rmtree(f"{home}/run", ignore_errors=True)
        began = time.perf_counter()
        subprocess.run(command, cwd=home, check=True, stdout=subprocess.DEVNULL)
        seconds[name].append(time.perf_counter() - began)
        print(f"{name}: {seconds[name][-1]:.2f} s", flush=True)
for name, all in seconds.items():
    ratio = statistics.median(a / b for a, b in zip(all, seconds[ONLY_LAST]))
    print(f"{name}: median {statistics.median(all):.2f} s ({min(all):.2f} to {max(all):.2f}), ratio {ratio:.4f}")
shutil.rmtree(home)
