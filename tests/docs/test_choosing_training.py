"""The page on training: its table lists every schedule."""

import re
import typing
from pathlib import Path

from aam.config.training import OptimisationConfig

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "choosing-training.md").read_text(encoding="utf-8")


def test_the_page_names_every_schedule_and_optimiser():
    named = set(re.findall(r"`([\w-]+)`", PAGE))

    for option in ("schedule", "optimizer"):
        assert set(typing.get_args(typing.get_type_hints(OptimisationConfig)[option])) <= named
