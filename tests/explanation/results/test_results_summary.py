"""The summary says what the tables hold, and what a nuisance column means."""

import numpy as np
import pandas as pd
import pytest

from aam.explanation.results.summary import STAMP, Findings, summary
from helpers.explanation import samples_of

SAMPLES = samples_of(np.random.default_rng(0).integers(1, 9, (6, 3)).astype(float), np.arange(6.0))


def nuisance(**cells):
    return pd.DataFrame([{"column": "plate", "beyond_truth": 0.2, "with_truth": 0.0, "p": 0.5, **cells}])


@pytest.mark.parametrize(
    ("cells", "reads", "confounded"),
    [
        ({}, False, False),
        ({"p": 0.001}, True, False),
        ({"p": 0.001, "beyond_truth": 0.0}, False, False),
        ({"with_truth": 0.69}, False, True),
    ],
)
def test_a_nuisance_column_that_matters_is_said_to(cells, reads, confounded):
    text = summary(SAMPLES, Findings(nuisance=nuisance(**cells)))

    assert "plate explains" in text
    assert ("The model seems to read it" in text) == reads
    assert ("cannot tell the two apart" in text) == confounded


def test_samples_and_target_are_named():
    text = summary(SAMPLES, Findings())

    assert text.startswith("# What predictions of target depend on")
    assert "6 samples, explained by one model that has not seen them" in text
    assert STAMP not in text
    assert "None of it says what causes what" in text
