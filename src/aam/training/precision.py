"""Where a run computes, and in which arithmetic: asked for, or measured when the user leaves it to aam."""

import time
from contextlib import AbstractContextManager
from functools import cache
from typing import Any

import torch

from aam.config.training import TrainingConfig
from aam.errors import ConfigError
from aam.nn.attention import attention_kernel

FAST_IN_BFLOAT16 = ("avx512_bf16", "amx_bf16")
"""Instructions of a CPU without which it never multiplies matrices of bfloat16 faster than those of float32."""

GAIN = 1.3
"""How many times faster the product of two matrices must be in bfloat16; casting costs, too."""

_SIZE = 768

_TRIES = 3


def resolve_precision(asked: str) -> str:
    """Give what ``--precision`` names; for ``auto``, bfloat16 where this machine multiplies it faster, else float32.

    Raises
    ------
    ConfigError
        It needs a GPU, and there is none.

    Examples
    --------
    >>> resolve_precision("64-true")
    '64-true'
    """
    if asked == "16-mixed" and not torch.cuda.is_available():
        raise ConfigError(
            "--precision 16-mixed needs a GPU: pass 32-true, or bf16-mixed where the CPU multiplies it fast."
        )
    if asked != "auto":
        return asked
    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    found = torch.cpu.get_capabilities()
    return "bf16-mixed" if any(found.get(name) for name in FAST_IN_BFLOAT16) and _gains() else "32-true"


@cache
def _gains() -> bool:
    """Whether this CPU is faster in bfloat16: some that have the instructions, in a virtual machine, are not."""
    seconds = {torch.float32: float("inf"), torch.bfloat16: float("inf")}
    for _ in range(_TRIES):
        for dtype, best in seconds.items():
            seconds[dtype] = min(best, _seconds(dtype))
    return seconds[torch.float32] > GAIN * seconds[torch.bfloat16]


def _seconds(dtype: torch.dtype) -> float:
    """Time one product of two square matrices on the CPU."""
    matrix = torch.ones(_SIZE, _SIZE, dtype=dtype)
    begun = time.perf_counter()
    torch.mm(matrix, matrix)
    return time.perf_counter() - begun


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
