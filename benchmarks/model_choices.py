"""Scores of a choice of the model or of training: pre-training, then fine-tuning, as a user runs them, for each choice in turn.

    python benchmarks/model_choices.py patch-size [--only 5 10] [--study ibd_2538] [--column ibd] [--epochs 8] [--results DIRECTORY]

A small model is pre-trained on all samples of the study (``aam pretrain``); then the fixed folds of the column are predicted by a
network on it, kept as it is and trained on (``aam evaluate --fold-file --head network``). Times are those of the processor, of one
thread: runs may share the machine. Writes a dated page.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

from measuring import REPOSITORY, table, write_page

SHAPE = (
    "--embedding-dim 64 --attention-heads 4 --attention-layers 2 --ffn-ratio 2 --token-limit 512 --rarefy-depth 2000"
)
TRAINING = "--batch-size 16 --lr 1e-3 --precision 32-true --missing-features drop --patience 100"
CHOICES = {
    "patch-size": {size: ["--patch-size", size] for size in ("5", "10", "15", "3", "1")},
    "count-embedding": {way: ["--count-embedding", way] for way in ("film", "add", "concat", "none")},
    "optimizer": {
        "adamw": ["--optimizer", "adamw"],
        "muon": ["--optimizer", "muon"],
        "sgd, lr 0.05": ["--optimizer", "sgd", "--lr", "0.05"],
    },
}
OF_MODEL = ("patch-size", "count-embedding")
"""Options that a pre-trained model fixes, so that fine-tuning does not take them."""
TUNINGS = {"frozen": ["--freeze-base", "--epochs", "30"], "trained on": ["--epochs", "5"]}
COLUMNS = ("", "s", "peak MB", "UniFrac R²", "Spearman", "nucleotides right", "perplexity")


def main() -> None:
    """Run each choice, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("choice", choices=CHOICES)
    parser.add_argument("--only", nargs="+", metavar="VALUE", help="those of the choice to run; all, if not given")
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data")
    parser.add_argument("--study", default="ecam_infant")
    parser.add_argument("--column", default="age_days")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--tunings", nargs="*", choices=TUNINGS, default=list(TUNINGS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", type=Path, default=REPOSITORY / "benchmarks" / "results")
    options = parser.parse_args()
    options.quick, options.threads = False, 1
    rows: list[list[object]] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in options.only or CHOICES[options.choice]:
            given = CHOICES[options.choice][name]
            output = Path(folder) / name
            rows.append([name, *pretrain(options, given, output)])
            again = [] if options.choice in OF_MODEL else given
            for tuning in options.tunings:
                rows[-1] += tune(options, [*again, *TUNINGS[tuning]], output)
            write(options, rows)


def run(command: str, options: argparse.Namespace, output: Path, *arguments: str) -> tuple[float, float]:
    """Run a command on the study; return the processor's seconds and the peak memory in MB."""
    study = options.data / options.study
    given = ["--table", study / "table.biom", "--sequences", study / "sequences.fasta", "--tree", study / "tree.nwk"]
    shared = [*SHAPE.split(), *TRAINING.split(), "--seed", options.seed, "--output-dir", output]
    line = [sys.executable, "-m", "aam", command, *given, *shared, *arguments]
    process = subprocess.Popen([str(part) for part in line], env={**os.environ, "OMP_NUM_THREADS": "1"})
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"aam {command} failed: {' '.join(map(str, line))}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000


def pretrain(options: argparse.Namespace, given: list[str], output: Path) -> list[object]:
    """Pre-train, and return the cells of its cost and its scores."""
    seconds, peak = run("pretrain", options, output, "--epochs", str(options.epochs), *given)
    found = json.loads((output / "metrics.json").read_text(encoding="utf-8"))
    names = ("unweighted-unifrac_r2", "unweighted-unifrac_spearman", "nucleotides_accuracy", "nucleotides_perplexity")
    return [f"{seconds:.0f}", f"{peak:,.0f}", *(f"{found[name]:.3f}" for name in names)]


def tune(options: argparse.Namespace, given: list[str], pretrained: Path) -> list[object]:
    """Score the fixed folds with a network on the pre-trained model: mean and deviation over folds, and seconds."""
    folds = options.data / options.study / "folds" / f"{options.column}.tsv"
    output = pretrained.with_name(f"{pretrained.name} {len(given)}{given[-1]}")
    label = [
        "--metadata",
        str(folds),
        "--metadata-column",
        "target",
        "--missing-samples",
        "drop",
        "--group-column",
        "group",
    ]
    seconds, _ = run(
        "evaluate", options, output, *label, "--fold-file", str(folds), "--head", "network", "--baselines", "guess",
        "--pretrained", str(pretrained), *given,
    )  # fmt: skip
    summary = pd.read_csv(output / "summary.tsv", sep="\t")
    row = summary[(summary["method"] == "aam") & summary["metric"].isin(["r2", "balanced_accuracy"])].iloc[0]
    return [f"{row['mean']:.3f} ± {row['sd']:.3f}", f"{seconds:.0f}"]


def write(options: argparse.Namespace, rows: list[list[object]]) -> None:
    """Write the page, again after each choice."""
    tuned = [f"{options.column}, {tuning}{end}" for tuning in options.tunings for end in ("", ", s")]
    lines = [
        f"{options.study}; seed {options.seed}, {options.epochs} epochs of pre-training, then `{TUNINGS}`; `{SHAPE} {TRAINING}`. "
        "Scores of pre-training are those of its validation samples; of the column, R² or balanced accuracy, mean ± standard "
        "deviation over the fixed folds. One seed: differences below the deviation say nothing.",
        "",
        *table((options.choice, *COLUMNS[1:], *tuned), rows),
    ]
    name = f"{options.choice.replace('-', '_')}_{options.study}_seed{options.seed}"
    write_page(options, name, f"Choices of --{options.choice} on {options.study}", lines)


if __name__ == "__main__":
    main()
