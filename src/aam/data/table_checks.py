"""Tables that hold no counts of reads though they look like it: presence and absence, shares of a fixed number, totals."""

from collections.abc import Sequence

import numpy as np

from aam.data.fingerprints import SampleSketches, place_keys, sample_blocks, sketch_study
from aam.data.study import Study
from aam.data.summary_columns import Blocks, FeatureTotals, statistic_remark, statistic_remarks
from aam.errors import name_some
from aam.io.foreign.statistics_names import TOTALS

MOST_SAMPLES = 1000
"""Samples that are looked at."""

LEAST_SAMPLES, LEAST_ASVS = 4, 3
"""Samples of a table, and ASVs of its median sample, below which nothing is said."""

SHARE_ALIKE = 0.9
"""Share of the samples that add up to one number if all were scaled to it."""

TOLERANCE = 0.005
"""How far, as a share, such sums differ by rounding."""

PERCENT, MILLION = 100, 1_000_000
"""Sums that are usual of shares, and unusual as a rarefaction depth."""

TOLERANCE_OF_PERCENT = 0.05
"""How far, as a share, percentages that are rounded to whole numbers add up to another sum than 100."""

GAP, LEAST_ASVS_OF_GAP = 4, 10
"""Least count, and ASVs, of the median sample from which on counts that add up to one number are scaled: drawn reads hold ones."""

LARGEST_LOG, LEAST_ASVS_OF_LOGS = 20, 30
"""Largest value of a table, such as log2 of a million reads, and ASVs of its median sample, that rounded logarithms may have."""

LEAST_MEAN_OF_LOGS, TIMES_MEAN_OF_LOGS = 1.3, 3.4
"""Least mean of the values above 0, and most times that the largest may be of it, of the median sample of logarithms."""


def counts_remarks(depths: np.ndarray, richness: np.ndarray, sketches: SampleSketches) -> list[str]:
    """Return a remark if the values of a table are not counts of reads, or are multiples of a number.

    Parameters
    ----------
    depths, richness, sketches
        Sum of the values, number of those above 0, and sketch, of each sample, [S].
    """
    is_filled = depths > 0
    if is_filled.sum() < LEAST_SAMPLES or np.median(richness[is_filled]) < LEAST_ASVS:
        return []
    if sketches.largest.max() == 1:
        return [
            "All values of the table are 0 or 1, presence and absence: what depends on the number of reads, such as abundances, "
            "weighted distances and rarefaction, then means nothing. Pass the table of reads, if there is one."
        ]
    depths, smallest, richness = depths[is_filled], sketches.smallest[is_filled], richness[is_filled]
    has_gap = bool(np.median(smallest) >= GAP and np.median(richness) >= LEAST_ASVS_OF_GAP)
    divisors, largest = sketches.divisors[is_filled], sketches.largest[is_filled]
    if not _is_scaled(depths, has_gap, int(np.gcd.reduce(divisors))):
        return [*_factor_remarks(divisors, richness), *_log_remarks(depths, richness, largest)]
    whole = " (per cent?)" if _are_percent(depths) else ""
    middle, power = float(np.median(depths)), _nearest_power(depths)
    number = power if _is_near(depths, power, TOLERANCE) else middle
    return [
        f"The values of {_share_near(depths, middle)} samples add up to about {number:,.0f}{whole}: they look like shares "
        "that were scaled and rounded, not like reads. How much a sample says, and rarefaction (--rarefy-depth), depend on its "
        "number of reads: pass the table of reads."
    ]


def _factor_remarks(divisors: np.ndarray, richness: np.ndarray) -> list[str]:
    """Return a remark if all counts of nearly every sample are multiples of a number; reads are none of more than 1."""
    is_telling = richness >= LEAST_ASVS_OF_GAP
    has_factor = divisors[is_telling] > 1
    if is_telling.sum() < LEAST_SAMPLES or has_factor.mean() < SHARE_ALIKE:
        return []
    common = int(np.gcd.reduce(divisors))
    factors = np.unique(divisors[is_telling][has_factor])
    what = (
        f"{common:,}"
        if common > 1
        else f"one number in each, such as {', '.join(f'{number:,}' for number in factors[:5])}"
    )
    samples = "all samples" if common > 1 else f"{int(has_factor.sum()):,} of {len(divisors):,} samples"
    return [
        f"All counts of {samples} are multiples of {what}: they look like reads, or shares, that were multiplied. How much a "
        "sample says, and rarefaction (--rarefy-depth), depend on its number of reads: pass the table of reads, such as these "
        "counts divided by that number."
    ]


def _log_remarks(depths: np.ndarray, richness: np.ndarray, largest: np.ndarray) -> list[str]:
    """Return a remark if the values may be rounded logarithms.

    The largest value of a sample is then at most about three times its mean; of 100 reads or more it is more than four times as
    large in all studies that were looked at, as communities have few abundant members.
    """
    mean = depths / richness
    is_log = largest.max() <= LARGEST_LOG and np.median(richness) >= LEAST_ASVS_OF_LOGS
    if not is_log or np.median(mean) < LEAST_MEAN_OF_LOGS or np.median(largest / mean) > TIMES_MEAN_OF_LOGS:
        return []
    return [
        f"No value of the table is above {largest.max():,}, though the median sample has {np.median(richness):,.0f} ASVs, and its "
        f"largest value is only {np.median(largest / mean):.1f} times the mean of the others: they look like logarithms of reads "
        "that were rounded. Abundances, weighted distances and rarefaction (--rarefy-depth) then mean nothing: pass the table of "
        "reads."
    ]


