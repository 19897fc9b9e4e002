"""A study of 60 samples of 15 people as plain files, whose metadata a test changes, and what commands say of them."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from helpers.commands import read, run, succeed

N, PER_PERSON = 60, 4

IDS = [f"S{i:02d}" for i in range(N)]

PEOPLE = [f"P{i // PER_PERSON:02d}" for i in range(N)]

STATES = ["sick" if i // PER_PERSON % 2 else "well" for i in range(N)]

AGES = [int(age) for age in np.random.default_rng(2).integers(5, 700, size=N)]

Cells = Sequence[object]


def write_table(folder: Path) -> Path:
    """Write a table of 20 ASVs, some of which follow the state and some the age."""
    stream = np.random.default_rng(1)
    names = ["".join(letters) for letters in stream.choice(list("ACGT"), size=(20, 30))]
    effect = np.ones((N, 20))
    effect[:, :5] = np.where(np.array(STATES) == "sick", 6, 1)[:, None]
    effect[:, 5:10] = np.array(AGES)[:, None] / 100
    counts = stream.poisson(stream.exponential(20, size=(N, 20)) * effect) + 1
    rows = ["\t".join(["#OTU ID", *IDS])]
    rows += ["\t".join([name, *map(str, row)]) for name, row in zip(names, counts.T.tolist(), strict=True)]
    path = folder / "table.tsv"
    path.write_text("\n".join(rows) + "\n")
    return path


def write_metadata(path: Path, columns: Mapping[str, Cells], is_quoted: bool = False) -> Path:
    """Write columns beside the subject; quoted as R quotes text."""
    header = ["sample-id", "subject", *columns]
    rows = [header, *zip(IDS, PEOPLE, *columns.values(), strict=True)]

    def cell(value):
        return f'"{value}"' if is_quoted and isinstance(value, str) else str(value)

    path.write_text("\n".join("\t".join(map(cell, row)) for row in rows) + "\n", encoding="utf-8")
    return path


def every(step: int, cell: object, others: Cells) -> list[object]:
    """Return cells of which each ``step``-th is another one."""
    return [cell if i % step == 0 else other for i, other in enumerate(others)]


class LabelRuns:
    """Commands on the study of a folder, and what they said."""

    def __init__(self, folder: Path, capsys) -> None:
        self.folder, self.capsys = folder, capsys
        self.table = write_table(folder)

    def train(self, columns: Mapping[str, Cells], column: str, *options: object, **how: bool) -> tuple[int, str]:
        """Train on a column and return the exit code and the log."""
        metadata = write_metadata(self.folder / "train.tsv", columns, **how)
        return self._run("train", "--metadata", metadata, "--metadata-column", column, *options, output="trained")

    def evaluate(self, columns: Mapping[str, Cells], column: str, *options: object) -> tuple[int, str]:
        """Compare the model that was trained with a column."""
        metadata = write_metadata(self.folder / "new.tsv", columns)
        model = ["--model", self.folder / "trained"]
        return self._run(
            "evaluate", *model, "--metadata", metadata, "--metadata-column", column, *options, output="scored"
        )

    def crossval(self, columns: Mapping[str, Cells], column: str, *options: object) -> tuple[int, str]:
        """Compare over folds."""
        metadata = write_metadata(self.folder / "folds.tsv", columns)
        return self._run("crossval", "--metadata", metadata, "--metadata-column", column, *options, output="folds")

    def inspect(self, columns: Mapping[str, Cells]) -> str:
        """Return the report on the study, each blank a single space."""
        metadata = write_metadata(self.folder / "inspected.tsv", columns)
        self.capsys.readouterr()
        succeed("inspect", self.table, metadata)
        return " ".join(self.capsys.readouterr().out.split())

    def predictions(self, output: str):
        """Return the table of predictions that a command wrote."""
        name = "validation_predictions.tsv" if output == "trained" else "predictions.tsv"
        return read(self.folder / output / name)

    def _run(self, command: str, *options: object, output: str) -> tuple[int, str]:
        self.capsys.readouterr()
        code = run(command, "--table", self.table, *options, "--output-dir", self.folder / output, "--overwrite")
        return code, self.capsys.readouterr().err


def remarks_in(log: str) -> list[str]:
    """Return the lines of a log that name an option of metadata, but for the advice on subjects."""
    return [line for line in log.splitlines() if re.match(r"--(metadata|numeric|categorical|group|smallest)", line)]
