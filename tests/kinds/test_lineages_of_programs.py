"""Taxonomies of vsearch, mothur, DADA2 and QIIME 2, and what they write where a taxon is unknown."""

import logging

import pytest

from aam.ecology.lineages import lineages_of_study
from aam.errors import InputError, TaxonomyError
from aam.inspection.files import inspect_file
from aam.io.detect import detect_format
from aam.io.taxonomy import read_taxonomy
from helpers.kinds import Kind

KINDS = {
    "formats": Kind(
        "Taxonomy",
        "SINTAX of vsearch and usearch, `.taxonomy` and `.cons.taxonomy` of mothur, fixrank and allrank of the RDP classifier, a "
        "column for each rank (DADA2, phyloseq), bars between ranks",
        "Reads the lineages; confidences in brackets are removed; of SINTAX with a cutoff, the part above it; a rank that is left "
        "out is unknown",
        "Nothing",
    ),
    "no lineages": Kind(
        "Taxonomy",
        "Hits of a search (BLAST's outfmt 6, `.uc`) or a profile of MetaPhlAn passed as `--taxonomy`",
        "Says what it is, and stops",
        "`vsearch --sintax … --tabbedout`, as the message says",
    ),
    "placeholders": Kind(
        "Taxonomy",
        "`uncultured`, `metagenome`, `Incertae_Sedis`, `X_unclassified`, `unidentified`, `__`, `Ambiguous_taxa`, `X_sp` …",
        "Reads them as unknown below their ancestors; names such as `UBA1819` and `[Mogibacteriaceae]` stay",
        "Nothing",
    ),
    "features": Kind(
        "Taxonomy",
        "Feature ids that the taxonomy writes otherwise or lacks",
        "Finds those with `;size=12;`; warns of features without a row, with ids of both files and the rule",
        "Run the command that the message shows, or pass the taxonomy of these features",
    ),
}

BACILLUS = ("Bacteria", "Firmicutes", "Bacilli", "Bacillales", "Bacillaceae", "Bacillus")
CLOSTRIDIA = ("Bacteria", "Firmicutes", "Clostridia")
EXPECTED = {"A1": BACILLUS, "A2": CLOSTRIDIA, "A3": ()}
RANKS = ("Kingdom", "Phylum", "Class", "Order", "Family", "Genus", "Species")


def cells(lineage, empty="NA", n_ranks=7):
    return [*lineage, *[empty] * (n_ranks - len(lineage))]


def table(separator, rows, quote=""):
    return "".join(separator.join(f"{quote}{cell}{quote}" for cell in row) + "\n" for row in rows)


ROWS = [("A1", *cells(BACILLUS)), ("A2", *cells(CLOSTRIDIA)), ("A3", *cells(()))]
LETTERS = "dpcofg"


def sintax(lineage, confidence="({})"):
    share = iter(("1.00", "0.98", "0.93", "0.9", "0.85", "0.8"))
    return ",".join(
        f"{letter}:{name}{confidence.format(next(share))}" for letter, name in zip(LETTERS, lineage, strict=False)
    )


def mothur(lineage):
    named = [*lineage, *[f"{lineage[-1] if lineage else 'unknown'}_unclassified"] * (6 - len(lineage))]
    return "".join(f"{name}({100 - k});" for k, name in enumerate(named if lineage else ["unknown", *named[1:]]))


def rdp(name, start, between=()):
    """Write a row of the RDP classifier, which names an unknown taxon after its ancestor and leaves its rank out."""
    lineage = EXPECTED[name]
    names = [*lineage, *[f"unclassified_{lineage[-1] if lineage else 'Root'}"] * (6 - len(lineage))]
    ranks = ["domain", "phylum", "class", "order", "family", "genus"][: len(lineage)] + [""] * (6 - len(lineage))
    taxa = [(f'"{taxon}"', rank, f"{1 - k / 10:.1f}") for k, (taxon, rank) in enumerate(zip(names, ranks, strict=True))]
    triplets = [("Root", "rootrank", "1.0"), *taxa[:3], *between, *taxa[3:]]
    return "\t".join([name, *start, *(cell for triplet in triplets for cell in triplet)]) + "\n"


