"""From the objectives that weigh something to a model that has them, and to batches that hold what they compare with."""

import dataclasses
import itertools
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from aam.config.objectives import ObjectivesConfig
from aam.data.batches import BatchMaker, BatchPlan, Masking
from aam.ecology.resources import StudyResources
from aam.models.build import class_of
from aam.objectives.unlabelled import UnlabelledObjective

logger = logging.getLogger(__name__)

BASELINE_BATCHES = 256
"""Training batches that trivial predictions learn from, at most."""


def settle_objectives(
    names: Iterable[str], options: ObjectivesConfig, resources: StudyResources
) -> dict[str, dict[str, Any]]:
    """Choose the settings of new objectives, by name."""
    return {name: class_of(name).settle(options, resources) for name in names}


def with_targets(
    maker: BatchMaker,
    objectives: Mapping[str, UnlabelledObjective],
    options: ObjectivesConfig,
    resources: StudyResources,
) -> BatchMaker:
    """Let batches hide, and hold, what objectives need, beside what they hold already."""
    masks = {name for objective in objectives.values() for name in objective.masks}
    targets = {name: objective.target(resources) for name, objective in objectives.items()}
    asv_targets = {name: objective.asv_target(resources) for name, objective in objectives.items()}
    return dataclasses.replace(
        maker,
        masking=Masking(**{name: getattr(options, name) for name in masks}),
        targets={**maker.targets, **{name: target for name, target in targets.items() if target is not None}},
        asv_targets={name: target for name, target in asv_targets.items() if target is not None},
    )


def trivial_scores(
    objectives: Mapping[str, UnlabelledObjective],
    maker: BatchMaker,
    training: Iterable[BatchPlan],
    validation: Iterable[BatchPlan],
) -> dict[str, float]:
    """Score what needs no model on the validation batches: what the objectives' metrics must beat; ``NAME_baseline_METRIC``."""
    made = {name: objective.baseline() for name, objective in objectives.items()}
    baselines = {name: baseline for name, baseline in made.items() if baseline is not None}
    if not baselines:
        return {}
    for plan in itertools.islice(training, BASELINE_BATCHES):
        batch = maker[plan]
        for baseline in baselines.values():
            baseline.learn(batch)
    for plan in validation:
        batch = maker[plan]
        for baseline in baselines.values():
            baseline.score(batch)
    return {
        f"{name}_baseline_{metric}": value
        for name, baseline in baselines.items()
        for metric, value in baseline.scores().items()
    }
