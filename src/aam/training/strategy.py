"""How Lightning trains on several devices: what it is told of the processes, and how gradients meet."""

from typing import Any

import torch.distributed as dist
from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.fabric.plugins.io.checkpoint_io import CheckpointIO
from lightning.pytorch.strategies import DDPStrategy, ModelParallelStrategy, Strategy

from aam.training.placement import Placement
from aam.training.ranks import Ranks


class JoinedEnvironment(ClusterEnvironment):
    """Tells Lightning of processes that have been started and joined already."""

    def __init__(self, placement: Placement) -> None:
        super().__init__()
        self.placement = placement

    @property
    def creates_processes_externally(self) -> bool:
        """Start none."""
        return True

    @property
    def main_address(self) -> str:
        """Where the first process listens."""
        return self.placement.address

    @property
    def main_port(self) -> int:
        """On which port."""
        return self.placement.port

    @staticmethod
    def detect() -> bool:
        """Never be chosen by Lightning itself."""
        return False

    def world_size(self) -> int:
        """Processes."""
        return self.placement.n_ranks

    def set_world_size(self, size: int) -> None:
        """Do nothing: it is known."""

    def global_rank(self) -> int:
        """Give this one's number."""
        return self.placement.rank

    def set_global_rank(self, rank: int) -> None:
        """Do nothing: it is known."""

    def local_rank(self) -> int:
        """Give its number on its machine."""
        return self.placement.local_rank

    def node_rank(self) -> int:
        """Give its machine's number."""
        return self.placement.rank // self.placement.n_local


def on_devices(ranks: Ranks, files: CheckpointIO | None = None) -> dict[str, Any]:
    """Give what a `lightning.Trainer` is told of the devices, and of how checkpoints are written."""
    placement, plugins = ranks.placement, [] if files is None else [files]
    if ranks.strategy is None:
        return {"devices": 1, "plugins": plugins}
    return {
        "devices": placement.n_local,
        "num_nodes": placement.n_nodes,
        "use_distributed_sampler": False,  # each rank cuts its part out of every batch by itself
        "plugins": [JoinedEnvironment(placement), *plugins],
        "strategy": _fsdp(ranks) if ranks.strategy == "fsdp" else WholeCopies(),
    }


class WholeCopies(DDPStrategy):
    """Each rank has a copy of all weights, which begin as those of the first; `TrainingModule` averages their gradients.

    PyTorch's own wrapper averages them during the backward pass, and is lost when a rank does not come to its end.
    """

    def configure_ddp(self) -> None:
        """Wrap nothing."""
        assert self.model is not None
        for value in self.model.state_dict().values():
            dist.broadcast(value, 0)


def _fsdp(ranks: Ranks) -> Strategy:
    return ModelParallelStrategy(
        data_parallel_size=ranks.placement.n_ranks,
        tensor_parallel_size=1,
        save_distributed_checkpoint=ranks.shards_checkpoints,
    )
