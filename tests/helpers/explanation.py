"""Samples to explain, whose model is a function that a test writes down."""

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from aam.config.target import TargetConfig
from aam.explanation.held_out import HeldOutSamples
from aam.inference.count_function import CountFunction
from aam.labels.target import fit_target


def function_of(table, compute):
    """Return a model of dense counts as a function of reads."""
    return CountFunction(
        csr_array(table), np.ones(table.shape[1], dtype=bool), lambda counts, rows: compute(counts.toarray())
    )


def samples_of(table, truth, compute=None, classes=(), groups=None, models=1):
    """Return samples, each with a model that predicts by ``compute`` from its counts; sample ``k`` is of model ``k % models``."""
    n_samples = len(table)
    cells = pd.Series(np.array(classes)[truth] if classes else truth, name="target")
    target = fit_target(cells, "classification" if classes else "regression", TargetConfig())
    groups = np.arange(n_samples).astype(str) if groups is None else groups
    if compute is None:
        compute = (
            (lambda dense: np.full((len(dense), len(classes)), 1 / len(classes)))
            if classes
            else (lambda dense: dense[:, 0])
        )
    rows = [np.flatnonzero(np.arange(n_samples) % models == number) for number in range(models)]
    functions = [(function_of(table[of_model], compute), of_model) for of_model in rows]
    ids, features = [f"S{k}" for k in range(n_samples)], [f"F{k}" for k in range(table.shape[1])]
    return HeldOutSamples(target, ids, features, np.asarray(truth), groups, functions)
