"""What every config shares: ranges that name the flag, YAML that reads back, and the order in which options win."""

import dataclasses
import os
from pathlib import Path
from typing import Annotated

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, model_validator

from aam.cli import COMMANDS, parse
from aam.config.base import (
    command_of,
    command_that_wrote,
    config,
    fields_as_written,
    flag_of,
    flags_from_yaml,
    flatten,
    input_paths,
    load,
    rebuild,
    write_yaml,
)
from aam.config.commands import PretrainConfig, TrainConfig
from aam.config.model import ModelConfig
from aam.config.study import DistanceConfig, OutputDirectoryConfig, StudyConfig
from aam.errors import ConfigError

REQUIRED = {
    "demo": ["--output-dir", "o"],
    "simulate": ["--output-dir", "o"],
    "prepare": ["--table", "t.biom"],
    "inspect": ["t.biom", "t.nwk"],
    "cache": [],
    "pretrain": ["--table", "t.biom", "--tree", "t.nwk", "--output-dir", "o"],
    "train": ["--table", "t.biom", "--metadata", "m.tsv", "--metadata-column", "age", "--output-dir", "o"],
    "predict": ["--table", "t.biom", "--model", "m", "--output", "o.tsv"],
    "embed": ["--table", "t.biom", "--model", "m", "--output", "o.tsv"],
    "evaluate": [
        "--table", "t.biom", "--model", "m", "--metadata", "m.tsv", "--metadata-column", "age", "--output-dir", "o"
    ],
    "explain": ["--table", "t.biom", "--model", "m", "--output-dir", "o"],
    "crossval": [
        "--table", "t.biom", "--folds", "5", "--metadata", "m.tsv", "--metadata-column", "age", "--output-dir", "o"
    ],
}  # fmt: skip


@config
class Inner:
    """Two numbers with a rule."""

    low_value: Annotated[int, Field(ge=0)] = 1
    high_value: int = 2

    @model_validator(mode="after")
    def _ordered(self) -> "Inner":
        if self.low_value > self.high_value:
            raise ValueError("--low-value exceeds --high-value: swap them.")
        return self


@config
class Outer:
    """A config that holds another."""

    path: Path
    inner: Inner = dataclasses.field(default_factory=Inner)


def read_back(name, options, folder):
    """Parse options, write them as YAML, and parse that."""
    given_options = parse(name, options)
    (folder / "c.yaml").write_text(write_yaml(given_options), encoding="utf-8")
    return given_options, parse(name, ["--config", str(folder / "c.yaml")])


def test_a_config_is_frozen_and_takes_names_only():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Inner().low_value = 3
    with pytest.raises(TypeError):
        Inner(1, 2)


def test_a_value_out_of_range_names_its_flag_and_the_range():
    with pytest.raises(ConfigError, match=r"^--low-value -1: input should be greater than or equal to 0\.$"):
        Inner(low_value=-1)


def test_a_broken_rule_is_told_in_its_own_words():
    with pytest.raises(ConfigError, match=r"^--low-value exceeds --high-value: swap them\.$"):
        Inner(low_value=3)


def test_all_values_out_of_range_are_told_at_once():
    with pytest.raises(ConfigError, match=r"--embedding-dim 1: .*\. --attention-heads 0: .*\. --dropout 1.0: .*\."):
        ModelConfig(embedding_dim=1, attention_heads=0, dropout=1.0)


def test_a_replaced_value_is_checked_too():
    with pytest.raises(ConfigError, match="--low-value exceeds"):
        dataclasses.replace(Inner(), low_value=9)


def test_a_field_is_spelled_as_the_user_types_it():
    assert flag_of("ffn_ratio") == "--ffn-ratio"


def test_nested_configs_are_flattened_to_plain_values():
    assert flatten(Outer(path=Path("a/b"))) == {"path": "a/b", "low-value": 1, "high-value": 2}


def test_no_command_has_two_options_of_one_name():
    for command in COMMANDS.values():
        names = [field for field in _leaves(load(command.config))]
        assert len(set(names)) == len(names), command.config


def _leaves(cls):
    for field in dataclasses.fields(cls):
        if dataclasses.is_dataclass(field.type):
            yield from _leaves(field.type)
        else:
            yield field.name


@pytest.mark.parametrize("name", COMMANDS)
def test_the_options_of_every_command_read_back_from_yaml(name, tmp_path):
    first, second = read_back(name, REQUIRED[name], tmp_path)

    assert first == second


@pytest.mark.parametrize("name", COMMANDS)
def test_the_first_line_of_the_options_names_the_command(name, tmp_path):
    options = parse(name, REQUIRED[name])
    (tmp_path / "c.yaml").write_text(write_yaml(options), encoding="utf-8")

    mark = "evaluate" if name == "crossval" else name  # whose other spelling is aam evaluate --folds
    assert command_of(options) == command_that_wrote(tmp_path / "c.yaml") == mark