def _is_scaled(depths: np.ndarray, has_gap: bool, divisor: int) -> bool:
    """Return whether samples add up to one number by scaling: drawn reads do exactly, have no common divisor, and hold ones."""
    if _are_percent(depths) or _is_near(depths, MILLION, TOLERANCE):
        return True
    if len(np.unique(depths)) == 1:
        return divisor > 1
    power = _nearest_power(depths)  # sums of rounded shares are on both sides of it, those of filtered reads below
    is_rounded = _is_near(depths, power, TOLERANCE) and bool((depths < power).any() and (depths > power).any())
    return is_rounded or (has_gap and _is_near(depths, float(np.median(depths)), TOLERANCE))


def _nearest_power(depths: np.ndarray) -> float:
    return 10.0 ** round(np.log10(np.median(depths)))


def _are_percent(depths: np.ndarray) -> bool:
    return _is_near(depths, PERCENT, TOLERANCE_OF_PERCENT) and abs(float(np.median(depths)) - PERCENT) < 1


def _is_near(depths: np.ndarray, number: float, tolerance: float) -> bool:
    return bool((np.abs(depths - number) <= tolerance * number).mean() >= SHARE_ALIKE)


def _share_near(depths: np.ndarray, number: float) -> str:
    n_near = int((np.abs(depths - number) <= TOLERANCE_OF_PERCENT * number).sum())
    return "all" if n_near == len(depths) else f"{n_near:,} of {len(depths):,}"


def holds_total(depths: np.ndarray) -> np.ndarray:
    """Return the indices of the samples with as many reads as all others together, int64; nearly always none."""
    total = int(depths.sum())
    return (
        np.flatnonzero((2 * depths == total) & (depths > 0)) if len(depths) >= LEAST_SAMPLES else np.empty(0, np.int64)
    )


def named_total_remarks(sample_ids: Sequence[str], depths: np.ndarray) -> list[str]:
    """Return remarks on samples named like totals that are of more or fewer samples than the table has, or stand beside a mean.

    Parameters
    ----------
    sample_ids, depths
        Names of the samples, and reads of each, [S].
    """
    named = [index for index, name in enumerate(sample_ids) if name.strip().lower() in TOTALS]
    median = float(np.median(depths)) if named else 0.0
    return [
        f"{name_some([sample_ids[index]])} is named like a column of totals, and has {depths[index]:,} reads (the median sample: "
        f"{median:,.0f}). Take it out of the table, unless it is a sample."
        for index in named
        if depths[index] > 2 * median
    ]


def total_feature_remarks(
    feature_ids: Sequence[str], feature_reads: np.ndarray, depths: np.ndarray, largest: np.ndarray
) -> list[str]:
    """Return a remark if a feature holds the sum of all others in each sample.

    Parameters
    ----------
    feature_ids, feature_reads
        Name and reads of each feature, [F].
    depths, largest
        Reads, and largest count, of each sample, [S].
    """
    is_filled = depths > 0
    if is_filled.sum() < LEAST_SAMPLES or len(feature_reads) < LEAST_ASVS or (2 * largest != depths)[is_filled].any():
        return []
    totals = np.flatnonzero(2 * feature_reads == depths.sum())
    return [
        f"The counts of the feature {name_some([feature_ids[feature]])} are the sums of all other features: it looks like a row of "
        "totals, not like an ASV. Take it out of the table."
        for feature in totals.tolist()
    ]


def table_remarks(study: Study) -> list[str]:
    """Return remarks on the table of a study: whether it holds counts of reads, and of single samples only.

    Parameters
    ----------
    study
        All samples of the table.
    """
    remarks, depths = [], study.depths
    if study.n_samples:
        samples = np.unique(np.linspace(0, study.n_samples - 1, MOST_SAMPLES).astype(np.int64))
        sketches = sketch_study(study, place_keys(study.n_features), samples)
        remarks = counts_remarks(depths[samples], study.richness[samples], sketches)
    totals = [index for index in holds_total(depths).tolist() if _is_sum_of_others(study, index)]
    if totals:
        return remarks + [statistic_remark(study.sample_ids[index], "sums") for index in totals]
    return remarks + _statistic_remarks(study)


def _statistic_remarks(study: Study) -> list[str]:
    everything = np.arange(study.n_samples)
    return column_remarks(
        list(study.sample_ids),
        (study.depths, study.richness),
        FeatureTotals.of(sample_blocks(study, everything), study.n_features),
        lambda: sample_blocks(study, everything),
    )


def column_remarks(
    sample_ids: list[str], of_samples: tuple[np.ndarray, np.ndarray], totals: FeatureTotals, blocks: Blocks
) -> list[str]:
    """Return remarks on columns that hold statistics of the others, by their values, or are named like totals.

    Parameters
    ----------
    sample_ids, of_samples
        Names of the columns, and reads and number of ASVs of each, [S].
    totals
        Totals of the features.
    blocks
        What reads the columns.
    """
    depths, richness = of_samples
    found = statistic_remarks(sample_ids, depths, richness, totals, blocks)
    rest = np.setdiff1d(np.arange(len(depths)), list(found))
    return [*found.values(), *named_total_remarks([sample_ids[index] for index in rest.tolist()], depths[rest])]


def _is_sum_of_others(study: Study, index: int) -> bool:
    totals = np.zeros(study.n_features, dtype=np.int64)
    for other in range(study.n_samples):
        features, counts = study.sample(other)
        totals[features] += counts
        if other % MOST_SAMPLES == 0:
            study.release()
    features, counts = study.sample(index)
    totals[features] -= 2 * counts
    return not totals.any()
