"""Estimated memory of a training step against the measured peak.

    python benchmarks/memory_estimate.py

Runs each step of a grid in a process of its own, on random batches, and compares the rise of the peak resident memory with
`MemoryEstimate`. Writes a dated page into ``benchmarks/results/``.
"""

import argparse
import dataclasses
import json
import os
import platform
import resource
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import torch

from aam.batch import Batch
from aam.config.model import ModelConfig
from aam.data.batching.masking import hide_pairs, mask_nucleotides
from aam.data.batching.memory import MemoryEstimate
from aam.models.build import build_encoder, build_predictor
from aam.objectives.target import RegressionTarget
from aam.target_transform import TargetTransform

SHARE_READ_AGAIN = 0.25
UNIT = 1024 if sys.platform.startswith("linux") else 1
MIB = 2**20


@dataclass(frozen=True)
class Case:
    """One step: the shape of the model and of the batch."""

    command: str
    dim: int
    layers: int
    ratio: float
    checkpointing: bool
    samples: int
    longest: int
    asvs: int
    positions: int
    chunk: int = 256
    is_ragged: bool = False

    @property
    def lengths(self) -> np.ndarray:
        """Number of ASVs of each sample, from half of the largest number up to it."""
        lengths = np.random.default_rng(1).integers(
            max(1, self.longest // 2), self.longest, size=self.samples, endpoint=True
        )
        lengths[0] = self.longest
        return lengths

    @property
    def pairs(self) -> int:
        return int(self.lengths.sum())

    @property
    def model(self) -> ModelConfig:
        return ModelConfig(
            embedding_dim=self.dim,
            attention_layers=self.layers,
            ffn_ratio=self.ratio,
            max_bp=self.positions,
            asv_chunk_size=self.chunk,
            gradient_checkpointing=self.checkpointing,
        )

    def estimate(self, n_weights: int) -> MemoryEstimate:
        return MemoryEstimate(
            config=self.model,
            n_weights=n_weights,
            n_positions=self.positions,
            share_read_again=SHARE_READ_AGAIN if self.command == "pretrain" else 0.0,
            sample_passes=2 if self.command == "train" else 1,
        )


def grid() -> list[Case]:
    """Return small steps that differ in every number that the estimate reads."""
    cases = []
    for checkpointing in (True, False):
        cases += [
            Case("pretrain", 64, 2, 4.0, checkpointing, 8, 60, 120, 100),
            Case("pretrain", 128, 2, 2.0, checkpointing, 8, 60, 60, 150, is_ragged=True),
            Case("pretrain", 64, 4, 4.0, checkpointing, 32, 120, 60, 60),
            Case("pretrain", 128, 4, 4.0, checkpointing, 4, 30, 50, 100),
            Case("pretrain", 64, 2, 2.0, checkpointing, 8, 100, 400, 60, chunk=64),
            Case("train", 64, 2, 4.0, checkpointing, 4, 800, 100, 60),
            Case("train", 128, 2, 4.0, checkpointing, 8, 200, 60, 60),
            Case("train", 64, 4, 2.0, checkpointing, 16, 200, 60, 100, chunk=32),
            Case("train", 128, 4, 2.0, checkpointing, 2, 40, 60, 150),
        ]
    return cases


def larger() -> list[Case]:
    """Return larger steps, of several chunks of ASVs."""
    return [
        Case("pretrain", 128, 4, 4.0, True, 8, 100, 400, 150),
        Case("train", 64, 2, 4.0, True, 16, 150, 700, 150),
        Case("pretrain", 96, 3, 3.0, True, 24, 90, 350, 120, chunk=128, is_ragged=True),
        Case("train", 64, 2, 2.0, False, 8, 100, 500, 150),
        Case("pretrain", 64, 3, 4.0, False, 12, 130, 150, 150),
        Case("pretrain", 128, 4, 4.0, True, 8, 180, 500, 150, chunk=64),
        Case("pretrain", 128, 4, 4.0, True, 32, 180, 950, 150, chunk=64),
        Case("pretrain", 128, 4, 4.0, True, 96, 180, 1500, 100, chunk=64),
    ]


def random_batch(case: Case) -> Batch:
    """Build a random batch of exactly the case's shape."""
    stream = np.random.default_rng(0)
    tokens = stream.integers(1, 5, size=(case.asvs, case.positions)).astype(np.uint8)
    if case.is_ragged:
        tokens[::3, -5:] = 0
    offsets = np.concatenate([[0], np.cumsum(case.lengths)])
    is_pretraining = case.command == "pretrain"
    targets = {"target": torch.rand(case.samples).double()}
    if is_pretraining:
        targets = {"distance": torch.rand(case.samples, case.samples)}
    return Batch(
        sample_index=torch.arange(case.samples),
        features=torch.arange(case.asvs),
        tokens=torch.from_numpy(tokens.astype(np.int64)),
        asv_index=torch.from_numpy(stream.integers(0, case.asvs, size=offsets[-1])),
        sample_offsets=torch.from_numpy(offsets),
        counts=torch.from_numpy(stream.integers(1, 100, size=offsets[-1])),
        masked=mask_nucleotides(tokens, SHARE_READ_AGAIN, 0.15, stream) if is_pretraining else None,
        hidden=None if is_pretraining else hide_pairs(offsets, 0.15, stream),
        targets=targets,
    )


def build(case: Case) -> torch.nn.Module:
    if case.command == "pretrain":
        return build_encoder(case.model, ["distance", "nucleotides"])
    return build_predictor(
        build_encoder(case.model, []), RegressionTarget(case.model, "age", TargetTransform(0.0, 1.0)), ["counts"]
    )


def train(case: Case, steps: int) -> int:
    """Train on one batch; return the number of weights."""
    model, batch = build(case), random_batch(case)
    optimizer = torch.optim.AdamW(model.parameters())
    for _ in range(steps):
        encoding = model(batch)
        objectives = model.active_objectives()  # type: ignore[operator]
        loss = torch.stack([o.loss(o(encoding, batch), batch).float() for o in objectives.values()]).sum()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    return sum(weight.numel() for weight in model.parameters())


def measure_here(case: Case, threads: int) -> dict[str, int]:
    """Measure in this process: the libraries are warmed up by a small step first."""
    torch.set_num_threads(threads)
    train(Case(case.command, 16, 1, 2.0, case.checkpointing, 2, 3, 4, 12), steps=2)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT
    n_weights = train(case, steps=2)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT
    return {"measured": peak - before, "n_weights": n_weights}


def measure(case: Case, threads: int) -> dict[str, float]:
    """Measure in a fresh process, and estimate."""
    arguments = ["--threads", str(threads), "--case", json.dumps(dataclasses.asdict(case))]
    shown = subprocess.run([sys.executable, __file__, *arguments], check=True, capture_output=True, text=True).stdout
    result = json.loads(shown)
    estimate = case.estimate(result["n_weights"])
    estimated = estimate.fixed + estimate.of_batch(case.pairs, case.asvs)
    return {**result, "estimated": estimated, "ratio": estimated / result["measured"]}


def summarise(which: str, ratios: np.ndarray) -> str:
    """Summarise in words how near the estimates are."""
    return (
        f"Estimated ÷ measured, {which} ({len(ratios)} steps): median {np.median(ratios):.2f}, smallest {ratios.min():.2f}, "
        f"largest {ratios.max():.2f}; {int((np.abs(ratios - 1) <= 0.25).sum())} within ±25 %."
    )


def page(cases: list[Case], results: list[dict[str, float]], threads: int) -> str:
    """Format the result as Markdown."""
    ratios = np.array([result["ratio"] for result in results])
    columns = ["command", "width", "layers", "ffn ratio", "checkpointing", "B", "A", "U", "L", "chunk"]
    columns += ["measured MiB", "estimated MiB", "estimated ÷ measured"]
    lines = [
        f"# Estimated and measured memory of a training step, {date.today()}",
        "",
        f"`python benchmarks/memory_estimate.py --threads {threads}`; {platform.machine()}, {os.cpu_count()} CPU cores, "
        f"{threads} threads, Python {platform.python_version()}, torch {torch.__version__}.",
        "",
        "Rise of the peak resident memory (`ru_maxrss`) over two steps of AdamW, from where a tiny model has warmed the "
        "libraries up; random batches, float32, one process per row. An asterisk marks sequences of unequal lengths.",
        "",
        "The coefficients of the estimate were chosen on these steps.",
        "",
        *(
            f"- {summary}"
            for summary in (summarise("all", ratios), summarise("the larger ones", ratios[-len(larger()) :]))
        ),
        "",
        "| " + " | ".join(columns) + " |",
        "|" + "---|" * len(columns),
    ]
    for case, result in zip(cases, results, strict=True):
        shape = [case.samples, case.longest, case.asvs, f"{case.positions}{'*' if case.is_ragged else ''}", case.chunk]
        cells = [case.command, case.dim, case.layers, f"{case.ratio:g}", "on" if case.checkpointing else "off", *shape]
        cells += [f"{result['measured'] / MIB:.0f}", f"{result['estimated'] / MIB:.0f}", f"{result['ratio']:.2f}"]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join([*lines, ""])


def main() -> None:
    """Measure the grid and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--case", help="measure this one, in this process")
    arguments = parser.parse_args()
    if arguments.case:
        sys.stdout.write(json.dumps(measure_here(Case(**json.loads(arguments.case)), arguments.threads)))
        return
    cases = grid() + larger()
    results = [measure(case, arguments.threads) for case in cases]
    path = Path(__file__).parent / "results" / f"memory_estimate_cpu{os.cpu_count()}_{date.today()}.md"
    path.write_text(page(cases, results, arguments.threads), encoding="utf-8")
    sys.stdout.write(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
