"""What ``aam inspect`` says of the samples of a table, in the words of the commands that read it."""

import numpy as np
import pandas as pd

from aam.data.control_names import control_remarks
from aam.data.few_reads import automatic_depth_remarks, few_reads_remarks
from aam.data.summary_columns import FeatureTotals, statistic_remark
from aam.data.table_checks import column_remarks, counts_remarks, holds_total, total_feature_remarks
from aam.data.twins import candidate_pairs, collect_rows, twins_of
from aam.inspection.tables import TableTotals
from aam.io.count_table import Table
from aam.io.metadata import Metadata
from aam.labels.sample_checks import named_controls
from aam.labels.subjects import find_subjects


def table_remarks(table: Table, totals: TableTotals) -> list[str]:
    """Return remarks on a table: whether it holds counts, totals, and samples that are the same.

    Parameters
    ----------
    table, totals
        The table, which is read once more if samples may be nearly identical, and its totals.
    """
    sketches, sample_ids = totals.sketches, totals.sample_ids
    remarks = [
        *counts_remarks(totals.reads, totals.asvs, sketches),
        *total_feature_remarks(totals.feature_ids, totals.feature_reads, totals.reads, sketches.largest),
        *_total_samples(table, totals),
    ]
    pairs = candidate_pairs(sketches, totals.reads, totals.asvs)
    rows = collect_rows(table.blocks(), np.unique(pairs)) if len(pairs) else {}
    twins = twins_of(sketches, pairs, rows, totals.reads, totals.asvs)
    remark = twins.remark(sample_ids)
    if remark is not None:
        remarks.append(
            f"{remark} Keep each set on one side of a split (--group-column), or take copies out of the table."
        )
    return remarks


def _total_samples(table: Table, totals: TableTotals) -> list[str]:
    """Return a remark for each column whose counts are half of what the table holds of each feature, or another statistic."""
    candidates = holds_total(totals.reads)
    rows = collect_rows(table.blocks(), candidates) if len(candidates) else {}
    remarks = []
    for index, (features, counts) in rows.items():
        rest = totals.feature_reads.copy()
        rest[features] -= 2 * counts
        if not rest.any():
            remarks.append(statistic_remark(totals.sample_ids[index], "sums"))
    of_features = FeatureTotals(totals.feature_reads, totals.feature_samples)
    return remarks or column_remarks(totals.sample_ids, (totals.reads, totals.asvs), of_features, table.blocks)


def sample_remarks(totals: TableTotals, metadata: Metadata | None) -> list[str]:
    """Return remarks on samples that are blanks or controls by name or metadata, or have few reads."""
    sample_ids, depths = totals.sample_ids, totals.reads
    return [
        *control_remarks(sample_ids, named_controls(sample_ids, depths, metadata)),
        *few_reads_remarks(sample_ids, depths),
        *automatic_depth_remarks(sample_ids, depths),
    ]


def subject_remarks(frame: pd.DataFrame) -> list[str]:
    """Return a remark if a column names subjects by its structure; ``frame`` is the metadata of the table's samples."""
    found = find_subjects(frame)
    return [] if found is None else [found.remark()]
