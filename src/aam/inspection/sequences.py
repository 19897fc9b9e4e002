"""What ``aam inspect`` says of the sequences of a study, in the words of the commands that read it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from aam.config.model import ModelConfig
from aam.data.kmers import Sequences
from aam.data.orientation import ReadSample, most_abundant, orientation_of
from aam.data.read_checks import cut_remark, doubles_remark, read_remarks, turned_ids_remark
from aam.ecology.off_target import off_target_remarks
from aam.inspection.files import InspectedFile
from aam.inspection.tables import SequenceSummary, TableTotals
from aam.io.sequences import SequenceBlock, sequences_in_fasta, sequences_in_ids
from aam.io.taxonomy import Taxonomy
from aam.storage.names import hash_bytes


class _Collector:
    """What is kept of the sequences of a table, block by block: the most abundant, and hashes of those that may be the same."""

    def __init__(self, totals: TableTotals, summary: SequenceSummary | None) -> None:
        self.totals, self.max_bp = totals, ModelConfig().max_bp
        self.chosen = most_abundant(totals.feature_reads, totals.feature_ids)
        self.tokens = dict.fromkeys(self.chosen.tolist(), np.empty(0, dtype=np.uint8))
        self.may_have_doubles = summary is not None and summary.n_distinct < summary.n_sequences
        self.has_long = summary.n_longer > 0 if summary is not None else max(map(len, totals.feature_ids)) > self.max_bp
        self.n_longer = self.n_turned = self.longest = 0
        self.names: dict[bytes, list[str]] = {}
        self.cut: set[bytes] = set()

    def add(self, block: SequenceBlock) -> None:
        """Collect a block of sequences."""
        self.n_turned += block.n_turned
        self.n_longer += int((block.lengths > self.max_bp).sum())
        self.longest = max(self.longest, int(block.lengths.max(initial=0)))
        ends = np.cumsum(block.lengths)
        for feature, end, length in zip(block.features.tolist(), ends.tolist(), block.lengths.tolist(), strict=True):
            sequence = block.tokens[end - length : end]
            if feature in self.tokens:
                self.tokens[feature] = sequence.copy()
            if self.may_have_doubles:
                key = hash_bytes([sequence.tobytes()]).tobytes()
                self.names.setdefault(key, []).append(self.totals.feature_ids[feature])
            if self.has_long:
                self.cut.add(hash_bytes([sequence[: self.max_bp].tobytes()]).tobytes())

    def remarks(self) -> Iterator[str]:
        """Yield the remarks on all blocks."""
        totals = self.totals
        doubles = [names for names in self.names.values() if len(names) > 1]
        n_features = len(totals.feature_ids)
        n_distinct = n_features - sum(len(names) - 1 for names in doubles)
        if doubles:
            yield doubles_remark(doubles)
        if self.n_turned:
            yield turned_ids_remark(self.n_turned, n_features)
        names = [totals.feature_ids[row] for row in self.chosen.tolist()]
        sequences = Sequences.of([self.tokens[row] for row in self.chosen.tolist()])
        reads = totals.feature_reads
        sample = ReadSample(names, sequences, reads[self.chosen], int((reads > 0).sum()))
        yield from read_remarks(sample, orientation_of(sample))
        if self.n_longer and len(self.cut) < n_distinct:
            yield cut_remark(self.n_longer, n_distinct, self.max_bp, len(self.cut), self.longest)


def sequence_remarks(part: InspectedFile | None, totals: TableTotals) -> list[str]:
    """Return remarks on the sequences of a table, of a file or of the ids.

    Parameters
    ----------
    part
        The file; None if the ids are the sequences.
    totals
        Names and reads of the table's features.

    Raises
    ------
    SequenceError
        The sequences do not fit the table.
    """
    names = totals.feature_ids
    blocks = sequences_in_ids(names) if part is None else sequences_in_fasta(Path(part.report.path), names)
    summary = None if part is None else part.report.summary
    collector = _Collector(totals, summary if isinstance(summary, SequenceSummary) else None)
    for block in blocks:
        collector.add(block)
    return list(collector.remarks())


def taxonomy_remarks(part: InspectedFile, totals: TableTotals) -> list[str]:
    """Return the remark on off-target ASVs of a table, by its taxonomy."""
    taxonomy = part.content
    assert isinstance(taxonomy, Taxonomy)
    reads = dict(zip(totals.feature_ids, totals.feature_reads.tolist(), strict=True))
    reads_of = np.array([reads.get(name, 0) for name in taxonomy.feature_ids])
    return off_target_remarks(taxonomy.feature_ids, taxonomy.lineages, reads_of, int(totals.reads.sum()))
