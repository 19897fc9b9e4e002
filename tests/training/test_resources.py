"""The report on batches: padding against a count by hand, and memory that is really measured."""

from types import SimpleNamespace

import numpy as np
import pytest

from aam.training.reports import BatchReport, peak_resident_bytes, resident_bytes
from conftest import make_batch, make_study


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
