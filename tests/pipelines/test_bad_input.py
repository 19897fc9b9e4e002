"""Every mistake gets one message and exit code 2, and leaves nothing behind."""

import gzip
import shutil

import numpy as np
import pytest
from scipy.sparse import csr_array

from aam.cli import main
from aam.io.biom_table import CountTable, read_table, write_table
from aam.io.fasta import read_fasta

TINY = [
    "--embedding-dim", "16", "--attention-heads", "2", "--attention-layers", "1", "--ffn-ratio", "2", "--epochs", "1",
    "--max-bp", "40",
]  # fmt: skip


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Simulate once, and train and pre-train a model each."""
    folder = tmp_path_factory.mktemp("bad_input")
    main(
        [
            "simulate",
            "--output-dir",
            str(folder / "s"),
            "--samples",
            "24",
            "--features",
            "30",
            "--sequence-length",
            "40",
        ]
    )
    main(command(folder, "train", "--metadata-column", "age", "--output-dir", folder / "trained"))
    main(command(folder, "pretrain", "--output-dir", folder / "pretrained"))
    return folder


def command(folder, name, *options):
    """Give a command that works, with options that come later and win."""
    given = ["--table", folder / "s/table.biom", "--sequences", folder / "s/sequences.fasta"]
    if name == "train":
        given += ["--metadata", folder / "s/metadata.tsv", "--group-column", "subject", *TINY]
    if name == "pretrain":
        given += ["--tree", folder / "s/tree.nwk", *TINY]
    return [str(item) for item in [name, *given, *options]]


def refused(capsys, arguments):
    """Run, and give the message after checking that it is alone and that the exit code is 2."""
    capsys.readouterr()
    try:
        code = main([str(item) for item in arguments])
    except SystemExit as exit_:
        code = exit_.code
    message = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert code == 2, message
    assert "Traceback" not in message
    return message


def edited(source, target, change):
    target.write_text(change(source.read_text(encoding="utf-8")), encoding="utf-8")
    return target


def with_column(folder, tmp_path, values):
    """Add the column ``mine`` to the metadata; ``values`` is a function of the row's number."""
    lines = (folder / "s/metadata.tsv").read_text().splitlines()
    rows = [line for line in lines[1:] if not line.startswith("#q2")]
    text = [lines[0] + "\tmine", *(f"{row}\t{values(i)}" for i, row in enumerate(rows))]
    path = tmp_path / "metadata.tsv"
    path.write_text("\n".join(text) + "\n")
    return path


def train_refused(capsys, folder, tmp_path, *options):
    options = options if "--metadata-column" in options else ("--metadata-column", "age", *options)
    message = refused(capsys, command(folder, "train", *options, "--output-dir", tmp_path / "out"))
    assert not (tmp_path / "out").exists()
    return message


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--epoch", "3"], "epochs"),
        (["--epochs", "0"], "greater than or equal to 1"),
        (["--table", "missing.biom"], "missing.biom"),
        (["--metadata", "missing.tsv"], "missing.tsv"),
        (["--metadata-column", "nothing"], "nothing"),
        (["--group-column", "nothing"], "nothing"),
        (["--metadata-column", "disease", "--task", "regression"], "disease"),
        (["--rarefy-depth", "100000000"], "--rarefy-depth"),
        (["--pretrained", "nowhere"], "nowhere"),
        (["--config", "missing.yaml"], "missing.yaml"),
        (["--tree", "missing.nwk"], "missing.nwk"),
        (["--embedding-dim", "15"], "--attention-heads 2 does not divide --embedding-dim 15"),
    ],
)
def test_a_wrong_option_is_refused(capsys, study, tmp_path, options, expected):
    assert expected in train_refused(capsys, study, tmp_path, *options)


def test_a_table_that_is_not_biom(capsys, study, tmp_path):
    (tmp_path / "table.biom").write_bytes(gzip.compress(b"no table"))

    assert "table.biom" in train_refused(capsys, study, tmp_path, "--table", tmp_path / "table.biom")


