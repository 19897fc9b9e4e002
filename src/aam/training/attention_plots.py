"""Pictures of attention over the ASVs of validation samples, whenever validation improves."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch.callbacks import Callback

from aam.batch import Batch
from aam.data.study import Study
from aam.errors import OutputError
from aam.figures import draw_attention, short_name
from aam.models.sequence_predictor import SequencePredictor
from aam.nn.attention_weights import AnyAttention, AttentionWatch
from aam.storage.atomic import atomic_path
from aam.training.plots import ValidationPlots
from aam.training.progress import OverlaidTensorBoard

logger = logging.getLogger(__name__)


class AttentionPlots(Callback):
    """Draws the weights of the pooling of ASVs in the first validation batch to ``plots/`` and TensorBoard.

    Weights are computed beside the fused kernels, so that nothing that is learned or scored changes.

    Parameters
    ----------
    plots
        Plots of the validation, which come first and say whether the epoch is the best so far.
    tensorboard
        Logger that the pictures are added to.
    study
        Study of the validation samples, which names samples and ASVs.
    """

    def __init__(self, plots: ValidationPlots, tensorboard: OverlaidTensorBoard, study: Study) -> None:
        self.plots = plots
        self.tensorboard = tensorboard
        self.study = study
        self.watch: AttentionWatch | None = None
        self.seen: dict[str, np.ndarray] = {}
        self.samples: list[str] = []
        self.features: list[str] = []

    def on_validation_batch_start(
        self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Watch the pooling in the first batch."""
        if batch_idx == 0 and not trainer.sanity_checking:
            self.watch = AttentionWatch(pooling_layers(pl_module.model))
            self.watch.start()

    def on_validation_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Batch, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Keep the weights of the first batch, mean over heads."""
        if self.watch is None:
            return
        self.watch.stop()
        n_features, offsets = len(batch.features), batch.sample_offsets.tolist()
        places = batch.asv_index.cpu().numpy()
        for name, of_samples in self.watch.take().items():
            weights = np.zeros((batch.n_samples, n_features))
            for row, of_sample in enumerate(of_samples[: batch.n_samples]):
                weights[row, places[offsets[row] : offsets[row + 1]]] = (
                    of_sample.double().mean(dim=(0, 1)).cpu().numpy()
                )
            self.seen[name] = weights
        self.samples = [short_name(self.study.sample_ids[sample]) for sample in batch.sample_index.tolist()]
        self.features = [short_name(self.study.feature_ids[feature]) for feature in batch.features.tolist()]
        self.watch = None

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Draw the weights, if this epoch is the best so far."""
        if trainer.sanity_checking or not self.plots.has_improved:
            return
        try:
            self._draw(self.plots.directory, trainer.global_step - 1)
        except (OSError, OutputError) as error:
            logger.warning("The picture of attention cannot be drawn: %s. Training goes on without it.", error)

    def _draw(self, directory: Path, step: int) -> None:
        directory.mkdir(exist_ok=True)
        for name, weights in self.seen.items():
            figure = draw_attention(weights, self.samples, self.features, name)
            with atomic_path(directory / f"attention-{name}.png") as temporary:
                figure.savefig(temporary, format="png")
            self.tensorboard.log_figure(f"attention-{name}", figure, step)


def pooling_layers(model: Any) -> dict[str, AnyAttention]:
    """Return the layers that pool the ASVs of samples, by name: that of the base, and that of the target's head."""
    if isinstance(model, SequencePredictor):
        return {"pooling": model.base_model.pooling, "target-pooling": model.pooling}
    return {"pooling": model.pooling}
