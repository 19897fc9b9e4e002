"""Tables whose values are no counts of reads: logarithms, multiples, and statistics beside the samples."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array

from aam.data.fingerprints import Sketcher, place_keys
from aam.data.summary_columns import FeatureTotals, statistic_remarks
from aam.data.table_checks import counts_remarks
from aam.io.tables import read_table
from helpers.commands import run, succeed
from helpers.kinds import Kind
from helpers.people import drawn, people

KINDS = {
    "logarithms": Kind(
        "Samples",
        "Logarithms of reads that were rounded, such as `round(log1p(x))`",
        "All commands say that no value is far above the mean of its sample; shallow and rarefied samples are none of these",
        "Pass the table of reads",
    ),
    "multiples": Kind(
        "Samples",
        "Counts of which all are multiples of a number, such as reads times 1000",
        "All commands name the number",
        "Pass the table of reads, such as these counts divided by that number",
    ),
    "statistics": Kind(
        "Samples",
        "A column of means, medians, maxima or standard deviations beside the samples, or a row of such",
        "All commands find a column by its values, whatever its name; where values are fractions, and of a row, the error says by "
        "its name what it may be",
        "Take it out of the table",
    ),
}


def remarks_of(counts):
    counts = np.asarray(counts).astype(np.int64)
    sketches = Sketcher(place_keys(counts.shape[1]))(csr_array(counts))
    return counts_remarks(counts.sum(axis=1), (counts > 0).sum(axis=1), sketches)


def community(seed=0, n_samples=20, n_asvs=600, depth=20_000):
    """Draw reads of a community of few abundant members, of which each sample has about a third."""
    stream = np.random.default_rng(seed)
    weights = stream.lognormal(0, 2, (n_samples, n_asvs)) * (stream.random((n_samples, n_asvs)) < 0.4)
    return stream.poisson(weights / weights.sum(axis=1, keepdims=True) * depth)


LOGARITHMS = {
    "log1p": np.log1p,
    "log2": lambda counts: np.log2(counts + 1),
    "log10": lambda counts: np.log10(10 * counts + 1),
    "log1p, rounded up": lambda counts: np.ceil(np.log1p(counts)),
}


@pytest.mark.parametrize("transform", LOGARITHMS.values(), ids=LOGARITHMS)
@pytest.mark.parametrize("seed", [0, 1])
def test_rounded_logarithms_are_said_to_be_none(transform, seed):
    values = np.rint(transform(community(seed)))

    (remark,) = remarks_of(values)

    assert f"No value of the table is above {int(values.max())}," in remark
    assert "logarithms of reads that were rounded" in remark


@pytest.mark.parametrize("depth", [60, 101, 200, 500, 1000, 5000])
@pytest.mark.parametrize("seed", range(5))
def test_shallow_and_rarefied_reads_are_no_logarithms_and_no_multiples(depth, seed):
    assert remarks_of(drawn(community(seed), depth, seed)) == []


@pytest.mark.parametrize("factor", [2, 3, 1000])
def test_multiples_are_named_with_their_factor(tmp_path, capsys, factor):
    study = replace(people(), counts=people().counts * factor)

    succeed("inspect", study.files(tmp_path)[1])

    text = " ".join(capsys.readouterr().out.split())
    assert f"All counts of all samples are multiples of {factor:,}:" in text
    assert len(remarks_of(study.counts)) == 1


def test_samples_that_were_multiplied_each_by_a_number_are_said_to_be():
    counts = people().counts * np.array([3, 7, 10, 4] * 15)[:, None]

    (remark,) = remarks_of(counts)

    assert "All counts of 60 of 60 samples are multiples of one number in each, such as 3, 4, 7" in remark


STATISTICS = {
    "means": lambda counts: np.rint(counts.mean(axis=0)),
    "means, rounded down": lambda counts: np.floor(counts.mean(axis=0)),
    "means, rounded up": lambda counts: np.ceil(counts.mean(axis=0)),
    "medians": lambda counts: np.rint(np.median(counts, axis=0)),
    "maxima": lambda counts: counts.max(axis=0),
}


@pytest.mark.parametrize("name", ["Mean", "X7", "all of them"])
@pytest.mark.parametrize("kind", STATISTICS)
def test_a_column_of_a_statistic_is_found_by_its_values(tmp_path, capsys, kind, name):
    study = people()
    beside = study.with_samples([name], STATISTICS[kind](study.counts).astype(int)[None])
    says = f"The counts of '{name}' are the {kind.split(',')[0]} of all other samples"

    succeed("inspect", beside.files(tmp_path)[1])
    inspected = " ".join(capsys.readouterr().out.split())
    options = ("--folds", "4", "--baselines", "guess", "--no-aam")
    succeed("crossval", *beside.labelled(tmp_path, "age"), *options, "--output-dir", tmp_path / "o")
    crossvalidated = " ".join(capsys.readouterr().err.split())

    assert inspected.count(says) == crossvalidated.count(says) == 1


def statistics_of(names, counts):
    counts = csr_array(counts.astype(np.int64))
    totals = FeatureTotals.of([counts], counts.shape[1])
    found = statistic_remarks(names, counts.sum(axis=1), np.diff(counts.indptr), totals, lambda: [counts])
    return {names[index]: remark.split(" are the ")[1].split(" of all")[0] for index, remark in found.items()}


BESIDE = [
    {"Total": "sums", "Average": "means"},
    {"Mean": "means", "SD": "standard deviations", "Max": "maxima", "Median": "medians"},
    {"a": "maxima", "b": "means"},
    {"st.dev": "standard deviations"},
]
VALUES = {
    "sums": lambda counts: counts.sum(axis=0),
    "standard deviations": lambda counts: np.rint(counts.std(axis=0, ddof=1)),
    **STATISTICS,
}


@pytest.mark.parametrize("beside", BESIDE, ids=str)
@pytest.mark.parametrize("seed", [0, 1])
def test_several_statistics_are_told_apart(beside, seed):
    counts = community(seed, n_asvs=200)
    names = [f"S{k}" for k in range(len(counts))]

    columns = [VALUES[kind](counts) for kind in beside.values()]

    assert statistics_of([*beside, *names], np.vstack([*columns, counts])) == beside


@pytest.mark.parametrize("seed", range(10))
def test_samples_named_like_statistics_and_equal_samples_are_samples(seed):
    counts = community(seed, n_samples=8, n_asvs=60 + 40 * seed, depth=3000)

    assert statistics_of(["Max", "Mean", *"abcdef"], counts) == {}
    assert statistics_of(list("abcdefgh"), np.tile(counts[:1], (8, 1))) == {}
    assert statistics_of(list("abcdefgh"), drawn(counts, 40, seed)) == {}


@pytest.mark.parametrize(
    ("name", "values"), [("Mean", np.mean), ("average", np.median), ("Std.Dev", np.std)], ids=lambda v: str(v)[:12]
)
def test_statistics_that_are_fractions_are_named_by_the_error(tmp_path, capsys, name, values):
    study = people()
    column = study.with_samples([name], values(study.counts, axis=0)[None] + 0.25)
    row = replace(study, asvs=[*study.asvs, name], counts=np.c_[study.counts, values(study.counts, axis=1) + 0.25])

    for other, place in ((column, "column"), (row, "row")):
        assert run("inspect", other.files(tmp_path)[1]) == 2
        assert f"{name!r} may be a {place} of" in " ".join(capsys.readouterr().out.split())


def test_a_clean_table_gives_no_remark_on_its_values(tmp_path):
    study = people()
    table = read_table(Path(study.files(tmp_path)[1]))

    assert table.counts.toarray().tolist() == study.counts.tolist()
    assert remarks_of(study.counts) == []
    assert statistics_of(study.ids, study.counts) == {}
