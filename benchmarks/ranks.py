"""Scaling of training over processes on this machine, the bytes that they send each other, and an estimate for up to 64 GPUs.

    python benchmarks/ranks.py [--quick] [--threads 1] [--steps 10] [--results DIRECTORY] [--document PAGE]

``--threads`` are those of each process. Run it where two cores are idle: ``taskset -c 0,1 python benchmarks/ranks.py --threads 1``.
What is sent is read off the loopback interface, so nothing else may use it meanwhile (0 where Linux's /proc is absent).
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import lightning
import torch
import torch.distributed as dist
from lightning.pytorch.callbacks import Callback

from aam.cli import main as run_aam
from aam.cli import parse as parse_command
from aam.commands.pretrain import read_unlabelled
from aam.data.batching.batches import BatchMaker, BatchPlan, loader
from aam.distributed.process import ProcessRank, _free_port
from aam.distributed.ranks import SINGLE_PROCESS, Ranks
from aam.runs.plan import plan_run, prepare_module
from aam.training.strategies import on_devices
from flops import flops_of
from measuring import MIB, check_document, parse, quote, seconds, spread, table, write_page

SHAPE = ["--embedding-dim", "128", "--attention-heads", "4", "--attention-layers", "4", "--max-bp", "150"]
STUDY = ["--samples", "200", "--features", "2000", "--sequence-length", "150"]
QUICK_SHAPE = ["--embedding-dim", "16", "--attention-heads", "2", "--attention-layers", "1", "--max-bp", "40"]
QUICK_STUDY = ["--samples", "40", "--features", "60", "--sequence-length", "40"]
ROWS = (
    ("strong", 1, 16, None, True), ("strong", 2, 16, "ddp", True), ("strong", 2, 16, "ddp", False), ("strong", 2, 16, "fsdp", True),
    ("weak", 1, 16, None, True), ("weak", 2, 32, "ddp", True), ("weak", 2, 32, "ddp", False),
)  # fmt: skip
"""Kind of scaling, processes, samples of a batch, strategy, and whether ranks share the vectors of ASVs."""
GPU_FLOPS, NODE_GPUS = 0.3 * 989e12, 8
"""Operations per second of an H100's bfloat16 products, at a fraction that such models reach."""
IN_NODE, BETWEEN_NODES, LATENCY = 200e9, 25e9, 30e-6
"""Bytes per second that an all-reduce moves per GPU over NVLink, and per machine over 400 Gbit/s; seconds of a collective."""
COLLECTIVES, MEETINGS, MEETING = 12, 12, 126e-6
"""Collectives of a step, and how often ranks ask each other by their CPUs whether memory has held; seconds of that, measured on
two processes."""
WIDER = 4
"""Width of the second model on paper, as a multiple of the first one's."""
GPU_SAMPLES, WORKERS = 32, 7
"""Number of samples of each GPU, and of processes that build its batches."""


