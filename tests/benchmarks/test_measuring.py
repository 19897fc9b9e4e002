"""Fresh processes, turns and peaks."""

import numpy as np

from measuring import in_turn, peak_bytes, present_studies, rise, spread, table

MIB = 2**20


def test_two_things_are_run_in_turn_and_neither_always_first():
    calls = []

    pairs = in_turn(lambda turn: calls.append(("a", turn)), lambda turn: calls.append(("b", turn)), 2)

    assert calls == [("a", 0), ("b", 0), ("a", 1), ("b", 1), ("b", 2), ("a", 2)]
    assert len(pairs) == 2


def test_the_peak_rises_with_what_is_held_at_once():
    size = 64 * MIB + peak_bytes()

    assert rise(lambda: np.ones(size, dtype=np.uint8), times=1) > 60 * MIB


def test_a_spread_names_the_median_between_the_smallest_and_the_largest():
    assert spread([3.0, 1.0, 2.0]) == "2 (1–3)"


def test_rows_become_a_table():
    assert table(["a", "b"], [[1, "x"]]) == ["| a | b |", "|---|---|", "| 1 | x |"]


def test_absent_studies_are_named_and_skipped(tmp_path, capsys):
    (tmp_path / "here").mkdir()

    assert present_studies(tmp_path, ["here", "elsewhere"]) == [tmp_path / "here"]
    assert "Skipped elsewhere" in capsys.readouterr().err
