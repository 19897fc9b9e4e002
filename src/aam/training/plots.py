"""Pictures of the validation samples, drawn whenever validation improves."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from aam.io.atomic import atomic_path
from aam.training.tensorboard import OverlaidTensorBoard

MOST_POINTS = 20_000
"""Predictions of an objective that are kept for its picture; those of the first batches."""


class ValidationPlots(Callback):
    """Draws each objective's picture to ``plots/`` and TensorBoard when ``validation/loss`` is the lowest so far."""

    def __init__(self, directory: Path, tensorboard: OverlaidTensorBoard) -> None:
        self.directory = directory
        self.tensorboard = tensorboard
        self.best = float("inf")
        self._scored: dict[str, list[tuple[Tensor, Tensor]]] = defaultdict(list)
        self._points: dict[str, int] = defaultdict(int)

    def on_validation_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """Forget the last epoch."""
        self._scored.clear()
        self._points.clear()

    def on_validation_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, *args: Any, **kwargs: Any) -> None:
        """Keep predictions and truths, up to a bound."""
        for name, (prediction, truth) in outputs.items():
            if self._points[name] < MOST_POINTS:
                self._scored[name].append((prediction.detach().cpu(), truth.detach().cpu()))
                self._points[name] += len(truth)

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Draw, if this epoch is the best so far."""
        loss = float(trainer.callback_metrics["validation/loss"])
        if trainer.sanity_checking or not loss < self.best:
            return
        self.best = loss
        self.directory.mkdir(exist_ok=True)
        objectives = pl_module.model.active_objectives()
        for name, scored in self._scored.items():
            prediction, truth = (torch.cat(parts) for parts in zip(*scored, strict=True))
            figure = objectives[name].draw(prediction.double(), truth) if len(truth) else None
            if figure is not None:
                with atomic_path(self.directory / f"{name}.png") as temporary:
                    figure.savefig(temporary, format="png")
                self.tensorboard.log_figure(name, figure, trainer.global_step)
