"""What predicts the metadata column."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from aam.config._base import config


@config
class HeadConfig:
    """What predicts the column: kernel machines, or the network."""

    head: Literal["auto", "kernel", "network"] = "auto"
    """kernel: compare samples by their ASVs, with --tree also by UniFrac and clades, and with --pretrained also by that model's
    sample vectors; takes seconds, uses all reads, and is the better choice for small studies. Options of the network and of its
    training then have no effect, and those given are named. network: train all weights of the network. auto: kernel for up to 1,000
    samples with a value of one column, network for more of either."""
    ensemble: Annotated[int, Field(ge=2)] | None = None
    """Train so many networks, each without one of as many parts of the training samples (whole groups), and predict their mean,
    with intervals or sets and a mark on samples unlike those of training, as the kernel head gives them. Takes as many times as
    long; 5 is a good number. None: one network."""
    coverage: Annotated[float, Field(ge=0.5, lt=1)] = 0.9
    """Of the kernel head and of --ensemble: share of the samples of new subjects whose truth should lie between lower and upper, or
    in the set of classes. Needs at least coverage / (1 − coverage) training subjects: 9 for 0.9."""

    @model_validator(mode="after")
    def _ensembles_are_of_networks(self) -> "HeadConfig":
        if self.head == "kernel" and self.ensemble is not None:
            raise ValueError(
                "--ensemble is of networks, and the kernel head has members, intervals and sets of its own: leave it out, or pass "
                "--head network."
            )
        return self
