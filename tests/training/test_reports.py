"""Reports on batches and throughput: padding, memory, what is counted, and what is advised."""

import logging
import re
from types import SimpleNamespace

import numpy as np
import pytest

from aam.training.reports import (
    BatchReport,
    Throughput,
    ThroughputReport,
    describe,
    peak_resident_bytes,
    resident_bytes,
)
from helpers.studies import make_batch, make_study


def test_padding_is_the_share_of_positions_that_hold_nothing():
    study = make_study()
    lengths = [len(study.sample(row)[0]) for row in range(6)]
    report = BatchReport(0.0)

    for place, rows in enumerate(([0, 1, 2], [3, 4, 5])):
        report.on_train_batch_start(SimpleNamespace(current_epoch=0), None, make_batch(study, rows), place)
    report.on_train_batch_start(SimpleNamespace(current_epoch=1), None, make_batch(study, [0]), 0)

    assert report.sizes == [3, 3]
    assert report.padding == pytest.approx(1 - sum(lengths) / (3 * max(lengths[:3]) + 3 * max(lengths[3:])))


def test_memory_that_is_held_is_seen():
    before = resident_bytes()

    held = np.ones(30_000_000)

    assert resident_bytes() - before > 0.8 * held.nbytes
    assert peak_resident_bytes() >= resident_bytes() - 10_000_000


def test_samples_asvs_and_waiting_are_counted_by_the_clock(caplog):
    study = make_study()
    times = iter([0.0, 1.0, 4.0, 5.0, 8.0])  # epoch, batch made, step done, batch made, step done
    report = ThroughputReport(clock=lambda: next(times))

    report.on_train_epoch_start(None, None)
    for rows in ([0, 1, 2], [3, 4]):
        batch = make_batch(study, rows)
        report.on_train_batch_start(None, None, batch, 0)
        report.on_train_batch_end(None, None, None, batch, 0)
    with caplog.at_level(logging.INFO, "aam"):
        report.on_fit_end(None, None)

    n_asvs = sum(len(make_batch(study, rows).features) for rows in ([0, 1, 2], [3, 4]))
    assert re.search(rf"\b0\.625 samples .*\b{n_asvs / 8:.3g} distinct ASVs .*\b25 %", caplog.text)
    assert "pass --num-workers 2" in caplog.text


def test_the_ranks_are_added_up_and_the_longest_wait_counts():
    shown = describe([Throughput(10, 100, 10.0, 0.2), Throughput(30, 100, 10.0, 2.0)], n_workers=3)

    assert shown.startswith("Training: 4 samples and 20 distinct ASVs per second by 2 processes; 20 % of the time")
    assert "more than --num-workers 3" in shown


@pytest.mark.parametrize("waited", [0.0, 0.9])
def test_a_run_that_hardly_waits_is_given_no_advice(waited):
    assert describe([Throughput(10, 100, 10.0, waited)], None).endswith("waiting for batches.")
