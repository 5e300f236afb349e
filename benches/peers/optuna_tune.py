"""A search for good settings by Optuna, with successive halving of scikit-learn's MLPClassifier trained epoch by epoch.

Usage: optuna_tune.py CSV SEED [tpe|random] [JOBS]     prints a JSON line

CSV has a column `part` with train, test and holdout. Settings are judged by the log loss on the test part, the least over the
epochs, and training stops after 20 epochs without improvement, as in `hadal tune`. Trials are compared after 4 and 12 of 36
epochs, of which a third goes on.
"""
import json, sys

import numpy as np
import optuna
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.metrics import accuracy_score, log_loss
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

path, seed = sys.argv[1], int(sys.argv[2])
sampler = {"tpe": optuna.samplers.TPESampler, "random": optuna.samplers.RandomSampler}[(sys.argv[3:] or ["tpe"])[0]](seed=seed)
jobs = int((sys.argv[4:] or ["1"])[0])
TRIALS, EPOCHS, FIRST, FACTOR, PATIENCE = 64, 36, 4, 3, 20
optuna.logging.set_verbosity(optuna.logging.WARNING)

table = pd.read_csv(path)
table[table.select_dtypes("bool").columns] = table.select_dtypes("bool").astype(str)
rows = {part: table[table.part == part] for part in ["train", "test", "holdout"]}
inputs = table.drop(columns=["survived", "part", "alive"], errors="ignore")
numbers = list(inputs.select_dtypes("number").columns)
words = [name for name in inputs.columns if name not in numbers]
prepare = make_column_transformer(
    (make_pipeline(SimpleImputer(), StandardScaler()), numbers),
    (make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore", sparse_output=False)), words))
prepare.fit(rows["train"])
x = {part: prepare.transform(own) for part, own in rows.items()}
y = {part: own.survived.to_numpy() for part, own in rows.items()}
epochs = {}


def objective(trial):
    network = MLPClassifier(
        hidden_layer_sizes=[[32], [64, 32], [128, 64]][trial.suggest_categorical("hidden", [0, 1, 2])],
        learning_rate_init=trial.suggest_float("learning_rate", 5e-4, 5e-2, log=True),
        # scikit-learn divides alpha by the size of the batch: about the weight decays that Hadal tries.
        alpha=trial.suggest_float("alpha", 1e-3, 1.0, log=True),
        batch_size=trial.suggest_categorical("batch_size", [16, 32, 64]),
        random_state=seed * 1000 + trial.number)
    best, since = np.inf, 0
    for epoch in range(1, EPOCHS + 1):
        network.partial_fit(x["train"], y["train"], classes=[0, 1])
        epochs[trial.number] = epoch
        shares = network.predict_proba(x["test"])
        loss = log_loss(y["test"], shares)
        if loss < best:
            best, since = loss, 0
            trial.set_user_attr("accuracy", accuracy_score(y["test"], shares[:, 1] > 0.5))
            trial.set_user_attr("holdout", accuracy_score(y["holdout"], network.predict(x["holdout"])))
        else:
            since += 1
        trial.report(best, epoch)
        if since >= PATIENCE:
            break
        if trial.should_prune():
            raise optuna.TrialPruned
    return best


pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=FIRST, reduction_factor=FACTOR)
study = optuna.create_study(sampler=sampler, pruner=pruner)
study.optimize(objective, n_trials=TRIALS, n_jobs=jobs)
print(json.dumps({"loss": study.best_value, "epochs": sum(epochs.values()), **study.best_trial.user_attrs, **study.best_params}))
