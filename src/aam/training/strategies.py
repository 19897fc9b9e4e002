"""Strategies of Lightning on several devices: replicated weights (DDP), or weights sharded over ranks (FSDP)."""

import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.fabric.plugins.io.checkpoint_io import CheckpointIO
from lightning.pytorch.strategies import DDPStrategy, ModelParallelStrategy, Strategy
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor

from aam.distributed.process import ProcessRank
from aam.distributed.ranks import Ranks
from aam.models.asv_encoder import ASVEncoder
from aam.models.sample_sequence_encoder import SampleSequenceEncoder
from aam.nn.transformer import AttentionPooling, Transformer
from aam.objectives.objective import Objective

UNITS = (ASVEncoder, SampleSequenceEncoder, Transformer, AttentionPooling, Objective)
"""Modules whose weights are gathered while they run, the outermost of nested ones: all ranks run each of them equally often, which
is not true of the modules that the ASV encoder runs for each chunk of ASVs."""


def shard(module: nn.Module, mesh: DeviceMesh) -> None:
    """Shard the weights of a module over ranks; scalars stay whole, and hooks average their gradients."""
    for unit in _outermost(module):
        if not isinstance(unit, FSDPModule):
            whole = {weight for weight in unit.parameters() if weight.ndim == 0}
            fully_shard(unit, mesh=mesh, reshard_after_forward=True, ignored_params=whole)
            if isinstance(unit, ASVEncoder):
                register_fsdp_forward_method(unit, "at_positions")
    for weight in module.parameters():
        if not isinstance(weight, DTensor) and weight.requires_grad:
            weight.register_hook(_average)


def _outermost(module: nn.Module) -> Iterator[nn.Module]:
    for child in module.children():
        if isinstance(child, UNITS):
            yield child
        else:
            yield from _outermost(child)


def _average(gradient: Tensor) -> Tensor:
    gradient = gradient.clone()
    dist.all_reduce(gradient)
    return gradient / dist.get_world_size()


def own_part(weight: Tensor) -> Tensor:
    """Return the part of a weight that this rank holds; all of it if the weight is not sharded."""
    return weight.to_local() if isinstance(weight, DTensor) else weight


def read_weights(path: Path, module: nn.Module) -> dict[str, Any]:
    """Load the weights of a checkpoint, whole or sharded over any number of ranks, into a whole module.

    Returns
    -------
    dict of str to Any
        All else that the checkpoint holds.
    """
    if not path.is_dir():
        saved = torch.load(path, weights_only=True, map_location="cpu")
        module.load_state_dict(saved.pop("state_dict"))
        return saved
    weights = module.state_dict()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*load in a single process.*")  # where there is but one, that is meant
        load({"state_dict": weights}, checkpoint_id=path)
    module.load_state_dict(weights)
    return torch.load(path / "meta.pt", weights_only=True, map_location="cpu")


def _alike(weights: Iterable[nn.Parameter]) -> list[list[nn.Parameter]]:
    """Divide weights into whole and sharded ones, which no kernel takes together; leave out an empty group."""
    weights = list(weights)
    kinds = [
        [weight for weight in weights if isinstance(weight, DTensor) is is_sharded] for is_sharded in (False, True)
    ]
    return [kind for kind in kinds if kind]


def clip_gradients(weights: Iterable[nn.Parameter], most: float) -> None:
    """Scale gradients down, in place, so that the norm of all of them together is at most ``most``."""
    kinds = _alike(weight for weight in weights if weight.grad is not None)
    norms = [
        torch.nn.utils.get_total_norm([weight.grad for weight in kind if weight.grad is not None]) for kind in kinds
    ]
    whole = [norm.full_tensor() if isinstance(norm, DTensor) else norm for norm in norms]
    total = whole[0] if len(whole) == 1 else torch.linalg.vector_norm(torch.stack(whole))
    for kind in kinds:
        torch.nn.utils.clip_grads_with_norm_(kind, most, total)


class JoinedEnvironment(ClusterEnvironment):
    """Describes to Lightning the processes that have been started and joined already."""

    def __init__(self, process: ProcessRank) -> None:
        super().__init__()
        self.process = process

    @property
    def creates_processes_externally(self) -> bool:
        """True, so that Lightning starts no processes."""
        return True

    @property
    def main_address(self) -> str:
        """Address at which the first process listens."""
        return self.process.address

    @property
    def main_port(self) -> int:
        """Port at which the first process listens."""
        return self.process.port

    @staticmethod
    def detect() -> bool:
        """Return False, so that Lightning never chooses this environment by itself."""
        return False

    def world_size(self) -> int:
        """Return the number of processes."""
        return self.process.n_ranks

    def set_world_size(self, size: int) -> None:
        """Do nothing: the number of processes is fixed."""

    def global_rank(self) -> int:
        """Return the rank of this process among all."""
        return self.process.rank

    def set_global_rank(self, rank: int) -> None:
        """Do nothing: the rank is fixed."""

    def local_rank(self) -> int:
        """Return the rank of this process on its machine."""
        return self.process.local_rank

    def node_rank(self) -> int:
        """Return the number of this process's machine, from 0."""
        return self.process.rank // self.process.n_local


def on_devices(ranks: Ranks, files: CheckpointIO | None = None) -> dict[str, Any]:
    """Return the arguments of a `lightning.Trainer` for devices, strategy and checkpoint files.

    Parameters
    ----------
    ranks
        Ranks that train together.
    files
        Writer of checkpoints; None for Lightning's own.
    """
    process, plugins = ranks.process, [] if files is None else [files]
    if ranks.strategy is None:
        return {"devices": 1, "plugins": plugins}
    return {
        "devices": process.n_local,
        "num_nodes": process.n_nodes,
        "use_distributed_sampler": False,  # each rank cuts its part out of every batch by itself
        "plugins": [JoinedEnvironment(process), *plugins],
        "strategy": _fsdp(ranks) if ranks.strategy == "fsdp" else ReplicatedStrategy(),
    }


class ReplicatedStrategy(DDPStrategy):
    """Strategy of replicated weights, which start as those of the first rank; `TrainingModule` averages their gradients.

    PyTorch's own wrapper averages gradients during the backward pass, and cannot recover when a rank does not finish it.
    """

    def configure_ddp(self) -> None:
        """Broadcast the first rank's weights, and wrap nothing."""
        assert self.model is not None
        for value in self.model.state_dict().values():
            dist.broadcast(value, 0)


def _fsdp(ranks: Ranks) -> Strategy:
    return ModelParallelStrategy(
        data_parallel_size=ranks.process.n_ranks,
        tensor_parallel_size=1,
        save_distributed_checkpoint=ranks.shards_checkpoints,
    )
