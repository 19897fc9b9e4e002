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
from aam.inspection.samples import table_remarks
from aam.inspection.tables import (
    Overlap,
    SequenceSummary,
    TableSummary,
    TableTotals,
    count_table,
    summarise_sequences,
    summarise_table,
)
from aam.io.count_table import Table
from aam.io.detect import detect_format
from aam.io.distances import read_distances
from aam.io.foreign.loose_table import turned_if_certain
from aam.io.metadata import read_metadata
from aam.io.newick import read_newick
from aam.io.sequences import fasta_records
from aam.io.tables import open_table
from aam.io.taxonomy import read_taxonomy

_UNFINISHED = ("config.yaml", "checkpoints")  # files of a run that has not finished

_ROWS_AT_ONCE = 2048  # of a distance matrix


@dataclass(frozen=True)
class TreeSummary:
    """Summary of a tree: number of tips, of nodes, and of nodes without a branch length."""

    n_tips: int
    n_nodes: int
    n_without_length: int


@dataclass(frozen=True)
class TaxonomySummary:
    """Summary of a taxonomy.

    Attributes
    ----------
    n_features, n_unknown
        Number of features, and of those without a taxon.
    median_rank
        Median over features of the lowest rank that is known, as a number; 7 is species.
    """

    n_features: int
    n_unknown: int
    median_rank: float


@dataclass(frozen=True)
class MetadataSummary:
    """Summary of metadata: number of samples, and of numeric and categorical columns."""

    n_samples: int
    n_numeric: int
    n_categorical: int


@dataclass(frozen=True)
class DistanceSummary:
    """Summary of a distance matrix: number of samples, and the largest distance."""

    n_samples: int
    largest: float


@dataclass(frozen=True)
class ModelSummary:
    """Summary of a trained model.

    Attributes
    ----------
    target
        Name of the column that the model predicts; None for a pre-trained encoder.
    task
        Task by which the target was learned.
    classes
        Classes of a classification.
    depth
        Number of reads drawn from each sample; None for all.
    token_limit, max_bp
        Largest number of ASVs of a sample, and of nucleotides of an ASV, that the model reads.
    embedding_dim, n_parameters
        Width of the vectors, and number of weights.
    metrics
        Metrics on the validation samples, by name.
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
    """Report of one file.

    Attributes
    ----------
    path
        Path as the user typed it.
    kind
        Kind of content, such as "table"; None if it was not detected.
    format
        File format.
    option
        Options of aam that take the file.
    artifact
        Type, format and uuid of a QIIME 2 artifact, and whether it has checksums; checksums that do not fit are an error.
    summary
        Main numbers of the content.
    error
        Reason why the file cannot be read.
    notes
        Messages that the reader logged, such as of columns that are not read.
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
    """Report of the study that the files form together.

    Attributes
    ----------
    files
        Path of each part of the study, by kind.
    table
        Summary of the table.
    sequences
        Summary of the sequences, in the file or else in the ids; None if neither has those of the table's features.
    overlaps
        Names that the table shares with each other file.
    n_over_token_limit, token_limit
        Number of samples with more ASVs than are read by default, and that default of ``--token-limit``.
    columns
        Summaries of the metadata columns, over the samples of the table.
    groups
        Summaries of the columns that may name subjects.
    group_column
        Column to pass as ``--group-column``, if subjects repeat.
    problems
        Reasons why parts cannot be used with the table, by kind.
    notes
        Remarks on the study.
    commands
        Command lines that fit the study, as lists of words.
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
    """Report of all files, and of their study; the study is None without a readable table."""

    files: list[FileReport]
    study: StudyReport | None


@dataclass(frozen=True)
class InspectedFile:
    """Report of a file, and its content if the file could be read."""

    report: FileReport
    content: Any = None


def inspect_file(path: Path) -> InspectedFile:
    """Detect the format of a file or directory, and read it.

    Returns
    -------
    InspectedFile
        Report, with the error of a file that cannot be read, and content.
    """
    report = FileReport(str(path))
    try:
        if path.is_dir():
            return InspectedFile(_inspect_model(path))
        detected = detect_format(path)
        info = detected.artifact
        artifact = None
        if info is not None:
            artifact = {
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
            artifact=artifact,
        )
        with collecting_messages("aam.io") as notes:
            summary, content = _READERS[detected.kind](path)
    except AamError as error:
        return InspectedFile(replace(report, error=str(error)))
    return InspectedFile(replace(report, summary=summary, notes=notes), content)


@contextmanager
def collecting_messages(name: str) -> Iterator[list[str]]:
    """Collect the messages of a logger and its children instead of printing them.

    Parameters
    ----------
    name
        Name of the logger, such as "aam.io".

    Yields
    ------
    list of str
        Messages so far, in the order of logging.
    """
    messages: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: messages.append(record.getMessage())
    logger = logging.getLogger(name)
    propagates, level = logger.propagate, logger.level
    logger.propagate = False
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield messages
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagates
        logger.setLevel(level)


def _read_table(path: Path) -> tuple[Summary, Any]:
    with open_table(path) as table:
        return _summarised(path, table)


def _summarised(path: Path, table: Table) -> tuple[TableSummary, TableTotals]:
    for remark in table.remarks:
        logging.getLogger("aam.io").info("--table %s: %s", path, remark)  # among the messages of the reader
    totals = count_table(table)
    return summarise_table(table, totals), replace(totals, remarks=table_remarks(table, totals))


def with_turned_table(parts: dict[str, InspectedFile]) -> dict[str, InspectedFile]:
    """Return the parts of a study, with the table turned if its samples are certainly the features of the sequences."""
    table, sequences = parts.get("table"), parts.get("sequences")
    if table is None or sequences is None:
        return parts
    path = Path(table.report.path)
    with open_table(path) as unturned, collecting_messages("aam.io") as notes:
        turned = turned_if_certain(path, unturned, Path(sequences.report.path))
        if turned is None:
            return parts
        summary, totals = _summarised(path, turned)
    report = replace(table.report, summary=summary, notes=[*table.report.notes, *notes])
    return parts | {"table": InspectedFile(report, totals)}


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
    from aam.inference.build import n_weights
    from aam.inference.model_directory import CONFIG, load_model

    is_run = not (path / CONFIG).is_file()
    if is_run and not (path / "model").is_dir():
        if any((path / name).exists() for name in _UNFINISHED):
            raise InputError(
                f"The directory {path} is of a run of aam that did not finish: it holds no model/. Run it again."
            )
        raise InputError(f"The directory {path} is not of a model or run of aam. Name the files in it.")
    model, description = load_model(path)
    target = description.target
    metrics = {name: float(value) for name, value in description.metrics.items() if isinstance(value, int | float)}
    summary = ModelSummary(
        target=None if target is None else target.column,
        task=None if target is None else target.task,
        classes=[] if target is None else list(target.classes),
        depth=description.depth,
        token_limit=description.token_limit,
        max_bp=description.model.max_bp,
        embedding_dim=description.model.embedding_dim,
        n_parameters=n_weights(model),
        metrics=metrics,
    )
    content = "pre-trained encoder" if target is None else "trained predictor"
    has_encoder = model.base_encoder is not None
    return FileReport(
        str(path),
        kind="model",
        format=f"aam run directory with a {content}" if is_run else f"aam model directory: {content}",
        option="--model, --pretrained" if has_encoder else "--model",
        summary=summary,
    )
