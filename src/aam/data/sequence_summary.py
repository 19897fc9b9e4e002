"""What a file of sequences holds, counted one block of records after the other."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from aam import vocabulary
from aam.io.name_index import HASH_DTYPE, hash_names
from aam.io.names import Names
from aam.io.sequences import tokenize

_PER_BLOCK = 1 << 14


@dataclass(frozen=True)
class SequenceSummary:
    """Sequences in numbers.

    Attributes
    ----------
    n_sequences, n_distinct
        Records, and how many of them differ.
    shortest, median, longest
        Nucleotides.
    n_ambiguous
        Sequences with a letter that stands for several nucleotides, such as N.
    n_strange
        Sequences with letters that are not nucleotides, such as gaps.
    n_longer
        Sequences with more nucleotides than ``--max-bp`` lets the model read, as it is unless set.
    max_bp
        Its value.
    """

    n_sequences: int
    n_distinct: int
    shortest: int
    median: float
    longest: int
    n_ambiguous: int
    n_strange: int
    n_longer: int
    max_bp: int


def summarise_sequences(records: Iterable[tuple[str, str]], max_bp: int) -> tuple[Names, SequenceSummary]:
    """Count over (id, sequence) pairs; give the ids as well."""
    lengths, hashes, names = [], [], []
    n_ambiguous = n_strange = 0
    for block in _blocks(records):
        sequences = [sequence for _, sequence in block]
        tokens, block_lengths = tokenize(sequences)
        rows = np.repeat(np.arange(len(block)), block_lengths)
        n_ambiguous += len(np.unique(rows[tokens == vocabulary.AMBIGUOUS]))
        n_strange += len(np.unique(rows[tokens > vocabulary.AMBIGUOUS]))
        lengths.append(block_lengths)
        hashes.append(hash_names(sequence.upper().replace("U", "T") for sequence in sequences))
        names += [name for name, _ in block]
    length = np.concatenate(lengths)
    return Names.from_strings(names), SequenceSummary(
        n_sequences=len(length),
        n_distinct=len(np.unique(np.concatenate(hashes).astype(HASH_DTYPE))),
        shortest=int(length.min()),
        median=float(np.median(length)),
        longest=int(length.max()),
        n_ambiguous=n_ambiguous,
        n_strange=n_strange,
        n_longer=int((length > max_bp).sum()),
        max_bp=max_bp,
    )


def _blocks(records: Iterable[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    remaining = iter(records)
    while block := list(islice(remaining, _PER_BLOCK)):
        yield block
