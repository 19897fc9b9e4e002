"""Clean studies are learned, compared, predicted and embedded without a warning but those that are so, each of which is named."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from aam.data.few_reads import automatic_depth
from aam.errors import name_some
from aam.io.tables import read_table
from helpers.commands import QUIET, read, simulate, warnings_of
from helpers.kinds import Kind
from helpers.studies import real_study

KINDS: dict[str, Kind] = {}
"""Nothing here goes wrong."""

SHAPE = ["--embedding-dim", "8", "--attention-heads", "2", "--attention-layers", "1", "--epochs", "1"]


NETWORK_COMMANDS = (("pretrain", "train"), ("predict", "evaluate", "embed", "embed by the head"))
"""What `said_of_network` runs on the samples to learn from, and on new ones."""


@dataclass(frozen=True)
class Part:
    """Some samples of a study as files: the options of the table, and of the metadata with the column to learn."""

    files: list[str]
    labels: list[str]
    reads: pd.Series


def write_part(study: Path, folder: Path, name: str, frame: pd.DataFrame, column: str) -> Part:
    """Write the table and the metadata of the samples of a frame."""
    table = read_table(study / "table.biom")
    ids = [sample for sample in table.sample_ids if sample in frame.index]
    counts = table.counts.toarray()[[table.sample_ids.index(sample) for sample in ids]].astype(int)
    is_seen = counts.any(axis=0)
    features = pd.Index(table.feature_ids, name="#OTU ID")[is_seen]
    pd.DataFrame(counts[:, is_seen].T, features, ids).to_csv(folder / f"{name}.tsv", sep="\t")
    frame.loc[ids].to_csv(folder / f"{name}-metadata.tsv", sep="\t")
    files = ["--table", str(folder / f"{name}.tsv"), "--sequences", str(study / "sequences.fasta")]
    labels = ["--metadata", str(folder / f"{name}-metadata.tsv"), "--metadata-column", column]
    return Part(files, labels, pd.Series(counts.sum(axis=1), ids))


def divide(study: Path, folder: Path, column: str, group: str | None) -> tuple[Part, Part]:
    """Write a study as samples to learn from and new ones: each fourth sample, or all samples of each fourth subject."""
    frame = pd.read_csv(study / "metadata.tsv", sep="\t", dtype=str, keep_default_na=False, index_col=0)
    units = frame.index if group is None else frame[group]
    is_new = units.isin(sorted(set(units))[::4])
    return tuple(
        write_part(study, folder, name, frame[chosen], column) for name, chosen in (("old", ~is_new), ("new", is_new))
    )


def people_of(seed: int, folder: Path) -> Path:
    """Simulate a study of 28 people."""
    return simulate(folder / "study", 84, 60 + seed, 60, "--subjects", 28, "--seed", seed)


def said_of_new(model: Path, new: Part, folder: Path, *conditions) -> dict[str, list[str]]:
    """Predict new samples and compare them with their labels, and return the warnings of each command."""
    of_model = ["--model", model, *new.files]
    return {
        "predict": warnings_of("predict", *of_model, *conditions, "--output", folder / "p.tsv"),
        "evaluate": warnings_of("evaluate", *of_model, *new.labels, "--output-dir", folder / "scores"),
    }


def said_of_kernel(parts: tuple[Part, Part], folder: Path, *options) -> dict[str, list[str]]:
    """Train, compare over folds and predict with the kernel head."""
    old, new = parts
    learned = [*old.files, *old.labels, *options]
    folds = ["--folds", "3", "--baselines", "guess", "--output-dir", folder / "folds"]
    return {
        "train": warnings_of("train", *learned, "--output-dir", folder / "model"),
        "crossval": warnings_of("crossval", *learned, *folds),
        **said_of_new(folder / "model", new, folder),
    }


def said_of_network(parts: tuple[Part, Part], folder: Path, *options, conditions=()) -> dict[str, list[str]]:
    """Pre-train, train from that or on ``conditions``, predict and embed."""
    old, new = parts
    model, pretrained = folder / "model", folder / "pretrained"
    said = {"pretrain": warnings_of("pretrain", *old.files, "--penalty", "0", *SHAPE, "--output-dir", pretrained)}
    start = [*SHAPE, *conditions] if conditions else ["--pretrained", pretrained, "--epochs", "1"]
    head = ["--head", "network", *start, *options, "--output-dir", model]
    said["train"] = warnings_of("train", *old.files, *old.labels, *head)
    said |= said_of_new(model, new, folder, *(new.labels[:2] if conditions else ()))
    for name, path in (("embed", pretrained), ("embed by the head", model)):
        said[name] = warnings_of("embed", "--model", path, *new.files, "--output", folder / f"{name}.tsv")
    return said


def assert_only(said: dict[str, list[str]], true: dict[str, list[str]]) -> None:
    """Hold that the warnings of each command are those that are so, in their order."""
    for command, warnings in said.items():
        expected = true.get(command, [])
        assert len(warnings) == len(expected), (command, warnings)
        assert all(part in warning for warning, part in zip(warnings, expected, strict=True)), (command, warnings)


COLUMNS = {31: "age", 32: "disease", 33: "batch", 34: "birth_weight", 35: "sex", 36: "age", 37: "disease"}
"""Column to learn by the seed of a study: two that microbes tell, and three that they do not."""


@pytest.mark.parametrize("seed", COLUMNS)
def test_simulated_studies_are_learned_without_a_warning(seed, tmp_path):
    parts = divide(people_of(seed, tmp_path), tmp_path, COLUMNS[seed], "subject")

    said = said_of_kernel(parts, tmp_path, "--group-column", "subject")

    assert_only(said, {})
    assert sorted(read(tmp_path / "p.tsv").index) == sorted(parts[1].reads.index)


def left_out(parts: tuple[Part, Part]) -> dict[str, list[str]]:
    """Return what is said of samples of fewer reads than the automatic depth of a network, which are left out indeed."""
    old, new = parts
    depth = automatic_depth(old.reads.to_numpy())
    said = []
    for part in (old, new):
        few = part.reads.index[part.reads < depth].tolist()
        of_all = f"Dropped {len(few)} of {len(part.reads)} samples with fewer than {depth:,} reads: {name_some(few)}."
        said.append([of_all] if few else [])
    of_old, of_new = (dict.fromkeys(names, remarks) for names, remarks in zip(NETWORK_COMMANDS, said, strict=True))
    return of_old | of_new


@QUIET
@pytest.mark.parametrize(("seed", "column"), [(41, "age"), (42, "disease"), (43, "age"), (47, "sex")])
def test_simulated_studies_are_learned_by_networks_without_a_warning(seed, column, tmp_path):
    parts = divide(people_of(seed, tmp_path), tmp_path, column, "subject")

    assert_only(said_of_network(parts, tmp_path, "--group-column", "subject"), left_out(parts))


CONDITIONS = ["--numeric-columns", "birth_weight", "--categorical-columns", "sex", "batch"]


@QUIET
@pytest.mark.parametrize("seed", [44, 45, 46])
def test_clean_columns_are_conditioned_on_without_a_warning(seed, tmp_path):
    parts = divide(people_of(seed, tmp_path), tmp_path, "age", "subject")

    said = said_of_network(parts, tmp_path, "--group-column", "subject", conditions=CONDITIONS)

    assert_only(said, left_out(parts))


IDS = "not as sample ids: 'SampleID'"
SUBJECTS = "Column 'subject' has 2 values in 25 samples"
REAL = {
    "moving_pictures": ("body-site", None, {"train": [SUBJECTS], "crossval": [SUBJECTS]}),
    "cfs": ("Subject", None, {"train": [IDS], "crossval": [IDS], "evaluate": [IDS]}),
    "crohn_israel": ("ibd", "host_subject_id", {}),
}
"""Column to learn, of the subject, and what is said of each real study by command; each was looked up in the files and is so."""


@pytest.mark.parametrize("name", REAL)
def test_real_studies_are_learned_without_a_warning_but_what_is_so(name, tmp_path):
    column, group, true = REAL[name]
    parts = divide(real_study(name), tmp_path, column, group)

    said = said_of_kernel(parts, tmp_path, *(["--group-column", group] if group else []))

    assert_only(said, true)
    assert sorted(read(tmp_path / "p.tsv").index) == sorted(parts[1].reads.index)


@QUIET
def test_a_real_study_is_learned_by_a_network_without_a_warning_but_what_is_so(tmp_path):
    parts = divide(real_study("moving_pictures"), tmp_path, "body-site", None)
    true = left_out(parts)

    said = said_of_network(parts, tmp_path)

    assert "'L3S242'" in true["predict"][0]  # of 9 new samples, the one of 898 reads
    assert_only(said, {**true, "train": [SUBJECTS, *true["train"]]})
