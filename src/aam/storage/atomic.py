"""Write a file whole or not at all, also of tensors; and return freed memory to the system."""

import ctypes
import os
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from aam.errors import OutputError
from aam.storage.cache import digest_of


def trim_malloc() -> None:
    """Return freed memory of the heap to the system, where the C library can (glibc)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Create a context with a temporary path beside ``path``; it is renamed to ``path`` on success and removed on failure.

    The temporary name has the suffix of ``path``, because some writers choose the format by it.

    Yields
    ------
    The temporary path, to write to.

    Raises
    ------
    OutputError
        The folder does not exist, ``path`` is a directory, or the data cannot be written.

    Examples
    --------
    >>> folder = getfixture("tmp_path")
    >>> with atomic_path(folder / "answer.txt") as temporary:
    ...     _ = temporary.write_text("42")
    >>> [item.name for item in folder.iterdir()]
    ['answer.txt']
    """
    if path.is_dir():
        raise OutputError(f"{path} cannot be written: it is a directory. Name a file in it.")
    if not path.parent.is_dir():
        raise OutputError(f"{path} cannot be written: the folder {path.parent} does not exist. Create it first.")
    temporary = path.with_name(f".{path.stem}-{uuid.uuid4().hex[:8]}{path.suffix}")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        if error.filename not in (None, temporary, str(temporary)):
            raise  # another file than ours
        reason = error.strerror or error
        raise OutputError(f"{path} cannot be written: {reason}. Free space or name another place.") from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text_atomic(path: Path, text: str) -> None:
    """Write text as UTF-8 with its line ends unchanged, replacing an earlier file.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> str:
    """Write tensors, from whichever device, to a safetensors file.

    Returns
    -------
    The digest of the file, as 32 hexadecimal digits.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    on_cpu = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic_path(path) as temporary:
        try:
            save_file(on_cpu, temporary)
        except SafetensorError as error:  # safetensors raises it in place of OSError
            raise OSError(str(error)) from error
        return digest_of(temporary)
