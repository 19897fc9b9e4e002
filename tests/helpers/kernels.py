"""A small study with subjects, a tree and a target, for the tests of kernels."""

import numpy as np

from aam.data.study import Study
from aam.ecology.tree import FeatureTree
from aam.io.newick import read_newick
from helpers.studies import store_study

N_ASVS, N_SUBJECTS, PER_SUBJECT = 14, 12, 3


def table(seed=0, n_subjects=N_SUBJECTS):
    """Give counts [S, F], subjects [S] and a number [S] that the counts know."""
    stream = np.random.default_rng(seed)
    n = n_subjects * PER_SUBJECT
    subject = np.repeat(np.arange(n_subjects), PER_SUBJECT)
    trait = stream.normal(size=n_subjects)[subject] + 0.3 * stream.normal(size=n)
    rate = np.exp(2 + trait[:, None] * np.linspace(-1, 1, N_ASVS) + 0.5 * stream.normal(size=(n, N_ASVS)))
    counts = stream.poisson(rate)
    counts[:, 0] += 1  # no sample is empty
    return counts, subject.astype(str), 10 * trait + 50


def sequences(seed=5, n=N_ASVS):
    stream = np.random.default_rng(seed)
    return ["".join(letters) for letters in stream.choice(list("ACGT"), size=(n, 12))]


def study_of(counts, order=None, prefix="F", own_sequences=None) -> Study:
    """Store a study, its features in any order and under any names."""
    letters = sequences(n=counts.shape[1]) if own_sequences is None else own_sequences
    order = np.arange(counts.shape[1]) if order is None else order
    ids = [f"{prefix}{k}" for k in order]
    names = [f"S{i:03}" for i in range(len(counts))]
    return store_study(names, ids, [letters[k] for k in order], counts[:, order])


def newick(n=N_ASVS, prefix="F", seed=3) -> str:
    """Write a random binary tree."""
    stream = np.random.default_rng(seed)
    parts = [f"{prefix}{k}:{stream.uniform(0.1, 1):.4f}" for k in range(n)]
    while len(parts) > 1:
        a, b = sorted(stream.choice(len(parts), size=2, replace=False))
        right, left = parts.pop(b), parts.pop(a)
        parts.append(f"({left},{right}):{stream.uniform(0.1, 1):.4f}")
    return parts[0] + ";"


def tree_of(study: Study, folder, prefix="F") -> FeatureTree:
    (folder / "tree.nwk").write_text(newick(prefix=prefix))
    return FeatureTree.from_arrays(read_newick(folder / "tree.nwk"), study.feature_ids)
