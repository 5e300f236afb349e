"""Golden values of folds, class weights and early stopping from scikit-learn and Keras.

Usage: pip install keras torch numpy scikit-learn; python training.py > training.json   (a few seconds)
"""
import json
import os
import types

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras
import numpy as np
import sklearn
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold
from sklearn.utils.class_weight import compute_class_weight

rng = np.random.default_rng(20261126)
golden = {"versions": {"keras": keras.__version__, "sklearn": sklearn.__version__}}


def test_rows(folds):
    return [test.tolist() for _, test in folds]


# Folds in the order of the rows.
golden["kfold"] = [
    {"rows": rows, "folds": folds, "test": test_rows(KFold(folds).split(np.zeros(rows)))}
    for rows, folds in [(10, 5), (11, 3), (7, 7), (23, 4)]
]
golden["stratified"] = []
for classes, rows, folds in [(3, 30, 5), (2, 17, 3), (5, 64, 4), (4, 29, 2)]:
    y = rng.choice(classes, size=rows, p=rng.dirichlet(np.ones(classes) * 5))
    golden["stratified"].append(
        {"classes": y.tolist(), "folds": folds, "test": test_rows(StratifiedKFold(folds).split(np.zeros(rows), y))}
    )
# Groups of distinct sizes: scikit-learn does not say which of equals comes first.
golden["grouped"] = []
for sizes, folds in [([9, 4, 7, 1, 2, 6], 3), ([20, 1, 2, 3], 2), ([5, 8, 13, 3, 2, 1, 7], 4)]:
    groups = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    golden["grouped"].append(
        {"groups": groups.tolist(), "folds": folds, "test": test_rows(GroupKFold(folds).split(groups, groups=groups))}
    )

golden["balanced"] = []
for labels in [[0, 0, 0, 1], [2, 0, 1, 1, 1, 2, 2, 2, 2], [0, 1], rng.integers(0, 7, size=100).tolist()]:
    classes = np.unique(labels)
    weights = compute_class_weight("balanced", classes=classes, y=labels)
    golden["balanced"].append({"labels": labels, "weights": weights.tolist()})


def stop(values, **settings):
    """The number of epochs that are run, the best epoch, and that whose weights the model has in the end, counted from 1."""
    model = types.SimpleNamespace(stop_training=False, weights=None)
    model.get_weights = lambda: model.weights
    model.set_weights = lambda weights: setattr(model, "weights", weights)
    callback = keras.callbacks.EarlyStopping("val_value", **settings)
    callback.set_model(model)
    callback.on_train_begin()
    epoch = 0
    for epoch, value in enumerate(values):
        model.weights = epoch
        callback.on_epoch_end(epoch, {"val_value": value})
        if model.stop_training:
            break
    callback.on_train_end()
    return {
        "values": values,
        "settings": settings,
        "epochs": epoch + 1,
        "stopped": model.stop_training,
        "best_epoch": callback.best_epoch + 1,
        "weights": model.weights + 1,
    }


falling = [1.0, 0.75, 0.5, 0.25, 0.125]
bumpy = [1.0, 0.5, 0.75, 0.5, 0.25, 0.5, 0.5, 0.5, 0.125, 0.5]
golden["early_stopping"] = []
for values in [falling, bumpy, bumpy[::-1], [0.5] * 6, [0.5, 1.0], [1.0], rng.integers(0, 64, size=30).astype(float).tolist()]:
    for mode in ["min", "max"]:
        for settings in [
            {},
            {"patience": 1},
            {"patience": 2},
            {"patience": 3, "restore_best_weights": True},
            {"patience": 2, "min_delta": 0.25, "restore_best_weights": True},
            {"patience": 2, "baseline": 0.5, "restore_best_weights": True},
            {"patience": 1, "start_from_epoch": 3, "restore_best_weights": True},
        ]:
            golden["early_stopping"].append(stop(values, mode=mode, **settings))

print(json.dumps(golden, indent=None, separators=(",", ":")))
