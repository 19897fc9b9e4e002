"""What predicts the metadata column."""

from typing import Annotated, Literal

from pydantic import Field

from aam.config._base import config


@config
class HeadConfig:
    """What predicts the column: kernel machines, or the network."""

    head: Literal["auto", "kernel", "network"] = "auto"
    """kernel: compare samples by their ASVs, with --tree also by UniFrac and clades, and with --pretrained also by that model's
    sample vectors; takes seconds, uses all reads, and is the better choice for small studies. Options of the network and of its
    training then have no effect, and those given are named. network: train all weights of the network. auto: kernel for up to 1,000
    samples with a value of one column, network for more of either."""
    coverage: Annotated[float, Field(ge=0.5, lt=1)] = 0.9
    """Of the kernel head: share of the samples of new subjects whose truth should lie between lower and upper, or in the set of
    classes. Needs at least 1 / (1 − coverage) training subjects: 9 for 0.9."""