def test_metadata_without_the_samples(capsys, study, tmp_path):
    other = edited(study / "s/metadata.tsv", tmp_path / "m.tsv", lambda text: text.replace("\n", "\nx"))

    message = train_refused(capsys, study, tmp_path, "--metadata", other)

    assert "None of the 24 samples" in message


def test_metadata_that_lacks_some_samples_unless_they_are_dropped(capsys, study, tmp_path):
    lines = (study / "s/metadata.tsv").read_text().splitlines()
    (tmp_path / "m.tsv").write_text("\n".join(lines[:-2]) + "\n")

    message = train_refused(capsys, study, tmp_path, "--metadata", tmp_path / "m.tsv")
    main(
        command(study, "train", "--metadata-column", "age", "--metadata", tmp_path / "m.tsv", "--missing-samples", "drop",
                "--output-dir", tmp_path / "kept")
    )  # fmt: skip

    assert "2 of 24 samples" in message
    assert "--missing-samples drop" in message
    assert (tmp_path / "kept/model").is_dir()


@pytest.mark.parametrize("value", [7, "same"])
def test_a_constant_target(capsys, study, tmp_path, value):
    metadata = with_column(study, tmp_path, lambda i: value)

    assert "mine" in train_refused(capsys, study, tmp_path, "--metadata", metadata, "--metadata-column", "mine")


def test_sequences_with_letters_outside_iupac(capsys, study, tmp_path):
    sequences = read_fasta(study / "s/sequences.fasta")
    table = renamed_table(study, tmp_path / "t.biom", {name: f"ASV{i}" for i, name in enumerate(sequences)})
    records = [f">ASV{i}\nAC!GT{sequence[5:]}\n" for i, sequence in enumerate(sequences.values())]
    (tmp_path / "x.fasta").write_text("".join(records))

    message = train_refused(capsys, study, tmp_path, "--table", table, "--sequences", tmp_path / "x.fasta")

    assert "letters that are not nucleotides ('!')" in message


def test_a_fasta_that_lacks_features(capsys, study, tmp_path):
    lines = (study / "s/sequences.fasta").read_text().split(">")
    (tmp_path / "x.fasta").write_text(">".join(lines[:-1]))

    assert "1 of 30 features" in train_refused(capsys, study, tmp_path, "--sequences", tmp_path / "x.fasta")


def test_ids_that_are_no_sequences_without_a_fasta(capsys, study, tmp_path):
    arguments = [item for item in command(study, "pretrain", "--output-dir", tmp_path / "out")]
    at = arguments.index("--sequences")

    message = refused(capsys, arguments[:at] + arguments[at + 2 :])

    assert "--sequences" in message
    assert not (tmp_path / "out").exists()


def renamed_table(folder, path, names):
    table = read_table(folder / "s/table.biom")
    write_table(path, CountTable(table.sample_ids, [names.get(i, i) for i in table.feature_ids], table.counts))
    return path


def test_md5_ids_of_other_sequences(capsys, study, tmp_path):
    sequences = read_fasta(study / "s/sequences.fasta")
    wrong = {name: f"{i:032x}" for i, name in enumerate(sequences)}
    table = renamed_table(study, tmp_path / "t.biom", wrong)
    (tmp_path / "x.fasta").write_text("".join(f">{wrong[n]}\n{s}\n" for n, s in sequences.items()))

    message = train_refused(capsys, study, tmp_path, "--table", table, "--sequences", tmp_path / "x.fasta")

    assert "MD5" in message


def test_a_tree_without_any_or_some_of_the_features(capsys, study, tmp_path):
    first = next(iter(read_fasta(study / "s/sequences.fasta")))
    (tmp_path / "none.nwk").write_text("(a:1,b:2);")
    some = edited(study / "s/tree.nwk", tmp_path / "some.nwk", lambda text: text.replace(f"{first}:", "other:"))

    none_message = train_refused(capsys, study, tmp_path, "--tree", tmp_path / "none.nwk", "--missing-features", "drop")
    some_message = train_refused(capsys, study, tmp_path, "--tree", some)
    main(command(study, "pretrain", "--tree", some, "--missing-features", "drop", "--output-dir", tmp_path / "kept"))

    assert "None of the 30 features" in none_message
    assert "1 of 30 features" in some_message
    assert "--missing-features drop" in some_message
    assert (tmp_path / "kept/model").is_dir()