@pytest.mark.parametrize(
    "content", [b"", b"lr: 1", b"# aam", b"# aam is great, version 2", b"\xff\xfe", b"#aam train, version 0.1.0"]
)
def test_a_file_without_the_mark_was_not_written_by_aam(content, tmp_path):
    (tmp_path / "c.yaml").write_bytes(content)

    assert command_that_wrote(tmp_path / "c.yaml") is None
    assert command_that_wrote(tmp_path / "absent") is None


def test_inputs_are_the_paths_that_are_neither_outputs_nor_the_cache():
    options = ["--tree", "n", "--sequences", "f", "--pretrained", "p", "--cache-dir", "c"]

    found = dict(input_paths(parse("train", [*REQUIRED["train"], *options])))

    assert {flag: str(path) for flag, path in found.items()} == {
        "--table": "t.biom", "--sequences": "f", "--metadata": "m.tsv", "--pretrained": "p", "--tree": "n"
    }  # fmt: skip
    assert [flag for flag, _ in input_paths(parse("embed", REQUIRED["embed"]))] == ["--table", "--model"]
    assert list(input_paths(parse("simulate", REQUIRED["simulate"]))) == []


@pytest.mark.parametrize(
    "options",
    [
        ["--lr", "1e-5", "--rarefy-depth", "3000", "--no-gradient-checkpointing"],
        ["--rarefy-depth", "none", "--group-column", "host subject id", "--task", "regression"],
        ["--group-column", "yes", "--sequences", "ä b.fasta"],
        ["--group-column", "007"],
        ["--missing-values", "NA", "not collected", "null", "no", "-9", "1e3", "None"],
        ["--group-column", "2020-01-31"],
        ["--group-column", "1e3"],
        ["--group-column", "a: 'b' #c"],
        ["--pretrained", "p", "--freeze-base", "--precision", "bf16-mixed"],
    ],
    ids=" ".join,
)
def test_unusual_values_read_back_from_yaml(options, tmp_path):
    first, second = read_back("train", [*REQUIRED["train"], *options], tmp_path)

    assert first == second


def test_replacing_and_continuing_a_run_are_not_repeated_by_its_file(tmp_path):
    first, second = read_back("train", [*REQUIRED["train"], "--overwrite", "--lr", "0.1"], tmp_path)

    assert first.output.overwrite
    assert not second.output.overwrite
    assert second.training.lr == 0.1


@settings(max_examples=30, deadline=None)
@given(lr=st.floats(1e-12, 100), seed=st.integers(0, 2**62), epochs=st.integers(1, 10**9), layers=st.integers(1, 99))
def test_numbers_read_back_from_yaml_exactly(lr, seed, epochs, layers, tmp_path_factory):
    options = ["--lr", repr(lr), "--seed", str(seed), "--epochs", str(epochs), "--attention-layers", str(layers)]

    first, second = read_back("train", [*REQUIRED["train"], *options], tmp_path_factory.mktemp("yaml"))

    assert first == second
    assert (second.training.lr, second.training.seed) == (lr, seed)


@pytest.mark.parametrize(
    ("in_file", "typed", "expected"),
    [
        ("epochs: 3", ["--epochs", "5"], {"epochs": 5}),
        ("gradient-checkpointing: false", ["--gradient-checkpointing"], {"gradient-checkpointing": True}),
        ("gradient-checkpointing: true", ["--no-gradient-checkpointing"], {"gradient-checkpointing": False}),
        ("rarefy-depth: 100", ["--rarefy-depth", "none"], {"rarefy-depth": "none"}),
        ("sequences: a.fasta", ["--sequences", "None"], {"sequences": None}),
        ("--lr: 0.1\nseed: 4", ["--lr=0.5"], {"lr": 0.5, "seed": 4}),
        ("batch_size: 3", [], {"batch-size": 3}),
    ],
    ids=str,
)
@pytest.mark.parametrize("is_file_first", [True, False], ids=["file first", "file last"])
def test_the_command_line_wins_over_the_file_wherever_it_stands(in_file, typed, expected, is_file_first, tmp_path):
    (tmp_path / "c.yaml").write_text(in_file)
    from_file = ["--config", str(tmp_path / "c.yaml")]

    options = [*from_file, *typed] if is_file_first else [*typed, *from_file]
    parsed = flatten(parse("pretrain", [*REQUIRED["pretrain"], *options]))

    assert {name: parsed[name] for name in expected} == expected


def test_of_two_files_the_later_wins(tmp_path):
    (tmp_path / "a.yaml").write_text("epochs: 3\nseed: 1\n")
    (tmp_path / "b.yaml").write_text("epochs: 5\n")

    parsed = parse("pretrain", [*REQUIRED["pretrain"], f"--config={tmp_path}/a.yaml", "--config", f"{tmp_path}/b.yaml"])

    assert (parsed.training.epochs, parsed.training.seed) == (5, 1)


