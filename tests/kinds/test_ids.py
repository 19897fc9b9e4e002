"""Ids that match only in part, and headers of FASTA files that hold more than an id."""

import hashlib
import logging
import subprocess

import numpy as np
import pytest

from aam.config.study import LabelConfig, SplitConfig, StudyConfig
from aam.data.study_build import read_study
from aam.errors import DistanceError, MetadataError, SequenceError, SplitError
from aam.inspection.files import inspect_file
from aam.inspection.study import inspect_study
from aam.io.distances import DistanceMatrix
from aam.io.ids.advice import mismatch
from aam.labels.columns import label_samples
from aam.labels.splits import STRATEGIES, Candidates
from aam.vocabulary import TOKEN_OF_LETTER
from helpers.kinds import Kind

KINDS = {
    "samples": Kind(
        "Ids",
        "Sample ids that the metadata, a split, folds or distances write otherwise (S1 for S001, another case, `_S12_L001`, dots)",
        "Names ids of both files, by which rule they differ, and a command that writes them as the table has them; also after "
        "`--missing-samples drop`, apart from samples without a value",
        "Run the command that the message shows",
    ),
    "features": Kind(
        "Ids",
        "Feature ids that the sequences write otherwise",
        "The same; if the ids are the sequences themselves, that `--sequences` is not needed",
        "Run the command, or leave `--sequences` out",
    ),
    "headers": Kind(
        "Ids",
        "FASTA of vsearch, usearch and mothur (`;size=12;`, `|12`, the id as the second word), or named by MD5 sums",
        "Reads the features by the one rule that finds each of them once, and says which it is",
        "Nothing",
    ),
}

SAMPLES = [f"S{number:03d}" for number in range(1, 9)]
FEATURES = [f"OTU_{number}" for number in range(1, 7)]
STREAM = np.random.default_rng(3)
SEQUENCES = ["".join(STREAM.choice(list("ACGT"), 40)) for _ in FEATURES]
COUNTS = STREAM.integers(1, 30, (6, 8))


def write_table(folder, features=FEATURES, samples=SAMPLES):
    lines = ["\t".join(["#OTU ID", *samples])]
    lines += ["\t".join([name, *map(str, row)]) for name, row in zip(features, COUNTS.tolist(), strict=True)]
    (folder / "t.tsv").write_text("\n".join(lines) + "\n")
    return folder / "t.tsv"


def write_fasta(folder, headers):
    path = folder / "s.fasta"
    path.write_text("".join(f">{name}\n{seq}\n" for name, seq in zip(headers, SEQUENCES, strict=True)))
    return path


def study_of(folder, headers=FEATURES, features=FEATURES):
    config = StudyConfig(
        table=write_table(folder, features), sequences=write_fasta(folder, headers), cache_dir=folder / "c"
    )
    return read_study(config, 150)


def sequences_by_name(study):
    letter = {token: letter for letter, token in TOKEN_OF_LETTER.items() if letter in "ACGT"}
    rows = study.tokens[np.arange(study.n_features)]
    return {
        name: "".join(letter[token] for token in row.tolist())
        for name, row in zip(study.feature_ids, rows, strict=True)
    }


HEADERS = {
    "size of vsearch": [f"{name};size={9 - k}" for k, name in enumerate(FEATURES)],
    "size with a semicolon": [f"{name};size={9 - k};" for k, name in enumerate(FEATURES)],
    "consensus of vsearch": [f"centroid={name};sample=S1;;seqs=3" for name in FEATURES],
    "sample and size": [f"{name};sample=S1;size=3;" for name in FEATURES],
    "count of mothur": [f"{name}|{k + 3}" for k, name in enumerate(FEATURES)],
    "other words": [f"{name} extra words" for name in FEATURES],
    "read, then OTU": [f"M00967_43_{k}\t{name}|{k}|S1-S2" for k, name in enumerate(FEATURES)],
    "read|OTU|size": [f"M00967_43_{k}|{name}|{9 - k}" for k, name in enumerate(FEATURES)],
    "some as they are": [name if k % 2 else f"{name};size=2" for k, name in enumerate(FEATURES)],
}


