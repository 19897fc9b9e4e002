"""From files to a study: the same content is the same study, and a full disk leaves nothing behind."""

import gzip
import re
import resource
import subprocess
import sys
import zipfile

import biom
import pytest

from aam.config.study import StudyConfig
from aam.data.study_build import read_study
from helpers.studies import real_study


def study_of(table, sequences, cache):
    return read_study(StudyConfig(table=table, sequences=sequences, cache_dir=cache), max_bp=150)


def unpacked(artifact, name, folder):
    """Take one file out of an artifact."""
    with zipfile.ZipFile(artifact) as archive:
        member = next(entry for entry in archive.namelist() if entry.endswith(f"/data/{name}"))
        (folder / name).write_bytes(archive.read(member))
    return folder / name


@pytest.mark.parametrize("name", ["moving_pictures", "crc_udca"])
def test_artifacts_and_the_plain_files_in_them_are_the_same_study(name, tmp_path):
    folder = real_study(name) / "qza"
    table = folder / ("table.qza" if name == "moving_pictures" else "table-filtered.qza")
    plain = unpacked(table, "feature-table.biom", tmp_path)
    fasta = unpacked(folder / "rep-seqs.qza", "dna-sequences.fasta", tmp_path)

    digests = {
        study_of(table, folder / "rep-seqs.qza", tmp_path / "a").digest(),
        study_of(plain, fasta, tmp_path / "b").digest(),
        study_of(table, fasta, tmp_path / "c").digest(),
    }

    assert len(digests) == 1


def test_a_table_in_any_format_and_order_is_the_same_study(tmp_path):
    folder = real_study("moving_pictures")
    table = biom.load_table(str(folder / "table.biom"))
    (tmp_path / "json.biom").write_text(table.to_json("test"))
    (tmp_path / "table.tsv").write_text(table.to_tsv())
    (tmp_path / "table.tsv.gz").write_bytes(gzip.compress(table.to_tsv().encode()))
    shuffled = table.sort(lambda ids: sorted(ids, key=lambda name: name[::-1]), axis="sample")
    (tmp_path / "shuffled.biom").write_text(
        shuffled.sort(lambda ids: sorted(ids)[::-1], axis="observation").to_json("x")
    )
    tables = [
        folder / "table.biom",
        *(tmp_path / n for n in ("json.biom", "table.tsv", "table.tsv.gz", "shuffled.biom")),
    ]

    studies = [study_of(path, folder / "sequences.fasta", tmp_path / "cache") for path in tables]

    assert len({study.digest() for study in studies}) == 1
    assert len({tuple(study.sample_ids) for study in studies}) == 1


def test_the_order_of_the_sequences_is_nothing(tmp_path):
    folder = real_study("moving_pictures")
    records = (folder / "sequences.fasta").read_text().split(">")[1:]
    (tmp_path / "reversed.fasta").write_text("".join(f">{record}" for record in records[::-1]))

    one = study_of(folder / "table.biom", folder / "sequences.fasta", tmp_path / "cache")
    other = study_of(folder / "table.biom", tmp_path / "reversed.fasta", tmp_path / "cache")

    assert one.digest() == other.digest()


@pytest.mark.slow
def test_a_full_disk_is_one_message_and_leaves_no_study(tmp_path):
    simulate = [
        sys.executable,
        "-m",
        "aam",
        "simulate",
        "--output-dir",
        tmp_path / "s",
        "--samples",
        "40",
        "--features",
        "60",
    ]
    subprocess.run([*map(str, simulate)], check=True, capture_output=True)
    files = ["--table", tmp_path / "s/table.biom", "--sequences", tmp_path / "s/sequences.fasta"]
    command = [sys.executable, "-m", "aam", "prepare", *map(str, files), "--cache-dir", str(tmp_path / "cache")]

    def fill_the_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))  # no file may grow beyond 2,000 bytes

    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=fill_the_disk, check=False)

    assert done.returncode == 2
    assert re.search(r"File too large.*--cache-dir\b", done.stderr)
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "cache").glob("study/*"))
    assert not list((tmp_path / "cache/unfinished").iterdir())
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
