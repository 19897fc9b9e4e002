"""The page on conditioning: its table lists every fusion, and it names every option."""

import dataclasses
import re
import typing
from pathlib import Path

from aam.config.base import flag_of
from aam.config.covariates import CovariatesConfig
from aam.nn.fusion import FUSIONS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "conditioning-on-metadata.md").read_text(encoding="utf-8")


def test_the_table_lists_every_fusion_that_there_is():
    rows = re.findall(r"^\| `([\w-]+)` \|", PAGE, re.MULTILINE)

    assert list(typing.get_args(typing.get_type_hints(CovariatesConfig)["categorical_fusion"])) == rows == list(FUSIONS)


def test_the_page_names_every_option():
    assert all(f"`{flag_of(field.name)}" in PAGE for field in dataclasses.fields(CovariatesConfig))