@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS)
def test_headers_that_hold_more_than_the_id_give_the_same_study(tmp_path, headers):
    plain, other = tmp_path / "plain", tmp_path / "other"
    plain.mkdir(), other.mkdir()

    study = study_of(other, headers)

    assert sequences_by_name(study) == dict(zip(FEATURES, SEQUENCES, strict=True))
    assert study.content == study_of(plain).content


@pytest.mark.parametrize("kind", ["md5", "sha1"])
def test_features_named_by_sums_are_found_whatever_the_headers_are(tmp_path, kind, caplog):
    names = [hashlib.new(kind, sequence.encode()).hexdigest() for sequence in SEQUENCES]

    with caplog.at_level(logging.INFO):
        study = study_of(tmp_path, [f"sq{k};size=3" for k in range(6)], names)

    assert sequences_by_name(study) == dict(zip(names, SEQUENCES, strict=True))
    assert "6 features are found by the MD5 or SHA-1 sum of the sequence" in caplog.text


def test_a_rule_that_finds_two_records_of_a_feature_is_not_used(tmp_path):
    with pytest.raises(SequenceError, match=r"6 of 6 features .*The file has 'OTU_1;sample=A'"):
        study_of(tmp_path, [f"OTU_{1 + k // 2};sample={'AB'[k % 2]}" for k in range(6)])


def test_counts_in_headers_are_no_names(tmp_path):
    with pytest.raises(SequenceError, match="6 of 6 features"):
        study_of(tmp_path, [f"OTU_{k}|{k}" for k in range(1, 7)], [str(k) for k in range(1, 7)][::-1])


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ([f"OTU_{k:04d}" for k in range(1, 7)], "zeros in front of numbers: 'OTU_1' is 'OTU_0001' there"),
        ([name.lower() for name in FEATURES], "upper and lower case: 'OTU_1' is 'otu_1' there"),
        (
            [name.replace("_", ".") for name in FEATURES],
            "dots, underscores, hyphens or spaces: 'OTU_1' is 'OTU.1' there",
        ),
    ],
)
def test_the_command_of_the_message_mends_the_sequences(tmp_path, headers, message):
    with pytest.raises(SequenceError, match=f"6 of 6 features .*{message}") as caught:
        study_of(tmp_path, headers)

    subprocess.run(str(caught.value).split("has them: `")[1].removesuffix("`"), shell=True, check=True)
    config = StudyConfig(table=tmp_path / "t.tsv", sequences=tmp_path / "s_renamed.fasta", cache_dir=tmp_path / "c")
    assert sequences_by_name(read_study(config, 150)) == dict(zip(FEATURES, SEQUENCES, strict=True))


