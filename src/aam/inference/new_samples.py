"""The samples that a model is asked about: those it was trained on, those of few reads, and those that are blanks by name."""

import logging

import numpy as np

from aam.data.control_names import control_remarks
from aam.data.few_reads import new_few_reads_remarks
from aam.data.known_samples import KnownSamples, known_samples_remarks
from aam.data.study import Study
from aam.inference.description import ModelDescription
from aam.inference.predictor import Predictor
from aam.io.metadata import Metadata
from aam.labels.labelled import LabelledStudy
from aam.labels.sample_checks import named_controls

logger = logging.getLogger(__name__)


def training_samples(labelled: LabelledStudy, description: ModelDescription) -> KnownSamples:
    """Return what a model keeps of its training samples, with sequences as long as `description` says that it reads them."""
    study = labelled.study.cut(description.model.max_bp)
    return KnownSamples.of(study.select_samples(labelled.training))


def is_trained_on(description: ModelDescription, study: Study) -> np.ndarray:
    """Return whether a model was trained on each sample of a study, bool [S]; False for all if it cannot know."""
    if description.samples is None:
        return np.zeros(study.n_samples, dtype=bool)
    return description.samples.find(study)


def new_sample_remarks(
    predictor: Predictor, study: Study, metadata: Metadata | None = None, is_scored: bool = False
) -> list[str]:
    """Return remarks on the samples that a model is to predict or embed.

    Parameters
    ----------
    predictor
        Predictor of the model.
    study, metadata
        The samples, and their metadata if there are any.
    is_scored
        Whether predictions are compared with the truth.
    """
    sample_ids, depths = study.sample_ids, study.depths
    return [
        *known_samples_remarks(study, is_trained_on(predictor.description, study), is_scored),
        *new_few_reads_remarks(sample_ids, depths, predictor.training_reads),
        *control_remarks(sample_ids, named_controls(sample_ids, depths, metadata)),
    ]


def warn_of_new_samples(
    predictor: Predictor, study: Study, metadata: Metadata | None = None, is_scored: bool = False
) -> None:
    """Warn of what `new_sample_remarks` returns."""
    for remark in new_sample_remarks(predictor, study, metadata, is_scored):
        logger.warning("%s", remark)
