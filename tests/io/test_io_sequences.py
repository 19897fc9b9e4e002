"""Features become sequences, FASTA files are checked, and sequences become tokens, block by block."""

import gzip
import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aam import vocabulary
from aam.errors import SequenceError
from aam.io import sequences as module
from aam.io.sequences import (
    fasta_records,
    is_md5_of,
    is_md5_sum,
    sequences_in_fasta,
    sequences_in_ids,
    tokenize,
    write_fasta,
)
from aam.io.tables import read_table
from helpers.studies import real_study

LETTERS = "".join(vocabulary.TOKEN_OF_LETTER)


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    """Let a handful of sequences be several blocks."""
    monkeypatch.setattr(module, "_PER_BLOCK", 2)


def collect(blocks, n_features):
    """Give the tokens of each feature, in the order of the table."""
    found = [None] * n_features
    for block in blocks:
        parts = np.split(block.tokens, np.cumsum(block.lengths)[:-1])
        for feature, tokens in zip(block.features.tolist(), parts, strict=True):
            assert found[feature] is None
            found[feature] = tokens.tolist()
    return found


def tokens_of(*sequences):
    return [[vocabulary.TOKEN_OF_LETTER[letter] for letter in sequence.upper()] for sequence in sequences]


def fasta(tmp_path, *records):
    path = tmp_path / "seqs.fasta"
    path.write_text("".join(f">{name}\n{sequence}\n" for name, sequence in records))
    return path


def test_ids_that_are_sequences_need_no_file():
    ids = ["ACGTN" * 6, "acgtu" * 7, "GGGTT" * 6]

    assert collect(sequences_in_ids(ids), 3) == tokens_of(*ids)


@pytest.mark.parametrize("name", ["4b5eeb300368260019c1fbc7a3c718fc", "ACGT", "A" * 29, "ACGT-" * 8])
def test_ids_that_are_names_need_a_file(name):
    with pytest.raises(SequenceError, match=rf"\b1 of 4 feature ids .*: '{name}'.*--sequences\b"):
        list(sequences_in_ids(["ACGT" * 10] * 3 + [name]))


def test_sequences_of_the_table_are_found_and_others_passed_over(tmp_path):
    path = fasta(tmp_path, ("a", "AA"), ("extra", "TT"), ("other", "T"), ("b", "CCg"))

    assert collect(sequences_in_fasta(path, ["b", "a"]), 2) == tokens_of("CCG", "AA")


def test_features_that_the_file_lacks_are_named(tmp_path):
    path = fasta(tmp_path, ("a", "AA"))

    with pytest.raises(SequenceError, match=r"\b2 of 3 features .*--sequences .*: 'b', 'c'"):
        list(sequences_in_fasta(path, ["a", "b", "c"]))


@pytest.mark.parametrize("place", [1, 3])
def test_two_records_of_one_feature_are_refused(tmp_path, place):
    records = [("a", "AA"), ("b", "CC"), ("c", "GG"), ("d", "TT")]
    records.insert(place, ("a", "AG"))
    path = fasta(tmp_path, *records)

    with pytest.raises(SequenceError, match=r"\b1 features .*--sequences .*: 'a'"):
        list(sequences_in_fasta(path, ["a", "b", "c", "d"]))


def test_md5_ids_of_the_used_records_are_checked(tmp_path):
    path = fasta(tmp_path, ("0" * 32, "AA"), ("extra", "TT"))

    with pytest.raises(SequenceError, match=r"\b1 of 1 sequences .*trimmed"):
        list(sequences_in_fasta(path, ["0" * 32]))


def test_ids_that_do_not_all_look_like_md5_are_not_checked(tmp_path):
    path = fasta(tmp_path, ("0" * 32, "AA"), ("b", "TT"))

    assert collect(sequences_in_fasta(path, ["0" * 32, "b"]), 2) == tokens_of("AA", "TT")


@pytest.mark.parametrize(("name", "length"), [("ecam_infant", 150), ("ibd_2538", 100)])
def test_real_studies_are_tokenized(name, length, monkeypatch):
    monkeypatch.setattr(module, "_PER_BLOCK", 1000)
    folder = real_study(name)
    ids = read_table(folder / "table.biom").feature_ids

    found = collect(sequences_in_fasta(folder / "sequences.fasta", ids), len(ids))

    sequences = dict(fasta_records(folder / "sequences.fasta"))
    assert found == tokens_of(*(sequences[name] for name in ids))
    assert {len(tokens) for tokens in found} == {length}


