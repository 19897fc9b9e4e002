"""Time and memory of pre-training and prediction, beside those of a padded reference.

    python benchmarks/speed.py [--quick] [--threads 2] [--results DIRECTORY] [--document PAGE]

A step is a batch made, forward, losses (unweighted UniFrac and masked nucleotides, reads rarefied), backward, clipping and fused
AdamW. Times of two things that are compared are taken in turn in one process; each peak memory is that of a process of its own. The
padded reference is `padded_reference.py`. Writes a dated page.
"""

import argparse
import dataclasses
import os
import statistics
import tempfile
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

from aam.training.precision import resolve_precision
from measuring import (
    MIB,
    Task,
    check_document,
    in_fresh_process,
    in_fresh_process_or_none,
    parse,
    present_studies,
    quote,
    run_task,
    spread,
    table,
    write_page,
)
from pretraining_step import SMALL, Pretraining, Setting, simulated_study
from speed_tasks import PARTS, compare, parts, predict, prediction_memory, train

PADDED_IN_WHOLE = 30.0
"""Largest estimated time in seconds at which the reference predicts all samples of a study; beyond, it predicts a tenth."""


def prepare(setting: dict[str, Any]) -> dict[str, Any]:
    """Read a study into the cache, and return its size."""
    training = Pretraining(Setting(**setting))
    return {"samples": training.study.n_samples, "features": training.study.n_features}


TASKS: dict[str, Task] = {run.__name__: run for run in (prepare, train, compare, predict, prediction_memory, parts)}


@dataclass(frozen=True)
class Sizes:
    """Sizes of a full run, or of a quick trial."""

    batch_sizes: tuple[int, ...] = (8, 32, 128)
    patch_sizes: tuple[int, ...] = (5, 1)
    threads_of_parts: tuple[int, ...] = (1, 2)
    matrix: int = 4096
    steps: int = 5
    changes: dict[str, Any] = field(default_factory=dict)


QUICK = Sizes((4,), (5,), (1,), 256, 2, {"model": SMALL, "depth": 200, "token_limit": 64})


