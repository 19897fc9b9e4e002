"""Weights of the losses: ranges, and that something is left to learn."""

from pathlib import Path

import pytest

from aam.config.commands import PretrainConfig
from aam.config.objectives import (
    FLAG_OF_RESOURCE,
    OBJECTIVES,
    PretrainingObjectivesConfig,
    SupervisedObjectivesConfig,
    encoder_types,
)
from aam.config.study import DistanceConfig, OutputDirectoryConfig, StudyConfig
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
        ConfigError, match=r"^--penalty 0, --nuc-penalty 0 and --count-penalty 0 leave nothing to learn: raise one\.$"
    ):
        PretrainingObjectivesConfig(penalty=0, nuc_penalty=0)


@pytest.mark.parametrize(
    "values",
    [
        {"penalty": 0},
        {"nuc_penalty": 0},
        {"nuc_asv_fraction": 1.0},
        {"penalty": 0, "nuc_penalty": 0, "count_penalty": 1},
    ],
)
def test_one_loss_is_enough(values):
    PretrainingObjectivesConfig(**values)


@pytest.mark.parametrize("name", list(encoder_types()))
def test_a_type_without_its_file_is_one_message_that_names_the_flag(name):
    row = OBJECTIVES[name]
    output = OutputDirectoryConfig(output_dir=Path("o"))

    def config():
        objectives = PretrainingObjectivesConfig(encoder_type=(name,))
        return PretrainConfig(
            study=StudyConfig(table=Path("t")), distance=DistanceConfig(), output=output, objectives=objectives
        )

    if row.needs:
        flags = " and ".join(FLAG_OF_RESOURCE[need] for need in row.needs)
        with pytest.raises(ConfigError, match=rf"^--objectives {name} needs {flags}\.$"):
            config()
    else:
        assert name in config().weights


def test_weights_are_those_of_the_types_times_the_penalty():
    objectives = PretrainingObjectivesConfig(
        encoder_type=("shannon", "jaccard"), encoder_weights=(0.5, 2), penalty=3, nuc_penalty=0, count_penalty=0.25
    )

    assert objectives.weights("unweighted-unifrac") == {"shannon": 1.5, "jaccard": 6.0, "counts": 0.25}


def test_without_a_type_the_default_is_learned():
    assert PretrainingObjectivesConfig().weights("distance") == {"distance": 1.0, "nucleotides": 1.0}
    assert SupervisedObjectivesConfig().weights(None) == {"counts": 0.1}
