"""``--replay``: find what is not finite in the batch whose loss ended a run."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from aam.config.commands import PretrainConfig, TrainConfig
from aam.data.batching.batches import BatchPlan
from aam.distributed.ranks import Ranks
from aam.errors import name_some
from aam.runs.batch_plan import BatchSource
from aam.runs.resume import check_same_run, failed_directory, identity_of
from aam.training.checkpoints import HEADER, CheckpointError, read_checkpoint
from aam.training.memory import memory_is_explained
from aam.training.module import TrainingModule
from aam.training.nonfinite import REPORT, WEIGHTS
from aam.training.precision import weight_type
from aam.training.replay import Replayed, replay_batch

Config = PretrainConfig | TrainConfig


def replay(config: Config, module: TrainingModule, batch_source: BatchSource, ranks: Ranks) -> None:
    """Compute the batch again, and print what is not finite.

    Parameters
    ----------
    config
        Options of the run that failed.
    module
        The module; its weights are replaced by those at the time of failure.
    batch_source
        What the batch is made from.
    ranks
        The processes that compute it together; the first one prints.

    Raises
    ------
    CheckpointError
        The saved files are damaged, or of a run with other settings or files.
    """
    directory, study = failed_directory(config), batch_source.maker.study
    assert directory is not None, "there is such a run"
    with ranks.raise_together():
        saved = read_checkpoint(directory / WEIGHTS)
        check_same_run(config, identity_of(config, batch_source.digest), saved[HEADER])
        report = _read_report(directory / REPORT)
        module.to(weight_type(config.training)).load_state_dict(saved["state_dict"])
        index_of = {name: index for index, name in enumerate(study.sample_ids)}
        plan = BatchPlan(report["epoch"], tuple(index_of[name] for name in report["samples"]))
    batch = replace(batch_source.maker, part=ranks.part)[plan]
    with memory_is_explained(ranks.is_first):
        replayed = replay_batch(module, batch, report["epoch"], report["batch"], ranks)
    if ranks.is_first:
        samples = {
            part: [study.sample_ids[index] for index in indices]
            for part, indices in replayed.samples.items()
            if indices
        }
        sys.stdout.write("\n".join(_describe(directory, report, replayed, samples)) + "\n")


def _read_report(path: Path) -> dict[str, Any]:
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        return {name: report[name] for name in ("epoch", "batch", "step", "samples", "losses")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is damaged ({error}). Let the run fail again, with --resume.") from None


def _describe(directory: Path, report: dict[str, Any], replayed: Replayed, samples: dict[str, list[str]]) -> list[str]:
    """Return the lines of the report: the batch, its losses, and what is not finite."""
    losses = {name: f"{value:.6g}" for name, value in replayed.losses.items()}
    first = replayed.first_module or ("none" if replayed.weights else "none: the loss itself")
    lines = [
        f"{directory}: batch {report['batch'] + 1} of epoch {report['epoch'] + 1} (step {report['step']}), "
        f"{len(report['samples'])} samples: {name_some(report['samples'], len(report['samples']))}",
        f"loss {losses.pop('loss')}, of " + ", ".join(f"{name} {value}" for name, value in losses.items()),
        f"weights that are not finite: {name_some(replayed.weights) if replayed.weights else 'none'}",
        f"first part of the model whose output is not finite: {first}",
    ]
    lines += [
        f"{part} not finite of {len(names)} samples: {name_some(names, len(names))}" for part, names in samples.items()
    ]
    lines.append(f"backward pass: {replayed.backward or 'finite throughout'}")
    return lines
