"""Files with mistakes, made from those of a study and its models, and the commands that get them."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.torch import load, save

from aam.io.biom_table import write_table
from aam.io.count_table import CountTable
from aam.io.sequences import fasta_records
from aam.io.tables import read_table
from aam.storage.cache import digest_of
from helpers.commands import SMALL

SHORT = dict(zip(SMALL[::2], SMALL[1::2], strict=True)) | {"--ffn-ratio": 2, "--epochs": 1}


OUTPUT_FILE = ("predict", "embed")


@dataclass(frozen=True)
class Given:
    """The study and models that all tests share, and a place for the files that one test puts in their stead."""

    study: Path
    own: Path

    def file(self, name, content) -> Path:
        path = self.own / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def already(self, name) -> dict:
        """Put a file of the user's in the way, and change no option."""
        self.file(name, "mine")
        return {}

    def earlier(self, name) -> dict:
        """Put the options of an earlier run into the output directory, and change no option."""
        self.file("out/config.yaml", f"# aam {name}, version 0.1.0\nseed: 3\n")
        return {}

    def copy(self, name) -> Path:
        """Copy a file or folder of the study to where a test may write."""
        source, copy = self.study / name, self.own / Path(name).name
        return Path(shutil.copytree(source, copy) if source.is_dir() else shutil.copy(source, copy))

    def metadata(self, change) -> Path:
        """Edit the rows, each a list of cells; the first is the header."""
        rows = [line.split("\t") for line in (self.study / "s/metadata.tsv").read_text().splitlines()]
        return self.file("metadata.tsv", "".join("\t".join(row) + "\n" for row in change(rows)))

    def column(self, value) -> dict:
        """Learn a column that holds this value in every sample."""
        return self.numbers(lambda _: value)

    def numbers(self, value_of_number) -> dict:
        """Learn a column of what the number of a row, from 0, gives."""
        path = self.metadata(
            lambda rows: [[*rows[0], "mine"], *([*row, value_of_number(k)] for k, row in enumerate(rows[1:]))]
        )
        return {"--metadata": path, "--metadata-column": "mine"}

    def last_age(self, value) -> dict:
        """Replace the age of the last sample."""

        def change(rows):
            age = rows[0].index("age")
            return [*rows[:-1], [*rows[-1][:age], value, *rows[-1][age + 1 :]]]

        return {"--metadata": self.metadata(change)}

    def renamed(self, name_of_number, change=lambda sequence: sequence) -> dict:
        """Name the features anew in table and FASTA, and change the first sequence."""
        table, sequences = (
            read_table(self.study / "s/table.biom"),
            dict(fasta_records(self.study / "s/sequences.fasta")),
        )
        names = [name_of_number(number) for number in range(len(table.feature_ids))]
        write_table(self.own / "table.biom", CountTable(table.sample_ids, names, table.counts))
        found = [sequences[feature] for feature in table.feature_ids]
        records = zip(names, [change(found[0]), *found[1:]], strict=True)
        fasta = self.file("sequences.fasta", "".join(f">{name}\n{sequence}\n" for name, sequence in records))
        return {"--table": self.own / "table.biom", "--sequences": fasta}

    def few_samples(self, n) -> dict:
        table = read_table(self.study / "s/table.biom")
        write_table(self.own / "few.biom", CountTable(table.sample_ids[:n], table.feature_ids, table.counts[:n]))
        return {"--table": self.own / "few.biom"}

    def fasta(self) -> str:
        return (self.study / "s/sequences.fasta").read_text()

    def tree(self, change) -> Path:
        return self.file("tree.nwk", change((self.study / "s/tree.nwk").read_text()))

    def tree_without_one(self) -> Path:
        first = read_table(self.study / "s/table.biom").feature_ids[0]
        return self.tree(lambda text: text.replace(f"{first}:", "other:"))

    def distances(self, n_known, value=1.0) -> Path:
        values = value * (1 - np.eye(n_known))
        values[0, 1] = values[1, 0] = value / 2
        np.save(self.own / "d.npy", values)
        self.file("d.ids", "\n".join(read_table(self.study / "s/table.biom").sample_ids[:n_known]))
        return self.own / "d.npy"

    def model(self, name, change) -> Path:
        """Copy the trained model and change the bytes of one of its files; None deletes it."""
        shutil.copytree(self.study / "age/model", self.own / "copy/model")
        path = self.own / "copy/model" / name
        content = change(path.read_bytes())
        path.unlink() if content is None else path.write_bytes(content)
        return self.own / "copy"

    def model_state(self, **changes) -> Path:
        return self.model("state.json", lambda content: json.dumps(json.loads(content) | changes).encode())

    def model_of_nan(self) -> Path:
        """Weights that the digest fits."""
        folder = self.model(
            "model.safetensors", lambda content: save({k: v * np.nan for k, v in load(content).items()})
        )
        config = json.loads((folder / "model/config.json").read_text())
        config["weights_digest"] = digest_of(folder / "model/model.safetensors")
        self.file("copy/model/config.json", json.dumps(config))
        return folder

    def circle(self) -> Path:
        (self.own / "a").symlink_to(self.own / "b")
        (self.own / "b").symlink_to(self.own / "a")
        return self.own / "a"

    def dangling(self) -> Path:
        (self.own / "link").symlink_to(self.own / "nothing")
        return self.own / "link"

    def model_config(self, **changes) -> Path:
        return self.model("config.json", lambda content: json.dumps(json.loads(content) | changes).encode())


def command(given, name, changes) -> list[str]:
    """Give a command that works but for the changes; None takes an option away, True is an option without a value."""
    study = given.study
    options = {"--table": study / "s/table.biom", "--sequences": study / "s/sequences.fasta"}
    if name in ("simulate", "demo"):
        options = {}
    if name in ("train", "evaluate"):
        options |= {"--metadata": study / "s/metadata.tsv", "--metadata-column": "age"}
    if name == "train":
        options |= {"--group-column": "subject", "--head": "network", **SHORT}
    if name == "pretrain":
        options |= {"--tree": study / "s/tree.nwk", **SHORT}
    if name in ("predict", "embed", "evaluate"):
        options |= {"--model": study / "age"}
    options |= {"--output": given.own / "out.tsv"} if name in OUTPUT_FILE else {"--output-dir": given.own / "out"}
    given_options = {flag: value for flag, value in (options | changes).items() if value is not None}
    words = [(flag,) if value is True else (flag, str(value)) for flag, value in given_options.items()]
    return [name, *(word for pair in words for word in pair)]


def shift_ids(rows):
    return [rows[0], *([f"x{row[0]}", *row[1:]] for row in rows[1:])]


def without_three_ages(rows):
    age = rows[0].index("age")
    return [*rows[:-3], *([*row[:age], "NA", *row[age + 1 :]] for row in rows[-3:])]


def subject_as_disease(rows):
    subject, disease = rows[0].index("subject"), rows[0].index("disease")
    return [rows[0], *([*row[:disease], f"as {row[subject]}", *row[disease + 1 :]] for row in rows[1:])]
