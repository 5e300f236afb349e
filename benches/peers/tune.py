"""`hadal tune` beside Optuna with scikit-learn's MLP: time, scores, and whether the winner is always the same.

Usage: HADAL_DATA_DIR=... tune.py HADAL time [ROUNDS] | scores [SEEDS] | same [KILLS]

64 trials of titanic.csv in the same parts. `time` alternates whole commands; `scores` divides the table anew for each seed; `same`
compares the files of a search with 1 and 2 workers, and after kill -9 at random times.
"""
import filecmp, json, os, random, signal, statistics, subprocess, sys, tempfile, time

import numpy as np
import pandas as pd

hadal, what = os.path.abspath(sys.argv[1]), sys.argv[2]
count = int((sys.argv[3:] or [{"time": 5, "scores": 8, "same": 3}[what]])[0])
here = os.path.dirname(os.path.abspath(__file__))
home = tempfile.mkdtemp()
CONFIG = """
[data]
source = "{csv}"
target = "survived"
drop = ["alive"]
[split]
part = "part"
[training]
epochs = 36
patience = 20
seed = {seed}
[tune]
optimizer.learning_rate = {{ min = 5e-4, max = 5e-2, log = true }}
optimizer.weight_decay = {{ min = 3e-5, max = 3e-2, log = true }}
model.hidden = [[32], [64, 32], [128, 64]]
training.batch_size = [16, 32, 64]
"""


def parts(seed):
    """The table with a column `part`, of a seed: 70/15/15, with the same shares of survivors."""
    table = pd.read_csv(os.path.join(os.environ["HADAL_DATA_DIR"], "tables", "titanic.csv"))
    table["part"] = "train"
    draw = np.random.default_rng(seed)
    for _, rows in table.groupby("survived"):
        order = draw.permutation(rows.index)
        share = round(0.15 * len(order))
        table.loc[order[:share], "part"] = "test"
        table.loc[order[share:2 * share], "part"] = "holdout"
    path = f"{home}/titanic{seed}.csv"
    table.to_csv(path, index=False)
    with open(f"{home}/{seed}.toml", "w") as config:
        config.write(CONFIG.format(csv=path, seed=seed))
    return path


def ours(seed, out, *more):
    return [hadal, "tune", "--config", f"{home}/{seed}.toml", "--trials", "64", "--min-epochs", "4", "--out", out, "--quiet", *more]


def theirs(seed, *more):
    return [sys.executable, os.path.join(here, "optuna_tune.py"), f"{home}/titanic{seed}.csv", str(seed), *more]


def run(command):
    began = time.perf_counter()
    output = subprocess.run(command, cwd=home, check=True, capture_output=True, text=True).stdout
    return time.perf_counter() - began, output


def trained(out):
    """Epochs of a search: of the trials, and of the winner, which is trained once more."""
    trials = pd.read_csv(f"{out}/trials.csv")
    return int(trials.epochs.sum()), len(pd.read_csv(f"{out}/winner/history.csv"))


def times():
    parts(1)
    commands = {
        "hadal": lambda turn: ours(1, f"{home}/time{turn}"),
        "Optuna, TPE": lambda turn: theirs(1),
        "Optuna, random": lambda turn: theirs(1, "random"),
        "Optuna, random, 2 jobs": lambda turn: theirs(1, "random", "2"),
    }
    seconds = {name: [] for name in commands}
    for turn in range(count):
        for name, command in commands.items():
            elapsed, output = run(command(turn))
            seconds[name].append(elapsed)
            epochs = trained(f"{home}/time{turn}") if name == "hadal" else json.loads(output)["epochs"]
            print(f"{name}: {elapsed:.2f} s, {epochs} epochs", flush=True)
    for name, all in seconds.items():
        ratio = statistics.median(a / b for a, b in zip(seconds["hadal"], all))
        print(f"{name}: median {statistics.median(all):.2f} s, hadal / this {ratio:.3f}")


def scores():
    found = {name: [] for name in ["hadal", "tpe", "random"]}
    for seed in range(1, count + 1):
        parts(seed)
        out = f"{home}/scores{seed}"
        run(ours(seed, out))
        loss = pd.read_csv(f"{out}/trials.csv").query("rung == 3").score.min()
        summary = json.load(open(f"{out}/winner/summary.json"))
        best = pd.read_csv(f"{out}/winner/history.csv").sort_values("val_loss").iloc[0]
        holdout = pd.read_csv(f"{out}/winner/holdout.csv").iloc[0]
        found["hadal"].append((loss, best.val_accuracy, holdout.accuracy))
        for sampler in ["tpe", "random"]:
            one = json.loads(run(theirs(seed, sampler))[1])
            found[sampler].append((one["loss"], one["accuracy"], one["holdout"]))
        print(seed, *(f"{name} {' '.join(f'{value:.4f}' for value in all[-1])}" for name, all in found.items()), flush=True)
    for at, metric in enumerate(["log loss, test part", "accuracy, test part", "accuracy, holdout part"]):
        ours_here = np.array([one[at] for one in found["hadal"]])
        for name, all in found.items():
            values = np.array([one[at] for one in all])
            error = lambda of: of.std(ddof=1) / np.sqrt(count)
            differs = ours_here - values
            print(f"{metric}: {name} {values.mean():.4f} ± {error(values):.4f}; hadal - this {differs.mean():+.4f} ± {error(differs):.4f}")


def same():
    parts(1)
    names = ["trials.csv", "winner/model.safetensors", "winner/history.csv"]
    began, _ = run(ours(1, f"{home}/one", "--workers", "1"))
    others = {"2 workers": ours(1, f"{home}/two", "--workers", "2")}
    run(others["2 workers"])
    random.seed(1)
    killed = ours(1, f"{home}/killed", "--workers", "2")
    landed = 0
    for _ in range(count):
        process = subprocess.Popen(killed, cwd=home, stdout=subprocess.DEVNULL)
        time.sleep(random.uniform(0.03, 0.28) * began)
        process.send_signal(signal.SIGKILL)
        landed += process.wait() == -signal.SIGKILL
    run(killed)
    for name, out in [("1 and 2 workers", "two"), (f"1 worker and 2 with {landed} kills", "killed")]:
        differ = [file for file in names if not filecmp.cmp(f"{home}/one/{file}", f"{home}/{out}/{file}", shallow=False)]
        print(f"{name}: {'differ in ' + ', '.join(differ) if differ else 'the same ' + ', '.join(names)}")


{"time": times, "scores": scores, "same": same}[what]()
