"""Sequences in FASTA, and whether they belong to their MD5 ids."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from aam.errors import SequenceError, name_some
from aam.io.atomic import atomic_path
from aam.io.qza import SEQUENCES
from aam.io.text_file import read_text

_HEADER = re.compile(r"^>", re.MULTILINE)
_MD5 = re.compile(r"[0-9a-fA-F]{32}")


def read_fasta(path: Path) -> dict[str, str]:
    """Read the sequence of each id, the first word of its header; plain text, gzip or a QIIME 2 artifact.

    Sequences are upper-cased and may wrap over several lines.

    Raises
    ------
    SequenceError
        The file is missing, not text or without records; text stands before the first header; a header or sequence is empty;
        or an id occurs twice.
    """
    before, *records = _HEADER.split(read_text(path, SequenceError, "--sequences", SEQUENCES))
    if before.strip():
        raise SequenceError(
            f"--sequences {path} is not FASTA: it starts with {before.strip()[:20]!r} instead of '>'. Pass a FASTA file."
        )
    if not records:
        raise SequenceError(f"--sequences {path} holds no sequences. Pass a FASTA file with a record for each feature.")
    sequences: dict[str, str] = {}
    duplicates: dict[str, None] = {}
    for number, record in enumerate(records, start=1):
        header, _, body = record.partition("\n")
        words = header.split(maxsplit=1)
        if not words:
            raise SequenceError(f"--sequences {path}: record {number:,} has an empty header. Give it the feature's id.")
        if words[0] in sequences:
            duplicates[words[0]] = None
        sequences[words[0]] = "".join(body.split()).upper()
    if duplicates:
        raise SequenceError(
            f"{len(duplicates):,} ids occur more than once in --sequences {path}: {name_some(list(duplicates))}. "
            "Keep one record for each id (its first word)."
        )
    empty = [name for name, sequence in sequences.items() if not sequence]
    if empty:
        raise SequenceError(
            f"{len(empty):,} of {len(sequences):,} records in --sequences {path} have no sequence: {name_some(empty)}. "
            "Remove them or add their sequences."
        )
    return sequences


def write_fasta(path: Path, items: Iterable[tuple[str, str]]) -> None:
    """Write (id, sequence) pairs, each sequence on one line.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        file.writelines(f">{name}\n{sequence}\n" for name, sequence in items)


def check_md5_ids(sequences: Mapping[str, str], path: Path) -> None:
    """Check that ids which look like MD5 sums, as QIIME 2 makes them, are the sums of their sequences.

    Nothing is checked unless every id consists of 32 hexadecimal digits.

    Raises
    ------
    SequenceError
        A sequence, as given or upper-cased, does not have its id as MD5 sum.

    Examples
    --------
    >>> check_md5_ids({"f1f8f4bf413b16ad135722aa4591043e": "ACGT"}, Path("rep-seqs.fasta"))
    """
    if not all(_MD5.fullmatch(name) for name in sequences):
        return
    different = [
        name
        for name, sequence in sequences.items()
        if name.lower() not in (_md5_sum(sequence), _md5_sum(sequence.upper()))
    ]
    if different:
        raise SequenceError(
            f"{len(different):,} of {len(sequences):,} sequences in --sequences {path} do not belong to their ids: the ids "
            f"look like MD5 sums, and those of the sequences differ for {name_some(different)}. "
            "Pass the sequences from which these ids were made, not trimmed or oriented anew."
        )


def _md5_sum(sequence: str) -> str:
    return hashlib.md5(sequence.encode(), usedforsecurity=False).hexdigest()
