"""Tables of ASVs that are related, as those of one gene are, in files, for tests of what is wrong with sequences."""

import hashlib
from pathlib import Path

import numpy as np

from aam.config.study import StudyConfig
from aam.data.study_build import read_study

LETTERS = np.array(list("ACGT"))


def related(n=40, length=150, seed=0, changes=0.1) -> list[str]:
    """Return sequences that differ from one ancestor at a tenth of their positions, or at all of them."""
    stream = np.random.default_rng(seed)
    ancestor = stream.integers(4, size=length)
    steps = stream.integers(1, 4, size=(n, length)) * (stream.random((n, length)) < changes)
    return ["".join(LETTERS[(ancestor + row) % 4]) for row in steps]


def unrelated(n=40, length=150, seed=0) -> list[str]:
    """Return random sequences."""
    return ["".join(row) for row in np.random.default_rng(seed).choice(LETTERS, size=(n, length))]


def turned(sequence: str) -> str:
    """Return the reverse complement."""
    return sequence[::-1].translate(str.maketrans("ACGT", "TGCA"))


def md5(sequence: str) -> str:
    return hashlib.md5(sequence.encode()).hexdigest()


def counts_of(n_features=40, n_samples=12, seed=1) -> np.ndarray:
    """Return counts, samples × features, all of them above 0."""
    return np.random.default_rng(seed).poisson(30, size=(n_samples, n_features)) + 1


def write(folder: Path, name: str, sequences, counts=None, ids=None) -> StudyConfig:
    """Write a table and a FASTA file, and return the options of the study."""
    counts = counts_of(len(sequences)) if counts is None else counts
    ids = [f"A{k:02}" for k in range(len(sequences))] if ids is None else ids
    rows = ["\t".join(["#OTU ID", *(f"S{row:02}" for row in range(len(counts)))])]
    rows += ["\t".join([asv, *map(str, counts[:, k])]) for k, asv in enumerate(ids)]
    table, fasta = folder / f"{name}.tsv", folder / f"{name}.fasta"
    table.write_text("\n".join(rows) + "\n")
    fasta.write_text("".join(f">{asv}\n{sequence}\n" for asv, sequence in zip(ids, sequences, strict=True)))
    return StudyConfig(table=table, sequences=fasta, cache_dir=folder / "cache")


def said(caplog, config, *more) -> tuple:
    """Read a study, and return it with the warnings that this gives."""
    caplog.clear()
    study = read_study(config, None, *more)
    return study, [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
