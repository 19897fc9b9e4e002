"""Scores of each objective on a real study, beside those that need no model.

    python benchmarks/objectives.py [--study ecam_infant] [--types NAME …] [--results DIRECTORY]

Each objective is pre-trained alone with ``aam pretrain``, with a small model and few epochs, and scored on the same validation
samples. The trivial score is that of the training mean, of the commonest taxon or ASV, or of the usual nucleotide
(``*_baseline_*`` in ``metrics.json``). Writes a dated page.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from aam.config.objectives import OBJECTIVES, encoder_types
from measuring import REPOSITORY, table, write_page

SHAPE = (
    "--embedding-dim 64 --attention-heads 4 --attention-layers 2 --ffn-ratio 2 --token-limit 256 --rarefy-depth 2000 "
    "--batch-size 16 --lr 1e-3 --precision 32-true --missing-features drop"
)
MATRIX = "distance"
"""Objective that needs a matrix of the user, which the study lacks."""
COLUMNS = ("objective", "score", "without a model", "R²", "Pearson", "Spearman", "epochs", "s")


def main() -> None:
    """Pre-train on each objective, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data")
    parser.add_argument("--study", default="ecam_infant")
    parser.add_argument("--types", nargs="+", default=[name for name in OBJECTIVES if name != MATRIX])
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", type=Path, default=REPOSITORY / "benchmarks" / "results")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    options.quick = False
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in options.types:
            start = time.monotonic()
            metrics = pretrain(options, name, Path(folder) / name)
            rows += scores(name, metrics, time.monotonic() - start)
            lines = [
                f"{options.study}; {options.epochs} epochs at most, seed {options.seed}; `{SHAPE}`.",
                "",
                *table(COLUMNS, rows),
            ]
            write_page(options, f"objectives_{options.study}", f"Objectives on {options.study}", lines)


def pretrain(options: argparse.Namespace, name: str, output: Path) -> dict[str, float]:
    """Run the command with this objective alone, and return its metrics."""
    study = options.data / options.study
    command = [sys.executable, "-m", "aam", "pretrain", *SHAPE.split(), "--output-dir", output, "--seed", options.seed]
    command += ["--table", study / "table.biom", "--sequences", study / "sequences.fasta", "--epochs", options.epochs]
    files = {"tree": study / "tree.nwk", "taxonomy": study / "taxonomy.tsv"}
    for need in OBJECTIVES[name].needs:
        command += [f"--{need}", files[need]]
    command += weights(name)
    environment = {**os.environ, "OMP_NUM_THREADS": str(options.threads)}
    subprocess.run([str(part) for part in command], check=True, env=environment)
    return json.loads((output / "metrics.json").read_text(encoding="utf-8"))


def weights(name: str) -> list[str]:
    """Return the options that leave one objective alone."""
    if name in encoder_types():
        return ["--encoder-type", name, "--nuc-penalty", "0"]
    alone = {"nucleotides": ["--nuc-penalty", "1"], "counts": ["--nuc-penalty", "0", "--count-penalty", "1"]}
    return ["--encoder-type", "observed-asvs", "--penalty", "0", *alone[name]]


def scores(name: str, metrics: dict[str, float], seconds: float) -> list[list[object]]:
    """Return a row for each score that has a trivial one."""
    found = {key.removeprefix(f"{name}_"): value for key, value in metrics.items() if key.startswith(f"{name}_")}
    trivial = {key: value for key, value in found.items() if key.startswith("baseline_")}
    rows = []
    for key, value in trivial.items():
        own = next(
            (end for end in sorted(found, key=len, reverse=True) if key.endswith(end) and end not in trivial), None
        )
        if own is None:
            continue
        others = [f"{found[metric]:.3f}" if metric in found else "" for metric in ("r2", "pearson", "spearman")]
        what = key.removeprefix("baseline_")
        rows.append(
            [name, f"{own} {found[own]:.4g}", f"{what} {value:.4g}", *others, metrics["epochs"], f"{seconds:.0f}"]
        )
    return rows


if __name__ == "__main__":
    main()
