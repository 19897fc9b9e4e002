"""Remarks on divided copies, and on controls that metadata name."""

import numpy as np
import pandas as pd

from aam.data.twins import Twins
from aam.io.metadata import Metadata
from aam.labels.sample_checks import divided_twin_remarks, named_controls, twin_label_remarks

IDS = ["a", "b", "c", "d", "e"]

TWINS = Twins(np.array([0, 0, 2, 2, 4]), np.array([0, 0, 2, 2, 4]))


def test_only_divided_sets_are_said_to_be_divided():
    (remark,) = divided_twin_remarks(
        IDS, TWINS, np.array(["train", "validation", "train", "train", "train"]), "stratified"
    )

    assert "4 of 5 samples have identical counts under several names, in 2 sets: 'a = b', 'c = d'" in remark
    assert "1 of these sets are in more than one part" in remark
    assert divided_twin_remarks(IDS, TWINS, np.array([0, 0, 1, 1, 1]), "k-fold") == []


def test_one_set_is_no_sets():
    one = Twins(np.array([0, 0, 2, 3, 4]), np.array([0, 0, 2, 3, 4]))

    assert "in 1 set: 'a = b'." in one.remark(IDS)


def test_labels_that_differ_within_a_set_are_named_and_missing_ones_are_not():
    values = pd.DataFrame({"age": [1.0, 1.0, 2.0, 3.5, 4.0], "state": ["x", None, "y", "y", "x"]}, index=IDS)

    (remark,) = twin_label_remarks(IDS, TWINS, values)

    assert "1 set of samples with identical counts have different values of age: 'c: 2 = d: 3.5'" in remark


def test_a_cell_that_is_blank_names_a_control_only_in_a_column_of_kinds():
    names, depths = [f"S{k}" for k in range(10)], np.full(10, 900)
    cells = ["blank", *["stool"] * 9]

    for column, n in (("sample_type", 1), ("BMI_note", 0)):
        metadata = Metadata(pd.DataFrame({column: cells}, index=names))
        assert named_controls(names, depths, metadata).sum() == n