@given(st.lists(st.text(LETTERS + LETTERS.lower(), max_size=9)))
def test_tokens_are_those_of_the_vocabulary(sequences):
    tokens, lengths = tokenize(sequences)

    assert tokens.dtype == np.uint8
    assert lengths.tolist() == [len(sequence) for sequence in sequences]
    assert tokens.tolist() == [token for row in tokens_of(*sequences) for token in row]


@pytest.mark.parametrize("gap", ["-", "."])
def test_gaps_are_refused_with_their_remedy(tmp_path, gap):
    path = fasta(tmp_path, ("F1", f"A{gap}C"), ("F2", "ACGT"), ("F3", gap * 2))
    message = rf"\b2 of 3 sequences .*\('\{gap}'\): features 'F1', 'F3'"

    with pytest.raises(SequenceError, match=message):
        list(sequences_in_fasta(path, ["F1", "F2", "F3"]))


@pytest.mark.parametrize("letter", ["X", "*", "É", "Β", "🧬", "\x00"])
def test_other_letters_are_refused_before_an_md5_id_is_doubted(tmp_path, letter):
    names = ["0" * 32, hashlib.md5(b"ACGT").hexdigest()]
    path = fasta(tmp_path, (names[1], "ACGT"), (names[0], f"AC{letter}-"))

    with pytest.raises(SequenceError, match=r"\b1 of 2 sequences .*: features '0+'.*ACGTU"):
        list(sequences_in_fasta(path, names))


def read(tmp_path, text):
    (tmp_path / "seqs.fasta").write_text(text)
    return dict(fasta_records(tmp_path / "seqs.fasta"))


def md5(sequence):
    return hashlib.md5(sequence.encode()).hexdigest()


def test_wrapped_and_lower_case_sequences_are_joined_and_upper_cased(tmp_path):
    sequences = read(tmp_path, "\n>a first > one\nAC\ngt\n\n>b;size=3\r\nNN \r\n")

    assert sequences == {"a": "ACGT", "b;size=3": "NN"}


def test_gzip_is_noticed_by_its_content(tmp_path):
    (tmp_path / "seqs.fasta").write_bytes(gzip.compress(b">a\nACGT\n"))

    assert dict(fasta_records(tmp_path / "seqs.fasta")) == {"a": "ACGT"}


def test_written_sequences_read_back(tmp_path):
    sequences = {"b": "ACGT", "a": "GG"}

    write_fasta(tmp_path / "seqs.fasta", sequences.items())

    assert list(dict(fasta_records(tmp_path / "seqs.fasta")).items()) == list(sequences.items())


def test_real_sequences_equal_what_scikit_bio_reads():
    import skbio

    path = real_study("moving_pictures") / "sequences.fasta"

    sequences = dict(fasta_records(path))

    records = skbio.io.read(str(path), format="fasta")
    assert sequences == {record.metadata["id"]: str(record) for record in records}
    assert all(is_md5_of(name, sequence) for name, sequence in sequences.items())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ACGT\n>a\nAC\n", "not FASTA: .*'ACGT'"),
        ("", "holds no sequences"),
        ("\n\n", "holds no sequences"),
        (">a\nAC\n>\nGT\n", "record 2 "),
        (">a\nAC\n>b\n\n>c", "record of 'b' in --sequences .*no sequence"),
    ],
)
def test_malformed_files_are_refused(tmp_path, text, message):
    with pytest.raises(SequenceError, match=message):
        read(tmp_path, text)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(SequenceError, match=r"--sequences .*does not exist"):
        dict(fasta_records(tmp_path / "seqs.fasta"))


def test_md5_ids_may_be_sums_of_either_case():
    assert is_md5_of(md5("ACGT"), "ACGT")
    assert is_md5_of(md5("acgt"), "ACGT")
    assert is_md5_of(md5("TT").upper(), "TT")
    assert not is_md5_of(md5("ACGT"), "ACG")


def test_only_32_hexadecimal_digits_look_like_md5():
    assert is_md5_sum("0" * 31 + "F")
    assert not any(map(is_md5_sum, ["0" * 31, "0" * 33, "g" * 32, "ASV1"]))
