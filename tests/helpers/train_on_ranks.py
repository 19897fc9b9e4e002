"""Trains what a command would, in this process, alone or as one of several, and tells what it saw.

As a program, it is one of several processes: ``python -m helpers.train_on_ranks FOLDER``, with the variables that torchrun sets.
"""

import os
import sys
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path

import lightning
import numpy as np
import torch
import torch.distributed as dist
from lightning.pytorch.callbacks import Callback

from aam.cli import parse
from aam.commands import pretrain
from aam.config.saving import SavingConfig
from aam.data.batching.batch_composition import BySamples
from aam.data.batching.batches import BatchPlan, EpochSampler, loader
from aam.data.rarefaction import EVALUATION
from aam.distributed.process import started_by
from aam.distributed.ranks import SINGLE_PROCESS, Ranks
from aam.errors import AamError
from aam.labels.labelled import divide, read_labelled
from aam.runs.plan import plan_run, prepare_module
from aam.training.checkpoints import Identity
from aam.training.fit import fit
from aam.training.memory import StepTooLargeError
from aam.training.module import TrainingModule
from aam.training.nonfinite import NonFiniteLossError
from aam.training.saving import SavingPlan
from aam.training.strategies import on_devices, own_part
from aam.training.trials import largest_that_fits, trying
from helpers.full_memory import FullMemory

SHAPE = [
    "--embedding-dim", "8", "--attention-heads", "2", "--attention-layers", "1", "--ffn-ratio", "1.5", "--max-bp", "20",
    "--dropout", "0", "--asv-chunk-size", "7", "--lr", "0.01", "--warmup-fraction", "0", "--gradient-clip", "1",
]  # fmt: skip
UNLABELLED = [
    "--encoder-type", "unweighted-unifrac", "bray-curtis", "generalized-unifrac", "aitchison", "shannon", "taxonomy",
    "composition", "masked-asvs", "--count-penalty", "0.3", "--loss-balancing", "uncertainty",
]  # fmt: skip
CASES = {
    "ddp": ("pretrain", {"strategy": "ddp"}, []),
    "ddp, accumulated, each its ASVs": (
        "pretrain", {"strategy": "ddp", "shares_asvs": False}, ["--gradient-accumulation-steps", "2", "--mixup-alpha", "0.5"],
    ),
    "fsdp": ("pretrain", {"strategy": "fsdp"}, []),
    "fsdp, accumulated, each its ASVs": (
        "pretrain", {"strategy": "fsdp", "shares_asvs": False}, ["--gradient-accumulation-steps", "2"],
    ),
    "regression": ("age", {"strategy": "ddp"}, []),
    "classification": ("disease", {"strategy": "fsdp"}, ["--count-penalty", "0.5", "--count-loss", "multinomial"]),
    "several columns": ("age birth_weight", {"strategy": "ddp"}, ["--gradient-accumulation-steps", "2"]),
    "several columns in parts": ("age birth_weight", {"strategy": "fsdp"}, []),
    "weighted samples": ("age", {"strategy": "ddp"}, ["--sample-weights", "disease", "--output-scaling", "disease"]),
    "quantiles": ("age", {"strategy": "fsdp"}, ["--loss-type", "quantile", "--optimizer", "sgd"]),
    "weighted classes": ("disease", {"strategy": "ddp"}, ["--class-weights", "balanced", "--label-smoothing", "0.1"]),
    "averaged weights": ("age", {"strategy": "ddp"}, ["--ema-decay", "0.8", "--gradient-accumulation-steps", "2"]),
    "categories": (
        "age", {"strategy": "ddp"},
        ["--categorical-columns", "disease", "batch", "--categorical-fusion", "perceiver", "--category-dropout", "0"],
    ),
    "numbers": (
        "disease", {"strategy": "fsdp"},
        ["--numeric-columns", "birth_weight", "--categorical-columns", "batch", "--categorical-fusion", "cross-attention",
         "--category-dropout", "0"],
    ),
    "stages": ("disease", {"strategy": "ddp"}, ["--task", "ordinal", "--class-order", "healthy", "disease"]),
}  # fmt: skip
"""By name: what is learned, how ranks train, and options."""


