"""Rules by which ids of one file became those of another."""

import time

import pytest

from aam.io.ids.advice import mismatch
from aam.io.ids.rules import likely_rule


@pytest.mark.parametrize(
    ("wanted", "found", "name"),
    [
        (["S1", "S2"], ["S001", "S002", "S003"], "zeros"),
        (["S001", "S010"], ["S1", "S10"], "zeros"),
        (["sampleA"], ["SampleA", "SampleB"], "case"),
        (["a-1", "a-2"], ["a.1", "a.2"], "separators"),
        (["X1.a", "X2.b"], ["1-a", "2 b"], "R"),
        (["S1", "S2"], ["S1_S12_L001_R1_001.fastq.gz", "S2_S13_L001_R1_001.fastq.gz"], "reads"),
        (["S1_R1", "S2_R1"], ["S1", "S2"], "reads"),
        (["OTU1"], ["OTU1;size=12;"], "annotation"),
        (["OTU1", "OTU2"], ["OTU1|3", "OTU2|9"], "annotation"),
        (["1", "2", "10"], ["OTU1", "OTU2", "OTU10"], "prefix"),
        (["S1", "S2", "S11"], ["S1x", "S2x", "S11x"], "suffix"),
        (["A1", "A2"], ["run7.A1", "run8.A2"], "after"),
        (["FJ1.1", "FJ2.1"], ["FJ1", "FJ2"], "shorter"),
        (["e\u0301tang"], ["étang"], "blanks"),
        (["S1", "S2"], [' "S1"', "S2 "], "blanks"),
        (["Sub_01-A", "Sub_02-A"], ["sub1a", "sub2a"], "letters"),
        (["P0a", "P10a"], ["P-0-a", "P-10-a"], "letters"),
        (["S01", "S10"], ["s1", "s10"], "case and zeros"),
    ],
)
def test_the_rule_is_the_one_that_changes_least(wanted, found, name):
    rule = likely_rule(wanted, found)

    assert rule is not None
    assert rule.name == name
    assert [pair[0] for pair in rule.pairs] == wanted
    assert {pair[1] for pair in rule.pairs} <= set(found)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (["S1"], ["S1.2", "S1.3"]),
        (["S1", "S2"], ["T5", "T6"]),
        (["A"], ["A_1", "A_2", "B_1"]),
        ([], ["S1"]),
        (["S1"], []),
    ],
)
def test_ids_that_may_be_several_or_none_have_no_rule(wanted, found):
    assert likely_rule(wanted, found) is None


def test_pairs_are_counted_where_only_some_ids_follow_the_rule():
    rule = likely_rule(["S1", "S2", "Z"], ["S01", "S02", "Y"])

    assert rule is not None
    assert rule.pairs == [("S1", "S01"), ("S2", "S02")]


def test_a_command_changes_no_id_that_fits(tmp_path):
    fits = mismatch(["S1", "S2", "X3"], ["s1", "s2", "X3"], "The file", (tmp_path / "m.tsv", "first column"))
    breaks = mismatch(["s1", "s2", "X3"], ["S1", "S2", "X3"], "The file", (tmp_path / "m.tsv", "first column"))

    assert "toupper(id)" in fits
    assert "toupper" not in breaks
    assert "tolower" not in breaks
    assert 'split("S1,s1,S2,s2", pair, ",")' in breaks
    assert "'s1' is 'S1' there" in breaks


@pytest.mark.parametrize("name", ["m.tsv.gz", "table.biom", "metadata.qza"])
def test_no_command_for_files_that_are_no_plain_text(tmp_path, name):
    assert "awk" not in mismatch(["S1", "S2"], ["s1", "s2"], "The file", (tmp_path / name, "first column"))


def test_a_hundred_thousand_ids_take_seconds():
    wanted, found = [f"S{k}" for k in range(100_000)], [f"run-{k % 7}-S{k:06d}" for k in range(100_000)]

    start = time.perf_counter()
    text = mismatch(wanted, found, "The file")

    assert time.perf_counter() - start < 30
    assert "The file has 'run-" in text
