"""The kernel head: the module that is saved and loaded, and its predictor."""

import dataclasses
import logging
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import nn

from aam.batch import CATEGORY
from aam.data.kmers import Sequences
from aam.data.orientation import KmerSketch
from aam.data.rarefaction import rarefy_once
from aam.data.study import Study
from aam.errors import ModelError
from aam.inference.count_function import CountFunction, changed_study, counts_of
from aam.inference.description import ModelDescription
from aam.inference.network import NetworkPredictor, PredictOptions
from aam.io.metadata import Metadata
from aam.kernels.features import Samples
from aam.kernels.head import BLOCK, KernelHead
from aam.kernels.storage import head_arrays, head_info, rebuild_head
from aam.labels.covariates import NO_COVARIATES
from aam.labels.head_inputs import HeadInputs, columns_read, head_inputs_of_new_samples
from aam.labels.new_samples import warn_of_new_cells
from aam.labels.target import Predictions, TargetState
from aam.models.sequence_encoder import SequenceEncoder
from aam.uncertainty import INTERVAL

logger = logging.getLogger(__name__)


class KernelModel(nn.Module):
    """Module that holds the arrays of a kernel head as buffers, so that loading its state is strict.

    Parameters
    ----------
    info
        Description of the head (`kernel_info`).
    base_model
        The pre-trained encoder; None for a head without one.
    """

    def __init__(self, info: dict[str, Any], base_model: SequenceEncoder | None) -> None:
        super().__init__()
        self.info, self.base_model = info, base_model
        for name, (dtype, *shape) in info["arrays"].items():
            self.register_buffer(name, torch.zeros(shape, dtype=getattr(torch, dtype)))

    @property
    def base_encoder(self) -> SequenceEncoder | None:
        """The pre-trained encoder, if the head has one."""
        return self.base_model

    @classmethod
    def of(cls, head: KernelHead, base_model: SequenceEncoder | None) -> "KernelModel":
        """Build the module of a fitted head and its pre-trained encoder."""
        model = cls(kernel_info(head), base_model)
        for name, array in head_arrays(head).items():
            model.get_buffer(name).copy_(torch.from_numpy(array.copy()))
        return model

    def head(self, target: TargetState) -> KernelHead:
        """Return the kernel head for a target, without the function that computes the vectors of samples.

        Raises
        ------
        KeyError, ValueError
            Arrays, description and encoder do not fit together.
        """
        arrays: dict[str, np.ndarray] = {name: self.get_buffer(name).numpy() for name in self.info["arrays"]}
        head = rebuild_head(target, arrays, self.info)
        if (head.training.vectors is None) != (self.base_model is None):
            raise ValueError("the head and the pre-trained encoder do not fit together")
        return head


def kernel_info(head: KernelHead) -> dict[str, Any]:
    """Return the description of a head as plain values for JSON: all but the content of its arrays."""
    arrays = {name: [str(array.dtype), *array.shape] for name, array in head_arrays(head).items()}
    return {**head_info(head), "has_encoder": head.training.vectors is not None, "arrays": arrays}


def to_kernel_units(target: TargetState, truth: np.ndarray, head_inputs: HeadInputs) -> np.ndarray:
    """Return the truth in the units that a kernel head is fitted in.

    Linear transforms do not matter to a kernel head, and are left out.

    Parameters
    ----------
    target
        The target, with its transform.
    truth
        Values in own units, or class numbers, [S].
    head_inputs
        Categories that the transform depends on, if it depends on any.

    Returns
    -------
    np.ndarray
        Transformed values, or the class numbers, [S].
    """
    return truth if target.transform.is_linear else target.transform.to_learned(truth, head_inputs.get(CATEGORY))


def predict_in_own_units(head: KernelHead, study: Study, metadata: Metadata | None) -> Predictions:
    """Predict samples with a kernel head, with values and the ends of intervals in the column's own units.

    Parameters
    ----------
    head
        The head, fitted in the units of `to_kernel_units`.
    study, metadata
        The samples, and the metadata that hold the categories of the target's transform, if it has any.

    Returns
    -------
    Predictions
        Values [S] in own units, or class probabilities [S, C], and further columns.
    """
    target, predicted = head.target, head.predict(study)
    if target.transform.is_linear:
        return predicted
    category = head_inputs_of_new_samples(target, NO_COVARIATES, metadata, study.sample_ids).get(CATEGORY)
    values, *ends = (
        target.transform.to_own(np.asarray(learned), category)
        for learned in (predicted.values, *(predicted.columns[name] for name in INTERVAL))
    )
    return replace(predicted, values=values, columns={**predicted.columns, **dict(zip(INTERVAL, ends, strict=True))})