FULL = {"ddp, full forwards": (0, "forward"), "ddp, full backwards, accumulated": (1, "backward")}
"""Cases in which memory runs out, on the last rank alone."""
TOO_FULL = {
    "halves": (1, "forward", 2), "halves backwards": (0, "backward", 2), "the optimiser": (2, "optimiser"),
    "validation": (3, "validation"),
}  # fmt: skip
"""Where nothing is left to try."""

KINDS = {None: ["one"], "ddp": [], "fsdp": ["whole", "parts"]}
"""Checkpoints that are left, by strategy."""


class Watch(Callback):
    """Keeps the gradient of every optimiser step, in full."""

    def __init__(self):
        self.gradients = []

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        named = {name: full(weight.grad) for name, weight in pl_module.named_parameters() if weight.grad is not None}
        self.gradients.append(named)


class WatchedModule(TrainingModule):
    """Keeps what it logs, in full precision."""

    def _log_mean(self, name):
        self.logged[f"{len(self.logged)} train/{name}"] = self.means[name].compute().clone()
        super()._log_mean(name)

    def _log(self, name, value, batch):
        self.logged[f"{len(self.logged)} {name}"] = value.detach().double().clone()
        super()._log(name, value, batch)


def full(tensor):
    """Bring a tensor's parts together, if it is in parts."""
    whole = tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor
    return whole.detach().clone()


def plan(study, learned, options):
    """Plan as a command does; give its module and what makes its batches."""
    given = ["--table", study / "table.biom", "--sequences", study / "sequences.fasta", "--tree", study / "tree.nwk"]
    given += ["--output-dir", study / "absent", *SHAPE, *options]
    if learned == "pretrain":
        given += ["--taxonomy", study / "taxonomy.tsv", *UNLABELLED]
        config = parse("pretrain", [str(part) for part in given])
        planned = plan_run(config, pretrain.read_unlabelled(config))
        return prepare_module(planned), planned.batch_source.maker
    given += ["--metadata", study / "metadata.tsv", "--metadata-column", *learned.split(), "--head", "network"]
    config = parse("train", [str(part) for part in given])
    labelled = divide(config, read_labelled(config, 20), None)
    planned = plan_run(config, labelled)
    return prepare_module(planned), planned.batch_source.maker


def train(study, name, ranks=SINGLE_PROCESS, save=None, resume=None):
    """Train an epoch of a few batches of unlike sizes, and give all that must not depend on the ranks.

    With ``save``, leave checkpoints there, whole and in parts; with ``resume``, go on from one for a second epoch.
    """
    learned, _, options = CASES[name]
    torch.manual_seed(3)
    module, maker = plan(study, learned, options)
    module.__class__, module.logged = WatchedModule, {}
    module.double()
    order = torch.randperm(maker.study.n_samples).tolist()
    cut = [order[:6], order[6:8], order[8:15], order[15:16]]  # the last of a single sample
    training = [BatchPlan(0, tuple(rows)) for rows in cut]
    validation = [BatchPlan(EVALUATION, tuple(rows)) for rows in (order[16:19], order[19:20])]
    watch = Watch()
    is_full = name in FULL and ranks.process.rank == ranks.process.n_ranks - 1
    memory = [FullMemory(*FULL[name])] if is_full else []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = lightning.Trainer(
            accelerator="cpu", max_epochs=2 if resume else 1, callbacks=[watch, *memory], logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
            accumulate_grad_batches=module.training_config.gradient_accumulation_steps or 1, **on_devices(ranks),
        )  # fmt: skip
        trainer.fit(
            module, *(loader(maker, plans, 0, ranks.part) for plans in (training, validation)), ckpt_path=resume
        )
        for kind in () if save is None else KINDS[ranks.strategy]:
            trainer.strategy._save_distributed_checkpoint = kind == "parts"  # what --sharded-checkpoints chooses
            trainer.save_checkpoint(save / f"{kind}.ckpt")
    scores = {
        f"{name} {metric}": value.double()
        for name, overall in module.overall.items()
        for metric, value in overall.metrics.items()
    }
    n_scored = {name: overall.n for name, overall in module.overall.items()}
    weights = {name: full(weight) for name, weight in module.named_parameters()}
    return {
        "logged": module.logged, "gradients": watch.gradients, "scores": scores, "n": n_scored, "weights": weights,
    }  # fmt: skip


