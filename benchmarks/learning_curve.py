"""Scores against the number of labelled samples, with and without pre-training.

    python benchmarks/learning_curve.py --pretrained DIRECTORY [--heads kernel network] [--seeds 3] [--folds 5] [--threads 1]

On the fixed folds of the real studies, 25, 50, 100, 200 or all samples of the training part are drawn at random (as many of each
class as in all), and aam is trained on them by ``aam evaluate``'s own code, with and without ``--pretrained``; the network with a
frozen base. Scores are of all held-out samples, mean and standard deviation over seeds. Writes a dated page, a table and a plot.
"""

import argparse
import dataclasses
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from sklearn.metrics import balanced_accuracy_score, r2_score

from aam.config.crossval import CrossvalConfig, FoldsConfig
from aam.config.model import ModelConfig
from aam.config.study import DistanceConfig, LabelConfig, OutputDirectoryConfig, SamplingConfig, StudyConfig
from aam.config.target import HeadConfig
from aam.config.training import TrainingConfig, TransferConfig
from aam.crossval.folds import CrossvalSamples, Fold, read_crossval_samples
from aam.crossval.methods import aam_method
from aam.labels.target import Predictions
from aam.runs.pretrained import load_pretrained, model_config_of
from measuring import REPOSITORY, table, write_page

TASKS = (
    ("ecam_infant", "age_days", "R²"),
    ("ibd_2538", "ibd", "balanced accuracy"),
    ("ecam_infant", "delivery", "balanced accuracy"),
)
SIZES = (25, 50, 100, 200, None)
"""Numbers of labelled samples; None for all."""
EPOCHS, DEPTH = 20, 2000
COLUMNS = ("study", "column", "head", "pre-trained", "labelled samples", "score", "sd over seeds", "s")


