"""``aam inspect``: what a user sees of a folder of files, good and bad."""

import gzip
import re
import shlex
import shutil

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import pdist, squareform

from aam.cli import main, parse
from aam.io.biom_table import write_table
from aam.io.count_table import CountTable
from aam.io.sequences import fasta_records, write_fasta
from aam.io.tables import read_table
from helpers.commands import QUIET, simulate

PARTS = ("table.biom", "sequences.fasta", "tree.nwk", "taxonomy.tsv", "metadata.tsv")

pytestmark = QUIET


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return simulate(tmp_path_factory.mktemp("inspected") / "study", 40, 60, 40)


def all_of(study):
    return [study / name for name in PARTS]


def test_each_file_is_told_by_its_content(study, tmp_path, inspect):
    """Names and order do not matter, nor does gzip."""
    shutil.copy(study / "table.biom", tmp_path / "a.txt")
    shutil.copy(study / "tree.nwk", tmp_path / "b.biom")
    (tmp_path / "c").write_bytes(gzip.compress((study / "metadata.tsv").read_bytes()))
    shutil.copy(study / "sequences.fasta", tmp_path / "d.tsv")
    shutil.copy(study / "taxonomy.tsv", tmp_path / "e.fasta")

    code, text, _, report = inspect(*(tmp_path / name for name in ("c", "b.biom", "e.fasta", "d.tsv", "a.txt")))

    assert code == 0
    assert [file["kind"] for file in report["files"]] == ["metadata", "tree", "taxonomy", "sequences", "table"]
    assert [file["option"] for file in report["files"]] == [
        "--metadata",
        "--tree",
        "--taxonomy",
        "--sequences",
        "--table",
    ]
    assert re.search(r"metadata, gzip, .*--metadata\b", text)


def test_the_numbers_are_those_of_numpy_and_pandas(study, inspect):
    table, frame = read_table(study / "table.biom"), pd.read_csv(study / "metadata.tsv", sep="\t")
    counts = table.counts.toarray()
    reads, asvs = counts.sum(axis=1), (counts > 0).sum(axis=1)

    _, text, _, report = inspect(*all_of(study))

    found = report["study"]
    assert found["table"]["n_reads"] == reads.sum()
    assert list(found["table"]["reads"].values()) == np.quantile(reads, [0, 0.25, 0.5, 0.75, 1]).tolist()
    assert list(found["table"]["asvs"].values()) == np.quantile(asvs, [0, 0.25, 0.5, 0.75, 1]).tolist()
    assert found["table"]["sparsity"] == pytest.approx((counts == 0).mean())
    columns = {column["name"]: column for column in found["columns"]}
    assert columns["age"]["task"] == "regression"
    assert (columns["age"]["low"], columns["age"]["median"]) == (frame["age"].min(), frame["age"].median())
    assert columns["disease"]["classes"] == frame["disease"].value_counts().to_dict()
    group = next(group for group in found["groups"] if group["name"] == "subject")
    assert group["n_groups"] == frame["subject"].nunique()
    assert group["largest"] == frame["subject"].value_counts().max()
    assert found["group_column"] == "subject"
    assert f"40 samples × 60 features, {reads.sum():,} reads" in text
    assert "60 of 60 features" in text


def test_reads_and_asvs_of_each_sample_are_a_table(study, tmp_path, inspect):
    table = read_table(study / "table.biom")

    inspect(study / "table.biom")

    written = pd.read_csv(tmp_path / "report/samples.tsv", sep="\t", index_col="sample-id")
    assert written.index.tolist() == table.sample_ids
    assert written["reads"].tolist() == table.counts.sum(axis=1).tolist()
    assert written["asvs"].tolist() == np.diff(table.counts.indptr).tolist()


def test_the_text_fits_100_columns_and_a_terminal(study, inspect):
    _, text, _, report = inspect(*all_of(study))

    paths = [file["path"] for file in report["files"]]
    lines = [line for line in text.splitlines() if not any(path in line for path in paths)]
    assert max(map(len, lines)) <= 100


def commands_of(text):
    joined = text.partition("Commands that fit")[2].replace("\\\n", " ")
    return [shlex.split(line) for line in joined.splitlines() if line.strip().startswith("aam ")]


