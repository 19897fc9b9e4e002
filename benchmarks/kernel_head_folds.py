"""Scores of the kernel head on the fixed folds of the real studies: pooled, and mean ± sd of the folds.

    python benchmarks/kernel_head_folds.py DATA [PRETRAINED]

DATA holds one folder per study with table.biom, sequences.fasta, tree.nwk and folds/TARGET.tsv.
"""

import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import balanced_accuracy_score, r2_score, roc_auc_score

from aam.config.study import StudyConfig
from aam.data.study_build import read_study
from aam.inference.kernel import PretrainedVectors
from aam.inference.model_directory import load_model
from aam.inference.network import PredictOptions
from aam.kernels.fitting import fit_kernel_head
from aam.kernels.head import KernelInputs
from aam.labels.target import fit_target
from aam.labels.task import choose_task
from aam.runs.resources import read_tree
from aam.storage.cache import Cache

TASKS = {"ecam_infant": ("age_days", "delivery"), "ibd_2538": ("ibd",), "cfs": ("Subject",)}


def main(data: Path, pretrained: Path | None) -> None:
    vectors = None
    if pretrained is not None:
        model, description = load_model(pretrained)
        vectors = PretrainedVectors(model, description, PredictOptions(Cache(None)))  # type: ignore[arg-type]
    for name, columns in TASKS.items():
        study = read_study(
            StudyConfig(table=data / name / "table.biom", sequences=data / name / "sequences.fasta"), 150
        )
        resources = KernelInputs(read_tree(data / name / "tree.nwk", study, Cache(None)), vectors)
        for column in columns:
            score(name, column, study, resources, data / name / "folds" / f"{column}.tsv")


def score(name, column, study, resources, path) -> None:
    folds = pd.read_csv(path, sep="\t", dtype=str).set_index("sample-id")
    study = study.select_samples(np.flatnonzero([sample in folds.index for sample in study.sample_ids]))
    folds = folds.loc[list(study.sample_ids)]
    values = folds["target"].astype(float) if column == "age_days" else folds["target"]
    task = choose_task(values.rename(column), "auto")
    target = fit_target(values.rename(column), task)  # classes only: scaling is the head's own
    truth, fold, groups = target.encode(values), folds["fold"].to_numpy(), folds["group"].to_numpy(dtype=str)
    predicted = np.zeros((len(truth), max(len(target.classes), 1)))
    inside, begin, weights = np.zeros(len(truth), dtype=bool), time.monotonic(), []
    for held in np.unique(fold):
        rows, others = np.flatnonzero(fold != held), np.flatnonzero(fold == held)
        head = fit_kernel_head(study, rows, target, truth, groups, resources)
        found = head.predict(study, others)
        predicted[others] = found.values.reshape(len(others), -1)
        inside[others] = covered(target, truth[others], found)
        weights.append([round(member.weight, 2) for member in head.members])
    scores = [of(target, truth[fold == k], predicted[fold == k]) for k in np.unique(fold)]
    extra = "" if len(target.classes) != 2 else f", AUC {roc_auc_score(truth, predicted[:, 1]):.3f}"
    print(
        f"{name} {column}: {of(target, truth, predicted):.3f}{extra}; folds {np.mean(scores):.3f} ± {np.std(scores):.3f}; "
        f"covered {inside.mean():.3f}; weights {weights}; {time.monotonic() - begin:.1f} s", flush=True,
    )  # fmt: skip


def of(target, truth, predicted) -> float:
    if target.task == "regression":
        return r2_score(truth, predicted[:, 0])
    return balanced_accuracy_score(truth, predicted.argmax(axis=1))


def covered(target, truth, found) -> np.ndarray:
    if target.task == "regression":
        return (found.columns["lower"] <= truth) & (truth <= found.columns["upper"])
    return np.array([target.classes[k] in s.split("|") for k, s in zip(truth, found.columns["set"], strict=True)])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
