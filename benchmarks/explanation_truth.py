"""Explanations against a planted truth, and on targets that are noise: a table in benchmarks/results/explanation_truth.md.

    python benchmarks/explanation_truth.py PARTS [SEEDS] [NOISE]

SEEDS studies are simulated (6), each with two targets, age and disease, and NOISE more (50) whose targets are independent of all
ASVs. Clades of ASVs that respond to a target are its truth. SHAP on a forest is measured if the package shap is installed. What is
measured is kept in the folder PARTS; a part that lies there is not measured again. All parts take about an hour.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from scipy.stats import binomtest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.inspection import permutation_importance
from sklearn.metrics import roc_auc_score

from aam.cli import main as main_of_aam
from aam.config.explain import ExplanationConfig
from aam.config.tools import SimulationConfig
from aam.ecology.tree import FeatureTree
from aam.estimators import AAMClassifier, AAMRegressor
from aam.explanation.api import held_out_by_folds
from aam.explanation.association import associations
from aam.explanation.attribution import attribute
from aam.explanation.clades import Clades
from aam.explanation.explain import FeatureSets, Importance, explain_importance
from aam.explanation.held_out import HeldOutSamples
from aam.io.newick import read_newick, write_newick
from aam.simulation.study import SimulatedStudy, simulate_study

RESULTS = Path(__file__).parent / "results" / "explanation_truth.md"

SIZES = (200, 300, 600)
"""Samples of the studies, in turn."""

EXPLAINED = 0.5
"""Share of the loss of guessing that a model avoids from which its explanation is asked to be right."""

BYSTANDERS = 10

NETWORKS = 2
"""Studies on which networks are trained, about two minutes each."""

SHAPE = ("--head", "network", "--embedding-dim", 32, "--attention-heads", 4, "--attention-layers", 2, "--epochs", 30)
"""Options of their training."""

COLUMNS = ("age", "disease")

PERMUTED, IMPORTANCE, OWEN = "aam, permutation (z)", "aam, permutation (increase of loss)", "aam, Owen values"


@dataclass(frozen=True)
class Case:
    """A study with one target, its explanation, and which of its features respond to the target, bool [F]."""

    shares: np.ndarray
    values: np.ndarray
    samples: HeldOutSamples
    sets: FeatureSets
    importance: Importance
    is_driver: np.ndarray

    @property
    def is_regression(self) -> bool:
        """Whether the target is age."""
        return self.samples.is_regression


def case_of(study: SimulatedStudy, counts: np.ndarray, column: str, exchanges: int | None = None) -> Case:
    """Explain a target of a study over 5 folds of subjects."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tree.nwk"
        write_newick(path, study.tree.parent, study.tree.length, study.tree.names)
        tree = FeatureTree.from_arrays(read_newick(path), study.feature_ids)
        estimator = AAMRegressor(tree=path) if column == "age" else AAMClassifier(tree=path)
        table = pd.DataFrame(counts, columns=study.feature_ids)
        values, subjects = np.array(study.metadata[column]), np.array(study.metadata["subject"])
        samples = held_out_by_folds(estimator, table, values, subjects, 5, 0)
    sets = FeatureSets.of(Clades.of_tree(tree, samples.candidates(3)), {}, samples, None)
    importance = explain_importance(samples, sets, ExplanationConfig(exchanges=exchanges), 0)
    truth = pd.DataFrame(study.truth)
    is_driver = np.isin(study.feature_ids, truth.loc[truth["column"] == column, "feature-id"])
    return Case(counts / counts.sum(axis=1, keepdims=True), values, samples, sets, importance, is_driver)


def with_bystanders(study: SimulatedStudy, seed: int) -> np.ndarray:
    """Return counts in which some features that respond to nothing follow one that does, with noise of a factor e; [S, F]."""
    counts, rng = study.counts.toarray(), np.random.default_rng(seed)
    responds = np.isin(study.feature_ids, study.truth["feature-id"])
    common = (counts > 0).sum(axis=0) >= 0.2 * len(counts)
    drivers, others = np.flatnonzero(responds & common), np.flatnonzero(~responds & common)
    for other in rng.choice(others, BYSTANDERS, replace=False):
        followed = counts[:, rng.choice(drivers)] * rng.lognormal(0, 1, len(counts))
        counts[:, other] = np.rint(followed)
    return counts


