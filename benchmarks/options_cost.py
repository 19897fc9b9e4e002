"""Time and memory of one step of pre-training with each option that trades one for the other.

    python benchmarks/options_cost.py [--quick] [--threads 2] [--results DIRECTORY] [--document PAGE]

Every option is run in a process of its own: first the peak memory of two steps, then steps in turn with the default options, on the
same batches, so that a machine that is busier for a while does not favour either. Writes a dated page.
"""

import dataclasses
import statistics
import tempfile
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

from measuring import (
    MIB,
    Task,
    check_document,
    in_fresh_process,
    in_fresh_process_or_none,
    in_turn,
    parse,
    present_studies,
    quote,
    rise,
    run_task,
    spread,
    table,
    write_page,
)
from pretraining_step import SMALL, Pretraining, Setting, simulated_study, warm_up

STUDY = "ibd_2538"
BATCH_SIZE, STEPS = 8, 5


@dataclass(frozen=True)
class Option:
    """Row of the table: the flag as the user types it, and the settings that it changes."""

    flag: str
    model: dict[str, Any] = field(default_factory=dict)
    changes: dict[str, Any] = field(default_factory=dict)

    def apply(self, setting: Setting) -> Setting:
        return dataclasses.replace(setting, model={**setting.model, **self.model}, **self.changes)


DEFAULT = Option("(default)")
OPTIONS = (
    DEFAULT,
    *(Option(f"--asv-chunk-size {size}", {"asv_chunk_size": size}) for size in (32, 64, 1024)),
    Option("--no-gradient-checkpointing", {"gradient_checkpointing": False}),
    Option(
        "--no-gradient-checkpointing --attn-implementation math",
        {"gradient_checkpointing": False},
        {"attention": "math"},
    ),
    Option("--attn-implementation math", changes={"attention": "math"}),
    Option("--ffn-ratio 2", {"ffn_ratio": 2.0}),
    *(Option(f"--patch-size {size}", {"patch_size": size}) for size in (1, 10)),
    Option("--patch-size 1 --attn-implementation math", {"patch_size": 1}, {"attention": "math"}),
    Option("--precision 32-true", changes={"precision": "32-true"}),
    Option("--compile", changes={"is_compiled": True}),
)
QUICK = (DEFAULT, Option("--attn-implementation math", changes={"attention": "math"}))


def prepare(setting: dict[str, Any]) -> dict[str, Any]:
    """Read the study into the cache."""
    return {"samples": Pretraining(Setting(**setting)).study.n_samples}


def measure(default: dict[str, Any], setting: dict[str, Any], steps: int) -> dict[str, Any]:
    """Measure the memory of a step with an option, then its time in turn with the default."""
    options = Setting(**setting)
    warm_up(options)
    changed = Pretraining(options)
    plans = [changed.plan(epoch, BATCH_SIZE) for epoch in range(steps + 1)]
    memory = rise(lambda: changed.step(plans[0]))
    usual = Pretraining(Setting(**default))
    times = in_turn(lambda turn: changed.step(plans[turn]), lambda turn: usual.step(plans[turn]), steps)
    batch = changed.maker[plans[0]]
    return {"memory": memory, "times": times, "pairs": len(batch.asv_index), "asvs": len(batch.tokens)}


TASKS: dict[str, Task] = {"prepare": prepare, "measure": measure}
COLUMNS = ("option", "s/step", "time ÷ default", "peak memory MiB", "memory ÷ default")


def rows_of(found: dict[str, Any]) -> list[list[object]]:
    """Return one row per option."""
    usual = found[DEFAULT.flag]["memory"]
    rows: list[list[object]] = []
    for flag, result in found.items():
        if result is None:
            rows.append([f"`{flag}`", *["failed here"] * 4])
            continue
        times, ratios = [first for first, _ in result["times"]], [first / second for first, second in result["times"]]
        memory = result["memory"]
        share = f"{memory / usual:.2f}" if usual else "–"
        rows.append([f"`{flag}`", f"{statistics.median(times):.3g}", spread(ratios), f"{memory / MIB:,.0f}", share])
    return rows


def main() -> None:
    """Measure every option and write the page."""
    options = parse(__doc__)
    if options.task:
        run_task(TASKS, options)
        return
    check_document(options, ["Options"])
    small: dict[str, Any] = {"model": SMALL, "depth": 200, "token_limit": 64} if options.quick else {}
    chosen: tuple[Option, ...] = QUICK if options.quick else OPTIONS
    found: dict[str, Any] = {}
    with simulated_study() if options.quick else nullcontext() as folder, tempfile.TemporaryDirectory() as cache:
        studies = [folder] if folder else present_studies(options.data, [STUDY])
        if not studies:
            return
        default = Setting(str(studies[0]), cache, **small)
        n_samples = in_fresh_process("prepare", options.threads, setting=dataclasses.asdict(default))["samples"]
        for option in chosen:
            measured = in_fresh_process if option is DEFAULT else in_fresh_process_or_none
            found[option.flag] = measured(
                "measure",
                options.threads,
                default=dataclasses.asdict(default),
                setting=dataclasses.asdict(option.apply(default)),
                steps=options.steps or STEPS,
            )
    usual, rows = found[DEFAULT.flag], table(COLUMNS, rows_of(found))
    lines = [
        f"{default.name}, {n_samples} samples with {default.depth:,} reads each; batches of {BATCH_SIZE} samples, the first with "
        f"{usual['pairs']:,} (sample, ASV) pairs of {usual['asvs']:,} distinct ASVs; {default.shape}.",
        "",
        f"Time: median (smallest–largest) of {options.steps or STEPS} ratios to a step with the default options on the same batch, "
        "taken in turn (A B B A); that of the default to itself shows the noise. Memory: rise of the peak over two steps. "
        "`--compile`: without the time of compiling.",
        "",
        *rows,
    ]
    quote(options, "Options", write_page(options, "options_cost", "What each option costs", lines), rows)


if __name__ == "__main__":
    main()
