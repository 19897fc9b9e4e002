"""Features become sequences, and sequences become tokens."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aam import vocabulary
from aam.errors import SequenceError
from aam.io.fasta import write_fasta
from aam.io.sequences import feature_sequences, tokenize
from aam.io.tables import read_table
from conftest import real_study

LETTERS = "".join(vocabulary.TOKEN_OF_LETTER)


def test_ids_that_are_sequences_need_no_file():
    assert feature_sequences(["ACGTN" * 6, "acgtu" * 7], None) == ["ACGTN" * 6, "ACGTU" * 7]


@pytest.mark.parametrize("name", ["4b5eeb300368260019c1fbc7a3c718fc", "ACGT", "A" * 29, "ACGT-" * 8])
def test_ids_that_are_names_need_a_file(name):
    with pytest.raises(
        SequenceError, match=f"1 of 2 feature ids .* not sequences: '{name}'. Pass --sequences rep-seqs"
    ):
        feature_sequences(["ACGT" * 10, name], None)


def test_sequences_come_from_the_file_in_the_order_of_the_table(tmp_path):
    write_fasta(tmp_path / "seqs.fasta", [("a", "AA"), ("extra", "TT"), ("b", "CC")])

    assert feature_sequences(["b", "a"], tmp_path / "seqs.fasta") == ["CC", "AA"]


def test_features_that_the_file_lacks_are_named(tmp_path):
    write_fasta(tmp_path / "seqs.fasta", [("a", "AA")])

    with pytest.raises(SequenceError, match=r"2 of 3 features of the table are not in --sequences .*: 'b', 'c'. Pass"):
        feature_sequences(["a", "b", "c"], tmp_path / "seqs.fasta")


def test_md5_ids_of_the_used_records_are_checked(tmp_path):
    write_fasta(tmp_path / "seqs.fasta", [("0" * 32, "AA"), ("extra", "TT")])

    with pytest.raises(SequenceError, match=r"1 of 1 sequences .* do not belong to their ids"):
        feature_sequences(["0" * 32], tmp_path / "seqs.fasta")


@pytest.mark.parametrize(("name", "length"), [("ecam_infant", 150), ("ibd_2538", 100)])
def test_real_studies_are_tokenized(name, length):
    folder = real_study(name)
    feature_ids = read_table(folder / "table.biom").feature_ids

    tokens = tokenize(feature_sequences(feature_ids, folder / "sequences.fasta"), feature_ids, max_bp=300)

    assert tokens.shape == (len(feature_ids), length)
    assert tokens.min() == 1
    assert tokens.max() == 4


@given(st.lists(st.text(LETTERS + LETTERS.lower(), min_size=1, max_size=9)), st.integers(1, 7))
def test_tokens_are_those_of_the_vocabulary_padded_on_the_right(sequences, max_bp):
    tokens = tokenize(sequences, sequences, max_bp)

    assert tokens.dtype == np.uint8
    assert tokens.shape == (len(sequences), max((min(len(s), max_bp) for s in sequences), default=0))
    for row, sequence in zip(tokens.tolist(), sequences, strict=True):
        expected = [vocabulary.TOKEN_OF_LETTER[letter] for letter in sequence.upper()[:max_bp]]
        assert row == expected + [vocabulary.PAD] * (tokens.shape[1] - len(expected))


def test_letters_after_the_cut_are_not_looked_at():
    assert tokenize(["AC-"], ["F1"], max_bp=2).tolist() == [[1, 2]]


@pytest.mark.parametrize("gap", ["-", "."])
def test_gaps_are_refused_with_their_remedy(gap):
    message = rf"2 of 3 sequences .*\('\{gap}'\): features 'F1', 'F3'. Remove the alignment's gaps"

    with pytest.raises(SequenceError, match=message):
        tokenize([f"A{gap}C", "ACGT", f"{gap}{gap}"], ["F1", "F2", "F3"], max_bp=5)


@pytest.mark.parametrize("letter", ["X", "*", "é", "β", "🧬", "\x00"])
def test_other_letters_are_refused(letter):
    with pytest.raises(
        SequenceError, match=r"1 of 2 sequences .*: features 'F2'. Only the IUPAC nucleotide letters ACGTU"
    ):
        tokenize(["ACGT", f"AC{letter}-"], ["F1", "F2"], max_bp=5)
