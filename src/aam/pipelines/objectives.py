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


def score_lines(objectives: Mapping[str, UnlabelledObjective], metrics: Mapping[str, Any]) -> list[str]:
    """Say how good a model is at each objective: its headline, and beside what needs no model the metric that this has as well.

    Parameters
    ----------
    objectives
        By name.
    metrics
        Of the model, ``NAME_METRIC``, and what `trivial_scores` gave.
    """
    lines = []
    for name, objective in objectives.items():
        scored = [metric for metric in objective.metrics() if f"{name}_{metric}" in metrics]
        beside = {metric: _trivial(name, metric, metrics) for metric in scored}
        compared = [metric for metric in scored if beside[metric]]
        headlines = [metric for metric in scored if objective.is_headline(metric)]
        shown = headlines if set(headlines) & set(compared) else [*headlines, *compared[-1:]]
        if shown:
            written = [_written(metric, metrics[f"{name}_{metric}"], beside[metric]) for metric in shown]
            lines.append(f"{name}: {', '.join(written)}")
    return lines


def _trivial(name: str, metric: str, metrics: Mapping[str, Any]) -> dict[str, float]:
    """Give a metric of each trivial prediction by its name; one that is alone has none."""
    prefix = f"{name}_baseline_"
    found = {key.removeprefix(prefix): value for key, value in metrics.items() if key.startswith(prefix)}
    return {
        key.removesuffix(metric).rstrip("_"): value
        for key, value in found.items()
        if key == metric or key.endswith(f"_{metric}")
    }


def _written(metric: str, value: float, trivial: Mapping[str, float]) -> str:
    others = ", ".join(f"{name} {other:.4g}".strip() for name, other in trivial.items())
    return f"{metric} {value:.4g}" + (f" (without a model {others})" if others else "")