def test_ids_that_are_sequences_need_no_file(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        study = study_of(tmp_path, [hashlib.md5(s.encode()).hexdigest() for s in SEQUENCES], SEQUENCES)

    assert set(study.feature_ids) == set(SEQUENCES)
    with pytest.raises(SequenceError, match="ids of the table are sequences themselves: leave --sequences out"):
        study_of(tmp_path, FEATURES, [sequence[::-1] for sequence in SEQUENCES])


def write_metadata(folder, ids):
    lines = ["sample-id\tage", *(f"{name}\t{40 + k}" for k, name in enumerate(ids))]
    (folder / "m.tsv").write_text("\n".join(lines) + "\n")
    return folder / "m.tsv"


SPELLINGS = {
    "zeros": ([f"S{k}" for k in range(1, 9)], "zeros in front of numbers: 'S001' is 'S1' there"),
    "case": ([name.lower() for name in SAMPLES], "upper and lower case: 'S001' is 's001' there"),
    "reads": ([f"{name}_S{k}_L001_R1_001" for k, name in enumerate(SAMPLES)], "the end of a name of reads"),
    "suffix": ([f"{name}.fastq" for name in SAMPLES], "the end of a name of reads, such as .*'S001' is 'S001.fastq'"),
    "prefix": ([f"run7.{name}" for name in SAMPLES], "what stands in front of the id: 'S001' is 'run7.S001' there"),
    "quotes": ([f"'{name}'" for name in SAMPLES], "quotes or white space: 'S001' is \"'S001'\" there"),
    "X of R": ([f"X{name}" for name in SAMPLES], "'X' in front of the id: 'S001' is 'XS001' there"),
}


def label_config(folder, **options):
    return LabelConfig(metadata=folder / "m.tsv", metadata_column=("age",), **options)


@pytest.mark.parametrize(("ids", "message"), SPELLINGS.values(), ids=SPELLINGS)
def test_the_command_of_the_message_mends_the_metadata(tmp_path, ids, message):
    study = study_of(tmp_path)
    write_metadata(tmp_path, ids)

    with pytest.raises(MetadataError, match=f"None of the 8 samples .*{message}") as caught:
        label_samples(label_config(tmp_path), study)

    subprocess.run(str(caught.value).split("has them: `")[1].removesuffix("`"), shell=True, check=True)
    (tmp_path / "m_renamed.tsv").replace(tmp_path / "m.tsv")
    _, _, values = label_samples(label_config(tmp_path), study)
    assert values["age"].to_dict() == {name: 40.0 + k for k, name in enumerate(SAMPLES)}


def ends(*, table, file):
    """Return ids of a table and of a file, of the same eight samples."""
    return [[form.format(name, k + 7, 1 + k % 2) for k, name in enumerate("ABCDEFGH")] for form in (table, file)]


OF_TABLE = {
    "mixed separators, all underscores there": ends(table="{0}.1_x", file="{0}_1_x"),
    "mixed separators, all dots there": ends(table="{0}.1_x-r", file="{0}.1.x.r"),
    "mixed separators, exchanged": ends(table="{0}.1_x", file="{0}_1.x"),
    "mixed separators there": ends(table="{0}-1-x", file="{0}.1_x"),
    "separators that differ between samples": [
        [f"{name}{'._'[k % 2]}{k}{'_.'[k % 2]}x" for k, name in enumerate("ABCDEFGH")],
        [f"{name}_{k}_x" for k, name in enumerate("ABCDEFGH")],
    ],
    "number of the sample": ends(table="{0}1_S{1}", file="{0}1"),
    "number and lane": ends(table="{0}1_S{1}_L001", file="{0}1"),
    "name of reads": ends(table="{0}1_S{1}_L00{2}_R1_001", file="{0}1"),
    "lane": ends(table="{0}1_L001", file="{0}1"),
    "several lanes": ends(table="{0}1_L00{2}", file="{0}1"),
    "number, and other separators": ends(table="{0}.1_S{1}", file="{0}_1"),
    "number, and commas in ids": ends(table="{0},1_S{1}", file="{0},1"),
    "number, and quotes in ids": ends(table="{0}'1_S{1}", file="{0}'1"),
}  # fmt: skip


@pytest.mark.parametrize(("samples", "ids"), OF_TABLE.values(), ids=OF_TABLE)
def test_the_command_of_the_message_gives_back_what_the_file_has_not(tmp_path, samples, ids):
    path = write_metadata(tmp_path, ids[::-1])

    said = mismatch(samples, ids[::-1], "The file", (path, "first column"))
    subprocess.run(said.split("has them: `")[1].removesuffix("`"), shell=True, check=True)

    assert "8 of the 8 differ in" in said
    assert (tmp_path / "m_renamed.tsv").read_text().split("\n") == [
        "sample-id\tage", *(f"{name}\t{40 + k}" for k, name in enumerate(samples[::-1])), "",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["id,age\nA1,3\n", '"id"\t"age"\n"A1"\t3\n', "id age\nA1 3\n"])
def test_there_is_no_command_for_cells_that_it_would_not_find(tmp_path, text):
    (tmp_path / "m.txt").write_text(text)

    said = mismatch(["A1_S7", "B2_S9"], ["A1", "B2"], "The file", (tmp_path / "m.txt", "first column"))

    assert "2 of the 2 differ in" in said
    assert "`" not in said


def test_a_command_that_would_list_too_many_ids_is_left_out(tmp_path):
    names = [f"sample{k}" for k in range(500)]

    said = mismatch(
        [f"{name}_S{900 - k}" for k, name in enumerate(names)], names, "The file", (tmp_path / "m.tsv", "first column")
    )

    assert "500 of the 500 differ in the end of a name of reads" in said
    assert "`" not in said


@pytest.mark.parametrize("sign", ["\u2013", "\u00a0x", "\u00e9"])
def test_ids_beyond_ascii_get_the_rule_but_no_command_for_awk_which_may_count_bytes(tmp_path, sign):
    write_metadata(tmp_path, [f"{name}{sign}" for name in SAMPLES])

    with pytest.raises(MetadataError, match="8 of the 8 differ in") as caught:
        label_samples(label_config(tmp_path), study_of(tmp_path))

    assert "`" not in str(caught.value)


@pytest.mark.parametrize(("ids", "message"), SPELLINGS.values(), ids=SPELLINGS)
def test_samples_without_a_row_are_named_apart_from_those_without_a_value(tmp_path, ids, message, caplog):
    study = study_of(tmp_path)
    path = write_metadata(tmp_path, [*ids[:4], *SAMPLES[4:]])
    path.write_text(path.read_text().replace(f"{SAMPLES[7]}\t47", f"{SAMPLES[7]}\t"))

    _, _, values = label_samples(label_config(tmp_path, missing_samples="drop"), study)

    assert values.index.tolist() == SAMPLES[4:7]
    rows, cells = (record.getMessage() for record in caplog.records if record.levelname == "WARNING")
    assert rows.startswith(
        f"4 of 8 samples of the table have no row in {path}: 'S001', 'S002', 'S003', 'S004'. They are left out. "
    )
    assert ids[0] in rows
    assert "4 of the 4 differ in" in rows
    assert cells == "Left out 1 of 8 samples without a value of age."


def test_other_files_of_samples_show_both_spellings(tmp_path):
    assigned = dict.fromkeys([f"S{k}" for k in range(1, 9)], "train")
    candidates = Candidates(SAMPLES, np.array(SAMPLES), np.zeros(8), assigned=assigned, known_ids=SAMPLES)
    config = SplitConfig(split="file", split_file=tmp_path / "f.tsv")

    with pytest.raises(SplitError, match=r"8 of 8 samples in --split-file .*: 'S001' is 'S1' there"):
        STRATEGIES["file"](candidates, config, 0.2, 0)
    with pytest.raises(DistanceError, match=r"8 of 8 samples .* distance matrix: .*: 'S001' is 's001' there"):
        DistanceMatrix([name.lower() for name in SAMPLES], np.zeros((8, 8))).select(SAMPLES)


@pytest.mark.parametrize("drop", [0, 4, 8])
def test_inspection_says_the_same_of_samples(tmp_path, drop):
    write_table(tmp_path), write_fasta(tmp_path, HEADERS["size of vsearch"])
    write_metadata(tmp_path, [*SPELLINGS["zeros"][0][:drop], *SAMPLES[drop:]])
    parts = {kind: inspect_file(tmp_path / name) for kind, name in
             (("table", "t.tsv"), ("sequences", "s.fasta"), ("metadata", "m.tsv"))}  # fmt: skip

    report = inspect_study(parts, [])

    said = " ".join([*report.notes, report.problems.get("metadata", "")])
    assert ("zeros in front of numbers: 'S001' is 'S1' there" in said) == (drop > 0)
    assert (
        "6 features are found by the first word of the header without its annotation: 'OTU_1' is 'OTU_1;size=9'" in said
    )
    assert [(overlap.n_both, overlap.only_in_other) for overlap in report.overlaps if overlap.other == "sequences"] == [
        (6, [])
    ]


def test_a_study_whose_ids_match_is_read_without_a_word(tmp_path, caplog):
    study = study_of(tmp_path)
    write_metadata(tmp_path, SAMPLES)

    label_samples(label_config(tmp_path), study)

    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
