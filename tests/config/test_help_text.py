"""The help: short, wrapped once, every option exactly once in that of all options and in one of the topics."""

import dataclasses
import re
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Literal

import pytest

from aam.cli import COMMANDS, main
from aam.config.base import load
from aam.config.help_text import metavar
from aam.config.help_text import options_of as options_of_help
from aam.config.options import flag_of


def help_of(capsys, *options: str) -> str:
    with pytest.raises(SystemExit) as stop:
        main([*options])

    assert stop.value.code == 0
    return capsys.readouterr().out


def entries(shown: str) -> list[str]:
    """Find the flags of the options that a help explains."""
    return re.findall(r"^  (--[a-z-]+|FILE)", shown, re.MULTILINE)


def options_of(config: type) -> list[str]:
    """Name the options of a config as the help does."""
    names = []
    for field in dataclasses.fields(config):
        is_group = dataclasses.is_dataclass(field.type)
        names += options_of(field.type) if is_group else [flag_of(field.name)]
    return names


def configs(config: type) -> list[type]:
    nested = [field.type for field in dataclasses.fields(config) if dataclasses.is_dataclass(field.type)]
    return [config, *(inner for item in nested for inner in configs(item))]


ALL_OPTIONS = {name: [*options_of(load(command.config)), "--config"] for name, command in COMMANDS.items()}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_explained_exactly_once_in_the_help_of_all(name, capsys):
    shown = help_of(capsys, name, "--help", "all")

    assert sorted(entries(shown)) == sorted(ALL_OPTIONS[name])
    for config in configs(load(COMMANDS[name].config)):
        assert config.__doc__


@pytest.mark.parametrize("name", COMMANDS)
def test_the_topics_of_the_help_hold_every_option_once(name, capsys):
    assert main([name, "--help", "nothing"]) == 2
    message = capsys.readouterr().err
    all_of_them, *topics = message.partition("Topics: ")[2].strip().removesuffix(".").split(", ")

    explained = [flag for topic in topics for flag in entries(help_of(capsys, name, "--help", topic))]

    assert message.startswith(f"aam {name}: --help nothing: there is no such topic. ")
    assert all_of_them == "all"
    assert sorted(explained) == sorted(ALL_OPTIONS[name])


@pytest.mark.parametrize("name", ["train", "pretrain", "crossval"])
def test_the_short_help_is_short_and_names_the_topics(name, capsys):
    shown = help_of(capsys, name, "--help")

    assert shown.count("\n") <= 110
    assert shown.count("(default: None)") == 0
    assert set(entries(shown)) < {*ALL_OPTIONS[name], "--no-aam"}
    for topic in ("study", "objectives", "optimiser", "all"):
        assert f"--help {topic}" in shown or f"\n  {topic} " in shown


TRAIN_IN_SHORT = {
    "table", "sequences", "tree", "taxonomy", "metadata", "metadata-column", "group-column", "task", "missing-values",
    "missing-samples", "categorical-columns", "numeric-columns", "pretrained", "head", "ensemble", "coverage",
    "embedding-dim", "attention-layers", "epochs", "batch-size", "lr", "rarefy-depth", "seed", "devices", "resume",
    "output-dir", "overwrite", "config",
}  # fmt: skip


def test_the_short_help_of_train_shows_what_most_need_and_which_options_the_network_alone_reads(capsys):
    shown = help_of(capsys, "train", "--help")

    assert sorted(entries(shown)) == sorted(f"--{flag}" for flag in TRAIN_IN_SHORT)
    assert "(network only)" in shown
    assert "(network only)" not in help_of(capsys, "pretrain", "--help", "all")
    examples = shown.partition("Examples\n")[2]
    for needed in ("aam train", "--group-column subject", "--head network", "aam predict --model trained"):
        assert needed in examples


def test_options_of_the_kernel_head_are_not_marked_as_the_networks(capsys):
    described = re.split(r"^  (?=--)", help_of(capsys, "train", "--help", "all"), flags=re.MULTILINE)[1:]
    of_any_head = {text.split()[0].rstrip(",") for text in described if "(network only)" not in " ".join(text.split())}

    assert {"--tree", "--pretrained", "--seed", "--rarefy-depth", "--max-bp", "--head", "--coverage"} <= of_any_head
    assert not of_any_head & {"--lr", "--ensemble", "--embedding-dim", "--loss-type", "--devices", "--objectives"}


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("topic", [[], ["all"]])
def test_the_help_is_plain_text_wrapped_once(name, topic, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")

    shown = help_of(capsys, name, "--help", *topic)

    assert not set(shown) & set("╭╮╰╯│─")
    assert max(map(len, shown.splitlines())) <= 80
    assert shown == help_of(capsys, name, "-h", *topic)


def test_the_help_is_as_wide_as_the_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")

    assert 110 < max(map(len, help_of(capsys, "train", "--help", "all").splitlines())) <= 120


def test_either_spelling_of_crossval_has_its_help(capsys):
    assert help_of(capsys, "evaluate", "--folds", "5", "--help") == help_of(capsys, "crossval", "--help")


def test_the_help_does_without_heavy_libraries():
    code = (
        "import sys\nfrom aam.cli import main\n"
        "try:\n    main(['train', '--help', 'all'])\nexcept SystemExit:\n    pass\n"
        "assert not {'torch', 'numpy', 'pandas'} & set(sys.modules)"
    )

    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_first_sentence_of_an_option_stands_alone(name):
    for option in options_of_help(load(COMMANDS[name].config)):
        assert option.first_sentence[0].isupper(), option.spelled
        assert len(option.first_sentence) <= (105 if option.brief else 150), option.spelled
        assert not option.first_sentence.startswith("Of "), option.spelled


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        (float | None, "NUMBER"),
        (Literal["balanced"] | Path | None, "balanced|PATH"),
        (Annotated[Annotated[int, "range"] | None, "mark"], "INT"),
        (tuple[Literal["a", "b"], ...] | None, "a|b ..."),
    ],
)
def test_a_value_is_named_by_its_type(kind, shown):
    assert metavar(kind) == shown
