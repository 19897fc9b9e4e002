"""Read one file for ``aam inspect``: its main numbers, and its content for the study."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from aam.config.model import ModelConfig
from aam.errors import AamError, InputError
from aam.inspection.columns import ColumnSummary, GroupSummary
from aam.inspection.tables import (
    Overlap,
    SequenceSummary,
    TableSummary,
    count_table,
    summarise_sequences,
    summarise_table,
)
from aam.io.detect import detect_format
from aam.io.distances import read_distances
from aam.io.metadata import read_metadata
from aam.io.newick import read_newick
from aam.io.sequences import fasta_records
from aam.io.tables import open_table
from aam.io.taxonomy import read_taxonomy

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TreeSummary:
    """A tree in numbers."""

    n_tips: int
    n_nodes: int
    n_without_length: int


@dataclass(frozen=True)
class TaxonomySummary:
    """A taxonomy in numbers: features, those of which nothing is known, and the median rank that is known (7: species)."""

    n_features: int
    n_unknown: int
    median_rank: float


@dataclass(frozen=True)
class MetadataSummary:
    """Metadata in numbers."""

    n_samples: int
    n_numeric: int
    n_categorical: int


@dataclass(frozen=True)
class DistanceSummary:
    """A distance matrix in numbers."""

    n_samples: int
    largest: float


@dataclass(frozen=True)
class ModelSummary:
    """A trained model in numbers.

    Attributes
    ----------
    target
        What it predicts, None for a pre-trained encoder.
    task
        How.
    classes
        Of a classification.
    depth
        Reads drawn from each sample, None for all.
    token_limit, max_bp
        ASVs of a sample and nucleotides of an ASV that it reads.
    embedding_dim, n_parameters
        Its size.
    metrics
        On its validation samples.
    """

    target: str | None
    task: str | None
    classes: list[str]
    depth: int | None
    token_limit: int
    max_bp: int
    embedding_dim: int
    n_parameters: int
    metrics: dict[str, float]


Summary = (
    TableSummary | SequenceSummary | TreeSummary | TaxonomySummary | MetadataSummary | DistanceSummary | ModelSummary
)


@dataclass(frozen=True)
class FileReport:
    """One file.

    Attributes
    ----------
    path
        As the user typed it.
    kind
        What it is to aam, None if that cannot be said.
    format
        How it is written.
    option
        What takes it.
    artifact
        Type, format and uuid of a QIIME 2 artifact, and whether it has checksums; those that do not fit are an error.
    summary
        Its main numbers.
    error
        Why it cannot be read.
    notes
        What its reader says of it, such as columns that are not read.
    """

    path: str
    kind: str | None = None
    format: str | None = None
    option: str | None = None
    artifact: dict[str, str | bool] | None = None
    summary: Summary | None = None
    error: str | None = None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class StudyReport:
    """The study that the files form together.

    Attributes
    ----------
    files
        Which file has which part.
    table
        The table in numbers.
    sequences
        In the file, or else in the ids; None if neither has those of the table's features.
    overlaps
        Names that the table shares with each other file.
    n_over_token_limit, token_limit
        Samples with more ASVs than are read unless ``--token-limit`` is set.
    columns
        What the metadata's columns are good for, in the samples of the table.
    groups
        Columns that may name subjects.
    group_column
        The one to pass, as subjects repeat.
    problems
        Why a part cannot be used with the table, by kind.
    notes
        What to know.
    commands
        Command lines that fit.
    """

    files: dict[str, str]
    table: TableSummary
    sequences: SequenceSummary | None
    overlaps: list[Overlap]
    n_over_token_limit: int
    token_limit: int
    columns: list[ColumnSummary]
    groups: list[GroupSummary]
    group_column: str | None
    problems: dict[str, str]
    notes: list[str] = field(default_factory=list)
    commands: list[list[str]] = field(default_factory=list)


@dataclass(frozen=True)
class Report:
    """All that was found; without a readable table there is no study."""

    files: list[FileReport]
    study: StudyReport | None


_UNFINISHED = ("config.yaml", "checkpoints")

_ROWS_AT_ONCE = 2048


@dataclass(frozen=True)
class Found:
    """A file's report, and its content if it could be read."""

    report: FileReport
    content: Any = None


