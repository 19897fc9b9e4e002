"""Tables as mothur, R, DADA2, vsearch and others write them are read with the right counts, or named for what they are."""

import bz2
import gzip
import json
import logging
import lzma
import re
import subprocess
import zipfile

import numpy as np
import pytest

from aam.config.study import StudyConfig
from aam.data.study_build import read_study
from aam.errors import InputError, SequenceError, TableError
from aam.io.detect import detect_format
from aam.io.tables import open_table, read_table
from helpers.kinds import Kind

KINDS = {
    "mothur": Kind(
        "Tables",
        "A `.shared` file or a `.count_table` of mothur, whole or compressed",
        "Reads it, in every command.",
        "Nothing. Of several labels keep one, by the command that the message has.",
    ),
    "lists": Kind(
        "Tables",
        "A `.list`, `.rabund`, `.names` or `.groups` file of mothur",
        "Says what it is, and stops.",
        "`mothur > make.shared(…)` or `count.seqs(…)`, as the message says.",
    ),
    "separators": Kind(
        "Tables",
        "CSV of R, pandas or a spreadsheet: commas, semicolons, blanks, quotes, UTF-16, no or an empty name above the ids, "
        "or the ids in two columns",
        "Reads it, and says how its columns are separated.",
        "Nothing.",
    ),
    "turned": Kind(
        "Tables",
        "Samples as rows: `seqtab.nochim` of DADA2, `t(otu_table)`, or a table whose samples are the ids of `--sequences`",
        "Reads it turned and says so, if the columns are sequences, have names as features have, or are in `--sequences`.",
        "Nothing. Where it cannot be certain, `t()` in R.",
    ),
    "beside": Kind(
        "Tables",
        "Columns of taxa or sequences beside the counts",
        "Leaves them out, and names them.",
        "Nothing; a taxonomy is passed as `--taxonomy`.",
    ),
    "json": Kind(
        "Tables",
        "BIOM 1.0 whose ids are numbers or arrays of one, or whose `shape` is wrong",
        "Reads it; a wrong shape is said, and the ids count.",
        "Nothing.",
    ),
    "binary": Kind(
        "Tables",
        "Data of R (`.rds`, `.RData`), or a workbook (`.xlsx`, `.xls`, `.ods`)",
        "Says what it is and how to write it as text, for every option.",
        "`write.table(…, col.names = NA)`, or save the sheet as text.",
    ),
    "of reads": Kind(
        "Tables",
        "A long table, such as psmelt of phyloseq makes; hits of a search (`.uc`, blast6out); code of R (`dput`)",
        "Says what it is, and stops.",
        "`xtabs` in R; `vsearch --usearch_global … --otutabout`; `write.table`, as the message says.",
    ),
    "swapped": Kind(
        "Tables",
        "Metadata, FASTA or a matrix passed as `--table`",
        "Says what it is, and which option takes it.",
        "Pass it as that option.",
    ),
}

SAMPLES, FEATURES = ["A1", "A2", "A3"], ["ASV1", "ASV2", "ASV3", "ASV4"]
COUNTS = np.array([[5, 0, 28, 1], [19, 5, 20, 0], [2, 16, 0, 7]])
SEQUENCES = ["ACGTTGCA" * 5, "GGCATTAC" * 5, "TTAGGCAT" * 5, "CCATGATT" * 5]
FASTA = "".join(f">{name}\n{sequence}\n" for name, sequence in zip(FEATURES, SEQUENCES, strict=True))


def rows(header, names, values, separator="\t", quote="", ends=None):
    lines = [[f"{quote}{name}{quote}" for name in header]] if header else []
    for k, (name, row) in enumerate(zip(names, values, strict=True)):
        lines.append([f"{quote}{name}{quote}", *map(str, row), *([ends[k]] if ends else [])])
    return "".join(separator.join(line) + "\n" for line in lines)


def save(folder, content, name="file"):
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder / name


def assert_is_the_table(table, features=FEATURES):
    order = [table.feature_ids.index(name) for name in features]
    samples = [table.sample_ids.index(name) for name in SAMPLES]

    assert table.shape == COUNTS.shape
    assert table.counts.toarray()[samples][:, order].tolist() == COUNTS.tolist()


