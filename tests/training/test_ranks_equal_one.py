"""Two processes train as one does: the same losses, gradients, weights and scores, in double precision and without dropout.

Dropout draws other numbers on every rank, and is left out. One batch has a single sample, so that a rank has none of it.
"""

import os
import subprocess
import sys

import pytest
import torch
import train_on_ranks

from aam.cli import main
from aam.training.placement import Placement, _free_port

TOLERANCE = {"rtol": 0, "atol": 1e-10}

pytestmark = [
    pytest.mark.multi_process,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*", "ignore:.*does not have many workers.*"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Simulate a study, and train every case in two processes."""
    folder = tmp_path_factory.mktemp("ranks")
    simulated = ["--samples", "20", "--features", "40", "--sequence-length", "20", "--subjects", "20"]
    assert main(["simulate", "--output-dir", str(folder / "study"), *simulated]) == 0
    port = _free_port()
    command = [sys.executable, train_on_ranks.__file__, str(folder)]
    processes = [
        subprocess.Popen(command, env={**os.environ, **Placement(rank, 2, rank, 2, port=port).environment})
        for rank in range(2)
    ]
    codes = [process.wait(240) for process in processes]
    assert codes == [0, 0]
    return folder


@pytest.fixture(scope="module")
def alone(folder):
    """Train in one process, once for all cases that ask the same."""
    done = {}

    def train(name):
        learned, _, options = train_on_ranks.CASES[name]
        key = (learned, *options)
        if key not in done:
            done[key] = train_on_ranks.train(folder / "study", name)
        return done[key]

    return train


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("name", train_on_ranks.CASES)
def test_two_processes_train_as_one(name, rank, folder, alone):
    found, expected = torch.load(folder / f"{name} {rank}.pt"), alone(name)

    assert found["n"] == expected["n"]
    torch.testing.assert_close(found["logged"], expected["logged"], **TOLERANCE)
    assert len(found["gradients"]) == len(expected["gradients"])
    torch.testing.assert_close(found["gradients"], expected["gradients"], **TOLERANCE)
    torch.testing.assert_close(found["weights"], expected["weights"], **TOLERANCE)
    torch.testing.assert_close(found["scores"], expected["scores"], **TOLERANCE, equal_nan=True)


def test_what_is_compared_is_not_nothing(alone):
    seen = alone("ddp")

    assert len(seen["gradients"]) == 8
    assert all(any(bool((g != 0).any()) for g in step.values()) for step in seen["gradients"])
    assert {name.split()[1].partition("_")[0] for name in seen["logged"]} > {"train/taxonomy", "validation/masked-asvs"}
