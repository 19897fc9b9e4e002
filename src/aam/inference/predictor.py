"""One interface of all trained models: predict samples of a study and embed them."""

from pathlib import Path
from typing import Protocol

import numpy as np

from aam.data.orientation import KmerSketch
from aam.data.study import Study
from aam.errors import ModelError
from aam.inference.build import AnyModel
from aam.inference.count_function import CountFunction
from aam.inference.description import ModelDescription
from aam.inference.ensemble import NetworkEnsemble
from aam.inference.ensemble_predictor import EnsemblePredictor
from aam.inference.kernel import KernelModel, KernelPredictor
from aam.inference.model_directory import load_model
from aam.inference.network import NetworkPredictor, PredictOptions
from aam.io.metadata import Metadata
from aam.labels.target import AnyTarget, Predictions


class Predictor(Protocol):
    """A trained model that predicts and embeds samples; callers need not know which of the three classes it is.

    Attributes
    ----------
    description
        Everything about the model but its weights.
    """

    description: ModelDescription

    @property
    def max_bp(self) -> int | None:
        """Nucleotides that are read of each sequence; None for all."""
        ...

    @property
    def sketch(self) -> KmerSketch | None:
        """Stretches of the training sequences; None if the model was saved without."""
        ...

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
        """Length of the vector of a sample, D; raises `ModelError` if the model has no vectors."""
        ...

    @property
    def training_reads(self) -> np.ndarray | None:
        """Reads of each training sample, as far as they are used; None if the model does not know."""
        ...

    @property
    def columns_read(self) -> tuple[str, ...]:
        """Names of the metadata columns that are read of each sample."""
        ...

    def warn_of_unknown_cells(self, metadata: Metadata | None, study: Study) -> None:
        """Warn of categories and covariates in the metadata that are read as unknown."""
        ...

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
        ...

    def as_function(self, study: Study, metadata: Metadata | None = None) -> CountFunction:
        """Return the predictions of a study's samples as a function of their reads.

        Parameters
        ----------
        study
            The samples.
        metadata
            Metadata with the columns that the model reads of each sample, if it reads any.

        Returns
        -------
        CountFunction
            Function of the reads that the model reads of each sample: rarefaction is drawn once, before reads are changed.

        Raises
        ------
        ModelError
            The model has no target.
        MetadataError
            Columns of covariates are absent.
        """
        ...

    def embed(self, study: Study) -> np.ndarray:
        """Compute the vector of each sample, float64 [S, D]; raises `ModelError` if the model has no vectors."""
        ...


def open_predictor(path: Path, options: PredictOptions) -> Predictor:
    """Load a model and return its predictor.

    Parameters
    ----------
    path
        Model directory, or the output directory of a run, which has it in ``model/``.
    options
        Options of prediction.

    Returns
    -------
    Predictor
        The predictor of the model.

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
    """Return the predictor of a model in memory, which it may move and change; ``name`` is its name in messages."""
    if isinstance(model, KernelModel):
        return KernelPredictor(model, description, options, name)
    if isinstance(model, NetworkEnsemble):
        return EnsemblePredictor(model, description, options)
    return NetworkPredictor(model, description, options)


def target_of(predictor: Predictor, name: str) -> AnyTarget:
    """Return the target that a model predicts.

    Parameters
    ----------
    predictor
        Predictor of the model.
    name
        Name of the model in messages, such as its path.

    Returns
    -------
    AnyTarget
        The target.

    Raises
    ------
    ModelError
        The model is a pre-trained encoder, which predicts nothing.
    """
    target = predictor.description.target
    if target is None:
        raise ModelError(
            f"{name} is a pre-trained encoder without a target. Fine-tune it first: aam train --pretrained "
            f"{name} …, or use aam embed."
        )
    return target
