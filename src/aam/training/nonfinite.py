"""Report of a batch whose loss was not finite: its samples, and where the first number that is not finite came up."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn

from aam.batch import Batch
from aam.distributed.ranks import SINGLE_PROCESS, Ranks
from aam.errors import AamError, OutputError
from aam.storage.atomic import write_text_atomic
from aam.training.strategies import own_part

logger = logging.getLogger(__name__)

REPORT, WEIGHTS = "nonfinite-batch.json", "checkpoints/nonfinite.ckpt"
"""Files in the output directory: the report of the batch, and the weights at that step."""


class NonFiniteLossError(AamError):
    """The loss of a batch is infinite or not a number, so that training cannot continue."""


class NonFiniteReport(Callback):
    """Computes a batch whose loss was not finite once more, with the same dropout, and writes a report.

    The weights are saved for ``--replay``. The run's last checkpoint is from before that batch, so ``--resume`` comes to it again.

    Parameters
    ----------
    output_dir
        Directory of the run.
    sample_ids
        Ids of the study's samples, in the order of its rows.
    ranks
        Ranks that each have a part of the batch; the first one writes.
    keeps_weights
        Whether to save the weights.
    """

    def __init__(
        self, output_dir: Path, sample_ids: Sequence[str], ranks: Ranks = SINGLE_PROCESS, keeps_weights: bool = True
    ) -> None:
        self.path, self.weights_path = output_dir / REPORT, output_dir / WEIGHTS
        self.sample_ids, self.ranks, self.keeps_weights = sample_ids, ranks, keeps_weights
        self._batch_idx = 0

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Batch, batch_idx: int) -> None:
        """Store the number of the batch."""
        self._batch_idx = batch_idx

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Write the report, and name it in the error's message."""
        if not isinstance(exception, NonFiniteLossError):
            return
        batch, batch_idx = pl_module.in_step, self._batch_idx
        if self.keeps_weights:
            trainer.save_checkpoint(self.weights_path, weights_only=True)
        pl_module.on_train_batch_start(batch, batch_idx)  # the same dropout
        with trainer.precision_plugin.train_step_context(), torch.no_grad():
            first, losses = first_non_finite(pl_module, batch)
        nonfinite = [
            name for name, weight in pl_module.model.named_parameters() if not own_part(weight).isfinite().all()
        ]
        samples = [self.sample_ids[row] for row in batch.sample_index.tolist()]
        positioned = list(zip(batch.sample_places.tolist(), samples, strict=True))
        of_ranks = self.ranks.gather((positioned, first, nonfinite))
        if not self.ranks.is_first:
            return
        samples = [sample for _, sample in sorted(pair for positioned, _, _ in of_ranks for pair in positioned)]
        first = next((name for _, name, _ in of_ranks if name is not None), None)
        weights = list(dict.fromkeys(name for _, _, nonfinite in of_ranks for name in nonfinite))
        report = {
            "epoch": trainer.current_epoch,
            "batch": batch_idx,
            "step": trainer.global_step,
            "seed": pl_module.training_config.seed,
            "samples": samples,
            "losses": {name: str(loss.item()) for name, loss in losses.items()},
            "first_module_with_output_not_finite": first,
            "weights_not_finite": weights,
        }
        try:
            write_text_atomic(self.path, json.dumps(report, indent=2) + "\n")
        except (OSError, OutputError) as error:
            logger.warning("%s cannot be written: %s. It would hold: %s", self.path, error, report)
            return
        where = f"weights, {weights[0]} first" if weights else f"the output of {first}" if first else "the loss itself"
        exception.args = (
            f"{exception} Not finite: {where}. {self.path} has the batch's samples and all losses. The same command with "
            f"{'--replay computes it again and says more; with ' if self.keeps_weights else ''}--resume, it goes back to the last "
            "checkpoint, and comes to this batch again.",
        )


def first_non_finite(module: Any, batch: Batch) -> tuple[str | None, dict[str, Tensor]]:
    """Compute a batch's losses, and find the first part of the model whose output is not finite.

    Returns
    -------
    tuple of str or None, and dict
        Name of that module, None if all outputs are finite; and the losses by objective, scalars.
    """
    names: list[str] = []

    def look(name: str) -> Any:
        def hook(part: nn.Module, inputs: Any, output: Any) -> None:
            if isinstance(output, Tensor) and not output.detach().isfinite().all():
                names.append(name)

        return hook

    handles = [part.register_forward_hook(look(name)) for name, part in module.model.named_modules()]
    try:
        losses = module.total_loss(batch)[1]
    finally:
        for handle in handles:
            handle.remove()
    return (names[0] if names else None), losses