def shared(label="0.03", word="numOtus"):
    return rows(
        ["label", "Group", word, *FEATURES], [label] * 3, [[s, 4, *c] for s, c in zip(SAMPLES, COUNTS, strict=True)]
    )


PAIRS = [[f"{k},{count}" for k, count in enumerate(row, 1) if count] for row in COUNTS.T]
COMPRESSED = (
    "#Compressed Format: groupIndex,abundance. For example 1,6 would mean an abundance of 6 for group A1.\n"
    "#1,A1\t2,A2\t3,A3\t\n"
) + rows(["Representative_Sequence", "total", *SAMPLES], FEATURES, [[9, *pairs] for pairs in PAIRS])
WHOLE = rows(["Representative_Sequence", "total", *SAMPLES], FEATURES, [[sum(row), *row] for row in COUNTS.T.tolist()])
MOTHUR = {
    "shared": shared(),
    "shared, of ASVs, tabs at the ends": shared("ASV", "numASVs").replace("\n", "\t\n"),
    "shared of vsearch": shared("vsearch"),
    "shared, cut after the last OTU": shared().replace("28\t1\n", "28\t1\n").replace("20\t0\n", "20\n"),
    "count_table": WHOLE,
    "count_table, Windows": WHOLE.replace("\n", "\r\n"),
    "count_table, compressed": COMPRESSED,
}
R = rows(["", *SAMPLES], FEATURES, COUNTS.T, ",", '"')
SEPARATORS = {
    "write.csv": R,
    "write.csv2": R.replace(",", ";"),
    "write.table": rows(SAMPLES, FEATURES, COUNTS.T, " ", '"'),
    "write.table, tabs, no quotes": rows(SAMPLES, FEATURES, COUNTS.T),
    "write.table, col.names = NA": rows(["", *SAMPLES], FEATURES, COUNTS.T, "\t", '"'),
    "to_csv": R.replace('"', ""),
    "row numbers": rows(
        ["", "OTU", *SAMPLES], range(1, 5), [[n, *c] for n, c in zip(FEATURES, COUNTS.T, strict=True)], ","
    ),
    "ids twice": rows(["", "OTU", *SAMPLES], FEATURES, [[n, *c] for n, c in zip(FEATURES, COUNTS.T, strict=True)], ","),
    "ids twice, X": rows(
        ["", "X", *SAMPLES], FEATURES, [[n, *c] for n, c in zip(FEATURES, COUNTS.T, strict=True)], ","
    ),
    "ids twice, at the end": rows(["X", *SAMPLES, "ASV_ID"], FEATURES, COUNTS.T, ",", ends=FEATURES),
    "OTU ID, commas": "# Constructed from biom file\n" + rows(["#OTU ID", *SAMPLES], FEATURES, COUNTS.T, ","),
    "OTUId of usearch": rows(["OTUId", *SAMPLES], FEATURES, COUNTS.T),
    "another name": rows(["ASVs", *SAMPLES], FEATURES, COUNTS.T),
    "Unicode text of Excel": rows(["#OTU ID", *SAMPLES], FEATURES, COUNTS.T).encode("utf-16"),
    "gzip": gzip.compress(R.encode()),
}
TURNED = {
    "DADA2, write.csv": (rows(["", *SEQUENCES], SAMPLES, COUNTS, ",", '"'), SEQUENCES),
    "DADA2, write.table": (rows(SEQUENCES, SAMPLES, COUNTS), SEQUENCES),
    "DADA2, named": (rows(["sample-id", *SEQUENCES], SAMPLES, COUNTS), SEQUENCES),
    "ids twice": (
        rows(["", "SampleID", *"wxyz"], SAMPLES, [[n, *c] for n, c in zip(SAMPLES, COUNTS, strict=True)], ","),
        list("wxyz"),
    ),
    "t(otu_table)": (rows(["", *FEATURES], SAMPLES, COUNTS, ",", '"'), FEATURES),
    "named as of samples": (rows(["SampleID", *"wxyz"], SAMPLES, COUNTS), list("wxyz")),
}
TAXA = ["k__Bacteria; p__Firmicutes"] * 4
BESIDE = {
    "taxonomy of Qiime 1": rows(["#OTU ID", *SAMPLES, "taxonomy"], FEATURES, COUNTS.T, ends=TAXA),
    "phyloseq": rows(["OTU", *SAMPLES, "Family"], FEATURES, COUNTS.T, ",", ends=["Lachnospiraceae"] * 4),
    "sequence": rows(["ASV_ID", *SAMPLES, "sequence"], FEATURES, COUNTS.T, ends=SEQUENCES),
    "first": rows(["#OTU ID", "Taxon", "Confidence", *SAMPLES], FEATURES, [[TAXA[0], 0.9, *c] for c in COUNTS.T]),
}


