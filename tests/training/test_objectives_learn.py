"""Each objective learns: on the samples of one batch its loss falls, and its score comes to beat the trivial prediction."""

import numpy as np
import pytest
import torch

from aam.config.model import ModelConfig
from aam.config.objectives import OBJECTIVES, ObjectivesConfig
from aam.config.tools import SimulationConfig
from aam.data.batching.batches import BatchMaker, BatchPlan, Drawing
from aam.ecology.lineages import Lineages
from aam.ecology.resources import SampleMatrix, StudyResources
from aam.ecology.tree import FeatureTree
from aam.io.newick import read_newick, write_newick
from aam.io.taxonomy import split_lineage
from aam.models.build import build_encoder
from aam.runs.resources import choose_objective_settings, with_targets
from aam.simulation.study import simulate_study
from aam.training.best_epoch import criterion_of
from aam.training.losses import calibrate_encoder
from helpers.studies import store_study

SHAPE = ModelConfig(embedding_dim=16, attention_heads=2, attention_layers=1, ffn_ratio=2.0, dropout=0.0, max_bp=40)
SCORES = {
    "nucleotides": "accuracy",
    "masked-asvs": "accuracy",
    "taxonomy": "family_accuracy",
    "composition": "bray_curtis",
}
"""Which metric is compared, where it is not the mean absolute error."""

STEPS = dict.fromkeys(("faith-pd", "observed-asvs"), 150)
"""Pooling by attention averages, and is slow to learn to count."""


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """A simulated study of 12 samples, and all that may be given with it."""
    made = simulate_study(SimulationConfig(samples=12, features=40, sequence_length=40))
    study = store_study(made.sample_ids, made.feature_ids, made.sequences, made.counts.toarray())
    path = tmp_path_factory.mktemp("tree") / "tree.nwk"
    write_newick(path, made.tree.parent, made.tree.length, made.tree.names)
    points = np.random.default_rng(0).random((12, 3))
    resources = StudyResources(
        n_features=study.n_features,
        is_seen=np.ones(study.n_features, dtype=bool),
        tree=FeatureTree.from_arrays(read_newick(path), study.feature_ids),
        lineages=Lineages.of_features(study.feature_ids, made.feature_ids, [split_lineage(t) for t in made.taxonomy]),
        matrix=SampleMatrix(np.linalg.norm(points[:, None] - points[None], axis=2) / 2, np.arange(12)),
    )
    return study, resources


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_loss_falls_and_the_trivial_prediction_is_beaten(name, given):
    study, resources = given
    torch.manual_seed(0)
    options = ObjectivesConfig()
    model = build_encoder(SHAPE, [name], choose_objective_settings([name], options, resources))
    maker = with_targets(BatchMaker(study, Drawing(500, 1024, 0)), model.active_objectives(), options, resources)
    batch = maker[BatchPlan("evaluation", tuple(range(12)))]
    calibrate_encoder(model, batch)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    objective = model.active_objectives()[name]
    losses = []

    for _ in range(STEPS.get(name, 60)):
        loss = objective.loss(objective(model(batch), batch), batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())

    metric_name = SCORES.get(name, "mae")
    metric, baseline = objective.metrics()[metric_name], objective.baseline()
    metric.update(*objective.scored(objective(model(batch), batch).detach(), batch))
    baseline.learn(batch)
    baseline.score(batch)
    score, trivial = metric.compute().item(), baseline.scores()
    best = trivial[f"position_{metric_name}" if name == "nucleotides" else metric_name]
    assert losses[-1] < 0.7 * losses[0]
    is_higher_better = criterion_of(f"{name}_{metric_name}", {name: objective}).is_higher_better
    assert score > best if is_higher_better else score < best
