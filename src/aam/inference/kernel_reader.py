"""Predictions of a kernel head, the way a network's are read."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from aam.data.predicted import Predicted
from aam.data.study import Study
from aam.data.target import TargetState
from aam.inference.kernel_model import KernelModel
from aam.inference.kernel_units import read_from_kernels
from aam.inference.model_description import ModelDescription
from aam.inference.pretrained_vectors import PretrainedVectors
from aam.inference.read_samples import NO_FACTS, Reading


class KernelReader:
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

    def __init__(self, model: KernelModel, description: ModelDescription, options: Reading) -> None:
        assert isinstance(description.target, TargetState), "a kernel head learns one column"
        encoder = model.base_model
        vectors = None if encoder is None else PretrainedVectors(encoder, description, options)
        self.head = dataclasses.replace(model.head(description.target), vectors=vectors)
        self.depth = None if self.head.equal_depth is None else self.head.equal_depth.depth

    def predicted(self, study: Study, facts: Mapping[str, np.ndarray] = NO_FACTS) -> Predicted:
        """Predict each sample's target, with intervals or sets, and what the head knows of the sample.

        Parameters
        ----------
        study
            The samples.
        facts
            What must be known of each beside its reads, [S], as in `SampleReader.predicted`.
        """
        return read_from_kernels(self.head.target, self.head.predict(study), facts)
