"""Opening what the user named: plain or gzip, else one sentence that says why not."""

import gzip
import zipfile
from pathlib import Path

import pytest

from aam.errors import TreeError
from aam.io import text_file
from aam.io.text_file import byte_blocks, check_readable, read_text


def read(path):
    return read_text(path, TreeError, "--tree")


@pytest.mark.parametrize("opener", [open, gzip.open])
def test_plain_and_gzip_text_read_alike_whatever_the_name(tmp_path, opener):
    with opener(tmp_path / "file", "wb") as file:
        file.write("\ufeffα\r\nb\n".encode())

    assert read(tmp_path / "file") == "α\nb\n"


def test_a_missing_file_is_named_with_its_option(tmp_path):
    with pytest.raises(TreeError, match=r"--tree .*nothing\.nwk does not exist"):
        read(tmp_path / "nothing.nwk")


def test_a_directory_is_refused(tmp_path):
    with pytest.raises(TreeError, match="is a directory"):
        read(tmp_path)


def test_an_unreadable_file_is_refused(tmp_path, monkeypatch):
    (tmp_path / "file").touch()

    def refuse(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # root may read everything, so permissions cannot be used here

    with pytest.raises(TreeError, match="Permission denied"):
        check_readable(tmp_path / "file", TreeError, "--tree")


def test_a_qiime2_artifact_is_explained(tmp_path):
    with zipfile.ZipFile(tmp_path / "tree.qza", "w") as archive:
        archive.writestr("data/tree.nwk", "(a,b);")

    with pytest.raises(TreeError, match=r"zip archive, .*`qiime tools export"):
        read(tmp_path / "tree.qza")


def test_text_in_another_encoding_is_refused(tmp_path):
    (tmp_path / "file").write_text("ä", encoding="latin-1")

    with pytest.raises(TreeError, match="not UTF-8 text: byte 1 "):
        read(tmp_path / "file")


def test_a_gzip_file_that_is_cut_off_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(gzip.compress(b"abc" * 100)[:-12])

    with pytest.raises(TreeError, match="gzip file"):
        read(tmp_path / "file")


@pytest.mark.parametrize("opener", [open, gzip.open])
def test_letters_of_many_bytes_may_lie_across_blocks(tmp_path, monkeypatch, opener):
    with opener(tmp_path / "file", "wb") as file:
        file.write("\ufeffaéb€c\n".encode())
    monkeypatch.setattr(text_file, "_BYTES_PER_BLOCK", 4)

    blocks = list(byte_blocks(tmp_path / "file", TreeError, "--tree"))

    assert b"".join(blocks).decode() == "aéb€c\n"
    assert max(map(len, blocks)) <= 4


@pytest.mark.parametrize(("content", "place"), [(b"abcdef\xff", 7), ("abc€".encode()[:-1], 4), (b"abc\xe2\x82def", 4)])
def test_a_byte_that_is_no_letter_is_found_across_blocks(tmp_path, monkeypatch, content, place):
    (tmp_path / "file").write_bytes(content)
    monkeypatch.setattr(text_file, "_BYTES_PER_BLOCK", 4)

    with pytest.raises(TreeError, match=rf"not UTF-8 text: byte {place}\b"):
        list(byte_blocks(tmp_path / "file", TreeError, "--tree"))
