"""Time of UniFrac per batch beside a training step of the default model, and beside scikit-bio.

    python benchmarks/unifrac_cost.py ../shared/data/moving_pictures ../shared/data/ibd_2538

Each folder holds table.biom, sequences.fasta and tree.nwk. Writes a dated page into ``benchmarks/results/``.
"""

import argparse
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import skbio
import torch
from skbio.diversity import beta_diversity

from aam.batch import Batch, PackedCounts
from aam.config.model import ModelConfig
from aam.config.objectives import PretrainingObjectivesConfig
from aam.config.study import SamplingConfig, StudyConfig
from aam.config.training import DEFAULT_BATCH_SIZE
from aam.data.batching.batches import BatchMaker, BatchPlan, Drawing, Masking, pack
from aam.data.rarefaction import drop_shallow_samples, resolve_depth
from aam.data.study import Study
from aam.data.study_build import read_study
from aam.ecology.unifrac import unweighted_unifrac
from aam.models.build import build_encoder
from aam.runs.resources import read_tree
from aam.storage.cache import Cache

BATCHES = 3
REPEATS = 20


def main() -> None:
    """Measure each study and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("studies", nargs="+", type=Path)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rows = [measure(folder) for folder in arguments.studies]
    hardware = f"cpu{arguments.threads}"
    path = Path(__file__).parent / "results" / f"unifrac_cost_{hardware}_{date.today()}.md"
    path.write_text(page(rows, arguments.threads), encoding="utf-8")
    sys.stdout.write(path.read_text(encoding="utf-8"))


def measure(folder: Path) -> dict[str, str]:
    """Time UniFrac, a whole batch, a training step and scikit-bio on the same batches, in turn."""
    model_config, batch_size = ModelConfig(), DEFAULT_BATCH_SIZE
    study = read_study(
        StudyConfig(table=folder / "table.biom", sequences=folder / "sequences.fasta"), model_config.max_bp
    )
    branches = read_tree(folder / "tree.nwk", study, Cache())
    depth = resolve_depth("auto", study.depths)
    study = drop_shallow_samples(study, depth)
    drawing = Drawing(depth, SamplingConfig().token_limit, 0)

    def unifrac(packed: PackedCounts) -> np.ndarray:
        return unweighted_unifrac(branches, packed.features, packed.sample_offsets).astype(np.float32)

    maker = BatchMaker(study, drawing, masking(), {"distance": unifrac})
    model = build_encoder(model_config, ["distance", "nucleotides"])
    optimizer = torch.optim.AdamW(model.parameters())
    tree: skbio.TreeNode = skbio.TreeNode.read(str(folder / "tree.nwk"), convert_underscores=False)  # type: ignore[assignment]
    times: dict[str, list[float]] = {name: [] for name in ("unifrac", "batch", "step", "scikit-bio")}
    asvs, rng = [], np.random.default_rng(0)
    for epoch in range(BATCHES):
        rows = tuple(rng.choice(study.n_samples, batch_size, replace=False).tolist())
        packed = pack([drawing.draw(study, row, epoch) for row in rows], rows)
        times["unifrac"].append(seconds(lambda p=packed: unifrac(p), REPEATS))
        times["batch"].append(seconds(lambda r=rows, e=epoch: maker[BatchPlan(e, r)]))
        batch = maker[BatchPlan(epoch, rows)]
        asvs.append(len(batch.features))
        times["step"].append(seconds(lambda b=batch: train_step(model, optimizer, b)))
        times["scikit-bio"].append(seconds(lambda p=packed: scikit_bio(study, tree, p)))
    return row_of(folder.name, study, asvs, {name: statistics.median(values) for name, values in times.items()})


def masking() -> Masking:
    """Return the masking of pre-training by default."""
    objectives = PretrainingObjectivesConfig()
    return Masking(objectives.nuc_mask_ratio, objectives.nuc_asv_fraction)


def train_step(model: torch.nn.Module, optimizer: torch.optim.Optimizer, batch: Batch) -> None:
    """Run one step of pre-training."""
    encoding = model(batch)
    objectives = model.active_objectives()  # type: ignore[operator]
    loss = torch.stack([objective.loss(objective(encoding, batch), batch) for objective in objectives.values()]).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def scikit_bio(study: Study, tree: skbio.TreeNode, packed: PackedCounts) -> None:
    """Compute the same distances with scikit-bio on the whole tree, without the features that it lacks."""
    present, column = np.unique(packed.features, return_inverse=True)
    counts = np.zeros((len(packed.samples), len(present)), dtype=np.int64)
    counts[np.repeat(np.arange(len(packed.samples)), np.diff(packed.sample_offsets)), column] = packed.counts
    names, tips = study.feature_ids.select(present), {tip.name for tip in tree.tips()}
    is_tip = np.array([name in tips for name in names])
    taxa = list(names.select(np.flatnonzero(is_tip)))
    beta_diversity("unweighted_unifrac", counts[:, is_tip], taxa=taxa, tree=tree, validate=False)


def seconds(run: Callable[[], object], repeats: int = 1) -> float:
    """Return the mean time of one call in seconds."""
    start = time.perf_counter()
    for _ in range(repeats):
        run()
    return (time.perf_counter() - start) / repeats


def row_of(name: str, study: Study, asvs: list[int], medians: dict[str, float]) -> dict[str, str]:
    """Format one study's line."""
    return {
        "study": name,
        "samples × features": f"{study.n_samples} × {len(study.feature_ids):,}",
        "ASVs per batch": f"{int(statistics.median(asvs)):,}",
        "UniFrac": f"{1000 * medians['unifrac']:.1f} ms",
        "whole batch": f"{1000 * medians['batch']:.0f} ms",
        "training step": f"{medians['step']:.2f} s",
        "UniFrac ÷ step": f"1 / {medians['step'] / medians['unifrac']:,.0f}",
        "scikit-bio ÷ UniFrac": f"{medians['scikit-bio'] / medians['unifrac']:.0f}",
    }


def page(rows: list[dict[str, str]], threads: int) -> str:
    """Format the result as Markdown."""
    columns = list(rows[0])
    lines = [
        f"# UniFrac per batch beside a training step, {date.today()}",
        "",
        f"`python benchmarks/unifrac_cost.py {' '.join(row['study'] for row in rows)} --threads {threads}`; "
        f"{platform.machine()}, {os.cpu_count()} CPU cores, {threads} threads, Python {platform.python_version()}, "
        f"torch {torch.__version__}, scikit-bio {skbio.__version__}.",
        "",
        f"Default model and batch size ({DEFAULT_BATCH_SIZE} samples), medians over {BATCHES} batches measured in turn.",
        "",
        "| " + " | ".join(columns) + " |",
        "|" + "---|" * len(columns),
        *("| " + " | ".join(row[column] for column in columns) + " |" for row in rows),
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
