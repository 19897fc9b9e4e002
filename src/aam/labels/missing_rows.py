"""Say which samples of the table have no row in the metadata, and whether their ids are there in another form."""

from collections.abc import Sequence
from pathlib import Path

from aam.errors import MetadataError, name_some
from aam.io.ids.advice import mismatch
from aam.io.metadata import Metadata

ADD_ROWS = "Add the rows or pass --missing-samples drop."
"""What to do about samples without a row."""

_SHOWN = 3


def describe_missing_rows(
    sample_ids: Sequence[str], metadata: Metadata, path: Path | str, what_follows: str = ""
) -> str | None:
    """Return a remark on the samples of the table without a row in the metadata; None if there are none.

    Parameters
    ----------
    sample_ids
        Samples of the table.
    metadata
        The metadata.
    path
        File of the metadata, or the option that names it.
    what_follows
        Sentence on what happens to these samples, or what to do.
    """
    present = set(metadata.sample_ids)
    absent = [sample for sample in sample_ids if sample not in present]
    if not absent:
        return None
    problem = f"{len(absent):,} of {len(sample_ids):,} samples of the table have no row in {path}: {name_some(absent)}."
    return " ".join(filter(None, [problem, what_follows, _difference(sample_ids, metadata, path)]))


def refuse_other_metadata(sample_ids: Sequence[str], metadata: Metadata, path: Path | str) -> None:
    """Raise if no sample of the table has a row in the metadata.

    Raises
    ------
    MetadataError
        None has.
    """
    if not set(metadata.sample_ids).intersection(sample_ids):
        raise MetadataError(
            f"None of the {len(sample_ids):,} samples of the table has a row in {path}: the table has "
            f"{name_some(sample_ids, _SHOWN)}. Pass the metadata of this table. {_difference(sample_ids, metadata, path)}"
        )


def _difference(sample_ids: Sequence[str], metadata: Metadata, path: Path | str) -> str:
    file = (path, "first column") if isinstance(path, Path) else None
    return mismatch(sample_ids, metadata.sample_ids, str(path), file)
