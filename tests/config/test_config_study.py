"""Which files a study is read from: choices, ranges, and sources that exclude each other."""

from pathlib import Path

import pytest

from aam.config.study import DistanceConfig, LabelConfig, OutputDirectoryConfig, SamplingConfig
from aam.errors import ConfigError


@pytest.mark.parametrize(
    ("cls", "values", "message"),
    [
        (SamplingConfig, {"rarefy_depth": 0}, r"--rarefy-depth 0: input should be"),
        (SamplingConfig, {"rarefy_depth": "all"}, r"--rarefy-depth all: .*'auto' or 'none'"),
        (SamplingConfig, {"token_limit": 0}, r"--token-limit 0: input should be greater"),
        (DistanceConfig, {"missing_features": "skip"}, r"--missing-features skip: .*'error' or 'drop'"),
        (LabelConfig, {"metadata": "m", "metadata_column": "c", "missing_samples": "skip"}, r"--missing-samples skip: .*'drop'"),
        (OutputDirectoryConfig, {"output_dir": "o", "overwrite": "perhaps"}, r"--overwrite perhaps: input should be a valid"),
    ],
)  # fmt: skip
def test_a_value_that_is_no_choice_names_its_flag(cls, values, message):
    with pytest.raises(ConfigError, match=message):
        cls(**values)


@pytest.mark.parametrize("values", [{}, {"tree": Path("t.nwk")}])
def test_ids_without_a_matrix_are_an_error(values):
    message = r"^--distance-ids names the rows of a --distances matrix: pass both or neither\.$"

    with pytest.raises(ConfigError, match=message):
        DistanceConfig(distance_ids=Path("d.ids"), **values)


@pytest.mark.parametrize(
    ("values", "is_given"),
    [
        ({}, False), ({"tree": Path("t")}, True), ({"distances": Path("d")}, True),
        ({"distances": Path("d"), "distance_ids": Path("i")}, True),
    ],
)  # fmt: skip
def test_either_source_gives_distances(values, is_given):
    assert DistanceConfig(**values).is_given == is_given


@pytest.mark.parametrize(
    ("values", "default"),
    [({}, None), ({"tree": Path("t")}, "unweighted-unifrac"), ({"distances": Path("d")}, "distance")],
)
def test_the_file_that_is_given_says_what_samples_are_known_for(values, default):
    assert DistanceConfig(**values).default_type == default