@dataclass
class Run:
    """The measurements of a run, one row each."""

    options: argparse.Namespace
    sizes: Sizes
    training: list[list[object]] = field(default_factory=list)
    comparison: list[list[object]] = field(default_factory=list)
    prediction: list[list[object]] = field(default_factory=list)
    parts: list[list[object]] = field(default_factory=list)
    peaks: list[float] = field(default_factory=list)
    half_peaks: list[float] = field(default_factory=list)

    @property
    def steps(self) -> int:
        return self.options.steps or self.sizes.steps

    def measure(self, setting: Setting) -> None:
        """Measure all of one study."""
        study = self._fresh("prepare", setting)
        label = f"{setting.name} ({study['samples']} × {study['features']:,})"
        for batch_size in self.sizes.batch_sizes:
            memory = self._train(label, setting, batch_size)
            self._compare(setting, batch_size, memory)
        for patch_size in self.sizes.patch_sizes[1:]:
            changed = dataclasses.replace(setting, model={**setting.model, "patch_size": patch_size})
            memory = self._train(label, changed, self.sizes.batch_sizes[0])
            self._compare(changed, self.sizes.batch_sizes[0], memory)
        for precision in dict.fromkeys(("32-true", resolve_precision("auto"))):
            self._predict(setting, precision)
        for threads in (count for count in self.sizes.threads_of_parts if count <= len(os.sched_getaffinity(0))):
            self._parts(dataclasses.replace(setting, precision="32-true"), threads)

    def _fresh(self, task: str, setting: Setting, threads: int | None = None, **arguments: Any) -> dict[str, Any]:
        return in_fresh_process(task, threads or self.options.threads, setting=dataclasses.asdict(setting), **arguments)

    def _train(self, label: str, setting: Setting, batch_size: int) -> float:
        found = self._fresh("train", setting, batch_size=batch_size, steps=self.steps, matrix=self.sizes.matrix)
        self.peaks.append(found["peak"])
        self.half_peaks.append(found["peak_bf16"])
        times = found["times"]
        per_second = {
            name: [count / time for count, time in zip(found[name], times, strict=True)]
            for name in ("samples", "asvs", "flops", "executed")
        }
        rates = {name: statistics.median(values) for name, values in per_second.items()}
        cells = [label, setting.shape.patch_size, max(found["samples"])]
        cells += [f"{statistics.median(found[name]):,.0f}" for name in ("pairs", "asvs")]
        cells += [spread(times), f"{rates['samples']:.3g}", f"{rates['asvs']:,.0f}"]
        cells += [f"{rates[name] / 1e9:.3g} ({rates[name] / found['peak']:.0%})" for name in ("flops", "executed")]
        self.training.append([*cells, f"{found['memory'] / MIB:,.0f}"])
        return found["memory"]

    def _compare(self, setting: Setting, batch_size: int, memory: float) -> None:
        budget = self.options.memory_gb
        task = {"setting": dataclasses.asdict(setting), "batch_size": batch_size, "steps": self.steps, "budget": budget}
        found = in_fresh_process_or_none("compare", self.options.threads, **task) or {"reference_batch": 0}
        first = [setting.name, setting.shape.patch_size, batch_size, found["reference_batch"]]
        if not found["reference_batch"]:
            self.comparison.append([*first, *["not run"] * 6])
            return
        cells = [f"{statistics.median(found[name]):.3g}" for name in ("ours", "reference")]
        cells += [spread(found["ratios"]), f"{found['flops_ratio']:.3g}", f"{memory / MIB:,.0f}"]
        self.comparison.append([*first, *cells, f"{found['reference_memory'] / MIB:,.0f}"])

    def _predict(self, setting: Setting, precision: str) -> None:
        limits = {"steps": min(3, self.steps), "most_seconds": PADDED_IN_WHOLE}
        found = self._fresh("predict", setting, precision=precision, **limits)
        memory = self._fresh("prediction_memory", setting, precision=precision)["memory"]
        row: list[object] = [setting.name, found["samples"], f"{found['asvs']:,}", precision, spread(found["ours"])]
        row += [f"{spread(found['reference'])}, by {found['reference_samples']} samples", spread(found["ratios"])]
        row += [
            f"{found['flops_ratio']:.3g}",
            f"{found['difference']:.1e}",
            f"{memory / MIB:,.0f}",
            f"{found['reference_memory'] / MIB:,.0f}",
        ]
        self.prediction.append(row)

    def _parts(self, setting: Setting, threads: int) -> None:
        batch_size = self.sizes.batch_sizes[0]
        found = self._fresh(
            "parts", setting, threads, batch_size=batch_size, steps=self.steps, matrix=self.sizes.matrix
        )
        total = sum(found["seconds"].values())
        shares = [f"{found['seconds'][part] / total:.1%}" for part in PARTS]
        percent = [spread([100 * v for v in found[name]]) for name in ("rest", "efficiency", "executed_efficiency")]
        row = [setting.name, threads, batch_size, f"{total:.3g}", *shares, *percent]
        self.parts.append([*row, f"{found['peak'] / 1e9:.0f}"])

    def tables(self) -> dict[str, list[str]]:
        """Format the tables, by title."""
        size = ["study", "patch size", "batch"]
        rates = ["model GFLOP/s (of peak)", "with recomputation"]
        speed = [*size, "pairs", "distinct ASVs", "s/step", "samples/s", "distinct ASVs/s", *rates, "peak memory MiB"]
        both = [
            *size,
            "batch of the reference",
            "samples/s",
            "of the reference",
            "times faster",
            "FLOPs of the reference ÷ ours",
        ]
        table_of = [
            "study",
            "samples",
            "ASVs",
            "precision",
            "s",
            "s of the reference",
            "times faster",
            "FLOPs of the reference ÷ ours",
            "largest difference",
        ]
        memory = ["peak memory MiB", "of the reference"]
        whole = ["rest % of the step", "ASV encoder % of peak", "with recomputation %", "peak GFLOP/s"]
        return {
            "One training step": table(speed, self.training),
            "Beside the padded reference": table([*both, *memory], self.comparison),
            "Prediction of a whole table": table([*table_of, *memory], self.prediction),
            "Where the time of a step goes": table(["study", "threads", "batch", "s/step", *PARTS, *whole], self.parts),
        }

    def write(self) -> None:
        """Write the page, again after each study."""
        options, size = self.options, self.sizes.matrix
        lines = [
            f"Fastest matrix product of {size} × {size} in these processes: {max(self.peaks) / 1e9:,.0f} GFLOP/s in float32, "
            f"{max(self.half_peaks) / 1e9:,.0f} in bfloat16. Model: {'small, for trial' if options.quick else 'default'}. "
            f"The reference may take {options.memory_gb:g} GiB, and 90 % of what is free.",
        ]
        tables = self.tables()
        for title, rows in tables.items():
            lines += ["", f"## {title}", "", NOTES[title], "", *rows]
        page = write_page(options, "speed", "Speed and memory of training and prediction", lines)
        for title, rows in tables.items():
            quote(options, title, page, rows)


NOTES = {
    "One training step": "Seconds are medians (smallest–largest) over steps on different batches. FLOPs are those of the matrix "
    "products, by formula from the shapes (`flops.py`): 3 forward passes, or with what is recomputed.",
    "Beside the padded reference": "Both have the same weights and read the same samples, each at the batch given, A B B A. *Times "
    "faster* is the ratio of samples per second, median (smallest–largest). Where the reference at our batch would not fit, it is "
    "run at the largest batch that does; *not run* where none does. Patch size 1 is what published implementations read.",
    "Prediction of a whole table": "What `aam predict --precision …` runs, with an empty cache, beside the reference in 32-true, "
    "for a target of standard deviation 1. The reference's seconds are "
    "scaled to the whole table where it predicted fewer samples.",
    "Where the time of a step goes": "*Rest* is all but the ASV encoder's forward and backward passes (recomputation is in its "
    "backward pass). *Of peak* is its FLOP/s against the large matrix product, medians (smallest–largest).",
}


def main() -> None:
    """Measure every study and write the page."""
    options = parse(__doc__)
    if options.task:
        run_task(TASKS, options)
        return
    check_document(options, list(NOTES))
    run = Run(options, QUICK if options.quick else Sizes())
    with simulated_study() if options.quick else nullcontext() as folder, tempfile.TemporaryDirectory() as cache:
        for study in [folder] if folder else present_studies(options.data):
            run.measure(Setting(str(study), cache, **run.sizes.changes))
            run.write()


if __name__ == "__main__":
    main()
