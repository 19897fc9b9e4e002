"""Models compare new reads with their training sequences, whichever head they have, and old ones without a sketch open."""

import json

import pytest

from aam.cli import main
from aam.inference.model_directory import CONFIG, SKETCH, load_model
from helpers.commands import QUIET, read, run, succeed
from helpers.reads import related, turned, unrelated, write

pytestmark = QUIET

HEADS = {
    "network": ["--head", "network", "--embedding-dim", "8", "--attention-heads", "2", "--attention-layers", "1", "--epochs", "1"],
    "kernel": ["--head", "kernel"],
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Models of both heads, and tables whose reads are as in training, turned, turned in part, and of another gene."""
    folder = tmp_path_factory.mktemp("sketch")
    sequences = related(20, 60)
    write(folder, "plain", sequences)
    write(folder, "turned", list(map(turned, sequences)))
    write(folder, "half", [turned(s) if k % 2 else s for k, s in enumerate(sequences)])
    write(folder, "other", unrelated(20, 60, seed=3))
    (folder / "metadata.tsv").write_text("sample-id\tage\n" + "".join(f"S{k:02}\t{k + 0.5}\n" for k in range(12)))
    for head, options in HEADS.items():
        labels = ["--metadata", folder / "metadata.tsv", "--metadata-column", "age"]
        succeed("train", *files(folder, "plain"), *labels, *options, "--output-dir", folder / head)
    return folder


def files(folder, name):
    return ["--table", folder / f"{name}.tsv", "--sequences", folder / f"{name}.fasta", "--cache-dir", folder / "cache"]


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("name", ["turned", "half"])
def test_predictions_of_oriented_reads_are_those_of_the_plain_table(head, name, folder, tmp_path, capsys):
    model = ["--model", folder / head]

    succeed("predict", *model, *files(folder, "plain"), "--output", tmp_path / "plain.tsv")
    said_of_plain = capsys.readouterr().err
    succeed("predict", *model, *files(folder, name), "--output", tmp_path / "unturned.tsv")
    said = capsys.readouterr().err
    succeed("predict", *model, *files(folder, name), "--orient", "--output", tmp_path / "oriented.tsv")

    n_turned = {"turned": 20, "half": 10}[name]
    assert "complement" not in said_of_plain
    assert f"{n_turned} of 20 ASVs (" in said
    assert "match the training sequences of the model as reverse complements. Pass --orient" in said
    assert (tmp_path / "oriented.tsv").read_text() == (tmp_path / "plain.tsv").read_text()
    assert not read(tmp_path / "unturned.tsv").equals(read(tmp_path / "plain.tsv"))


def test_embed_and_evaluate_say_it_too(folder, tmp_path, capsys):
    labels = ["--metadata", folder / "metadata.tsv", "--metadata-column", "age"]
    model = ["--model", folder / "network", *files(folder, "turned")]

    succeed("embed", *model, "--output", tmp_path / "vectors.tsv")
    said_by_embed = capsys.readouterr().err
    succeed("evaluate", *model, *labels, "--output-dir", tmp_path / "scores")

    assert "20 of 20 ASVs (" in said_by_embed
    assert "20 of 20 ASVs (" in capsys.readouterr().err


def test_reads_of_another_gene_are_unlike_for_a_network(folder, tmp_path, capsys):
    assert run("predict", "--model", folder / "network", *files(folder, "other"), "--output", tmp_path / "p.tsv") == 0

    assert "The reads are unlike the training sequences of the model" in capsys.readouterr().err


def test_a_network_that_was_saved_without_a_sketch_opens_and_says_nothing(folder, tmp_path, capsys):
    source, old = folder / "network" / "model", tmp_path / "old"
    old.mkdir()
    for path in source.iterdir():
        if path.name != SKETCH:
            (old / path.name).write_bytes(path.read_bytes())
    config = json.loads((old / CONFIG).read_text())
    del config["sketch_digest"]
    (old / CONFIG).write_text(json.dumps(config))

    assert load_model(old)[1].sketch is None
    assert (
        main(
            [
                str(part)
                for part in ["predict", "--model", old, *files(folder, "turned"), "--output", tmp_path / "p.tsv"]
            ]
        )
        == 0
    )
    assert "match the training" not in capsys.readouterr().err


def test_a_sketch_of_another_model_is_refused(folder, tmp_path, capsys):
    source, mixed = folder / "network" / "model", tmp_path / "mixed"
    mixed.mkdir()
    for path in source.iterdir():
        (mixed / path.name).write_bytes(path.read_bytes() if path.name != SKETCH else b"another")

    assert run("predict", "--model", mixed, *files(folder, "plain"), "--output", tmp_path / "p.tsv") == 2
    assert f"{SKETCH} does not have the digest" in capsys.readouterr().err
