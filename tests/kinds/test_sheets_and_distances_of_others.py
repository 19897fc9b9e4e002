"""Metadata and matrices of distances as R, Excel, PHYLIP and mothur write them."""

import logging
import re

import numpy as np
import pytest

from aam.errors import DistanceError, InputError, MetadataError
from aam.inspection.files import inspect_file
from aam.io.detect import detect_format
from aam.io.distances import read_distances
from aam.io.metadata import read_metadata
from aam.io.tables import read_table
from helpers.kinds import Kind

KINDS = {
    "sheets": Kind(
        "Labels",
        "Metadata in CSV of R or a spreadsheet: commas, semicolons with decimal commas, quotes, no name above the ids, UTF-16, or "
        "the ids in two columns",
        "Reads them, and says how their columns are separated.",
        "Nothing.",
    ),
    "misplaced": Kind(
        "Labels",
        "Metadata whose header is one cell short (`write.table` of R), or whose ids are not in the first column",
        "Says so, in every command. Row numbers of R before a column of ids are left out, with a warning.",
        "Name the first column `sample-id`, or move the ids to the front.",
    ),
    "tables as metadata": Kind(
        "Labels",
        "A table, FASTA, a matrix or a file of mothur passed as `--metadata`",
        "Says what it is, and which option takes it.",
        "Pass it as that option.",
    ),
    "matrices": Kind(
        "Trees and distances",
        "Distances as R, PHYLIP and mothur write them: squares, lower triangles, any separator, any name of the file",
        "Reads them by their content.",
        "Nothing.",
    ),
    "printed": Kind(
        "Trees and distances",
        "What R prints of distances, of a wide table, of a phyloseq object or of a tibble (`print`, `capture.output`)",
        "Says what it is, for every option, and stops.",
        "`write.table(as.matrix(d), …)`, as the message says.",
    ),
    "pairs": Kind(
        "Trees and distances",
        "A list of pairs (column format of mothur), a matrix that is not symmetric, or one whose rows do not fit",
        "Says what it is, and stops.",
        "`mothur > dist.shared(…, output=square)`, or `as.matrix(d)` in R.",
    ),
}

IDS = ["A1", "B-2", "3C"]
AGES = [1.5, 2.0, 40.25]
SITES = ["gut", "left, palm", "gut"]

VALUES = np.array([[0.0, 0.25, 1.0], [0.25, 0.0, 0.5], [1.0, 0.5, 0.0]])


def save(folder, content, name="file"):
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder / name


def sheet(header, ids=IDS, separator=",", quote='"', point=".", before=None):
    lines = [separator.join(f"{quote}{name}{quote}" for name in header)]
    for k, name in enumerate(ids):
        cells = [f"{quote}{name}{quote}", str(AGES[k]).replace(".", point), f"{quote}{SITES[k]}{quote}"]
        lines.append(separator.join([*(before[k] if before else []), *cells]))
    return "\n".join(lines) + "\n"


TWICE = [[f'"{name}"'] for name in IDS]
NUMBERED = [[f'"{number}"'] for number in (1, 2, 3)]
SHEETS = {
    "write.csv": sheet(["", "age", "site"]),
    "write.csv2": sheet(["", "age", "site"], separator=";", point=","),
    "write.csv, row.names = FALSE": sheet(["SampleID", "age", "site"]),
    "spreadsheet with semicolons": sheet(["sample-id", "age", "site"], separator=";", quote="", point=","),
    "write.table, col.names = NA": sheet(["", "age", "site"], separator="\t"),
    "blanks": sheet(["id", "age", "site"], separator=" "),
    "row numbers": sheet(["", "SampleID", "age", "site"], before=NUMBERED),
    "write.table, row numbers": sheet(["SampleID", "age", "site"], separator="\t", before=NUMBERED),
    "write.table, ids twice": sheet(["SampleID", "age", "site"], separator="\t", before=TWICE),
    "write.csv, ids twice": sheet(["", "SampleID", "age", "site"], before=TWICE),
    "write.csv, ids twice, X": sheet(["", "X", "age", "site"], before=TWICE),
    "write.csv of read.csv": sheet(["X", "sample.id", "age", "site"], before=TWICE),
    "write.csv of read.csv, again": sheet(["X.1", "X", "age", "site"], before=TWICE),
    "to_csv, ids twice": sheet(["Unnamed: 0", "sampleid", "age", "site"], before=TWICE, quote='"'),
    "Unicode text of Excel": sheet(["sample-id", "age", "site"], separator="\t", quote="").encode("utf-16"),
    "CSV UTF-8 of Excel": b"\xef\xbb\xbf" + sheet(["Sample ID", "age", "site"]).replace("\n", "\r\n").encode(),
    "UTF-16 with commas": sheet(["", "age", "site"]).encode("utf-16"),
}


