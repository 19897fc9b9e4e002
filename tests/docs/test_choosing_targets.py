"""The page on targets: its commands are commands of this version, and its tables list every choice."""

import re
import shlex
import typing
from pathlib import Path

import pytest

from aam.cli import parse
from aam.config.network_head import NumberConfig
from aam.config.target import TargetConfig

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "choosing-targets.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    aam (\w+ .*)$", PAGE.replace("\\\n", " "), re.MULTILINE)


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_of_the_page_is_understood(line):
    name, *options = shlex.split(line)

    parse(name, options)


def test_the_page_shows_commands():
    assert len(COMMANDS) > 2


@pytest.mark.parametrize(("config", "option"), [(TargetConfig, "target_transform"), (NumberConfig, "loss_type")])
def test_a_table_lists_every_choice(config, option):
    rows = set(re.findall(r"^\| `([\w-]+)` \|", PAGE, re.MULTILINE))

    assert set(typing.get_args(typing.get_type_hints(config)[option])) <= rows
