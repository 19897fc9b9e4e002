"""Samples of a study through a trained model: each ASV is encoded once, then the samples in batches."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from aam.batch import Batch
from aam.data.batches import BatchMaker, Drawing, loader, plan_in_order
from aam.data.study import Study
from aam.encoding import Encoding, SampleEncoding
from aam.errors import ModelError
from aam.inference.model_directory import ModelDescription
from aam.models.sequence_encoder import SequenceEncoder
from aam.models.sequence_predictor import SequencePredictor

DTYPES = {"64-true": torch.float64, "32-true": torch.float32}


def best_device() -> torch.device:
    """Choose the GPU if there is one that computes in double precision, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


class SampleReader:
    """Reads samples with a trained model.

    Parameters
    ----------
    model, description
        What `load_model` gave.
    depth
        Reads drawn from each sample; None for all.
    batch_size
        Samples at a time; changes no result in double precision.
    precision
        ``64-true`` or ``32-true``.
    """

    def __init__(
        self,
        model: SequenceEncoder | SequencePredictor,
        description: ModelDescription,
        depth: int | None,
        batch_size: int,
        precision: str,
    ) -> None:
        self.device, self.dtype = best_device(), DTYPES[precision]
        self.model = model.to(self.device, self.dtype).eval()
        self.base = model.base_model if isinstance(model, SequencePredictor) else model
        self.drawing = Drawing(depth, description.token_limit, description.seed)
        self.batch_size = batch_size

    def sample_vectors(self, study: Study) -> np.ndarray:
        """Give the vector of each sample, float64 [S, D]."""
        return _stack(samples.sample_vectors for _, samples in self._read(study, "embed"))

    def predict(self, study: Study) -> np.ndarray:
        """Predict each sample's target: values [S] in its own units, or class probabilities [S, C].

        Raises
        ------
        ModelError
            The model has no target.
        """
        model = self.model
        if not isinstance(model, SequencePredictor):
            raise ModelError(
                "This is a pre-trained encoder without a target: fine-tune it with 'aam train --pretrained'."
            )
        head = model.target
        outputs = (
            head.in_own_units(head(Encoding(samples, target_features=model.target_features(samples)), batch))
            for batch, samples in self._read(study, "predict")
        )
        return _stack(outputs)

    def _read(self, study: Study, label: str) -> Iterator[tuple[Batch, SampleEncoding]]:
        maker = BatchMaker(study, self.drawing)
        plans = plan_in_order(np.arange(study.n_samples), self.batch_size)
        with torch.inference_mode():
            vectors = self._asv_vectors(study)
            for batch in tqdm(loader(maker, plans), desc=label, unit="batch", disable=None):
                moved = batch.to(self.device)
                yield moved, self.base.encode_samples(vectors[moved.features], moved)

    def _asv_vectors(self, study: Study) -> Tensor:
        used = np.flatnonzero(np.bincount(study.counts.indices, minlength=len(study.feature_ids)))
        vectors = torch.zeros(
            len(study.feature_ids), self.base.config.embedding_dim, dtype=self.dtype, device=self.device
        )
        chunks = np.array_split(used, -(-len(used) // self.base.config.asv_chunk_size))
        for chunk in tqdm(chunks, desc="ASVs", unit="chunk", disable=None):
            tokens = torch.from_numpy(study.tokens[chunk].astype(np.int64)).to(self.device)
            vectors[torch.from_numpy(chunk).to(self.device)] = self.base.asv_encoder(tokens)
        return vectors


def _stack(parts: Iterator[Tensor]) -> np.ndarray:
    return torch.cat([part.double().cpu() for part in parts]).numpy()
