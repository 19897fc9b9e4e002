"""aam as a method that is fitted anew in each fold: what it says of a fold, and what it leaves out."""

import re

import pytest

from aam.runs import plan
from helpers.commands import QUIET, SMALL, files_of, labels_of, run, simulate
from helpers.full_memory import FullMemory

FOLDS = ["--folds", 3, "--group-column", "subject", "--head", "network", "--baselines", "guess"]
SHORT = [*SMALL, "--ffn-ratio", 2, "--epochs", 1, "--batch-size", 8]

pytestmark = QUIET


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return simulate(tmp_path_factory.mktemp("study") / "s", 36, 50, 40)


def run_out_of_memory(monkeypatch, fit_number, batch_idx) -> None:
    """Let memory run out once in a batch of one of the networks that a command trains."""
    fit, n_fitted = plan.fit, 0

    def fit_with_full_memory(module, loaders, output, training, callbacks, *more):
        nonlocal n_fitted
        n_fitted += 1
        full = [FullMemory(batch_idx)] if n_fitted == fit_number else []
        return fit(module, loaders, output, training, [*callbacks, *full], *more)

    monkeypatch.setattr(plan, "fit", fit_with_full_memory)


@pytest.mark.parametrize(("ensemble", "fit_number"), [([], 2), (["--ensemble", 2], 4)], ids=["network", "ensemble"])
def test_a_batch_of_a_fold_that_memory_did_not_hold_is_told_with_its_fold(
    ensemble, fit_number, study, tmp_path, monkeypatch, capsys
):
    run_out_of_memory(monkeypatch, fit_number, batch_idx=1)
    labels = labels_of(study / "metadata.tsv", "age")

    code = run("crossval", *files_of(study), *labels, "--output-dir", tmp_path / "o", *SHORT, *FOLDS, *ensemble)

    assert code == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if "did not hold batch" in line]
    assert len(lines) == 1
    assert "did not hold batch 2 of epoch 1" in lines[0]
    assert lines[0].endswith("(fold 1)"), "the second of them"


def test_the_progress_of_the_networks_of_folds_is_left_out(study, tmp_path, capsys):
    labels = labels_of(study / "metadata.tsv", "age")

    code = run("crossval", *files_of(study), *labels, "--output-dir", tmp_path / "o", *SHORT, *FOLDS, "--ensemble", 2)

    assert code == 0
    told = capsys.readouterr().err
    assert not re.search(r"training and \d+ validation samples|Network \d of 2", told)
    assert told.count("Repeat 1 of 1, fold ") == 3
