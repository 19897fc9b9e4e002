"""Tasks that ``speed.py`` measures, each in a process of its own: numbers in, numbers out."""

import statistics
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from aam.batch import Batch
from aam.config.objectives import PretrainingObjectivesConfig
from aam.config.training import DEFAULT_BATCH_SIZE
from aam.data.batching.batches import BatchMaker, BatchPlan, plan_in_order
from aam.inference.description import ModelDescription
from aam.inference.network import NetworkPredictor, PredictOptions
from aam.labels.target import TargetState
from aam.models.build import build_predictor
from aam.objectives.sample_distance import SAMPLE_DISTANCE
from aam.objectives.target import RegressionTarget
from aam.storage.cache import Cache
from aam.target_transform import TargetTransform
from flops import flops_of, flops_of_asvs, padded_flops_of, peak_flops
from measuring import GIB, available_bytes, in_turn, peak_bytes, rise, seconds
from padded_reference import PaddedReference, estimated_bytes, mask_everywhere, pair_tokens
from pretraining_step import OBJECTIVES, Pretraining, Setting, dense_distances, finish, fused_adamw, warm_up

PARTS = ("data", "distances", "ASV encoder forward", "ASV encoder backward", "layers above", "clip and optimiser")
NEAR = {"32-true": 1e-4, "bf16-mixed": 0.1}
"""Largest difference between predictions of the model and of its reference in float32, in standard deviations of the target."""


def train(setting: dict[str, Any], batch_size: int, steps: int, matrix: int) -> dict[str, Any]:
    """Measure training steps of the model: memory, then time, beside the peak of a matrix product before and after."""
    options = Setting(**setting)
    warm_up(options)
    training = Pretraining(options)
    plans = [training.plan(epoch, batch_size) for epoch in range(steps + 1)]
    memory = rise(lambda: training.step(plans[0]))
    peaks = [peak_flops(torch.float32, matrix)]
    batches: list[Batch] = []
    times = [seconds(lambda p=plan: batches.append(training.step(p))) for plan in plans[1:]]
    peaks.append(peak_flops(torch.float32, matrix))
    counted = [flops_of(options.shape, batch) for batch in batches]
    return {
        "memory": memory,
        "times": times,
        "samples": [batch.n_samples for batch in batches],
        "asvs": [len(batch.tokens) for batch in batches],
        "pairs": [len(batch.asv_index) for batch in batches],
        "flops": [count.of_step for count in counted],
        "executed": [count.of_recomputing_step for count in counted],
        "peak": max(peaks),
        "peak_bf16": peak_flops(torch.bfloat16, matrix),
    }


class ReferenceTraining:
    """Trains the padded reference as published implementations do; distances between all samples are there beforehand."""

    def __init__(self, training: Pretraining) -> None:
        distances = dense_distances(training)
        self.maker = BatchMaker(
            training.study,
            training.drawing,
            targets={SAMPLE_DISTANCE: lambda packed: distances[packed.samples][:, packed.samples]},
        )
        self.reference = PaddedReference(training.model, training.setting.token_limit).train()
        self.optimizer = fused_adamw(training.model)
        self.stream = torch.Generator().manual_seed(0)

    def step(self, plan: BatchPlan) -> Batch:
        """Build a batch, and train on it."""
        batch = self.maker[plan]
        share = PretrainingObjectivesConfig().nuc_mask_ratio
        tokens, labels = mask_everywhere(pair_tokens(batch), share, self.stream)
        loss = self.reference.loss(tokens, labels, batch.targets[SAMPLE_DISTANCE], batch)
        finish(self.reference.model, self.optimizer, loss)
        return batch


