"""FSDP: each rank holds a part of every weight, of its gradient and of the optimiser's state (Zhao et al. 2023)."""

import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor

from aam.models.asv_encoder import ASVEncoder
from aam.models.sample_sequence_encoder import SampleSequenceEncoder
from aam.nn.pooling import AttentionPooling
from aam.nn.transformer import Transformer
from aam.objectives.objective import Objective

UNITS = (ASVEncoder, SampleSequenceEncoder, Transformer, AttentionPooling, Objective)
"""Modules whose weights are brought together while they run, the outermost of those inside each other: all ranks run each of them
equally often, which is not true of what the ASV encoder runs for each chunk of ASVs."""


def shard(module: nn.Module, mesh: DeviceMesh) -> None:
    """Leave each rank its part of the weights; single numbers stay whole, and their gradients are averaged by themselves."""
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
    """Give what this rank holds of a weight."""
    return weight.to_local() if isinstance(weight, DTensor) else weight


def read_weights(path: Path, module: nn.Module) -> dict[str, Any]:
    """Load the weights of a checkpoint, whole or in parts of any number of ranks, into a whole module; give what else it holds."""
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
    """Divide weights into those in parts and whole ones, which no kernel takes together; leave out what is empty."""
    weights = list(weights)
    kinds = [
        [weight for weight in weights if isinstance(weight, DTensor) is is_sharded] for is_sharded in (False, True)
    ]
    return [kind for kind in kinds if kind]


def clip_gradients(weights: Iterable[nn.Parameter], most: float) -> None:
    """Scale gradients down until the norm of all of them together is ``most``."""
    kinds = _alike(weight for weight in weights if weight.grad is not None)
    norms = [
        torch.nn.utils.get_total_norm([weight.grad for weight in kind if weight.grad is not None]) for kind in kinds
    ]
    whole = [norm.full_tensor() if isinstance(norm, DTensor) else norm for norm in norms]
    total = whole[0] if len(whole) == 1 else torch.linalg.vector_norm(torch.stack(whole))
    for kind in kinds:
        torch.nn.utils.clip_grads_with_norm_(kind, most, total)
