"""Optimisers by name, and the groups of weights that they move at rates of their own."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.optim import Optimizer

from aam.config.model import ModelConfig
from aam.config.training import TrainingConfig
from aam.config.transfer import TransferConfig
from aam.training.layers import depths_below_heads, is_of_metadata

_BLOCKS = "blocks"
"""In the names of the weights of transformers."""


@dataclass(frozen=True)
class Group:
    """Weights that move alike.

    Attributes
    ----------
    parameters
        The weights.
    lr
        Peak learning rate.
    decay
        Decoupled weight decay.
    first_epoch
        Epoch in which they begin to move.
    is_hidden
        Whether they are matrices of transformers, for which Muon is made.
    """

    parameters: list[nn.Parameter]
    lr: float
    decay: float
    first_epoch: int
    is_hidden: bool


def group_parameters(
    model: nn.Module, shape: ModelConfig, training: TrainingConfig, transfer: TransferConfig
) -> list[Group]:
    """Group what learns by depth, and by whether they decay, are matrices of transformers, single numbers, or of metadata.

    FSDP has numbers whole and all else in parts, and no optimiser moves both together.

    Rates follow Howard & Ruder (2018): each block below the heads learns at ``--layer-decay`` times the rate of the one above, and
    begins ``--unfreeze-epochs`` later.
    """
    depths = depths_below_heads(model, shape)
    found: dict[tuple[int, bool, bool, bool, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            is_matrix = parameter.ndim > 1
            is_hidden = is_matrix and _BLOCKS in name.split(".")
            key = depths[name], is_matrix, is_hidden, parameter.ndim == 0, is_of_metadata(name)
            found.setdefault(key, []).append(parameter)
    head_lr = training.lr if transfer.head_lr is None else transfer.head_lr
    category_lr = head_lr if transfer.category_lr is None else transfer.category_lr
    groups = []
    for (depth, is_matrix, is_hidden, _, is_metadata), parameters in sorted(found.items(), key=lambda item: item[0]):
        lr_of_heads = category_lr if is_metadata else head_lr
        lr = training.lr * transfer.layer_decay ** (depth - 1) if depth else lr_of_heads
        decay = training.weight_decay if is_matrix else 0.0
        groups.append(Group(parameters, lr, decay, depth * transfer.unfreeze_epochs, is_hidden))
    return groups


def build_optimiser(config: TrainingConfig, groups: list[Group]) -> Optimizer:
    """Make the optimiser that ``--optimizer`` names; its groups are those given, in their order."""
    options = [{"params": group.parameters, "lr": group.lr, "weight_decay": group.decay} for group in groups]
    unscales = config.precision == "16-mixed"  # a fused one would undo the loss scale before gradients are clipped
    if config.optimizer == "sgd":
        nesterov = config.momentum > 0
        is_in_parts = any(isinstance(weight, DTensor) for group in groups for weight in group.parameters)
        fused = not (unscales or is_in_parts)  # PyTorch has no fused SGD for weights in parts
        return torch.optim.SGD(options, lr=config.lr, momentum=config.momentum, nesterov=nesterov, fused=fused)
    if config.optimizer == "adamw" or not any(group.is_hidden for group in groups):
        return torch.optim.AdamW(options, lr=config.lr, fused=not unscales)
    return MuonWithAdamW(options, [group.is_hidden for group in groups], fused=not unscales)


def numbered_by_module(state: dict[str, Any], optimiser: Optimizer, module: nn.Module) -> dict[str, Any]:
    """Give an optimiser's state as FSDP reads it: weights are numbered by their place in a module, and each has a state."""
    place = {id(weight): number for number, weight in enumerate(module.parameters())}
    numbers = [place[id(weight)] for group in optimiser.param_groups for weight in group["params"]]
    found = {numbers[own]: parts for own, parts in state["state"].items()}
    groups = [{**group, "params": [numbers[own] for own in group["params"]]} for group in state["param_groups"]]
    return with_all_states({"state": found, "param_groups": groups}, optimiser, module)


def with_all_states(state: dict[str, Any], optimiser: Optimizer, module: nn.Module) -> dict[str, Any]:
    """Give each weight, numbered by its place in a module, a state, without which FSDP does not go on.

    That of a weight which has not been moved is zeros, which is what optimisers start from. Nothing is added to a state in parts,
    whose weights have names, and to that of FSDP's other ranks, which is empty.
    """
    weights, known = list(module.parameters()), state.get("state", {})
    example = next((number for number in known if isinstance(number, int) and weights[number].ndim), None)
    if example is None or isinstance(optimiser, MuonWithAdamW):  # which FSDP does not take
        return state
    at_first = {
        number: _at_first(weights[number], weights[example], known[example])
        for group in state["param_groups"]
        for number in group["params"]
        if number not in known
    }
    return {**state, "state": known | at_first}


def _at_first(weight: nn.Parameter, other: nn.Parameter, state: dict[str, Any]) -> dict[str, Any]:
    """Make the state of a weight like that of another: parts of that one's shape, and counts of steps, are zeros."""
    return {
        name: part.new_zeros(weight.shape if part.shape == other.shape else part.shape)
        if isinstance(part, Tensor)
        else part
        for name, part in state.items()
    }


class MuonWithAdamW(Optimizer):
    """Muon (Jordan et al. 2024) for the matrices of transformers, AdamW for all else.

    Muon's steps are scaled to the size of AdamW's (Liu et al. 2025), so that both use one learning rate.

    Parameters
    ----------
    groups
        As for any optimiser of PyTorch.
    is_muons
        Which of them are Muon's.
    fused
        Whether AdamW runs its fused kernel.
    """

    def __init__(self, groups: list[dict[str, Any]], is_muons: list[bool], fused: bool) -> None:
        super().__init__(groups, {})
        muons = itertools.compress(self.param_groups, is_muons)
        others = itertools.compress(self.param_groups, [not is_muon for is_muon in is_muons])
        self._parts = (
            torch.optim.Muon(list(muons), adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(list(others), fused=fused),
        )
        self._share()

    def _share(self) -> None:
        """Let the parts read the groups and write the state of this one: what is scheduled and saved is here alone."""
        places = {id(group["params"][0]): place for place, group in enumerate(self.param_groups)}
        for part in self._parts:
            for group in part.param_groups:
                mine = self.param_groups[places[id(group["params"][0])]]
                mine.update({**group, **mine})
            part.param_groups = [self.param_groups[places[id(group["params"][0])]] for group in part.param_groups]
            part.state = self.state

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        """Take one step."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for part in self._parts:
            part.step()
        return loss

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the state that another gave."""
        super().load_state_dict(state_dict)
        self._share()