def compare(setting: dict[str, Any], batch_size: int, steps: int, budget: float) -> dict[str, Any]:
    """Time the model and the reference in turn; the reference with as many samples, up to the same, as memory holds."""
    options = Setting(**setting)
    warm_up(options)
    training = Pretraining(options)
    other = ReferenceTraining(training)
    budget = min(budget * GIB, 0.9 * available_bytes())
    n_padded = min(batch_size, training.study.n_samples)
    while n_padded >= 2 and _estimate(other.maker[training.plan(0, n_padded)], options) > budget:
        n_padded //= 2
    if n_padded < 2:
        return {"reference_batch": 0}
    seen: dict[str, list[Batch]] = {"ours": [], "reference": []}
    memory = rise(lambda: other.step(training.plan(0, n_padded)))
    pairs = in_turn(
        lambda turn: seen["ours"].append(training.step(training.plan(turn, batch_size))),
        lambda turn: seen["reference"].append(other.step(training.plan(turn, n_padded))),
        steps,
    )
    samples = {name: [batch.n_samples for batch in batches[1:]] for name, batches in seen.items()}
    ours = [n / time for n, (time, _) in zip(samples["ours"], pairs, strict=True)]
    reference = [n / time for n, (_, time) in zip(samples["reference"], pairs, strict=True)]
    counts = [padded_flops_of(options.shape, batch, options.token_limit).of_step for batch in seen["reference"][1:]]
    mine = [flops_of(options.shape, batch).of_step for batch in seen["ours"][1:]]
    return {
        "reference_batch": n_padded,
        "ours": ours,
        "reference": reference,
        "ratios": [a / b for a, b in zip(ours, reference, strict=True)],
        "reference_memory": memory,
        "flops_ratio": sum(counts) / sum(samples["reference"]) / (sum(mine) / sum(samples["ours"])),
    }


def _estimate(batch: Batch, options: Setting) -> float:
    n_positions = batch.tokens.shape[1]
    return estimated_bytes(options.shape, len(batch.asv_index), n_positions, batch.n_samples, options.token_limit)


def prediction_memory(setting: dict[str, Any], precision: str) -> dict[str, Any]:
    """Measure the peak memory of predicting a whole table with the model."""
    options = Setting(**setting)
    warm_up(options)
    prediction = _Prediction(Pretraining(options), precision)
    return {"memory": rise(prediction.of_table, times=1)}


