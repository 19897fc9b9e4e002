"""Sets are called by the narrowest rank that their members share."""

import numpy as np
import pytest

from aam.ecology.lineages import lineages_of_study
from aam.explanation.clades import Clades
from aam.explanation.names import taxon_name, taxon_names
from aam.io.taxonomy import read_taxonomy

BACTEROIDES = "k__Bacteria; p__Bacteroidetes; c__Bacteroidia; o__Bacteroidales; f__Bacteroidaceae; g__Bacteroides; s__"
ROWS = {
    "a": BACTEROIDES + "fragilis",
    "b": BACTEROIDES,
    "c": BACTEROIDES,
    "d": BACTEROIDES.replace("g__Bacteroides", "g__"),
    "e": "k__Bacteria; p__Firmicutes; c__Clostridia; o__Clostridiales; f__Ruminococcaceae; g__Faecalibacterium; s__prausnitzii",
    "f": "k__Bacteria; p__Firmicutes; c__Bacilli; o__; f__; g__; s__",
    "g": "Unassigned",
}


@pytest.fixture(scope="module")
def lineages(tmp_path_factory):
    path = tmp_path_factory.mktemp("names") / "taxonomy.tsv"
    path.write_text("Feature ID\tTaxon\n" + "".join(f"{name}\t{text}\n" for name, text in ROWS.items()))
    return lineages_of_study(list(ROWS), read_taxonomy(path), path)


@pytest.mark.parametrize(
    ("features", "name"),
    [
        ("a", "s__Bacteroides fragilis"),
        ("abc", "g__Bacteroides (3 of 3 ASVs)"),
        ("abcd", "g__Bacteroides (3 of 4 ASVs)"),
        ("ad", "f__Bacteroidaceae (2 of 2 ASVs)"),
        ("ef", "p__Firmicutes (2 of 2 ASVs)"),
        ("ae", "d__Bacteria (2 of 2 ASVs)"),
        ("g", ""),
        ("gge"[1:], ""),
    ],
)
def test_names(features, name, lineages):
    rows = np.array([list(ROWS).index(one) for one in features])

    assert taxon_name(rows, lineages) == name


def test_every_set_has_a_name_and_none_without_lineages(lineages):
    clades = Clades.of_intervals(np.arange(3), np.array([0]), np.array([2]))

    assert taxon_names(clades, lineages)[0] == "g__Bacteroides (3 of 3 ASVs)"
    assert taxon_names(clades, None) == [""] * len(clades)
