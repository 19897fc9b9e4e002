"""Lineages of features: from every file that holds them, without prefixes, with gaps kept."""

import gzip

import pytest

from aam.errors import TaxonomyError
from aam.io.taxonomy import Taxonomy, read_taxonomy, split_lineage
from helpers.files import TAXONOMY, artifact
from helpers.studies import real_study


def read(folder, text):
    (folder / "taxonomy.tsv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_taxonomy(folder / "taxonomy.tsv")


ROWS = "F1\tk__Bacteria; p__Firmicutes\nF2\tUnassigned\n"


@pytest.mark.parametrize(
    "text",
    [
        ROWS,
        "Feature ID\tTaxon\n" + ROWS,
        "#OTU ID\ttaxonomy\n" + ROWS.replace("; ", ";"),
        "\ufeff# a note\n\nfeature-id\tTaxon\tConfidence\n" + ROWS.replace("\n", "\t0.9\r\n"),
        "Feature ID\tTaxon\tConsensus\n#q2:types\tcategorical\tnumeric\n" + ROWS.replace("\n", "\t1.0\n"),
        gzip.compress(ROWS.encode(), mtime=0),
    ],
)
def test_files_of_many_hands_give_the_same_taxonomy(tmp_path, text):
    assert read(tmp_path, text) == Taxonomy(["F1", "F2"], [("Bacteria", "Firmicutes"), ()])


def test_an_artifact_is_its_payload(tmp_path):
    path = artifact(
        tmp_path / "a.qza", "FeatureData[Taxonomy]", "TSVTaxonomyDirectoryFormat", {"taxonomy.tsv": TAXONOMY}
    )

    assert read_taxonomy(path) == read(tmp_path, TAXONOMY)


@pytest.mark.parametrize(
    ("lineage", "expected"),
    [
        ("d__Bacteria;p__;c__Bacilli;s__", ("Bacteria", None, "Bacilli")),
        ("D_0__Bacteria;D_1__Firmicutes", ("Bacteria", "Firmicutes")),
        ("sk__Bacteria; k__; p__[Thermi]", ("Bacteria", "[Thermi]")),
        ("Bacteria; Firmicutes; ", ("Bacteria", "Firmicutes")),
        ("g__WAL_1855D; s__k__x", (None, None, None, None, None, "WAL_1855D", "k__x")),
        ("k__Bacteria; p__Unclassified", ("Bacteria",)),
        ("", ()),
        (";;", ()),
        ("__", ()),
    ],
)
def test_ranks_are_split_and_lose_their_prefixes(lineage, expected):
    assert split_lineage(lineage) == expected


@pytest.mark.parametrize("study", ["moving_pictures", "ecam_infant", "ibd_2538"])
def test_real_taxonomies_are_read(study):
    path = real_study(study) / "taxonomy.tsv"

    taxonomy = read_taxonomy(path)

    lines = path.read_text().splitlines()[1:]
    assert taxonomy.feature_ids == [line.split("\t")[0] for line in lines]
    assert {lineage[0] for lineage in taxonomy.lineages if lineage} <= {"Bacteria", "Archaea", "Eukaryota"}
    assert max(map(len, taxonomy.lineages)) == 7
    assert not any("__" in name for lineage in taxonomy.lineages for name in lineage if name)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no features"),
        ("Feature ID\tTaxon\n", "holds no features"),
        ("F1,k__Bacteria\n", r"line 1, 'F1,k__Bacteria', .*\b1 columns"),
        ("F1\ta\tb\tc\td\n", r"line 1, 'F1', .*\b5 columns"),
        ("Feature ID\tTaxon\n\tk__Bacteria\n", "line 2 .*feature id"),
        ("F1\ta\nF2\tb\nF1\tc\n", r"\b1 ids .*: 'F1'"),
        ("Feature ID\tS1\nF1\t3\n", "second column .*'S1'"),
        ("sample-id\tsite\nS1\tgut\n", "line 1 .*'site'"),
        ("F1\t0.5\n", r"line 1 .*'0\.5'"),
        (ROWS.encode("utf-16")[:-1], "UTF-16 text, but is damaged"),
    ],
)
def test_malformed_taxonomies_are_refused(tmp_path, text, message):
    with pytest.raises(TaxonomyError, match=message):
        read(tmp_path, text)
