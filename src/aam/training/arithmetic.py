"""Where a run computes, in which arithmetic, and with which kernel of attention."""

from contextlib import AbstractContextManager
from typing import Any

import torch

from aam.config.training import TrainingConfig
from aam.nn.attention import attention_kernel
from aam.training.precision import resolve_precision


def device_type() -> str:
    """Name the kind of device that there is."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def accelerator() -> str:
    """Name it as Lightning does."""
    return "gpu" if torch.cuda.is_available() else "cpu"


def weight_type(config: TrainingConfig) -> torch.dtype:
    """Give the type of the weights."""
    return torch.float64 if config.precision == "64-true" else torch.float32


def lightning_precision(config: TrainingConfig) -> Any:
    """Name Lightning's precision; its 64-true refuses frozen batches, so the module is converted by hand for it."""
    return "32-true" if config.precision == "64-true" else resolve_precision(config.precision)


def autocast(config: TrainingConfig) -> torch.autocast:
    """Give the context of a forward pass outside Lightning."""
    precision = resolve_precision(config.precision)
    dtype = torch.float16 if precision == "16-mixed" else torch.bfloat16
    return torch.autocast(device_type(), dtype, enabled=precision.endswith("mixed"))


def kernel_of_attention(config: TrainingConfig) -> AbstractContextManager[None]:
    """Give the context in which all attention runs on the kernel that was asked for."""
    return attention_kernel(config.attn_implementation, torch.device(device_type()), _type_of_attention(config))


def _type_of_attention(config: TrainingConfig) -> torch.dtype:
    """Give the arithmetic of attention; on a CPU it is never half precision."""
    precision = resolve_precision(config.precision)
    if precision == "64-true":
        return torch.float64
    is_half = precision != "32-true" and torch.cuda.is_available()
    return {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}[precision] if is_half else torch.float32
