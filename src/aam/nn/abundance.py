"""Abundances as the model reads them: standardised logarithms of relative abundance."""

from jaxtyping import Float
from torch import Tensor

from aam.batch import Batch

TYPICAL_LOG_ABUNDANCE = -6.0
"""Middle of the natural logarithm of relative abundances in amplicon studies."""
LOG_ABUNDANCE_SPREAD = 2.0


def log_abundance(batch: Batch) -> Float[Tensor, "T"]:
    """Give the natural logarithm of each pair's relative abundance in its sample, in float64."""
    counts = batch.counts.double()
    depth = counts.new_zeros(batch.n_samples).index_add(0, batch.sample_of_pair, counts)
    return counts.log() - depth.log()[batch.sample_of_pair]


def standardise(log_abundances: Tensor) -> Tensor:
    """Bring logarithms of relative abundance to about zero mean and unit spread."""
    return (log_abundances - TYPICAL_LOG_ABUNDANCE) / LOG_ABUNDANCE_SPREAD


def unstandardise(standardised: Tensor) -> Tensor:
    """Undo `standardise`."""
    return standardised * LOG_ABUNDANCE_SPREAD + TYPICAL_LOG_ABUNDANCE