Scores = Mapping[str, np.ndarray]
"""Score of each set by method, [N]."""


def scores_of(case: Case) -> dict[str, np.ndarray]:
    """Return the scores of all sets by all methods."""
    table = case.importance.table.set_index("name").loc[case.sets.names]
    membership = case.sets.membership(case.shares.shape[1])
    scores = {
        PERMUTED: np.asarray(table["z"]),
        IMPORTANCE: np.asarray(table["importance"]),
        OWEN: owen(case, membership),
    }
    scores["rank correlation with the target"] = associations(case.samples, membership)
    return scores | {name: membership @ of_features for name, of_features in forest(case).items()}


def owen(case: Case, membership: csr_array) -> np.ndarray:
    """Return the mean size of the part of each set, which is the sum of the parts of its features; [N]."""
    features = np.sort(case.sets.clades.order)
    total = np.zeros(len(case.sets))
    for function, rows in case.samples.models:
        groups = case.samples.groups[rows]
        parts = attribute(function, [np.array([one]) for one in features], case.sets.clades, groups, case.is_regression)
        values = np.zeros((len(rows), case.shares.shape[1]))
        values[:, features] = parts.values[:, :-1, 0]
        total += np.abs(values @ membership.T.toarray()).sum(axis=0)
    return total / case.samples.n_samples


def forest(case: Case) -> dict[str, np.ndarray]:
    """Return the importance of each feature by impurity, by permutation of held-out samples, and by SHAP; [F]."""
    found: dict[str, list[np.ndarray]] = {}
    for _, rows in case.samples.models:
        training = np.setdiff1d(np.arange(case.samples.n_samples), rows)
        kind = RandomForestRegressor if case.is_regression else RandomForestClassifier
        model = kind(200, random_state=0).fit(case.shares[training], case.values[training])
        found.setdefault("random forest, impurity", []).append(model.feature_importances_)
        exchanged = permutation_importance(model, case.shares[rows], case.values[rows], n_repeats=2, random_state=0)
        found.setdefault("random forest, permutation of held-out samples", []).append(
            np.asarray(exchanged["importances_mean"])
        )
        values = shap_of(model, case.shares[rows])
        if values is not None:
            found.setdefault("random forest, SHAP", []).append(values)
    return {name: np.mean(of_folds, axis=0) for name, of_folds in found.items()}


def shap_of(model: object, shares: np.ndarray) -> np.ndarray | None:
    """Return the mean size of the SHAP values of a forest, [F]; None without the package."""
    try:
        shap = import_module("shap")
    except ImportError:
        return None
    values = np.asarray(shap.TreeExplainer(model).shap_values(shares))
    values = values[..., 1] if values.ndim == 3 else values
    return np.abs(values).mean(axis=0)


def judge(case: Case, scores: Scores) -> pd.DataFrame:
    """Return the AUROC of clades and ASVs, and the balanced accuracy of the ASVs that are chosen, by method."""
    table = case.importance.table.set_index("name")
    is_chosen = np.zeros(len(case.is_driver), dtype=bool)
    for name in [name for name, chosen in zip(table.index, table["is_selected"], strict=True) if chosen]:
        is_chosen[case.sets.members(case.sets.names.index(name))] = True
    judged = _judged(case.sets.clades, case.is_driver, scores, is_chosen)
    return judged.assign(score=case.importance.score)


