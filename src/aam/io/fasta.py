"""Sequences in FASTA, one record after the other, and MD5 sums as their ids."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from aam.errors import SequenceError
from aam.io.atomic import atomic_path
from aam.io.qza import SEQUENCES
from aam.io.text_file import text_lines

_MD5 = re.compile(r"[0-9a-fA-F]{32}")


def fasta_records(path: Path) -> Iterator[tuple[str, str]]:
    """Read one (id, sequence) after the other; plain text, gzip or a QIIME 2 artifact.

    The id is the first word of the header. Sequences are upper-cased and may wrap over several lines.

    Raises
    ------
    SequenceError
        The file is missing, not text or without records; text stands before the first header; or a header or sequence is empty.
    """
    name, parts, n_records = None, [], 0
    for line in text_lines(path, SequenceError, "--sequences", SEQUENCES):
        if line.startswith(">"):
            if name is not None:
                yield name, _joined(path, name, parts)
            n_records += 1
            words = line[1:].split(maxsplit=1)
            if not words:
                raise SequenceError(
                    f"--sequences {path}: record {n_records:,} has an empty header. Give it the feature's id."
                )
            name, parts = words[0], []
        elif name is not None:
            parts.append(line)
        elif line.strip():
            raise SequenceError(
                f"--sequences {path} is not FASTA: it starts with {line.strip()[:20]!r} instead of '>'. Pass a FASTA file."
            )
    if name is None:
        raise SequenceError(f"--sequences {path} holds no sequences. Pass a FASTA file with a record for each feature.")
    yield name, _joined(path, name, parts)


def _joined(path: Path, name: str, parts: list[str]) -> str:
    sequence = "".join("".join(parts).split()).upper()
    if not sequence:
        raise SequenceError(
            f"The record of {name!r} in --sequences {path} has no sequence. Remove it or add its sequence."
        )
    return sequence


def write_fasta(path: Path, items: Iterable[tuple[str, str]]) -> None:
    """Write (id, sequence) pairs, each sequence on one line.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        file.writelines(f">{name}\n{sequence}\n" for name, sequence in items)


def is_md5_sum(name: str) -> bool:
    """Whether a name looks like an MD5 sum, as QIIME 2 names features."""
    return _MD5.fullmatch(name) is not None


def is_md5_of(name: str, sequence: str) -> bool:
    """Whether a name is the MD5 sum of an upper-case sequence, written in upper or lower case.

    Examples
    --------
    >>> is_md5_of("f1f8f4bf413b16ad135722aa4591043e", "ACGT")
    True
    """
    as_dna = sequence.replace("U", "T")  # RNA may carry the sums of its DNA
    return name.lower() in {_md5_sum(text) for text in (sequence, sequence.lower(), as_dna, as_dna.lower())}


def _md5_sum(sequence: str) -> str:
    return hashlib.md5(sequence.encode(), usedforsecurity=False).hexdigest()