@pytest.mark.parametrize(
    "text", [*MOTHUR.values(), *SEPARATORS.values(), *BESIDE.values()], ids=[*MOTHUR, *SEPARATORS, *BESIDE]
)
def test_tables_of_other_programs_have_the_right_counts(tmp_path, text):
    path = save(tmp_path, text)

    assert detect_format(path).kind == "table"
    assert_is_the_table(read_table(path))
    with open_table(path) as table:
        assert not table.remarks


@pytest.mark.parametrize(("text", "features"), TURNED.values(), ids=TURNED)
def test_a_table_with_samples_as_rows_is_read_turned_and_says_so(tmp_path, text, features):
    path = save(tmp_path, text)
    table = read_table(path)

    assert_is_the_table(table, features)
    assert len(table.remarks) == 1
    assert "turned" in table.remarks[0]


def test_columns_beside_the_counts_are_named(tmp_path, caplog):
    caplog.set_level(logging.INFO)

    read_table(save(tmp_path, BESIDE["first"]))

    assert "not read: 'Taxon', 'Confidence'" in caplog.text


def study(tmp_path, text, fasta=FASTA):
    sequences = None if fasta is None else save(tmp_path, fasta, "asv.fasta")
    return read_study(StudyConfig(table=save(tmp_path, text), sequences=sequences, cache_dir=tmp_path / "cache"), 150)


def feature_counts(found):
    names = list(found.feature_ids)
    table = np.zeros((found.n_samples, found.n_features), dtype=int)
    for row, stored in enumerate(found.rows):
        entries = slice(found.indptr[stored], found.indptr[stored + 1])
        table[row, found.indices[entries]] = found.counts[entries]
    return table[:, [names.index(name) for name in sorted(names)]].tolist()


@pytest.mark.parametrize("separator", ["\t", ",", ";"])
def test_samples_that_are_in_the_sequences_are_features(tmp_path, caplog, separator):
    fasta = "".join(f">{name}\n{sequence}\n" for name, sequence in zip("abcd", SEQUENCES, strict=True))
    text = rows(["#OTU ID", *"abcd"], SAMPLES, COUNTS, separator)

    for _ in range(2):  # the second comes from the cache
        caplog.clear()
        found = study(tmp_path, text, fasta)

        assert list(found.sample_ids) == SAMPLES
        assert feature_counts(found) == COUNTS.tolist()
        assert caplog.text.count("read turned") == 1


def test_ids_that_are_sequences_on_the_wrong_axis_are_turned(tmp_path):
    found = study(tmp_path, rows(["#OTU ID", *SEQUENCES], SAMPLES, COUNTS), fasta=None)

    assert list(found.sample_ids) == SAMPLES
    assert sorted(found.feature_ids) == sorted(SEQUENCES)


def test_metadata_of_whole_numbers_passed_as_table_are_suspected(tmp_path):
    with pytest.raises(SequenceError, match=r"'age', 'parity'.* named 'SampleID'.*--metadata"):
        study(tmp_path, "SampleID,age,parity\nA1,3,1\nA2,4,0\n")


def biom(**changes):
    data = [[j, i, int(COUNTS[i, j])] for i, j in np.argwhere(COUNTS)]
    ids = {"rows": [{"id": n, "metadata": None} for n in FEATURES], "columns": [{"id": n} for n in SAMPLES]}
    content = {"id": None, "matrix_type": "sparse", "matrix_element_type": "int", "shape": [4, 3], "data": data}
    return json.dumps(content | ids | changes, default=int)