def head_function(head: KernelHead, study: Study, metadata: Metadata | None) -> CountFunction:
    """Return the predictions of a kernel head as a function of reads, as `Predictor.as_function`.

    The vectors of a pre-trained encoder, if the head has one, are those of all reads, not of rarefactions.
    """
    number = head.known.find(study)
    study = rarefy_once(study, head.fixed_rarefaction)
    is_known = number >= 0
    cells = (np.ones(int(is_known.sum())), (np.flatnonzero(is_known), number[is_known]))
    to_known = csr_array(cells, shape=(study.n_features, len(head.known)))
    category = head_inputs_of_new_samples(head.target, NO_COVARIATES, metadata, study.sample_ids).get(CATEGORY)
    vectors, transform = head.vectors, head.target.transform

    def compute(counts: csr_array, samples: np.ndarray) -> np.ndarray:
        parts = []
        for start in range(0, len(samples), BLOCK):
            block, of_samples = counts[start : start + BLOCK], samples[start : start + BLOCK]
            of_model = None if vectors is None else vectors.of_changed(changed_study(study, block, of_samples))
            values = head.values(head.outputs(Samples((block @ to_known).toarray(), of_model)))
            if head.target.task == "regression" and not transform.is_linear:
                values = transform.to_own(values, None if category is None else category[of_samples])
            parts.append(values)
        return np.concatenate(parts)

    is_read = np.ones(study.n_features, dtype=bool) if vectors is not None else is_known
    known_tree = None if head.phylogeny is None else (head.phylogeny, number)
    return CountFunction(counts_of(study), is_read, compute, known_tree)


RAREFACTIONS = 3
"""Number of rarefactions of a sample whose vectors are averaged."""


class PretrainedVectors:
    """Function that computes the vectors of samples with a pre-trained encoder, and remembers them.

    Samples with fewer reads than the encoder's rarefaction depth are read whole.

    Parameters
    ----------
    model, description
        The pre-trained encoder, and its description, which has the rarefaction depth, the token limit and the seed.
    options
        Options of prediction; their depth is not used.
    """

    def __init__(self, model: SequenceEncoder, description: ModelDescription, options: PredictOptions) -> None:
        self.model, self.description, self.options = model, description, options
        self._vectors: dict[tuple[str, str], np.ndarray] = {}  # by study and sample

    def __call__(self, study: Study) -> np.ndarray:
        """Return the vectors of all samples of a study, float64 [S, D]; sequences are cut to the length of pre-training."""
        study = study.cut(self.description.model.max_bp)
        keys = [(study.content, sample) for sample in study.sample_ids]
        new = np.array([index for index, key in enumerate(keys) if key not in self._vectors], dtype=np.int64)
        depth = self.description.depth
        is_deep = np.zeros(len(new), dtype=bool) if depth is None else study.depths[new] > depth
        for indices, drawn, n in ((new[is_deep], depth, RAREFACTIONS), (new[~is_deep], None, 1)):
            if len(indices):
                vectors = self._embed(study.select_samples(indices), drawn, n)
                self._vectors |= {keys[index]: vector for index, vector in zip(indices, vectors, strict=True)}
        return np.stack([self._vectors[key] for key in keys])

    def of_changed(self, study: Study) -> np.ndarray:
        """Compute the vectors of samples that were changed, of all their reads and without remembering them, float64 [S, D]."""
        return self._embed(study.cut(self.description.model.max_bp), None, 1)

    def _embed(self, study: Study, depth: int | None, n: int) -> np.ndarray:
        """Return the mean vectors over ``n`` rarefactions to a depth, float64 [S, D]."""
        total = 0.0
        for draw in range(n):
            description = dataclasses.replace(self.description, seed=self.description.seed + draw)
            options = dataclasses.replace(self.options, depth=depth)
            total = total + NetworkPredictor(self.model, description, options).embed(study)
        return np.asarray(total) / n