def test_distances_that_lack_samples(capsys, study, tmp_path):
    np.save(tmp_path / "d.npy", np.zeros((2, 2)))
    (tmp_path / "d.ids").write_text("a\nb\n")

    assert "24" in train_refused(capsys, study, tmp_path, "--distances", tmp_path / "d.npy")


def test_results_are_overwritten_only_when_asked_and_own_files_never(capsys, study, tmp_path):
    output = tmp_path / "out"
    shutil.copytree(study / "trained", output)
    (output / "notes.txt").write_text("mine")
    before = {path: path.read_bytes() for path in output.rglob("*") if path.is_file()}

    message = refused(capsys, command(study, "train", "--metadata-column", "age", "--output-dir", output))
    unchanged = {path: path.read_bytes() for path in output.rglob("*") if path.is_file()}
    main(command(study, "train", "--metadata-column", "age", "--output-dir", output, "--overwrite"))

    assert "--overwrite" in message
    assert unchanged == before
    assert (output / "notes.txt").read_text() == "mine"


def test_predictions_are_not_overwritten(capsys, study, tmp_path):
    (tmp_path / "p.tsv").write_text("mine")

    message = refused(capsys, command(study, "predict", "--model", study / "trained", "--output", tmp_path / "p.tsv"))

    assert "--overwrite" in message
    assert (tmp_path / "p.tsv").read_text() == "mine"


def damaged(study, tmp_path, name, content):
    shutil.copytree(study / "trained", tmp_path / "damaged")
    (tmp_path / "damaged/model" / name).write_bytes(content)
    return tmp_path / "damaged"


@pytest.mark.parametrize("name", ["config.json", "state.json", "model.safetensors"])
def test_a_damaged_model(capsys, study, tmp_path, name):
    model = damaged(study, tmp_path, name, b"{broken")

    message = refused(capsys, command(study, "predict", "--model", model, "--output", tmp_path / "p.tsv"))

    assert f"{model / 'model'} cannot be loaded" in message
    assert "copy the whole directory again" in message
    assert {item.name for item in tmp_path.iterdir()} == {"damaged"}


@pytest.mark.parametrize("name", ["pretrained", "nowhere"])
def test_a_model_that_cannot_predict(capsys, study, tmp_path, name):
    message = refused(capsys, command(study, "predict", "--model", study / name, "--output", tmp_path / "p.tsv"))

    assert name in message
    assert not list(tmp_path.iterdir())


def test_evaluating_numbers_on_a_text_column(capsys, study, tmp_path):
    message = refused(
        capsys,
        command(study, "evaluate", "--model", study / "trained", "--metadata", study / "s/metadata.tsv",
                "--metadata-column", "disease", "--output-dir", tmp_path / "out"),
    )  # fmt: skip

    assert "disease" in message
    assert not (tmp_path / "out").exists()


def test_too_few_samples_to_hold_any_out(capsys, study, tmp_path):
    table = read_table(study / "s/table.biom")
    one = CountTable(table.sample_ids[:1], table.feature_ids, csr_array(table.counts[:1]))
    write_table(tmp_path / "one.biom", one)

    train_refused(capsys, study, tmp_path, "--table", tmp_path / "one.biom")


def test_nothing_to_learn_distances_from(capsys, study, tmp_path):
    arguments = [item for item in command(study, "pretrain", "--output-dir", tmp_path / "out")]
    at = arguments.index("--tree")

    message = refused(capsys, arguments[:at] + arguments[at + 2 :])

    assert "--tree" in message
    assert "--distances" in message