@pytest.mark.parametrize("content", SHEETS.values(), ids=SHEETS)
def test_metadata_of_r_and_spreadsheets_have_the_right_values(tmp_path, content):
    path = save(tmp_path, content)
    metadata = read_metadata(path)

    assert detect_format(path).kind == "metadata"
    assert metadata.sample_ids == IDS
    assert list(metadata.frame.columns) == ["age", "site"]
    assert metadata.column("age").tolist() == AGES
    assert metadata.column("site").tolist() == SITES


@pytest.mark.parametrize(
    ("name", "level", "says"),
    [
        ("write.csv", "INFO", "separated by commas; its first column has no name"),
        ("write.csv2", "INFO", "separated by semicolons"),
        ("row numbers", "WARNING", "row numbers of R, so 'SampleID' is read"),
    ],
)
def test_what_was_done_is_said_by_reader_and_inspect_alike(tmp_path, caplog, name, level, says):
    caplog.set_level(logging.INFO)
    path = save(tmp_path, SHEETS[name])

    read_metadata(path)

    assert any(says in record.getMessage() and record.levelname == level for record in caplog.records)
    assert any(says in note for note in inspect_file(path).report.notes)


@pytest.mark.parametrize("column", [1, 2])
def test_missing_values_of_csv_are_emptied(tmp_path, column):
    cells = ['"A1"', "3", '"x"']
    cells[column] = "NA"
    text = '"","age","site"\n' + ",".join(cells) + '\n"A2",4,"y"\n'

    frame = read_metadata(save(tmp_path, text), ["NA"]).frame

    assert frame.isna().to_numpy().tolist() == [[column == 1, column == 2], [False, False]]
    assert frame["age"].dtype == float


MISPLACED = {
    "write.table": (
        sheet(["age", "site"], separator=" "),
        r"one cell fewer .*write\.table of R.*'sample-id'.*col\.names = NA",
    ),
    "write.table, tabs": (sheet(["age", "site"], separator="\t", quote=""), "one cell fewer .*'sample-id'"),
    "write.table, commas": (sheet(["age", "site"]), "one cell fewer .*'sample-id'"),
    "name of the last column lost": ("sample\tage\nA1\t3\tx\nA2\t4\ty\n", "one cell fewer"),
    "second column": (
        "subject\tsample-id\nP1\tA1\nP1\tA2\n",
        "named 'subject'.* second column, 'sample-id', .*to the front",
    ),
    "third column": ("subject,age,SampleID\nP1,3,A1\nP1,4,A2\n", "third column, 'SampleID', .*to the front"),
    "other name, commas": ("Run,age\nA1,3\nA2,4\n", "'Run,age', .*'sample-id'.* separated by commas"),
}


@pytest.mark.parametrize(("text", "says"), MISPLACED.values(), ids=MISPLACED)
def test_ids_that_are_not_first_are_told_in_every_command(tmp_path, text, says):
    path = save(tmp_path, text)

    with pytest.raises(MetadataError, match=says):
        read_metadata(path)
    assert detect_format(path).kind == "metadata"


SHORT_HEADERS = {
    "write.table": '"sample-id" ',
    "write.table, tabs": "sample-id\t",
    "write.table, commas": '"sample-id",',
}


@pytest.mark.parametrize("name", SHORT_HEADERS)
def test_a_short_header_that_is_completed_as_it_is_told_gives_the_right_values(tmp_path, name):
    metadata = read_metadata(save(tmp_path, SHORT_HEADERS[name] + MISPLACED[name][0]))

    assert metadata.sample_ids == IDS
    assert (metadata.column("age").tolist(), metadata.column("site").tolist()) == (AGES, SITES)


