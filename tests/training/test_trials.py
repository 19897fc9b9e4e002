"""Steps are tried as they will be run, and leave no trace."""

import copy

import hypothesis
import pytest
import torch
from hypothesis import strategies

from aam.data.batching.batches import BatchPlan
from aam.distributed.ranks import SINGLE_PROCESS
from aam.training.trials import largest_that_fits, trying
from helpers.steps import plan


@hypothesis.given(strategies.integers(0, 400), strategies.integers(1, 5), strategies.integers(5, 300))
def test_the_largest_is_found_in_few_tries(held, least, most):
    tries = []

    def fits(n):
        tries.append(n)
        return n <= held

    found = largest_that_fits(fits, least, most)

    assert found == (min(held, most) if held >= least else None)
    assert all(least <= n <= most for n in tries)
    assert len(tries) == len(set(tries)) <= 20


def tried(module, maker, sizes):
    with trying(module, 1e9, SINGLE_PROCESS) as fits:
        return [fits(maker[BatchPlan(0, tuple(range(n)))]) for n in sizes]


@pytest.mark.parametrize("where", ["forwards", "backwards", "the optimiser"])
def test_a_step_is_tried_to_its_end(where, monkeypatch):
    module, (train, _) = plan()
    steps = []

    def run_out(*_):
        raise torch.OutOfMemoryError

    def look(model, arguments, encoding):
        is_large = arguments[0].n_samples > 4
        if where == "forwards" and is_large:
            run_out()
        elif where == "backwards" and is_large:
            encoding.samples.sample_vectors.register_hook(run_out)
        steps.append(arguments[0].n_samples)

    module.model.register_forward_hook(look)
    if where == "the optimiser":
        step = torch.optim.AdamW.step
        monkeypatch.setattr("torch.optim.AdamW.step", lambda *args: run_out() if steps[-1] > 4 else step(*args))

    assert tried(module, train.dataset, [4, 5, 2]) == [True, False, True]
    assert steps[:2] == [4, 4]  # with the optimiser's state, too


def test_what_is_tried_is_a_whole_step_and_nothing_else_changes():
    module, (train, _) = plan()
    other = copy.deepcopy(module)
    torch.manual_seed(7)
    expected = torch.rand(3)

    torch.manual_seed(7)
    assert tried(other, train.dataset, [3]) == [True]

    assert torch.equal(torch.rand(3), expected)
    before, after = dict(module.model.named_parameters()), dict(other.model.named_parameters())
    assert any(not torch.equal(before[name].double(), after[name]) for name in before)  # the copy has learned
    assert all(weight.grad is None and weight.dtype == torch.float32 for weight in before.values())


def test_other_errors_are_raised():
    module, (train, _) = plan()
    module.model.register_forward_hook(lambda *_: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        tried(module, train.dataset, [3])
