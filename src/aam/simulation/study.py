"""A whole simulated study with a known truth."""

import hashlib
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from aam.config.tools import SimulationConfig
from aam.simulation.samples import simulate_counts, simulate_metadata
from aam.simulation.sequences import simulate_sequences
from aam.simulation.tree import Clade, SimulatedTree, choose_clades, cut_taxonomy, simulate_tree


@dataclass(frozen=True)
class SimulatedStudy:
    """All parts of a study, in memory.

    Attributes
    ----------
    tree
        Rooted tree; its tips are named by feature id, in the order of ``feature_ids``.
    feature_ids
        MD5 sum of each ASV's sequence, as in QIIME 2.
    sequences
        DNA sequence of each ASV.
    taxonomy
        Seven ranks of each ASV, as one string in the style of Greengenes.
    counts
        Reads of each ASV in each sample, int64, samples × features; every ASV occurs.
    sample_ids
        Names of the samples: "S0001", "S0002", …
    metadata
        Metadata columns, one value per sample.
    truth
        Columns feature-id, column, clade and effect, a row for each ASV that responds to a metadata column. The effect is a natural
        log fold change (per standard deviation of age; from healthy to disease). At signal 0 the effects are 0.
    """

    tree: SimulatedTree
    feature_ids: list[str]
    sequences: list[str]
    taxonomy: list[str]
    counts: csr_array
    sample_ids: list[str]
    metadata: dict[str, list]
    truth: dict[str, list]


def simulate_study(config: SimulationConfig) -> SimulatedStudy:
    """Return a simulated study: metadata are drawn independently, and clades of the tree respond to them.

    Each part has its own random stream, so that a change of ``signal`` leaves the tree, the sequences and the metadata as they are.

    Examples
    --------
    >>> study = simulate_study(SimulationConfig(samples=8, features=20))
    >>> study.counts.shape, study.sample_ids[0], sorted(study.truth)
    ((8, 20), 'S0001', ['clade', 'column', 'effect', 'feature-id'])
    """
    streams = [np.random.default_rng(seed) for seed in np.random.SeedSequence(config.seed).spawn(5)]
    for_tree, for_sequences, for_clades, for_metadata, for_counts = streams
    tree = simulate_tree(config.features, for_tree)
    sequences = simulate_sequences(tree, config.sequence_length, for_sequences)
    feature_ids = [hashlib.md5(sequence.encode(), usedforsecurity=False).hexdigest() for sequence in sequences]
    clades = choose_clades(tree, config.signal, for_clades)
    metadata = simulate_metadata(config, for_metadata)
    return SimulatedStudy(
        tree=_name_tips(tree, feature_ids),
        feature_ids=feature_ids,
        sequences=sequences,
        taxonomy=cut_taxonomy(tree),
        counts=simulate_counts(config, tree, metadata, clades, for_counts),
        sample_ids=[f"S{number + 1:04d}" for number in range(config.samples)],
        metadata=metadata.columns,
        truth=_truth(clades, feature_ids),
    )


def _name_tips(tree: SimulatedTree, feature_ids: list[str]) -> SimulatedTree:
    names = [feature_ids[int(name)] if name else "" for name in tree.names]
    return SimulatedTree(tree.parent, tree.length, names, tree.age)


def _truth(clades: list[Clade], feature_ids: list[str]) -> dict[str, list]:
    rows = [
        (feature_ids[member], clade.column, clade.name, clade.effect) for clade in clades for member in clade.members
    ]
    names = ("feature-id", "column", "clade", "effect")
    return {name: list(values) for name, values in zip(names, zip(*rows, strict=True), strict=True)}
