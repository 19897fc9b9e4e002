"""Read the user's own sets of features, such as functional guilds."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from aam.errors import InputError, name_some
from aam.io.ids.advice import Place, mismatch
from aam.io.text_file import check_readable, read_text

FEATURE, GROUP = "feature-id", "group"
"""Columns of the file."""

FIRST: Place = "first column"


class GroupsError(InputError):
    """A file of sets of features that cannot be read, or fits no feature."""


def read_feature_groups(path: Path) -> dict[str, list[str]]:
    """Read sets of features.

    Parameters
    ----------
    path
        Tab-separated file (plain or gzip) with the columns feature-id and group; a feature may be of several groups.

    Returns
    -------
    dict[str, list[str]]
        Features of each group, in the order of the file, without repeats.

    Raises
    ------
    GroupsError
        The file cannot be read, lacks a column, or has an empty cell.
    """
    check_readable(path, GroupsError, "--groups")
    text = read_text(path, GroupsError, "--groups")
    reader = csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    columns = reader.fieldnames or []
    if not {FEATURE, GROUP} <= set(columns):
        raise GroupsError(
            f"--groups {path}: expected tab-separated columns '{FEATURE}' and '{GROUP}'; found "
            f"{name_some(list(columns)) or 'nothing'}."
        )
    groups: dict[str, list[str]] = {}
    for number, row in enumerate(reader, start=2):
        feature, group = (row.get(FEATURE) or "").strip(), (row.get(GROUP) or "").strip()
        if not feature or not group:
            raise GroupsError(f"--groups {path}, line {number}: a feature or its group is missing. Fill both cells.")
        members = groups.setdefault(group, [])
        if feature not in members:
            members.append(feature)
    if not groups:
        raise GroupsError(f"--groups {path} holds no feature below its header.")
    return groups


def rows_of_groups(
    groups: Mapping[str, Sequence[str]], feature_ids: Sequence[str], path: Path
) -> dict[str, np.ndarray]:
    """Return the rows of each group's features in a table, int64; features that the table lacks are left out.

    Raises
    ------
    GroupsError
        The table holds no feature of any group.
    """
    row_of = {name: row for row, name in enumerate(feature_ids)}
    rows = {
        group: np.array([row_of[name] for name in members if name in row_of], dtype=np.int64)
        for group, members in groups.items()
    }
    if not any(len(members) for members in rows.values()):
        named = sorted({name for members in groups.values() for name in members})
        raise GroupsError(
            f"--groups {path}: none of its {len(named):,} features is in the table. "
            f"{mismatch(list(feature_ids), named, 'The file', (path, FIRST))}"
        )
    return {group: members for group, members in rows.items() if len(members)}
