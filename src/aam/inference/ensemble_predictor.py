"""The predictor of an ensemble of networks."""

import logging
from dataclasses import replace

import numpy as np
from scipy.sparse import csr_array

from aam.data.few_reads import has_few_reads
from aam.data.orientation import KmerSketch
from aam.data.study import Study
from aam.inference.count_function import CountFunction, in_all_classes
from aam.inference.description import ModelDescription
from aam.inference.ensemble import MEMBERS_SD, EnsembleCalibration, NetworkEnsemble, suffixes_of
from aam.inference.network import NetworkPredictor, PredictOptions
from aam.io.metadata import Metadata
from aam.labels.head_inputs import head_inputs_of_new_samples
from aam.labels.new_samples import warn_of_new_cells
from aam.labels.target import Predictions
from aam.stored import read_stored
from aam.uncertainty import OUTLIER

logger = logging.getLogger(__name__)


class EnsemblePredictor:
    """Predictor of an ensemble of networks.

    Parameters
    ----------
    model, description
        The model and its description, as `load_model` returns them.
    options
        Options of prediction.
    """

    def __init__(self, model: NetworkEnsemble, description: ModelDescription, options: PredictOptions) -> None:
        self.model, self.description = model, description
        self.members = [
            NetworkPredictor(network, of_member, options)
            for network, of_member in zip(model.members, description.members, strict=True)
        ]
        self.calibration = read_stored(EnsembleCalibration, model.info["calibration"])

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
        return self.members[0].depth

    @property
    def embedding_depth(self) -> int | None:
        """Reads drawn from each sample for its vector; None for all."""
        return self.depth

    @property
    def n_dimensions(self) -> int:
        """Length of the vector of a sample, which holds those of all members."""
        return sum(member.n_dimensions for member in self.members)

    @property
    def training_reads(self) -> np.ndarray | None:
        """Reads of each training sample, at most as many as are drawn; None if the model does not know."""
        samples = self.description.samples
        return None if samples is None else np.minimum(samples.reads, self.depth or samples.reads)

    @property
    def columns_read(self) -> tuple[str, ...]:
        """Names of the metadata columns that any member reads of each sample."""
        return tuple(dict.fromkeys(name for member in self.members for name in member.columns_read))

    def warn_of_unknown_cells(self, metadata: Metadata | None, study: Study) -> None:
        """Warn of categories and covariates in the metadata that are read as unknown.

        Raises
        ------
        MetadataError
            Columns of covariates are absent.
        """
        target, covariates = self.description.target, self.description.covariates
        assert target is not None, "an ensemble has a target"
        warn_of_new_cells(target, covariates, metadata, study.sample_ids)

    def predict(self, study: Study, metadata: Metadata | None = None) -> Predictions:
        """Predict each sample's target, with intervals or sets, the spread of the members, and whether it is an outlier.

        Parameters
        ----------
        study
            The samples.
        metadata
            Metadata with the columns that the members read of each sample, if they read any.

        Returns
        -------
        Predictions
            Values [S] or [S, K] in the target's own units, or class probabilities [S, C], and further columns.

        Raises
        ------
        MetadataError
            Columns of covariates are absent.
        """
        target, calibration = self.description.target, self.calibration
        assert target is not None, "an ensemble has a target"
        calibrated, relative_distances = [], []
        for number, member in enumerate(self.members):
            assert member.description.target is not None, "its members have one"
            predicted, vectors = member.predict_with_vectors(study, metadata)
            in_all_classes = predicted.in_all_classes(member.description.target.classes, target.classes)
            calibrated.append(calibration.calibrated(target, in_all_classes))
            relative_distances.append(self.model.distances(number, vectors) / calibration.distances[number])
        values = np.stack([predicted.values for predicted in calibrated])
        columns: dict[str, np.ndarray | list[str]] = {
            name: np.mean([np.asarray(predicted.columns[name]) for predicted in calibrated], axis=0)
            for name in calibrated[0].columns
        }
        spread = values.std(axis=0, ddof=1).reshape(study.n_samples, -1)
        columns |= {f"{MEMBERS_SD}{suffix}": spread[:, k] for k, suffix in enumerate(suffixes_of(target))}
        is_outlier = np.mean(relative_distances, axis=0) > calibration.farthest
        _warn_of_outliers(is_outlier)
        if self.training_reads is not None:
            is_outlier |= has_few_reads(study.depths, self.training_reads)
        head_inputs = head_inputs_of_new_samples(target, self.description.covariates, metadata, study.sample_ids)
        mean = Predictions(values.mean(axis=0), {**columns, OUTLIER: is_outlier})
        return calibration.report(target, mean, head_inputs)

    def as_function(self, study: Study, metadata: Metadata | None = None) -> CountFunction:
        """Return the predictions of a study's samples as a function of their reads, as `Predictor.as_function`.

        All members read what the first draws of each sample.
        """
        target = self.description.target
        assert target is not None, "an ensemble has a target"
        functions = []
        for member in self.members:
            assert member.description.target is not None, "its members have one"
            of_member = member.as_function(study, metadata)
            functions.append(in_all_classes(of_member, member.description.target.classes, target.classes))

        def compute(counts: csr_array, samples: np.ndarray) -> np.ndarray:
            values = []
            for function in functions:
                predicted = Predictions(function.compute(counts, samples))
                values.append(self.calibration.calibrated(target, predicted).values)
            return np.mean(values, axis=0)

        return replace(functions[0], compute=compute)

    def embed(self, study: Study) -> np.ndarray:
        """Compute the vector of each sample, the concatenation of those of the N members; float64 [S, N D]."""
        return np.concatenate([member.embed(study) for member in self.members], axis=1)


def _warn_of_outliers(is_outlier: np.ndarray) -> None:
    if is_outlier.mean() > 0.5:
        logger.warning(
            "%d of %d samples are farther from the training samples than nearly all that training left out: were region, "
            "primers, trimming and kind of sample those of training? See the column %s.",
            is_outlier.sum(), len(is_outlier), OUTLIER,
        )  # fmt: skip
