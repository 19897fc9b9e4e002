"""Names of blanks and controls are told from those of people, waters and places."""

import numpy as np
import pytest

from aam.data.control_names import are_named_controls, control_remarks

CLEAN = [f"S{k}" for k in range(20)]


@pytest.mark.parametrize(
    "name", ["blank", "Blank3", "NTC-1", "neg_ctrl", "ExtractionBlank2", "MOCK", "no.template.control", "H2O blank"]
)
def test_such_names_are_controls_whatever_their_reads(name):
    is_control = are_named_controls([*CLEAN, name], np.full(21, 2000))

    assert np.flatnonzero(is_control).tolist() == [20]


@pytest.mark.parametrize("name", ["control12", "Water_3", "neg5", "PC1", "kit2"])
def test_words_of_several_meanings_need_few_reads(name):
    names = [*CLEAN, name]

    assert not are_named_controls(names, np.full(21, 2000)).any()
    assert are_named_controls(names, np.append(np.full(20, 2000), 30))[20]


@pytest.mark.parametrize("name", ["Liverpool_1", "3B7L06K212", "Hammock", "blanket", "tidepool1", "mr.blanken"])
def test_other_names_are_none(name):
    assert not are_named_controls([*CLEAN, name], np.append(np.full(20, 2000), 3)).any()


def test_a_group_of_an_experiment_is_none():
    names = [f"mock_infected_{k}" for k in range(10)] + CLEAN[:10]

    assert not are_named_controls(names, np.full(20, 2000)).any()
    assert control_remarks(names, np.zeros(20, dtype=bool)) == []
