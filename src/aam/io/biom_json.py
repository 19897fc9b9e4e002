"""Feature tables in BIOM 1.0 (JSON), sparse or dense."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import coo_array, csr_array

from aam.errors import TableError, name_some
from aam.io.count_table import CountTable, checked_table

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")  # which JSON can write, and UTF-8 cannot
_KEYS = ("rows", "columns", "data", "matrix_type")


def read_json_table(path: Path, text: str) -> CountTable:
    """Read a BIOM 1.0 table, whose rows are features and columns samples.

    Raises
    ------
    TableError
        The text is not JSON or not a BIOM table; ids or values are not as `checked_table` needs them.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TableError(f"--table {path} begins like BIOM 1.0 but is not JSON ({error}). Copy it again.") from None
    missing = [key for key in _KEYS if key not in content]
    if missing:
        raise TableError(
            f"--table {path} is JSON but not BIOM 1.0: it lacks {name_some(missing)}. Pass a feature table."
        )
    feature_ids, sample_ids = _ids(path, content["rows"]), _ids(path, content["columns"])
    shape = (len(feature_ids), len(sample_ids))
    if content["matrix_type"] == "sparse":
        rows, columns, values = _sparse(path, content["data"], shape)
        matrix = coo_array((values, (columns, rows)), shape=shape[::-1]).tocsr()
    elif content["matrix_type"] == "dense":
        matrix = csr_array(_numbers(path, content["data"], shape).T)
    else:
        raise TableError(
            f"--table {path}: matrix_type {content['matrix_type']!r} is neither 'sparse' nor 'dense'. Correct it."
        )
    return checked_table(path, sample_ids, feature_ids, matrix)


def _ids(path: Path, items: Any) -> list[str]:
    try:
        ids = [item["id"] for item in items]
    except (TypeError, KeyError):
        ids = [None]
    names = [name for name in ids if isinstance(name, str)]
    if len(names) < len(ids) or any(map(_LONE_SURROGATE.search, names)):
        raise TableError(f"--table {path}: a row or column has no 'id' that is text. Write the table anew.")
    return names


def _sparse(path: Path, data: Any, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if data == []:
        nothing = np.empty(0, dtype=np.int64)
        return nothing, nothing, nothing
    entries = _numbers(path, data, (len(data) if isinstance(data, list) else 0, 3))
    rows, columns, values = entries.T
    for places, n in ((rows, shape[0]), (columns, shape[1])):
        is_outside = ~((places >= 0) & (places < n) & (places == np.floor(places)))
        if is_outside.any():
            raise TableError(
                f"--table {path}: {is_outside.sum():,} entries lie outside of its {shape[0]:,} features and {shape[1]:,} samples, "
                f"first at {places[is_outside][0]:g}. Write the table anew."
            )
    return rows.astype(np.int64), columns.astype(np.int64), values


def _numbers(path: Path, data: Any, shape: tuple[int, int]) -> np.ndarray:
    try:
        numbers = np.array(data)
    except (ValueError, OverflowError):
        numbers = np.array(None)
    if numbers.size == 0:
        numbers = np.zeros(shape, dtype=np.int64) if 0 in shape else numbers.astype(np.int64)
    if numbers.shape != shape or numbers.dtype.kind not in "iuf":
        raise TableError(
            f"--table {path}: its data are not {shape[0]:,} × {shape[1]:,} numbers, as its ids and matrix_type say. "
            "Write the table anew."
        )
    return numbers
