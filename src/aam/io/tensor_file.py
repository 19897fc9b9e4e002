"""Named tensors in one safetensors file."""

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from aam.io.atomic import atomic_path
from aam.io.cache import digest_of


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> str:
    """Write tensors, from wherever they are, and give the digest of the file.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    here = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic_path(path) as temporary:
        try:
            save_file(here, temporary)
        except SafetensorError as error:  # it has its own for what the disk says
            raise OSError(str(error)) from error
        return digest_of(temporary)
