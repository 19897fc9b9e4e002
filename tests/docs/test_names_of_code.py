"""Files and names of code that the pages mention are there; what decisions and the lab log say is of their time."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OF_THEIR_TIME = {"decisions", "tutorials"}
"""Folders of records, and of pages whose code is made on the way and is run elsewhere."""
BASES = (ROOT / "src" / "aam", ROOT, ROOT / "benchmarks")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
MENTIONS = [
    pytest.param(mention, id=f"{path.relative_to(ROOT).as_posix()} {':'.join(filter(None, mention))}")
    for path in PAGES
    if path.name != "lab-log.md" and not OF_THEIR_TIME & set(path.parts)
    for mention in dict.fromkeys(re.findall(r"`([\w./-]+\.py)(?::(\w+))?", path.read_text(encoding="utf-8")))
]


@pytest.mark.parametrize("mention", MENTIONS)
def test_code_that_a_page_mentions_is_there(mention):
    file, name = mention

    path = next(base / file for base in BASES if (base / file).is_file())

    definition = rf"^ *(?:def|class) {name}\b|^{name}\b"
    assert not name or re.search(definition, path.read_text(encoding="utf-8"), re.MULTILINE), (
        f"{file} defines no {name}"
    )


def test_folders_of_the_architecture_page_are_those_that_there_are():
    page = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
    rows = page.partition("### What each folder is for")[2].partition("###")[0]

    folders = {path.parent.name for path in (ROOT / "src" / "aam").glob("*/__init__.py")}

    assert set(re.findall(r"^\| `(\w+)/` ", rows, re.MULTILINE)) == folders
    assert all(f"{folder}/" in page.partition("```")[2].partition("```")[0] for folder in folders)
