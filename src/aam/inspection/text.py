"""Text of the report of ``aam inspect``, within a fixed width, with long names cut."""

import re
import shlex
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from aam.errors import name_some
from aam.inspection.columns import ColumnSummary, GroupSummary
from aam.inspection.files import (
    DistanceSummary,
    FileReport,
    MetadataSummary,
    ModelSummary,
    Report,
    StudyReport,
    TaxonomySummary,
    TreeSummary,
)
from aam.inspection.study import FEWEST_SUBJECTS
from aam.inspection.tables import Overlap, Quantiles, SequenceSummary, TableSummary
from aam.labels.columns import missing_values_option

WIDTH = 100

INDENT = "  "

NAME = 32
"""Number of letters of a name to show: an MD5 sum has 32, and ids that are sequences have hundreds."""

_COMMAND, _KEPT = re.compile("`[^`]*`"), "\ue000"  # a letter that no file has, for the blanks of a command

_COLUMN = 28  # letters of a column's or a class's name that are shown

_ROWS = 40  # columns of metadata that are shown

_CLASSES = 4  # classes of a column that are shown


def wrap(items: Iterable[str]) -> list[str]:
    """Break each text into indented lines of at most `WIDTH` letters; long words and commands in backquotes are never cut.

    Examples
    --------
    >>> wrap(["Run " + "`awk '{print " + "$1 " * 30 + "}' a.tsv` " + "then"])[1].strip()[:20]
    "`awk '{print $1 $1 $"
    """
    return [
        line.replace(_KEPT, " ")
        for item in items
        for line in textwrap.wrap(
            _COMMAND.sub(lambda match: match[0].replace(" ", _KEPT), item),
            WIDTH,
            initial_indent=INDENT,
            subsequent_indent=INDENT * 2,
            break_long_words=False,
            break_on_hyphens=False,
        )
    ]


def fit(line: str) -> str:
    """Cut a line to `WIDTH` letters, the last of which is then an ellipsis."""
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"


def shorten(name: str, limit: int = NAME) -> str:
    """Cut a name to ``limit`` letters, the last of which is then an ellipsis."""
    return name if len(name) <= limit else f"{name[: limit - 1]}…"


def percentage(fraction: float) -> str:
    """Format a fraction from 0 to 1 as a percentage, so that 100 % means all and 0 % none.

    Examples
    --------
    >>> percentage(0.99999), percentage(1)
    ('more than 99.9 %', '100 %')
    """
    if 0.9995 <= fraction < 1:
        return "more than 99.9 %"
    if 0 < fraction < 0.0005:
        return "less than 0.1 %"
    return f"{100 * fraction:.1f} %" if 0 < fraction < 1 else f"{100 * fraction:.0f} %"


def write_report(report: Report) -> str:
    """Format a report as text, which ends with a newline."""
    lines = ["Files"]
    for file in report.files:
        lines += ["", file.path, *wrap(_describe(file))]
    if report.study is not None:
        lines += ["", *_study(report.study)]
    return "\n".join(lines) + "\n"


def _describe(file: FileReport) -> Iterable[str]:
    if file.format is not None:
        yield f"{file.format}, for {file.option}"
    if file.artifact is not None:
        sums = "checksums hold" if file.artifact["has_checksums"] else "made before artifacts had checksums"
        yield f"{file.artifact['type']} ({file.artifact['format']}), {sums}"
        yield f"uuid {file.artifact['uuid']}"
    if file.summary is not None:
        yield _SUMMARIES[type(file.summary)](file.summary)
    for note in file.notes:
        yield f"note: {note}"
    if file.error is not None:
        yield f"ERROR: {file.error}"


def _table(table: TableSummary) -> str:
    return f"{table.n_samples:,} samples × {table.n_features:,} features, {table.n_reads:,} reads"


def _sequences(summary: SequenceSummary) -> str:
    length = f"{summary.shortest:,}"
    if summary.longest > summary.shortest:
        length = f"{summary.shortest:,} to {summary.longest:,} (median {summary.median:,.0f})"
    parts = [f"{summary.n_sequences:,} sequences of {length} nucleotides"]
    if summary.n_distinct < summary.n_sequences:
        parts.append(f"{summary.n_distinct:,} distinct")
    parts.append(f"{summary.n_ambiguous:,} with ambiguous letters")
    if summary.n_strange:
        parts.append(f"{summary.n_strange:,} with letters that are not nucleotides")
    return ", ".join(parts)


def _tree(tree: TreeSummary) -> str:
    missing = f", {tree.n_without_length:,} branches without a length" if tree.n_without_length else ""
    return f"rooted, {tree.n_tips:,} tips, {tree.n_nodes:,} nodes{missing}"


def _taxonomy(summary: TaxonomySummary) -> str:
    return (
        f"{summary.n_features:,} features, {summary.n_unknown:,} of them unassigned; "
        f"{summary.median_rank:.0f} ranks known of the median one"
    )


