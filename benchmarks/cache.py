"""What the cache saves: opening a study, its tree and its ASV vectors when they are there, against making them.

    python benchmarks/cache.py ../shared/data/ecam_infant ../shared/data/ibd_2538

Each folder holds table.biom, sequences.fasta and tree.nwk. Hits and misses are measured in turn in one process, with a model of the
default shape and random weights. Writes a dated page into ``benchmarks/results/``.
"""

import argparse
import logging
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import torch

from aam.config.model import ModelConfig
from aam.config.study import StudyConfig
from aam.data.study import Study
from aam.data.study_build import read_study
from aam.inference.network import asv_vectors
from aam.models.build import build_encoder
from aam.runs.resources import read_tree
from aam.storage.cache import Cache

REPEATS = 3


def main() -> None:
    """Measure each study and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("studies", nargs="+", type=Path)
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    rows = [row for folder in arguments.studies for row in measure(folder)]
    lines = [
        f"# What the cache saves, {date.today()}",
        "",
        f"`python benchmarks/cache.py {' '.join(folder.name for folder in arguments.studies)}`; {platform.machine()}, "
        f"{os.cpu_count()} CPU cores, {torch.get_num_threads()} threads, Python {platform.python_version()}, "
        f"torch {torch.__version__}; medians of {REPEATS}, the vectors of ASVs once; default model shape, single precision.",
        "",
        "| study | samples × features | what | miss | hit | miss ÷ hit |",
        "|---|---|---|---|---|---|",
        *rows,
    ]
    path = Path(__file__).parent / "results" / f"cache_cpu{os.cpu_count()}_{date.today()}.md"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    sys.stdout.write(path.read_text(encoding="utf-8"))


def measure(folder: Path) -> list[str]:
    """Time each cached object with an empty cache and with a full one."""
    with tempfile.TemporaryDirectory() as scratch:
        config = StudyConfig(
            table=folder / "table.biom", sequences=folder / "sequences.fasta", cache_dir=Path(scratch) / "cache"
        )
        cache, max_bp = Cache(config.cache_dir), ModelConfig().max_bp
        study = read_study(config, max_bp)
        encoder = build_encoder(ModelConfig(), []).asv_encoder
        things: dict[str, tuple[Callable[[], object], int]] = {
            "study": (lambda: read_study(config, max_bp), REPEATS),
            "tree": (lambda: read_tree(folder / "tree.nwk", study, cache), REPEATS),
            "ASV vectors": (lambda: asv_vectors(encoder, study, cache), 1),
        }
        return [row_of(folder.name, study, name, *times(cache, run, n)) for name, (run, n) in things.items()]


def times(cache: Cache, run: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Return the median seconds of a miss and of a hit."""
    misses, hits = [], []
    for _ in range(repeats):
        cache.shrink(0)
        misses.append(seconds(run))
        hits.append(seconds(run))
    return statistics.median(misses), statistics.median(hits)


def seconds(run: Callable[[], object]) -> float:
    """Time one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def row_of(study_name: str, study: Study, thing: str, miss: float, hit: float) -> str:
    """Format one line of the table."""
    shape = f"{study.n_samples:,} × {study.n_features:,}"
    return f"| {study_name} | {shape} | {thing} | {miss:.3f} s | {hit:.3f} s | {miss / hit:,.0f} |"


if __name__ == "__main__":
    main()
