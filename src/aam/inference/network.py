"""Predictions and sample vectors of a trained network: each ASV is encoded once and cached on disk, then samples in batches."""

import hashlib
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from scipy.sparse import csr_array
from torch import Tensor, nn
from tqdm import tqdm

from aam.batch import Batch, Encoding, SampleEncoding, batch_input
from aam.data.batching.batches import BatchMaker, Drawing, keep_most_abundant, loader, pack, plan_in_order
from aam.data.orientation import KmerSketch
from aam.data.rarefaction import EVALUATION
from aam.data.study import Study
from aam.errors import ModelError
from aam.inference.count_function import CountFunction, changed_study
from aam.inference.description import ModelDescription
from aam.io.metadata import Metadata
from aam.labels.head_inputs import HeadInputs, columns_read, head_inputs_of_new_samples
from aam.labels.new_samples import warn_of_new_cells
from aam.labels.target import Predictions
from aam.models.asv_encoder import ASVEncoder
from aam.models.sequence_encoder import SequenceEncoder
from aam.models.sequence_predictor import SequencePredictor
from aam.storage.arrays import ArrayStore, ArrayWriter
from aam.storage.cache import Cache, digest_of

logger = logging.getLogger(__name__)

_KIND, _ARRAY = "asv-vectors", "vectors"


PASSES_SD = "passes_sd"
"""Column of the standard deviation of a number over passes."""

DTYPES = {"64-true": torch.float64, "32-true": torch.float32, "bf16-mixed": torch.float32}
"""Data type of the weights, by precision."""


def asv_vectors(encoder: ASVEncoder, study: Study, cache: Cache) -> np.ndarray:
    """Return the vector of each ASV of a study.

    The cache keeps them by the encoder's weights and the study's content, so that a second call only opens them.

    Parameters
    ----------
    encoder
        Encoder of ASVs.
    study
        The study.
    cache
        The cache.

    Returns
    -------
    np.ndarray
        Memory map of the vectors, in the precision of the encoder's weights, [F, D].
    """
    dtype, config = next(encoder.parameters()).dtype, encoder.config  # settings that the weights do not show
    is_mixed = torch.is_autocast_enabled(next(encoder.parameters()).device.type)
    settings = f"{study.tokens.max_bp} {dtype} {is_mixed} {config.attention_heads} {config.patch_size}"
    key = digest_of(study.content, settings, weights_digest(encoder))

    def build(directory: Path) -> None:
        _encode(encoder, study, directory)

    def read(directory: Path) -> np.ndarray:
        return ArrayStore(directory)[_ARRAY]

    return cache.fetch(_KIND, key, build, read, is_kept=False)


def weights_digest(module: nn.Module) -> str:
    """Return the digest of a module's weights and their names, in hexadecimal."""
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


