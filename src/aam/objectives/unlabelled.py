"""What every objective that needs no labels is: one that brings its own target, and that the table lists."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from aam.batch import Batch
from aam.config.model import ModelConfig
from aam.config.objectives import ObjectivesConfig
from aam.drawn import AsvTarget, BatchTarget
from aam.ecology.resources import StudyResources
from aam.encoding import Encoding
from aam.objectives.objective import Objective

Settings = Mapping[str, Any]
"""What an objective is built from beside the model's shape: plain values, which the model directory keeps as JSON."""


class Baseline(ABC):
    """A trivial prediction: it learns from training batches what it can without a model, and is scored on validation batches."""

    @abstractmethod
    def learn(self, batch: Batch) -> None:
        """Take in a training batch."""

    @abstractmethod
    def score(self, batch: Batch) -> None:
        """Predict a validation batch."""

    @abstractmethod
    def scores(self) -> dict[str, float]:
        """Give its metrics, by name."""


class UnlabelledObjective(Objective):
    """One thing to predict that follows from the study itself; a row of `aam.config.objective_table` makes it known.

    Attributes
    ----------
    masks
        Options that say what a batch hides for it, as `Masking` calls them.
    """

    masks: ClassVar[tuple[str, ...]] = ()

    @classmethod
    @abstractmethod
    def build(cls, config: ModelConfig, name: str, settings: Settings) -> "UnlabelledObjective":
        """Build the objective called ``name`` in the table."""

    @classmethod
    def settle(cls, options: ObjectivesConfig, resources: StudyResources) -> dict[str, Any]:
        """Choose the settings of a new model's objective."""
        return {}

    @classmethod
    def meaning(cls, name: str, settings: Settings) -> Settings:
        """Say what settings make of the objective called ``name``: with the same meaning it can go on from earlier weights."""
        return settings

    def target(self, resources: StudyResources) -> BatchTarget | None:
        """Say how what it compares with follows from the reads that were drawn; a batch keeps it by the objective's name."""
        return None

    def asv_target(self, resources: StudyResources) -> AsvTarget | None:
        """Say the same of the distinct ASVs of a batch."""
        return None

    def vector_scale(self, encoding: Encoding, batch: Batch) -> float | None:
        """Give the factor by which new sample vectors should be stretched before training; None if it does not matter."""
        return None

    def calibrate(self, encoding: Encoding, batch: Batch) -> None:
        """Set sizes of a new head from a batch of training samples."""
        return

    def baseline(self) -> Baseline | None:
        """Make what a prediction must beat; None where there is nothing simple."""
        return None