FORMATS = {
    "fixrank of RDP": "".join(rdp(name, ["-" if name == "A2" else ""]) for name in EXPECTED),
    "fixrank of RDP, no orientation": "".join(rdp(name, []) for name in EXPECTED),
    "allrank of RDP": "".join(rdp(name, [""], [("Sub", "subclass", "0.5")] * (name == "A1")) for name in EXPECTED),
    "bars": "".join(f"{n}\t{'|'.join(x) or 'Unassigned'}\n" for n, x in EXPECTED.items()),
    "bars and prefixes": "Feature ID\tTaxon\n" + "".join(
        f"{n}\t{'|'.join(f'{p}__{y}' for p, y in zip('kpcofg', x, strict=False)) or 'Unassigned'}\n" for n, x in EXPECTED.items()
    ),
    "bars, none of a rank": "".join(f"{n}\t{'|'.join(cells(x, 'unclassified'))}\n" for n, x in EXPECTED.items()),
    "SINTAX": "".join(f"{name}\t{sintax(lineage)}\t+\n" for name, lineage in EXPECTED.items()),
    "SINTAX, no cutoff": "".join(f"{name}\t{sintax(lineage)}\t+\t\n" for name, lineage in EXPECTED.items()),
    "SINTAX with a cutoff": "".join(
        f"{name}\t{sintax(BACILLUS)}\t+\t{sintax(lineage, '')}\n" for name, lineage in EXPECTED.items() if name != "A2"
    ) + f"A2\t{sintax((*CLOSTRIDIA, 'Unsure'))}\t-\t{sintax(CLOSTRIDIA, '')}\n",
    "mothur .taxonomy": "".join(f"{name}\t{mothur(lineage)}\n" for name, lineage in EXPECTED.items()),
    "mothur .cons.taxonomy": "OTU\tSize\tTaxonomy\n" + "".join(f"{n}\t{9}\t{mothur(x)}\n" for n, x in EXPECTED.items()),
    "write.csv of R": table(",", [("", *RANKS), *ROWS], '"').replace('"NA"', "NA"),
    "write.csv2 of R": table(";", [("", *RANKS), *ROWS], '"').replace('"NA"', "NA"),
    "write.table of R": table("\t", [RANKS, *ROWS], '"').replace('"NA"', "NA"),
    "ranks, tabs": table("\t", [("Feature ID", *map(str.lower, RANKS)), *ROWS]),
    "ranks and domain": table("\t", [("OTU", "Domain", *RANKS[1:6]), *(row[:7] for row in ROWS)]),
    "phyloseq": table(",", [("OTU", *(f"Rank{k}" for k in range(1, 8))), *ROWS]),
    "outputBootstraps of DADA2": table(
        ",", [("", *(f"tax.{rank}" for rank in RANKS), *(f"boot.{rank}" for rank in RANKS)), *([*row, *[99] * 7] for row in ROWS)]
    ),
    "QIIME 2": "Feature ID\tTaxon\tConfidence\n" + "".join(
        f"{name}\t{'; '.join(f'{p}__{x}' for p, x in zip(LETTERS, lineage, strict=False)) or 'Unassigned'}\t0.9\n"
        for name, lineage in EXPECTED.items()
    ),
    "Greengenes2": "Feature ID\tTaxon\n" + "".join(
        f"{name}\t{'; '.join(f'{p}__{x}' for p, x in zip('dpcofgs', cells(lineage, ''), strict=True))}\n"
        for name, lineage in EXPECTED.items()
    ),
    "CSV with lineages": "Feature ID,Taxon\n" + "".join(f"{n},{';'.join(x) or 'Unassigned'}\n" for n, x in EXPECTED.items()),
}  # fmt: skip


@pytest.mark.parametrize("text", FORMATS.values(), ids=FORMATS)
def test_lineages_of_other_programs_are_right(tmp_path, text):
    (tmp_path / "x.txt").write_text(text)

    taxonomy = read_taxonomy(tmp_path / "x.txt")

    assert dict(zip(taxonomy.feature_ids, taxonomy.lineages, strict=True)) == EXPECTED
    assert detect_format(tmp_path / "x.txt").kind == "taxonomy"


NO_LINEAGES = {
    "blast": ("A1\tR1\t98.3\t150\t2\t0\t1\t150\t1\t150\t1e-50\t200\n" * 2, r"list of hits \(of BLAST.*vsearch --sintax"),
    "uc": ("H\t3\t150\t100.0\t+\t0\t0\t=\tA1\tR2\nN\t*\t*\t*\t.\t*\t*\t*\tA2\t*\n", r"list of hits \(a \.uc.*vsearch --sintax"),
    "MetaPhlAn": (
        "#mpa_v30\n#clade_name\tNCBI_tax_id\trelative_abundance\nk__Bacteria\t2\t99.1\nk__Bacteria|p__Firmicutes\t2|1239\t60.2\n",
        "profile of MetaPhlAn",
    ),
    "merged MetaPhlAn": ("clade_name\tS1\nk__Bacteria\t99.1\nk__Bacteria|p__Firmicutes\t60.2\n", "profile of MetaPhlAn"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "says"), NO_LINEAGES.values(), ids=NO_LINEAGES)
def test_hits_and_profiles_given_as_taxonomy_are_named(tmp_path, text, says):
    (tmp_path / "x.txt").write_text(text)

    with pytest.raises(TaxonomyError, match=says):
        read_taxonomy(tmp_path / "x.txt")
    with pytest.raises(InputError, match=says.split(".*")[0]):
        detect_format(tmp_path / "x.txt")


def read_one(folder, lineage):
    (folder / "x.tsv").write_text(f"Feature ID\tTaxon\nA1\t{lineage}\n")
    return read_taxonomy(folder / "x.tsv").lineages[0]


