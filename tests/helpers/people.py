"""A study of people in text files, for the faults of samples: 60 samples of 15 people, 40 ASVs named by their sequences."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

LETTERS = list("ACGT")


@dataclass(frozen=True)
class People:
    """Samples and their metadata, which a test changes before they are written."""

    ids: list[str]
    counts: np.ndarray
    asvs: list[str]
    columns: dict[str, list]

    def files(self, folder: Path, name: str = "") -> list[str]:
        """Write the files and return the options of the table."""
        folder.mkdir(exist_ok=True)
        table = folder / f"{name}table.tsv"
        lines = ["\t".join(["#OTU ID", *self.ids])]
        lines += ["\t".join([asv, *map(str, row)]) for asv, row in zip(self.asvs, self.counts.T.tolist(), strict=True)]
        table.write_text("\n".join(lines) + "\n")
        rows = [["sample-id", *self.columns], *zip(self.ids, *self.columns.values(), strict=True)]
        self.metadata(folder, name).write_text("\n".join("\t".join(map(str, row)) for row in rows) + "\n")
        return ["--table", str(table)]

    def labelled(self, folder: Path, column: str, *options: str, name: str = "") -> list[str]:
        """Write the files and return the options of the table and of a column to learn."""
        return [
            *self.files(folder, name),
            *("--metadata", str(self.metadata(folder, name)), "--metadata-column", column, *options),
        ]

    @staticmethod
    def metadata(folder: Path, name: str = "") -> Path:
        """Name the file of the metadata."""
        return folder / f"{name}metadata.tsv"

    def with_samples(self, ids, counts, **cells) -> "People":
        """Add samples; cells of their metadata by column, those of the first samples where none are given."""
        n = len(ids)
        columns = {name: [*of_all, *cells.get(name, of_all[:n])] for name, of_all in self.columns.items()}
        return replace(self, ids=[*self.ids, *ids], counts=np.vstack([self.counts, counts]), columns=columns)

    def select(self, rows) -> "People":
        """Keep some samples."""
        columns = {name: [cells[row] for row in rows] for name, cells in self.columns.items()}
        return replace(self, ids=[self.ids[row] for row in rows], counts=self.counts[rows], columns=columns)


def people(seed=1, n_people=15, prefix="S") -> People:
    """Make a clean study: four samples of each person, about 2,500 reads each; age and state change the microbes."""
    stream, asv_stream = np.random.default_rng(seed), np.random.default_rng(0)
    asvs = ["".join(letters) for letters in asv_stream.choice(LETTERS, size=(40, 60))]
    n = 4 * n_people
    who = np.repeat(np.arange(n_people), 4)
    is_sick, age = who % 2 == 1, stream.integers(5, 700, n)
    mean = stream.exponential(60, (n, 40)) * (stream.random((n, 40)) < 0.7)
    mean[:, :6] *= np.where(is_sick, 5, 1)[:, None]
    mean[:, 6:14] *= (age / 120)[:, None]
    columns = {
        "subject": [f"P{k:02d}" for k in who],
        "state": np.where(is_sick, "sick", "well").tolist(),
        "sex": np.where(who // 2 % 2 == 1, "f", "m").tolist(),
        "age": age.tolist(),
    }
    return People([f"{prefix}{i:02d}" for i in range(n)], mean.astype(int), asvs, columns)


def renamed(study: People, old: str, new: str) -> People:
    """Give a column of the metadata another name."""
    return replace(study, columns={new if name == old else name: cells for name, cells in study.columns.items()})


def drawn(counts: np.ndarray, depth: int, seed=0) -> np.ndarray:
    """Draw reads of each sample without replacement."""
    stream = np.random.default_rng(seed)
    return np.stack([stream.multivariate_hypergeometric(row, depth) for row in counts])
