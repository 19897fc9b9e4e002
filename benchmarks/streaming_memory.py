"""Resident memory while studies of growing size are built and trained on, under a memory limit far below the largest.

    python benchmarks/streaming_memory.py --scratch /some/large/disk --limit-mb 1200

Simulates studies, runs ``aam prepare`` and ``aam pretrain`` on each in a process of its own, samples the resident memory of that
process, and writes a dated page and a plot into ``benchmarks/results/``. Where control groups can be created (Linux, root), each
process runs under the limit; elsewhere it is only measured.
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import h5py
import numpy as np
from matplotlib.figure import Figure

from aam.io.newick import write_newick
from aam.simulation.sequences import simulate_sequences
from aam.simulation.tree import simulate_tree

SIZES = ((10_000, 25_000), (40_000, 100_000), (100_000, 250_000), (200_000, 500_000))
"""Numbers of samples and features of each study."""
ASVS_PER_SAMPLE = 1_000
DEPTH = 20_000
SAMPLES_PER_BLOCK = 500
CONTROL_GROUP = Path("/sys/fs/cgroup/memory")
SMALL = (
    "--embedding-dim 32 --attention-heads 2 --attention-layers 1 --ffn-ratio 2 --epochs 1 --batch-size 8 --token-limit 128 "
    "--samples-per-epoch 80 --validation-fraction 0.0005 --rarefy-depth 1000 --asv-chunk-size 32"
)


@dataclass
class Run:
    """Time and memory of one process; memory in bytes."""

    seconds: float = 0.0
    resident: int = 0
    anonymous: int = 0
    trace: list[tuple[float, int]] = field(default_factory=list)


def main() -> None:
    """Measure each size, and write the page and the plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scratch", type=Path, required=True)
    parser.add_argument("--limit-mb", type=int, default=1200)
    parser.add_argument("--sizes", type=int, default=len(SIZES), help="how many of the sizes, the smallest first")
    arguments = parser.parse_args()
    rows = []
    for samples, features in SIZES[: arguments.sizes]:
        folder = arguments.scratch / f"{samples}x{features}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        write_study(folder, samples, features)
        files = ["--table", folder / "table.biom", "--sequences", folder / "sequences.fasta"]
        cache = ["--cache-dir", folder / "cache"]
        build = run(["prepare", *files, *cache], arguments.limit_mb)
        tree = run(["prepare", *files, *cache, "--tree", folder / "tree.nwk"], arguments.limit_mb)
        options = ["--tree", folder / "tree.nwk", "--output-dir", folder / "run", *SMALL.split()]
        train = run(["pretrain", *files, *cache, *options], arguments.limit_mb)
        stored = sum(path.stat().st_size for path in (folder / "cache").rglob("*.bin"))
        rows.append(((samples, features), (folder / "table.biom").stat().st_size, stored, build, tree, train))
        shutil.rmtree(folder)
        sys.stdout.write(page(rows, arguments.limit_mb))
    results = Path(__file__).parent / "results"
    name = f"streaming_memory_cpu{os.cpu_count()}_{date.today()}"
    draw(rows, arguments.limit_mb, results / f"{name}.png")
    (results / f"{name}.md").write_text(page(rows, arguments.limit_mb) + f"\n![memory]({name}.png)\n", encoding="utf-8")


def write_study(folder: Path, n_samples: int, n_features: int) -> None:
    """Write a study sample by sample, in the memory of a block of samples and the tree."""
    stream = np.random.default_rng(0)
    tree = simulate_tree(n_features, stream)
    names = [f"ASV{number:07d}" for number in range(n_features)]
    sequences = simulate_sequences(tree, 150, stream)
    with (folder / "sequences.fasta").open("w") as file:
        file.writelines(f">{name}\n{sequence}\n" for name, sequence in zip(names, sequences, strict=True))
    tip_names = [names[int(name)] if name else "" for name in tree.names]
    write_newick(folder / "tree.nwk", tree.parent, tree.length, tip_names)
    del tree, sequences, tip_names
    popularity = stream.permutation(n_features).astype(np.int32)
    with h5py.File(folder / "table.biom", "w") as file:
        file["sample/ids"] = [f"S{number:07d}" for number in range(n_samples)]
        file["observation/ids"] = names
        data = file.create_dataset("sample/matrix/data", (0,), "f8", maxshape=(None,), chunks=(1 << 16,))
        indices = file.create_dataset("sample/matrix/indices", (0,), "i4", maxshape=(None,), chunks=(1 << 16,))
        pointers = [0]
        for _ in range(0, n_samples, SAMPLES_PER_BLOCK):
            for _ in range(SAMPLES_PER_BLOCK):
                ranks = np.unique((n_features * stream.random(ASVS_PER_SAMPLE) ** 3).astype(np.int64))
                counts = 1 + stream.pareto(1.1, len(ranks)).clip(max=DEPTH).astype(np.int64)
                start = pointers[-1]
                pointers.append(start + len(ranks))
                data.resize((pointers[-1],))
                indices.resize((pointers[-1],))
                data[start:], indices[start:] = counts, popularity[ranks]
        file["sample/matrix/indptr"] = np.array(pointers)