def _metadata(summary: MetadataSummary) -> str:
    return f"{summary.n_samples:,} samples, {summary.n_numeric:,} numeric and {summary.n_categorical:,} categorical columns"


def _distances(summary: DistanceSummary) -> str:
    return f"{summary.n_samples:,} samples, distances up to {summary.largest:.4g}"


def _model(model: ModelSummary) -> str:
    task = f"{model.task} of {model.target}" if model.target else "no target; learned without labels"
    classes = f" ({', '.join(model.classes)})" if model.classes else ""
    if not model.n_parameters:
        return f"{task}{classes}; kernel machines and forests, without a network"
    depth = "all reads" if model.depth is None else f"{model.depth:,} reads"
    return (
        f"{task}{classes}; reads {model.max_bp:,} nucleotides of up to {model.token_limit:,} ASVs and {depth} of a sample; "
        f"width {model.embedding_dim:,}, {model.n_parameters:,} weights"
    )


_SUMMARIES: dict[type, Callable[[Any], str]] = {
    TableSummary: _table,
    SequenceSummary: _sequences,
    TreeSummary: _tree,
    TaxonomySummary: _taxonomy,
    MetadataSummary: _metadata,
    DistanceSummary: _distances,
    ModelSummary: _model,
}


def _study(study: StudyReport) -> list[str]:
    sections = [
        (f"The study of {study.files['table']}", _sizes(study)),
        ("Rarefaction: what each depth costs (--rarefy-depth)", _depths(study.table)),
        ("What the files share with the table", [line for overlap in study.overlaps for line in _overlap(study, overlap)]),
        ("Columns to predict (--metadata-column)", _columns(study.columns)),
        ("Columns whose values repeat (--group-column)", _groups(study)),
        ("Settle first", wrap(f"{kind}: {problem}" for kind, problem in study.problems.items())),
        ("Notes", wrap(study.notes)),
        ("Commands that fit", _commands(study)),
    ]  # fmt: skip
    lines = []
    for title, content in sections:
        if content:
            lines += [title, "", *content, ""]
    return lines[:-1]


def _sizes(study: StudyReport) -> list[str]:
    table = study.table
    head = f"{'':<20}{'least':>10}{'25 %':>10}{'median':>10}{'75 %':>10}{'most':>10}"
    rows = [head, _quantiles("reads per sample", table.reads), _quantiles("ASVs per sample", table.asvs)]
    info = [f"{percentage(table.sparsity)} of the table are zeros."]
    if table.n_empty_samples:
        info.append(f"{table.n_empty_samples:,} samples hold no reads at all.")
    info.append(
        f"{study.n_over_token_limit:,} samples hold more than {study.token_limit:,} ASVs, the most that are read (--token-limit)."
    )
    if study.sequences is not None:
        sequences = study.sequences
        if "sequences" not in study.files:
            info.append(f"The feature ids are sequences: {_sequences(sequences)}.")
        info.append(
            f"{sequences.n_longer:,} sequences are longer than {sequences.max_bp:,} nucleotides, the most that are read (--max-bp)."
        )
    return [*(INDENT + row for row in rows), "", *wrap([" ".join(info)])]


def _quantiles(name: str, values: Quantiles) -> str:
    cells = (values.least, values.quarter, values.median, values.three_quarters, values.most)
    return f"{name:<20}" + "".join(f"{cell:>10,.0f}" for cell in cells)


def _depths(table: TableSummary) -> list[str]:
    lines = [f"{'reads':>10}  {'samples kept':>20}  {'ASVs seen per sample':>24}"]
    for row in table.depths:
        kept = f"{row.n_samples:,} ({percentage(row.n_samples / table.n_samples)})"
        seen = f"{row.asvs:,.1f} ({percentage(row.share_of_asvs)} of theirs)"
        lines.append(f"{row.depth:>10,}  {kept:>20}  {seen:>24}" + ("  auto" if row.is_automatic else ""))
    return [INDENT + line for line in lines]


def _overlap(study: StudyReport, overlap: Overlap) -> list[str]:
    axis, path = overlap.axis, study.files[overlap.other]
    reads = percentage(overlap.share_of_reads)
    items = [f"{overlap.n_both:,} of {overlap.n_table:,} {axis} are in {path}, with {reads} of the reads."]
    n_only = overlap.n_table - overlap.n_both
    if n_only:
        items.append(f"{INDENT}{n_only:,} are not: {_names(overlap.only_in_table, n_only)}.")
    n_more = overlap.n_other - overlap.n_both
    if n_more:
        items.append(f"{INDENT}{n_more:,} of the file are not in the table: {_names(overlap.only_in_other, n_more)}.")
    return wrap(items)


def _names(names: Sequence[str], n: int) -> str:
    shown = ", ".join(shorten(name) for name in names)
    return f"{shown} and {n - len(names):,} more" if n > len(names) else shown


