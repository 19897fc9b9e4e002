"""The sequence of each feature, and its letters as tokens."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from aam import vocabulary
from aam.errors import SequenceError, name_some
from aam.io.fasta import check_md5_ids, read_fasta

_LETTERS = "".join(vocabulary.TOKEN_OF_LETTER)
_SHORTEST_ID = 30
"""A shorter id made of nucleotide letters may be a name, such as 'BAD' or 'TANK'."""
_IS_SEQUENCE = re.compile(f"[{_LETTERS}{_LETTERS.lower()}]{{{_SHORTEST_ID},}}")
_INVALID = 255
_TOKEN_OF_BYTE = np.full(256, _INVALID, dtype=np.uint8)
for _letter, _token in vocabulary.TOKEN_OF_LETTER.items():
    _TOKEN_OF_BYTE[[ord(_letter), ord(_letter.lower())]] = _token


def feature_sequences(feature_ids: Sequence[str], fasta_path: Path | None) -> list[str]:
    """Find the sequence of each feature: in the FASTA file if there is one, else the ids themselves, in upper case.

    Raises
    ------
    SequenceError
        A feature is missing from the file or its MD5 id is not that of its sequence; or there is no file and the ids are not
        sequences.

    Examples
    --------
    >>> feature_sequences(["acgtacgtacgtacgtacgtacgtacgtacgt"], None)
    ['ACGTACGTACGTACGTACGTACGTACGTACGT']
    """
    if fasta_path is not None:
        return _sequences_from_file(feature_ids, fasta_path)
    names = [feature for feature in feature_ids if not _IS_SEQUENCE.fullmatch(feature)]
    if names:
        raise SequenceError(
            f"{len(names):,} of {len(feature_ids):,} feature ids of the table are not sequences: {name_some(names)}. "
            "Pass --sequences rep-seqs.fasta, a FASTA file with the sequence of each feature."
        )
    return [feature.upper() for feature in feature_ids]


def _sequences_from_file(feature_ids: Sequence[str], path: Path) -> list[str]:
    records = read_fasta(path)
    missing = [feature for feature in feature_ids if feature not in records]
    if missing:
        raise SequenceError(
            f"{len(missing):,} of {len(feature_ids):,} features of the table are not in --sequences {path}: "
            f"{name_some(missing)}. Pass the sequences that were made together with the table."
        )
    check_md5_ids({feature: records[feature] for feature in feature_ids}, path)
    return [records[feature] for feature in feature_ids]


def tokenize(sequences: Sequence[str], feature_ids: Sequence[str], max_bp: int) -> np.ndarray:
    """Turn letters into tokens, uint8 [F, L]; L is the longest sequence after cutting to ``max_bp``, padded on the right.

    Letters of either case are accepted; what follows the first ``max_bp`` letters is not looked at.

    Raises
    ------
    SequenceError
        A letter is not an IUPAC nucleotide code, such as a gap.

    Examples
    --------
    >>> tokenize(["ACGT", "un"], ["first", "second"], max_bp=3)
    array([[1, 2, 3],
           [4, 5, 0]], dtype=uint8)
    """
    cut = [sequence[:max_bp] for sequence in sequences]
    letters = "".join(cut)
    lengths = np.fromiter((len(sequence) for sequence in cut), dtype=np.int64, count=len(cut))
    # latin-1 has one byte per letter; what it lacks becomes '?', which is no nucleotide either
    codes = _TOKEN_OF_BYTE[np.frombuffer(letters.encode("latin-1", "replace"), dtype=np.uint8)]
    is_invalid = codes == _INVALID
    if is_invalid.any():
        rows = np.unique(np.repeat(np.arange(len(cut)), lengths)[is_invalid])
        found = sorted({letters[position] for position in np.flatnonzero(is_invalid)})
        raise SequenceError(_describe_letters(found, [feature_ids[int(row)] for row in rows], len(cut)))
    longest = int(lengths.max(initial=0))
    tokens = np.full((len(cut), longest), vocabulary.PAD, dtype=np.uint8)
    tokens[np.arange(longest) < lengths[:, None]] = codes
    return tokens


def _describe_letters(letters: list[str], features: list[str], n_sequences: int) -> str:
    remedy = (
        "Remove the alignment's gaps from the sequences."
        if {"-", "."}.issuperset(letters)
        else f"Only the IUPAC nucleotide letters {_LETTERS} are allowed: correct or remove these sequences."
    )
    return (
        f"{len(features):,} of {n_sequences:,} sequences contain letters that are not nucleotides ({name_some(letters)}): "
        f"features {name_some(features)}. {remedy}"
    )