ABOVE = "d__Bacteria; p__Firmicutes; c__Clostridia"
PLACEHOLDERS = [
    "uncultured", "uncultured bacterium", "uncultured_rumen_bacterium", "metagenome", "gut metagenome", "human_gut_metagenome",
    "Incertae_Sedis", "Incertae Sedis", "Clostridia_ord_Incertae_sedis", "unidentified", "unidentified rumen bacterium",
    "Clostridia_unclassified", "unclassified_Clostridia", "Unassigned", "Ambiguous_taxa", "Unknown_Family", "NA", "",
]  # fmt: skip


@pytest.mark.parametrize("word", PLACEHOLDERS)
def test_placeholders_are_unknown_below_their_ancestors(tmp_path, word):
    assert read_one(tmp_path, f"{ABOVE}; o__{word}; f__{word}; g__{word}") == CLOSTRIDIA
    assert read_one(tmp_path, f"Bacteria;Firmicutes;Clostridia;{word};{word}") == CLOSTRIDIA
    assert read_one(tmp_path, f"{ABOVE}; o__{word}; f__Real") == (*CLOSTRIDIA, None, "Real")


@pytest.mark.parametrize(
    ("lineage", "expected"),
    [
        ("k__Bacteria; __; __; __", ("Bacteria",)),
        ("k__Fungi;p__Ascomycota;c__X;o__Y;f__Z;g__Mucor;s__Mucor_sp", ("Fungi", "Ascomycota", "X", "Y", "Z", "Mucor")),
        ("d__Bacteria;p__Bacillota_A;c__C;o__O;f__CAG-74;g__UBA1819", ("Bacteria", "Bacillota_A", "C", "O", "CAG-74", "UBA1819")),
        ("k__Bacteria; p__[Thermi]; c__Deinococci", ("Bacteria", "[Thermi]", "Deinococci")),
        ("D_0__Bacteria;D_1__Firmicutes;D_2__uncultured", ("Bacteria", "Firmicutes")),
        ("d:Bacteria(1.0),g:Bacillus(0.9)", ("Bacteria", None, None, None, None, "Bacillus")),
        ("sk__Bacteria;k__;p__Firmicutes;c__Bacilli", ("Bacteria", "Firmicutes", "Bacilli")),
        ("Bacteria(100);Firmicutes(100);Clostridiales_Family XIII. Incertae Sedis(80);",
         ("Bacteria", "Firmicutes", "Clostridiales_Family XIII. Incertae Sedis")),
        ("Ambiguous_taxa", ()),
        ("Unassigned", ()),
    ],
)  # fmt: skip
def test_names_and_ranks_of_data_bases(tmp_path, lineage, expected):
    assert read_one(tmp_path, lineage) == expected


@pytest.mark.parametrize("ids", [["A1;size=3;", "A2;size=2;"], ["A1|3", "A2|2"], ["A1;sample=S1", "A2;sample=S1"]])
def test_annotated_features_are_found(tmp_path, ids, caplog):
    (tmp_path / "x.tsv").write_text("".join(f"{name}\tBacteria;P{k}\n" for k, name in enumerate(ids)))

    with caplog.at_level(logging.INFO):
        lineages = lineages_of_study(["A1", "A2"], read_taxonomy(tmp_path / "x.tsv"), tmp_path / "x.tsv")

    assert lineages.numbers[:, :3].tolist() == [[0, 0, -1], [0, 1, -1]]
    assert lineages.taxa[1] == ("Bacteria; P0", "Bacteria; P1")
    assert f"2 features are found without the annotation of their ids: '{ids[0]}'" in caplog.text


def test_features_without_a_row_are_counted_and_compared(tmp_path, caplog):
    path = tmp_path / "x.tsv"
    path.write_text("A1\tBacteria;P\nA02\tBacteria;Q\n")

    lineages = lineages_of_study(["A1", "A2", "A3"], read_taxonomy(path), path)

    assert (lineages.numbers[:, 0] >= 0).tolist() == [True, False, False]
    assert "2 of 3 features of the table have no row" in caplog.text
    assert "1 of the 2 differs in zeros in front of numbers: 'A2' is 'A02' there" in caplog.text
    with pytest.raises(
        TaxonomyError, match=r"none of the 1 features .* lineage: 'a1'.*upper and lower case: 'a1' is 'A1' there"
    ):
        lineages_of_study(["a1"], read_taxonomy(path), path)


@pytest.mark.parametrize(
    "text", ["sample-id\thost\tClass\tOrder\tFamily\nS1\tbee\tInsecta\tHymenoptera\tApidae\n",
             "#OTU ID\tS1\tS2\ttaxonomy\nA1\t3\t4\tk__Bacteria\n"],
)  # fmt: skip
def test_metadata_and_tables_with_ranks_are_not_taken_for_taxonomies(tmp_path, text):
    (tmp_path / "x.txt").write_text(text)

    assert detect_format(tmp_path / "x.txt").kind != "taxonomy"


def test_inspection_reads_the_ranks_of_sintax(tmp_path):
    (tmp_path / "x.tsv").write_text(FORMATS["SINTAX"])

    summary = inspect_file(tmp_path / "x.tsv").report.summary

    assert (summary.n_features, summary.n_unknown, summary.median_rank) == (3, 1, 3.0)
