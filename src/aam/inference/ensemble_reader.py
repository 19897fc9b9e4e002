"""Predictions of an ensemble of networks: the members' mean, how sure it may be, and whether a sample is like those of training."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np

from aam.data.predicted import Predicted
from aam.data.study import Study
from aam.inference.ensemble_calibration import EnsembleCalibration, suffixes_of
from aam.inference.model_description import ModelDescription
from aam.inference.network_ensemble import NetworkEnsemble
from aam.inference.read_samples import Reading, SampleReader
from aam.uncertainty import UNLIKE

logger = logging.getLogger(__name__)

SPREAD = "members_sd"
"""Column of the standard deviation of a number over members."""


class EnsembleReader:
    """Reads samples with every member of an ensemble.

    Parameters
    ----------
    model, description
        What `load_model` gave.
    options
        How.

    Attributes
    ----------
    descriptions
        Of the ensemble, and of each member: what must be known of samples beside their reads is another thing for each.
    """

    def __init__(self, model: NetworkEnsemble, description: ModelDescription, options: Reading) -> None:
        self.model = model
        self.descriptions = (description, *description.members)
        self.readers = [
            SampleReader(member, its, options) for member, its in zip(model.members, description.members, strict=True)
        ]
        self.calibration = EnsembleCalibration.from_dict(model.facts["calibration"])

    @property
    def depth(self) -> int | None:
        """Reads drawn from each sample; None for all."""
        return self.readers[0].depth

    def predicted(self, study: Study, facts: Sequence[Mapping[str, np.ndarray]]) -> Predicted:
        """Predict each sample's target, with intervals or sets, the spread of the members, and whether it is unlike training.

        Parameters
        ----------
        study
            The samples.
        facts
            What must be known of each beside its reads, [S], for each of `descriptions`.
        """
        target, calibration = self.descriptions[0].target, self.calibration
        assert target is not None, "an ensemble has a target"
        said, farness = [], []
        for number, (reader, its, own) in enumerate(zip(self.readers, self.descriptions[1:], facts[1:], strict=True)):
            assert its.target is not None, "its members have one"
            predicted, vectors = reader.predicted_with_vectors(study, own)
            in_all_classes = predicted.in_all_classes(its.target.classes, target.classes)
            said.append(calibration.calibrated(target, in_all_classes))
            farness.append(self.model.distances(number, vectors) / calibration.distances[number])
        values = np.stack([each.values for each in said])
        columns: dict[str, np.ndarray | list[str]] = {
            name: np.mean([np.asarray(each.columns[name]) for each in said], axis=0) for name in said[0].columns
        }
        spread = values.std(axis=0, ddof=1).reshape(study.n_samples, -1)
        columns |= {f"{SPREAD}{suffix}": spread[:, place] for place, suffix in enumerate(suffixes_of(target))}
        unlike = np.mean(farness, axis=0) > calibration.farthest
        _warn_of_unlike(unlike)
        return calibration.report(target, Predicted(values.mean(axis=0), {**columns, UNLIKE: unlike}), facts[0])

    def sample_vectors(self, study: Study) -> np.ndarray:
        """Give the vector of each sample: those of all members side by side, float64 [S, K D]."""
        return np.concatenate([reader.sample_vectors(study) for reader in self.readers], axis=1)


def _warn_of_unlike(unlike: np.ndarray) -> None:
    if unlike.mean() > 0.5:
        logger.warning(
            "%d of %d samples are farther from the training samples than nearly all that training left out: were region, "
            "primers, trimming and kind of sample those of training? See the column %s.", unlike.sum(), len(unlike), UNLIKE,
        )  # fmt: skip