def _columns(columns: list[ColumnSummary]) -> list[str]:
    usable = sorted(
        (column for column in columns if column.task is not None and column.doubt is None),
        key=lambda column: column.rank,
    )
    lines = []
    for task in ("regression", "classification"):
        rows = [column for column in usable if column.task == task]
        if rows:
            title = "regression (samples: range)" if task == "regression" else "classification (samples: classes)"
            lines += [f"{INDENT}{title}", *(fit(_column(column)) for column in rows[:_ROWS])]
            lines += [f"{INDENT * 2}… and {len(rows) - _ROWS:,} more"] if len(rows) > _ROWS else []
    lines += wrap(_by_reason("can be learned, but probably no targets", columns, lambda column: column.doubt))
    lines += wrap(_by_reason("not usable", columns, lambda column: column.reason))
    return lines + wrap(_cells(columns))


def _by_reason(
    title: str, columns: list[ColumnSummary], reason_of: Callable[[ColumnSummary], str | None]
) -> Iterable[str]:
    """List the columns that are not suggested, those with the same reason together."""
    names: dict[str, list[str]] = {}
    for column in columns:
        reason = reason_of(column)
        if reason is not None:
            names.setdefault(reason, []).append(shorten(column.name))
    return (f"{title}, {reason}: {', '.join(group)}." for reason, group in names.items())


def _cells(columns: list[ColumnSummary]) -> Iterable[str]:
    for column in columns:
        if column.not_numbers:
            names, option = name_some(column.not_numbers), missing_values_option(column.not_numbers)
            yield f"{shorten(column.name)} holds numbers but for {names}: correct them, or pass {option}, and it is numeric."
    empty = list(dict.fromkeys(cell for column in columns for cell in column.probably_missing))
    if empty:
        yield (
            f"{name_some(empty)} in other columns count as values, though they probably mean that none is known. Pass "
            f"{missing_values_option(empty)} to make them missing."
        )


def _column(column: ColumnSummary) -> str:
    missing = f" ({column.n_missing:,} missing)" if column.n_missing else ""
    start = f"{INDENT * 2}{shorten(column.name, _COLUMN):<{_COLUMN}} {column.n_values:>7,}{missing}:"
    if column.low is not None:
        hint = f"; {column.n_distinct} values" if column.n_distinct <= _CLASSES else ""
        return f"{start} {column.low:g} to {column.high:g}, median {column.median:g}{hint}"
    names = list(column.classes)
    shown = ", ".join(f"{shorten(name, _COLUMN)} {column.classes[name]:,}" for name in names[:_CLASSES])
    if len(names) > _CLASSES:
        shown += f", … least {column.classes[names[-1]]:,}"
    return f"{start} {len(names):,} classes: {shown}"


def _groups(study: StudyReport) -> list[str]:
    lines = [fit(_group(group)) for group in study.groups[:_ROWS]]
    if study.group_column is not None:
        lines += wrap(
            [
                f"Subjects were sampled repeatedly: pass --group-column {shlex.quote(study.group_column)}, so that no subject is "
                "on both sides of the split; else validation looks better than it is."
            ]
        )
    for group in study.groups:
        if group.names_subject and group.n_groups < FEWEST_SUBJECTS:
            lines += wrap(
                [
                    f"{shorten(group.name)} has only {group.n_groups} values. If they are subjects, consider --group-column "
                    f"{shlex.quote(group.name)}; if they are classes, such as patient and control, it may be a target."
                ]
            )
    return lines


def _group(group: GroupSummary) -> str:
    sizes = f"{group.smallest:,} to {group.largest:,}" if group.smallest < group.largest else f"{group.smallest:,}"
    mark = "  (names subjects)" if group.names_subject else ""
    return f"{INDENT * 2}{shorten(group.name, _COLUMN):<{_COLUMN}} {group.n_groups:>7,} groups of {sizes} samples{mark}"


def _commands(study: StudyReport) -> list[str]:
    lines = []
    for command in study.commands:
        lines += [*_break(command), ""]
    if any("--metadata-column" in command for command in study.commands):
        lines += wrap(["For another target, change --metadata-column."])
    return lines[:-1] if lines and not lines[-1] else lines


def _break(command: list[str]) -> list[str]:
    """Break a command between options, so that it can be copied into a shell."""
    pieces = [command[0]]
    for word in command[1:]:
        if word.startswith("--"):
            pieces.append(word)
        else:
            pieces[-1] += f" {shlex.quote(word)}"
    lines = [pieces[0]]
    for piece in pieces[1:]:
        if len(lines[-1]) + len(piece) + 5 > WIDTH:
            lines[-1] += " \\"
            lines.append(f"{INDENT * 2}{piece}")
        else:
            lines[-1] += f" {piece}"
    return [INDENT + line for line in lines]
