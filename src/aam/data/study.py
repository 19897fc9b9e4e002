"""A study as flat arrays on disk: who was sampled, which ASVs were seen how often, and their sequences as tokens."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from aam import vocabulary
from aam.storage.arrays import ArrayStore
from aam.storage.names import Names

_LENGTHS_PER_RELEASE = 1 << 14

_ROWS_PER_RELEASE = 32  # each may make 64 kB resident, as the system maps the pages around


@dataclass(frozen=True)
class TokenRows:
    """The sequences of a study's features as tokens.

    Attributes
    ----------
    letters
        All tokens, one sequence after the other, uint8.
    offsets
        Where each sequence begins, and the end of the last; int64 [F + 1].
    max_bp
        Nucleotides that are read of each; None for all.
    release
        Lets go of the pages that were read.
    """

    letters: np.ndarray
    offsets: np.ndarray
    max_bp: int | None = None
    release: Callable[[], None] = lambda: None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, features: np.ndarray) -> np.ndarray:
        """Give the sequences of some features, uint8 [n, L], padded on the right to the longest of them."""
        begin = self.offsets[features]
        lengths = self.offsets[features + 1] - begin
        if self.max_bp is not None:
            lengths = np.minimum(lengths, self.max_bp)
        columns = np.arange(lengths.max(initial=1))
        tokens = np.full((len(features), len(columns)), vocabulary.PAD, dtype=np.uint8)
        for start in range(0, len(features), _ROWS_PER_RELEASE):
            part = slice(start, start + _ROWS_PER_RELEASE)
            is_real = columns < lengths[part, None]
            tokens[part][is_real] = self.letters[(begin[part, None] + columns)[is_real]]
            self.release()
        return tokens

    @property
    def longest(self) -> int:
        """Most nucleotides that are read of a sequence."""
        longest = int(self.lengths.max(initial=1))
        return longest if self.max_bp is None else min(longest, self.max_bp)

    @property
    def lengths(self) -> np.ndarray:
        """Nucleotides of each whole sequence, int64 [F]."""
        return np.diff(self.offsets)

    def count_longer(self, max_bp: int) -> int:
        """Count the sequences of more nucleotides."""
        n_longer = 0
        for start in range(0, len(self), _LENGTHS_PER_RELEASE):
            n_longer += int((np.diff(self.offsets[start : start + _LENGTHS_PER_RELEASE + 1]) > max_bp).sum())
            self.release()
        return n_longer


@dataclass(frozen=True)
class Study:
    """Some or all samples of a study on disk; its arrays are memory maps, so that it may be larger than memory.

    Samples are in the order of their ids, and ASVs in an order that depends on their sequences alone: so nothing depends on the
    order of the user's table.

    Attributes
    ----------
    sample_ids
        S names.
    feature_ids
        F names.
    tokens
        Sequences of the features.
    indptr, indices, counts
        Row ``r`` of the stored table holds features ``indices[indptr[r]:indptr[r + 1]]``, increasing, with these counts; int64
        but for ``indices``, int32.
    rows
        Stored row of each sample, int64 [S].
    depths
        Reads of each sample, int64 [S].
    content
        Digest of the whole study on disk, whichever of its samples, nucleotides and reads are taken.
    store
        Where the arrays are.
    """

    sample_ids: Names
    feature_ids: Names
    tokens: TokenRows
    indptr: np.ndarray
    indices: np.ndarray
    counts: np.ndarray
    rows: np.ndarray
    depths: np.ndarray
    content: str
    store: ArrayStore

    @classmethod
    def open(cls, directory: Path) -> "Study":
        """Open a study that `build_study` wrote.

        Raises
        ------
        DamagedStoreError
            Its files are missing or changed.
        """
        arrays = ArrayStore(directory)
        rows = arrays["order"]
        depths = arrays["depths"][rows]
        arrays.release()
        return cls(
            sample_ids=Names(arrays["sample_letters"], arrays["sample_offsets"], rows, arrays.release),
            feature_ids=Names(arrays["feature_letters"], arrays["feature_offsets"], release=arrays.release),
            tokens=TokenRows(arrays["tokens"], arrays["token_offsets"], release=arrays.release),
            indptr=arrays["indptr"],
            indices=arrays["indices"],
            counts=arrays["counts"],
            rows=rows,
            depths=depths,
            content=arrays.info["content"],
            store=arrays,
        )

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return len(self.rows)

    @property
    def n_features(self) -> int:
        """Number of features of the whole study."""
        return len(self.feature_ids)

    @property
    def richness(self) -> np.ndarray:
        """ASVs that each sample holds, int64 [S]."""
        return self.indptr[self.rows + 1] - self.indptr[self.rows]

    def sample(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """Give the features that one sample holds and their counts, both [n]."""
        stored = self.rows[row]
        part = slice(self.indptr[stored], self.indptr[stored + 1])
        return self.indices[part], self.counts[part]

    def release(self) -> None:
        """Let go of the pages that were read from disk."""
        self.store.release()

    def select_samples(self, rows: np.ndarray) -> "Study":
        """Keep some samples, in the order given; features stay."""
        return replace(self, sample_ids=self.sample_ids.select(rows), rows=self.rows[rows], depths=self.depths[rows])

    def cut(self, max_bp: int) -> "Study":
        """Read the first ``max_bp`` nucleotides of each sequence only."""
        return replace(self, tokens=replace(self.tokens, max_bp=max_bp))

    def digest(self) -> str:
        """Hash the content: the same samples, counts and sequences give the same digest, whatever files they came in."""
        content = hashlib.blake2b(f"{self.content} {self.tokens.max_bp}".encode(), digest_size=16)
        for sample in self.sample_ids:
            content.update(sample.encode() + b"\0")
        return content.hexdigest()
