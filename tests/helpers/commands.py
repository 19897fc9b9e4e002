"""Whole commands as a user runs them: a simulated study, models of a second, and what a run leaves."""

import logging
from pathlib import Path

import pandas as pd
import pytest

from aam.cli import main

TINY = ["--embedding-dim", "8", "--attention-heads", "2", "--attention-layers", "1", "--max-bp", "20"]
"""The shape of a network for sequences of 20 letters."""

SMALL = ["--embedding-dim", "16", "--attention-heads", "2", "--attention-layers", "1", "--max-bp", "40"]
"""The shape of a network for sequences of 40 letters."""

QUIET = pytest.mark.filterwarnings("ignore:.*LeafSpec.*", "ignore:.*num_workers.*")
"""Leaves out what Lightning warns of in every run."""


def run(*arguments) -> int:
    """Run a command in this process and return its exit code."""
    return main([str(argument) for argument in arguments])


def succeed(*arguments) -> None:
    """Run a command that must work."""
    assert run(*arguments) == 0


def warnings_of(*arguments) -> list[str]:
    """Run a command that must work, and return what aam warned of, each warning once."""
    make, warned = logging.getLogRecordFactory(), []

    def note(*given, **named):
        record = make(*given, **named)
        if record.levelno >= logging.WARNING and record.name.startswith("aam"):
            warned.append(record.getMessage())
        return record

    logging.setLogRecordFactory(note)
    try:
        succeed(*arguments)
    finally:
        logging.setLogRecordFactory(make)
    return list(dict.fromkeys(warned))


def simulate(study, samples, features, length, *options) -> Path:
    """Simulate a study and return its folder."""
    succeed(
        "simulate", "--output-dir", study, "--samples", samples, "--features", features, "--sequence-length", length, *options
    )  # fmt: skip
    return study


def files_of(study, *more) -> list[str]:
    """Return the options of a study's table and sequences, and of ``more``: tree, taxonomy."""
    names = {"table": "table.biom", "sequences": "sequences.fasta", "tree": "tree.nwk", "taxonomy": "taxonomy.tsv"}
    return [part for option in ("table", "sequences", *more) for part in (f"--{option}", str(study / names[option]))]


def study_of(folder, *more) -> list[str]:
    """Return the options of the study that is in a folder of runs."""
    return files_of(folder / "study", *more)


def labels_of(metadata, *columns) -> list[str]:
    """Return the options of the columns to learn."""
    return ["--metadata", str(metadata), "--metadata-column", *columns]


def train(study, output, *options, column="age", metadata=None, more=()) -> int:
    """Train on a column, or on several, and return the exit code."""
    columns = [column] if isinstance(column, str) else column
    labels = labels_of(metadata or study / "metadata.tsv", *columns)
    return run("train", *files_of(study, *more), *labels, "--output-dir", output, *options)


def pretrain(study, output, *options) -> int:
    """Pre-train with the study's tree, and return the exit code."""
    return run("pretrain", *files_of(study, "tree"), "--output-dir", output, *options)


def predict(study, model, output, *options) -> pd.DataFrame:
    """Predict all samples and return the table that is written."""
    succeed("predict", "--model", model, *files_of(study), "--output", output, *options)
    return read(output)


def read(path) -> pd.DataFrame:
    """Read a table of samples by their ids."""
    return pd.read_csv(path, sep="\t", dtype={"sample-id": str}).set_index("sample-id")


def stop_at(monkeypatch, epoch, batch, send) -> None:
    """Call ``send`` when a batch of an epoch was trained on, as a signal would come then."""

    def stop(callback, trainer, pl_module, outputs, trained, batch_idx):
        if (trainer.current_epoch, batch_idx) == (epoch, batch):
            send()

    monkeypatch.setattr("aam.training.reports.BatchReport.on_train_batch_end", stop)
