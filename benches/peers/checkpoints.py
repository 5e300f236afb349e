"""What the run folder and its checkpoints cost: `hadal train mnist` with `--no-out`, and with checkpoints at several intervals.

Usage: HADAL_DATA_DIR=... checkpoints.py HADAL [EPOCHS] [ROUNDS] [INTERVAL...]

Seconds of whole commands, which take turns, and of both processors: medians, and the median of the ratios to the run beside it whose folder gets a
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
        process = subprocess.Popen(command, cwd=home, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        assert status == 0, command
        seconds[name].append((time.perf_counter() - began, usage.ru_utime + usage.ru_stime))
        print(f"{name}: {seconds[name][-1][0]:.2f} s, of processors {seconds[name][-1][1]:.2f} s", flush=True)
for at, kind in enumerate(["time", "processors' time"]):
    for name, all in seconds.items():
        own = [one[at] for one in all]
        ratio = statistics.median(a[at] / b[at] for a, b in zip(all, seconds[ONLY_LAST]))
        print(f"{kind}, {name}: median {statistics.median(own):.2f} s ({min(own):.2f} to {max(own):.2f}), ratio {ratio:.4f}")
shutil.rmtree(home)
