"""Which epoch is the best: by one of the numbers that validation gives, in the direction in which it gets better."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from aam.errors import ConfigError
from aam.objectives.objective import Objective


@dataclass(frozen=True)
class Criterion:
    """A number of the validation that chooses the best epoch.

    Attributes
    ----------
    name
        As ``--best-metric`` and the metrics call it.
    is_higher_better
        Its direction.
    """

    name: str
    is_higher_better: bool

    @property
    def logged_as(self) -> str:
        """Name under which it is logged."""
        return f"validation/{self.name}"

    def cost(self, logged: Mapping[str, Tensor]) -> float:
        """Give a number that is the smaller the better; infinity where it was not logged or is none.

        Examples
        --------
        >>> Criterion("target_r2", True).cost({"validation/target_r2": Tensor([0.5])})
        -0.5
        """
        value = float(logged[self.logged_as]) if self.logged_as in logged else math.nan
        return math.inf if math.isnan(value) else -value if self.is_higher_better else value


def criterion_of(name: str, objectives: Mapping[str, Objective]) -> Criterion:
    """Find the number that ``--best-metric`` names among those that a validation of these objectives gives.

    Raises
    ------
    ConfigError
        There is none of that name; the message lists those that there are.
    """
    directions = {"loss": False}
    for objective, learned in objectives.items():
        directions[f"{objective}_loss"] = False
        for metric, measure in learned.metrics().items():
            if measure.higher_is_better is not None:  # else it is for the picture alone
                directions[f"{objective}_{metric}"] = measure.higher_is_better
    if name not in directions:
        raise ConfigError(f"--best-metric {name} is none of this run's: choose from {', '.join(directions)}.")
    return Criterion(name, directions[name])
