"""Memory of validation, from a thousand to a million predictions, and the error of metrics that are sketches.

    python benchmarks/validation_memory.py

Feeds simulated predictions to each objective's metrics and to the sample that is drawn, each objective in a process of its own, and
writes a dated page and a plot into ``benchmarks/results/``.
"""

import os
import platform
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
import torchmetrics
from matplotlib.figure import Figure
from scipy import stats
from sklearn.metrics import roc_auc_score

from aam.config.model import ModelConfig
from aam.config.training import DEFAULT_PLOT_SAMPLES
from aam.metrics.classification import BinnedAUROC
from aam.metrics.rank_correlation import Spearman
from aam.metrics.reservoir import Reservoir
from aam.objectives.hidden_abundance import HiddenAbundance
from aam.objectives.masked_nucleotides import MaskedNucleotides
from aam.objectives.objective import Objective
from aam.objectives.sample_distance import SampleDistance
from aam.objectives.target import ClassificationTarget, RegressionTarget
from aam.target_transform import TargetTransform

SIZES = (1_000, 10_000, 100_000, 1_000_000)
BATCH = 1_000
N_CLASSES = 10


def numbers(stream: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Build a batch of predicted and true numbers."""
    truth = 45 + 20 * torch.randn(BATCH, generator=stream, dtype=torch.float64)
    return truth + 10 * torch.randn(BATCH, generator=stream, dtype=torch.float64), truth


def classes(stream: torch.Generator, n: int = N_CLASSES) -> tuple[torch.Tensor, torch.Tensor]:
    """Build a batch of probabilities and true classes; with four classes, they serve as logits of nucleotides."""
    truth = torch.randint(n, (BATCH,), generator=stream)
    logits = torch.randn(BATCH, n, generator=stream, dtype=torch.float64) + torch.eye(n)[truth]
    return (2 * logits).softmax(dim=1), truth


OBJECTIVES: dict[
    str, tuple[Callable[[], Objective], Callable[[torch.Generator], tuple[torch.Tensor, torch.Tensor]]]
] = {
    "target, a number": (lambda: RegressionTarget(ModelConfig(), "age", TargetTransform(45.0, 20.0)), numbers),
    f"target, {N_CLASSES} classes": (
        lambda: ClassificationTarget(ModelConfig(), "site", [str(k) for k in range(N_CLASSES)]),
        classes,
    ),
    "distances": (lambda: SampleDistance(8), numbers),
    "hidden abundances": (lambda: HiddenAbundance(8), numbers),
    "nucleotides": (lambda: MaskedNucleotides(ModelConfig()), lambda stream: classes(stream, 4)),
}


def measure(name: str) -> list[tuple[int, float, float, float]]:
    """Measure growth of resident memory at its peak, bytes of states, and seconds, at each number of predictions."""
    torch.set_num_threads(1)
    make, simulate = OBJECTIVES[name]
    validate(make(), simulate, [BATCH])  # what libraries set up at first use
    return validate(make(), simulate, SIZES)


def validate(objective: Objective, simulate: Callable, sizes: list[int] | tuple[int, ...]) -> list:
    """Stream predictions, and compute the metrics at each size."""
    metrics, stream = objective.metrics(), torch.Generator().manual_seed(0)
    for metric in metrics.values():
        metric.set_dtype(torch.float64)
    reservoir = Reservoir(DEFAULT_PLOT_SAMPLES, np.random.default_rng(0))
    before, peak, seconds, rows = resident_bytes(), 0.0, 0.0, []
    for n in range(BATCH, sizes[-1] + 1, BATCH):
        prediction, truth = simulate(stream)
        begin = time.perf_counter()
        reservoir.add(prediction, truth)
        for metric in metrics.values():
            metric.update(prediction, truth)
            if n in sizes:
                metric.compute()
        seconds += time.perf_counter() - begin
        peak = max(peak, resident_bytes() - before)
        if n in sizes:
            rows.append((n, peak, held(metrics, reservoir), seconds))
    return rows


def resident_bytes() -> int:
    """Return the resident memory of this process in bytes (Linux)."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()


def held(metrics: dict[str, torchmetrics.Metric], reservoir: Reservoir) -> float:
    """Count the bytes of all states and of the sample."""
    states = [state for metric in metrics.values() for state in metric.metric_state.values()]
    tensors = [t for state in states for t in (state if isinstance(state, list) else [state])]
    return sum(tensor.numel() * tensor.element_size() for tensor in [*tensors, *reservoir.points])


def errors() -> list[tuple[str, float, float, float]]:
    """Compare sketches of a million predictions with SciPy and scikit-learn: the exact value, the error, and its stated bound."""
    stream, n = np.random.default_rng(0), SIZES[-1]
    normal, noise = stream.normal(size=(2, n))
    tails, tail_noise = stream.standard_cauchy((2, n))
    pairs = {
        "Spearman, normal": (normal + noise, normal),
        "Spearman, normal, weak": (normal + 9 * noise, normal),
        "Spearman, far from 0": (1e6 + normal + noise, 1e6 + normal),
        "Spearman, log-normal": (np.exp(2 * normal + noise), np.exp(2 * normal)),
        "Spearman, Cauchy": (tails + tail_noise, tails),
        "Spearman, integers": (normal + noise, np.round(10 * normal)),
    }
    rows = []
    for name, (prediction, truth) in pairs.items():
        metric = streamed(Spearman(), prediction, truth)
        rows.append((name, stats.spearmanr(prediction, truth)[0], metric.compute().item(), metric.error_bound()))
    truth = stream.integers(0, 3, n)
    for sharpness in (0.5, 2.0, 8.0):
        logits = sharpness * (stream.normal(size=(n, 3)) + np.eye(3)[truth])
        probability = torch.tensor(logits).softmax(dim=1).numpy()
        metric = streamed(BinnedAUROC(3), probability, truth)
        exact = float(np.mean([roc_auc_score(truth == k, probability[:, k]) for k in range(3)]))
        rows.append((f"AUROC, logits × {sharpness:g}", exact, metric.compute().item(), metric.error_bound()))
    return [(name, exact, value - exact, bound) for name, exact, value, bound in rows]


def streamed(metric: Spearman | BinnedAUROC, prediction: np.ndarray, truth: np.ndarray) -> Spearman | BinnedAUROC:
    """Update a metric in batches."""
    metric.set_dtype(torch.float64)
    for start in range(0, len(truth), BATCH):
        some = slice(start, start + BATCH)
        metric.update(torch.from_numpy(prediction[some]), torch.from_numpy(truth[some]))
    return metric


def page(results: dict[str, list], wrong: list) -> str:
    """Format the tables as Markdown."""
    lines = [
        f"# Memory of validation against the number of predictions, {date.today()}",
        "",
        f"`python benchmarks/validation_memory.py`; {platform.machine()}, {os.cpu_count()} CPU cores, 1 thread, Python "
        f"{platform.python_version()}, torch {torch.__version__}, torchmetrics {version('torchmetrics')}.",
        "",
        f"Simulated predictions in batches of {BATCH:,}: all metrics of the objective, and a sample of {DEFAULT_PLOT_SAMPLES:,} to "
        "draw. Growth of resident memory at its peak so far, metrics computed at each size; in brackets the bytes of all states. "
        "Seconds are those of the metrics and the sample for a million predictions.",
        "",
        "| objective | " + " | ".join(f"{size:,}" for size in SIZES) + " | seconds |",
        "|" + "---|" * (len(SIZES) + 2),
    ]
    for name, rows in results.items():
        cells = [f"{peak / 1e6:.1f} MB ({state / 1e6:.2f})" for _, peak, state, _ in rows]
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {rows[-1][3]:.1f} |")
    lines += [
        "",
        f"What is a sketch, of {SIZES[-1]:,} predictions: the value by SciPy and scikit-learn, the error, and the bound that the "
        "metric states for it. Up to 32,768 distinct pairs, Spearman's correlation is exact.",
        "",
        "| metric | exact | error | bound |",
        "|---|---|---|---|",
        *(f"| {name} | {exact:.5f} | {error:+.1e} | {bound:.1e} |" for name, exact, error, bound in wrong),
    ]
    return "\n".join(lines) + "\n"


def draw(results: dict[str, list], path: Path) -> None:
    """Plot the growth of memory against the number of predictions."""
    figure = Figure(figsize=(7, 4.5), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    for name, rows in results.items():
        axes.plot(SIZES, [peak / 1e6 for _, peak, *_ in rows], marker="o", label=name)
    every = np.array(SIZES)
    axes.plot(every, every * 16 / 1e6, color="#999999", linestyle=":", label="all pairs of numbers, held once")
    axes.set(xlabel="predictions", ylabel="growth of resident memory, MB", xscale="log", ylim=(0, 32))
    axes.legend(frameon=False)
    figure.savefig(path)


def main() -> None:
    """Measure each objective, and write the page and the plot."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        results = dict(zip(OBJECTIVES, pool.map(measure, OBJECTIVES), strict=True))
    folder = Path(__file__).parent / "results"
    name = f"validation_memory_cpu{os.cpu_count()}_{date.today()}"
    draw(results, folder / f"{name}.png")
    text = page(results, errors()) + f"\n![memory]({name}.png)\n"
    (folder / f"{name}.md").write_text(text, encoding="utf-8")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