def inspect_file(path: Path) -> Found:
    """Recognise and read a file or a directory; what is wrong with it goes into the report."""
    report = FileReport(str(path))
    try:
        if path.is_dir():
            return Found(_inspect_model(path))
        detected = detect_format(path)
        info = detected.artifact
        described = None
        if info is not None:
            described = {
                "type": info.semantic_type,
                "format": info.format,
                "uuid": info.uuid,
                "has_checksums": info.has_checksums,
            }
        report = replace(
            report,
            kind=detected.kind,
            format=detected.format,
            option=f"--{detected.kind}",
            artifact=described,
        )
        with listening("aam.io") as notes:
            summary, content = _READERS[detected.kind](path)
    except AamError as error:
        return Found(replace(report, error=str(error)))
    return Found(replace(report, summary=summary, notes=notes), content)


@contextmanager
def listening(name: str) -> Iterator[list[str]]:
    """Collect what a part of aam logs, for the report, in the place of printing it."""
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())
    logger = logging.getLogger(name)
    was_passed_on, level = logger.propagate, logger.level
    logger.propagate = False
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield said
    finally:
        logger.removeHandler(handler)
        logger.propagate = was_passed_on
        logger.setLevel(level)


def _read_table(path: Path) -> tuple[Summary, Any]:
    with open_table(path) as table:
        totals = count_table(table)
        return summarise_table(table, totals), totals


def _read_sequences(path: Path) -> tuple[Summary, Any]:
    names, summary = summarise_sequences(fasta_records(path), ModelConfig().max_bp)
    return summary, names


def _read_tree(path: Path) -> tuple[Summary, Any]:
    tree = read_newick(path)
    unknown = tree.find(lambda level, length: np.isnan(length) & (level > 0))
    return TreeSummary(len(tree.names), len(tree.level), len(unknown)), tree


def _read_taxonomy(path: Path) -> tuple[Summary, Any]:
    taxonomy = read_taxonomy(path)
    ranks = np.array([len(lineage) for lineage in taxonomy.lineages])
    return TaxonomySummary(len(ranks), int((ranks == 0).sum()), float(np.median(ranks))), taxonomy


def _read_metadata(path: Path) -> tuple[Summary, Any]:
    metadata = read_metadata(path)
    n_numeric = sum(dtype.kind == "f" for dtype in metadata.frame.dtypes)
    n_samples, n_columns = metadata.frame.shape
    return MetadataSummary(n_samples, n_numeric, n_columns - n_numeric), metadata


def _read_distances(path: Path) -> tuple[Summary, Any]:
    matrix = read_distances(path)
    rows = range(0, len(matrix.ids), _ROWS_AT_ONCE)
    largest = max(float(np.max(matrix.values[start : start + _ROWS_AT_ONCE])) for start in rows)
    return DistanceSummary(len(matrix.ids), largest), matrix


_READERS: dict[str, Callable[[Path], tuple[Summary, Any]]] = {
    "table": _read_table,
    "sequences": _read_sequences,
    "tree": _read_tree,
    "taxonomy": _read_taxonomy,
    "metadata": _read_metadata,
    "distances": _read_distances,
}


def _inspect_model(path: Path) -> FileReport:
    """Read a model, alone or in the directory of the run that made it."""
    from aam.inference.ensemble import NetworkEnsemble
    from aam.inference.model_directory import CONFIG, load_model

    is_run = not (path / CONFIG).is_file()
    if is_run and not (path / "model").is_dir():
        if any((path / name).exists() for name in _UNFINISHED):
            raise InputError(
                f"The directory {path} is of a run of aam that did not finish: it holds no model/. Run it again."
            )
        raise InputError(f"The directory {path} is not of a model or run of aam. Name the files in it.")
    model, description = load_model(path)
    networks = model.members if isinstance(model, NetworkEnsemble) else [model]
    target = description.target
    numbers = {name: float(value) for name, value in description.metrics.items() if isinstance(value, int | float)}
    summary = ModelSummary(
        target=None if target is None else target.column,
        task=None if target is None else target.task,
        classes=[] if target is None else list(target.classes),
        depth=description.depth,
        token_limit=description.token_limit,
        max_bp=description.model.max_bp,
        embedding_dim=description.model.embedding_dim,
        n_parameters=sum(parameter.numel() for part in networks for parameter in part.parameters()),
        metrics=numbers,
    )
    what = "pre-trained encoder" if target is None else "trained predictor"
    has_encoder = not isinstance(model, NetworkEnsemble) and getattr(model, "base_model", model) is not None
    return FileReport(
        str(path),
        kind="model",
        format=f"aam run directory with a {what}" if is_run else f"aam model directory: {what}",
        option="--model, --pretrained" if has_encoder else "--model",
        summary=summary,
    )