DENSE = {"matrix_type": "dense", "data": COUNTS.T.tolist()}
JSON = {
    "arrays": (biom(rows=[{"id": [n]} for n in FEATURES], columns=[{"id": [n]} for n in SAMPLES]), FEATURES),
    "arrays of R": (biom(rows=[{"id": [n]} for n in FEATURES], **DENSE | {"matrix_type": ["dense"]}), FEATURES),
    "numbers": (biom(rows=[{"id": k} for k in range(1, 5)]), list("1234")),
    "whole numbers with a point": (biom(rows=[{"id": float(k)} for k in range(1, 5)], **DENSE), list("1234")),
}


@pytest.mark.parametrize(("text", "features"), JSON.values(), ids=JSON)
def test_biom_ids_may_be_numbers_and_arrays(tmp_path, text, features):
    table = read_table(save(tmp_path, text))

    assert_is_the_table(table, features)
    assert not table.remarks


@pytest.mark.parametrize("changes", [{"shape": [3, 4]}, {"shape": [4, 3, 1]}, {"shape": [9, 9], **DENSE}])
def test_a_wrong_shape_is_said_and_the_ids_count(tmp_path, changes):
    table = read_table(save(tmp_path, biom(**changes)))

    assert_is_the_table(table)
    assert f"'shape' is {changes['shape']}" in table.remarks[0]


def packed(folder, names):
    with zipfile.ZipFile(folder / "z", "w") as file:
        for name in names:
            file.writestr(name, "application/vnd.oasis.opendocument.spreadsheet")
    return (folder / "z").read_bytes()


SERIALIZED = b"X\n\0\0\0\3\0\4\1\2\0\3\5\0" + bytes(50)
BINARY = {
    "xlsx": (lambda f: packed(f, ["[Content_Types].xml", "xl/workbook.xml"]), "Excel workbook"),
    "xls": (lambda _: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(50), "Excel workbook"),
    "ods": (lambda f: packed(f, ["mimetype", "content.xml"]), "spreadsheet"),
    "rds": (lambda _: gzip.compress(SERIALIZED), "data of R .*readRDS"),
    "rds, xz": (lambda _: lzma.compress(SERIALIZED), "data of R .*readRDS"),
    "rds, plain": (lambda _: SERIALIZED, "data of R .*readRDS"),
    "RData": (lambda _: gzip.compress(b"RDX3\nX\n\0\0\0\3"), r"data of R .*load\("),
    "RData, bzip2": (lambda _: bz2.compress(b"RDX2\nX\n\0\0\0\2"), r"data of R .*load\("),
    "text in xz": (lambda _: lzma.compress(R.encode()), "packed by xz"),
}
NAMED = {
    "list": ("label\tnumOtus\tOtu1\tOtu2\n0.03\t2\ta,b\tc\n", r"\.list file of mothur.*make\.shared"),
    "list without header": ("unique\t2\ta\tb\n0.03\t1\ta,b\n", r"\.list file of mothur.*make\.shared"),
    "rabund": ("0.03\t3\t10\t5\t1\n0.05\t2\t12\t4\n", r"\.rabund .*mothur"),
    "names": ("a\ta,b,c\nd\td\n", r"\.names file of mothur.*count\.seqs"),
    "groups": ("r1\tA1\nr2\tA1\nr3\tA2\n", r"\.groups.*mothur"),
}


@pytest.mark.parametrize("option", ["inspect", "--table"])
@pytest.mark.parametrize(("make", "says"), BINARY.values(), ids=BINARY)
def test_binary_files_of_other_programs_are_named(tmp_path, make, says, option):
    path = save(tmp_path, make(tmp_path), "x.dat")

    with pytest.raises(InputError, match=says):
        detect_format(path) if option == "inspect" else read_table(path)


@pytest.mark.parametrize(("text", "says"), NAMED.values(), ids=NAMED)
def test_lists_of_mothur_are_named(tmp_path, text, says):
    path = save(tmp_path, text)

    for read in (detect_format, read_table):
        with pytest.raises(InputError, match=says):
            read(path)


