"""Checkpoints of training: files that are whole or not there, hold numbers and names alone, and say which run they are of."""

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
"""Raised when an older checkpoint can no longer be continued."""

HEADER, PROGRESS = "aam", "progress"
"""Keys of a checkpoint beside those of Lightning."""


class CheckpointError(InputError):
    """A checkpoint is damaged, of another program or version, or of a run with other settings."""


@dataclass(frozen=True)
class Identity:
    """What a run is a function of; continued under another, it would be a mixture of two.

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
    """How far a run has come; always between two optimiser steps.

    Attributes
    ----------
    epoch, batch
        The next batch to train on, from 0; after the last batch of an epoch its validation follows.
    steps
        Optimiser steps done.
    is_finished
        Whether nothing is left to train.
    """

    epoch: int
    batch: int
    steps: int
    is_finished: bool = False

    def __str__(self) -> str:
        """Say what is done."""
        counts = {"epoch": (self.epoch, "s"), "batch": (self.batch, "es"), "step": (self.steps, "s")}
        epochs, batches, steps = (f"{n:,} {name}{end * (n != 1)}" for name, (n, end) in counts.items())
        return f"{epochs}{f' and {batches}' if self.batch else ''} ({steps})"


def write_checkpoint(path: Path, content: Mapping[str, Any]) -> None:
    """Write beside ``path``, sync, verify, and only then take the name ``path``; an earlier file stays until then.

    Raises
    ------
    OSError, RuntimeError, AamError
        The disk refuses the data, or does not give back what was written.
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
    """Open a checkpoint that aam wrote; tensors are mapped, and read where they are used.

    Raises
    ------
    CheckpointError
        It is missing, damaged, not aam's, of another version, or holds anything but numbers and names.
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
    """Compare each record with its checksum.

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
    """Describe the run and the program, for `read_checkpoint` and `differences`."""
    return {
        "format": FORMAT,
        "version": aam.__version__,
        "circumstances": circumstances(),
        "identity": asdict(identity),
    }


def circumstances() -> dict[str, str]:
    """Give what the last bits of a result depend on beside the run itself."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, {torch.get_num_threads()} threads"
    processes = str(dist.get_world_size() if dist.is_initialized() else 1)
    return {"aam": aam.__version__, "torch": str(torch.__version__), "device": device, "processes": processes}


def differences(before: Mapping[str, Any], identity: Identity) -> list[str]:
    """Name what a run that was saved, by the identity in its checkpoint, differs in from the one that is asked for."""
    before, now = {**before, "settings": without_deleted(before["settings"])}, asdict(identity)
    found = [
        f"--{flag} was {_shown(before['settings'].get(flag))} and is {_shown(now['settings'].get(flag))}"
        for flag in sorted(before["settings"].keys() | now["settings"].keys())
        if before["settings"].get(flag) != now["settings"].get(flag)
    ]
    for flag in sorted(before["contents"].keys() | now["contents"].keys()):
        was, is_now = (side["contents"].get(flag) for side in (before, now))
        if was != is_now:
            missing = "was not given" if was is None else "is not given now"
            found.append(f"--{flag} {missing if None in (was, is_now) else 'holds something else now'}")
    if before["study"] != now["study"]:
        found.append("the study (--table, --sequences, or which samples are deep enough) is another")
    return found


def sync_directory(directory: Path) -> None:
    """Let a rename outlast a power failure, where the system can."""
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
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        what = "an unknown instruction" if named is None else named[1]
        raise CheckpointError(
            f"{path} is refused: it holds more than numbers and names, and reading it could run a program ({what}). aam writes no "
            "such file: find out where it comes from."
        ) from None
    except (RuntimeError, OSError, ValueError, KeyError, EOFError, TypeError, AttributeError) as error:
        raise _damaged(path, f"{type(error).__name__}: {' '.join(str(error).split())[:200]}") from None


def _damaged(path: Path, reason: str) -> CheckpointError:
    return CheckpointError(
        f"{path} is damaged or not a checkpoint ({reason}). Copy it again from where it is whole; or train anew with --overwrite."
    )


def _shown(value: Any) -> str:
    return "not given" if value is None else str(value)
