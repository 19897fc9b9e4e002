"""The command lines that fit the files of a study."""

from dataclasses import replace

from aam.data.column_summary import ColumnSummary
from aam.pipelines.inspect_facts import FileReport, ModelSummary, StudyReport

_SHARE_FILLED = 0.5  # of the samples: a column filled less is a poor first example


def suggest(study: StudyReport, model: FileReport | None = None) -> StudyReport:
    """Add the commands that would run on the study; without the sequences of its features there are none."""
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
    """Give the source of distances that can be used, the tree before the matrix."""
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
