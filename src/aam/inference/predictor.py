"""What every trained model can do, whatever it is: predict samples of a study and embed them."""

from pathlib import Path
from typing import Protocol

import numpy as np

from aam.data.study import Study
from aam.errors import ModelError
from aam.inference.build import AnyModel
from aam.inference.description import ModelDescription
from aam.inference.ensemble import EnsemblePredictor, NetworkEnsemble
from aam.inference.kernel import KernelModel, KernelPredictor
from aam.inference.model_directory import load_model
from aam.inference.network import NetworkPredictor, PredictOptions
from aam.io.metadata import Metadata
from aam.labels.predictions import Predictions
from aam.labels.target import AnyTarget


class Predictor(Protocol):
    """A trained model that reads samples; nobody who has one need know which of the three classes it is.

    Attributes
    ----------
    description
        Everything about the model but its weights.
    """

    description: ModelDescription

    @property
    def depth(self) -> int | None:
        """Reads drawn from each sample to predict it; None for all."""
        ...

    @property
    def embedding_depth(self) -> int | None:
        """Reads drawn from each sample to embed it; None for all."""
        ...

    @property
    def n_dimensions(self) -> int:
        """Length of the vector of a sample; raises `ModelError` if the model has none."""
        ...

    @property
    def columns_read(self) -> tuple[str, ...]:
        """Metadata columns that are read of each sample."""
        ...

    def warn_of_unknown_cells(self, metadata: Metadata | None, study: Study) -> None:
        """Warn of cells of the metadata that are read as unknown."""
        ...

    def predict(self, study: Study, metadata: Metadata | None = None) -> Predictions:
        """Predict each sample's target; raises `MetadataError` if columns that must be given are absent."""
        ...

    def embed(self, study: Study) -> np.ndarray:
        """Compute the vector of each sample, float64 [S, D]."""
        ...


def open_predictor(path: Path, options: PredictOptions) -> Predictor:
    """Open a model directory, or the ``model/`` in a run's output directory.

    Raises
    ------
    ModelError
        There is no model, or it is damaged.
    """
    model, description = load_model(path)
    return predictor_of(model, description, options, str(path))


def predictor_of(
    model: AnyModel, description: ModelDescription, options: PredictOptions, name: str = "The model"
) -> Predictor:
    """Return what reads samples with a model in memory; ``name`` is what messages call the model."""
    if isinstance(model, KernelModel):
        return KernelPredictor(model, description, options, name)
    if isinstance(model, NetworkEnsemble):
        return EnsemblePredictor(model, description, options)
    return NetworkPredictor(model, description, options)


def target_of(predictor: Predictor, name: str) -> AnyTarget:
    """Return what a model predicts.

    Raises
    ------
    ModelError
        It is a pre-trained encoder, which predicts nothing.
    """
    target = predictor.description.target
    if target is None:
        raise ModelError(
            f"{name} is a pre-trained encoder without a target. Fine-tune it first: aam train --pretrained "
            f"{name} …, or use aam embed."
        )
    return target