OTHERS = {
    "shared": ("label\tGroup\tnumOtus\tOtu1\n0.03\tA1\t1\t5\n", r"mothur \(\.shared\)\. Pass it as --table"),
    "count_table": ("Representative_Sequence\ttotal\tA1\na\t3\t3\n", r"mothur \(\.count_table\)\. Pass it as --table"),
    "classic": ("#OTU ID\tA1\tA2\nF1\t3\t0\nF2\t0\t1\n", "classic table .*--table"),
    "DADA2": ('"","' + "ACGT" * 9 + '","' + "GGCT" * 9 + '"\n"A1",3,0\n', "sequences as columns .*--table"),
    "table of R": ('"","A1","A2"\n"ASV1",3,0\n"ASV2",0,1\n', "table of counts .*--table"),
    "FASTA": (">F1\nACGT\n", "FASTA.*--sequences"),
    "list": ("label\tnumOtus\tOtu1\n0.03\t1\ta\n", r"\.list file of mothur"),
    "triangle": ("2\nA1\nA2\t0.5\n", "PHYLIP .*--distances"),
}


@pytest.mark.parametrize(("text", "says"), OTHERS.values(), ids=OTHERS)
def test_other_files_are_no_metadata(tmp_path, text, says):
    with pytest.raises(MetadataError, match=says):
        read_metadata(save(tmp_path, text))


@pytest.mark.parametrize("name", [name for name in OTHERS if name != "list"])
def test_the_option_that_takes_what_is_no_metadata_is_named(tmp_path, name):
    text, says = OTHERS[name]

    assert f"--{detect_format(save(tmp_path, text)).kind}" == re.search("--[a-z]+$", says).group()


@pytest.mark.parametrize(
    "text",
    [
        "sample-id\tage\tstate\nA1\t3\tx\nA2\t4\ty\n",
        "#SampleID\tage\tparity\nA1\t3\t1\nA2\t4\t0\n",
        "id\tsubject, old\nA1\ta, b\nA2\tc, d\n",
        "\tobserved_features\nA1\t30\nA2\t41\n",
    ],
)
def test_clean_metadata_give_no_message(tmp_path, caplog, text):
    caplog.set_level(logging.INFO)

    assert read_metadata(save(tmp_path, text)).sample_ids == ["A1", "A2"]
    assert not caplog.records


def matrix(separator="\t", quote="", corner="", point=".", names=None):
    header = [*([] if corner is None else [corner]), *(names or IDS)]
    lines = [separator.join(f"{quote}{name}{quote}" for name in header)]
    lines += [
        separator.join([f"{quote}{name}{quote}", *(str(value).replace(".", point) for value in row)])
        for name, row in zip(IDS, VALUES, strict=True)
    ]
    return "\n".join(lines) + "\n"


SQUARE = "3\n" + "".join("\t".join([name, *map(str, row)]) + "\n" for name, row in zip(IDS, VALUES, strict=True))
MATRICES = {
    "QIIME 2": matrix(),
    "write.csv": matrix(",", '"'),
    "write.csv2": matrix(";", '"', point=","),
    "write.table": matrix(" ", '"', corner=None),
    "write.table, tabs": matrix(corner=None),
    "named corner": matrix(",", corner="id"),
    "comment above": "# made by hand\n" + matrix(),
    "names changed by R": matrix(",", '"', names=["A1", "B.2", "X3C"]),
    "square of PHYLIP": SQUARE.replace("\t", "  "),
    "square of mothur": SQUARE,
    "triangle of mothur": "3\nA1\nB-2\t0.25\n3C\t1.0\t0.5\n",
    "triangle of PHYLIP, with diagonal": "   3\nA1        0.0\nB-2       0.25  0.0\n3C        1.0  0.5  0.0\n",
    "rows that go on": "3\nA1         0.0  0.25\n           1.0\nB-2        0.25 0.0\n  0.5\n3C         1.0  0.5\n  0.0\n",
}  # fmt: skip