def main() -> None:
    """Score each combination, and write the page after each one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data")
    parser.add_argument("--pretrained", type=Path, required=True)
    parser.add_argument("--heads", nargs="+", default=["kernel", "network"])
    parser.add_argument("--tasks", type=int, default=len(TASKS), help="how many, the first of the list")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--folds", type=int, default=5, help="held-out folds, the first of five")
    parser.add_argument("--results", type=Path, default=REPOSITORY / "benchmarks" / "results")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    options.quick = False
    torch.set_num_threads(options.threads)
    rows: list[list[object]] = []
    with tempfile.TemporaryDirectory() as folder:
        for study, column, metric in TASKS[: options.tasks]:
            for head in options.heads:
                for is_pretrained in (False, True):
                    config = configure(options, study, column, head, is_pretrained, Path(folder) / "unused")
                    for row in curve(config, options):
                        rows.append([study, f"{column} ({metric})", head, "yes" if is_pretrained else "no", *row])
                        write(options, rows)


def configure(
    options: argparse.Namespace, study: str, column: str, head: str, is_pretrained: bool, output: Path
) -> CrossvalConfig:
    """Return the options of ``aam evaluate --fold-file``."""
    data = options.data / study
    freezes = is_pretrained and head == "network"
    return CrossvalConfig(
        study=StudyConfig(table=data / "table.biom", sequences=data / "sequences.fasta"),
        label=LabelConfig(
            metadata=data / "folds" / f"{column}.tsv", metadata_column=("target",), missing_samples="drop"
        ),
        folds=FoldsConfig(fold_file=data / "folds" / f"{column}.tsv", baselines=()),
        output=OutputDirectoryConfig(output_dir=output),
        head=HeadConfig(head=head),  # type: ignore[arg-type]
        transfer=TransferConfig(pretrained=options.pretrained if is_pretrained else None, freeze_base=freezes),
        distance=DistanceConfig(tree=data / "tree.nwk", missing_features="drop")
        if head == "kernel"
        else DistanceConfig(),
        sampling=SamplingConfig(rarefy_depth=DEPTH),
        model=ModelConfig(attention_layers=2, ffn_ratio=2.0, max_bp=100),
        training=TrainingConfig(epochs=EPOCHS, batch_size=16, lr=1e-3, precision="32-true" if freezes else "auto"),
    )


def curve(config: CrossvalConfig, options: argparse.Namespace) -> Iterator[list[object]]:
    """Return a row for each number of labelled samples."""
    pretrained = load_pretrained(config.transfer.pretrained)
    if pretrained is not None:
        config = dataclasses.replace(config, model=model_config_of(pretrained[0], config.model))
    samples = read_crossval_samples(config)
    for size in SIZES:
        begin = time.monotonic()
        scores = []
        for seed in range(options.seeds if size else 1):
            seeded = dataclasses.replace(config, training=dataclasses.replace(config.training, seed=seed))
            method = aam_method(seeded, pretrained, samples)
            scores.append(score(method, samples, size, np.random.default_rng(seed), options.folds))
        spread = f"{np.std(scores, ddof=1):.3f}" if len(scores) > 1 else ""
        yield [size or "all", f"{np.mean(scores):.3f}", spread, f"{time.monotonic() - begin:.0f}"]


def score(
    method: Callable[[Fold], Predictions],
    samples: CrossvalSamples,
    size: int | None,
    stream: np.random.Generator,
    n_folds: int,
) -> float:
    """Score the held-out samples of all folds together."""
    predicted, truths = [], []
    for fold in list(samples)[:n_folds]:
        train = fold.train if size is None else draw(fold.train, samples, size, stream)
        predicted.append(method(Fold(fold.repeat, fold.number, train, fold.test)).values)
        truths.append(samples.truth[fold.test])
    values, truth = np.concatenate(predicted), np.concatenate(truths)
    if samples.target.task == "regression":
        return r2_score(truth, values)
    return balanced_accuracy_score(truth, values.argmax(axis=1))


def draw(rows: np.ndarray, samples: CrossvalSamples, size: int, stream: np.random.Generator) -> np.ndarray:
    """Draw samples, from each class in proportion to its size."""
    if samples.target.task == "regression":
        return np.sort(stream.choice(rows, size, replace=False))
    label = samples.truth[rows]
    shuffled = stream.permutation(len(rows))
    place = np.empty(len(rows))
    for k in np.unique(label):
        own = shuffled[label[shuffled] == k]
        place[own] = (np.arange(len(own)) + stream.random()) / len(
            own
        )  # even steps: the first hold each class by its share
    return np.sort(rows[np.argsort(place)[:size]])


def write(options: argparse.Namespace, rows: list[list[object]]) -> None:
    """Write the page, the table and the plot anew."""
    name = "learning_curve_" + "_".join(options.heads)
    folds = (
        f"{options.folds} of 5 folds, {options.seeds} seeds; network: at most {EPOCHS} epochs, {DEPTH} reads a sample."
    )
    picture = f"{name}_cpu{options.threads}_{date.today()}.png"
    lines = [folds, "", *table(COLUMNS, rows), "", f"![curve]({picture})"]
    write_page(options, name, "Learning curves with and without pre-training", lines)
    draw_curves(pd.DataFrame(rows, columns=list(COLUMNS)), options.results / picture)
    sys.stdout.flush()


def draw_curves(frame: pd.DataFrame, path: Path) -> None:
    """Plot each task; the point of all labelled samples is drawn at 400."""
    tasks = frame[["study", "column"]].drop_duplicates().itertuples(index=False)
    panels = list(tasks)
    figure = Figure(figsize=(4.2 * len(panels), 4), dpi=120, layout="constrained")
    for axes, (study, column) in zip(np.atleast_1d(figure.subplots(1, len(panels))), panels, strict=True):
        part = frame[(frame["study"] == study) & (frame["column"] == column)]
        for (head, pretrained), line in part.groupby(["head", "pre-trained"]):  # type: ignore[misc]
            x = [400 if size == "all" else int(size) for size in line["labelled samples"]]
            y = line["score"].astype(float)
            sd = [float(value) if value else 0.0 for value in line["sd over seeds"]]
            style = "-" if pretrained == "yes" else "--"
            label = f"{head}{', pre-trained' if pretrained == 'yes' else ''}"
            axes.errorbar(x, y, sd, marker="o", linestyle=style, color={"kernel": "C0"}.get(head, "C1"), label=label)
        ticks = [size or 400 for size in SIZES]
        axes.set(xscale="log", xlabel="labelled samples", ylabel=column, title=study)
        axes.set_xticks(ticks, [str(size or "all") for size in SIZES])
        axes.minorticks_off()
        axes.legend(frameon=False)
    figure.savefig(path)


if __name__ == "__main__":
    main()
