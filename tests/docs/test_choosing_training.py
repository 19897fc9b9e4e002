"""The page on training: its commands are commands of this version, and its table lists every schedule."""

import re
import shlex
import typing
from pathlib import Path

import pytest

from aam.cli import parse
from aam.config.optimisation import OptimisationConfig

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "choosing-training.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^ +aam (\w+ .*)$", PAGE.replace("\\\n", " "), re.MULTILINE)


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_of_the_page_is_understood(line):
    name, *options = shlex.split(line)

    parse(name, options)


def test_the_page_shows_commands():
    assert len(COMMANDS) > 2


def test_the_page_names_every_schedule_and_optimiser():
    named = set(re.findall(r"`([\w-]+)`", PAGE))

    for option in ("schedule", "optimizer"):
        assert set(typing.get_args(typing.get_type_hints(OptimisationConfig)[option])) <= named
