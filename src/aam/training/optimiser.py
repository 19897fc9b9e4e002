"""The optimiser, its groups of weights with learning rates of their own, and the learning rate over a run."""

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
"""Parts of a base model from the top down; each has a transformer."""

_BASE, _HEADS, _METADATA = "base_model", "objectives", "conditioning"

RateFactor = Callable[[int], float]
"""Function that returns the learning rate at a step as a fraction of its peak."""

ONE_CYCLE_START, ONE_CYCLE_END = 1 / 25, 1 / 25e4
"""Fractions of the peak at the start and end of one cycle, as in PyTorch's OneCycleLR."""

_BLOCKS = "blocks"
"""Part of the names of transformer weights."""


def depths_below_heads(model: nn.Module, config: ModelConfig) -> dict[str, int]:
    """Compute the depth of each parameter: 0 for heads, 1 for the uppermost block of the base, and so on down to the nucleotides.

    Layers that feed a transformer count with its first block, and layers that read it with its last.

    Parameters
    ----------
    model
        A `SequencePredictor`, or a `SequenceEncoder` with heads of its own.
    config
        Shape of the model.

    Returns
    -------
    dict of str to int
        Depth by name of the parameter.
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
    """Whether a weight of a `SequencePredictor` belongs to the layers for covariates of the metadata."""
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


@dataclass(frozen=True)
class Group:
    """Weights that share a learning rate and a weight decay.

    Attributes
    ----------
    parameters
        The weights.
    lr
        Peak learning rate.
    decay
        Decoupled weight decay.
    first_epoch
        First epoch, from 0, in which the weights are not frozen.
    is_hidden
        Whether the weights are matrices of transformers, for which Muon is made.
    """

    parameters: list[nn.Parameter]
    lr: float
    decay: float
    first_epoch: int
    is_hidden: bool


def group_parameters(
    model: nn.Module, model_config: ModelConfig, training: TrainingConfig, transfer: TransferConfig
) -> list[Group]:
    """Group trainable weights by depth, and by whether they decay, are matrices of transformers, scalars, or of covariates.

    Scalars have groups of their own as FSDP keeps them whole and shards all else, and no optimiser moves both together.

    Rates follow Howard & Ruder (2018): each block below the heads learns at ``--layer-decay`` times the rate of the one above, and
    begins ``--unfreeze-epochs`` later.

    Returns
    -------
    list of Group
        Groups, the uppermost first.
    """
    depths = depths_below_heads(model, model_config)
    parameters_by_key: dict[tuple[int, bool, bool, bool, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            is_matrix = parameter.ndim > 1
            is_hidden = is_matrix and _BLOCKS in name.split(".")
            key = depths[name], is_matrix, is_hidden, parameter.ndim == 0, is_of_metadata(name)
            parameters_by_key.setdefault(key, []).append(parameter)
    head_lr = training.lr if transfer.head_lr is None else transfer.head_lr
    category_lr = head_lr if transfer.category_lr is None else transfer.category_lr
    groups = []
    for (depth, is_matrix, is_hidden, _, is_metadata), parameters in sorted(
        parameters_by_key.items(), key=lambda item: item[0]
    ):
        lr_of_heads = category_lr if is_metadata else head_lr
        lr = training.lr * transfer.layer_decay ** (depth - 1) if depth else lr_of_heads
        decay = training.weight_decay if is_matrix else 0.0
        groups.append(Group(parameters, lr, decay, depth * transfer.unfreeze_epochs, is_hidden))
    return groups


def rate_factor_of(config: OptimisationConfig, n_steps: int) -> RateFactor:
    """Build the learning rate schedule of a run; that of a plateau, which depends on losses, is constant here."""
    if config.schedule == "one-cycle":
        return one_cycle(n_steps, config.warmup_fraction)
    n_cycles = {"cosine": 1, "restarts": config.cycles}.get(config.schedule, 0)
    return warmup_cosine(n_steps, config.warmup_fraction, n_cycles)


def warmup_cosine(n_steps: int, warmup_fraction: float, n_cycles: int = 1) -> RateFactor:
    """Build a schedule that rises linearly, then falls along a cosine (Loshchilov & Hutter 2017).

    Parameters
    ----------
    n_steps
        Steps of the run.
    warmup_fraction
        Fraction of the steps in which the rate rises.
    n_cycles
        Number of falls, each from the peak; with 0, the rate stays at the peak.

    Returns
    -------
    RateFactor
        Schedule of fractions from 0 to 1.

    Examples
    --------
    >>> rate_factor = warmup_cosine(n_steps=10, warmup_fraction=0.2)
    >>> [round(rate_factor(step), 2) for step in (0, 1, 2, 6, 10)]
    [0.5, 1.0, 1.0, 0.5, 0.0]
    """
    n_warmup = max(1, round(warmup_fraction * n_steps))

    def rate_factor(step: int) -> float:
        if step < n_warmup:
            return (step + 1) / n_warmup
        fraction_done = min(1.0, (step - n_warmup) / max(1, n_steps - n_warmup))
        fraction_of_cycle = 1.0 if fraction_done == 1.0 else fraction_done * n_cycles % 1
        return 0.5 * (1 + math.cos(math.pi * fraction_of_cycle)) if n_cycles else 1.0

    return rate_factor


def one_cycle(n_steps: int, rise_fraction: float) -> RateFactor:
    """Build a schedule that rises and falls along cosines (Smith & Topin 2018).

    Parameters
    ----------
    n_steps
        Steps of the run.
    rise_fraction
        Fraction of the steps in which the rate rises.

    Returns
    -------
    RateFactor
        Schedule of fractions from 0 to 1.

    Examples
    --------
    >>> rate_factor = one_cycle(n_steps=11, rise_fraction=0.5)
    >>> [round(rate_factor(step), 2) for step in (0, 5, 10)]
    [0.04, 0.98, 0.0]
    """
    top = rise_fraction * n_steps - 1
    last = n_steps - 1

    def rate_factor(step: int) -> float:
        if step <= top:
            return _between(ONE_CYCLE_START, 1.0, step / top if top > 0 else 1.0)
        return _between(1.0, ONE_CYCLE_END, min(1.0, (step - top) / max(1e-9, last - top)))

    return rate_factor


def _between(start: float, end: float, fraction_done: float) -> float:
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * fraction_done))


def from_step(rate_factor: RateFactor, first_step: int, step: int) -> float:
    """Compute the fraction of the peak rate of a group of weights that is frozen, at 0, before its first step."""
    return rate_factor(step) if step >= first_step else 0.0


def build_optimiser(config: TrainingConfig, groups: list[Group]) -> Optimizer:
    """Build the optimiser that ``--optimizer`` names, with the given groups in the given order."""
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
    """Return an optimiser's state as FSDP reads it: numbered by the position of each weight in a module, with a state for each."""
    positions = {id(weight): number for number, weight in enumerate(module.parameters())}
    numbers = [positions[id(weight)] for group in optimiser.param_groups for weight in group["params"]]
    states = {numbers[index]: weight_state for index, weight_state in state["state"].items()}
    groups = [{**group, "params": [numbers[index] for index in group["params"]]} for group in state["param_groups"]]
    return with_all_states({"state": states, "param_groups": groups}, optimiser, module)


