"""Sample vectors of a pre-trained model, averaged over a few rarefactions and remembered."""

import dataclasses

import numpy as np

from aam.data.study import Study
from aam.inference.model_description import ModelDescription
from aam.inference.read_samples import Reading, SampleReader
from aam.models.sequence_encoder import SequenceEncoder

RAREFACTIONS = 3


class PretrainedVectors:
    """Gives the vectors of a study's samples; of samples that were asked for before, without reading them again.

    Samples with fewer reads than the model draws are read whole.

    Parameters
    ----------
    model, description
        The pre-trained encoder, and its rarefaction depth, token limit and seed.
    reading
        How; its depth is not used.
    """

    def __init__(self, model: SequenceEncoder, description: ModelDescription, reading: Reading) -> None:
        self.model, self.description, self.reading = model, description, reading
        self._known: dict[tuple[str, str], np.ndarray] = {}

    def __call__(self, study: Study) -> np.ndarray:
        """Give the vectors of all samples of a study, float64 [S, D]; the model reads as many nucleotides as it was trained on."""
        study = study.cut(self.description.model.max_bp)
        keys = [(study.content, sample) for sample in study.sample_ids]
        rows = np.array([row for row, key in enumerate(keys) if key not in self._known], dtype=np.int64)
        depth = self.description.depth
        is_deep = np.zeros(len(rows), dtype=bool) if depth is None else study.depths[rows] > depth
        for part, drawn, n in ((rows[is_deep], depth, RAREFACTIONS), (rows[~is_deep], None, 1)):
            if len(part):
                found = self._read(study.select_samples(part), drawn, n)
                self._known |= {keys[row]: vector for row, vector in zip(part, found, strict=True)}
        return np.stack([self._known[key] for key in keys])

    def _read(self, study: Study, depth: int | None, n: int) -> np.ndarray:
        total = 0.0
        for draw in range(n):
            description = dataclasses.replace(self.description, seed=self.description.seed + draw)
            reading = dataclasses.replace(self.reading, depth=depth)
            total = total + SampleReader(self.model, description, reading).sample_vectors(study)
        return np.asarray(total) / n