def _judged(clades: Clades, is_driver_of_all: np.ndarray, scores: Scores, is_chosen: np.ndarray | None) -> pd.DataFrame:
    share = np.array([is_driver_of_all[clades.members(number)].mean() for number in range(len(clades))])
    is_clade = clades.sizes >= 2
    is_judged = (share == 0) | (share == 1)
    features = np.sort(clades.order)
    single = {int(clades.members(number)[0]): number for number in np.flatnonzero(clades.sizes == 1).tolist()}
    is_driver = is_driver_of_all[features]
    rows = []
    for method, of_sets in scores.items():
        of_features = of_sets[[single[feature] for feature in features.tolist()]]
        top = np.zeros(len(features), dtype=bool)
        top[np.argsort(-of_features, kind="stable")[: int(is_driver.sum())]] = True
        chosen = is_chosen[features] if method == PERMUTED and is_chosen is not None else top
        rows.append(
            {
                "method": method,
                "clades": roc_auc_score(share[is_clade & is_judged] == 1, of_sets[is_clade & is_judged]),
                "ASVs": roc_auc_score(is_driver, of_features),
                "chosen": (chosen[is_driver].mean() + 1 - chosen[~is_driver].mean()) / 2,
            }
        )
    return pd.DataFrame(rows)


def planted(seeds: int, change: Callable[[SimulatedStudy, int], np.ndarray] | None = None) -> pd.DataFrame:
    """Judge all methods on studies with a planted truth."""
    tables = []
    for seed in range(seeds):
        study = simulate_study(SimulationConfig(samples=SIZES[seed % 3], features=300, seed=seed))
        counts = study.counts.toarray() if change is None else change(study, seed)
        for column in COLUMNS:
            begin = time.monotonic()
            case = case_of(study, counts.astype(np.float64), column)
            table = judge(case, scores_of(case)).assign(seed=seed, column=column, samples=SIZES[seed % 3])
            print(f"{time.monotonic() - begin:.0f} s\n{table.round(3).to_string(index=False)}", flush=True)
            tables.append(table)
    return pd.concat(tables, ignore_index=True)


def network(seed: int, column: str) -> pd.DataFrame:
    """Judge the explanations of a network, of the samples that it has not seen."""
    study = simulate_study(SimulationConfig(samples=300, features=300, seed=seed))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _run("simulate", "--samples", 300, "--features", 300, "--seed", seed, "--output-dir", folder / "study")
        files = [f"--{kind}" for kind in ("table", "sequences", "metadata")]
        paths = [folder / "study" / file for file in ("table.biom", "sequences.fasta", "metadata.tsv")]
        labelled = [*chain(*zip(files, paths, strict=True)), "--metadata-column", column, "--group-column", "subject"]
        _run("train", *labelled, "--split", "grouped", *SHAPE, "--seed", seed, "--output-dir", folder / "model")
        explained = ["--tree", folder / "study" / "tree.nwk", "--attention", "--gradients", "--no-attributions"]
        _run("explain", "--model", folder / "model", *labelled, *explained, "--output-dir", folder / "explained")
        table = pd.read_csv(folder / "explained" / "importance.tsv", sep="\t", keep_default_na=False)
        score = json.loads((folder / "explained" / "explanation.json").read_text(encoding="utf-8"))["score"]
        tree = FeatureTree.from_arrays(read_newick(folder / "study" / "tree.nwk"), study.feature_ids)
    of_methods = {str(method): rows.set_index("name") for method, rows in table.groupby("method", sort=False)}
    permuted = of_methods.pop("permutation")
    place = {name: row for row, name in enumerate(study.feature_ids)}
    features = np.sort([place[name] for name in permuted.query("kind == 'ASV'").index])
    clades = Clades.of_tree(tree, features)
    membership = clades.membership(len(study.feature_ids))
    scores = {"permutation (z)": permuted["z"].loc[clades.names(study.feature_ids)].to_numpy(dtype=np.float64)}
    for method, rows in of_methods.items():
        if method != "association":
            values = np.nan_to_num(
                rows["importance"].astype(float).reindex(study.feature_ids).to_numpy(dtype=np.float64)
            )
            scores[method] = membership @ values
    truth = pd.DataFrame(study.truth)
    is_driver = np.isin(study.feature_ids, truth.loc[truth["column"] == column, "feature-id"])
    return _judged(clades, is_driver, scores, None).assign(score=score, seed=seed, column=column)


