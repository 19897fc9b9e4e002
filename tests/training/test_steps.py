"""A batch that memory does not hold is run in halves, and nothing of the failed try stays."""

import dataclasses
import gc
import json
import re
import weakref

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback

from aam.config.saving import SavingConfig
from aam.data.batching.batches import BatchPlan, loader
from aam.training.checkpoints import PROGRESS, Identity, read_checkpoint
from aam.training.fit import fit
from aam.training.memory import StepTooLargeError, fits, memory_is_explained
from aam.training.nonfinite import NonFiniteLossError
from aam.training.saving import SavingPlan
from helpers.full_memory import FullMemory
from helpers.steps import CONFIG, SHAPE, plan, run

OFTEN = SavingPlan(Identity({}, {}, ""), SavingConfig(checkpoint_steps=1))

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*")


@pytest.mark.parametrize("where", ["forward", "backward"])
@pytest.mark.parametrize("accumulated", [1, 2])
def test_a_batch_in_halves_learns_what_it_would_have_whole(where, accumulated, tmp_path, caplog):
    config = dataclasses.replace(CONFIG, gradient_accumulation_steps=accumulated)
    memory = FullMemory(1, where)

    _, expected, whole = run(tmp_path / "a", config=config)
    _, found, halved = run(tmp_path / "b", memory, config=config)

    assert memory.seen == [3, 3, 2, 1, 3, 3, 3, 3]  # the second batch, then its halves
    assert len(found) == len(expected) == {1: 6, 2: 4}[accumulated]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    assert halved.metrics == pytest.approx(whole.metrics, abs=1e-10)
    assert len(re.findall(r"batch 2 of epoch 1, 3 samples: .*two halves", caplog.text)) == 1
    assert "in halves" not in caplog.text


def test_samples_are_compared_within_halves(tmp_path):
    def distance(packed):
        share = np.zeros((packed.n_samples, 12))
        np.add.at(share, (packed.sample_of_pair, packed.features), packed.counts)
        share /= share.sum(axis=1, keepdims=True)
        return np.abs(share[:, None] - share[None]).sum(axis=2)[packed.wanted] / 2

    config = dataclasses.replace(CONFIG, epochs=1, gradient_clip=1e9)
    _, found, _ = run(tmp_path / "a", FullMemory(0), config=config, distance=distance)

    module, (train, _) = plan(config, distance=distance)
    samples = train.sampler.plans(0)[0].samples
    module.double().train()
    for half in (samples[:2], samples[2:]):  # two samples make a pair, and one makes none
        losses = module.total_loss(train.dataset[BatchPlan(0, half)])[0]
        (losses * len(half) / 3).backward()
    expected = {name: weight.grad for name, weight in module.model.named_parameters() if weight.grad is not None}
    assert expected["scale"] != 0
    torch.testing.assert_close(found[0], expected, rtol=0, atol=1e-12)


def test_dropout_does_not_depend_on_where_memory_ran_out(tmp_path):
    shape = dataclasses.replace(SHAPE, dropout=0.4)

    (_, early, _), (_, late, _) = (
        run(tmp_path / name, FullMemory(1, name), shape=shape) for name in ("forward", "backward")
    )

    assert len(early) == 6
    torch.testing.assert_close(early, late, rtol=0, atol=0)


@pytest.mark.parametrize("where", ["forward", "backward"])
def test_halves_that_do_not_fit_end_the_run_with_advice_and_its_last_checkpoint(where, tmp_path):
    memory = FullMemory(2, where, times=2)

    with pytest.raises(
        StepTooLargeError,
        match=r"\b3 samples of batch 3 of epoch 1, ",
    ):
        run(tmp_path, memory, saving=OFTEN)

    assert memory.seen[-2:] == [3, 2]
    assert read_checkpoint(tmp_path / "checkpoints/last.ckpt")[PROGRESS]["steps"] == 2


def test_one_sample_is_not_halved(tmp_path):
    module, (_, held) = plan()
    train = loader(held.dataset, [BatchPlan(0, (0,)), BatchPlan(0, (1,))])
    tmp_path.mkdir(exist_ok=True)

    with pytest.raises(StepTooLargeError, match=r"\b1 samples of batch 2 of epoch 1\. "):
        fit(module, (train, held), tmp_path, CONFIG, [FullMemory(1)])


@pytest.mark.parametrize(("where", "what"), [("optimiser", "the optimiser"), ("validation", "validation")])
def test_what_cannot_be_halved_ends_the_run_with_advice(where, what, tmp_path):
    with pytest.raises(StepTooLargeError, match=rf"^Memory does not hold a step of {what}\."):
        run(tmp_path, FullMemory(1, where))


def test_more_than_one_such_batch_is_told_at_the_end(tmp_path, caplog):
    run(tmp_path, FullMemory(0), FullMemory(2))

    assert caplog.text.count("in two halves") == 1
    assert re.search(r"\b2 batches, .*in halves", caplog.text)


def test_other_errors_stay_what_they_are(tmp_path):
    class Broken(Callback):
        def on_fit_start(self, trainer, pl_module):
            pl_module.model.register_forward_hook(lambda *_: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        run(tmp_path, Broken())


def test_a_half_whose_loss_is_not_finite_is_what_the_report_is_about(tmp_path):
    class Spoil(Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            if batch_idx == 1:
                pl_module.model.target.register_forward_hook(
                    lambda _, arguments, output: output + (torch.inf if len(output) == 1 else 0)
                )

    with pytest.raises(NonFiniteLossError):
        run(tmp_path, FullMemory(1), Spoil(), saving=OFTEN)

    _, (train, _) = plan()
    samples = train.sampler.plans(0)[1].samples
    assert json.loads((tmp_path / "nonfinite-batch.json").read_text())["samples"] == [
        train.dataset.study.sample_ids[samples[2]]
    ]


@pytest.mark.parametrize(("is_first", "n_said"), [(True, 0), (False, 1)])
def test_a_rank_that_is_alone_with_it_says_so(is_first, n_said, caplog):
    with pytest.raises(StepTooLargeError), memory_is_explained(is_first):
        raise torch.OutOfMemoryError

    assert caplog.text.count("aam: Memory does not hold a step. For a new run") == n_said


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried"),
    ],
)
def test_a_step_that_memory_does_not_hold_leaves_nothing_behind(error):
    kept = []

    def step():
        tensor = torch.zeros(1000)
        kept.append(weakref.ref(tensor))
        raise error

    assert not fits(step)
    error.__traceback__ = None  # this test's own hold on it
    gc.collect()
    assert kept[0]() is None
    assert fits(lambda: None)


def test_a_real_machine_says_so_too():
    assert not fits(lambda: torch.empty(2**60, dtype=torch.uint8))
