"""Which arithmetic a run uses when the user leaves it to aam."""

import torch

FAST_IN_BFLOAT16 = ("avx512_bf16", "amx_bf16")
"""Instructions of a CPU that multiply matrices of bfloat16 faster than those of float32."""


def resolve_precision(asked: str) -> str:
    """Give what ``--precision`` names; for ``auto``, bfloat16 where this machine multiplies it faster, else float32.

    Examples
    --------
    >>> resolve_precision("64-true")
    '64-true'
    """
    if asked != "auto":
        return asked
    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    found = torch.cpu.get_capabilities()
    return "bf16-mixed" if any(found.get(name) for name in FAST_IN_BFLOAT16) else "32-true"
