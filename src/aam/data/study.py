"""A study as flat arrays on disk: samples, the counts of their ASVs, and the sequences of the ASVs as tokens."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from aam import vocabulary
from aam.storage.arrays import ArrayStore
from aam.storage.names import Names

_LENGTHS_PER_RELEASE = 1 << 14

_SEQUENCES_PER_RELEASE = 32  # each may make 64 kB resident, as the system maps the pages around


@dataclass(frozen=True)
class TokenRows:
    """The sequences of a study's features as tokens.

    Attributes
    ----------
    letters
        All tokens, one sequence after the other, uint8.
    offsets
        Start of each sequence, and the end of the last; int64 [F + 1].
    max_bp
        Most nucleotides that are read of a sequence; None for all.
    release
        Function that unloads the pages that were read.
    """

    letters: np.ndarray
    offsets: np.ndarray
    max_bp: int | None = None
    release: Callable[[], None] = lambda: None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, features: np.ndarray) -> np.ndarray:
        """Return the sequences of some features, uint8 [n, L], padded on the right to the longest of them."""
        begin = self.offsets[features]
        lengths = self.offsets[features + 1] - begin
        if self.max_bp is not None:
            lengths = np.minimum(lengths, self.max_bp)
        columns = np.arange(lengths.max(initial=1))
        tokens = np.full((len(features), len(columns)), vocabulary.PAD, dtype=np.uint8)
        for start in range(0, len(features), _SEQUENCES_PER_RELEASE):
            block = slice(start, start + _SEQUENCES_PER_RELEASE)
            is_real = columns < lengths[block, None]
            tokens[block][is_real] = self.letters[(begin[block, None] + columns)[is_real]]
            self.release()
        return tokens

    @property
    def longest(self) -> int:
        """Nucleotides that are read of the longest sequence."""
        longest = int(self.lengths.max(initial=1))
        return longest if self.max_bp is None else min(longest, self.max_bp)

    @property
    def lengths(self) -> np.ndarray:
        """Nucleotides of each whole sequence, int64 [F]."""
        return np.diff(self.offsets)

    def count_longer(self, max_bp: int) -> int:
        """Count the sequences of more than ``max_bp`` nucleotides."""
        n_longer = 0
        for start in range(0, len(self), _LENGTHS_PER_RELEASE):
            n_longer += int((np.diff(self.offsets[start : start + _LENGTHS_PER_RELEASE + 1]) > max_bp).sum())
            self.release()
        return n_longer


@dataclass(frozen=True)
class Study:
    """Some or all samples of a study on disk; its arrays are memory maps, so that it may be larger than memory.

    Samples are in the order of their ids, and ASVs in an order that depends on their sequences alone, so that nothing depends on
    the order of the user's table.

    Attributes
    ----------
    sample_ids
        Names of the samples, [S].
    feature_ids
        Names of the features, [F].
    tokens
        Sequences of the features.
    indptr, indices, counts
        Stored table of whole samples in CSR form: row ``r`` holds the features ``indices[indptr[r]:indptr[r + 1]]``, increasing,
        and the counts of the same range. ``indptr`` and ``counts`` are int64, ``indices`` int32.
    rows
        Row of each sample in the stored table, int64 [S].
    depths
        Reads of each sample, int64 [S].
    content
        Digest of the whole study on disk, whichever of its samples, nucleotides and reads are taken.
    store
        Files that hold the arrays.
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

        Returns
        -------
        All samples and features of the study.

        Raises
        ------
        DamagedStoreError
            A file of the study is missing or changed.
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
    def remarks(self) -> tuple[str, ...]:
        """What was changed to read the table, as ends of sentences that begin with its name."""
        return tuple(self.store.info.get("remarks", ()))

    @property
    def n_features(self) -> int:
        """Number of features of the whole study."""
        return len(self.feature_ids)

    @property
    def richness(self) -> np.ndarray:
        """Number of ASVs of each sample, int64 [S]."""
        return self.indptr[self.rows + 1] - self.indptr[self.rows]

    def sample(self, sample_index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the features of one sample, increasing, and their counts, both integers [n]."""
        row = self.rows[sample_index]
        entries = slice(self.indptr[row], self.indptr[row + 1])
        return self.indices[entries], self.counts[entries]

    def release(self) -> None:
        """Unload the pages that were read from disk."""
        self.store.release()

    def select_samples(self, sample_indices: np.ndarray) -> "Study":
        """Return the study of some samples, in the order given; it keeps all features."""
        return replace(
            self,
            sample_ids=self.sample_ids.select(sample_indices),
            rows=self.rows[sample_indices],
            depths=self.depths[sample_indices],
        )

    def cut(self, max_bp: int) -> "Study":
        """Return the study with only the first ``max_bp`` nucleotides of each sequence."""
        return replace(self, tokens=replace(self.tokens, max_bp=max_bp))

    def digest(self) -> str:
        """Hash the content to 32 hexadecimal digits.

        The same samples, counts and sequences give the same digest, whatever files they came in.
        """
        content = hashlib.blake2b(f"{self.content} {self.tokens.max_bp}".encode(), digest_size=16)
        for sample_id in self.sample_ids:
            content.update(sample_id.encode() + b"\0")
        return content.hexdigest()