def test_targets_are_ranked_and_facts_of_the_run_put_aside(study, tmp_path, inspect):
    frame = pd.read_csv(study / "metadata.tsv", sep="\t")
    frame.insert(1, "MBases_l", range(40))
    frame.insert(2, "split", ["train", "validation"] * 20)
    frame.to_csv(tmp_path / "m.tsv", sep="\t", index=False)

    _, text, _, report = inspect(*all_of(study)[:2], tmp_path / "m.tsv")

    shown = text.partition("Columns to predict")[2]
    assert "processing: MBases_l, batch" in shown
    assert "(--split-file): split" in shown
    assert shown.index("    disease  ") < shown.index("    sex  ") < shown.index("probably no targets")
    assert "    MBases_l  " not in shown
    train = next(command for command in report["study"]["commands"] if command[1] == "train")
    assert train[train.index("--metadata-column") + 1] == "disease"


def test_the_commands_are_understood_and_train(study, tmp_path, monkeypatch, inspect):
    _, text, _, report = inspect(*all_of(study))

    commands = commands_of(text)

    assert commands == report["study"]["commands"]
    assert [command[1] for command in commands] == ["pretrain", "train"]
    monkeypatch.chdir(tmp_path)
    small = ["--embedding-dim", "16", "--attention-heads", "2", "--attention-layers", "1", "--epochs", "1"]
    for command in commands:
        assert main([*command[1:], *small]) == 0
    assert (tmp_path / "trained/validation_predictions.tsv").is_file()
    code, text, _, report = inspect(tmp_path / "trained", tmp_path / "pretrained/model", *all_of(study)[:2])
    assert code == 0
    assert "trained predictor" in text
    assert "pre-trained encoder" in text
    assert report["files"][0]["summary"]["target"] == "disease"
    assert commands_of(text)[0][1:4] == ["predict", "--model", str(tmp_path / "trained")]


def test_files_that_do_not_match_are_named(study, tmp_path, inspect):
    table, sequences = read_table(study / "table.biom"), dict(fasta_records(study / "sequences.fasta"))
    write_fasta(tmp_path / "some.fasta", [(name, sequence) for name, sequence in sequences.items()][:-3])
    metadata = (study / "metadata.tsv").read_text().splitlines()
    dropped = metadata.pop().split("\t")[0]
    (tmp_path / "some.tsv").write_text("\n".join([*metadata, "\t".join(["stranger", *metadata[-1].split("\t")[1:]])]))

    code, text, _, report = inspect(study / "table.biom", tmp_path / "some.fasta", tmp_path / "some.tsv")

    assert code == 0
    missing = list(sequences)[-3:]
    by_kind = {overlap["other"]: overlap for overlap in report["study"]["overlaps"]}
    assert by_kind["sequences"]["n_both"] == 57
    assert sorted(by_kind["sequences"]["only_in_table"]) == sorted(missing)
    reads = table.counts[:, [i for i, name in enumerate(table.feature_ids) if name not in missing]].sum()
    assert by_kind["sequences"]["share_of_reads"] == pytest.approx(reads / table.counts.sum())
    assert by_kind["metadata"]["only_in_table"] == [dropped]
    assert by_kind["metadata"]["only_in_other"] == ["stranger"]
    assert re.search(r"3 of 60 features .*--sequences\b", text)
    assert f"1 are not: {dropped}." in text
    assert report["study"]["commands"] == []


def test_a_tree_that_lacks_features_and_metadata_that_lacks_samples_change_the_commands(study, tmp_path, inspect):
    table = read_table(study / "table.biom")
    more = CountTable([*table.sample_ids[:-1], "new"], [*table.feature_ids[:-1], "A" * 40], table.counts)
    write_table(tmp_path / "more.biom", more)
    with (tmp_path / "more.fasta").open("w") as file:
        file.write((study / "sequences.fasta").read_text() + f">{'A' * 40}\n{'ACGT' * 10}\n")

    _, _, _, report = inspect(
        tmp_path / "more.biom", tmp_path / "more.fasta", study / "tree.nwk", study / "metadata.tsv"
    )

    pretrain, train = report["study"]["commands"]
    for command in (pretrain, train):
        parsed = parse(command[1], command[2:])
        assert parsed.distance.missing_features == "drop"
    assert parsed.label.missing_samples == "drop"


