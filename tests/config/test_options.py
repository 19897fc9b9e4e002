"""What a field says of its option: the condition without which it has no effect, and which head reads it."""

from typing import Annotated

import pytest

from aam.cli import parse
from aam.config.base import config
from aam.config.options import GIVEN, fields_of_any_head, flag_of, only_with
from aam.errors import ConfigError


@config
class Inner:
    """An option that needs one of two others, and one whose other is elsewhere."""

    columns: tuple[str, ...] = ()
    dropout: Annotated[float, only_with(columns=GIVEN, mode="b")] = 0.1
    rate: Annotated[float, only_with("{flag} {value} does nothing on {other}.", mode=("a", "b"))] = 1.0


@config
class Outer:
    """The other."""

    inner: Inner
    mode: str = "a"


@pytest.mark.parametrize(
    ("inner", "mode"), [({"dropout": 0.5, "columns": ("x",)}, "a"), ({"dropout": 0.5}, "b"), ({"dropout": 0.1}, "c")]
)
def test_one_of_the_needed_options_is_enough(inner, mode):
    assert Outer(inner=Inner(**inner), mode=mode).mode == mode


def test_an_option_that_does_nothing_is_refused_where_that_can_be_seen():
    part = Inner(dropout=0.5)

    with pytest.raises(
        ConfigError, match=r"^--dropout has no effect without --columns or --mode b: pass both, or leave"
    ):
        Outer(inner=part)


def test_a_condition_may_have_a_message_of_its_own():
    with pytest.raises(ConfigError, match=r"^--rate 2\.0 does nothing on --mode c\.$"):
        Outer(inner=Inner(rate=2.0), mode="c")


def test_options_of_one_condition_are_named_together():
    with pytest.raises(ConfigError, match=r"^--categorical-fusion and --category-dropout have no effect without"):
        parse("train", ["--table", "t", "--metadata", "m", "--metadata-column", "c", "--output-dir", "o",
                        "--categorical-fusion", "add", "--category-dropout", "0.5"])  # fmt: skip


def test_a_flag_may_have_another_name_than_its_field():
    assert [flag_of(name) for name in ("encoder_type", "ffn_ratio", "files")] == ["--objectives", "--ffn-ratio", "FILE"]


def test_the_kernel_head_reads_some_options_of_the_network_as_well():
    train = parse("train", ["--table", "t", "--metadata", "m", "--metadata-column", "c", "--output-dir", "o"])

    assert set(fields_of_any_head(train)) == {
        "seed", "validation_fraction", "validation_plot_samples", "max_bp", "tree", "root", "missing_features", "pretrained",
        "resume", "replay", "rarefy_depth",
    }  # fmt: skip
