"""The page on objectives: its commands are commands of this version, and its table lists every type."""

import re
import shlex
from pathlib import Path

import pytest

from aam.cli import parse
from aam.config.objective_table import FLAG_OF_RESOURCE, encoder_types

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "choosing-objectives.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    aam (\w+ .*)$", PAGE.replace("\\\n", " "), re.MULTILINE)


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_of_the_page_is_understood(line):
    name, *options = shlex.split(line)

    parse(name, options)


def test_the_page_shows_commands():
    assert len(COMMANDS) == 5


def test_the_table_lists_every_type_with_what_it_needs():
    rows = dict(re.findall(r"^\| `([\w-]+)` \|([^|]*)\|", PAGE, re.MULTILINE))

    expected = {
        name: " ".join(f"`{FLAG_OF_RESOURCE[need]}`" for need in row.needs) for name, row in encoder_types().items()
    }
    assert {name: needs.strip() for name, needs in rows.items()} == expected