SEVERAL = shared() + shared("0.05").partition("\n")[2]
LONG = '"","Sample","OTU","Abundance","site"\n"7","A1","F1",5,"gut"\n"8","A2","F1",3,"skin"\n'
WRONG = {
    "several labels": (SEVERAL, r"2 labels.*'0\.03', '0\.05'.*awk"),
    "no groups": ("Representative_Sequence\ttotal\na\t3\n", r"without groups.*count\.seqs"),
    "pairs that are none": (COMPRESSED.replace("1,19", "1-19").replace("2,19", "2-19"), "'2-19' instead of the number of a group"),
    "metadata": ("sample-id\tage\tsite\nA1\t3\tgut\nA2\t4\tskin\n", "QIIME 2 metadata.*--metadata"),
    "metadata of R": ('"","age","site"\n"A1",3,"gut"\n"A2",4,"skin"\n', "'site' hold text.*--metadata"),
    "FASTA": (FASTA, "FASTA.*--sequences"),
    "distances": ("2\nA1\nA2\t0.5\n", "matrix of PHYLIP.*--distances"),
    "psmelt": (LONG, r"a long table.*xtabs\(Abundance ~ OTU \+ Sample, x\)"),
    "long, tabs": ("Sample\tasv\tcount\nA1\tF1\t3\nA2\tF1\t4\n", r"a long table.*xtabs\(count ~ asv \+ Sample, x\)"),
    "uc of vsearch": ("H\t31\t150\t100.0\t+\t0\t0\t=\tr1\tOTU_2\nN\t*\t*\t*\t.\t*\t*\t*\tr2\t*\n", r"\.uc file.*--otutabout"),
    "blast6out": ("r1\tF1\t98.3\t150\t2\t0\t1\t150\t1\t150\t-1\t0\n" * 2, r"of BLAST.*--otutabout"),
    "dput": ("structure(c(0L, 0L, 84L), dim = c(1L, 3L))\n", "code of R.*write.table"),
    "dump": ("m <-\nstructure(c(0L, 0L, 84L), dim = c(1L, 3L))\n", "code of R.*write.table"),
    "pairs of R": ('"Var1","Var2","Freq"\n"A1","A1",0\n"A2","A1",0.5\n', "list of pairs"),
    "fractions": (R.replace("28", "0.28"), "not whole numbers"),
    "NA": (R.replace("28", "NA"), "'ASV3' has 'NA' instead of a count"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "says"), WRONG.values(), ids=WRONG)
def test_what_is_no_table_of_counts_is_named(tmp_path, text, says):
    with pytest.raises(TableError, match=says):
        read_table(save(tmp_path, text))


@pytest.mark.parametrize("name", ["metadata", "FASTA", "distances", "metadata of R"])
def test_the_option_that_a_message_names_takes_the_file(tmp_path, name):
    text, says = WRONG[name]
    option = re.search("--[a-z]+$", says).group()

    assert f"--{detect_format(save(tmp_path, text)).kind}" == option


@pytest.mark.parametrize("labels", [("0.03", "0.05"), ("unique", "0.03"), ("0.05", "0.01", "unique")], ids=str)
def test_the_command_of_the_message_keeps_one_label(tmp_path, labels):
    others = "".join(shared(label).partition("\n")[2].replace("\t5\t", "\t555\t") for label in labels[1:])
    path = save(tmp_path, shared(labels[0]) + others, "all.shared")

    with pytest.raises(TableError, match=f"with {len(labels)} labels") as caught:
        read_table(path)

    subprocess.run(str(caught.value).split("one of them: ")[1], shell=True, check=True, cwd=tmp_path)
    assert_is_the_table(read_table(tmp_path / "one-label.shared"))


@pytest.mark.parametrize("name", ["psmelt", "uc of vsearch", "blast6out", "dput", "pairs of R"])
def test_texts_that_no_option_takes_are_named_by_inspect_too(tmp_path, name):
    text, says = WRONG[name]

    with pytest.raises(InputError, match=says):
        detect_format(save(tmp_path, text))


def test_counts_of_reads_and_otus_in_metadata_are_no_long_table(tmp_path):
    sheet = save(tmp_path, "sample\tsite\tOTUs\treads\nA1\tgut\t120\t4000\nA2\tskin\t80\t3000\n")

    assert detect_format(sheet).kind == "metadata"


def test_a_clean_table_gives_no_remark(tmp_path, caplog):
    found = study(tmp_path, rows(["#OTU ID", *SAMPLES], FEATURES, COUNTS.T))

    assert feature_counts(found) == COUNTS.tolist()
    assert not found.remarks
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
