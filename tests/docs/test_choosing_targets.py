"""The page on targets: its tables list every choice."""

import re
import typing
from pathlib import Path

import pytest

from aam.config.target import NumberConfig, TargetConfig

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "choosing-targets.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("config", "option"), [(TargetConfig, "target_transform"), (NumberConfig, "loss_type")])
def test_a_table_lists_every_choice(config, option):
    rows = set(re.findall(r"^\| `([\w-]+)` \|", PAGE, re.MULTILINE))

    assert set(typing.get_args(typing.get_type_hints(config)[option])) <= rows
