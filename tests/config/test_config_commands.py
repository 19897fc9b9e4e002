"""The rules that join options of one command."""

from pathlib import Path

import pytest

from aam.config.commands import InferenceConfig, PretrainConfig
from aam.config.objectives import PretrainingObjectivesConfig
from aam.config.study import DistanceConfig, OutputDirectoryConfig, StudyConfig
from aam.config.target import TargetConfig
from aam.config.tools import DemoConfig
from aam.config.training import TrainingConfig, TransferConfig
from aam.errors import ConfigError

TREE = DistanceConfig(tree=Path("t.nwk"))
NUCLEOTIDES_ALONE = PretrainingObjectivesConfig(penalty=0)


def pretraining(distance=TREE, **changes):
    output = OutputDirectoryConfig(output_dir=Path("o"))
    return PretrainConfig(study=StudyConfig(table=Path("t")), output=output, distance=distance, **changes)


def test_pretraining_on_distances_needs_their_source():
    with pytest.raises(
        ConfigError,
        match=r"pass --tree \(or --distances\), or name --objectives .* or --penalty 0 to learn from masked",
    ):
        pretraining(DistanceConfig())


def test_pretraining_on_distances_needs_pairs_of_samples():
    with pytest.raises(
        ConfigError, match=r"^--batch-size 1 leaves no pair of samples to learn distances from: use at least 2\.$"
    ):
        pretraining(training=TrainingConfig(batch_size=1))


@pytest.mark.parametrize("distance", [DistanceConfig(), TREE])
def test_masked_nucleotides_alone_need_neither(distance):
    pretraining(distance, objectives=NUCLEOTIDES_ALONE, training=TrainingConfig(batch_size=1))


@pytest.mark.parametrize("distance", [TREE, DistanceConfig(distances=Path("d.npy"))])
def test_a_tree_or_a_matrix_is_enough(distance):
    assert pretraining(distance).distance.is_given


def test_there_is_nothing_to_freeze_without_a_pretrained_model():
    message = r"^--freeze-base keeps pre-trained weights: pass --pretrained DIRECTORY as well\.$"

    with pytest.raises(ConfigError, match=message):
        TransferConfig(freeze_base=True)
    assert TransferConfig(freeze_base=True, pretrained=Path("p")).freeze_base


@pytest.mark.parametrize(
    ("cls", "values", "message"),
    [
        (InferenceConfig, {"model": "m", "rarefy_depth": 0}, r"--rarefy-depth 0"),
        (InferenceConfig, {"model": "m", "rarefy_depth": "auto"}, r"--rarefy-depth auto: .*'model' or 'none'"),
        (InferenceConfig, {"model": "m", "batch_size": 0}, r"--batch-size 0: input should be greater"),
        (InferenceConfig, {"model": "m", "precision": "16-mixed"}, r"--precision 16-mixed: .*'32-true' or 'bf16-mixed'"),
        (TargetConfig, {"task": "ranking"}, r"--task ranking: .*'auto', 'regression', 'classification' or 'ordinal'"),
        (DemoConfig, {"output": {"output_dir": "o"}, "seed": -1}, r"--seed -1: input should be greater"),
    ],
)  # fmt: skip
def test_a_value_out_of_range_names_its_flag(cls, values, message):
    with pytest.raises(ConfigError, match=message):
        cls(**values)