def test_a_file_becomes_arguments_in_its_order(tmp_path):
    (tmp_path / "c.yaml").write_text("table: t\nfreeze_base: true\noverwrite: false\nnames: [a, 2]\nseed: null\n")

    assert flags_from_yaml(tmp_path / "c.yaml") == [
        "--table", "t", "--freeze-base", "--no-overwrite", "--names", "a", "2", "--seed", "None",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: [", r"--config \S+c\.yaml is not valid YAML: .*line 1"),
        (b"a: \xff", r"--config \S+c\.yaml is not valid YAML: .*decode"),
        (b"- a\n- b", r"expected lines of the form 'flag-name: value', without nesting"),
        (b"", r"expected lines of the form"),
        (b"training:\n  epochs: 3", r"without nesting"),
    ],
)
def test_a_file_that_cannot_be_used_is_an_error_of_one_line(content, message, tmp_path):
    (tmp_path / "c.yaml").write_bytes(content)

    with pytest.raises(ConfigError, match=message) as raised:
        flags_from_yaml(tmp_path / "c.yaml")

    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(("name", "message"), [("absent.yaml", "No such file"), (".", "Is a directory")])
def test_a_file_that_cannot_be_opened_is_an_error(name, message, tmp_path):
    with pytest.raises(ConfigError, match=rf"--config \S+: {message}"):
        flags_from_yaml(tmp_path / name)


def test_a_config_is_rebuilt_from_its_plain_values():
    original = PretrainConfig(
        study=StudyConfig(table=Path("t")),
        distance=DistanceConfig(tree=Path("n")),
        output=OutputDirectoryConfig(output_dir=Path("o")),
        model=ModelConfig(embedding_dim=24, attention_heads=3),
    )

    assert rebuild(PretrainConfig, dataclasses.asdict(original)) == original


@pytest.mark.parametrize(
    ("cls", "values", "message"),
    [
        (ModelConfig, {"width": 3, "depth": 2}, r"ModelConfig has no setting depth, width: was it written by another version"),
        (ModelConfig, {"embedding_dim": -3}, r"--embedding-dim -3: input should be greater"),
        (TrainConfig, {"target": {"kind": "x"}}, r"TargetConfig has no setting kind"),
        (StudyConfig, {}, r"--table .*missing|--table .*required"),
    ],
)  # fmt: skip
def test_values_that_do_not_fit_the_class_are_an_error(cls, values, message):
    with pytest.raises(ConfigError, match=message):
        rebuild(cls, values)


@pytest.mark.parametrize("flag", ["--lr", "--ffn-ratio", "--penalty", "--weight-decay", "--gradient-clip"])
@pytest.mark.parametrize("value", ["inf", "nan"])
def test_what_is_no_finite_number_is_refused(flag, value):
    with pytest.raises(ConfigError, match=rf"^{flag} {value}: input should be"):
        parse("pretrain", [*REQUIRED["pretrain"], flag, value])


def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(ConfigError, match=r"--config \S+pipe is a named pipe: save the options to a file"):
        flags_from_yaml(tmp_path / "pipe")


def test_a_class_of_another_name_belongs_to_the_command_that_it_declares():
    class SomethingElse(TrainConfig):
        pass

    options = {
        "study": {"table": "t"},
        "label": {"metadata": "m", "metadata_column": ("age",)},
        "output": {"output_dir": "o"},
    }

    assert command_of(SomethingElse(**options)) == "train"


def test_fields_of_a_parent_are_written_in_the_order_of_the_files_that_there_are():
    train, folds = (
        [item.name for item in fields_as_written(load(f"aam.config.{path}"))]
        for path in ("commands:TrainConfig", "crossval:CrossvalConfig")
    )

    assert train[5:9] == ["network_head", "covariates", "split", "transfer"]
    assert train[-2:] == ["saving", "devices"]
    assert folds[:4] == ["study", "label", "folds", "output"]


@pytest.mark.parametrize("key", ["size-window", "size_window", "--size-window"])
def test_a_deleted_option_of_an_earlier_file_is_passed_over_at_its_default(key, tmp_path):
    (tmp_path / "c.yaml").write_text(f"{key}: 1\nlr: 0.5\n")

    parsed = parse("pretrain", [*REQUIRED["pretrain"], "--config", str(tmp_path / "c.yaml")])

    assert parsed.training.lr == 0.5


def test_a_deleted_option_that_was_used_is_refused(tmp_path):
    (tmp_path / "c.yaml").write_text("size-window: 8\n")

    with pytest.raises(
        ConfigError, match=r"c\.yaml: size-window 8 is of an option that aam no longer has: take it out"
    ):
        parse("pretrain", [*REQUIRED["pretrain"], "--config", str(tmp_path / "c.yaml")])