def with_all_states(state: dict[str, Any], optimiser: Optimizer, module: nn.Module) -> dict[str, Any]:
    """Return an optimiser's state with an entry for each weight, numbered by position in a module; FSDP needs all to continue.

    The state of a weight that has not been moved yet is zeros, from which optimisers start. Nothing is added to a sharded state,
    whose weights have names, or to that of FSDP's other ranks, which is empty.
    """
    weights, states = list(module.parameters()), state.get("state", {})
    example = next((number for number in states if isinstance(number, int) and weights[number].ndim), None)
    if example is None or isinstance(optimiser, MuonWithAdamW):  # which FSDP does not take
        return state
    initial_states = {
        number: _initial_state(weights[number], weights[example], states[example])
        for group in state["param_groups"]
        for number in group["params"]
        if number not in states
    }
    return {**state, "state": states | initial_states}


def _initial_state(weight: nn.Parameter, example: nn.Parameter, example_state: dict[str, Any]) -> dict[str, Any]:
    """Build the initial state of a weight after that of an example: moments, of the weight's shape, and step counts are 0."""
    return {
        name: value.new_zeros(weight.shape if value.shape == example.shape else value.shape)
        if isinstance(value, Tensor)
        else value
        for name, value in example_state.items()
    }


class MuonWithAdamW(Optimizer):
    """Muon (Jordan et al. 2024) for the matrices of transformers, AdamW for all else.

    Muon's steps are scaled to the size of AdamW's (Liu et al. 2025), so that both use one learning rate.

    Parameters
    ----------
    groups
        Groups of weights with their options, as for any optimiser of PyTorch.
    is_muons
        Whether Muon moves each group.
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
        """Make both optimisers use the groups and the state of this one, which alone is scheduled and saved."""
        positions = {id(group["params"][0]): position for position, group in enumerate(self.param_groups)}
        for part in self._parts:
            for group in part.param_groups:
                shared_group = self.param_groups[positions[id(group["params"][0])]]
                shared_group.update({**group, **shared_group})
            part.param_groups = [self.param_groups[positions[id(group["params"][0])]] for group in part.param_groups]
            part.state = self.state

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        """Take one step of both optimisers; return the loss of the closure, if there is one."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for part in self._parts:
            part.step()
        return loss

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load the state that `state_dict` of another one returned."""
        super().load_state_dict(state_dict)
        self._share()