class Spoil(Callback):
    """Makes a weight not finite after the second batch."""

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if batch_idx == 1:
            with torch.no_grad():
                own_part(next(pl_module.model.asv_encoder.parameters())).fill_(float("nan"))


def fail(study, folder, ranks=SINGLE_PROCESS):
    """Come upon a loss that is not finite; give the message."""
    module, maker = plan(study, "pretrain", ["--precision", "64-true"])
    train = EpochSampler(np.arange(12), BySamples(4), 0, "study")
    validation = [BatchPlan(EVALUATION, (12, 13))]
    loaders = tuple(loader(maker, plans, 0, ranks.part) for plans in (train, validation))
    saving = SavingPlan(Identity({}, {}, ""), SavingConfig(checkpoint_steps=1))
    try:
        fit(module, loaders, folder, module.training_config, [Spoil()], saving, ranks)
    except NonFiniteLossError as error:
        return str(error)
    return ""


def run_out(study, where, ranks=SINGLE_PROCESS):
    """Come to what the memory of the last rank does not hold; give the message."""
    module, maker = plan(study, "pretrain", ["--precision", "64-true"])
    train = EpochSampler(np.arange(16), BySamples(4), 0, "study")
    validation = [BatchPlan(EVALUATION, (16, 17))]
    loaders = tuple(loader(maker, plans, 0, ranks.part) for plans in (train, validation))
    memory = [FullMemory(*TOO_FULL[where])] if ranks.process.rank == ranks.process.n_ranks - 1 else []
    with tempfile.TemporaryDirectory() as folder:
        shared = ranks.from_first(Path(folder))
        try:
            fit(module, loaders, shared, module.training_config, memory, None, ranks)
        except StepTooLargeError as error:
            return str(error)
    return ""


def search(study, ranks=SINGLE_PROCESS):
    """Find the largest batch that fits, where the memory of the last rank holds five samples."""

    def run_out(model, arguments, encoding):
        if arguments[0].n_samples_of_all_ranks > 5 and ranks.process.rank == ranks.process.n_ranks - 1:
            raise torch.OutOfMemoryError

    module, maker = plan(study, "pretrain", [])
    module.model.register_forward_hook(run_out)
    part = replace(maker, part=ranks.part)
    with trying(module, 1e9, ranks) as fits:
        return largest_that_fits(lambda n: fits(part[BatchPlan(0, tuple(range(n)))]), 2, 16)


def main(folder):
    torch.set_num_threads(1)
    _, process = started_by(os.environ)
    dist.init_process_group("gloo")
    for name, (_, options, _) in CASES.items():
        found = train(folder / "study", name, Ranks(process, **options), folder if name == "fsdp" else None)
        torch.save(found, folder / f"{name} {process.rank}.pt")
    for strategy in ("ddp", "fsdp"):
        (folder / f"nan {strategy}").mkdir(exist_ok=True)
        fail(folder / "study", folder / f"nan {strategy}", Ranks(process, strategy))
    found = search(folder / "study", Ranks(process, "ddp"))
    (folder / f"largest {process.rank}").write_text(str(found))
    for where in TOO_FULL:
        message = run_out(folder / "study", where, Ranks(process, "ddp"))
        (folder / f"too full: {where} {process.rank}").write_text(message)
    try:
        with Ranks(process, "ddp").raise_together():
            if process.rank == 1:
                raise AamError("the tree is missing")
    except AamError as error:
        (folder / f"message {process.rank}").write_text(str(error))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
