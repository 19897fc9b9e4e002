"""Kill training at random moments, continue it, and compare what comes of it with a run that was never killed.

    python benchmarks/crash_test.py

Simulates a small study, then pre-trains on it, and trains a network, with dropout and augmentations, in processes that are killed
(SIGKILL, with the processes that make batches) at random moments and started again with ``--resume``, with and without a process
that makes batches. After each kill the last checkpoint is read and its progress compared with the one before. Writes a dated page
into ``benchmarks/results/``.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import lightning  # noqa: F401  imported once here, not by each process
import numpy as np
import torch

import measuring
from aam.cli import main as aam
from aam.config.saving import LAST_CHECKPOINT
from aam.storage.cache import digest_of
from aam.training.checkpoints import PROGRESS, CheckpointError, Progress, read_checkpoint
from aam.training.saving import BEST

SHAPE = "--embedding-dim 16 --attention-heads 2 --attention-layers 1 --ffn-ratio 2 --max-bp 40 --dropout 0.2 --precision 32-true"
VARIED = "--asv-dropout 0.2 --abundance-noise 0.3 --nucleotide-substitution 0.02 --min-depth-fraction 0.5"
TRAINED = "--epochs 6 --batch-size 4 --checkpoint-steps 1 --validation-plot-samples 20"
COMMANDS = {
    "pretrain": f"--loss-balancing uncertainty {SHAPE} {VARIED} {TRAINED}",
    "train": f"--head network --mixup-alpha 0.3 --gradient-accumulation-steps 2 {SHAPE} {VARIED} {TRAINED}",
}
SIMULATE = ("simulate", "--samples", "28", "--features", "40", "--sequence-length", "40")
KILLS = {False: 30, True: 3}
"""Number of kills of each command, in full and with ``--quick``."""
RESULTS = ("model/model.safetensors", "metrics.json", "splits.tsv")


@dataclass
class Tally:
    """Counts of kills and of outcomes over the runs of a command."""

    runs: int = 0
    kills: int = 0
    before_first: int = 0
    lost: int = 0
    different: int = 0
    steps: int = 0


def main() -> None:
    """Crash both commands, and write the page."""
    options = measuring.parse(__doc__)
    torch.set_num_threads(options.threads)
    stream = np.random.default_rng(0)
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["AAM_CACHE_DIR"] = str(folder / "cache")
        start([*SIMULATE, "--output-dir", folder / "s"]).join()
        for command, given in COMMANDS.items():
            rows.append(row(command, crash(command, given.split(), folder, KILLS[options.quick], stream)))
    columns = (
        "command", "kills", "of these before the first checkpoint", "runs brought to their end", "optimiser steps of a run",
        "checkpoints lost", "runs that ended otherwise",
    )  # fmt: skip
    lines = [*measuring.table(columns, rows), "", *(f"`{name}`: `{given}`" + "\n" for name, given in COMMANDS.items())]
    measuring.write_page(options, "crash_test", "Training that is killed and continued", lines)


def row(command: str, tally: Tally) -> list[object]:
    """Format a tally as a row of the table."""
    return [command, tally.kills, tally.before_first, tally.runs, tally.steps, tally.lost, tally.different]


class Process:
    """The command line in a process of its own, with its libraries loaded already."""

    def __init__(self, arguments: list, log: Path) -> None:
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(descriptor, 1)
            os.dup2(descriptor, 2)
            os._exit(aam([str(argument) for argument in arguments]))

    def join(self, seconds: float | None = None) -> int | None:
        """Wait for the process to end; return its exit code, or None if it does not end in time."""
        end = None if seconds is None else time.monotonic() + seconds
        while True:
            pid, status = os.waitpid(self.pid, 0 if end is None else os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            if end is not None and time.monotonic() >= end:
                return None
            time.sleep(0.001)

    def kill(self) -> None:
        """Kill the process and those that it started."""
        os.killpg(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def start(arguments: list) -> Process:
    """Run aam; its output goes to a file beside its output directory."""
    output = Path(arguments[arguments.index("--output-dir") + 1])
    return Process(arguments, output.with_suffix(".log"))


def crash(command: str, given: list[str], folder: Path, kills: int, stream: np.random.Generator) -> Tally:
    """Kill runs of a command until a number of kills is reached, and let the last run end."""
    study = [
        "--table",
        folder / "s/table.biom",
        "--sequences",
        folder / "s/sequences.fasta",
        "--tree",
        folder / "s/tree.nwk",
    ]
    labels = ["--metadata", folder / "s/metadata.tsv", "--metadata-column", "age", "--group-column", "subject"]
    arguments = [command, *study, *(labels if command == "train" else []), *given]
    whole, tally, seconds = folder / f"{command}-whole", Tally(), 0.0
    for _ in range(2):  # the first makes the study, the second is timed
        begin = time.monotonic()
        check(start([*arguments, "--output-dir", whole, "--overwrite"]).join(), whole)
        seconds = time.monotonic() - begin
    last = read_checkpoint(whole / LAST_CHECKPOINT)
    tally.steps = Progress(**last[PROGRESS]).steps
    while tally.kills < kills:
        output = folder / f"{command}-{tally.runs}"
        crash_run([*arguments, "--output-dir", output, "--resume"], output, kills, seconds, (tally, stream))
        tally.runs += 1
        is_equal = all(digest_of(output / name) == digest_of(whole / name) for name in RESULTS)
        tally.different += not (is_equal and weights_of(output) == weights_of(whole))
    return tally


def crash_run(
    arguments: list, output: Path, kills: int, seconds: float, shared: tuple[Tally, np.random.Generator]
) -> None:
    """Kill one run, at random moments up to the time of a whole run, until it ends by itself."""
    tally, stream = shared
    saved = 0
    while True:
        n_workers = str(stream.integers(2))
        process = start([*arguments, "--num-workers", n_workers])
        is_left_alone = tally.kills >= kills
        code = process.join(None if is_left_alone else stream.uniform(0, seconds))
        if code is not None:
            return check(code, output)
        process.kill()
        tally.kills += 1
        found = saved_steps(output)
        tally.lost += found is None or found < saved
        saved = found or 0
        tally.before_first += saved == 0
        sys.stderr.write(f"{time.strftime('%H:%M:%S')} kill {tally.kills} of {output.name}: {saved} steps saved\n")


def saved_steps(output: Path) -> int | None:
    """Read the checkpoints that a kill left; return the number of steps in them, or None if one is damaged."""
    last, best = output / LAST_CHECKPOINT, output / BEST
    try:
        if best.exists():
            read_checkpoint(best)
        return Progress(**read_checkpoint(last)[PROGRESS]).steps if last.exists() else 0
    except CheckpointError as error:
        sys.stderr.write(f"{error}\n")
        return None


def weights_of(output: Path) -> list[bytes]:
    """Return the bits of the weights, of the optimiser and of the loss balance at the end of training."""
    content = read_checkpoint(output / LAST_CHECKPOINT)
    moments = [entry for state in content["optimizer_states"] for entry in state["state"].values()]
    tensors = [value for entry in (content["state_dict"], *moments) for value in entry.values()]
    return [torch.as_tensor(value).contiguous().numpy().tobytes() for value in tensors]


def check(code: int | None, output: Path) -> None:
    """Raise if a run failed by itself."""
    if code:
        raise subprocess.CalledProcessError(code, f"aam; its log is {output.with_suffix('.log').read_text()}")


if __name__ == "__main__":
    main()
