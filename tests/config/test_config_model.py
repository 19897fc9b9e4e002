"""The shape of a model: ranges, and the rule that joins heads and width."""

import pytest

from aam.config.model import ModelConfig, tiny
from aam.errors import ConfigError


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("embedding_dim", 1), ("attention_heads", 0), ("attention_layers", 0), ("ffn_ratio", 0.0), ("dropout", -0.1),
        ("dropout", 1.0), ("max_bp", 0), ("asv_chunk_size", 0), ("embedding_dim", "wide"), ("gradient_checkpointing", "maybe"),
    ],
)  # fmt: skip
def test_a_value_out_of_range_names_its_flag(field, value):
    with pytest.raises(ConfigError, match=rf"^--{field.replace('_', '-')} {value}: input should be"):
        ModelConfig(**{field: value})


def test_heads_that_do_not_divide_the_width_are_an_error():
    message = r"^--attention-heads 3 does not divide --embedding-dim 8: choose, for example, 128 and 4\.$"

    with pytest.raises(ConfigError, match=message):
        ModelConfig(embedding_dim=8, attention_heads=3)


@pytest.mark.parametrize(("width", "heads"), [(8, 2), (8, 8), (2, 1), (12, 3)])
def test_heads_that_divide_the_width_are_taken(width, heads):
    assert ModelConfig(embedding_dim=width, attention_heads=heads).embedding_dim == width


def test_the_tiny_model_is_smaller_than_the_default_and_drops_nothing():
    assert tiny().embedding_dim < ModelConfig().embedding_dim
    assert tiny().dropout == 0
