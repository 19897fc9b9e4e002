"""Annotations for iTOL: a kind, settings, and rows of tabs."""

from aam.io.itol import write_bars, write_branch_colours, write_labels


def test_bars_have_a_label_a_colour_and_a_number_for_each_leaf(tmp_path):
    write_bars(tmp_path / "bars.txt", "importance\tof age", {"a b": 0.25, "c": -1e-7}, "#112233")

    lines = (tmp_path / "bars.txt").read_text().splitlines()
    assert lines[:2] == ["DATASET_SIMPLEBAR", "SEPARATOR TAB"]
    assert lines[2:] == ["DATASET_LABEL\timportance of age", "COLOR\t#112233", "DATA", "a b\t0.25", "c\t-1e-07"]


def test_branches_have_a_colour_and_a_width(tmp_path):
    write_branch_colours(tmp_path / "b.txt", "found", {"clade1": ("#ff0000", 2.5)})

    assert (tmp_path / "b.txt").read_text().splitlines()[-1] == "clade1\tbranch\tnode\t#ff0000\t2.5\tnormal"


def test_labels_stay_in_one_cell(tmp_path):
    write_labels(tmp_path / "l.txt", {"clade1": "g__A\t(2 of\n3 ASVs)"})

    assert (tmp_path / "l.txt").read_text().splitlines() == [
        "LABELS",
        "SEPARATOR TAB",
        "DATA",
        "clade1\tg__A (2 of 3 ASVs)",
    ]
