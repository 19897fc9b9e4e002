"""Two processes train as one does: the same losses, gradients, weights and scores, in double precision and without dropout.

Dropout draws other numbers on every rank, and is left out. One batch has a single sample, so that a rank has none of it.
"""

import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager

import pandas as pd
import pytest
import torch
import torch.distributed as dist

from aam.distributed.process import ProcessRank, _free_port
from aam.distributed.ranks import SINGLE_PROCESS, Ranks
from aam.training.checkpoints import PROGRESS, read_checkpoint
from aam.training.strategies import read_weights
from helpers import train_on_ranks
from helpers.commands import simulate

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
    simulate(folder / "study", 20, 40, 20, "--subjects", "20")
    metadata = pd.read_csv(folder / "study" / "metadata.tsv", sep="\t", dtype=str)
    metadata.loc[::4, "birth_weight"] = ""  # so that columns to learn together are known of unlike numbers of samples
    metadata.to_csv(folder / "study" / "metadata.tsv", sep="\t", index=False)
    port = _free_port()
    command = [sys.executable, "-m", "helpers.train_on_ranks", str(folder)]
    paths = {"PYTHONPATH": os.pathsep.join(sys.path)}
    processes = [
        subprocess.Popen(command, env={**os.environ, **paths, **ProcessRank(rank, 2, rank, 2, port=port).environment})
        for rank in range(2)
    ]
    try:
        codes = [process.wait(280) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert codes == [0, 0]
    return folder


@pytest.fixture(scope="module")
def alone(folder):
    """Train in one process, once for all cases that ask the same."""
    done = {}

    def train(name):
        learned, _, options = train_on_ranks.CASES[name]
        key = (learned, *options, *train_on_ranks.FULL.get(name, ()))
        if key not in done:
            done[key] = train_on_ranks.train(folder / "study", name, save=folder if key == ("pretrain",) else None)
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


@pytest.mark.parametrize(("kind", "strategy"), [("whole", None), ("whole", "fsdp"), ("parts", "fsdp"), ("one", "fsdp")])
def test_a_checkpoint_goes_on_in_one_process_however_it_was_trained(kind, strategy, folder, alone):
    alone("fsdp")
    expected = train_on_ranks.train(folder / "study", "fsdp", resume=folder / "one.ckpt")

    with joined_alone(strategy) as ranks:
        found = train_on_ranks.train(folder / "study", "fsdp", ranks, resume=folder / f"{kind}.ckpt")

    assert len(found["gradients"]) == 4
    torch.testing.assert_close(found["gradients"], expected["gradients"], **TOLERANCE)
    torch.testing.assert_close(found["weights"], expected["weights"], **TOLERANCE)


@pytest.mark.parametrize("kind", ["whole", "parts"])
def test_the_weights_of_either_kind_of_checkpoint_are_read_into_a_whole_model(kind, folder, alone):
    module, _ = train_on_ranks.plan(folder / "study", "pretrain", [])

    read_weights(folder / f"{kind}.ckpt", module.double())

    weights = {name: weight.detach() for name, weight in module.named_parameters()}
    torch.testing.assert_close(weights, alone("fsdp")["weights"], **TOLERANCE)


@contextmanager
def joined_alone(strategy):
    """Make this process the only one of several, with a strategy that needs a group."""
    if strategy is None:
        yield SINGLE_PROCESS
        return
    process = ProcessRank(port=_free_port())
    with pytest.MonkeyPatch.context() as patch:
        for name, value in process.environment.items():
            patch.setenv(name, value)
        dist.init_process_group("gloo")
        try:
            yield Ranks(process, strategy)
        finally:
            dist.destroy_process_group()


@pytest.mark.parametrize("rank", [0, 1])
def test_what_one_process_cannot_do_all_say(rank, folder):
    assert re.fullmatch(r"rank 1 on \S+: .*", (folder / f"message {rank}").read_text())


@pytest.mark.parametrize("where", train_on_ranks.TOO_FULL)
def test_ranks_end_together_where_memory_runs_out_on_one(where, folder):
    expected = train_on_ranks.run_out(folder / "study", where)

    found = [(folder / f"too full: {where} {rank}").read_text() for rank in range(2)]

    assert expected.startswith("Memory does not hold")
    assert found == [expected, expected]


def test_ranks_find_the_batch_that_fits_on_all(folder):
    found = [(folder / f"largest {rank}").read_text() for rank in range(2)]

    assert found == ["5", "5"]


def test_weights_in_parts_are_not_halved_and_their_run_ends_with_advice(folder, caplog):
    with joined_alone("fsdp") as ranks:
        message = train_on_ranks.run_out(folder / "study", "halves", ranks)

    assert message.startswith("Memory does not hold a step. For a new run, pass a smaller --batch-size")


def test_what_is_compared_is_not_nothing(alone):
    seen = alone("ddp")

    assert len(seen["gradients"]) == 4
    assert all(any(bool((g != 0).any()) for g in step.values()) for step in seen["gradients"])
    assert {name.split()[1].partition("_")[0] for name in seen["logged"]} > {"train/taxonomy", "validation/masked-asvs"}


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_a_loss_that_is_not_finite_is_written_down_once_for_all_ranks(strategy, folder):
    (folder / "nan alone").mkdir(exist_ok=True)
    message = train_on_ranks.fail(folder / "study", folder / "nan alone")

    found, expected = (
        json.loads((folder / f"nan {each}" / "nonfinite-batch.json").read_text()) for each in (strategy, "alone")
    )

    assert "at step 2 (epoch 1)" in message
    assert sorted(found.pop("samples")) == sorted(expected.pop("samples"))
    assert found.pop("first_module_with_output_not_finite").startswith("asv_encoder")
    assert expected.pop("first_module_with_output_not_finite").startswith("asv_encoder")
    assert found == expected
    saved = read_checkpoint(folder / f"nan {strategy}" / "checkpoints/last.ckpt")
    assert saved[PROGRESS]["steps"] == 1
