"""New reads that are shorter or longer than those that a model was trained on."""

import dataclasses
import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from aam.data.orientation import KmerSketch
from aam.data.study_build import read_study
from aam.inference.model_directory import CONFIG, SKETCH, load_model
from aam.storage.cache import digest_of
from helpers.commands import QUIET, run, succeed
from helpers.kinds import Kind
from helpers.reads import related, unrelated, write

pytestmark = QUIET

KINDS = {
    "other lengths for a model": Kind(
        "Sequences",
        "New reads of which some are shorter, or longer, than nearly all of training",
        "`predict`, `embed` and `evaluate` count them and say both lengths, if they are 15 % of the ASVs or more; a kernel head "
        "knows longer reads by their beginning. Models saved before have no lengths to compare with",
        "`--truncate N`, as the message says",
    ),
}

HEADS = {
    "network": ["--head", "network", "--embedding-dim", "8", "--attention-heads", "2", "--attention-layers", "1", "--epochs", "1"],
    "kernel": ["--head", "kernel"],
}  # fmt: skip


def remarks_on(caplog, folder, training, new, max_bp, **changes):
    """Return what is said of new reads, of their lengths, for a model of others; and the study."""
    sketch = KmerSketch.of(read_study(write(folder, "training", training), None))
    config = dataclasses.replace(write(folder, "new", new), **changes)
    caplog.clear()
    study = read_study(config, max_bp, sketch)
    return [text for text in caplog.messages if text.startswith("Reads are ")], study


def cut(sequences, length, every=1):
    return [s[:length] if k % every == 0 else s for k, s in enumerate(sequences)]


def cut_to(sequences, lengths):
    return [s[: lengths[k % len(lengths)]] for k, s in enumerate(sequences)]


SHORTER = {
    "half of them": (150, 120, 2, 20, "have 120 nucleotides, and those of training have 150."),
    "a fifth": (150, 100, 5, 8, "have 100 nucleotides, and those of training have 150."),
    "all, for a kernel head": (None, 90, 1, 40, "have 90 nucleotides, and those of training have 150."),
    "half, for a kernel head": (None, 140, 2, 20, "have 140 nucleotides, and those of training have 150."),
}


@pytest.mark.parametrize("make", [related, unrelated])
@pytest.mark.parametrize("name", SHORTER)
def test_shorter_reads_are_counted(tmp_path, caplog, make, name):
    (max_bp, length, every, n, says), sequences = SHORTER[name], make()

    (remark,), _ = remarks_on(caplog, tmp_path, sequences, cut(sequences, length, every), max_bp)

    assert remark.startswith(f"Reads are shorter than those of training: {n} of 40 ASVs (")
    assert says in remark
    assert f"train with --truncate {length} and pass it here" in remark


LONGER = {"all": (1, 40), "half": (2, 20), "a fifth": (5, 8)}


@pytest.mark.parametrize("make", [related, unrelated])
@pytest.mark.parametrize(("every", "n"), LONGER.values(), ids=LONGER)
def test_longer_reads_are_counted_and_cut_as_the_message_says(tmp_path, caplog, make, every, n):
    whole = make()
    training = cut(whole, 100)
    new = [s if k % every == 0 else t for k, (s, t) in enumerate(zip(whole, training, strict=True))]

    (remark,), _ = remarks_on(caplog, tmp_path, training, new, 150)
    silent, study = remarks_on(caplog, tmp_path, training, new, 150, truncate=100)

    assert remark.startswith(f"Reads are longer than those of training: {n} of 40 ASVs (")
    assert "have 150 nucleotides, and those of training have 100. " in remark
    assert "Pass --truncate 100, which cuts them alike." in remark
    assert silent == []
    assert study.content == read_study(write(tmp_path, "training", training), None).content


SILENT = {
    "as they are": (lambda s: s, lambda s: s, 150),
    "one in ten shorter": (lambda s: s, lambda s: cut(s, 100, 10), 150),
    "longer than what is read": (lambda s: cut(s, 100), lambda s: s, 100),
    "longer, for a kernel head": (lambda s: cut(s, 100), lambda s: s, None),
    "two lengths in training": (lambda s: cut(s, 100, 4), lambda s: cut(s, 100), 150),
    "two lengths in training, all longer": (lambda s: cut(s, 100, 4), lambda s: s, 150),
    "natural lengths": (lambda s: cut_to(s, range(146, 149)), lambda s: cut_to(s, range(148, 144, -1)), 150),
    "all lengths": (lambda s: cut_to(s, range(80, 120)), lambda s: cut_to(s, range(119, 79, -1)), 150),
}  # fmt: skip


@pytest.mark.parametrize(("of_training", "of_new", "max_bp"), SILENT.values(), ids=SILENT)
def test_lengths_that_training_had_too_give_no_remark(tmp_path, caplog, of_training, of_new, max_bp):
    sequences = unrelated()

    assert remarks_on(caplog, tmp_path, of_training(sequences), of_new(sequences), max_bp)[0] == []


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Models of both heads, and a table of which a third of the reads are shorter."""
    folder = tmp_path_factory.mktemp("lengths")
    sequences = unrelated(21, 60)
    write(folder, "plain", sequences)
    write(folder, "shorter", cut(sequences, 45, 3))
    (folder / "metadata.tsv").write_text("sample-id\tage\n" + "".join(f"S{k:02}\t{k + 0.5}\n" for k in range(12)))
    for head, options in HEADS.items():
        succeed("train", *files(folder, "plain"), *labels(folder), *options, "--output-dir", folder / head)
    return folder


def files(folder, name):
    return ["--table", folder / f"{name}.tsv", "--sequences", folder / f"{name}.fasta", "--cache-dir", folder / "cache"]


def labels(folder):
    return ["--metadata", folder / "metadata.tsv", "--metadata-column", "age"]


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("name", ["plain", "shorter"])
def test_saved_models_say_it_at_each_command(tmp_path, capsys, folder, head, name):
    model = ["--model", folder / head, *files(folder, name)]

    succeed("predict", *model, "--output", tmp_path / "p.tsv")
    said = [capsys.readouterr().err]
    succeed("evaluate", *model, *labels(folder), "--output-dir", tmp_path / "scores")
    said.append(capsys.readouterr().err)
    if head == "network":
        succeed("embed", *model, "--output", tmp_path / "vectors.tsv")
        said.append(capsys.readouterr().err)

    n = {"plain": 0, "shorter": 1}[name]
    assert [text.count("Reads are shorter than those of training: 7 of 21 ASVs (") for text in said] == [n] * len(said)


def test_a_network_that_was_saved_without_lengths_opens_and_says_nothing(tmp_path, capsys, folder):
    source, old = folder / "network" / "model", tmp_path / "old"
    old.mkdir()
    for path in source.iterdir():
        (old / path.name).write_bytes(path.read_bytes())
    save_file({"codes": load_file(old / SKETCH)["codes"]}, old / SKETCH)
    config = json.loads((old / CONFIG).read_text())
    (old / CONFIG).write_text(json.dumps(config | {"sketch_digest": digest_of(old / SKETCH)}))

    new, before = load_model(source)[1].sketch, load_model(old)[1].sketch

    assert new.lengths.tolist() == [60] * 101
    assert before.lengths.tolist() == []
    assert np.array_equal(new.codes, before.codes)
    assert run("predict", "--model", old, *files(folder, "shorter"), "--output", tmp_path / "p.tsv") == 0
    assert "Reads are" not in capsys.readouterr().err
