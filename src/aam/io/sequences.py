"""Read and write FASTA, and read the sequences of the features of a table as tokens, block by block."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from aam import vocabulary
from aam.errors import SequenceError, name_some
from aam.io.ids.fasta_headers import explain_missing, records_by_rule
from aam.io.qza import SEQUENCES
from aam.io.text_file import text_lines
from aam.storage.atomic import atomic_path
from aam.storage.names import NameIndex

_MD5 = re.compile(r"[0-9a-fA-F]{32}")

_LETTERS = "".join(vocabulary.TOKEN_OF_LETTER)

_SHORTEST_ID = 30
"""A shorter id made of nucleotide letters may be a name, such as 'BAD' or 'TANK'."""

_IS_SEQUENCE = re.compile(f"[{_LETTERS}{_LETTERS.lower()}]{{{_SHORTEST_ID},}}")

_COMPLEMENTS = str.maketrans("ACGTURYKMBDHV", "TGCAAYRMKVHDB")

_INVALID = 255

_TOKEN_OF_BYTE = np.full(256, _INVALID, dtype=np.uint8)

for _letter, _token in vocabulary.TOKEN_OF_LETTER.items():
    _TOKEN_OF_BYTE[[ord(_letter), ord(_letter.lower())]] = _token

_PER_BLOCK = 1 << 12

_SHOWN = 5


def fasta_records(path: Path) -> Iterator[tuple[str, str]]:
    """Return an iterator over (id, sequence); the file is plain text, gzip or a QIIME 2 artifact.

    The id is the first word of the header. Sequences are upper-cased and may wrap over several lines.

    Raises
    ------
    SequenceError
        The file is missing, not text or without records; text stands before the first header; or a header or sequence is empty.
    """
    return ((header.split(maxsplit=1)[0], sequence) for header, sequence in headers_and_sequences(path))


def headers_and_sequences(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the whole header, without its white space, and the sequence of one record after the other, as `fasta_records` does."""
    name, parts, n_records = None, [], 0
    for line in text_lines(path, SequenceError, "--sequences", SEQUENCES):
        if line.startswith(">"):
            if name is not None:
                yield name, _joined(path, name, parts)
            n_records += 1
            header = line[1:].strip()
            if not header:
                raise SequenceError(
                    f"--sequences {path}: record {n_records:,} has an empty header. Give it the feature's id."
                )
            name, parts = header, []
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
            f"The record of {name.split(maxsplit=1)[0]!r} in --sequences {path} has no sequence. Remove it or add its sequence."
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
    """Return whether a name has the form of an MD5 sum, by which QIIME 2 names features."""
    return _MD5.fullmatch(name) is not None


def is_md5_of(name: str, sequence: str) -> bool:
    """Return whether a name is the MD5 sum of an upper-case sequence, written in upper or lower case.

    Examples
    --------
    >>> is_md5_of("f1f8f4bf413b16ad135722aa4591043e", "ACGT")
    True
    """
    as_dna = sequence.replace("U", "T")  # RNA may be named by the sums of its DNA
    return name.lower() in {_md5_sum(text) for text in (sequence, sequence.lower(), as_dna, as_dna.lower())}


def reverse_complement(sequence: str) -> str:
    """Return the reverse complement of an upper-case sequence; letters that are not nucleotides stay.

    Examples
    --------
    >>> reverse_complement("AACR")
    'YGTT'
    """
    return sequence[::-1].translate(_COMPLEMENTS)


