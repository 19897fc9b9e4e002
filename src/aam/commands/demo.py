"""``aam demo``: simulate, pre-train, train, predict and evaluate, and compare with a random forest."""

import dataclasses
import json
import logging
import time
from pathlib import Path

import numpy as np

from aam.commands.predict import evaluate, predict
from aam.commands.pretrain import pretrain
from aam.commands.simulate import simulate
from aam.commands.train import train
from aam.config.commands import EvaluateConfig, InferenceConfig, PredictConfig, PretrainConfig, TrainConfig
from aam.config.model import ModelConfig
from aam.config.study import (
    DistanceConfig,
    LabelConfig,
    OutputDirectoryConfig,
    OutputFileConfig,
    SplitConfig,
    StudyConfig,
)
from aam.config.tools import DemoConfig, SimulateConfig, SimulationConfig
from aam.config.training import TrainingConfig, TransferConfig
from aam.inference.metrics import evaluate as compute_metrics
from aam.io.biom_table import write_table
from aam.io.count_table import CountTable
from aam.io.metadata import read_metadata
from aam.io.tables import read_table
from aam.labels.stratified import hold_out, strata
from aam.labels.target import TargetState
from aam.storage.output import check_output_directory, start_output_directory

logger = logging.getLogger(__name__)


COLUMN, GROUP = "age", "subject"

STUDY = SimulationConfig(samples=240, features=300)

MODEL = ModelConfig(embedding_dim=64, attention_layers=2, ffn_ratio=2.0, gradient_checkpointing=False)

PRETRAINING = TrainingConfig(epochs=12, batch_size=16, lr=1e-3)

TEST_FRACTION = 0.25

WRITTEN = ("study", "pretrained", "trained", "evaluation", "predictions.tsv", "predictions.config.yaml")


def demo(config: DemoConfig) -> None:
    """Run ``aam demo``."""
    begin = time.monotonic()
    output, study = config.output.output_dir, config.output.output_dir / "study"
    check_output_directory(config)
    start_output_directory(config, WRITTEN)
    logger.info("1/5 simulate a study")
    simulate(SimulateConfig(output=_to(study), simulation=dataclasses.replace(STUDY, seed=config.seed)))
    _write_parts(study, config.seed)
    logger.info("2/5 pre-train without labels")
    pretrain(_pretraining(output, config.seed))
    logger.info("3/5 learn %s", COLUMN)
    train(_fine_tuning(output, config.seed))
    logger.info("4/5 predict subjects that training never saw")
    inference = InferenceConfig(model=output / "trained")
    to_file = OutputFileConfig(output=output / "predictions.tsv")
    predict(PredictConfig(study=_study(study, "test"), inference=inference, output=to_file))
    logger.info("5/5 evaluate")
    to_directory = _to(output / "evaluation")
    evaluate(EvaluateConfig(study=_study(study, "test"), label=_label(study), inference=inference, output=to_directory))
    _summarise(output, time.monotonic() - begin)


def _pretraining(output: Path, seed: int) -> PretrainConfig:
    return PretrainConfig(
        study=_study(output / "study", "train"),
        distance=DistanceConfig(tree=output / "study" / "tree.nwk"),
        output=_to(output / "pretrained"),
        model=MODEL,
        training=dataclasses.replace(PRETRAINING, seed=seed),
    )


def _fine_tuning(output: Path, seed: int) -> TrainConfig:
    return TrainConfig(
        study=_study(output / "study", "train"),
        label=_label(output / "study"),
        output=_to(output / "trained"),
        split=SplitConfig(group_column=GROUP),
        transfer=TransferConfig(pretrained=output / "pretrained"),
        distance=DistanceConfig(tree=output / "study" / "tree.nwk"),
        training=TrainingConfig(seed=seed),
    )


def _to(directory: Path) -> OutputDirectoryConfig:
    return OutputDirectoryConfig(output_dir=directory)


def _study(study: Path, part: str) -> StudyConfig:
    return StudyConfig(table=study / f"table_{part}.biom", sequences=study / "sequences.fasta")


def _label(study: Path) -> LabelConfig:
    return LabelConfig(metadata=study / "metadata.tsv", metadata_column=(COLUMN,))


def _write_parts(study: Path, seed: int) -> None:
    """Write a table of training samples, and one of test samples, whose subjects no training step sees."""
    table, metadata = read_table(study / "table.biom"), read_metadata(study / "metadata.tsv")
    values = metadata.column(COLUMN).loc[table.sample_ids].to_numpy(dtype=np.float64)
    groups = metadata.column(GROUP).loc[table.sample_ids].to_numpy(dtype=str)
    is_test = hold_out(groups, strata(values), TEST_FRACTION, seed)
    for part, indices in (("train", np.flatnonzero(~is_test)), ("test", np.flatnonzero(is_test))):
        sample_ids = [table.sample_ids[index] for index in indices]
        write_table(study / f"table_{part}.biom", CountTable(sample_ids, table.feature_ids, table.counts[indices]))


def _summarise(output: Path, seconds: float) -> None:
    ours = json.loads((output / "evaluation" / "metrics.json").read_text())
    forest = _random_forest(output)
    lines = [
        "",
        f"{COLUMN} of {ours['n']} samples from subjects that training never saw, in days:",
        f"  {'':<16}{'mean absolute error':>20}{'R²':>8}",
        f"  {'aam':<16}{ours['mae']:>20.1f}{ours['r2']:>8.3f}",
        f"  {'random forest':<16}{forest['mae']:>20.1f}{forest['r2']:>8.3f}",
        f"  {'guess (median)':<16}{ours['guess_mae']:>20.1f}{ours['guess_r2']:>8.3f}",
        "",
        f"pictures: {output / 'evaluation' / 'plots' / 'target.png'} (predicted against true {COLUMN})",
        f"          {output / 'pretrained' / 'plots' / 'unweighted-unifrac.png'} (UniFrac, predicted against true)",
        f"          tensorboard --logdir {output} (learning curves; pip install tensorboard)",
        f"predictions: {output / 'predictions.tsv'}",
        f"took {seconds / 60:.1f} minutes",
    ]
    logger.info("\n".join(lines))


def _random_forest(output: Path) -> dict[str, float]:
    """Return the metrics of a random forest of relative abundances, fitted and tested on the same samples as aam."""
    from sklearn.ensemble import RandomForestRegressor

    from aam.inference.model_directory import load_model

    values = read_metadata(output / "study" / "metadata.tsv").column(COLUMN)
    tables = [read_table(output / "study" / f"table_{part}.biom") for part in ("train", "test")]
    (x, y), (x_test, y_test) = (
        (table.counts.toarray() / table.counts.sum(axis=1)[:, None], values.loc[table.sample_ids].to_numpy())
        for table in tables
    )
    forest = RandomForestRegressor(n_estimators=500, random_state=0, n_jobs=-1).fit(x, y)
    _, description = load_model(output / "trained")
    assert isinstance(description.target, TargetState), "the study has one target"
    return compute_metrics(description.target, forest.predict(x_test), y_test)
