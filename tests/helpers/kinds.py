"""Kinds of input that go wrong: each is a row of ``docs/what-can-go-wrong.md``, and has a table of tests in ``tests/kinds``.

``PYTHONPATH=tests python -m helpers.kinds`` writes the page anew from the tables of the tests.
"""

import importlib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

PAGE = ROOT / "docs" / "what-can-go-wrong.md"

BEGIN, END = "<!-- kinds: begin -->", "<!-- kinds: end -->"

AREAS = (
    "Labels",
    "Samples",
    "Ids",
    "Sequences",
    "Tables",
    "Taxonomy",
    "Trees and distances",
    "Where it runs",
    "Scores",
)
"""Titles of the page, in its order."""


@dataclass(frozen=True)
class Kind:
    """One kind of input that goes wrong.

    Attributes
    ----------
    area
        One of `AREAS`.
    name
        What is in the files: ``A class of one or two samples``.
    says
        What aam says or does, and in which commands, in words.
    to_do
        What the user does about it, with the option.
    """

    area: str
    name: str
    says: str
    to_do: str


def all_kinds() -> list[Kind]:
    """Return the kinds of all modules of ``tests/kinds``, each of which has a table ``KINDS``, in the order of the page."""
    names = sorted(path.stem for path in (ROOT / "tests" / "kinds").glob("test_*.py"))
    kinds = [kind for name in names for kind in importlib.import_module(f"kinds.{name}").KINDS.values()]
    return sorted(kinds, key=lambda kind: AREAS.index(kind.area))


def tables(kinds: list[Kind]) -> str:
    """Return the tables of the page, one for each area."""
    lines = []
    for area in dict.fromkeys(kind.area for kind in kinds):
        lines += [f"## {area}", "", "| What is in the files | What aam says or does | What to do |", "|---|---|---|"]
        lines += [f"| {kind.name} | {kind.says} | {kind.to_do} |" for kind in kinds if kind.area == area]
        lines.append("")
    return "\n".join(lines)


def with_tables(page: str, kinds: list[Kind]) -> str:
    """Return the text of the page with its tables written anew."""
    head, _, rest = page.partition(BEGIN)
    return f"{head}{BEGIN}\n\n{tables(kinds)}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8"), all_kinds()), encoding="utf-8")
