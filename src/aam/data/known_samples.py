"""What a model keeps of its training samples, to recognise them: hashes, sketches and numbers of reads, but no counts."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from aam.data.fingerprints import SKETCH, name_keys, sequence_keys, sketch_study
from aam.data.study import Study
from aam.errors import count_of, name_some

NEAR = 0.35
"""Distance of two sketches up to which samples of one name are the same, such as before and after rarefaction."""

NEAREST, TIMES_NEARER = 0.12, 3.0
"""Distance up to which samples of any name are the same, if that to every other sample is so many times as large."""

LEAST_READS = 100
"""Reads below which a sample has too little of a composition to be found under another name."""

_PER_BLOCK = 1024  # samples whose distances are in memory

_STORED_AS = {"contents": "<u8", "names": "<u8", "reads": "<i8", "sketches": "<f2"}


@dataclass(frozen=True)
class KnownSamples:
    """Digests of N samples.

    Attributes
    ----------
    contents
        Hash of the ASVs' sequences, as far as they are read, and of their counts, uint64 [N].
    names
        Hash of the sample's name, uint64 [N].
    reads
        Number of reads, int64 [N].
    sketches
        Vector of which distances tell how alike samples are, float32 [N, `SKETCH`].
    """

    contents: np.ndarray
    names: np.ndarray
    reads: np.ndarray
    sketches: np.ndarray

    def __post_init__(self) -> None:
        """Check the shapes.

        Raises
        ------
        ValueError
            They do not fit together.
        """
        n_samples = len(self.reads)
        shapes = self.contents.shape, self.names.shape, self.reads.shape, self.sketches.shape
        if shapes != ((n_samples,), (n_samples,), (n_samples,), (n_samples, SKETCH)):
            raise ValueError("digests of training samples do not fit together")

    @classmethod
    def of(cls, study: Study) -> "KnownSamples":
        """Compute the digests of the samples of a study."""
        sketches = sketch_study(study, sequence_keys(study))
        return cls(
            sketches.fingerprints,
            name_keys(list(study.sample_ids)),
            study.depths.astype(np.int64),
            sketches.vectors,
        )

    @classmethod
    def from_stored(cls, stored: Mapping[str, str]) -> "KnownSamples":
        """Return the digests that `stored` gave.

        Raises
        ------
        KeyError, ValueError
            Some are missing, damaged or do not fit together.
        """
        arrays = {
            name: np.frombuffer(base64.b64decode(stored[name], validate=True), dtype=dtype)
            for name, dtype in _STORED_AS.items()
        }
        sketches = arrays["sketches"].astype(np.float32).reshape(-1, SKETCH)
        reads = arrays["reads"].astype(np.int64)
        return cls(arrays["contents"].astype(np.uint64), arrays["names"].astype(np.uint64), reads, sketches)

    def stored(self) -> dict[str, str]:
        """Return the digests as text for JSON, about 75 letters a sample."""
        return {
            name: base64.b64encode(np.asarray(getattr(self, name)).astype(dtype).tobytes()).decode()
            for name, dtype in _STORED_AS.items()
        }

    def find(self, study: Study) -> np.ndarray:
        """Return whether each sample of a study is one of these, bool [S].

        It is, if it has the same counts of the same ASVs, whatever its name; or nearly the same composition, as after
        rarefaction or without rare ASVs, and either the same name or no other sample that is nearly as like it.
        """
        others = KnownSamples.of(study)
        is_known = np.isin(others.contents, self.contents) & (others.reads > 0)
        order = np.argsort(self.names, kind="stable")
        place = np.minimum(np.searchsorted(self.names[order], others.names), len(order) - 1)
        same_name = order[place]
        distance = np.sqrt(np.square(others.sketches - self.sketches[same_name]).sum(axis=1))
        is_known |= (self.names[same_name] == others.names) & (distance <= NEAR)
        return is_known | ((others.reads >= LEAST_READS) & self._is_near_one(others.sketches))

    def _is_near_one(self, sketches: np.ndarray) -> np.ndarray:
        """Return whether each sketch is near that of one sample, and far from those of all others, bool [S]."""
        if len(self.reads) < 3:
            return np.zeros(len(sketches), dtype=bool)
        norms = np.square(self.sketches).sum(axis=1)
        is_near = []
        for first in range(0, len(sketches), _PER_BLOCK):
            block = sketches[first : first + _PER_BLOCK]
            squares = np.square(block).sum(axis=1)[:, None] + norms - 2 * block @ self.sketches.T
            nearest, second = np.sqrt(np.maximum(np.partition(squares, 1, axis=1)[:, :2], 0)).T
            is_near.append((nearest <= NEAREST) & (second > NEAREST) & (second >= TIMES_NEARER * nearest))
        return np.concatenate(is_near) if is_near else np.zeros(0, dtype=bool)


def known_samples_remarks(study: Study, is_known: np.ndarray, is_scored: bool) -> list[str]:
    """Return a remark if a model has been trained on some samples of a study.

    Parameters
    ----------
    study
        The samples that are predicted.
    is_known
        Whether the model was trained on each sample, bool [S].
    is_scored
        Whether the predictions are compared with the truth.
    """
    if not is_known.any():
        return []
    names = name_some([study.sample_ids[index] for index in np.flatnonzero(is_known).tolist()])
    n_known = int(is_known.sum())
    seen = f"The model was trained on {n_known:,} of {count_of(len(is_known), 'sample')} ({n_known / len(is_known):.0%}): {names}."
    if not is_scored:
        return [f"{seen} Their predictions look better than those of new samples will be."]
    rest = "says nothing of new samples" if n_known > len(is_known) / 2 else "looks better than for new samples"
    return [
        f"{seen} A score on them {rest}: score samples that the model has not seen, or see the metrics of its own run, which are "
        "of validation samples, and 'aam crossval'."
    ]
