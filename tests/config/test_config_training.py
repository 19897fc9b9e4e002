"""Options of training: every number has a range."""

import pytest

from aam.config.training import TrainingConfig
from aam.errors import ConfigError


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", 0), ("batch_size", 0), ("gradient_accumulation_steps", 0), ("lr", 0.0), ("weight_decay", -1.0),
        ("warmup_fraction", -0.1), ("warmup_fraction", 1.0), ("gradient_clip", 0.0), ("patience", 0), ("precision", "8-true"),
        ("validation_fraction", 0.0), ("validation_fraction", 1.0), ("seed", -1), ("epochs", 2.5),
    ],
)  # fmt: skip
def test_a_value_out_of_range_names_its_flag(field, value):
    with pytest.raises(ConfigError, match=rf"^--{field.replace('_', '-')} {value}: input should be"):
        TrainingConfig(**{field: value})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"momentum": 0.5}, "--momentum has no effect without --optimizer sgd"),
        ({"cycles": 4}, "--cycles has no effect without --schedule restarts"),
        ({"plateau_epochs": 5, "schedule": "restarts"}, "--plateau-epochs has no effect without --schedule plateau"),
    ],
)
def test_an_option_that_another_makes_idle_is_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        TrainingConfig(**options)


def test_options_of_one_choice_are_taken_with_it():
    assert TrainingConfig(optimizer="sgd", momentum=0.5).momentum == 0.5
    assert TrainingConfig(schedule="plateau", plateau_epochs=5).plateau_epochs == 5


def test_one_option_says_how_many_batches_are_accumulated():
    with pytest.raises(
        ConfigError, match=r"^--target-effective-batch-size chooses --gradient-accumulation-steps: pass one of them\.$"
    ):
        TrainingConfig(gradient_accumulation_steps=1, target_effective_batch_size=64)
