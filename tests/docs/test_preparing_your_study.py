"""The page on preparing a study: its messages and flags are those of this version."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from aam.cli import COMMANDS
from aam.config.base import load, options_by_name

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "preparing-your-study.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)


def commands() -> list[str]:
    """Find what follows ``aam`` at the start of an indented or fenced line, with lines that a backslash continues."""
    joined = PAGE.replace("\\\n", " ")
    return re.findall(r"^ +aam (\w+ .*)$", joined, re.MULTILINE)


@cache
def texts() -> list[str]:
    """Give all strings of the source, joined as Python joins them, with a mark for what is filled in."""
    found = []
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                found.append(
                    "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
                )
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return found


def test_the_page_shows_commands():
    shown = {line.split()[0] for line in commands()}

    assert shown == {"inspect", "pretrain", "train", "predict", "prepare", "cache"}
    assert len(commands()) >= 15


@pytest.mark.parametrize("message", ROW.findall(PAGE.partition("## What messages mean")[2]))
def test_a_message_of_the_page_is_one_of_ours(message):
    assert any(message in text for text in texts())


@pytest.mark.parametrize("flag", sorted(set(re.findall(r"`(--[a-z-]+)", PAGE)) - {"--to-hdf5", "--auto"}))
def test_a_flag_of_the_page_exists(flag):
    assert any(flag.removeprefix("--") in options_by_name(load(command.config)) for command in COMMANDS.values())
