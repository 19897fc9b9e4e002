"""The study that the files of ``aam inspect`` form together, and the commands that run on it."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from aam.config.model import ModelConfig
from aam.config.study import SamplingConfig
from aam.ecology.lineages import lineages_of_study
from aam.ecology.tree import ADD_TIPS, FeatureTree, describe_missing_tips
from aam.errors import AamError, TableError
from aam.inspection.columns import ColumnSummary, GroupSummary, summarise_columns, summarise_groups
from aam.inspection.files import FileReport, InspectedFile, ModelSummary, StudyReport, collecting_messages
from aam.inspection.remarks import column_remarks
from aam.inspection.samples import sample_remarks, subject_remarks
from aam.inspection.sequences import sequence_remarks, taxonomy_remarks
from aam.inspection.tables import (
    Overlap,
    SequenceSummary,
    TableSummary,
    TableTotals,
    compare_names,
    summarise_sequences,
)
from aam.io.distances import DistanceMatrix
from aam.io.ids.rules import as_in_table
from aam.io.metadata import Metadata
from aam.io.newick import TreeArrays
from aam.labels.groups import SUBJECT_WORDS
from aam.labels.missing_rows import ADD_ROWS, describe_missing_rows, refuse_other_metadata
from aam.storage.names import Names

logger = logging.getLogger(__name__)


FEWEST_SUBJECTS = 5
"""Least number of values of a column to pass as ``--group-column``; fewer may be classes."""

_SHARE_FILLED = 0.5  # of the samples: a column filled less is a poor first example


def suggest(study: StudyReport, model: FileReport | None = None) -> StudyReport:
    """Add to a report the commands that would run on the study; without the sequences of its features there are none.

    Parameters
    ----------
    study
        Report of the study.
    model
        Report of a model among the files, for the commands that use it.

    Returns
    -------
    StudyReport
        Report with commands.
    """
    if study.sequences is None or not study.table.n_reads:
        return study
    commands = [*_with_model(study, model)] if model is not None else [_pretrain(study)]
    pretrained = model.path if model is not None else "pretrained"
    target = _first_target(study)
    is_encoder = model is None or (isinstance(model.summary, ModelSummary) and model.summary.target is None)
    if target is not None and is_encoder:
        commands.append(_train(study, target, pretrained))
    return replace(study, commands=commands)


def _pretrain(study: StudyReport) -> list[str]:
    distances = _distances(study)
    length = study.sequences.longest if study.sequences is not None and study.sequences.n_longer else None
    return [
        "aam", "pretrain", *_study(study), *(distances or ["--penalty", "0"]),
        *([] if length is None else ["--max-bp", str(length)]), "--output-dir", "pretrained",
    ]  # fmt: skip


def _train(study: StudyReport, target: ColumnSummary, pretrained: str) -> list[str]:
    group = [] if study.group_column is None else ["--group-column", study.group_column]
    return [
        "aam", "train", *_study(study), *_distances(study), "--metadata", study.files["metadata"],
        "--metadata-column", target.name, *_drop(study, "metadata", "--missing-samples"), *group,
        "--pretrained", pretrained, "--output-dir", "trained",
    ]  # fmt: skip


def _with_model(study: StudyReport, model: FileReport) -> list[list[str]]:
    summary = model.summary
    assert isinstance(summary, ModelSummary)
    command, output = ("embed", "embeddings.tsv") if summary.target is None else ("predict", "predictions.tsv")
    return [["aam", command, "--model", model.path, *_study(study), "--output", output]]


def _study(study: StudyReport) -> list[str]:
    return [word for kind in ("table", "sequences") if kind in study.files for word in (f"--{kind}", study.files[kind])]


def _distances(study: StudyReport) -> list[str]:
    """Return the options for a usable source of distances, the tree before the matrix."""
    if "tree" in study.files and "tree" not in study.problems:
        return ["--tree", study.files["tree"], *_drop(study, "tree", "--missing-features")]
    if "distances" in study.files and "distances" not in study.problems:
        return ["--distances", study.files["distances"]]
    return []


def _drop(study: StudyReport, kind: str, option: str) -> list[str]:
    overlap = next(overlap for overlap in study.overlaps if overlap.other == kind)
    return [option, "drop"] if overlap.n_both < overlap.n_table else []


def _first_target(study: StudyReport) -> ColumnSummary | None:
    usable = [column for column in study.columns if column.task is not None and column.name != study.group_column]
    return min(usable, key=lambda column: _doubts(study, column), default=None)


def _doubts(study: StudyReport, column: ColumnSummary) -> tuple[bool, int, int]:
    is_hardly_filled = column.n_values < _SHARE_FILLED * study.table.n_samples
    return column.doubt is not None, 2 * is_hardly_filled + bool(column.probably_missing), column.rank


def inspect_study(parts: Mapping[str, InspectedFile], notes: list[str]) -> StudyReport:
    """Compare the parts of a study with its table.

    Parameters
    ----------
    parts
        Files by kind, with the table among them.
    notes
        Remarks to add to the report.

    Returns
    -------
    StudyReport
        Report without commands.
    """
    totals, summary = parts["table"].content, parts["table"].report.summary
    assert isinstance(totals, TableTotals)
    assert isinstance(summary, TableSummary)
    with (
        collecting_messages("aam.io") as said,
        collecting_messages("aam.ecology") as of_tree,
        collecting_messages("aam.inspection") as of_rows,
    ):
        problems, remarks = _misfits(parts, totals)
    metadata = parts["metadata"].content if "metadata" in parts else None
    columns, groups = [], []
    notes = [*notes, *totals.remarks, *sample_remarks(totals, metadata)]
    if isinstance(metadata, Metadata) and "metadata" not in problems:
        metadata_ids = set(metadata.sample_ids)
        frame = metadata.frame.loc[[sample for sample in totals.sample_ids if sample in metadata_ids]]
        with collecting_messages("aam.labels"):  # the summaries hold what is logged of single columns
            columns, groups = summarise_columns(frame), summarise_groups(frame, SUBJECT_WORDS)
        subject = _subject_column(groups)
        notes = [*notes, *column_remarks(frame, [column for column in columns if column.name != subject])]
        if not any(group.names_subject for group in groups):
            notes += subject_remarks(frame)
    token_limit = SamplingConfig().token_limit
    return StudyReport(
        files={kind: part.report.path for kind, part in parts.items()},
        table=summary,
        sequences=None if "sequences" in problems else _sequences(parts, totals),
        overlaps=_overlaps(parts, totals, problems),
        n_over_token_limit=int((totals.asvs > token_limit).sum()),
        token_limit=token_limit,
        columns=columns,
        groups=groups,
        group_column=_subject_column(groups),
        problems=problems,
        notes=[*notes, *said, *of_tree, *of_rows, *remarks],
    )


def _subject_column(groups: list[GroupSummary]) -> str | None:
    """Choose the column whose name most clearly means subjects; skip columns of few values, which may be classes."""
    for word in SUBJECT_WORDS:
        for group in groups:
            if word in group.name.lower() and group.n_groups >= FEWEST_SUBJECTS:
                return group.name
    return None


def _sequences(parts: Mapping[str, InspectedFile], totals: TableTotals) -> SequenceSummary:
    """Summarise the sequences of the file, or else those in the ids."""
    if "sequences" in parts:
        summary = parts["sequences"].report.summary
        assert isinstance(summary, SequenceSummary)
        return summary
    return summarise_sequences(((name, name) for name in totals.feature_ids), ModelConfig().max_bp)[1]


def _overlaps(parts: Mapping[str, InspectedFile], totals: TableTotals, problems: Mapping[str, str]) -> list[Overlap]:
    features = (totals.feature_ids, totals.feature_reads)
    samples = (totals.sample_ids, totals.reads)
    overlaps = []
    for kind in ("sequences", "tree", "taxonomy"):
        if kind in parts:
            names = as_in_table(totals.feature_ids, _feature_names(parts[kind]), is_tree=kind == "tree")
            overlap = compare_names("features", kind, features, names)
            if kind == "sequences" and kind not in problems and overlap.n_both < overlap.n_table:  # found by a rule
                overlap = compare_names("features", kind, features, totals.feature_ids)
            overlaps.append(overlap)
    for kind in ("metadata", "distances"):
        if kind in parts:
            overlaps.append(compare_names("samples", kind, samples, _sample_names(parts[kind])))
    return overlaps


def _feature_names(part: InspectedFile) -> Names | list[str]:
    content = part.content
    if isinstance(content, TreeArrays):
        return content.names
    return content if isinstance(content, Names) else content.feature_ids


def _sample_names(part: InspectedFile) -> list[str]:
    content = part.content
    return content.ids if isinstance(content, DistanceMatrix) else content.sample_ids


def _misfits(parts: Mapping[str, InspectedFile], totals: TableTotals) -> tuple[dict[str, str], list[str]]:
    """Check each part against the table as the commands do; return their error messages by kind, and remarks."""
    problems: dict[str, str] = {}
    remarks: list[str] = []
    for kind, check in _CHECKS.items():
        if kind in parts or kind == "sequences":
            try:
                remarks += check(parts.get(kind), totals) or []
            except AamError as error:
                problems[kind] = str(error)
    return problems, remarks


def _check_table(_: InspectedFile | None, totals: TableTotals) -> None:
    if not totals.reads.any():
        raise TableError("The table holds no reads. Pass a table of counts.")


def _check_tree(part: InspectedFile | None, totals: TableTotals) -> None:
    assert part is not None
    tree = FeatureTree.from_arrays(part.content, totals.feature_ids)
    absent = describe_missing_tips(tree, totals.feature_ids, part.report.path, part.content.names, ADD_TIPS)
    if absent is not None:
        logger.warning("%s", absent)


def _check_distances(part: InspectedFile | None, totals: TableTotals) -> None:
    assert part is not None
    part.content.select(totals.sample_ids)


def _check_taxonomy(part: InspectedFile | None, totals: TableTotals) -> list[str]:
    assert part is not None
    lineages_of_study(totals.feature_ids, part.content, Path(part.report.path))
    return taxonomy_remarks(part, totals)


def _check_metadata(part: InspectedFile | None, totals: TableTotals) -> None:
    assert part is not None
    path = Path(part.report.path)
    refuse_other_metadata(totals.sample_ids, part.content, path)
    absent = describe_missing_rows(totals.sample_ids, part.content, path, ADD_ROWS)
    if absent is not None:
        logger.warning("%s", absent)


_CHECKS: dict[str, Callable[[InspectedFile | None, TableTotals], list[str] | None]] = {
    "table": _check_table,
    "sequences": sequence_remarks,
    "tree": _check_tree,
    "taxonomy": _check_taxonomy,
    "distances": _check_distances,
    "metadata": _check_metadata,
}
