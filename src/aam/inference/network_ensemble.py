"""Networks that were each trained without one part of the samples, as a module that holds what new samples are compared with."""

from typing import Any

import numpy as np
import torch
from scipy.spatial.distance import cdist
from torch import nn

from aam.models.sequence_predictor import SequencePredictor

_BLOCK = 512  # samples compared at a time


class NetworkEnsemble(nn.Module):
    """Holds the vectors of each member's training samples as buffers; the members have model directories of their own.

    Parameters
    ----------
    facts
        ``vectors``: the shape of each member's; ``calibration``: the fields of `EnsembleCalibration`; ``weights``: the digest of
        each member's weights.
    """

    def __init__(self, facts: dict[str, Any]) -> None:
        super().__init__()
        self.facts = facts
        self.members: tuple[SequencePredictor, ...] = ()
        for number, shape in enumerate(facts["vectors"]):
            self.register_buffer(f"vectors_{number + 1}", torch.zeros(shape))

    @classmethod
    def of(
        cls, facts: dict[str, Any], members: list[SequencePredictor], vectors: list[np.ndarray]
    ) -> "NetworkEnsemble":
        """Bring trained members and the vectors of their training samples, [n, D] each, together."""
        model = cls({**facts, "vectors": [list(each.shape) for each in vectors]})
        for number, each in enumerate(vectors):
            model.get_buffer(f"vectors_{number + 1}").copy_(torch.from_numpy(each))
        model.members = tuple(members)
        return model

    def distances(self, number: int, vectors: np.ndarray) -> np.ndarray:
        """Give the distance of samples, by their vectors [S, D], to the nearest training sample of a member, [S]."""
        return nearest(vectors, self.get_buffer(f"vectors_{number + 1}").double().cpu().numpy())


def nearest(vectors: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Give the distance of each vector to the nearest of others, [S]."""
    blocks = [vectors[start : start + _BLOCK] for start in range(0, len(vectors), _BLOCK)]
    return np.concatenate([cdist(block, others).min(axis=1) for block in blocks])
