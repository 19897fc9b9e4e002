"""A trained model as a function of the reads of each ASV, so that reads can be changed to see what they do to predictions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array

from aam.data.study import Study
from aam.kernels.features import Phylogeny
from aam.labels.target import Predictions

FINENESS = 4096
"""Factor by which changed reads are multiplied before a network reads them, which counts whole reads but compares shares."""


@dataclass(frozen=True)
class CountFunction:
    """What a model predicts, as a function of counts.

    Attributes
    ----------
    counts
        Reads of each sample as the model reads them, after rarefaction and the limit of ASVs; float64 [S, F].
    is_read
        Whether the model reads each feature at all; a kernel head does not read ASVs that training never saw. bool [F].
    compute
        Function of counts, [m, F], and of the samples that they were changed from, int64 [m], whose covariates are read. It returns
        values in own units, [m] or [m, K], or class probabilities, [m, C].
    known_tree
        Tree that the model keeps, and the number of each feature among the ASVs that it knows, −1 for others, int64 [F]; None if it
        keeps none.
    """

    counts: csr_array
    is_read: np.ndarray
    compute: Callable[[csr_array, np.ndarray], np.ndarray]
    known_tree: tuple[Phylogeny, np.ndarray] | None = None

    @property
    def n_samples(self) -> int:
        """Number of samples, S."""
        return len(self.counts.indptr) - 1

    def predictions(self) -> np.ndarray:
        """Return the predictions of the samples as they are, float64 [S, K] or [S, C]."""
        return self(self.counts, np.arange(self.n_samples))

    def __call__(self, counts: csr_array, samples: np.ndarray) -> np.ndarray:
        """Return predictions from changed counts, float64 [m, K] or [m, C].

        Parameters
        ----------
        counts
            Reads of each feature, which need not be whole; float64 [m, F].
        samples
            The sample that each row was changed from, int64 [m].
        """
        if not len(samples):
            return np.empty((0, 1))
        return self.compute(counts, samples).reshape(len(samples), -1)


def in_all_classes(function: CountFunction, predicted: Sequence[str], classes: Sequence[str]) -> CountFunction:
    """Return a function of the probabilities of all ``classes``, from one of some of them; numbers are returned as they are."""

    def compute(counts: csr_array, samples: np.ndarray) -> np.ndarray:
        return Predictions(function.compute(counts, samples)).in_all_classes(predicted, classes).values

    return replace(function, compute=compute)


def counts_of(study: Study) -> csr_array:
    """Return all reads of the samples of a study, float64 [S, F]."""
    parts = [study.sample(row) for row in range(study.n_samples)]
    study.release()
    offsets = np.concatenate([[0], np.cumsum([len(features) for features, _ in parts])])
    features = np.concatenate([features for features, _ in parts])
    counts = np.concatenate([counts for _, counts in parts]).astype(np.float64)
    return csr_array((counts, features, offsets), shape=(study.n_samples, study.n_features))


def changed_study(study: Study, counts: csr_array, samples: np.ndarray) -> Study:
    """Return a study of changed samples, for models that read studies.

    Parameters
    ----------
    study
        The study as it is.
    counts
        Changed reads, float64 [m, F]; they are multiplied by `FINENESS` and rounded.
    samples
        The sample that each row was changed from, whose name it keeps; int64 [m].
    """
    whole = np.rint(counts.data * FINENESS).astype(np.int64)
    kept = csr_array(
        (whole, counts.indices, counts.indptr), shape=counts.shape, copy=True
    )  # zeros are removed in place
    kept.eliminate_zeros()
    kept.sort_indices()
    return replace(
        study,
        sample_ids=study.sample_ids.select(samples),
        indptr=kept.indptr.astype(np.int64),
        indices=kept.indices.astype(np.int32),
        counts=kept.data,
        rows=np.arange(len(samples)),
        depths=np.asarray(kept.sum(axis=1)).astype(np.int64),
    )
