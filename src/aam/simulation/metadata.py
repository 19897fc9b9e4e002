"""What is known of each sample: who, when, how it was sequenced, and columns that mean nothing."""

from dataclasses import dataclass

import numpy as np

from aam.config.simulate import SimulationConfig

OLDEST_DAYS = 730
AGE_SHAPE = (1.0, 1.3)  # of a beta distribution: infants are sampled more often when young
EXPLAINABLE_AGE = 0.8  # share of age in what its clades follow: the best R² that can be hoped for
SEVERITY_SPREAD = 0.25  # between people of one disease state; the step from health to disease is 1
N_BATCHES = 3


@dataclass(frozen=True)
class SimulatedMetadata:
    """Metadata of each sample, and what the clades follow.

    Attributes
    ----------
    columns
        Values of each column, one per sample: subject, batch, age (days), disease, sex, birth_weight (grams).
    subject, batch
        Number of each sample's subject and sequencing run, int64 [S].
    drivers
        What the clades of a column respond to, float64 [S]: the column on the scale of the effects, plus
        noise that no model can see through.
    """

    columns: dict[str, list]
    subject: np.ndarray
    batch: np.ndarray
    drivers: dict[str, np.ndarray]


def simulate_metadata(config: SimulationConfig, rng: np.random.Generator) -> SimulatedMetadata:
    """Draw the metadata of all samples; nothing here depends on ASVs.

    Disease, sex and birth weight belong to the subject, half of the subjects are diseased, and age and batch
    belong to the sample. Sex, birth weight and batch are independent of all else.
    """
    n_samples, n_subjects = config.samples, config.n_subjects
    subject = np.sort(np.concatenate([np.arange(n_subjects), rng.integers(n_subjects, size=n_samples - n_subjects)]))
    is_diseased = rng.permutation(n_subjects) < n_subjects // 2
    is_female = rng.random(n_subjects) < 0.5
    birth_weight = np.round(rng.normal(3400, 450, n_subjects)).astype(int)
    age = np.round(OLDEST_DAYS * rng.beta(*AGE_SHAPE, n_samples)).astype(int)
    age = age[np.lexsort((age, subject))]
    batch = rng.integers(N_BATCHES, size=n_samples)
    columns = {
        "subject": [f"P{number + 1:03d}" for number in subject],
        "batch": [f"run{number + 1}" for number in batch],
        "age": age.tolist(),
        "disease": np.where(is_diseased, "disease", "healthy")[subject].tolist(),
        "sex": np.where(is_female, "female", "male")[subject].tolist(),
        "birth_weight": birth_weight[subject].tolist(),
    }
    severity = is_diseased - 0.5 + rng.normal(0, SEVERITY_SPREAD, n_subjects)
    drivers = {"age": _maturity(age, rng), "disease": severity[subject]}
    return SimulatedMetadata(columns=columns, subject=subject, batch=batch, drivers=drivers)


def _maturity(age: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add noise to the standardised age, so that age explains a known share of the result."""
    standard = (age - age.mean()) / max(age.std(), 1.0)
    return np.sqrt(EXPLAINABLE_AGE) * standard + rng.normal(0, np.sqrt(1 - EXPLAINABLE_AGE), len(age))
