"""Every mistake of a user gets one message that says what to do and exit code 2, and leaves nothing behind."""

import json
import re

import pytest

from aam.cli import main
from helpers.mistakes import Given, command, shift_ids, subject_as_disease, without_three_ages


def contents(folder) -> dict:
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Simulate once, train a regression and a classification, and pre-train."""
    folder = tmp_path_factory.mktemp("bad_input")
    runs = {
        "s": ("simulate", {"--samples": 24, "--features": 30, "--sequence-length": 40}),
        "age": ("train", {}),
        "disease": ("train", {"--metadata-column": "disease", "--group-column": None}),
        "pretrained": ("pretrain", {}),
    }
    for output, (name, changes) in runs.items():
        assert main(command(Given(folder, folder), name, {**changes, "--output-dir": folder / output})) == 0
    return folder


@pytest.fixture
def given(study, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # what a library drops into the working directory is left behind, too
    return Given(study, tmp_path)


def refusal(capsys, arguments) -> str:
    """Run a command that must fail, and give its one message."""
    capsys.readouterr()
    try:
        code = main(arguments)
    except SystemExit as stop:
        code = stop.code
    shown = capsys.readouterr().err
    assert code == 2, shown
    assert "Traceback" not in shown
    own = re.findall(rf"^aam {arguments[0]}: .+\Z", shown.rstrip("\n"), re.MULTILINE)  # on the last line
    from_parser = re.findall("For full helptext", shown)
    assert len(own) + len(from_parser) == 1, shown
    message = own[0] if own else " ".join(shown.replace("│", " ").split())
    assert len(message) < 1200, message
    return message


OVERWRITE = r".*--overwrite\b"
LOST_MODEL = r"The model in \S+copy\S* .*\(.+\)\. "
NO_MODEL = r"{} .*config\.json .*--output-dir .*'aam train'"
MISTAKES = {
    # options
    "mistyped option": ("train", lambda _: {"--epoch": 3}, "--epoch; did you mean --epochs"),
    "forgotten option": ("train", lambda _: {"--metadata": None}, "[Rr]equired.* --metadata PATH"),
    "text for a number": ("train", lambda _: {"--epochs": "many"}, "--epochs many: expected a whole number"),
    "number out of range": ("train", lambda _: {"--epochs": 0}, r"--epochs 0: .* 1\b"),
    "heads": ("train", lambda _: {"--attention-heads": 3}, r"--attention-heads 3 .*--embedding-dim 16\b"),
    "no distances": ("pretrain", lambda _: {"--tree": None}, "--tree .*--distances.*--objectives"),
    "no config": ("train", lambda _: {"--config": "a.yaml"}, r"--config a\.yaml: No such file"),
    "config key": (
        "train", lambda g: {"--config": g.file("a.yaml", "epohcs: 3")},
        r"--config \S+a\.yaml: .*'epohcs'.*'epochs'"),
    "config value": (
        "train", lambda g: {"--config": g.file("a.yaml", "seed: -1")}, r"--seed -1: .* 0\b"),
    "lists in lists": ("train", lambda g: {"--config": g.file("a.yaml", "missing-values: [[a], [b]]")}, "without nesting"),
    "empty option": ("train", lambda _: {"--output-dir": ""}, "--output-dir .*empty"),
    "empty option in a file": ("embed", lambda g: {"--config": g.file("a.yaml", "cache-dir: ''")}, r"--cache-dir is empty"),
    "NUL in a path": ("embed", lambda g: {"--config": g.file("a.yaml", r'cache-dir: "a\0b"')}, "--cache-dir .*NUL"),
    "name too long": ("train", lambda _: {"--metadata": "m" * 300}, "--metadata m+ .*File name too long"),
    "link in a circle": ("train", lambda g: {"--metadata": g.circle()}, r"--metadata \S+ does not exist"),
    **{f"huge {flag}": (name, lambda _, flag=flag, value=value: {flag: value}, rf"{flag} \S+: input should be less")
       for name, flag, value in (("train", "--seed", 2**63), ("train", "--attention-layers", 10**9), ("train", "--max-bp", 10**9),
                                 ("pretrain", "--embedding-dim", 10**9), ("train", "--lr", 1e30),
                                 ("train", "--weight-decay", 1e300), ("train", "--target-penalty", 1e300),
                                 ("pretrain", "--nuc-penalty", 1e300))},
    # table
    "no table": ("train", lambda _: {"--table": "a.biom"}, r"--table a\.biom does not exist"),
    "not BIOM": ("train", lambda g: {"--table": g.file("a.biom", "S1\t3")}, "line 1 .*'S1' .*'#OTU ID'"),
    "too shallow": ("train", lambda _: {"--rarefy-depth": 10**8}, "None of the 24 samples .*--rarefy-depth"),
    "too shallow to predict": ("predict", lambda _: {"--rarefy-depth": 10**8}, "None of the 24 samples .*--rarefy-depth none"),
    "three samples": ("train", lambda g: g.few_samples(3) | {"--group-column": None},
                      r"\b3 samples .*\b4 samples and 2 groups"),
    "one group": ("train", lambda g: g.few_samples(5), r"\b5 samples in 1 group .*--group-column"),
    "three samples to pre-train": ("pretrain", lambda g: g.few_samples(3), r"\b3 samples .*\b4\b"),
    # metadata
    "no metadata": ("train", lambda _: {"--metadata": "a.tsv"}, r"--metadata a\.tsv does not exist"),
    "not metadata": ("train", lambda g: {"--metadata": g.study / "s/tree.nwk"}, r"tree\.nwk.* column .*'sample-id'"),
    "other samples": ("train", lambda g: {"--metadata": g.metadata(shift_ids)}, "None of the 24 samples .*metadata"),
    "fewer samples": ("train", lambda g: {"--metadata": g.metadata(lambda rows: rows[:-2])},
                      r"\b2 of 24 samples .*'S0023', 'S0024'.*--missing-samples drop"),
    "no such column": ("train", lambda _: {"--metadata-column": "aeg"}, "column 'aeg'.*'age'"),
    "no such group": ("train", lambda _: {"--group-column": "subjct"}, "column 'subjct'.*'subject'"),
    "group is target": ("train", lambda _: {"--group-column": "age"}, r"--group-column and --metadata-column .*\bage\b"),
    "text to regress": ("train", lambda _: {"--metadata-column": "disease", "--task": "regression"},
                        "disease .*'healthy'.*--task classification"),
    "empty target": ("train", lambda g: g.column(""), r"No sample .*--metadata-column mine\b"),
    "constant target": ("train", lambda g: g.column("7"), r"mine .*'7', in all 24\b"),
    "huge number": ("train", lambda g: g.last_age("1e308"), r"age .*1e\+20 in 1 of 24\b"),
    "huge number to compare with": ("evaluate", lambda g: g.last_age("-1e308"), r"age .*1e\+20 in 1 of 24\b"),
    "numbers that hardly differ": ("train", lambda g: g.numbers(lambda number: f"{number}e-30"),
                                   r"mine .*2\.3e-29"),
    "numbers but for a few cells": (
        "train", lambda g: {"--metadata": g.metadata(without_three_ages)},
        r"age .*'NA' \(3 samples\).*--missing-values NA\b"),
    "thousands separators": ("train", lambda g: g.numbers(lambda k: f"{k},000"),
                             r"mine .*'0,000', .*1234\.5"),
    "decimal commas": ("train", lambda g: g.numbers(lambda k: f"{k % 4},5"), r"mine .*1234\.5, .*--task class"),
    "other digits": ("train", lambda g: g.numbers(lambda k: chr(0x660 + k % 10)), r"--metadata \S+metadata\.tsv: .*digits 0 to 9"),
    "classes that are groups": (
        "train", lambda g: {"--metadata": g.metadata(subject_as_disease), "--metadata-column": "disease"},
        "validation sample .*disease"),
    "single class": ("train", lambda g: g.column("same"), r"mine .*'same', in all 24\b"),
    # sequences
    "no FASTA": ("train", lambda _: {"--sequences": "a.fasta"}, r"--sequences a\.fasta does not exist"),
    "not IUPAC": ("train", lambda g: g.renamed("ASV{}".format, lambda sequence: "AC!GT" + sequence),
                  r"\b1 of 30 sequences .*'!'.*'ASV0'"),
    "fewer sequences": ("train", lambda g: {"--sequences": g.file("a.fasta", g.fasta().rpartition(">")[0])},
                        r"\b1 of 30 features .*--sequences\b"),
    "ids are no sequences": ("train", lambda _: {"--sequences": None}, r"\b30 of 30 feature ids .*--sequences\b"),
    "other MD5": ("train", lambda g: g.renamed("{:032x}".format), r"\b30 of 30 sequences .*MD5"),
    # distances
    "no tree": ("pretrain", lambda _: {"--tree": "a.nwk"}, r"--tree a\.nwk does not exist"),
    "other tree": ("pretrain", lambda g: {"--tree": g.file("a.nwk", "(a:1,b:2);")}, r"None of the 30 features .*\btree\b"),
    "other tree, drop": ("pretrain", lambda g: {"--tree": g.file("a.nwk", "(a:1,b:2);"), "--missing-features": "drop"},
                         r"None of the 30 features .*\btree\b"),
    "smaller tree": ("pretrain", lambda g: {"--tree": g.tree_without_one()}, r"\b1 of 30 features .*--missing-features drop"),
    "smaller matrix": ("train", lambda g: {"--distances": g.distances(22)}, r"\b2 of 24 samples .*'S0024'.*--distances"),
    "smaller matrix, pre-training": ("pretrain", lambda g: {"--tree": None, "--distances": g.distances(22)}, r"2 of 24 samples "),
    "tree without lengths": ("pretrain", lambda g: {"--tree": g.tree(lambda text: re.sub(r":[0-9.e-]+", ":0", text))},
                             r"\b30 features .*length 0\b"),
    "tree too long": ("train", lambda g: {"--tree": g.tree(lambda text: re.sub(r":[0-9.e-]+", ":1e308", text))},
                      r"--tree \S+ .*1e\+100"),
    "matrix of zeros": ("pretrain", lambda g: {"--tree": None, "--distances": g.distances(24, 0.0)}, r"\b0 for all pairs"),
    "matrix too large": ("train", lambda g: {"--distances": g.distances(24, 1e308)}, r"1e\+15\b"),
    # models
    "no model": ("predict", lambda _: {"--model": "nowhere"}, "--model nowhere does not exist"),
    "no file of a tree": ("pretrain", lambda _: {"--tree": "nowhere"}, "--tree nowhere does not exist"),
    "no pre-trained model": ("train", lambda g: {"--pretrained": g.study / "s"}, NO_MODEL.format(r"\S+/s")),
    "no weights": ("predict", lambda g: {"--model": g.model("model.safetensors", lambda _: None)}, LOST_MODEL),
    "cut weights": ("predict", lambda g: {"--model": g.model("model.safetensors", lambda b: b[:-9])}, LOST_MODEL),
    "cut weights to start from": ("train", lambda g: {"--pretrained": g.model("model.safetensors", lambda b: b[:-9])}, LOST_MODEL),
    "no state": ("embed", lambda g: {"--model": g.model("state.json", lambda _: None)}, LOST_MODEL),
    "cut config": ("predict", lambda g: {"--model": g.model("config.json", lambda b: b[:-9])}, LOST_MODEL),
    "config is a list": ("predict", lambda g: {"--model": g.model_config(model=[])}, LOST_MODEL),
    "config of another version": ("predict", lambda g: {"--model": g.model_config(model={"depth": 3})}, LOST_MODEL),
    "config with a bad width": ("predict", lambda g: {"--model": g.model_config(model={"embedding_dim": -3})}, LOST_MODEL),
    "model without target": ("predict", lambda g: {"--model": g.study / "pretrained"}, "[Ff]ine-tune .*aam embed"),
    "text for a regression": (
        "evaluate", lambda _: {"--metadata-column": "disease"}, r"disease .*number age\b"),
    "unknown classes": ("evaluate", lambda g: {"--model": g.study / "disease", "--metadata-column": "sex"},
                        "'disease', 'healthy'.*--metadata-column"),
    "weights of NaN": ("predict", lambda g: {"--model": g.model_of_nan()}, r"model\.safetensors .*weights .*not finite"),
    "config of a later version": ("predict", lambda g: {"--model": g.model_config(format=99)}, r"format is 99, not "),
    **{f"state with {name} {value!r}": (
        command, lambda g, name=name, value=value: {"--model": g.model_state(**{name: value})}, rf"ValueError: {name} is .*, not ")
       for command, name, value in (("predict", "depth", -5), ("embed", "depth", "many"), ("evaluate", "depth", 0.5),
                                    ("embed", "depth", True), ("predict", "token_limit", 0), ("predict", "seed", "x"),
                                    ("predict", "metrics", [1]),
                                    ("predict", "target", "x"))},
    "output is here": ("embed", lambda _: {"--output": "."}, r"--output \. is a directory"),
    "output is a link to nothing": ("train", lambda g: {"--output-dir": g.dangling()}, r"--output-dir \S+link .*link to nothing"),
    # places for results
    "output is a file": ("train", lambda g: {"--output-dir": g.file("a", "mine")}, r"--output-dir \S+ is a file"),
    "output in a file": ("train", lambda g: {"--output-dir": g.file("a", "mine") / "b"}, "--output-dir .*Not a directory"),
    "no folder": ("predict", lambda g: {"--output": g.own / "a/b.tsv"}, r"folder \S+a does not exist"),
    "output exists": ("predict", lambda g: {"--output": g.file("a.tsv", "mine")}, OVERWRITE),
    "options beside output exist": ("embed", lambda g: g.already("out.config.yaml"), r"out\.config\.yaml.* exists"),
    "mistake while overwriting": (
        "train", lambda g: g.earlier("train") | {"--overwrite": True, "--group-column": "age"}, r"both age"),
    "overwriting its table": (
        "predict", lambda g: {"--table": g.copy("s/table.biom"), "--output": g.own / "table.biom", "--overwrite": True},
        r"--output \S+ .*--table \S+table\.biom"),
    "overwriting its model": (
        "train", lambda g: {"--pretrained": g.copy("pretrained"), "--output-dir": g.own / "pretrained", "--overwrite": True},
        r"--pretrained \S+pretrained .*--output-dir"),
    "overwriting its study": (
        "train", lambda g: g.earlier("train") | {"--table": g.copy("s/table.biom"), "--output-dir": g.own, "--overwrite": True},
        r"--table \S+table\.biom .*--output-dir"),
    "overwriting another command": ("train", lambda g: g.earlier("simulate") | {"--overwrite": True}, r"'aam simulate' wrote it"),
    "overwriting a user's options": (
        "embed", lambda g: g.already("out.config.yaml") | {"--overwrite": True}, r"out\.config\.yaml.* aam did not write"),
} | {
    f"{name} over a user's own files": (
        name, lambda g: g.already("out/model") | g.already("out/metadata.tsv") | {"--overwrite": True},
        rf"'metadata\.tsv', 'model'.*--overwrite .*'aam {name}'")
    for name in ("simulate", "pretrain", "train", "evaluate", "demo")
} | {
    f"{name} into a full directory": (name, lambda g: g.already("out/notes.txt"), rf"'notes\.txt'{OVERWRITE}")
    for name in ("simulate", "pretrain", "train", "evaluate", "demo")
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_message_and_leaves_nothing_behind(mistake, given, capsys):
    name, make, expected = MISTAKES[mistake]
    arguments = command(given, name, make(given))
    before = contents(given.own)

    message = refusal(capsys, arguments)

    assert re.search(expected, message), message
    assert contents(given.own) == before


def test_samples_that_the_metadata_lacks_can_be_dropped(given, capsys):
    smaller = given.metadata(lambda rows: rows[:-2])

    assert main(command(given, "train", {"--metadata": smaller, "--missing-samples": "drop"})) == 0

    splits = (given.own / "out/splits.tsv").read_text().splitlines()[1:]
    assert {line.split("\t")[0] for line in splits} == {f"S{i:04}" for i in range(1, 23)}
    assert "2 of 24 samples" in capsys.readouterr().err


def test_features_that_the_tree_lacks_can_be_dropped(given, capsys):
    smaller = given.tree_without_one()

    assert main(command(given, "pretrain", {"--tree": smaller, "--missing-features": "drop"})) == 0

    assert "1 of 30 features" in capsys.readouterr().err
    assert (given.own / "out/model/model.safetensors").is_file()


def test_samples_of_a_class_that_the_model_does_not_know_are_left_out(given, capsys):
    other = given.metadata(lambda rows: [*rows[:-3], *([*row[:4], "unheard of", *row[5:]] for row in rows[-3:])])
    changes = {"--model": given.study / "disease", "--metadata": other, "--metadata-column": "disease"}

    assert main(command(given, "evaluate", changes)) == 0

    assert "Left out 3 of 24 samples whose class the model does not know: 'unheard of'" in capsys.readouterr().err
    assert len((given.own / "out/predictions.tsv").read_text().splitlines()) == 1 + 21


def test_overwrite_replaces_results_but_keeps_a_users_own_file(given):
    given.earlier("train")
    for name in ("notes.txt", "metrics.json", "splits.tsv", "plots/old.png"):
        given.file(f"out/{name}", "mine")

    assert main(command(given, "train", {"--overwrite": True})) == 0

    assert (given.own / "out/notes.txt").read_text() == "mine"
    assert json.loads((given.own / "out/metrics.json").read_text())["epochs"] == 1
    assert len((given.own / "out/splits.tsv").read_text().splitlines()) == 1 + 24
    assert {item.name for item in (given.own / "out/plots").iterdir()} == {"target.png", "counts.png"}


def test_overwrite_replaces_predictions_and_the_options_beside_them(given):
    given.file("out.tsv", "mine")
    given.file("out.config.yaml", "# aam predict, version 0.1.0\n")

    assert main(command(given, "predict", {"--overwrite": True})) == 0

    assert (given.own / "out.tsv").read_text().startswith("sample-id\tprediction\nS0001\t")
    assert "rarefy-depth: model" in (given.own / "out.config.yaml").read_text()
