"""Lines of the report of ``aam inspect``: width, indentation, and names and shares cut to what can be read."""

import textwrap
from collections.abc import Iterable

WIDTH = 100
INDENT = "  "
NAME = 32
"""Letters of a name that are shown: an MD5 sum has so many, and ids that are sequences have hundreds."""


def wrap(items: Iterable[str]) -> list[str]:
    """Break sentences into indented lines; names are never cut, and stand out where they are too long."""
    return [
        line
        for item in items
        for line in textwrap.wrap(
            item,
            WIDTH,
            initial_indent=INDENT,
            subsequent_indent=INDENT * 2,
            break_long_words=False,
            break_on_hyphens=False,
        )
    ]


def fit(line: str) -> str:
    """Cut a line to the width, and mark that."""
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"


def short(name: str, limit: int = NAME) -> str:
    """Cut a name, and mark that."""
    return name if len(name) <= limit else f"{name[: limit - 1]}…"


def share(part: float) -> str:
    """Write a share so that 100 % means all, and 0 % none.

    Examples
    --------
    >>> share(0.99999), share(1)
    ('more than 99.9 %', '100 %')
    """
    if 0.9995 <= part < 1:
        return "more than 99.9 %"
    if 0 < part < 0.0005:
        return "less than 0.1 %"
    return f"{100 * part:.1f} %" if 0 < part < 1 else f"{100 * part:.0f} %"
