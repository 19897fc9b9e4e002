"""``aam inspect``: report what files are, whether they fit together, and which commands run on them."""

import dataclasses
import json
import sys
from pathlib import Path

from aam.config.tools import InspectConfig
from aam.errors import InputError
from aam.inspection.files import InspectedFile, Report, StudyReport, inspect_file, with_turned_table
from aam.inspection.study import inspect_study, suggest
from aam.inspection.tables import TableTotals
from aam.inspection.text import write_report
from aam.io.metadata import write_tsv
from aam.storage.atomic import write_text_atomic
from aam.storage.output import check_output_directory, start_output_directory

RESULTS = ("inspect.json", "samples.tsv")


def inspect(config: InspectConfig) -> None:
    """Run ``aam inspect``.

    Raises
    ------
    InputError
        A file cannot be read; all others are reported before.
    """
    if config.output_dir is not None:
        check_output_directory(config)
    inspected = [inspect_file(path) for path in config.files]
    parts, notes = _choose_parts(inspected)
    study = _study(parts, notes)
    if study is not None and "sequences" in study.problems and (turned := with_turned_table(parts)) is not parts:
        inspected = [turned["table"] if item is parts["table"] else item for item in inspected]
        parts, study = turned, _study(turned, notes)
    report = Report([item.report for item in inspected], study)
    sys.stdout.write(write_report(report))
    if config.output_dir is not None:
        start_output_directory(config, RESULTS)
        _write(config.output_dir, report, parts.get("table"))
    n_unread = sum(item.report.error is not None for item in inspected)
    if n_unread:
        raise InputError(f"{n_unread:,} of {len(inspected):,} files cannot be used; the report says why.")


def _choose_parts(inspected: list[InspectedFile]) -> tuple[dict[str, InspectedFile], list[str]]:
    """Return the first readable file of each kind, which form the study, and notes on files that are left out."""
    parts: dict[str, InspectedFile] = {}
    notes = []
    for item in inspected:
        report = item.report
        if report.error is not None or report.kind is None:
            continue
        if report.kind in parts:
            used = parts[report.kind].report.path
            notes.append(f"{report.path} is left out of the study: {used} is its {report.kind} already.")
        else:
            parts[report.kind] = item
    return parts, notes


def _study(parts: dict[str, InspectedFile], notes: list[str]) -> StudyReport | None:
    """Return the report of the study that the parts form, if there is a table among them."""
    if "table" not in parts:
        return None
    study = inspect_study({kind: part for kind, part in parts.items() if kind != "model"}, notes)
    return suggest(study, parts["model"].report if "model" in parts else None)


def _write(directory: Path, report: Report, table: InspectedFile | None) -> None:
    text = json.dumps(dataclasses.asdict(report), indent=2, ensure_ascii=False, allow_nan=False)
    write_text_atomic(directory / "inspect.json", text + "\n")
    if table is not None:
        totals = table.content
        assert isinstance(totals, TableTotals)
        columns = {"sample-id": totals.sample_ids, "reads": totals.reads, "asvs": totals.asvs}
        write_tsv(directory / "samples.tsv", columns)