def test_metadata_of_other_samples_has_no_columns_to_predict(study, tmp_path, inspect):
    (tmp_path / "other.tsv").write_text("sample-id\tage\nA\t1\nB\t2\n")

    _, _, _, report = inspect(study / "table.biom", study / "sequences.fasta", tmp_path / "other.tsv")

    assert "None of the 40 samples" in report["study"]["problems"]["metadata"]
    assert report["study"]["columns"] == []
    assert [command[1] for command in report["study"]["commands"]] == ["pretrain"]


def test_a_word_among_numbers_is_pointed_out(study, tmp_path, inspect):
    rows = [line.split("\t") for line in (study / "metadata.tsv").read_text().splitlines()]
    rows[1][rows[0].index("age")] = "not provided"
    (tmp_path / "words.tsv").write_text("\n".join("\t".join(row) for row in rows))

    _, text, _, _ = inspect(study / "table.biom", tmp_path / "words.tsv")

    assert re.search(r"\bage .*'not provided'.*--missing-values 'not provided'", " ".join(text.split()))


def test_advice_on_training_a_column_is_left_to_training(study, tmp_path, inspect):
    """A column of two numbers is regressed, which aam train tells of; here each column has its own line."""
    frame = pd.read_csv(study / "metadata.tsv", sep="\t", dtype=str)
    frame["visit"] = np.resize(["1", "2"], len(frame))
    frame.to_csv(tmp_path / "metadata.tsv", sep="\t", index=False)

    code, text, error, _ = inspect(study / "table.biom", tmp_path / "metadata.tsv")

    assert code == 0
    assert "visit" in text
    assert "--metadata-column visit" not in error


def test_distances_take_the_place_of_a_tree_where_they_hold_all_samples(study, tmp_path, inspect):
    table = read_table(study / "table.biom")
    distances = squareform(pdist(table.counts.toarray(), "braycurtis"))
    whole = pd.DataFrame(distances, table.sample_ids, table.sample_ids)
    whole.to_csv(tmp_path / "whole.tsv", sep="\t")
    whole.iloc[:-1, :-1].to_csv(tmp_path / "part.tsv", sep="\t")
    study_files = all_of(study)[:2]

    for name, option in (("whole.tsv", "--distances"), ("part.tsv", "--penalty")):
        _, text, _, report = inspect(*study_files, tmp_path / name)
        assert option in report["study"]["commands"][0]

    assert re.search(r"1 of 40 samples .*\bdistance matrix", text)


def test_long_sequences_are_read_whole_by_the_suggested_command(study, tmp_path, inspect):
    table, records = read_table(study / "table.biom"), dict(fasta_records(study / "sequences.fasta"))
    names = [f"F{i}" for i in range(60)]
    write_table(tmp_path / "table.biom", CountTable(table.sample_ids, names, table.counts))
    write_fasta(tmp_path / "long.fasta", zip(names, (5 * sequence for sequence in records.values()), strict=True))

    _, text, _, report = inspect(tmp_path / "table.biom", tmp_path / "long.fasta")

    assert "longer than 150 nucleotides" in text
    command = report["study"]["commands"][0]
    assert parse(command[1], command[2:]).model.max_bp == 200


def test_a_damaged_file_among_good_ones_is_exit_code_2_and_the_rest_is_reported(study, tmp_path, inspect):
    (tmp_path / "cut.biom").write_bytes((study / "table.biom").read_bytes()[:3000])

    code, text, message, report = inspect(*all_of(study), tmp_path / "cut.biom", tmp_path / "absent.tsv")

    assert code == 2
    assert message == "aam inspect: 2 of 7 files cannot be used; the report says why.\n"
    shown = " ".join(text.split())
    assert re.search(r"cut\.biom .*HDF5", shown)
    assert "absent.tsv does not exist" in shown
    assert [file["error"] is None for file in report["files"]] == [True] * 5 + [False] * 2
    assert len(report["study"]["commands"]) == 2


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("unrooted.nwk", "(a:1,b:1,c:1);", "3 branches"),
        ("share.tsv", "#OTU ID\tS1\nF1\t0.5\n", "1 of 1 values in --table"),
        ("meta.csv", "name,age\nS1,3\n", "'name,age'"),
        ("meta.tsv", "name\tage\nS1\t3\n", "column is named 'name'"),
        ("matrix.tsv", "\tA\tB\nA\t0\t1\nB\t2\t0\n", "not symmetric"),
    ],
)
def test_what_cannot_be_read_gets_the_readers_own_sentence(tmp_path, inspect, name, content, message):
    (tmp_path / name).write_text(content)

    code, text, _, report = inspect(tmp_path / name)

    assert code == 2
    assert re.search(message, report["files"][0]["error"])
    assert re.search(message, " ".join(text.split()))
    assert report["study"] is None


