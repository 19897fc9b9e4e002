"""The criterion of the best epoch: a number of the validation, and the direction in which it gets better."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from aam.errors import ConfigError
from aam.objectives.objective import Objective


@dataclass(frozen=True)
class Criterion:
    """Number of the validation that chooses the best epoch.

    Attributes
    ----------
    name
        Name of the number, as in ``--best-metric`` and in the metrics.
    is_higher_better
        Whether a higher number is better.
    """

    name: str
    is_higher_better: bool

    @property
    def logged_as(self) -> str:
        """Name under which the number is logged."""
        return f"validation/{self.name}"

    def cost(self, logged: Mapping[str, Tensor]) -> float:
        """Return a cost, which is smaller for a better epoch; infinity where the number was not logged or is NaN.

        Examples
        --------
        >>> Criterion("target_r2", True).cost({"validation/target_r2": Tensor([0.5])})
        -0.5
        """
        value = float(logged[self.logged_as]) if self.logged_as in logged else math.nan
        return math.inf if math.isnan(value) else -value if self.is_higher_better else value


def criterion_of(name: str, objectives: Mapping[str, Objective]) -> Criterion:
    """Find the number that ``--best-metric`` names among the losses and metrics of a run's objectives.

    Returns
    -------
    Criterion
        The number, and its direction.

    Raises
    ------
    ConfigError
        No number has that name; the message lists the names that exist.
    """
    directions = {"loss": False}
    for objective_name, objective in objectives.items():
        directions[f"{objective_name}_loss"] = False
        for metric_name, metric in objective.metrics().items():
            if metric.higher_is_better is not None:  # else it is for the picture alone
                directions[f"{objective_name}_{metric_name}"] = metric.higher_is_better
    if name not in directions:
        raise ConfigError(f"--best-metric {name} is none of this run's: choose from {', '.join(directions)}.")
    return Criterion(name, directions[name])
