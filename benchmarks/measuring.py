"""Tools of the benchmarks of speed: fresh processes, peak memory, times taken in turn, and pages of results."""

import argparse
import json
import logging
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import torch

REPOSITORY = Path(__file__).resolve().parents[1]
STUDIES = ("ecam_infant", "ibd_2538", "crc_udca")
MIB, GIB = 2**20, 2**30
Task = Callable[..., dict[str, Any]]


def parse(description: str | None) -> argparse.Namespace:
    """Parse the options that all benchmarks of speed have."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick", action="store_true", help="a small model on a small simulated study, to try the script"
    )
    parser.add_argument(
        "--data", type=Path, default=REPOSITORY.parent / "shared" / "data", help="folder of the studies"
    )
    parser.add_argument(
        "--results", type=Path, default=REPOSITORY / "benchmarks" / "results", help="where the page goes"
    )
    parser.add_argument("--document", type=Path, help="a page whose marked sections take the tables")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--steps", type=int, help="timed steps, or pairs of steps, of each row")
    parser.add_argument("--memory-gb", type=float, default=16.0, help="most that the padded reference may take")
    parser.add_argument("--task", help=argparse.SUPPRESS)  # what a fresh process is to do
    return parser.parse_args()


def present_studies(data: Path, names: Sequence[str] = STUDIES) -> list[Path]:
    """Return the folders of the studies that exist, and log those that do not."""
    for name in names:
        if not (data / name).is_dir():
            sys.stderr.write(f"Skipped {name}: not in {data}; pass --data.\n")
    return [data / name for name in names if (data / name).is_dir()]


def in_fresh_process(name: str, threads: int, **arguments: Any) -> dict[str, Any]:
    """Run one of the script's tasks in a process of its own; numbers come back as JSON, and are logged as they come."""
    task = json.dumps({"name": name, "arguments": arguments})
    command = [sys.executable, sys.argv[0], "--threads", str(threads), "--task", task]
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {name}, {threads} threads: {task}\n")
    shown = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    sys.stderr.write(f"{shown}\n")
    return json.loads(shown)


def in_fresh_process_or_none(name: str, threads: int, **arguments: Any) -> dict[str, Any] | None:
    """Run a task; return None if it fails, as for want of memory or of a compiler, so that earlier results are kept."""
    try:
        return in_fresh_process(name, threads, **arguments)
    except subprocess.CalledProcessError as error:
        sys.stderr.write(f"{name} failed with exit code {error.returncode}; its row is left empty.\n")
        return None


def run_task(tasks: dict[str, Task], options: argparse.Namespace) -> None:
    """Run a task in this process, which was started for it."""
    torch.set_num_threads(options.threads)
    logging.disable(logging.WARNING)  # every process would say which samples are too shallow
    task = json.loads(options.task)
    sys.stdout.write(json.dumps(tasks[task["name"]](**task["arguments"])))


def peak_bytes() -> int:
    """Return the peak memory of this process in bytes.

    ``ru_maxrss`` of a process that was just started counts what its parent held; Linux's VmHWM does not, and is equal else.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text(encoding="ascii").splitlines())
        return int(lines["VmHWM"].split()[0]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def rise(run: Callable[[], object], times: int = 2) -> int:
    """Measure the rise of the peak memory, in bytes, over some calls; warm the libraries up before."""
    before = peak_bytes()
    for _ in range(times):
        run()
    return peak_bytes() - before


def seconds(run: Callable[[], object]) -> float:
    """Time one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def in_turn(first: Callable[[int], object], second: Callable[[int], object], n: int) -> list[tuple[float, float]]:
    """Time two functions in turn, A B B A, after one call of each; their argument is the number of the turn."""
    first(0)
    second(0)
    pairs = []
    for turn in range(1, n + 1):
        if turn % 2:
            a, b = seconds(lambda t=turn: first(t)), seconds(lambda t=turn: second(t))
        else:
            b, a = seconds(lambda t=turn: second(t)), seconds(lambda t=turn: first(t))
        pairs.append((a, b))
    return pairs


def spread(values: Sequence[float], digits: int = 3) -> str:
    """Format the median, the smallest and the largest of values."""
    low, middle, high = (f"{v:.{digits}g}" for v in (min(values), statistics.median(values), max(values)))
    return f"{middle} ({low}–{high})"


def available_bytes() -> float:
    """Return the bytes of memory that are free for a new process, where Linux reports them."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return float("inf")
    return float(next(line.split()[1] for line in lines if line.startswith("MemAvailable"))) * 1024


def machine(options: argparse.Namespace) -> str:
    """Describe the run: command, hardware, versions, and how busy the machine was."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    ).stdout.strip()
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"`python benchmarks/{Path(sys.argv[0]).name}{' --quick' if options.quick else ''} --threads {options.threads}`; "
        f"{processor()}, {os.cpu_count()} CPU cores, {options.threads} threads, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, torch {torch.__version__}, commit {commit or 'unknown'}. "
        f"Load of the machine over 1, 5 and 15 minutes when the page was written: {load}."
    )


def processor() -> str:
    """Return the name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor()
    )


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Format a table as Markdown."""
    head = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return [*head, *("| " + " | ".join(map(str, row)) + " |" for row in rows)]


def write_page(options: argparse.Namespace, name: str, title: str, lines: Sequence[str]) -> Path:
    """Write a dated page of results."""
    options.results.mkdir(parents=True, exist_ok=True)
    path = options.results / f"{name}_cpu{options.threads}_{date.today()}.md"
    path.write_text("\n".join([f"# {title}, {date.today()}", "", machine(options), "", *lines, ""]), encoding="utf-8")
    sys.stdout.write(path.read_text(encoding="utf-8"))
    return path


def check_document(options: argparse.Namespace, sections: Sequence[str]) -> None:
    """Exit, before hours of measuring, if the document has no section for the tables."""
    text = options.document.read_text(encoding="utf-8") if options.document else ""
    missing = [name for name in sections if text.count(_begin(name)) != 1 or text.count(_end(name)) != 1]
    if options.document and missing:
        sys.exit(
            f"--document {options.document} lacks the lines {_begin(missing[0])!r} and {_end(missing[0])!r}, once each."
        )


def quote(options: argparse.Namespace, section: str, page: Path, lines: Sequence[str]) -> None:
    """Write a table into the marked section of the document, with a link to its page."""
    if options.document is None:
        return
    before, rest = options.document.read_text(encoding="utf-8").split(_begin(section))
    link = os.path.relpath(page, options.document.parent)
    told = f"Measured {date.today()}, {options.threads} threads ([hardware, versions and all rows]({link})):"
    text = "\n".join(["", told, "", *lines, "", ""])
    after = rest.split(_end(section))[1]
    options.document.write_text(before + _begin(section) + text + _end(section) + after, encoding="utf-8")


def _begin(section: str) -> str:
    return f"<!-- {section} -->\n"


def _end(section: str) -> str:
    return f"<!-- end of {section} -->\n"