class KernelPredictor:
    """Predictor of a kernel head.

    The head predicts from as many reads as it was trained on; the depth and the passes of the options are for its vectors of
    samples.

    Parameters
    ----------
    model, description
        The model and its description, as `load_model` returns them.
    options
        Options of prediction, for the pre-trained encoder.
    name
        Name of the model in messages, such as the path it was loaded from.

    Attributes
    ----------
    depth
        Reads drawn from each sample for the kernels; None for all.
    """

    def __init__(
        self, model: KernelModel, description: ModelDescription, options: PredictOptions, name: str = "The model"
    ) -> None:
        assert isinstance(description.target, TargetState), "a kernel head learns one column"
        self.model, self.description, self.options, self.name = model, description, options, name
        as_trained = replace(options, depth="model", passes=1)
        encoder = model.base_model
        vectors = None if encoder is None else PretrainedVectors(encoder, description, as_trained)
        self.head = replace(model.head(description.target), vectors=vectors)
        self.depth = None if self.head.fixed_rarefaction is None else self.head.fixed_rarefaction.depth

    @property
    def max_bp(self) -> int | None:
        """None: sequences are read whole."""
        return None

    @property
    def sketch(self) -> KmerSketch | None:
        """Stretches of the sequences that the head knows."""
        known = self.head.known
        return KmerSketch.of_sequences(Sequences(known.letters, known.offsets))

    @property
    def embedding_depth(self) -> int | None:
        """Reads drawn from each sample for the vectors of the pre-trained encoder; None for all."""
        return self._encoder.depth

    @property
    def n_dimensions(self) -> int:
        """Length of the vector of a sample, D.

        Raises
        ------
        ModelError
            The head has no pre-trained encoder, and so no vectors.
        """
        return self._encoder.n_dimensions

    @property
    def training_reads(self) -> np.ndarray | None:
        """Reads of ASVs that the head knows in each training sample."""
        return self.head.training_reads

    @property
    def columns_read(self) -> tuple[str, ...]:
        """Names of the metadata columns that are read of each sample."""
        return columns_read(self.head.target, NO_COVARIATES)

    def warn_of_unknown_cells(self, metadata: Metadata | None, study: Study) -> None:
        """Warn of categories in the metadata that are read as unknown."""
        warn_of_new_cells(self.head.target, NO_COVARIATES, metadata, study.sample_ids)

    def predict(self, study: Study, metadata: Metadata | None = None) -> Predictions:
        """Predict each sample's target, with intervals or sets and the head's statistics of the sample.

        Parameters
        ----------
        study
            The samples.
        metadata
            Metadata with the categories of the target's transform, if it has any.

        Returns
        -------
        Predictions
            Values [S] in own units, or class probabilities [S, C], and further columns.
        """
        is_passed = {
            "--rarefy-depth": self.options.depth != "model",
            "--prediction-passes": self.options.passes > 1,
        }
        flags = " and ".join(flag for flag, is_used in is_passed.items() if is_used)
        if flags:
            logger.warning("No effect on a kernel head, which reads samples as it was trained to: %s.", flags)
        return predict_in_own_units(self.head, study, metadata)

    def as_function(self, study: Study, metadata: Metadata | None = None) -> CountFunction:
        """Return the predictions of a study's samples as a function of their reads, as `Predictor.as_function`."""
        return head_function(self.head, study, metadata)

    def embed(self, study: Study) -> np.ndarray:
        """Compute the vector of each sample by the pre-trained encoder, float64 [S, D].

        Raises
        ------
        ModelError
            The head has no pre-trained encoder.
        """
        return self._encoder.embed(study)

    @cached_property
    def _encoder(self) -> NetworkPredictor:
        if self.model.base_model is None:
            raise ModelError(
                f"{self.name} is a kernel head without a pre-trained encoder, and has no vectors of samples. Pass the --output-dir "
                "of 'aam pretrain', or of an 'aam train' with --pretrained."
            )
        return NetworkPredictor(self.model.base_model, self.description, self.options)
