"""The commands that README and the pages show are commands of this version."""

import re
import shlex
from pathlib import Path

import pytest

from aam.cli import parse

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted(path for path in (ROOT / "docs").rglob("*.md") if path.name != "lab-log.md")]
COMMANDS = [
    (path.relative_to(ROOT).as_posix(), line)
    for path in PAGES
    for line in re.findall(r"^ {4,}aam (\w+ .*)$", path.read_text(encoding="utf-8").replace("\\\n", " "), re.MULTILINE)
]


@pytest.mark.parametrize(("page", "line"), COMMANDS)
def test_a_command_is_understood(page, line):
    name, *options = shlex.split(line, comments=True)

    parse(name, options)


def test_every_guide_shows_commands():
    shown = {page for page, _ in COMMANDS}

    assert {"README.md", *(f"docs/choosing-{topic}.md" for topic in ("objectives", "targets", "training"))} <= shown
