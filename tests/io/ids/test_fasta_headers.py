"""Records that are found by a rule of their headers."""

import logging

import numpy as np
import pytest

from aam.io.ids.fasta_headers import records_by_rule

SEQUENCES = ["ACGT", "GGTT"]


def found(tmp_path, headers, names, taken=()):
    wanted = {name: number for number, name in enumerate(names)}
    records = records_by_rule(
        tmp_path / "x.fasta",
        lambda: zip(headers, SEQUENCES, strict=True),
        wanted,
        lambda words: np.array([word in taken for word in words]),
    )
    return [(record.feature, record.name, record.sequence) for record in records]


@pytest.mark.parametrize(
    "headers",
    [["A;size=3", "B;size=2;"], ["A|3", "B|2"], ["x\tA|3|S1", "y\tB|2|S1"], ["x|A|3", "y|B|3"], ["x y A", "y x B"]],
)
def test_each_feature_is_found_once(tmp_path, headers, caplog):
    with caplog.at_level(logging.INFO):
        records = found(tmp_path, headers, ["A", "B"])

    assert records == [(0, "A", "ACGT"), (1, "B", "GGTT")]
    assert f": 'A' is {headers[0]!r}." in caplog.text


@pytest.mark.parametrize(
    ("headers", "names"), [(["A;sample=1", "A;sample=2"], ["A"]), (["x|3", "y|4"], ["3", "4"]), (["x", "y"], ["A"])]
)
def test_two_records_counts_and_other_names_are_no_match(tmp_path, headers, names):
    assert found(tmp_path, headers, names) == []


def test_a_record_of_another_feature_is_not_taken(tmp_path):
    assert found(tmp_path, ["A;size=3", "B;size=2"], ["A", "B"], taken=("A;size=3",)) == [(1, "B", "GGTT")]
