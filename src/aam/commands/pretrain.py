"""``aam pretrain``: learn from a study without labels."""

import logging
from dataclasses import replace

from aam.config.commands import PretrainConfig
from aam.data.orientation import KmerSketch
from aam.data.rarefaction import choose_depth, drop_shallow_samples
from aam.data.read_checks import warn_of_cut
from aam.data.study_build import read_study
from aam.distributed.ranks import process_group
from aam.inference.model_directory import save_model
from aam.labels.sample_checks import warn_of_samples
from aam.labels.splits import SampleSplit, split_unlabelled
from aam.runs.batch_plan import BatchSchedule
from aam.runs.plan import RunPlan, UnlabelledStudy, plan_run, train_run
from aam.runs.resources import score_lines, trivial_scores, warn_of_off_target
from aam.runs.results import write_metrics
from aam.runs.resume import Run, open_run, saving_elsewhere_on_failure
from aam.training.fit import FitSummary

logger = logging.getLogger(__name__)

RESULTS = ("model", "metrics.json", "metrics.tsv", "splits.tsv")


def pretrain(config: PretrainConfig) -> None:
    """Run ``aam pretrain``."""
    with process_group(config) as ranks:
        run = open_run(config, config.start.pretrained, ranks)
        if run.state == "finished":
            return
        with ranks.raise_together():
            samples = read_unlabelled(run.config)
            plan = plan_run(run.config, samples, run.pretrained)
        trained = train_run(run, plan, samples.split, RESULTS)
        if trained is not None and ranks.is_first:
            _write(run, *trained)


def read_unlabelled(config: PretrainConfig) -> UnlabelledStudy:
    """Read a study, drop the samples with too few reads, and split the others.

    Returns
    -------
    UnlabelledStudy
        The samples and their split.

    Raises
    ------
    InputError
        A file is missing or malformed, or nothing is left to train on or to validate.
    """
    study = read_study(config.study, config.model.max_bp)
    warn_of_cut(study)
    warn_of_off_target(config.taxonomy.taxonomy, study)
    table_ids = study.sample_ids
    depth = choose_depth(config.sampling.rarefy_depth, study)
    logger.info("Rarefaction: %s.", "none" if depth is None else f"{depth:,} reads per sample")
    study = drop_shallow_samples(study, depth)
    split = split_unlabelled(study, table_ids, config.split.full, config.training)
    warn_of_samples(study, None, None, split, "unlabelled")
    return UnlabelledStudy(study, depth, SampleSplit(study.sample_ids, split))


def _write(run: Run[PretrainConfig], plan: RunPlan, schedule: BatchSchedule, summary: FitSummary) -> None:
    """Write the model and its metrics."""
    output, objectives, source = run.directory, plan.encoder.active_objectives(), plan.batch_source
    metrics = {
        **summary.metrics,
        **trivial_scores(objectives, source.maker, schedule.sampler.plans(0), schedule.validation),
        "epochs": summary.epochs,
        "best_epoch": summary.best_epoch,
        "n": len(source.validation),
    }
    description = replace(plan.describe_trained(metrics), sketch=KmerSketch.of(source.maker.study))
    with saving_elsewhere_on_failure(plan.model, description):
        write_metrics(output, metrics)
        save_model(output / "model", plan.model, description)
    logger.info(
        "Validation, epoch %d, the best of %d: loss %.4g.\n%s\nAll scores: %s", summary.best_epoch, summary.epochs,
        summary.metrics["loss"], "\n".join(f"  {line}" for line in score_lines(objectives, metrics)), output / "metrics.tsv",
    )  # fmt: skip
    logger.info("Model: %s", output / "model")
