"""Metadata of each simulated sample, and the counts of each ASV in it."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from aam.config.tools import SimulationConfig
from aam.simulation.tree import Clade, SimulatedTree

OLDEST_DAYS = 730

AGE_SHAPE = (1.0, 1.3)  # of a beta distribution: infants are sampled more often when young

EXPLAINABLE_AGE = 0.8  # share of age in what its clades follow: the best R² that can be hoped for

SEVERITY_SPREAD = 0.25  # between people of one disease state; the step from health to disease is 1

N_BATCHES = 3


@dataclass(frozen=True)
class SimulatedMetadata:
    """Metadata of each sample, and the drivers that clades of ASVs respond to.

    Attributes
    ----------
    columns
        Values of each column, one per sample: subject, batch, age (days), disease, sex, birth_weight (grams).
    subject, batch
        Number of each sample's subject and sequencing run, int64 [S].
    drivers
        Driver of the clades of a column, float64 [S]: the column on the scale of the effects, plus noise that no model can predict.
    """

    columns: dict[str, list]
    subject: np.ndarray
    batch: np.ndarray
    drivers: dict[str, np.ndarray]


def simulate_metadata(config: SimulationConfig, rng: np.random.Generator) -> SimulatedMetadata:
    """Draw the metadata of all samples, independently of ASVs.

    Disease, sex and birth weight belong to the subject, half of the subjects are diseased, and age and batch belong to the sample.
    Sex, birth weight and batch are independent of all other columns.
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
    """Return the standardised age plus noise, so that age explains a known share of the result."""
    standard = (age - age.mean()) / max(age.std(), 1.0)
    return np.sqrt(EXPLAINABLE_AGE) * standard + rng.normal(0, np.sqrt(1 - EXPLAINABLE_AGE), len(age))


# Standard deviations of the parts of an ASV's log fitness (natural logarithm).
FEATURE_SPREAD = 2.6  # some ASVs are common everywhere

SUBJECT_SPREAD = 1.6  # each person's own ASVs

SAMPLE_SPREAD = 1.1  # what changes from visit to visit

GRADIENT_SPREAD = 0.9  # of each habitat gradient that relatives follow alike

N_GRADIENTS = 3

SUBJECT_SHARE = 0.6  # of the variance of a gradient that belongs to the subject

DISTORTED_SHARE = 0.3  # of the ASVs that a sequencing run distorts

RICHNESS_FACTOR = (
    2.0  # ASVs per sample over the square root of all ASVs: 1.0 to 5.3 in public gut studies, mostly near 2
)

UNSEEN_FACTOR = 1.15  # ASVs living in a sample per ASV that sequencing finds

RICHNESS_SPREAD = 0.7  # of the log fitness needed to live in a sample

EVENNESS = 0.8  # power of fitness that abundance grows with

DEPTH_SPREAD = 0.6  # of log depth

CONCENTRATION = 300.0  # of the Dirichlet; smaller: replicates of a sample differ more


def simulate_counts(
    config: SimulationConfig,
    tree: SimulatedTree,
    metadata: SimulatedMetadata,
    clades: list[Clade],
    rng: np.random.Generator,
) -> csr_array:
    """Draw the reads of each ASV in each sample.

    Each ASV has a fitness in each sample; where it exceeds the sample's demand, the ASV is present, and its abundance grows with
    the excess. So one effect changes presence and abundance alike. Reads are Dirichlet-multinomial. An ASV without reads in any
    sample gets two reads in the sample where its fitness is greatest.

    Returns
    -------
    csr_array
        Reads, int64 [S, F].
    """
    fitness = (
        _own_fitness(config, metadata, rng)
        + _gradients(metadata, rng) @ brownian_traits(tree, N_GRADIENTS, rng).T * GRADIENT_SPREAD
        + _batch_effects(config, metadata, rng)
        + _clade_effects(config, metadata, clades)
    )
    depth = rng.lognormal(np.log(config.mean_depth) - DEPTH_SPREAD**2 / 2, DEPTH_SPREAD, config.samples)
    proportions = _proportions(fitness, rng)
    drawn = rng.standard_gamma(CONCENTRATION * proportions)
    counts = rng.multinomial(np.ceil(depth).astype(np.int64), drawn / drawn.sum(axis=1, keepdims=True))
    unseen = np.flatnonzero(counts.sum(axis=0) == 0)
    counts[fitness[:, unseen].argmax(axis=0), unseen] = 2
    return csr_array(counts.astype(np.int64))


def brownian_traits(tree: SimulatedTree, n_traits: int, rng: np.random.Generator) -> np.ndarray:
    """Draw traits of ASVs by Brownian motion down the tree, so that relatives are alike; standardised, float64 [F, n_traits]."""
    steps = rng.standard_normal((len(tree.parent), n_traits)) * np.sqrt(tree.length)[:, None]
    for nodes in tree.levels:
        steps[nodes] += steps[tree.parent[nodes]]
    traits = steps[tree.tips]
    return (traits - traits.mean(axis=0)) / traits.std(axis=0)


def _own_fitness(config: SimulationConfig, metadata: SimulatedMetadata, rng: np.random.Generator) -> np.ndarray:
    feature = rng.normal(0, FEATURE_SPREAD, config.features)
    subject = rng.normal(0, SUBJECT_SPREAD, (config.n_subjects, config.features))
    sample = rng.normal(0, SAMPLE_SPREAD, (config.samples, config.features))
    return feature + subject[metadata.subject] + sample


def _gradients(metadata: SimulatedMetadata, rng: np.random.Generator) -> np.ndarray:
    """Draw the position of each sample on each habitat gradient, float64 [S, gradients]."""
    of_subject = rng.normal(0, np.sqrt(SUBJECT_SHARE), (metadata.subject.max() + 1, N_GRADIENTS))
    of_sample = rng.normal(0, np.sqrt(1 - SUBJECT_SHARE), (len(metadata.subject), N_GRADIENTS))
    return of_subject[metadata.subject] + of_sample


def _batch_effects(config: SimulationConfig, metadata: SimulatedMetadata, rng: np.random.Generator) -> np.ndarray:
    shape = (metadata.batch.max() + 1, config.features)
    shift = rng.normal(0, 1, shape) * (rng.random(shape) < DISTORTED_SHARE)
    return config.batch_effect * shift[metadata.batch]


def _clade_effects(config: SimulationConfig, metadata: SimulatedMetadata, clades: list[Clade]) -> np.ndarray:
    effects = np.zeros((config.samples, config.features))
    for clade in clades:
        effects[:, clade.members] += clade.effect * metadata.drivers[clade.column][:, None]
    return effects


def _proportions(fitness: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the proportion of each ASV in each sample, [S, F]; only ASVs whose fitness exceeds the sample's demand have one."""
    n_samples, n_features = fitness.shape
    living_share = min(0.5, UNSEEN_FACTOR * RICHNESS_FACTOR / np.sqrt(n_features))
    demand = np.quantile(fitness, 1 - living_share) + rng.normal(0, RICHNESS_SPREAD, (n_samples, 1))
    best = fitness.max(axis=1, keepdims=True)
    demand = np.minimum(demand, best)
    abundance = np.where(fitness >= demand, np.exp(EVENNESS * (fitness - best)), 0.0)
    return abundance / abundance.sum(axis=1, keepdims=True)
