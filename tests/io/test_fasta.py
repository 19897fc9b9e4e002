"""FASTA files, and MD5 ids that belong to their sequences."""

import gzip
import hashlib

import pytest

from aam.errors import SequenceError
from aam.io.sequences import fasta_records, is_md5_of, is_md5_sum, write_fasta
from conftest import real_study


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
        ("ACGT\n>a\nAC\n", "is not FASTA: it starts with 'ACGT'"),
        ("", "holds no sequences"),
        ("\n\n", "holds no sequences"),
        (">a\nAC\n>\nGT\n", "record 2 has an empty header"),
        (">a\nAC\n>b\n\n>c", "The record of 'b' in --sequences .* has no sequence"),
    ],
)
def test_malformed_files_are_refused(tmp_path, text, message):
    with pytest.raises(SequenceError, match=message):
        read(tmp_path, text)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(SequenceError, match=r"--sequences .* does not exist"):
        dict(fasta_records(tmp_path / "seqs.fasta"))


def test_md5_ids_may_be_sums_of_either_case():
    assert is_md5_of(md5("ACGT"), "ACGT")
    assert is_md5_of(md5("acgt"), "ACGT")
    assert is_md5_of(md5("TT").upper(), "TT")
    assert not is_md5_of(md5("ACGT"), "ACG")


def test_only_32_hexadecimal_digits_look_like_md5():
    assert is_md5_sum("0" * 31 + "F")
    assert not any(map(is_md5_sum, ["0" * 31, "0" * 33, "g" * 32, "ASV1"]))
