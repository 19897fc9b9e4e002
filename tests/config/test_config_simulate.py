"""Options of simulation: ranges, and people who all give a sample."""

import pytest

from aam.config.tools import SimulationConfig
from aam.errors import ConfigError


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("samples", 7), ("features", 19), ("sequence_length", 19), ("mean_depth", 99), ("subjects", 1), ("signal", -0.1),
        ("batch_effect", -0.1), ("seed", -1),
    ],
)  # fmt: skip
def test_a_value_out_of_range_names_its_flag(field, value):
    with pytest.raises(ConfigError, match=rf"^--{field.replace('_', '-')} {value}: input should be"):
        SimulationConfig(**{field: value})


def test_more_people_than_samples_are_an_error():
    message = r"^--subjects 21 is more than --samples 20: each person gives at least one sample\.$"

    with pytest.raises(ConfigError, match=message):
        SimulationConfig(samples=20, subjects=21)


@pytest.mark.parametrize(("subjects", "n"), [(None, 5), (2, 2), (20, 20)])
def test_a_quarter_as_many_people_as_samples_unless_the_user_says(subjects, n):
    assert SimulationConfig(samples=20, subjects=subjects).n_subjects == n
