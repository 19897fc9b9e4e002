"""A kernel head and its pre-trained encoder, as a module that is saved and loaded, and its predictions."""

import dataclasses
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from aam.batch import CATEGORY
from aam.data.study import Study
from aam.inference.description import ModelDescription
from aam.inference.network import NO_HEAD_INPUTS, NetworkPredictor, PredictOptions
from aam.kernels.head import KernelHead
from aam.kernels.storage import head_arrays, head_info, rebuild_head
from aam.labels.predicted import Predicted
from aam.labels.target import TargetState
from aam.models.sequence_encoder import SequenceEncoder
from aam.uncertainty import INTERVAL


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


def learned_by_kernels(target: TargetState, truth: np.ndarray, head_inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """Give what the head is fitted to: class numbers as they are, and numbers in the units in which it compares them."""
    return truth if target.transform.is_linear else target.transform.to_learned(truth, head_inputs.get(CATEGORY))


def read_from_kernels(target: TargetState, predicted: Predicted, head_inputs: Mapping[str, np.ndarray]) -> Predicted:
    """Bring what a head predicts, and the ends of its intervals, into the column's own units."""
    if target.transform.is_linear:
        return predicted
    category = head_inputs.get(CATEGORY)
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
    reading
        How; its depth is not used.
    """

    def __init__(self, model: SequenceEncoder, description: ModelDescription, reading: PredictOptions) -> None:
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
            total = total + NetworkPredictor(self.model, description, reading).sample_vectors(study)
        return np.asarray(total) / n


class KernelPredictor:
    """Reads samples with a kernel head.

    Parameters
    ----------
    model, description
        What `load_model` gave.
    options
        How its pre-trained encoder reads.

    Attributes
    ----------
    depth
        Reads drawn from each sample for the kernels; None for all.
    """

    def __init__(self, model: KernelModel, description: ModelDescription, options: PredictOptions) -> None:
        assert isinstance(description.target, TargetState), "a kernel head learns one column"
        encoder = model.base_model
        vectors = None if encoder is None else PretrainedVectors(encoder, description, options)
        self.head = dataclasses.replace(model.head(description.target), vectors=vectors)
        self.depth = None if self.head.fixed_rarefaction is None else self.head.fixed_rarefaction.depth

    def predicted(self, study: Study, head_inputs: Mapping[str, np.ndarray] = NO_HEAD_INPUTS) -> Predicted:
        """Predict each sample's target, with intervals or sets, and what the head knows of the sample.

        Parameters
        ----------
        study
            The samples.
        head_inputs
            What must be known of each beside its reads, [S], as in `NetworkPredictor.predicted`.
        """
        return read_from_kernels(self.head.target, self.head.predict(study), head_inputs)