@pytest.mark.parametrize("name", ["out.dm", "x.txt", "d"])
@pytest.mark.parametrize("text", MATRICES.values(), ids=MATRICES)
def test_distances_are_read_by_their_content(tmp_path, text, name):
    path = save(tmp_path, text, name)
    found = read_distances(path)

    assert found.ids == IDS
    assert found.values.tolist() == VALUES.tolist()


@pytest.mark.parametrize("text", [text for name, text in MATRICES.items() if name != "names changed by R"])
def test_inspect_knows_a_matrix(tmp_path, text):
    assert detect_format(save(tmp_path, text)).kind == "distances"


def test_binary_matrices_are_known_under_any_name(tmp_path):
    np.save(tmp_path / "m.npy", VALUES)
    (tmp_path / "m.npy").rename(tmp_path / "m.dm")
    save(tmp_path, "\n".join(IDS), "m.ids")

    assert read_distances(tmp_path / "m.dm").values.tolist() == VALUES.tolist()


NOT_MATRICES = {
    "pairs of mothur": ("B-2\tA1\t0.25\n3C\tA1\t1.0\n3C\tB-2\t0.5\n", r"pairs .*mothur.*output=square"),
    "not symmetric": (SQUARE.replace("1.0\t0.5", "0.9\t0.5"), "not symmetric"),
    "negative triangle": ("3\nA1\nB-2\t-0.25\n3C\t1.0\t0.5\n", "negative"),
    "missing row": (SQUARE.replace("3\n", "4\n", 1), "4 rows, .* has 3"),
    "short row": (SQUARE.replace("1.0\t0.5\t0.0", "1.0"), "neither a square nor a lower triangle"),
    "text": (SQUARE.replace("0.5\n", "x\n"), "holds text"),
    "table": ("#OTU ID\tA1\nF1\t3\n", "classic table.*--table"),
    "metadata": ('"","age","site"\n"A1",3,"gut"\n"A2",4,"skin"\n', "holds text|metadata"),
    "other order": ('"","A1","A2"\n"A2",0,1\n"A1",1,0\n', "their order"),
}


@pytest.mark.parametrize(("text", "says"), NOT_MATRICES.values(), ids=NOT_MATRICES)
def test_what_is_no_matrix_is_named(tmp_path, text, says):
    with pytest.raises(DistanceError, match=says):
        read_distances(save(tmp_path, text))


def test_pairs_are_named_by_inspect(tmp_path):
    with pytest.raises(InputError, match="column format of mothur"):
        detect_format(save(tmp_path, NOT_MATRICES["pairs of mothur"][0]))


TRIANGLE = "          A1        A2        A3\nA2 0.1000000                    \nA3 0.2000000 0.3000000          \nA4 0.4 0.5 0.6\n"
PRINTED = {
    "dist": (TRIANGLE, r"triangle of distances.*as\.matrix\(d\)"),
    "dist of numbers": (TRIANGLE.replace("A", ""), r"triangle of distances.*as\.matrix\(d\)"),
    "dist of three": ("    A  B\nB 0.1    \nC 0.2 0.3\n", r"triangle of distances.*as\.matrix\(d\)"),
    "blocks": ("     A1 A2\nF1  5 19\nF2  0  5\n     A3\nF1  2\nF2 16\n", r"several blocks.*write\.table\(x,"),
    "phyloseq": ("OTU Table:          [2 taxa and 2 samples]\n   taxa are rows\n   A1 A2\nF1  5 19\n", r"phyloseq.*otu_table\(x\)"),
    "tibble": ("# A tibble: 2 x 3\n  OTU      A1    A2\n  <chr> <dbl> <dbl>\n1 F1      5    19\n", r"tibble.*write\.table\(x,"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "says"), PRINTED.values(), ids=PRINTED)
def test_what_r_prints_is_named_for_every_option(tmp_path, text, says):
    path = save(tmp_path, text)

    for read in (read_distances, read_metadata, read_table, detect_format):
        with pytest.raises(InputError, match=says):
            read(path)


def test_a_printed_table_that_is_whole_is_read(tmp_path):
    table = read_table(save(tmp_path, "     A1 A2\nASV1  5 19\nASV2  0  5\n"))

    assert table.sample_ids == ["A1", "A2"]
    assert table.counts.toarray().tolist() == [[5, 0], [19, 5]]
