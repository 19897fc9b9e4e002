"""One step of pre-training on a study, as ``aam pretrain`` runs it by default, which the benchmarks of speed measure."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from aam.batch import Batch, BatchTarget
from aam.commands.simulate import write_study
from aam.config.model import ModelConfig
from aam.config.objectives import PretrainingObjectivesConfig
from aam.config.study import StudyConfig
from aam.config.tools import SimulationConfig
from aam.config.training import TrainingConfig
from aam.data.batching.batches import BatchMaker, BatchPlan, Drawing, Masking, pack
from aam.data.rarefaction import drop_shallow_samples
from aam.data.study import Study
from aam.data.study_build import read_study
from aam.ecology.unifrac import unweighted_unifrac
from aam.models.build import build_encoder
from aam.nn.attention import attention_kernel
from aam.objectives.sample_distance import SAMPLE_DISTANCE
from aam.runs.resources import read_tree
from aam.simulation.study import simulate_study
from aam.storage.cache import Cache
from aam.training.precision import resolve_precision

OBJECTIVES = (SAMPLE_DISTANCE, "nucleotides")
FILES = ("table.biom", "sequences.fasta", "tree.nwk")
SMALL = {"embedding_dim": 16, "attention_heads": 2, "attention_layers": 1, "max_bp": 50}
"""A model for quick runs and for warming up."""


@dataclass(frozen=True)
class Setting:
    """Settings of a step; they can be written as JSON.

    Attributes
    ----------
    study
        Folder with `FILES`.
    cache
        Folder where the study is kept as arrays; the first process that opens it makes it.
    model
        Changes to the default shape of the model, by field.
    depth, token_limit
        Number of reads drawn from a sample, and its largest number of ASVs.
    precision, attention, is_compiled
        Values of ``--precision``, ``--attn-implementation`` and ``--compile``.
    """

    study: str
    cache: str
    model: dict[str, Any] = field(default_factory=dict)
    depth: int = 5000
    token_limit: int = 1024
    precision: str = field(default_factory=partial(resolve_precision, "auto"))
    attention: str = "sdpa"
    is_compiled: bool = False

    @property
    def shape(self) -> ModelConfig:
        return ModelConfig(**self.model)

    @property
    def name(self) -> str:
        return Path(self.study).name


class Pretraining:
    """A study, a model with random weights, and its optimiser."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.study, self.unifrac = open_study(setting)
        self.drawing = Drawing(setting.depth, setting.token_limit, seed=0)
        options = PretrainingObjectivesConfig()
        masking = Masking(nuc_mask_ratio=options.nuc_mask_ratio, nuc_asv_fraction=options.nuc_asv_fraction)
        self.maker = BatchMaker(self.study, self.drawing, masking, {SAMPLE_DISTANCE: self.unifrac})
        torch.manual_seed(0)
        self.model = build_encoder(setting.shape, OBJECTIVES).train()
        self.optimizer = fused_adamw(self.model)
        if setting.is_compiled:
            os.environ["TORCHINDUCTOR_CACHE_DIR"] = setting.cache  # else what is compiled stays on disk
            self.model.asv_encoder.transformer.compile_blocks()

    def plan(self, epoch: int, n_samples: int) -> BatchPlan:
        """Choose the samples of a batch."""
        n_samples = min(n_samples, self.study.n_samples)
        rows = np.random.default_rng(epoch).choice(self.study.n_samples, n_samples, replace=False)
        return BatchPlan(epoch, tuple(rows.tolist()))

    def step(self, plan: BatchPlan) -> Batch:
        """Build a batch, and train on it."""
        batch = self.maker[plan]
        with attention_kernel(
            self.setting.attention, torch.device("cpu"), torch.float32
        ):  # in the backward pass, too, which recomputes
            with arithmetic(self.setting):
                loss = self.loss(batch)
            finish(self.model, self.optimizer, loss)
        return batch

    def loss(self, batch: Batch) -> Tensor:
        """Compute the sum of the objectives' losses."""
        encoding = self.model(batch)
        heads = self.model.active_objectives()
        return torch.stack([head.loss(head(encoding, batch), batch).float() for head in heads.values()]).sum()


def fused_adamw(model: torch.nn.Module) -> torch.optim.AdamW:
    """Build the optimiser of training."""
    options = TrainingConfig()
    return torch.optim.AdamW(model.parameters(), lr=options.lr, weight_decay=options.weight_decay, fused=True)


def finish(model: torch.nn.Module, optimizer: torch.optim.Optimizer, loss: Tensor | None) -> None:
    """Run the backward pass (unless ``loss`` is None, as it is done already), clipping, and the optimiser's step."""
    if loss is not None:
        loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), TrainingConfig().gradient_clip)
    optimizer.step()
    optimizer.zero_grad()


def arithmetic(setting: Setting) -> AbstractContextManager[object]:
    """Return the context of the forward pass in the precision of the settings."""
    return torch.autocast("cpu", torch.bfloat16) if setting.precision == "bf16-mixed" else nullcontext()


def open_study(setting: Setting) -> tuple[Study, BatchTarget]:
    """Open a study and its UniFrac, without the samples that are too shallow."""
    table, sequences, tree = (Path(setting.study) / name for name in FILES)
    cache = Path(setting.cache)
    study = read_study(StudyConfig(table=table, sequences=sequences, cache_dir=cache), setting.shape.max_bp)
    branches = read_tree(tree, study, Cache(cache))
    study = drop_shallow_samples(study, setting.depth)
    return study, lambda drawn: unweighted_unifrac(branches, drawn.features, drawn.sample_offsets).astype(np.float32)


def dense_distances(training: Pretraining) -> np.ndarray:
    """Compute the distances between all samples of a study beforehand, [S, S]."""
    rows = list(range(training.study.n_samples))
    packed = pack([training.drawing.draw(training.study, row, "dense") for row in rows], rows)
    return training.unifrac(packed)


def warm_up(setting: Setting) -> None:
    """Warm the libraries up with a tiny model, so that they allocate what they keep."""
    tiny = Pretraining(replace(setting, model=SMALL))
    for epoch in range(2):
        tiny.step(tiny.plan(epoch, 2))


@contextmanager
def simulated_study() -> Iterator[Path]:
    """Return the folder of a small study for quick runs."""
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "simulated"
        directory.mkdir()
        write_study(directory, simulate_study(SimulationConfig(samples=30, features=80, sequence_length=50)))
        yield directory
