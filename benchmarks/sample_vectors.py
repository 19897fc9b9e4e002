"""Scores of a pre-trained model's sample vectors without fine-tuning: distances, and probes beside principal coordinates.

    python benchmarks/sample_vectors.py --model pretrained [--adapted ibd_2538=adapted]

Distances: predicted against true unweighted UniFrac of the same rarefied reads, over all pairs of samples: those of its own study
that pre-training held out (``splits.tsv`` beside the model), and all of studies that it never saw. Probes: a linear model and
nearest neighbours on the vectors, on folds grouped by subject, beside the same on the principal coordinates of the true UniFrac, as
many as the vectors are wide, and on the number of reads of a sample in the table: what that tells is no biology, and the others,
which read equally many of each, do not see it. The linear model's penalty, and whether dimensions are standardised, is chosen on
inner folds. With ``--adapted``, also the vectors of a model that went on from it on all samples of a study, without labels. Writes
a dated page.
"""

import argparse
import platform
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import balanced_accuracy_score, r2_score
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from aam.config.study import StudyConfig
from aam.data.batching.batches import pack
from aam.data.rarefaction import EVALUATION, drop_shallow_samples
from aam.data.study import Study
from aam.data.study_build import read_study
from aam.ecology.unifrac import unweighted_unifrac
from aam.inference.model_directory import load_model
from aam.inference.network import NetworkPredictor, PredictOptions
from aam.models.sequence_encoder import SequenceEncoder
from aam.objectives.sample_distance import SampleDistance
from aam.runs.resources import read_tree
from aam.storage.cache import Cache

DISTANCE = "unweighted-unifrac"
N_NEIGHBOURS = 10
TASKS = (("ecam_infant", "age_days"), ("ecam_infant", "delivery"), ("ibd_2538", "ibd"))
UNSEEN = ("ibd_2538", "ecam_infant")


def read(folder: Path, reader: NetworkPredictor, cache: Cache) -> tuple[Study, np.ndarray, np.ndarray]:
    """Return a study's samples that are deep enough, their vectors [S, D], and their true distances [S, S]."""
    config = StudyConfig(table=folder / "table.biom", sequences=folder / "sequences.fasta", cache_dir=cache.directory)
    whole = read_study(config, reader.base.config.max_bp)
    tree = read_tree(folder / "tree.nwk", whole, cache)
    study = drop_shallow_samples(whole, reader.drawing.depth)
    rows = list(range(study.n_samples))
    drawn = pack([reader.drawing.draw(study, row, EVALUATION) for row in rows], rows)
    return study, reader.embed(study), unweighted_unifrac(tree, drawn.features, drawn.sample_offsets)


def predicted_distances(model: SequenceEncoder, vectors: np.ndarray) -> np.ndarray:
    """Compute the distance that the model's head predicts for each pair of vectors, [S, S]."""
    head = model.active_objectives()[DISTANCE]
    assert isinstance(head, SampleDistance)
    own = np.logaddexp(0, head.double().unshared(torch.from_numpy(vectors)).detach().numpy())
    squares = np.square(vectors).mean(axis=1)
    shared = np.maximum(squares[:, None] + squares - 2 * vectors @ vectors.T / vectors.shape[1], 0)
    return np.sqrt(shared + (own + own.T) / 2)


def compare(name: str, predicted: np.ndarray, truth: np.ndarray) -> str:
    """Return a row of scores over all pairs."""
    pairs = np.triu_indices(len(truth), 1)
    found, true = predicted[pairs], truth[pairs]
    scores = r2_score(true, found), np.corrcoef(true, found)[0, 1], np.corrcoef(rankdata(true), rankdata(found))[0, 1]
    error = np.abs(true - found).mean()
    numbers = " | ".join(f"{score:.3f}" for score in (*scores, error, true.std()))
    return f"| {name} | {len(truth):,} | {numbers} |"


def principal_coordinates(distances: np.ndarray, n_axes: int) -> np.ndarray:
    """Compute the principal coordinates of a matrix of distances (Gower 1966), [S, n_axes]."""
    centring = np.eye(len(distances)) - 1 / len(distances)
    values, axes = np.linalg.eigh(-0.5 * centring @ np.square(distances) @ centring)
    return (axes * np.sqrt(np.maximum(values, 0)))[:, ::-1][:, :n_axes]


def probe(features: np.ndarray, target: np.ndarray, fold: np.ndarray, group: np.ndarray) -> tuple[str, str]:
    """Score a linear model, its penalty chosen on inner grouped folds, and nearest neighbours: mean and deviation over folds."""
    is_number = target.dtype.kind == "f"
    neighbours = (KNeighborsRegressor if is_number else KNeighborsClassifier)(N_NEIGHBOURS)
    score = r2_score if is_number else balanced_accuracy_score
    features = (features - features.mean(axis=0)) / features.std()  # one scale for all: small directions stay small
    scores: dict[str, list[float]] = {"linear": [], "neighbours": []}
    for held in np.unique(fold):
        trained = fold != held
        inner = list(GroupKFold(3).split(features[trained], target[trained], group[trained]))
        linear = _tuned_linear(is_number, inner)
        for name, method in (("linear", linear), ("neighbours", neighbours)):
            method.fit(features[trained], target[trained])
            scores[name].append(score(target[~trained], method.predict(features[~trained])))
    linear_score, neighbours_score = (f"{np.mean(values):.3f} ± {np.std(values):.3f}" for values in scores.values())
    return linear_score, neighbours_score