def _run(command: str, *arguments: object) -> None:
    if main_of_aam([command, *map(str, arguments)]):
        raise SystemExit(f"aam {command} failed")


def networks() -> pd.DataFrame:
    """Judge the explanations of networks."""
    return pd.concat([network(seed, column) for seed in range(NETWORKS) for column in COLUMNS], ignore_index=True)


def noise(n_draws: int) -> pd.DataFrame:
    """Return, for each study, whether a set is found, and whether one is reported."""
    rows = []
    for seed in range(n_draws):
        study = simulate_study(SimulationConfig(samples=120, features=150, seed=1000 + seed, signal=0.0))
        counts = study.counts.toarray().astype(np.float64)
        table = case_of(study, counts, COLUMNS[seed % 2], exchanges=5).importance.table
        rows.append({"found": bool((table["q"] <= 0.1).any()), "reported": bool(table["is_selected"].any())})
        print(f"noise {seed}: {rows[-1]}", flush=True)
    return pd.DataFrame(rows)


def part(folder: Path, name: str, measure: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    """Return a part that was measured before, or measure and keep it."""
    path = folder / f"{name}.tsv"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        measure().to_csv(path, sep="\t", index=False, float_format="%.4f")
    return pd.read_csv(path, sep="\t")


def as_markdown(table: pd.DataFrame) -> str:
    """Return means and least values over studies, by method."""
    lines = ["| method | AUROC of clades | AUROC of ASVs | balanced accuracy of the chosen ASVs |", "|---|---|---|---|"]
    for method, rows in table.groupby("method", sort=False):
        cells = [f"{rows[name].mean():.3f} ({rows[name].min():.3f})" for name in ("clades", "ASVs", "chosen")]
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return "\n".join(lines)


def share_of(happened: Iterable[bool]) -> str:
    """Return how often something happened, with its exact 95 % interval."""
    happened = list(happened)
    count, n = sum(happened), len(happened)
    interval = binomtest(count, n).proportion_ci()
    return f"{count} of {n} ({count / n:.0%}, 95 % {interval.low:.0%} to {interval.high:.0%})"


def sections(title: str, table: pd.DataFrame) -> list[str]:
    """Return the tables of all studies, and of those whose model explains at least half."""
    explained = table.query("score >= @EXPLAINED")
    n_all, n_explained = (one.groupby(["seed", "column"]).ngroups for one in (table, explained))
    lines = [f"## {title}", "", f"All {n_all} studies and targets:", "", as_markdown(table), ""]
    return [
        *lines,
        f"The {n_explained} whose model avoids half of the loss of guessing:",
        "",
        as_markdown(explained),
        "",
    ]


def main(folder: Path, seeds: int = 6, n_draws: int = 50) -> None:
    """Measure all, and write the table."""
    plain = part(folder, "planted", lambda: planted(seeds))
    bystanders = part(folder, "bystanders", lambda: planted(seeds // 2, with_bystanders))
    empty = part(folder, "noise", lambda: noise(n_draws))
    of_networks = part(folder, "networks", networks)
    text = ["# Explanations against a planted truth", ""]
    text += ["Written by `benchmarks/explanation_truth.py`: means over studies and targets, and the least value.", ""]
    text += sections("Simulated studies", plain)
    text += sections(f"With {BYSTANDERS} correlated bystanders", bystanders)
    text += [
        "## Networks",
        "",
        f"{NETWORKS} studies of 300 samples, two targets each; held-out samples are explained.",
        "",
    ]
    text += [as_markdown(of_networks), "", "## Targets that are noise", ""]
    text += [f"A set at q ≤ 0.1: {share_of(empty['found'])}; a reported set: {share_of(empty['reported'])}.", ""]
    RESULTS.write_text("\n".join(text), encoding="utf-8")
    print(RESULTS.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *(int(argument) for argument in sys.argv[2:4]))
