"""Small studies and batches of them, made in memory, and the real studies that lie beside the checkout."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array

from aam.data.batching.batches import BatchMaker, BatchPlan, Drawing, Masking
from aam.data.study import Study
from aam.data.study_build import build_study
from aam.io.count_table import CountTable

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


def real_study(name: str) -> Path:
    """Give the folder of a real study, or skip the test where it is absent."""
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"the real study {name} is not beside this checkout")
    return folder


def make_study(n_samples=6, n_features=12, n_positions=11, seed=0, is_ragged=False) -> Study:
    """Make a small random study; every sample holds at least two ASVs."""
    stream = np.random.default_rng(seed)
    sequences = ["".join(letters) for letters in stream.choice(list("ACGT"), size=(n_features, n_positions))]
    if is_ragged:
        sequences[::3] = [sequence[:-3] for sequence in sequences[::3]]
    counts = stream.poisson(0.8, size=(n_samples, n_features)) * stream.integers(1, 30, size=(n_samples, n_features))
    counts[:, :2] += stream.integers(20, 40, size=(n_samples, 2))
    return store_study([f"S{i}" for i in range(n_samples)], [f"F{i}" for i in range(n_features)], sequences, counts)


def store_study(sample_ids, feature_ids, sequences, counts) -> Study:
    """Write a study to disk and open it."""
    with tempfile.TemporaryDirectory() as folder:  # what is mapped stays readable when its name is gone
        fasta = Path(folder) / "sequences.fasta"
        fasta.write_text("".join(f">{name}\n{seq}\n" for name, seq in zip(feature_ids, sequences, strict=True)))
        (Path(folder) / "study").mkdir()
        build_study(CountTable(sample_ids, feature_ids, csr_array(counts)), fasta, Path(folder) / "study")
        return Study.open(Path(folder) / "study")


def dense(study: Study) -> np.ndarray:
    """Give the counts of a study, samples × features."""
    counts = np.zeros((study.n_samples, len(study.feature_ids)), dtype=np.int64)
    for row in range(study.n_samples):
        features, reads = study.sample(row)
        counts[row, features] = reads
    return counts


def make_batch(study: Study, samples=None, masking=None, depth=None, targets=None, epoch=0, asv_vectors=None):
    """Make one batch of a study."""
    maker = BatchMaker(
        study, Drawing(depth, 1024, seed=0), masking or Masking(), targets or {}, asv_vectors=asv_vectors
    )
    return maker[BatchPlan(epoch, tuple(range(study.n_samples)) if samples is None else tuple(samples))]
