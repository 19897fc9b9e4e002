"""How a study with a known truth is simulated."""

from typing import Annotated

from pydantic import Field, model_validator

from aam.config._base import config


@config
class SimulationConfig:
    """A study with a known truth. Time and memory grow with --samples × --features."""

    samples: Annotated[int, Field(ge=8)] = 200
    """Samples in the table."""
    features: Annotated[int, Field(ge=20)] = 500
    """ASVs in the table. A sample holds about twice the square root of this many: 45 of 500, 140 of 5,000."""
    sequence_length: Annotated[int, Field(ge=20)] = 150
    """Nucleotides of each ASV's sequence."""
    mean_depth: Annotated[int, Field(ge=100)] = 10_000
    """Mean reads per sample; single samples differ several-fold. Deeper samples show more rare ASVs."""
    subjects: Annotated[int, Field(ge=2)] | None = None
    """People the samples were taken from; None: a quarter of --samples. Samples of one person resemble each
    other, so fewer people leave less to learn from."""
    signal: Annotated[float, Field(ge=0)] = 1.0
    """Strength of the tie between clades and the columns age and disease, as a factor on the clades' log fold
    changes; 0: the columns cannot be predicted."""
    batch_effect: Annotated[float, Field(ge=0)] = 0.5
    """Standard deviation of the log fold change that a sequencing run puts on the ASVs it distorts; 0: runs
    are alike."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """The same seed and options give the same study."""

    @model_validator(mode="after")
    def _subjects_have_samples(self) -> "SimulationConfig":
        if self.subjects is not None and self.subjects > self.samples:
            raise ValueError(
                f"--subjects {self.subjects} is more than --samples {self.samples}: "
                "each person gives at least one sample."
            )
        return self

    @property
    def n_subjects(self) -> int:
        """Number of people the samples were taken from."""
        return self.samples // 4 if self.subjects is None else self.subjects
