"""The optimiser, the groups of weights that it moves at rates of their own, and the learning rate over a run."""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.optim import Optimizer

from aam.config.model import ModelConfig
from aam.config.training import OptimisationConfig, TrainingConfig, TransferConfig

_STAGES = ("encoder", "sample_encoder", "asv_encoder")
"""Parts of a base model, the uppermost first; each has a transformer."""

_BASE, _HEADS, _METADATA = "base_model", "objectives", "conditioning"


def depths_below_heads(model: nn.Module, config: ModelConfig) -> dict[str, int]:
    """Give each parameter's depth: 0 for heads, 1 for the uppermost block of the base, and so on down to the nucleotides.

    What feeds a transformer counts with its first block, and what reads it with its last.

    Parameters
    ----------
    model
        A `SequencePredictor`, or a `SequenceEncoder` with heads of its own.
    config
        Its shape.
    """
    has_base = hasattr(model, _BASE)
    depths = {}
    for name, _ in model.named_parameters():
        parts = name.split(".")
        if has_base and parts[0] != _BASE:
            depths[name] = 0
        else:
            depths[name] = _depth_in_base(parts[1:] if has_base else parts, config.attention_layers)
    return depths


def is_of_metadata(name: str) -> bool:
    """Whether a weight of a `SequencePredictor` belongs to what further columns of the metadata add."""
    return name.split(".", maxsplit=1)[0] == _METADATA


def _depth_in_base(parts: list[str], n_blocks: int) -> int:
    if parts[0] == _HEADS:
        return 0
    if parts[0] not in _STAGES:
        return 1  # the pooling and the scale of the sample vector
    above = _STAGES.index(parts[0]) * n_blocks
    if "blocks" in parts:
        return above + n_blocks - int(parts[parts.index("blocks") + 1])
    reads_the_transformer = "norm" in parts or "pooling" in parts
    return above + (1 if reads_the_transformer else n_blocks)


RateFactor = Callable[[int], float]
"""Gives the learning rate at a step as a share of its peak."""

ONE_CYCLE_START, ONE_CYCLE_END = 1 / 25, 1 / 25e4
"""Shares at the ends of one cycle, as in PyTorch's OneCycleLR."""


def rate_factor_of(config: OptimisationConfig, n_steps: int) -> RateFactor:
    """Give the schedule of a run; a plateau's, which depends on losses, is constant here."""
    if config.schedule == "one-cycle":
        return one_cycle(n_steps, config.warmup_fraction)
    n_cycles = {"cosine": 1, "restarts": config.cycles}.get(config.schedule, 0)
    return warmup_cosine(n_steps, config.warmup_fraction, n_cycles)


def warmup_cosine(n_steps: int, warmup_fraction: float, n_cycles: int = 1) -> RateFactor:
    """Rise linearly, then fall ``n_cycles`` times along a cosine (Loshchilov & Hutter 2017); with none, stay.

    Examples
    --------
    >>> share = warmup_cosine(n_steps=10, warmup_fraction=0.2)
    >>> [round(share(step), 2) for step in (0, 1, 2, 6, 10)]
    [0.5, 1.0, 1.0, 0.5, 0.0]
    """
    n_warmup = max(1, round(warmup_fraction * n_steps))

    def share(step: int) -> float:
        if step < n_warmup:
            return (step + 1) / n_warmup
        done = min(1.0, (step - n_warmup) / max(1, n_steps - n_warmup))
        in_cycle = 1.0 if done == 1.0 else done * n_cycles % 1
        return 0.5 * (1 + math.cos(math.pi * in_cycle)) if n_cycles else 1.0

    return share


def one_cycle(n_steps: int, rise_fraction: float) -> RateFactor:
    """Rise and fall along cosines (Smith & Topin 2018).

    Examples
    --------
    >>> share = one_cycle(n_steps=11, rise_fraction=0.5)
    >>> [round(share(step), 2) for step in (0, 5, 10)]
    [0.04, 0.98, 0.0]
    """
    top = rise_fraction * n_steps - 1
    last = n_steps - 1

    def share(step: int) -> float:
        if step <= top:
            return _between(ONE_CYCLE_START, 1.0, step / top if top > 0 else 1.0)
        return _between(1.0, ONE_CYCLE_END, min(1.0, (step - top) / max(1e-9, last - top)))

    return share


def _between(start: float, end: float, done: float) -> float:
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * done))


def from_step(share: RateFactor, first: int, step: int) -> float:
    """Give the share of the peak of a group of weights that rests until it is unfrozen."""
    return share(step) if step >= first else 0.0


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
