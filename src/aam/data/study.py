"""A study as flat arrays: who was sampled, which ASVs were seen how often, and their sequences as tokens."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array


@dataclass(frozen=True)
class Study:
    """Samples and ASVs, in an order of ASVs that depends on their sequences alone.

    Attributes
    ----------
    sample_ids
        S names.
    feature_ids
        F names, sorted by sequence, so that nothing depends on the order of the user's table.
    tokens
        uint8 [F, L], right-padded with `vocabulary.PAD`.
    counts
        int64 [S, F], sparse by sample, indices sorted, no zeros stored.
    """

    sample_ids: list[str]
    feature_ids: list[str]
    tokens: np.ndarray
    counts: csr_array

    @classmethod
    def from_arrays(
        cls, sample_ids: Sequence[str], feature_ids: Sequence[str], tokens: np.ndarray, counts: csr_array
    ) -> "Study":
        """Put the features into their canonical order: by sequence, then by name."""
        sequence = np.ascontiguousarray(tokens).view(f"S{tokens.shape[1]}").ravel()
        order = np.lexsort((np.asarray(feature_ids), sequence))
        ordered = csr_array(counts.tocsc()[:, order].tocsr())
        ordered.eliminate_zeros()
        ordered.sort_indices()
        return cls(list(sample_ids), [str(feature_ids[i]) for i in order], tokens[order], ordered)

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return len(self.sample_ids)

    @property
    def depths(self) -> np.ndarray:
        """Reads of each sample, int64 [S]."""
        return np.asarray(self.counts.sum(axis=1)).ravel()

    def sample(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """Give the features that one sample holds and their counts, both [n]."""
        begin, end = self.counts.indptr[row], self.counts.indptr[row + 1]
        return self.counts.indices[begin:end], self.counts.data[begin:end]

    def select_samples(self, rows: np.ndarray) -> "Study":
        """Keep some samples, in the order given; features stay."""
        return replace(self, sample_ids=[self.sample_ids[row] for row in rows], counts=self.counts[rows])

    def select_features(self, columns: np.ndarray) -> "Study":
        """Keep some features; their order must be increasing, so that it stays canonical."""
        kept = csr_array(self.counts[:, columns])
        kept.sort_indices()
        return replace(
            self,
            feature_ids=[self.feature_ids[column] for column in columns],
            tokens=self.tokens[columns],
            counts=kept,
        )

    def digest(self) -> str:
        """Hash the content, so that a study can be recognised."""
        content = hashlib.blake2b(digest_size=16)
        for names in (self.sample_ids, self.feature_ids):
            content.update("\0".join(names).encode())
        for array in (self.tokens, self.counts.indptr, self.counts.indices, self.counts.data):
            content.update(np.ascontiguousarray(array).tobytes())
        return content.hexdigest()
