"""Samples of a study through a trained network: each ASV is encoded once and kept on disk, then samples in batches."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from aam.batch import Batch, Encoding, SampleEncoding, batch_input
from aam.data.batches import BatchMaker, Drawing, loader, plan_in_order
from aam.data.study import Study
from aam.errors import ModelError
from aam.inference.description import ModelDescription
from aam.labels.predicted import Predicted
from aam.models.asv_encoder import ASVEncoder
from aam.models.sequence_encoder import SequenceEncoder
from aam.models.sequence_predictor import SequencePredictor
from aam.storage.arrays import ArrayStore, ArrayWriter
from aam.storage.cache import Cache, digest_of

_KIND, _ARRAY = "asv-vectors", "vectors"


def asv_vectors(encoder: ASVEncoder, study: Study, cache: Cache) -> np.ndarray:
    """Give the vector of each feature of a study, by memory map, in the precision of the encoder's weights; [F, D].

    They are kept in the cache by the encoder's weights and the study's content, so that a second call only opens them.
    """
    dtype, shape = next(encoder.parameters()).dtype, encoder.config  # what does not show in the weights
    is_mixed = torch.is_autocast_enabled(next(encoder.parameters()).device.type)
    settings = f"{study.tokens.max_bp} {dtype} {is_mixed} {shape.attention_heads} {shape.patch_size}"
    key = digest_of(study.content, settings, weights_digest(encoder))

    def build(directory: Path) -> None:
        _encode(encoder, study, directory)

    def read(directory: Path) -> np.ndarray:
        return ArrayStore(directory)[_ARRAY]

    return cache.fetch(_KIND, key, build, read)


def weights_digest(module: nn.Module) -> str:
    """Hash a module's weights and their names."""
    content = hashlib.blake2b(digest_size=16)
    for name, tensor in module.state_dict().items():
        content.update(name.encode())
        content.update(tensor.detach().cpu().flatten().view(torch.uint8).numpy().tobytes())
    return content.hexdigest()


def _encode(encoder: ASVEncoder, study: Study, directory: Path) -> None:
    weights = next(encoder.parameters())
    size = encoder.config.asv_chunk_size
    chunks = range(0, len(study.feature_ids), size)
    with ArrayWriter(directory) as writer, torch.inference_mode():
        for start in tqdm(chunks, desc="ASVs", unit="chunk", disable=None):
            features = np.arange(start, min(start + size, len(study.feature_ids)))
            tokens = torch.from_numpy(study.tokens[features].astype(np.int64)).to(weights.device)
            writer.append(_ARRAY, encoder(tokens).to(weights.dtype).cpu().numpy())
            study.release()
        writer.finish({})


PASSES_SD = "passes_sd"
"""Column of the standard deviation of a number over passes."""

NO_HEAD_INPUTS: Mapping[str, np.ndarray] = {}

DTYPES = {"64-true": torch.float64, "32-true": torch.float32, "bf16-mixed": torch.float32}
"""Of the weights, by precision."""


