"""Metrics of several processes: two of them, with unequal shares, give what one gives."""

import socket

import pytest
import torch
from torch import distributed, multiprocessing

from aam.metrics.classification import classification_metrics
from aam.metrics.regression import regression_metrics

SHARES = (slice(0, 11), slice(11, 100))
MOST_CELLS = 30


def values(rows):
    """Metrics of some of a hundred predictions; of all processes, where there are several."""
    stream = torch.Generator().manual_seed(0)
    truth = 1e6 + torch.randn(100, generator=stream, dtype=torch.float64)
    prediction = truth + torch.randn(100, generator=stream, dtype=torch.float64)
    classes = torch.randint(3, (100,), generator=stream)
    probability = torch.randn(100, 3, generator=stream, dtype=torch.float64).softmax(dim=1)
    numbers, names = regression_metrics(), classification_metrics(3)
    numbers["spearman"].most_cells = MOST_CELLS
    for metrics, *values in ((numbers, prediction, truth), (names, probability, classes)):
        for metric in metrics.values():
            metric.set_dtype(torch.float64).update(*(each[rows] for each in values))
    return {name: metric.compute() for name, metric in (numbers | names).items()}


def work(rank, port, folder):
    """Run one process."""
    distributed.init_process_group("gloo", f"tcp://127.0.0.1:{port}", world_size=len(SHARES), rank=rank)
    torch.save(values(SHARES[rank]), folder / f"{rank}.pt")
    distributed.destroy_process_group()


@pytest.mark.slow
@pytest.mark.multi_process
def test_two_processes_with_unequal_shares_give_what_one_gives(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    multiprocessing.spawn(work, (port, tmp_path), nprocs=len(SHARES))

    whole = values(slice(None))
    for rank in range(len(SHARES)):
        found = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert found.keys() == whole.keys()
        for name, value in whole.items():
            torch.testing.assert_close(found[name], value, rtol=1e-9, atol=1e-9, msg=name)