def best_device() -> torch.device:
    """Return the GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@dataclass(frozen=True)
class PredictOptions:
    """Options of prediction.

    Attributes
    ----------
    cache
        Cache of the vectors of ASVs.
    depth
        Reads drawn from each sample; ``model`` for as many as in training, None for all.
    batch_size
        Number of samples in a batch; changes no result in double precision.
    precision
        ``64-true``, ``32-true`` or ``bf16-mixed``.
    passes
        Number of times that reads are drawn; results are means over the passes.
    """

    cache: Cache
    depth: int | Literal["model"] | None = "model"
    batch_size: int = 8
    precision: str = "64-true"
    passes: int = 1


class NetworkPredictor:
    """Predictor of a trained network or a pre-trained encoder, on the GPU if there is one.

    Parameters
    ----------
    model, description
        The model and its description, as `load_model` returns them.
    options
        Options of prediction.
    """

    def __init__(
        self, model: SequenceEncoder | SequencePredictor, description: ModelDescription, options: PredictOptions
    ) -> None:
        self.device, dtype = best_device(), DTYPES[options.precision]
        self.model = model.to(self.device, dtype).eval()
        self.base = model.base_encoder
        self.description, self.options = description, options
        depth = description.depth if options.depth == "model" else options.depth
        if depth is None and options.passes > 1:
            logger.warning("--prediction-passes has no effect where all reads are used: pass --rarefy-depth N.")
        self.n_passes = 1 if depth is None else options.passes
        self.drawing = Drawing(depth, description.token_limit, description.seed)

    @property
    def max_bp(self) -> int | None:
        """Nucleotides that are read of each sequence."""
        return self.description.model.max_bp

    @property
    def sketch(self) -> KmerSketch | None:
        """Stretches of the training sequences; None if the model was saved without."""
        return self.description.sketch

    @property
    def depth(self) -> int | None:
        """Reads drawn from each sample; None for all."""
        return self.drawing.depth

    @property
    def embedding_depth(self) -> int | None:
        """Reads drawn from each sample for its vector; None for all."""
        return self.depth

    @property
    def n_dimensions(self) -> int:
        """Length of the vector of a sample, D."""
        return self.description.model.embedding_dim

    @property
    def training_reads(self) -> np.ndarray | None:
        """Reads of each training sample, at most as many as are drawn; None if the model does not know."""
        samples = self.description.samples
        return None if samples is None else np.minimum(samples.reads, self.depth or samples.reads)

    @property
    def columns_read(self) -> tuple[str, ...]:
        """Names of the metadata columns that are read of each sample."""
        target = self.description.target
        return () if target is None else columns_read(target, self.description.covariates)

    def warn_of_unknown_cells(self, metadata: Metadata | None, study: Study) -> None:
        """Warn of categories and covariates in the metadata that are read as unknown.

        Raises
        ------
        MetadataError
            Columns of covariates are absent.
        """
        target = self.description.target
        if target is not None:
            warn_of_new_cells(target, self.description.covariates, metadata, study.sample_ids)

    def predict(self, study: Study, metadata: Metadata | None = None) -> Predictions:
        """Predict each sample's target.

        Parameters
        ----------
        study
            The samples.
        metadata
            Metadata with the columns that the model reads of each sample, if it reads any.

        Returns
        -------
        Predictions
            Values [S] or [S, K] in the target's own units, or class probabilities [S, C], and further columns.

        Raises
        ------
        ModelError
            The model has no target.
        MetadataError
            Columns of covariates are absent.
        """
        return self.predict_with_vectors(study, metadata)[0]

    def predict_with_vectors(self, study: Study, metadata: Metadata | None = None) -> tuple[Predictions, np.ndarray]:
        """Return what `predict` returns, and the vector of each sample, float64 [S, D], from one pass over the samples."""
        model, head_inputs = self._with_head_inputs(study, metadata)
        results = [self._predict(model, study, head_inputs, number) for number in range(self.n_passes)]
        passes = [predicted for predicted, _ in results]
        values = np.stack([predicted.values for predicted in passes])
        columns = {
            name: np.mean(np.stack([np.asarray(predicted.columns[name]) for predicted in passes]), axis=0)
            for name in passes[0].columns
        }
        if len(passes) > 1:
            spread = values.std(axis=0, ddof=1).reshape(study.n_samples, -1)
            columns |= {f"{PASSES_SD}{suffix}": spread[:, k] for k, suffix in enumerate(model.target.suffixes)}
        return Predictions(values.mean(axis=0), columns), np.mean([vectors for _, vectors in results], axis=0)

    def embed(self, study: Study) -> np.ndarray:
        """Compute the vector of each sample, float64 [S, D]."""
        passes = (
            _stack(samples.sample_vectors for _, samples in self._read(study, "embed", number, {}))
            for number in range(self.n_passes)
        )
        return np.mean(list(passes), axis=0)

    def as_function(self, study: Study, metadata: Metadata | None = None) -> CountFunction:
        """Return the predictions of a study's samples as a function of their reads, as `Predictor.as_function`."""
        model, head_inputs = self._with_head_inputs(study, metadata)
        vectors = self.asv_vectors(study)

        def compute(counts: csr_array, samples: np.ndarray) -> np.ndarray:
            of_samples = {name: values[samples] for name, values in head_inputs.items()}
            maker = self._whole(changed_study(study, counts, samples), of_samples, vectors)
            values = [
                model.target.in_own_units(self.outputs(batch, encoded), batch)
                for batch, encoded in self._encode(maker, len(samples), None, 0)
            ]
            return _stack(values)

        return CountFunction(self._drawn_counts(study), np.ones(study.n_features, dtype=bool), compute)

    def asv_vectors(self, study: Study) -> np.ndarray:
        """Return the vector of each ASV of a study, [F, D], as the function `asv_vectors`."""
        with self.arithmetic():
            return asv_vectors(self.base.asv_encoder, study, self.options.cache)

    def drawn(self, study: Study) -> Study:
        """Return a study of the reads that `as_function` draws of each sample, and of as many nucleotides as are read."""
        study = study.cut(self.description.model.max_bp)
        return changed_study(study, self._drawn_counts(study), np.arange(study.n_samples))

    def batches(self, study: Study, head_inputs: HeadInputs | None = None) -> Iterator[Batch]:
        """Yield the samples of a study in batches, with all their reads, for `encode` and `outputs`, also with gradients.

        Parameters
        ----------
        study
            The samples, as `drawn` returns them.
        head_inputs
            What `outputs` reads of the metadata, as `head_inputs` returns it; None where only ASVs are read.
        """
        maker = self._whole(study, head_inputs or {}, self.asv_vectors(study))
        for batch in loader(maker, plan_in_order(np.arange(study.n_samples), self.options.batch_size)):
            yield batch.to(self.device)

    def head_inputs(self, study: Study, metadata: Metadata | None) -> HeadInputs:
        """Return what the target's head reads of the samples beside their ASVs, as `predict`."""
        return self._with_head_inputs(study, metadata)[1]

    def encode(self, batch: Batch) -> SampleEncoding:
        """Encode the samples of a batch."""
        with self.arithmetic():
            return self.base.encode_samples(self.base.asv_vectors(batch), batch)

    def outputs(self, batch: Batch, samples: SampleEncoding) -> Float[Tensor, "B C"]:
        """Compute the outputs of the target's head from encoded samples, [B, C]."""
        model = self.model
        assert isinstance(model, SequencePredictor), "a model without a target has no outputs"
        features = model.target_features(samples, batch)
        return model.target(Encoding(samples, target_features=features), batch)  # type: ignore[no-any-return]

    def _whole(self, study: Study, head_inputs: HeadInputs, vectors: np.ndarray) -> BatchMaker:
        targets = {name: batch_input(values) for name, values in head_inputs.items()}
        return BatchMaker(study, replace(self.drawing, depth=None), targets=targets, asv_vectors=vectors)

    def _drawn_counts(self, study: Study) -> csr_array:
        """Return the reads that are drawn of each sample, all of one with fewer, and kept by the limit of ASVs; float64 [S, F]."""
        whole, depth = replace(self.drawing, depth=None), self.drawing.depth or 0
        drawings = [whole if reads < depth else self.drawing for reads in study.depths.tolist()]
        drawn = [drawing.draw(study, index, EVALUATION) for index, drawing in enumerate(drawings)]
        study.release()
        kept = keep_most_abundant(pack(drawn, range(study.n_samples)), self.drawing.token_limit)
        cells = (kept.counts.astype(np.float64), kept.features, kept.sample_offsets)
        return csr_array(cells, shape=(study.n_samples, study.n_features))

    def _with_head_inputs(self, study: Study, metadata: Metadata | None) -> tuple[SequencePredictor, HeadInputs]:
        """Return the model, which must have a target, and what its head reads of the samples beside their ASVs."""
        model, target = self.model, self.description.target
        if target is None:
            raise ModelError(
                "This is a pre-trained encoder without a target: fine-tune it with 'aam train --pretrained'."
            )
        assert isinstance(model, SequencePredictor), "what has a target has a head for it"
        return model, head_inputs_of_new_samples(target, self.description.covariates, metadata, study.sample_ids)

    def _predict(
        self, model: SequencePredictor, study: Study, head_inputs: HeadInputs, number: int
    ) -> tuple[Predictions, np.ndarray]:
        values, columns, vectors = [], [], []
        for batch, samples in self._read(study, "predict", number, head_inputs):
            outputs = self.outputs(batch, samples)
            values.append(model.target.in_own_units(outputs, batch))
            columns.append(model.target.extra_columns(outputs, batch))
            vectors.append(samples.sample_vectors)
        extra: dict[str, np.ndarray | list[str]] = {
            name: _stack([of_batch[name] for of_batch in columns]) for name in columns[0]
        }
        return Predictions(_stack(values), extra), _stack(vectors)

    def _read(
        self, study: Study, label: str, number: int, head_inputs: HeadInputs
    ) -> Iterator[tuple[Batch, SampleEncoding]]:
        """Yield each batch of a pass and the encoding of its samples; ``label`` is what the progress bar shows."""
        targets = {name: batch_input(values) for name, values in head_inputs.items()}
        maker = BatchMaker(study, self.drawing, targets=targets, asv_vectors=self.asv_vectors(study))
        return self._encode(maker, study.n_samples, label, number)

    def _encode(
        self, maker: BatchMaker, n_samples: int, label: str | None, number: int
    ) -> Iterator[tuple[Batch, SampleEncoding]]:
        """Yield each batch and the encoding of its samples, with a progress bar if it has a ``label``."""
        plans = plan_in_order(np.arange(n_samples), self.options.batch_size, number)
        hides_bar = None if label else True
        with torch.inference_mode():
            for batch in tqdm(loader(maker, plans), desc=label, unit="batch", disable=hides_bar):
                moved = batch.to(self.device)
                yield moved, self.encode(moved)

    def arithmetic(self) -> torch.autocast:
        """Return the context of mixed precision, which does nothing in another one."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.options.precision == "bf16-mixed")


def _stack(tensors: Iterable[Tensor]) -> np.ndarray:
    return torch.cat([tensor.double().cpu() for tensor in tensors]).numpy()