def best_device() -> torch.device:
    """Choose the GPU if there is one that computes in double precision, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@dataclass(frozen=True)
class PredictOptions:
    """How samples are read.

    Attributes
    ----------
    depth
        Reads drawn from each sample; None for all.
    cache
        Where the vectors of ASVs are kept.
    batch_size
        Samples at a time; changes no result in double precision.
    precision
        ``64-true``, ``32-true`` or ``bf16-mixed``.
    passes
        Times that reads are drawn anew; results are means.
    """

    depth: int | None
    cache: Cache
    batch_size: int = 8
    precision: str = "64-true"
    passes: int = 1


class NetworkPredictor:
    """Reads samples with a trained model, on the GPU if there is one.

    Parameters
    ----------
    model, description
        What `load_model` gave.
    options
        How.
    """

    def __init__(
        self, model: SequenceEncoder | SequencePredictor, description: ModelDescription, options: PredictOptions
    ) -> None:
        self.device, dtype = best_device(), DTYPES[options.precision]
        self.model = model.to(self.device, dtype).eval()
        self.base = model.base_model if isinstance(model, SequencePredictor) else model
        self.drawing = Drawing(options.depth, description.token_limit, description.seed)
        self.options = options

    @property
    def depth(self) -> int | None:
        """Reads drawn from each sample; None for all."""
        return self.drawing.depth

    def predicted(self, study: Study, head_inputs: Mapping[str, np.ndarray] = NO_HEAD_INPUTS) -> Predicted:
        """Predict each sample's target: values [S] or [S, K] in own units, or class probabilities [S, C], and further columns.

        Parameters
        ----------
        study
            The samples.
        head_inputs
            What the head must know of each beside its reads, [S], by the name that batches give it.

        Raises
        ------
        ModelError
            The model has no target.
        """
        return self.predicted_with_vectors(study, head_inputs)[0]

    def predicted_with_vectors(
        self, study: Study, head_inputs: Mapping[str, np.ndarray] = NO_HEAD_INPUTS
    ) -> tuple[Predicted, np.ndarray]:
        """Give what `predicted` and `sample_vectors` do, and read the samples once."""
        model = self.model
        if not isinstance(model, SequencePredictor):
            raise ModelError(
                "This is a pre-trained encoder without a target: fine-tune it with 'aam train --pretrained'."
            )
        read = [self._predict(model, study, head_inputs, number) for number in range(self.options.passes)]
        passes = [predicted for predicted, _ in read]
        values = np.stack([one.values for one in passes])
        columns = {
            name: np.mean(np.stack([np.asarray(one.columns[name]) for one in passes]), axis=0)
            for name in passes[0].columns
        }
        if len(passes) > 1:
            spread = values.std(axis=0, ddof=1).reshape(study.n_samples, -1)
            columns |= {f"{PASSES_SD}{suffix}": spread[:, place] for place, suffix in enumerate(model.target.suffixes)}
        return Predicted(values.mean(axis=0), columns), np.mean([vectors for _, vectors in read], axis=0)

    def _predict(
        self, model: SequencePredictor, study: Study, head_inputs: Mapping[str, np.ndarray], number: int
    ) -> tuple[Predicted, np.ndarray]:
        values, columns, vectors = [], [], []
        for batch, samples in self._read(study, "predict", number, head_inputs):
            features = model.target_features(samples, batch)
            outputs = model.target(Encoding(samples, target_features=features), batch)
            values.append(model.target.in_own_units(outputs, batch))
            columns.append(model.target.extra_columns(outputs, batch))
            vectors.append(samples.sample_vectors)
        further: dict[str, np.ndarray | list[str]] = {
            name: _stack([part[name] for part in columns]) for name in columns[0]
        }
        return Predicted(_stack(values), further), _stack(vectors)

    def predict(self, study: Study, head_inputs: Mapping[str, np.ndarray] = NO_HEAD_INPUTS) -> np.ndarray:
        """Give the values or probabilities alone of what is `predicted`."""
        return self.predicted(study, head_inputs).values

    def sample_vectors(self, study: Study) -> np.ndarray:
        """Give the vector of each sample, float64 [S, D]."""
        passes = (
            _stack(samples.sample_vectors for _, samples in self._read(study, "embed", number))
            for number in range(self.options.passes)
        )
        return np.mean(list(passes), axis=0)

    def _read(
        self, study: Study, label: str, number: int, head_inputs: Mapping[str, np.ndarray] = NO_HEAD_INPUTS
    ) -> Iterator[tuple[Batch, SampleEncoding]]:
        with self._arithmetic():
            vectors = asv_vectors(self.base.asv_encoder, study, self.options.cache)
        targets = {name: batch_input(values) for name, values in head_inputs.items()}
        maker = BatchMaker(study, self.drawing, targets=targets, asv_vectors=vectors)
        plans = plan_in_order(np.arange(study.n_samples), self.options.batch_size, number)
        with torch.inference_mode():
            for batch in tqdm(loader(maker, plans), desc=label, unit="batch", disable=None):
                moved = batch.to(self.device)
                with self._arithmetic():
                    samples = self.base.encode_samples(self.base.asv_vectors(moved), moved)
                yield moved, samples

    def _arithmetic(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.options.precision == "bf16-mixed")


def _stack(parts: Iterable[Tensor]) -> np.ndarray:
    return torch.cat([part.double().cpu() for part in parts]).numpy()
