"""Five-fold cross-validation of scikit-learn's defaults on five tables: a JSON line per table and model.

Usage: tables.py [--folds FILE.json] [--start] [TABLE...]

MLPClassifier/MLPRegressor in a pipeline with imputation, standardisation and one-hot categories;
HistGradientBoosting on the categories as they are. The score is accuracy or R^2, `error` the standard error of its mean
over the folds, `seconds` the median over the folds of fitting alone, from the data frame in memory.
FILE.json holds the rows of each fold's test part, {"iris": [[0, 7, ...], ...], ...}: made when it does not exist, read
when it does, so that another program can test on the same rows (default: hadal-table-folds.json in
the temporary folder).
With --start: seconds from the start of a Python process, imports and reading included, to the model trained on fold 0
(median of 5), for iris and diamonds unless tables are named.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
import tables_data

# MLPClassifier's 200 epochs end before it has converged on some tables; these are its defaults.
warnings.filterwarnings("ignore", category=ConvergenceWarning)
MODELS = {
    "mlp": (MLPRegressor, MLPClassifier),
    "boosting": (HistGradientBoostingRegressor, HistGradientBoostingClassifier),
}


def data(table, model):
    x, y = tables_data.load(table)
    if model == "boosting":
        x = x.astype({name: "category" for name in x.select_dtypes(exclude="number")})
    return x, y


def fitted(table, model, x, y):
    make = MODELS[model][tables_data.TABLES[table][2]](random_state=0)
    return (make if model == "boosting" else make_pipeline(tables_data.prepare(x), make)).fit(x, y)


def training_rows(rows, test):
    return np.setdiff1d(np.arange(rows), test)


def cross_validate(table, model, folds):
    x, y = data(table, model)
    scores, seconds = [], []
    for test in folds:
        train = training_rows(len(x), test)
        x_train, y_train = x.iloc[train], y.iloc[train]
        start = time.perf_counter()
        trained = fitted(table, model, x_train, y_train)
        seconds.append(time.perf_counter() - start)
        scores.append(trained.score(x.iloc[test], y.iloc[test]))
    return {"mean": np.mean(scores), "error": np.std(scores, ddof=1) / len(scores) ** 0.5, "scores": scores,
            "seconds": statistics.median(seconds)}


def from_start(table, model, file):
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run([sys.executable, __file__, "--folds", file, "--fit", model, table], check=True)
        seconds.append(time.perf_counter() - start)
    return {"from_start": statistics.median(seconds)}


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--folds", metavar="FILE.json")
parser.add_argument("--start", action="store_true", help="time from process start to trained model")
parser.add_argument("--fit", choices=MODELS, help=argparse.SUPPRESS)
parser.add_argument("tables", nargs="*", metavar="TABLE")
arguments = parser.parse_args()
for table in arguments.tables:
    if table not in tables_data.TABLES:
        parser.error(f"no table {table}; there are {', '.join(tables_data.TABLES)}")
file = arguments.folds or os.path.join(tempfile.gettempdir(), "hadal-table-folds.json")
folds = tables_data.folds(file)
if arguments.fit:
    [table] = arguments.tables
    x, y = data(table, arguments.fit)
    train = training_rows(len(x), folds[table][0])
    fitted(table, arguments.fit, x.iloc[train], y.iloc[train])
    sys.exit()
threads = len(os.sched_getaffinity(0))
for table in arguments.tables or (["iris", "diamonds"] if arguments.start else tables_data.TABLES):
    for model in MODELS:
        measured = from_start(table, model, file) if arguments.start else cross_validate(table, model, folds[table])
        line = {"table": table, "model": model, **measured, "threads": threads}
        print(json.dumps(line, default=float), flush=True)