class Clock(Callback):
    """Times steps, and counts the bytes over the loopback interface, after two steps to warm up."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.sent = 0

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if batch_idx == 2:
            self.sent = loopback_bytes()
        self.began = time.perf_counter()

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int, *args: Any
    ) -> None:
        self.times.append(time.perf_counter() - self.began)


def loopback_bytes() -> int:
    """Read the number of bytes sent within this machine so far."""
    try:
        lines = Path("/proc/net/dev").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return int(next(line for line in lines if line.strip().startswith("lo:")).split(":")[1].split()[0])


def measure(task: dict[str, Any]) -> None:
    """Train some steps as one of the processes; the first one reports the result."""
    torch.set_num_threads(task["threads"])
    process = ProcessRank(**task["placement"])
    os.environ.update(process.environment)
    if task["strategy"] is not None:
        dist.init_process_group("gloo")
    ranks = Ranks(process, task["strategy"], task["shares_asvs"]) if task["strategy"] else SINGLE_PROCESS
    config: Any = parse_command("pretrain", task["command"])
    planned = plan_run(config, read_unlabelled(config))
    maker = planned.batch_source.maker
    module, clock, steps = prepare_module(planned), Clock(), task["steps"] + 2
    rows = torch.randperm(maker.study.n_samples, generator=torch.Generator().manual_seed(0)).tolist()
    plan = BatchPlan(0, tuple(rows[: task["samples"]]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = lightning.Trainer(
            accelerator="cpu", max_epochs=1, callbacks=[clock], logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False, **on_devices(ranks),
        )  # fmt: skip
        trainer.fit(module, loader(maker, [plan] * steps, 0, ranks.part))
    sent = (loopback_bytes() - clock.sent) / task["steps"]
    whole = maker[plan]
    found = {
        "times": clock.times[2:],
        "sent": sent,
        "weights": sum(weight.numel() for weight in planned.model.parameters()),
        "asvs": len(whole.features),
        "flops": flops_of(config.model, whole).of_recomputing_step,
        "drawing": statistics.median(seconds(lambda: draw(maker, plan)) for _ in range(5)) / task["samples"],
    }
    if ranks.is_first:
        sys.stdout.write(json.dumps(found))
    if task["strategy"] is not None:
        dist.destroy_process_group()


def draw(maker: BatchMaker, plan: BatchPlan) -> None:
    """Build a whole batch, as every rank does before it takes its part."""
    maker[plan]


def run(
    options: Any, command: list[str], n: int, samples: int, strategy: str | None, shares_asvs: bool
) -> dict[str, Any]:
    """Run one row in fresh processes."""
    port, processes = _free_port(), []
    for rank in range(n):
        task = {
            "threads": options.threads,
            "placement": {"rank": rank, "n_ranks": n, "local_rank": rank, "n_local": n, "port": port},
            "strategy": strategy,
            "shares_asvs": shares_asvs,
            "samples": samples,
            "steps": options.steps or (3 if options.quick else 10),
            "command": command,
        }
        arguments = [sys.executable, sys.argv[0], "--task", json.dumps(task)]
        processes.append(subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True))
    shown = [process.communicate()[0] for process in processes]
    if any(process.returncode for process in processes):
        sys.exit("a process failed")
    return json.loads(shown[0])


def on_paper(found: dict[str, Any], samples: int) -> list[list[str]]:
    """Calculate weak scaling over GPUs: products, sending and drawing of a step, if nothing overlaps but the drawing."""
    per_gpu = found["flops"] * GPU_SAMPLES / samples / GPU_FLOPS
    asvs_of_gpu, width = found["asvs"] * GPU_SAMPLES / samples, 4 * found["width"]
    rows, first = [], 0.0
    for n in (1, 2, 4, 8, 16, 32, 64):
        volume = 2 * (n - 1) / n * (4 * found["weights"] + 2 * width * (n * asvs_of_gpu + n * GPU_SAMPLES))
        speed = IN_NODE if n <= NODE_GPUS else BETWEEN_NODES
        sending = volume / speed + (COLLECTIVES * LATENCY + MEETINGS * MEETING) * (n > 1)
        drawing = found["drawing"] * GPU_SAMPLES * n / WORKERS
        step = max(per_gpu + sending, drawing)
        first = first or step
        limit = "drawing" if step == drawing else "products" if per_gpu > sending else "sending"
        numbers = (1000 * per_gpu, volume / MIB, 1000 * sending, 1000 * drawing, 100 * first / step)
        rows.append([str(n), *(f"{number:.3g}" for number in numbers), limit])
    return rows


def paper_lines(alone: dict[str, Any], width: int) -> list[str]:
    """Format the time of a step on GPUs, of the model that was measured and of one `WIDER` times as wide."""
    lines: list[str] = []
    for times in (1, WIDER):
        found = alone | {"width": times * width}
        found |= {name: times**2 * found[name] for name in ("weights", "flops")}
        columns = ("GPUs", "products, ms", "sent per GPU, MiB", "sending, ms", "drawing, ms", "efficiency, %", "limit")
        model = f"width {found['width']}, about {found['weights'] / 1e6:.1f} million weights"
        paper = table(columns, on_paper(found, ROWS[0][2]))
        lines += ["", f"On paper, {GPU_SAMPLES} samples per GPU, {model}:", "", *paper]
    assumed = (
        f"Assumed: {GPU_FLOPS / 1e12:.0f} TFLOP/s per GPU, {IN_NODE / 1e9:.0f} GB/s within {NODE_GPUS} GPUs, "
        f"{BETWEEN_NODES / 1e9:.0f} GB/s beyond, {COLLECTIVES} collectives of {1e6 * LATENCY:.0f} µs, {MEETINGS} meetings of "
        f"{1e6 * MEETING:.0f} µs, products and weights that grow with the square of the width, distinct ASVs that grow with the "
        f"samples (the worst case), and batches made by {WORKERS} workers per GPU while it computes: each draws the whole batch."
    )
    return [*lines, "", assumed]


def main() -> None:
    """Measure the rows, and write the page."""
    if "--task" in sys.argv:
        measure(json.loads(sys.argv[sys.argv.index("--task") + 1]))
        return
    options = parse(__doc__)
    check_document(options, ["Ranks"])
    shape = QUICK_SHAPE if options.quick else SHAPE
    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder) / "study"
        run_aam(["simulate", "--output-dir", str(study), *(QUICK_STUDY if options.quick else STUDY)])
        files = ["--table", str(study / "table.biom"), "--sequences", str(study / "sequences.fasta")]
        files += ["--tree", str(study / "tree.nwk"), "--cache-dir", str(Path(folder) / "cache")]
        command = [*files, "--output-dir", str(Path(folder) / "out"), *shape, "--precision", "32-true"]
        results = [run(options, command, *row[1:]) for row in ROWS]
    base = {
        kind: statistics.median(results[[row[0] for row in ROWS].index(kind)]["times"]) for kind in ("strong", "weak")
    }
    rows = []
    for (kind, n, samples, strategy, shares), found in zip(ROWS, results, strict=True):
        ideal = base[kind] / n if kind == "strong" else base[kind]
        efficiency = f"{100 * ideal / statistics.median(found['times']):.0f} %"
        how = "alone" if strategy is None else f"{strategy}{'' if shares else ', each its ASVs'}"
        rows.append(
            [kind, n, how, samples, found["asvs"], spread(found["times"]), f"{found['sent'] / MIB:.3g}", efficiency]
        )
    measured = table(
        ("scaling", "processes", "how", "samples", "distinct ASVs", "s/step", "MiB sent per step, all", "efficiency"),
        rows,
    )
    lines = [*measured, *paper_lines(results[0], int(shape[1]))]
    page = write_page(options, "ranks", "Scaling over processes", lines)
    quote(options, "Ranks", page, lines)


if __name__ == "__main__":
    main()
