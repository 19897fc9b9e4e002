"""FASTA files, and MD5 ids that belong to their sequences."""

import gzip
import hashlib

import pytest

from aam.errors import SequenceError
from aam.io.fasta import check_md5_ids, read_fasta, write_fasta
from conftest import real_study


def read(tmp_path, text):
    (tmp_path / "seqs.fasta").write_text(text)
    return read_fasta(tmp_path / "seqs.fasta")


def md5(sequence):
    return hashlib.md5(sequence.encode()).hexdigest()


def test_wrapped_and_lower_case_sequences_are_joined_and_upper_cased(tmp_path):
    sequences = read(tmp_path, "\n>a first > one\nAC\ngt\n\n>b;size=3\r\nNN \r\n")

    assert sequences == {"a": "ACGT", "b;size=3": "NN"}


def test_gzip_is_noticed_by_its_content(tmp_path):
    (tmp_path / "seqs.fasta").write_bytes(gzip.compress(b">a\nACGT\n"))

    assert read_fasta(tmp_path / "seqs.fasta") == {"a": "ACGT"}


def test_written_sequences_read_back(tmp_path):
    sequences = {"b": "ACGT", "a": "GG"}

    write_fasta(tmp_path / "seqs.fasta", sequences.items())

    assert list(read_fasta(tmp_path / "seqs.fasta").items()) == list(sequences.items())


def test_real_sequences_equal_what_scikit_bio_reads():
    import skbio

    path = real_study("moving_pictures") / "sequences.fasta"

    sequences = read_fasta(path)

    records = skbio.io.read(str(path), format="fasta")
    assert sequences == {record.metadata["id"]: str(record) for record in records}
    check_md5_ids(sequences, path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ACGT\n>a\nAC\n", "is not FASTA: it starts with 'ACGT'"),
        ("", "holds no sequences"),
        ("\n\n", "holds no sequences"),
        (">a\nAC\n>\nGT\n", "record 2 has an empty header"),
        (">a\nAC\n>a x\nGT\n>b\nT\n", "1 ids occur more than once in .*: 'a'"),
        (">a\nAC\n>b\n\n>c", "2 of 3 records in --sequences .* have no sequence: 'b', 'c'"),
    ],
)
def test_malformed_files_are_refused(tmp_path, text, message):
    with pytest.raises(SequenceError, match=message):
        read(tmp_path, text)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(SequenceError, match=r"--sequences .* does not exist"):
        read_fasta(tmp_path / "seqs.fasta")


def test_md5_ids_may_be_sums_of_the_sequence_as_given_or_upper_cased(tmp_path):
    check_md5_ids({md5("ACGT"): "acgt", md5("acgg"): "acgg", md5("TT").upper(): "TT"}, tmp_path)


def test_ids_that_do_not_all_look_like_md5_are_not_checked(tmp_path):
    check_md5_ids({md5("ACGT"): "GGGG", "ASV2": "ACGT"}, tmp_path)


def test_sequences_of_other_md5_ids_are_refused(tmp_path):
    sequences = {md5("ACGT"): "ACGT", md5("ACGA"): "ACGC", md5("ACGG"): "ACG"}

    with pytest.raises(SequenceError, match=f"2 of 3 sequences .* do not belong to their ids.*'{md5('ACGA')}', '"):
        check_md5_ids(sequences, tmp_path / "seqs.fasta")
