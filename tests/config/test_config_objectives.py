"""Weights of the losses: ranges, and that something is left to learn."""

import pytest

from aam.config.objectives import PretrainingObjectivesConfig, SupervisedObjectivesConfig
from aam.errors import ConfigError


@pytest.mark.parametrize(
    ("cls", "field", "value"),
    [
        (PretrainingObjectivesConfig, "penalty", -1.0),
        (PretrainingObjectivesConfig, "nuc_penalty", -0.5),
        (PretrainingObjectivesConfig, "nuc_mask_ratio", 0.0),
        (PretrainingObjectivesConfig, "nuc_mask_ratio", 1.0),
        (PretrainingObjectivesConfig, "nuc_asv_fraction", 0.0),
        (PretrainingObjectivesConfig, "nuc_asv_fraction", 1.1),
        (SupervisedObjectivesConfig, "target_penalty", 0.0),
        (SupervisedObjectivesConfig, "count_penalty", -1.0),
        (SupervisedObjectivesConfig, "count_mask_ratio", 0.0),
        (SupervisedObjectivesConfig, "count_mask_ratio", 1.0),
        (SupervisedObjectivesConfig, "penalty", -1.0),
    ],
)
def test_a_value_out_of_range_names_its_flag(cls, field, value):
    with pytest.raises(ConfigError, match=rf"^--{field.replace('_', '-')} {value}: input should be"):
        cls(**{field: value})


def test_nothing_to_learn_is_an_error():
    with pytest.raises(
        ConfigError, match=r"^--penalty 0 and --nuc-penalty 0 leave nothing to learn: raise one of them\.$"
    ):
        PretrainingObjectivesConfig(penalty=0, nuc_penalty=0)


@pytest.mark.parametrize("values", [{"penalty": 0}, {"nuc_penalty": 0}, {"nuc_asv_fraction": 1.0}])
def test_one_loss_is_enough(values):
    PretrainingObjectivesConfig(**values)