def test_directories_without_a_model_are_explained(tmp_path, inspect):
    (tmp_path / "folder").mkdir()
    (tmp_path / "run/checkpoints").mkdir(parents=True)

    _, _, _, report = inspect(tmp_path / "folder", tmp_path / "run")

    assert "model or run of aam" in report["files"][0]["error"]
    assert "did not finish" in report["files"][1]["error"]


def test_what_readers_say_is_part_of_the_report(study, tmp_path, inspect):
    (tmp_path / "table.tsv").write_text("#OTU ID\tS1\ttaxonomy\nF1\t3\tk__Bacteria\n")

    _, text, message, report = inspect(tmp_path / "table.tsv")

    assert "column, 'taxonomy'" in report["files"][0]["notes"][0]
    assert "note: --table" in text
    assert message == ""


def test_a_second_file_of_a_kind_is_read_but_left_out_of_the_study(study, tmp_path, inspect):
    shutil.copy(study / "tree.nwk", tmp_path / "other.nwk")

    _, _, _, report = inspect(*all_of(study), tmp_path / "other.nwk")

    assert report["study"]["files"]["tree"] == str(study / "tree.nwk")
    assert "other.nwk is left out" in report["study"]["notes"][0]
    assert report["files"][-1]["summary"]["n_tips"] == 60


def test_ids_that_are_sequences_need_no_file(study, tmp_path, inspect):
    table, sequences = read_table(study / "table.biom"), dict(fasta_records(study / "sequences.fasta"))
    names = [sequences[name] for name in table.feature_ids]
    write_table(tmp_path / "table.biom", CountTable(table.sample_ids, names, table.counts))

    _, _, _, report = inspect(tmp_path / "table.biom")

    assert report["study"]["sequences"]["longest"] == 40
    assert report["study"]["commands"] == [
        ["aam", "pretrain", "--table", str(tmp_path / "table.biom"), "--penalty", "0", "--output-dir", "pretrained"]
    ]


def test_ids_that_are_no_sequences_need_one(study, inspect):
    _, text, _, report = inspect(study / "table.biom")

    assert report["study"]["sequences"] is None
    assert "60 of 60 feature ids" in report["study"]["problems"]["sequences"]
    assert "Commands that fit" not in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [([], "There is nothing to inspect"), (["x", "--overwrite"], r"--overwrite .*--output-dir\b")],
)
def test_options_that_make_no_sense_are_refused(arguments, message, capsys):
    assert main(["inspect", *arguments]) == 2
    assert re.search(message, capsys.readouterr().err)


def test_nothing_is_overwritten_unasked(study, tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("mine")

    for more in ([], ["--overwrite"]):
        assert main(["inspect", str(study / "table.biom"), "--output-dir", str(tmp_path), *more]) == 2
        shown = capsys.readouterr()
        assert (shown.out, [path.name for path in tmp_path.iterdir()]) == ("", ["mine.txt"])
        assert "is not empty" in shown.err


def test_no_report_is_written_over_what_is_inspected(study, capsys):
    assert main(["inspect", str(study / "table.biom"), "--output-dir", str(study)]) == 2
    assert re.search(rf"FILE {study / 'table.biom'} .*--output-dir\b", capsys.readouterr().err)


def test_a_run_is_repeated_from_its_options(study, tmp_path, capsys):
    options = ["inspect", str(study / "table.biom"), str(study / "tree.nwk"), "--output-dir", str(tmp_path / "a")]
    assert main(options) == 0
    first = capsys.readouterr().out

    assert main(["inspect", "--config", str(tmp_path / "a/config.yaml"), "--output-dir", str(tmp_path / "b")]) == 0

    assert capsys.readouterr().out == first
