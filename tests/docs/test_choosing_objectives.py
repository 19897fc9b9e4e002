"""The page on objectives: its table lists every type."""

import re
from pathlib import Path

from aam.config.objectives import FLAG_OF_RESOURCE, encoder_types

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "choosing-objectives.md").read_text(encoding="utf-8")


def test_the_table_lists_every_type_with_what_it_needs():
    rows = dict(re.findall(r"^\| `([\w-]+)` \|([^|]*)\|", PAGE, re.MULTILINE))

    expected = {
        name: " ".join(f"`{FLAG_OF_RESOURCE[need]}`" for need in row.needs) for name, row in encoder_types().items()
    }
    assert {name: needs.strip() for name, needs in rows.items()} == expected
