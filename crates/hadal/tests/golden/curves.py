"""Golden values of ROC, precision-recall and calibration curves from scikit-learn, and of histograms from NumPy.

Usage: pip install numpy scikit-learn; python curves.py > curves.json   (a second)
"""
import json

import numpy as np
import sklearn
from sklearn import metrics as M
from sklearn.calibration import calibration_curve

rng = np.random.default_rng(20261126)


def scored(count, decimals):
    """Labels, and probabilities that tell something about them; rounded, so that some are equal."""
    labels = rng.integers(0, 2, count)
    scores = 1 / (1 + np.exp(-rng.normal(1.3 * (2 * labels - 1), 1.5)))
    return labels, np.round(scores, decimals)


golden = {"versions": {"numpy": np.__version__, "sklearn": sklearn.__version__}, "curves": [], "histograms": []}
for labels, scores in [scored(200, 2), scored(57, 12), scored(400, 1)]:
    false_positive, true_positive, thresholds = M.roc_curve(labels, scores)
    precision, recall, at = M.precision_recall_curve(labels, scores)
    # scikit-learn's calibration_curve leaves out empty bins, and so the counts.
    observed, predicted = calibration_curve(labels, scores, n_bins=10)
    bins = np.searchsorted(np.linspace(0, 1, 11)[1:-1], scores)
    counts = np.bincount(bins, minlength=10)
    golden["curves"].append({
        "labels": labels.tolist(),
        "scores": scores.tolist(),
        "false_positive_rate": false_positive.tolist(),
        "true_positive_rate": true_positive.tolist(),
        "roc_thresholds": thresholds[1:].tolist(),
        "area": M.roc_auc_score(labels, scores),
        # By rising recall, as there; the last is the point at recall 0.
        "precision": precision[::-1].tolist(),
        "recall": recall[::-1].tolist(),
        "precision_recall_thresholds": at[::-1].tolist(),
        "average_precision": M.average_precision_score(labels, scores),
        "observed": observed.tolist(),
        "predicted": predicted.tolist(),
        "counts": counts[counts > 0].tolist(),
        "expected_calibration_error": float(np.sum(counts[counts > 0] * np.abs(observed - predicted)) / len(labels)),
    })
for values in [rng.normal(size=500), rng.exponential(size=90), np.repeat([1.0, 2.0, 2.5], [30, 3, 1])]:
    counts, edges = np.histogram(values, "auto")
    golden["histograms"].append({
        "values": values.tolist(),
        "counts": counts.tolist(),
        "edges": edges.tolist(),
        "mean": values.mean(),
        "std": values.std(),
    })
print(json.dumps(golden))