def _md5_sum(sequence: str) -> str:
    return hashlib.md5(sequence.encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class SequenceBlock:
    """The sequences of some features.

    Attributes
    ----------
    features
        Indices of the features in the table, int64 [n].
    tokens
        Tokens, one sequence after the other, uint8.
    lengths
        Number of nucleotides of each sequence, int64 [n].
    n_turned
        Number of sequences whose ids are the MD5 sums of their reverse complements.
    """

    features: np.ndarray
    tokens: np.ndarray
    lengths: np.ndarray
    n_turned: int = 0


@dataclass
class _Culprits:
    """Number of names with a problem, and the first few of them."""

    n: int = 0
    names: list[str] = field(default_factory=list)

    def add(self, names: Sequence[str]) -> None:
        self.n += len(names)
        self.names += names[: max(0, _SHOWN - len(self.names))]

    def __str__(self) -> str:
        return name_some([*self.names, *[""] * (self.n - len(self.names))], _SHOWN)


def sequences_in_ids(feature_ids: Sequence[str]) -> Iterator[SequenceBlock]:
    """Yield blocks of the features' sequences, in their order, where the ids are the sequences.

    Raises
    ------
    SequenceError
        An id is not a sequence of at least 30 IUPAC letters.
    """
    names = _Culprits()
    for start in range(0, len(feature_ids), _PER_BLOCK):
        block = feature_ids[start : start + _PER_BLOCK]
        names.add([name for name in block if not _IS_SEQUENCE.fullmatch(name)])
        if not names.n:
            tokens, lengths = tokenize(block)
            yield SequenceBlock(np.arange(start, start + len(block)), tokens, lengths)
    if names.n:
        raise SequenceError(
            f"{names.n:,} of {len(feature_ids):,} feature ids of the table are not sequences: {names}. "
            "Pass --sequences rep-seqs.fasta, a FASTA file with the sequence of each feature."
        )


def sequences_in_fasta(
    path: Path, feature_ids: Sequence[str], scratch: Path | None = None, is_checked: bool = True
) -> Iterator[SequenceBlock]:
    """Yield blocks of the features' sequences from a FASTA file, in the order of the file; other records are skipped.

    Where all ids have the form of MD5 sums, as QIIME 2 makes them, they must be the sums of their sequences, or of the reverse
    complements of these.

    Parameters
    ----------
    path
        The file.
    feature_ids
        Ids of the features of the table.
    scratch
        Directory in which `NameIndex` writes; None for the system's temporary directory.
    is_checked
        Whether ids are compared with MD5 sums.

    Raises
    ------
    SequenceError
        The file is malformed; a feature has no record or two; a sequence holds letters that are not nucleotides; or an MD5
        id is not that of its sequence.
    """
    finder = NameIndex(feature_ids, scratch)
    findings = _Findings(path, feature_ids, is_checked)
    records = fasta_records(path)
    while block := list(islice(records, _PER_BLOCK)):
        indices = finder.find([name for name, _ in block])
        used = [record for record, index in zip(block, indices, strict=True) if index >= 0]
        yield findings.checked_block(indices[indices >= 0], used)
    wanted = findings.missing()
    if wanted:
        renamed = records_by_rule(
            path, lambda: headers_and_sequences(path), wanted, lambda names: finder.find(names) >= 0
        )
        while found := list(islice(renamed, _PER_BLOCK)):
            features = np.array([record.feature for record in found], dtype=np.int64)
            yield findings.checked_block(features, [(record.name, record.sequence) for record in found])
    findings.refuse()


class _Findings:
    """Problems of the records of a FASTA file, collected over its blocks, so that a message can count them."""

    def __init__(self, path: Path, feature_ids: Sequence[str], is_checked: bool) -> None:
        self.path, self.feature_ids = path, feature_ids
        self.has_md5_ids = is_checked and all(map(is_md5_sum, feature_ids))
        self.is_found = np.zeros(len(feature_ids), dtype=bool)
        self.letters: set[str] = set()
        self.strange, self.twice, self.foreign = _Culprits(), _Culprits(), _Culprits()

    def missing(self) -> dict[str, int]:
        """Return the index of each feature without a record, by its name."""
        return {self.feature_ids[int(index)]: int(index) for index in np.flatnonzero(~self.is_found)}

    def checked_block(self, features: np.ndarray, records: Sequence[tuple[str, str]]) -> SequenceBlock:
        """Return the sequences of some features, of which there is one (id, sequence) each, after checking them."""
        tokens, lengths = tokenize([sequence for _, sequence in records])
        strange = np.repeat(np.arange(len(records)), lengths)[tokens == _INVALID]
        return SequenceBlock(features, tokens, lengths, self._check(features, records, strange))

    def _check(self, features: np.ndarray, records: Sequence[tuple[str, str]], strange: np.ndarray) -> int:
        """Check the records of some features; ``strange`` is the record of each letter that is not a nucleotide.

        Returns
        -------
        Number of records that are named by the sums of their reverse complements.
        """
        is_first = np.isin(np.arange(len(features)), np.unique(features, return_index=True)[1])
        self.twice.add([records[int(number)][0] for number in np.flatnonzero(self.is_found[features] | ~is_first)])
        self.is_found[features] = True
        numbers = np.unique(strange)
        self.strange.add([records[int(number)][0] for number in numbers])
        self.letters.update(*(set(records[int(number)][1]).difference(_LETTERS) for number in numbers))
        if not self.has_md5_ids:
            return 0
        renamed = [(name, sequence) for name, sequence in records if not is_md5_of(name, sequence)]
        foreign = [name for name, sequence in renamed if not is_md5_of(name, reverse_complement(sequence))]
        self.foreign.add(foreign)
        return len(renamed) - len(foreign)

    def refuse(self) -> None:
        """Raise if there are problems, or features without a record, for the first kind of them."""
        n, file = f"{len(self.feature_ids):,}", f"--sequences {self.path}"
        if self.strange.n:
            raise SequenceError(
                f"{self.strange.n:,} of {n} sequences in {file} contain letters that are not nucleotides "
                f"({name_some(sorted(self.letters))}): features {self.strange}. {self._remedy()}"
            )
        if self.twice.n:
            raise SequenceError(
                f"{self.twice.n:,} features have more than one record in {file}: {self.twice}. "
                "Keep one record for each id (its first word)."
            )
        if self.foreign.n:
            raise SequenceError(
                f"{self.foreign.n:,} of {n} sequences in {file} do not belong to their ids: the ids look like MD5 sums, and "
                f"those of the sequences differ for {self.foreign}. Pass the sequences from which these ids were made; or, if "
                "these sequences were trimmed or changed since, rename the features in both files, or pass --sequence-ids keep."
            )
        missing = np.flatnonzero(~self.is_found)
        if len(missing):
            names = _Culprits(len(missing), [self.feature_ids[int(index)] for index in missing[:_SHOWN]])
            are_sequences = all(_IS_SEQUENCE.fullmatch(name) for name in names.names)
            first_words = (name for name, _ in fasta_records(self.path))
            raise SequenceError(
                f"{len(missing):,} of {n} features of the table are not in {file}: {names}. "
                f"{explain_missing(self.path, self.feature_ids, first_words, are_sequences)}"
            )

    def _remedy(self) -> str:
        if self.letters <= {"-", "."}:
            return "Remove the alignment's gaps from the sequences."
        return f"Only the IUPAC nucleotide letters {_LETTERS} are allowed: correct or remove these sequences."


def tokenize(sequences: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Convert sequences, in letters of either case, to tokens.

    Returns
    -------
    The tokens, one sequence after the other, uint8, with 255 for what is not an IUPAC nucleotide code; and the length of each
    sequence, int64 [n].

    Examples
    --------
    >>> tokenize(["ACGT", "un"])
    (array([1, 2, 3, 4, 4, 5], dtype=uint8), array([4, 2]))
    """
    lengths = np.fromiter((len(sequence) for sequence in sequences), dtype=np.int64, count=len(sequences))
    # latin-1 has one byte per letter; what it lacks becomes '?', which is no nucleotide either
    letters = "".join(sequences).encode("latin-1", "replace")
    return _TOKEN_OF_BYTE[np.frombuffer(letters, dtype=np.uint8)], lengths
