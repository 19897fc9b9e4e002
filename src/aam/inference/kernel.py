"""A kernel head and its pre-trained encoder, as a module that is saved and loaded, and its predictions."""

import dataclasses
import logging
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import nn

from aam.batch import CATEGORY
from aam.data.study import Study
from aam.errors import ModelError
from aam.inference.description import ModelDescription
from aam.inference.network import NetworkPredictor, PredictOptions
from aam.io.metadata import Metadata
from aam.kernels.head import KernelHead
from aam.kernels.storage import head_arrays, head_info, rebuild_head
from aam.labels.covariates import NO_COVARIATES
from aam.labels.head_inputs import HeadInputs, columns_read, head_inputs_of_new_samples, warn_of_unknown_cells
from aam.labels.predictions import Predictions
from aam.labels.target import TargetState
from aam.models.sequence_encoder import SequenceEncoder
from aam.uncertainty import INTERVAL

logger = logging.getLogger(__name__)


class KernelModel(nn.Module):
    """Holds a head's arrays as buffers, so that its state is strict.

    Parameters
    ----------
    info
        What `kernel_info` gave.
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
        """Wrap a head."""
        model = cls(kernel_info(head), base_model)
        for name, array in head_arrays(head).items():
            model.get_buffer(name).copy_(torch.from_numpy(array.copy()))
        return model

    def head(self, target: TargetState) -> KernelHead:
        """Unwrap the head; what gives the vectors of samples is not set yet.

        Raises
        ------
        KeyError, ValueError
            Its parts do not fit together.
        """
        arrays: dict[str, np.ndarray] = {name: self.get_buffer(name).numpy() for name in self.info["arrays"]}
        head = rebuild_head(target, arrays, self.info)
        if (head.training.vectors is None) != (self.base_model is None):
            raise ValueError("the head and the pre-trained encoder do not fit together")
        return head


def kernel_info(head: KernelHead) -> dict[str, Any]:
    """Say what a head is beside the content of its arrays, for JSON."""
    arrays = {name: [str(array.dtype), *array.shape] for name, array in head_arrays(head).items()}
    return {**head_info(head), "has_encoder": head.training.vectors is not None, "arrays": arrays}


def to_kernel_units(target: TargetState, truth: np.ndarray, head_inputs: HeadInputs) -> np.ndarray:
    """Return what a head is fitted to: class numbers as they are, and numbers in the units in which it compares them, [S].

    A change of unit alone changes nothing for a kernel head, and is left out.
    """
    return truth if target.transform.is_linear else target.transform.to_learned(truth, head_inputs.get(CATEGORY))


def predict_in_own_units(head: KernelHead, study: Study, metadata: Metadata | None) -> Predictions:
    """Predict samples with a head, values and the ends of intervals in the column's own units.

    Parameters
    ----------
    head
        Fitted to its target in the units of `to_kernel_units`.
    study, metadata
        The samples, and the metadata that hold the categories of the target's transform, if it has any.
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


RAREFACTIONS = 3


class PretrainedVectors:
    """Gives the vectors of a study's samples; of samples that were asked for before, without reading them again.

    Samples with fewer reads than the model draws are read whole.

    Parameters
    ----------
    model, description
        The pre-trained encoder, and its rarefaction depth, token limit and seed.
    options
        How samples are read; their depth is not used.
    """

    def __init__(self, model: SequenceEncoder, description: ModelDescription, options: PredictOptions) -> None:
        self.model, self.description, self.options = model, description, options
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
            options = dataclasses.replace(self.options, depth=depth)
            total = total + NetworkPredictor(self.model, description, options).embed(study)
        return np.asarray(total) / n


class KernelPredictor:
    """Reads samples with a kernel head, as it was trained to: options of how deeply samples are read are for its encoder.

    Parameters
    ----------
    model, description
        What `load_model` returned.
    options
        How its pre-trained encoder reads.
    name
        What messages call the model: the path it was loaded from.

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
    def embedding_depth(self) -> int | None:
        """Reads drawn from each sample for the vectors of the pre-trained encoder; None for all."""
        return self._encoder.depth

    @property
    def n_dimensions(self) -> int:
        """Length of the vector of a sample.

        Raises
        ------
        ModelError
            The head has no pre-trained encoder, and so no vectors.
        """
        return self._encoder.n_dimensions

    @property
    def columns_read(self) -> tuple[str, ...]:
        """Metadata columns that are read of each sample."""
        return columns_read(self.head.target, NO_COVARIATES)

    def warn_of_unknown_cells(self, metadata: Metadata | None, study: Study) -> None:
        """Warn of cells of the metadata that are read as unknown."""
        warn_of_unknown_cells(self.head.target, NO_COVARIATES, metadata, study.sample_ids)

    def predict(self, study: Study, metadata: Metadata | None = None) -> Predictions:
        """Predict each sample's target, with intervals or sets, and what the head knows of the sample.

        Parameters
        ----------
        study
            The samples.
        metadata
            Holds the categories of the target's transform, if it has any.
        """
        is_given = {
            "--rarefy-depth": self.options.depth != "model",
            "--prediction-passes": self.options.passes > 1,
        }
        flags = " and ".join(flag for flag, given in is_given.items() if given)
        if flags:
            logger.warning("No effect on a kernel head, which reads samples as it was trained to: %s.", flags)
        return predict_in_own_units(self.head, study, metadata)

    def embed(self, study: Study) -> np.ndarray:
        """Compute the vector of each sample by the pre-trained encoder, float64 [S, D].

        Raises
        ------
        ModelError
            The head has none.
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
