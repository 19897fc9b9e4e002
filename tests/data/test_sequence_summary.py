"""Numbers of sequences, by hand."""

import numpy as np

from aam.inspection.tables import SequenceSummary, summarise_sequences


def test_lengths_letters_and_copies_are_counted():
    records = [("a", "ACGT"), ("b", "ACGTN"), ("c", "ACGT"), ("d", "AC-GTACG"), ("e", "acgu")]

    names, summary = summarise_sequences(records, max_bp=4)

    assert list(names) == ["a", "b", "c", "d", "e"]
    assert summary == SequenceSummary(
        n_sequences=5, n_distinct=3, shortest=4, median=4.0, longest=8, n_ambiguous=1, n_strange=1, n_longer=2, max_bp=4
    )


def test_blocks_of_records_give_what_one_block_gives(monkeypatch):
    stream = np.random.default_rng(0)
    records = [(f"F{i}", "".join(stream.choice(list("ACGTN"), stream.integers(1, 5)))) for i in range(50)]
    whole = summarise_sequences(records, 3)[1]
    monkeypatch.setattr("aam.inspection.tables._PER_BLOCK", 7)

    assert summarise_sequences(records, 3)[1] == whole
    assert whole.n_distinct == len({sequence for _, sequence in records})