def run(arguments: list, limit_mb: int) -> Run:
    """Run a command in a process of its own, under the limit, and watch its memory."""
    group = CONTROL_GROUP / f"aam-benchmark-{os.getpid()}"
    can_limit = os.access(CONTROL_GROUP, os.W_OK)
    if can_limit:
        group.mkdir(exist_ok=True)
        (group / "memory.limit_in_bytes").write_text(str(limit_mb * 10**6))

    def enter() -> None:
        if can_limit:
            (group / "cgroup.procs").write_text(str(os.getpid()))

    begin = time.monotonic()
    command = [sys.executable, "-m", "aam", *map(str, arguments)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=enter)  # noqa: PLW1509
    found = Run()
    watcher = threading.Thread(target=watch, args=(process, found, begin))
    watcher.start()
    _, messages = process.communicate()
    watcher.join()
    found.seconds = time.monotonic() - begin
    if can_limit:
        group.rmdir()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed with {process.returncode}:\n{messages}")
    return found


def watch(process: subprocess.Popen, found: Run, begin: float) -> None:
    """Read a process's resident memory, and its peak, fifty times a second, until it ends."""
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        try:
            lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
            resident, anonymous, peak = (int(lines[key].split()[0]) * 1024 for key in ("VmRSS", "RssAnon", "VmHWM"))
        except (OSError, KeyError):
            break
        found.resident, found.anonymous = max(found.resident, peak), max(found.anonymous, anonymous)
        found.trace.append((time.monotonic() - begin, resident))
        time.sleep(0.02)


def page(rows: list, limit_mb: int) -> str:
    """Format the table as Markdown."""
    columns = (
        "samples × features", "table", "study on disk", "build", "tree", "pre-train", "peak resident: build", "tree", "pre-train"
    )  # fmt: skip
    lines = [
        f"# Resident memory against study size, {date.today()}",
        "",
        f"`python benchmarks/streaming_memory.py --limit-mb {limit_mb}`; {platform.machine()}, {os.cpu_count()} CPU cores, "
        f"Python {platform.python_version()}; about {ASVS_PER_SAMPLE:,} ASVs per sample; pre-training: `{SMALL}`.",
        "",
        "| " + " | ".join(columns) + " |",
        "|" + "---|" * len(columns),
    ]
    for (samples, features), table, stored, *runs in rows:
        cells = [f"{samples:,} × {features:,}", f"{table / 1e9:.2f} GB", f"{stored / 1e9:.2f} GB"]
        cells += [f"{found.seconds:.0f} s" for found in runs]
        cells += [f"{found.resident / 1e6:.0f} MB ({found.anonymous / 1e6:.0f} anonymous)" for found in runs]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def draw(rows: list, limit_mb: int, path: Path) -> None:
    """Plot peak resident memory against the size of the study on disk."""
    figure = Figure(figsize=(7, 4.5), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    sizes = [stored / 1e9 for _, _, stored, *_ in rows]
    for number, label in enumerate(("build the study", "build the tree", "pre-train")):
        axes.plot(sizes, [row[3 + number].resident / 1e9 for row in rows], marker="o", label=label)
    axes.plot(sizes, sizes, color="#999999", linestyle=":", label="as much as the study")
    axes.axhline(limit_mb / 1e3, color="#b03a2e", linestyle="--", label="limit")
    axes.set(xlabel="study on disk, GB", ylabel="peak resident memory, GB", xscale="log", ylim=(0, 2 * limit_mb / 1e3))
    axes.legend(frameon=False)
    figure.savefig(path)


if __name__ == "__main__":
    main()
