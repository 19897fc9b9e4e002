"""How far below the heads each weight is, for learning rates that differ by depth."""

from torch import nn

from aam.config.model import ModelConfig

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
