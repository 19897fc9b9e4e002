"""Plots of the validation samples, drawn whenever validation improves."""

import logging
from pathlib import Path
from typing import Any

from lightning.pytorch.callbacks import Callback

from aam.data.rarefaction import generator
from aam.distributed.ranks import SINGLE_PROCESS, Ranks
from aam.errors import OutputError
from aam.metrics.reservoir import Reservoir, merge
from aam.storage.atomic import atomic_path
from aam.training.progress import OverlaidTensorBoard

logger = logging.getLogger(__name__)

PURPOSE = "validation plot"
"""Purpose of the random stream that chooses points."""


class ValidationPlots(Callback):
    """Draws a plot of each objective to ``plots/`` and TensorBoard when an epoch is the best so far.

    Parameters
    ----------
    directory
        Directory of the plots.
    tensorboard
        Logger that the plots are added to; None on ranks that draw none.
    most_points
        Largest number of predictions of an objective to draw, chosen with equal chances.
    seed
        Seed of that choice, which differs between epochs.
    ranks
        Ranks that collect predictions; the first one draws those of all.
    """

    def __init__(
        self,
        directory: Path,
        tensorboard: OverlaidTensorBoard | None,
        most_points: int,
        seed: int,
        ranks: Ranks = SINGLE_PROCESS,
    ) -> None:
        self.directory = directory
        self.ranks = ranks
        self.tensorboard = tensorboard
        self.most_points = most_points
        self.seed = seed
        self.best = float("inf")
        self.has_improved = False
        self.reservoirs: dict[str, Reservoir] = {}

    def state_dict(self) -> dict[str, Any]:
        """Return the cost of the best epoch so far, for a checkpoint."""
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the cost of the best epoch so far."""
        self.best = state_dict["best"]

    def on_validation_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """Discard the predictions of the last epoch."""
        self.reservoirs.clear()

    def on_validation_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, *args: Any, **kwargs: Any) -> None:
        """Add predictions and true values to the reservoirs."""
        for name, (prediction, truth) in outputs.items():
            if name not in self.reservoirs:
                key_of_rank = [self.ranks.process.rank] if self.ranks.process.rank else []
                stream = generator(self.seed, PURPOSE, name, trainer.current_epoch, *key_of_rank)
                self.reservoirs[name] = Reservoir(self.most_points, stream)
            self.reservoirs[name].add(prediction, truth)

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Draw the plots, if this epoch is the best so far."""
        cost = pl_module.criterion.cost(trainer.callback_metrics)
        self.has_improved = not trainer.sanity_checking and bool(cost < self.best)
        if not self.has_improved:
            return
        self.best = cost
        reservoirs = {name: merge(self.ranks.gather(reservoir)) for name, reservoir in self.reservoirs.items()}
        if not self.ranks.is_first:
            return
        try:
            self._draw(pl_module, reservoirs, trainer.global_step - 1)  # the step of the epoch's scores
        except (OSError, OutputError) as error:
            logger.warning("The picture of the validation cannot be drawn: %s. Training goes on without it.", error)

    def _draw(self, pl_module: Any, reservoirs: dict[str, Reservoir], step: int) -> None:
        self.directory.mkdir(exist_ok=True)
        objectives = pl_module.model.active_objectives()
        for name, reservoir in reservoirs.items():
            if not reservoir.n_seen:
                continue
            prediction, truth = reservoir.points
            figure = objectives[name].draw(prediction.double(), truth, pl_module.overall[name])
            if figure is not None:
                with atomic_path(self.directory / f"{name}.png") as temporary:
                    figure.savefig(temporary, format="png")
                assert self.tensorboard is not None, "the first rank has a TensorBoard"
                self.tensorboard.log_figure(name, figure, step)
