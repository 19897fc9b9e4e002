"""Which sets of features drive held-out predictions: importance, direction, significance and stability in one table."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from aam.config.explain import ExplanationConfig
from aam.ecology.lineages import Lineages
from aam.explanation.clades import Clades
from aam.explanation.coherence import LARGEST_Q, coherence, select
from aam.explanation.held_out import HeldOutSamples
from aam.explanation.importance import HeldOutPart, Losses, permuted_losses
from aam.explanation.names import taxon_name, taxon_names
from aam.explanation.significance import Null, adjusted, compare_with_null, permute_targets, q_values
from aam.explanation.stability import Stability, bootstrap

logger = logging.getLogger(__name__)

ALL, ASV, CLADE, GROUP = "all", "ASV", "clade", "group"
"""Kinds of sets of features."""

PERMUTATION = "permutation"
"""Name of the method that this is."""

LARGEST_P = 0.05
"""P-value of the exchange of whole samples above which a model is no better than guessing."""

_COLUMNS = [
    "name", "method", "kind", "taxon", "n_asvs", "parent", "n_samples", "importance", "low", "high", "z", "p", "q", "effect",
    "direction",
    "correlation", "coherence", "is_selected", "rank", "rank_low", "rank_high", "in_top",
]  # fmt: skip

ENOUGH_SAMPLES, MOST_EXCHANGES = 600, 10
"""Samples from which sets are exchanged once, and how often they are at most of fewer."""

LEAST_CORRELATION = 0.1
"""Correlation of changes below which a direction is unclear."""


@dataclass(frozen=True)
class FeatureSets:
    """The sets whose importance is asked: nested ones, and the user's groups, which need not nest.

    Attributes
    ----------
    clades
        The nested sets.
    groups
        Features of each of the user's groups, int64, by name.
    names, taxa
        Name of each set, the nested ones first, and its taxon.
    """

    clades: Clades
    groups: Mapping[str, np.ndarray]
    names: list[str]
    taxa: list[str]

    @classmethod
    def of(
        cls, clades: Clades, groups: Mapping[str, np.ndarray], samples: HeldOutSamples, lineages: Lineages | None
    ) -> "FeatureSets":
        """Return the sets with their names."""
        names = [*clades.names(samples.feature_ids), *groups]
        of_groups = ["" if lineages is None else taxon_name(members, lineages) for members in groups.values()]
        return cls(clades, groups, names, [*taxon_names(clades, lineages), *of_groups])

    def __len__(self) -> int:
        return len(self.names)

    def members(self, number: int) -> np.ndarray:
        """Return the features of a set, int64."""
        n_nested = len(self.clades)
        return self.clades.members(number) if number < n_nested else list(self.groups.values())[number - n_nested]

    def membership(self, n_features: int) -> csr_array:
        """Return which features each set holds, float64 [N, F]."""
        members = [self.members(number) for number in range(len(self))]
        offsets = np.concatenate([[0], np.cumsum([len(of_set) for of_set in members])])
        columns = np.concatenate(members)
        return csr_array((np.ones(len(columns)), columns, offsets), shape=(len(self), n_features))

    @property
    def kinds(self) -> list[str]:
        """Kind of each set."""
        nested = [ASV if size == 1 else CLADE for size in self.clades.sizes.tolist()]
        return [ALL, *nested[1:], *[GROUP] * len(self.groups)]

    @property
    def parents(self) -> list[str]:
        """Name of the smallest clade around each set; empty for those that are in none."""
        nested = [self.names[parent] if parent >= 0 else "" for parent in self.clades.parent.tolist()]
        return [*nested, *[""] * len(self.groups)]


@dataclass(frozen=True)
class Importance:
    """Importances of sets of features.

    Attributes
    ----------
    table
        One row per set, most important first within its kind; see ``docs/explaining.md``.
    contributions
        Increase of each sample's loss by the exchange of each set, in the order of the sets, float32 [N, S].
    is_guess
        Whether the model is no better than guessing.
    score
        Share of the loss of guessing that the model avoids: R² of numbers.
    """

    table: pd.DataFrame
    contributions: np.ndarray
    is_guess: bool
    score: float


def explain_importance(samples: HeldOutSamples, sets: FeatureSets, options: ExplanationConfig, seed: int) -> Importance:
    """Compute which sets of features held-out predictions depend on.

    Parameters
    ----------
    samples
        The samples, and the models that have not seen them.
    sets
        Sets of features.
    options
        Numbers of exchanges and of null draws, and the length of the lists whose stability is asked.
    seed
        Seed of all draws.

    Returns
    -------
    Importance
        The table, and what it was made from.
    """
    truth, losses = samples.scored(), losses_of(samples, sets, options, seed)
    permuted = permute_targets(truth.rows, samples.groups, samples.folds, options.null_draws, seed)
    null = compare_with_null(losses, truth.rows, permuted)
    n_nested = len(sets.clades)
    q = np.concatenate([q_values(sets.clades, null.p[:n_nested]), adjusted(null.p[n_nested:])])
    contributions = losses.increase(truth.rows)
    kinds = np.array(sets.kinds)
    coherences, is_selected = _selection(sets, losses, null, q)
    ranked_with = np.where(is_selected, "reported", kinds)
    stability = bootstrap(contributions, samples.groups, ranked_with, options.top, seed)
    table = _table(samples, sets, losses, null, contributions.mean(axis=1), stability)
    table["q"], table["coherence"], table["is_selected"] = q, coherences, is_selected
    table = table[_COLUMNS if samples.is_regression else [*_COLUMNS, "class"]]
    place = np.array([(ALL, CLADE, ASV, GROUP).index(kind) for kind in kinds])
    order = np.lexsort((-np.asarray(table["z"], dtype=np.float64), place))
    mean_loss = float(truth.losses(samples.predictions()).mean())
    of_guess = 1.0 if samples.is_regression else float(np.log(len(np.unique(samples.truth))))
    return Importance(
        table.iloc[order].reset_index(drop=True), contributions, bool(null.p[0] > LARGEST_P), 1 - mean_loss / of_guess
    )


def losses_of(samples: HeldOutSamples, sets: FeatureSets, options: ExplanationConfig, seed: int) -> Losses:
    """Compute what exchanging each set does to the loss of each sample; see `explain_importance`."""
    parts, membership = samples.parts(), sets.membership(len(samples.feature_ids))
    exchanges = options.exchanges or min(MOST_EXCHANGES, -(-ENOUGH_SAMPLES // samples.n_samples))
    _log_time(parts, membership, exchanges)
    return permuted_losses(parts, membership, samples.n_samples, exchanges, seed)


def _table(
    samples: HeldOutSamples, sets: FeatureSets, losses: Losses, null: Null, mean: np.ndarray, stability: Stability
) -> pd.DataFrame:
    output = np.abs(losses.correlation).argmax(axis=1)
    rows = np.arange(len(sets))
    slope, correlation = losses.slope[rows, output], losses.correlation[rows, output]
    direction = np.where(correlation > 0, "raises", "lowers").astype(object)
    direction[np.abs(correlation) < LEAST_CORRELATION] = "unclear"
    table = pd.DataFrame(
        {
            "name": sets.names,
            "method": PERMUTATION,
            "kind": sets.kinds,
            "taxon": sets.taxa,
            "n_asvs": [len(sets.members(number)) for number in range(len(sets))],
            "parent": sets.parents,
            "n_samples": losses.n_changed,
            "importance": mean,
            "low": stability.low,
            "high": stability.high,
            "z": null.z,
            "p": null.p,
            "effect": slope,
            "direction": direction,
            "correlation": correlation,
            "rank": stability.rank,
            "rank_low": stability.rank_low,
            "rank_high": stability.rank_high,
            "in_top": stability.in_top,
        }
    )
    if not samples.is_regression:
        table["class"] = [samples.output_names[k] for k in output.tolist()]
    return table


def _selection(sets: FeatureSets, losses: Losses, null: Null, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the coherence of each set and whether it is reported; groups, which do not nest, have none and are all reported."""
    nested = slice(0, len(sets.clades))
    output = np.abs(losses.correlation).argmax(axis=1)
    direction = np.sign(losses.slope[np.arange(len(sets)), output])
    of_clades = coherence(sets.clades, null.z[nested], direction[nested], losses.n_changed[nested])
    is_selected = select(sets.clades, q[nested], of_clades)
    of_groups = np.full(len(sets.groups), np.nan)
    return np.concatenate([of_clades, of_groups]), np.concatenate([is_selected, q[len(sets.clades) :] <= LARGEST_Q])


ROWS_OF_TRIAL = 256
"""Predictions by which the time of all is estimated."""


def _log_time(parts: list[HeldOutPart], membership: csr_array, exchanges: int) -> None:
    """Log how many predictions importance needs, and about how long they take."""
    n_sets = len(membership.indptr) - 1
    held = (min(2 * (part.function.counts @ membership.T).nnz, n_sets * part.function.n_samples) for part in parts)
    n_rows = exchanges * sum(held)
    function = parts[0].function
    trial = np.resize(np.arange(function.n_samples), ROWS_OF_TRIAL)
    begin = time.monotonic()
    function(function.counts[trial], trial)
    minutes = (time.monotonic() - begin) / ROWS_OF_TRIAL * n_rows / 60
    logger.info(
        "Importance of %d sets of ASVs: at most %s predictions, %s.",
        n_sets, f"{n_rows:,}", f"about {minutes:.0f} min" if minutes >= 1 else "less than a minute",
    )  # fmt: skip