def _tuned_linear(is_number: bool, inner: list) -> GridSearchCV:
    scales = ["passthrough", StandardScaler()]
    if is_number:
        penalties = {"linear__alpha": np.logspace(-2, 4, 13)}
        return GridSearchCV(Pipeline([("scale", None), ("linear", Ridge())]), {"scale": scales, **penalties}, cv=inner)
    logistic = LogisticRegression(class_weight="balanced", max_iter=5000)
    steps = Pipeline([("scale", None), ("linear", logistic)])
    return GridSearchCV(
        steps, {"scale": scales, "linear__C": np.logspace(-4, 2, 7)}, cv=inner, scoring="balanced_accuracy"
    )


def probe_rows(data: Path, study_name: str, column: str, known: dict, adapted: np.ndarray | None) -> list[str]:
    """Return the rows of one task."""
    study, vectors, truth = known[study_name]
    folds = pd.read_csv(data / study_name / "folds" / f"{column}.tsv", sep="\t", dtype=str, index_col=0)
    rows = np.flatnonzero(np.isin(list(study.sample_ids), folds.index))
    chosen = folds.loc[[study.sample_ids[row] for row in rows]]
    names, fold, group = (np.array(list(chosen[column])) for column in ("target", "fold", "group"))
    is_number = all(name.replace(".", "", 1).isdigit() for name in names)
    values = names.astype(np.float64) if is_number else names
    logs = np.log(study.depths)[:, None]
    kinds = {
        "sample vectors": vectors,
        "sample vectors, adapted": adapted,
        "coordinates of UniFrac": principal_coordinates(truth, vectors.shape[1]),
        "number of reads of the table alone": np.hstack([logs, logs**2]),
    }
    return [
        f"| {study_name} {column} ({len(rows)}) | {name} | {' | '.join(probe(features[rows], values, fold, group))} |"
        for name, features in kinds.items()
        if features is not None
    ]


def read_adapted(pairs: list[str], data: Path, cache: Cache) -> dict[str, tuple[Study, np.ndarray, np.ndarray]]:
    """Read each study with the model that was adapted to it; ``pairs`` are STUDY=DIRECTORY."""
    found = {}
    for pair in pairs:
        name, _, directory = pair.partition("=")
        model, description = load_model(Path(directory))
        assert isinstance(model, SequenceEncoder), "pass a pre-trained model"
        found[name] = read(
            data / name,
            NetworkPredictor(model, description, PredictOptions(cache, precision="32-true")),
            cache,
        )
    return found


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="output directory of aam pretrain")
    parser.add_argument("--adapted", nargs="*", default=[], metavar="STUDY=DIRECTORY")
    parser.add_argument("--study", default="pretrain_v4_100nt", help="study that it was pre-trained on")
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    arguments = parser.parse_args()
    model, description = load_model(arguments.model)
    assert isinstance(model, SequenceEncoder), "pass a pre-trained model"
    cache = Cache(None)
    reader = NetworkPredictor(model, description, PredictOptions(cache, precision="32-true"))
    known = {name: read(arguments.data / name, reader, cache) for name in (arguments.study, *UNSEEN)}
    adapted = read_adapted(arguments.adapted, arguments.data, cache)
    split = pd.read_csv(arguments.model / "splits.tsv", sep="\t", dtype=str, index_col=0)["split"]
    study, vectors, truth = known[arguments.study]
    held = np.flatnonzero([split.get(name) == "validation" for name in study.sample_ids])
    options = {
        name: value
        for name, value in description.options.items()
        if name
        in ("encoder-type", "loss-balancing", "epochs", "samples-per-epoch", "batch-size", "lr", "token-limit", "seed")
    }
    lines = [
        f"# Sample vectors without fine-tuning, {date.today()}",
        "",
        f"`python benchmarks/sample_vectors.py --model …`; {platform.machine()}, Python {platform.python_version()}, "
        f"torch {torch.__version__}. The model: {description.model}, {description.depth:,} reads, options `{options}`.",
        "",
        "Predicted against true unweighted UniFrac, over all pairs:",
        "",
        "| samples | n | R² | Pearson | Spearman | mean absolute error | standard deviation of the truth |",
        "|---|---|---|---|---|---|---|",
        compare(f"{arguments.study}, held out", predicted_distances(model, vectors[held]), truth[np.ix_(held, held)]),
        *(
            compare(f"{name}, never seen", predicted_distances(model, known[name][1]), known[name][2])
            for name in UNSEEN
        ),
        "",
        "Probes, on the fixed folds grouped by subject: R² or balanced accuracy, mean ± standard deviation over folds; "
        f"{N_NEIGHBOURS} neighbours. Adapted: {', '.join(arguments.adapted) or 'none'}.",
        "",
        "| task (samples) | features | linear | nearest neighbours |",
        "|---|---|---|---|",
        *(
            row
            for task in TASKS
            for row in probe_rows(arguments.data, *task, known, adapted[task[0]][1] if task[0] in adapted else None)
        ),
    ]
    path = arguments.results / f"sample_vectors_{date.today()}.md"
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    sys.stdout.write(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