def predict(setting: dict[str, Any], precision: str, steps: int, most_seconds: float) -> dict[str, Any]:
    """Time the prediction of a whole table with the model and with the reference in turn, and compare their numbers.

    If the reference would take more than ``most_seconds``, it predicts a random tenth of the samples, and its time is scaled.
    """
    options = Setting(**setting)
    warm_up(options)
    training = Pretraining(options)
    prediction = _Prediction(training, precision)
    n = training.study.n_samples
    before = peak_bytes()
    some = np.arange(min(n, DEFAULT_BATCH_SIZE))
    probe = seconds(lambda: prediction.by_reference(some))
    memory = peak_bytes() - before
    rows = np.arange(n)
    if probe * n / len(some) > most_seconds:
        rows = np.sort(np.random.default_rng(0).choice(n, max(1, n // 10), replace=False))
    results: dict[str, np.ndarray] = {}
    pairs = in_turn(
        lambda _: results.update(ours=prediction.of_table()),
        lambda _: results.update(reference=prediction.by_reference(rows)),
        steps,
    )
    difference = float(np.abs(results["ours"][rows] - results["reference"]).max())
    assert difference < NEAR[precision], f"predictions differ by {difference}"
    reference = [time * n / len(rows) for _, time in pairs]
    return {
        "samples": n,
        "asvs": training.study.n_features,
        "reference_samples": len(rows),
        "ours": [time for time, _ in pairs],
        "reference": reference,
        "ratios": [scaled / time for (time, _), scaled in zip(pairs, reference, strict=True)],
        "difference": difference,
        "reference_memory": memory,
        "flops_ratio": _flops_ratio(training),
    }


def _flops_ratio(training: Pretraining) -> float:
    """Count the operations of predicting a whole table: those of the reference, for one of ours."""
    study, options = training.study, training.setting
    maker = BatchMaker(study, training.drawing)
    batches = [maker[plan] for plan in plan_in_order(np.arange(study.n_samples), DEFAULT_BATCH_SIZE)]
    features = np.unique(np.concatenate([batch.features.numpy() for batch in batches]))
    read = flops_of_asvs(options.shape, torch.from_numpy(study.tokens[features])).asv_encoder
    ours = read + sum(flops_of(options.shape, batch).above for batch in batches)
    padded = [padded_flops_of(options.shape, batch, options.token_limit, with_nucleotides=False) for batch in batches]
    return sum(one.asv_encoder + one.above for one in padded) / ours


class _Prediction:
    """Predicts the samples of a study with the model, and in single precision with its reference."""

    def __init__(self, training: Pretraining, precision: str) -> None:
        self.precision = precision
        self.study, self.options, self.drawing = training.study, training.setting, training.drawing
        units = TargetTransform(0.0, 1.0)
        self.predictor = build_predictor(training.model, RegressionTarget(self.options.shape, "age", units), ())
        self.predictor.eval()
        self.description = ModelDescription(
            self.options.shape, OBJECTIVES, self.options.depth, self.options.token_limit, seed=0, study_digest="",
            target=TargetState("age", "regression", guess=0.0, transform=units),
        )  # fmt: skip
        self.reference = PaddedReference(training.model, self.options.token_limit).eval()

    def of_table(self) -> np.ndarray:
        """Predict as ``aam predict`` does, with an empty cache."""
        with tempfile.TemporaryDirectory() as folder:
            options = PredictOptions(Cache(Path(folder)), self.options.depth, DEFAULT_BATCH_SIZE, self.precision)
            return NetworkPredictor(self.predictor, self.description, options).predict(self.study).values

    @torch.inference_mode()
    def by_reference(self, rows: np.ndarray) -> np.ndarray:
        """Predict some samples with the reference."""
        maker = BatchMaker(self.study, self.drawing)
        plans = plan_in_order(rows, DEFAULT_BATCH_SIZE)
        return torch.cat([self.reference.predict(self.predictor, maker[plan]) for plan in plans]).numpy()


def parts(setting: dict[str, Any], batch_size: int, steps: int, matrix: int) -> dict[str, Any]:
    """Time the parts of training steps; the ASV encoder's backward pass runs after that of the layers above it."""
    options = Setting(**setting)
    warm_up(options)
    training = Pretraining(options)
    peaks = [peak_flops(torch.float32, matrix)]
    times: list[dict[str, float]] = []
    counts = []
    for turn in range(steps + 1):
        one, batch = _step_in_parts(training, training.plan(turn, batch_size))
        times.append(one)
        counts.append(flops_of(options.shape, batch))
    peaks.append(peak_flops(torch.float32, matrix))
    inside = [one["ASV encoder forward"] + one["ASV encoder backward"] for one in times[1:]]
    pairs = list(zip(counts[1:], inside, strict=True))
    model = [3 * count.asv_encoder / time for count, time in pairs]
    executed = [(3 * count.asv_encoder + count.asv_encoder_again) / time for count, time in pairs]
    return {
        "seconds": {part: statistics.median(one[part] for one in times[1:]) for part in PARTS},
        "rest": [1 - time / sum(one.values()) for time, one in zip(inside, times[1:], strict=True)],
        "efficiency": [rate / max(peaks) for rate in model],
        "executed_efficiency": [rate / max(peaks) for rate in executed],
        "peak": max(peaks),
    }


def _step_in_parts(training: Pretraining, plan: BatchPlan) -> tuple[dict[str, float], Batch]:
    """Run one step, cut at the vectors of the ASV encoder."""
    times: dict[str, float] = {}
    held: dict[str, Any] = {}

    def timed(part: str, run: Callable[[], None]) -> None:
        times[part] = seconds(run)

    def unifrac(packed: Any) -> np.ndarray:
        timed("distances", lambda: held.update(distances=training.unifrac(packed)))
        return held["distances"]

    maker = replace(training.maker, targets={SAMPLE_DISTANCE: unifrac})
    timed("data", lambda: held.update(batch=maker[plan]))
    times["data"] -= times["distances"]
    batch: Batch = held["batch"]
    encoder, masked = training.model.asv_encoder, batch.masked
    assert masked is not None
    encoded: list[Tensor] = []
    timed(
        "ASV encoder forward",
        lambda: encoded.extend([encoder(batch.tokens), encoder.at_positions(masked.tokens, masked.columns)]),
    )
    leaves = [vectors.detach().requires_grad_() for vectors in encoded]
    timed("layers above", lambda: _loss_above(training, batch, leaves).backward())
    timed("ASV encoder backward", lambda: torch.autograd.backward(encoded, [leaf.grad for leaf in leaves]))  # type: ignore[arg-type]
    timed("clip and optimiser", lambda: finish(training.model, training.optimizer, None))
    return times, batch


def _loss_above(training: Pretraining, batch: Batch, leaves: list[Tensor]) -> Tensor:
    """Run the model from the vectors of ASVs on."""
    vectors, masked_vectors = leaves
    encoding = training.model(replace(batch, asv_vectors=vectors, masked=None))
    encoding = replace(encoding, masked_nucleotides=masked_vectors)
    heads = training.model.active_objectives()
    return torch.stack([head.loss(head(encoding, batch), batch) for head in heads.values()]).sum()
