"""Checkpoint files of training: written whole or not at all, with numbers and names alone, and with the identity of their run."""

import os
import pickle
import re
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

import aam
from aam.config.base import without_deleted
from aam.errors import InputError
from aam.storage.atomic import atomic_path

FORMAT = 2
"""Version of the format; raised when older checkpoints can no longer be continued."""

HEADER, PROGRESS = "aam", "progress"
"""Keys of a checkpoint beside those of Lightning."""


class CheckpointError(InputError):
    """A checkpoint is damaged, of another program or version, or of a run with other settings."""


@dataclass(frozen=True)
class Identity:
    """Inputs that determine a run; continued with others, it would be a mixture of two runs.

    Attributes
    ----------
    settings
        Options by flag, without those that change no weight, and without paths.
    contents
        Digest of each file that is read beside the study, by flag.
    study
        Digest of the study.
    """

    settings: Mapping[str, Any]
    contents: Mapping[str, str]
    study: str


@dataclass(frozen=True)
class Progress:
    """Progress of a run, always between two optimiser steps.

    Attributes
    ----------
    epoch, batch
        Epoch and number of the next batch to train on, from 0; after the last batch of an epoch its validation follows.
    steps
        Number of optimiser steps done.
    is_finished
        Whether nothing is left to train.
    """

    epoch: int
    batch: int
    steps: int
    is_finished: bool = False

    def __str__(self) -> str:
        """Return the epochs, batches and steps done, in words."""
        counts = {"epoch": (self.epoch, "s"), "batch": (self.batch, "es"), "step": (self.steps, "s")}
        epochs, batches, steps = (f"{n:,} {name}{end * (n != 1)}" for name, (n, end) in counts.items())
        return f"{epochs}{f' and {batches}' if self.batch else ''} ({steps})"


def write_checkpoint(path: Path, content: Mapping[str, Any]) -> None:
    """Write a checkpoint beside ``path``, sync it, verify it, and then rename it to ``path``; an earlier file stays until then.

    Raises
    ------
    OSError, RuntimeError, AamError
        The data cannot be written, or the file that is read back differs from them.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        with temporary.open("wb") as file:
            torch.save(dict(content), file)
            file.flush()
            os.fsync(file.fileno())
        verify_checkpoint(temporary)
    sync_directory(path.parent)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Load a checkpoint that aam wrote.

    Returns
    -------
    dict of str to Any
        Content of the checkpoint; tensors are mapped to the file, and read when they are used.

    Raises
    ------
    CheckpointError
        The file is missing, damaged, not aam's, of another version, or holds anything but numbers and names.
    """
    verify_checkpoint(path)
    content = _load(path)
    header = content.get(HEADER) if isinstance(content, dict) else None
    if not isinstance(header, dict) or "format" not in header:
        raise CheckpointError(
            f"{path} cannot be continued: aam did not write it, or an older version of aam did, whose checkpoints hold too little. "
            "Train anew with --overwrite, or name another --output-dir."
        )
    if header["format"] != FORMAT:
        raise CheckpointError(
            f"{path} cannot be continued: aam {header.get('version')} wrote it in format {header['format']}, and this is aam "
            f"{aam.__version__}, which reads format {FORMAT}. Install that version, or train anew with --overwrite."
        )
    return content


def verify_checkpoint(path: Path) -> None:
    """Check each record of a checkpoint against its checksum.

    Raises
    ------
    CheckpointError
        The file is missing or damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except FileNotFoundError:
        raise CheckpointError(f"{path} is missing.") from None
    except (zipfile.BadZipFile, OSError, ValueError, EOFError, NotImplementedError, RuntimeError) as error:
        raise _damaged(path, str(error)) from None
    if damaged is not None:
        raise _damaged(path, f"the checksum of {damaged} does not fit")


def header_of(identity: Identity) -> dict[str, Any]:
    """Build the entry of a checkpoint that describes the run and the program, for `read_checkpoint` and `differences`."""
    return {
        "format": FORMAT,
        "version": aam.__version__,
        "circumstances": circumstances(),
        "identity": asdict(identity),
    }


def circumstances() -> dict[str, str]:
    """Return the versions, device and number of processes that the last bits of a result depend on, by name."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, {torch.get_num_threads()} threads"
    processes = str(dist.get_world_size() if dist.is_initialized() else 1)
    return {"aam": aam.__version__, "torch": str(torch.__version__), "device": device, "processes": processes}


def differences(saved: Mapping[str, Any], identity: Identity) -> list[str]:
    """Compare the identity of a saved run with that of the run that is asked for.

    Parameters
    ----------
    saved
        Identity in the checkpoint, as a dictionary.
    identity
        Identity of the run that is asked for.

    Returns
    -------
    list of str
        A clause for each difference, which names the flag.
    """
    saved, requested = {**saved, "settings": without_deleted(saved["settings"])}, asdict(identity)
    clauses = [
        f"--{flag} was {_shown(saved['settings'].get(flag))} and is {_shown(requested['settings'].get(flag))}"
        for flag in sorted(saved["settings"].keys() | requested["settings"].keys())
        if saved["settings"].get(flag) != requested["settings"].get(flag)
    ]
    for flag in sorted(saved["contents"].keys() | requested["contents"].keys()):
        earlier, present = (run["contents"].get(flag) for run in (saved, requested))
        if earlier != present:
            missing = "was not given" if earlier is None else "is not given now"
            clauses.append(f"--{flag} {missing if None in (earlier, present) else 'holds something else now'}")
    if saved["study"] != requested["study"]:
        clauses.append("the study (--table, --sequences, or which samples are deep enough) is another")
    return clauses


def sync_directory(directory: Path) -> None:
    """Sync a directory to the disk, where the system can, so that a rename in it outlasts a power failure."""
    with suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _load(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError as error:
        match = re.search(r"GLOBAL ([\w.]+)", str(error))
        instruction = "an unknown instruction" if match is None else match[1]
        raise CheckpointError(
            f"{path} is refused: it holds more than numbers and names, and reading it could run a program ({instruction}). aam "
            "writes no such file: find out where it comes from."
        ) from None
    except (RuntimeError, OSError, ValueError, KeyError, EOFError, TypeError, AttributeError) as error:
        raise _damaged(path, f"{type(error).__name__}: {' '.join(str(error).split())[:200]}") from None


def _damaged(path: Path, reason: str) -> CheckpointError:
    return CheckpointError(
        f"{path} is damaged or not a checkpoint ({reason}). Copy it again from where it is whole; or train anew with --overwrite."
    )


def _shown(value: Any) -> str:
    return "not given" if value is None else str(value)
