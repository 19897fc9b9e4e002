"""Time and memory of a pre-training step against distinct ASVs, samples, nucleotides and width.

    python benchmarks/scaling.py [--quick] [--threads 2] [--results DIRECTORY] [--document PAGE]

One number is changed at a time, on random batches of exactly the shape given (`memory_estimate.py`); each row runs in a process of
its own. Writes a dated page and a figure.
"""

import dataclasses
import math
import statistics
import sys
from pathlib import Path
from typing import Any

import torch

from flops import flops_of, peak_flops
from measuring import (
    MIB,
    Task,
    check_document,
    in_fresh_process,
    parse,
    quote,
    rise,
    run_task,
    seconds,
    spread,
    table,
    write_page,
)
from memory_estimate import Case, build, random_batch
from memory_estimate import train as warm_up
from pretraining_step import finish, fused_adamw

BASE = Case("pretrain", 128, 4, 4.0, True, samples=8, longest=100, asvs=400, positions=150)
GRID = {
    "asvs": (100, 200, 400, 800, 1600, 3200),
    "samples": (2, 8, 32, 128),
    "longest": (25, 50, 100, 200, 400, 800),
    "positions": (50, 100, 150, 250, 500),
    "dim": (64, 128, 256, 512),
}
QUICK_BASE = dataclasses.replace(BASE, dim=16, layers=1, samples=2, longest=5, asvs=8, positions=20)
QUICK_GRID = {"asvs": (4, 8)}
NAMES = {
    "asvs": "distinct ASVs, U",
    "samples": "samples, B (half to all of A ASVs each)",
    "longest": "most ASVs of a sample, A",
    "positions": "nucleotides, L",
    "dim": "width, D",
}
STEPS = 5
COLUMNS = ("varied", "value", "s/step", "GFLOP of a step", "of peak", "peak memory MiB")


def measure(case: dict[str, Any], steps: int, matrix: int) -> dict[str, Any]:
    """Measure one shape: memory, then time, beside the peak of a matrix product."""
    shape = Case(**case)
    warm_up(Case("pretrain", 16, 1, 2.0, shape.checkpointing, 2, 3, 4, 12), steps=2)
    model, batch = build(shape), random_batch(shape)
    optimizer = fused_adamw(model)

    def step() -> None:
        encoding = model(batch)
        heads = model.active_objectives().values()  # type: ignore[operator]
        finish(model, optimizer, torch.stack([head.loss(head(encoding, batch), batch) for head in heads]).sum())

    memory = rise(step)
    peak = peak_flops(torch.float32, matrix)
    times = [seconds(step) for _ in range(steps)]
    peak = max(peak, peak_flops(torch.float32, matrix))
    return {"memory": memory, "times": times, "flops": flops_of(shape.model, batch).of_recomputing_step, "peak": peak}


TASKS: dict[str, Task] = {"measure": measure}
Found = dict[tuple[str, int], dict[str, Any]]


def rows_of(found: Found) -> list[list[object]]:
    """Return one row per shape."""
    rows: list[list[object]] = []
    for (name, value), result in found.items():
        rate = result["flops"] / statistics.median(result["times"])
        cells = [spread(result["times"]), f"{result['flops'] / 1e9:.3g}", f"{rate / result['peak']:.0%}"]
        rows.append([NAMES[name], value, *cells, f"{result['memory'] / MIB:,.0f}"])
    return rows


def growth(found: Found) -> list[str]:
    """Estimate the power by which time and memory grow at the upper end of each range."""
    lines = []
    for name in dict.fromkeys(name for name, _ in found):
        (low, first), (high, second) = [(value, result) for (n, value), result in found.items() if n == name][-2:]
        step = math.log(high / low)
        time = math.log(statistics.median(second["times"]) / statistics.median(first["times"])) / step
        told = f"- {NAMES[name]}, from {low:,} to {high:,}: time grows by the power {time:.2f}"
        if min(first["memory"], second["memory"]) > 0:
            told += f", memory by {math.log(second['memory'] / first['memory']) / step:.2f}"
        lines.append(told + ".")
    return lines


def draw(found: Found, path: Path) -> None:
    """Draw time and memory over each number that is varied."""
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(name for name, _ in found))
    figure = Figure(figsize=(3 * len(names), 5), layout="constrained")
    axes = figure.subplots(2, len(names), squeeze=False, sharey="row")
    for column, name in enumerate(names):
        values = [value for n, value in found if n == name]
        results = [result for (n, _), result in found.items() if n == name]
        axes[0, column].loglog(values, [statistics.median(result["times"]) for result in results], "o-", base=2)
        axes[1, column].loglog(values, [max(1.0, result["memory"] / MIB) for result in results], "o-", base=2)
        axes[1, column].set_xlabel(NAMES[name].split(" (")[0])
    axes[0, 0].set_ylabel("seconds of a step")
    axes[1, 0].set_ylabel("peak memory, MiB")
    figure.savefig(path, dpi=100)


def main() -> None:
    """Measure the grid, and write the page and the figure."""
    options = parse(__doc__)
    if options.task:
        run_task(TASKS, options)
        return
    check_document(options, ["Scaling"])
    base, grid = (QUICK_BASE, QUICK_GRID) if options.quick else (BASE, GRID)
    steps, matrix, found = options.steps or STEPS, 256 if options.quick else 4096, {}
    for name, values in grid.items():
        for value in values:
            case = dataclasses.asdict(dataclasses.replace(base, **{name: value}))
            found[name, value] = in_fresh_process("measure", options.threads, case=case, steps=steps, matrix=matrix)
    rows = table(COLUMNS, rows_of(found))
    lines = [
        f"One number is changed at a time, from {base}. Seconds are medians (smallest–largest) of {steps} steps; FLOPs include "
        "what is recomputed, and *of peak* compares with a large float32 matrix product in the same process. Memory: "
        "rise of the peak over two steps.",
        "",
        *growth(found),
        "",
        *rows,
    ]
    page = write_page(options, "scaling", "How a training step scales", [*lines, "", "![](scaling.png)"])
    figure = page.with_suffix(".png")
    draw(found, figure)
    page.write_text(page.read_text(encoding="utf-8").replace("(scaling.png)", f"({figure.name})"), encoding="utf-8")
    quote(options, "Scaling", page, growth(found))
    sys.stdout.write(f"{page}\n{figure}\n")


if __name__ == "__main__":
    main()
