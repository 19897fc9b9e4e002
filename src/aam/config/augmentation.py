"""How training samples are varied."""

from typing import Annotated

from pydantic import Field

from aam.config._base import config


@config
class AugmentationConfig:
    """Random changes of training samples, afresh in every epoch; off unless asked for. Validation and prediction never change."""

    min_depth_fraction: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Draw each sample's depth log-uniformly between this fraction of --rarefy-depth (or of all its reads, with none) and
    the whole. Worth it when the model will read shallower samples than it was trained on; 0.2 is a start."""
    asv_dropout: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Chance that an ASV is left out of a sample. Worth it on a few hundred samples or fewer, which a model knows by heart;
    0.1 to 0.3."""
    abundance_noise: Annotated[float, Field(gt=0)] | None = None
    """Standard deviation of log-normal noise on the counts; each sample keeps its number of reads. Worth it when abundances will
    come from other laboratories, whose extraction and primers favour other ASVs; 0.2 to 1."""
    nucleotide_substitution: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Chance that a nucleotide is read as another one; an ASV changes alike in all samples of an epoch. Worth it when the
    model will read ASVs that training lacks; 0.01 changes one or two of 150."""
    mixup_alpha: Annotated[float, Field(gt=0)] | None = None
    """Mix the reads of each sample with another's of its batch, in a ratio drawn from Beta(alpha, alpha), and the target alike
    (classes as shares). Worth it on few samples, with 0.1 to 0.4; not where halfway between two samples means nothing for the
    target, nor with --distances."""
