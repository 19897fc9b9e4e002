"""Regions, lengths, primers, off-target sequences, and sequences that are one: what is said, and what is read."""

import dataclasses

import numpy as np
import pytest

from aam.cli import main
from aam.data.read_checks import TO_PREDICT, warn_of_cut
from aam.ecology.off_target import off_target_remarks
from aam.kernels.known_asvs import KnownASVs
from helpers.kinds import Kind
from helpers.reads import counts_of, related, said, unrelated, write
from helpers.studies import dense

KINDS = {
    "two regions": Kind(
        "Sequences",
        "Reads of two regions in one table",
        "Every command counts the ASVs that begin at another place of the gene than the rest, if there are two such places",
        "Tables of one region",
    ),
    "two lengths": Kind(
        "Sequences",
        "Reads cut to several lengths in one table",
        "Every command names the lengths, and counts the ASVs that are the beginning of longer ones",
        "`--truncate N` cuts all sequences to N nucleotides, in every method; equal ones then are one ASV",
    ),
    "primers": Kind(
        "Sequences",
        "Primers or adapters left on",
        "Every command counts the ASVs that begin with, or end in, a usual primer of 16S, 18S or ITS, or hold an adapter",
        "Remove them from the reads (cutadapt) before these are denoised",
    ),
    "off target": Kind(
        "Sequences",
        "Mitochondria, chloroplasts, hosts, another domain",
        "`inspect`, and commands that are given `--taxonomy`, count them with their share of the reads, from 0.1 % on",
        "Filter them from the table, if they are not what is studied",
    ),
    "long ASVs": Kind(
        "Sequences",
        "ASVs that differ only beyond `--max-bp`",
        "The kernel head and the baselines compare whole sequences. A network does not read further: it says how many ASVs "
        "become the same as others",
        "`--max-bp N`",
    ),
    "doubles": Kind(
        "Sequences",
        "The same sequence under several ids",
        "Merged to one ASV, in every method and by every command, with a word",
        "Nothing; or merge the ids",
    ),
    "longer reads": Kind(
        "Sequences",
        "New reads that are longer than those of training, which have several lengths",
        "The kernel head takes a read for the longest ASV of training that it begins with",
        "Nothing",
    ),
}


def two_regions(share, seed=0):
    n = round(60 * share)
    return related(60 - n, seed=seed) + related(n, seed=100 + seed), n


@pytest.mark.parametrize("share", [0.2, 0.35, 0.5])
def test_reads_of_two_regions_are_counted(share, tmp_path, caplog):
    sequences, n_second = two_regions(share)

    _, remarks = said(caplog, write(tmp_path, "mixed", sequences))

    assert len(remarks) == 1
    assert remarks[0].startswith(f"The reads seem to be of two regions: {n_second} of 60 ASVs (")


def test_distant_taxa_of_one_region_are_no_second_region(tmp_path, caplog):
    first, second = related(40), related(20, seed=7)
    conserved = {0: first[0][:12], 20: first[0][20:32], 44: first[0][44:56]}
    for start, letters in conserved.items():
        first, second = ([s[:start] + letters + s[start + 12 :] for s in part] for part in (first, second))

    assert said(caplog, write(tmp_path, "taxa", first + second))[1] == []


@pytest.mark.parametrize(
    ("lengths", "least"), [((150, 250), 150), ((100, 150, 250), 100), ((220, 240), 220)], ids=["two", "three", "near"]
)
def test_reads_of_several_lengths_are_said_and_cut_alike(lengths, least, tmp_path, caplog):
    sequences = related(30, 250)
    names = [f"L{length}_{k:02}" for length in lengths for k in range(30)]
    config = write(tmp_path, "lengths", [s[:length] for length in lengths for s in sequences], ids=names)
    counts = counts_of(30 * len(lengths))

    _, remarks = said(caplog, config)
    cut, _ = said(caplog, dataclasses.replace(config, truncate=least))

    assert f"cut to several lengths, such as {', '.join(map(str, lengths))} nucleotides" in remarks[0]
    assert f"{30 * (len(lengths) - 1)} are the beginning of a longer one" in remarks[0]
    assert f"pass --truncate {least}" in remarks[0]
    assert cut.n_features == 30
    merged = counts.reshape(12, len(lengths), 30).sum(axis=1)
    assert sorted(dense(cut).sum(axis=0).tolist()) == sorted(merged.sum(axis=0).tolist())


def test_natural_lengths_of_an_amplicon_are_no_mixture(tmp_path, caplog):
    stream = np.random.default_rng(0)
    sequences = [s[: 250 + int(stream.integers(5))] for s in related(60, 260)]

    assert said(caplog, write(tmp_path, "natural", sequences))[1] == []


PRIMED = {
    "515F": lambda s: "GTGTCAGCCGCCGCGGTAA" + s,
    "515F with spacers": lambda s: s[: len(s) % 4] + "GTGCCAGCAGCCGCGGTAA" + s,
    "341F": lambda s: "CCTACGGGAGGCAGCAG" + s,
    "27F": lambda s: "AGAGTTTGATCATGGCTCAG" + s,
    "ITS1F": lambda s: "CTTGGTCATTTAGAGGAAGTAA" + s,
    "ITS2": lambda s: "GCTGCGTTCTTCATCGATGC" + s,
    "806R": lambda s: s + "ATTAGATACCCTGGTAGTCC",
    "926R": lambda s: "CCGTCAATTCATTTGAGTTT" + s,
}


@pytest.mark.parametrize("name", PRIMED)
def test_primers_left_on_are_named_and_counted(name, tmp_path, caplog):
    sequences = related()
    sequences[:30] = [PRIMED[name](s[: 150 - k]) for k, s in enumerate(sequences[:30])]

    _, remarks = said(caplog, write(tmp_path, "primed", sequences))

    (remark,) = (text for text in remarks if text.startswith("Primers are left on"))
    assert "30 of 40 ASVs (" in remark
    assert f"the primer {name.split()[0]} (" in remark


@pytest.mark.parametrize("adapter", ["AGATCGGAAGAGC", "AGATCGGAAGAGCACACGTCTG", "CTGTCTCTTATACACATCT"])
def test_adapters_left_on_are_counted(adapter, tmp_path, caplog):
    sequences = related()
    sequences[:10] = [s[: 100 + k] + adapter + s[:20] for k, s in enumerate(sequences[:10])]

    _, remarks = said(caplog, write(tmp_path, "adapters", sequences))

    assert any(text.startswith("Adapters are left on: 10 of 40 ASVs (") for text in remarks)


BACTERIUM = ("Bacteria", "Firmicutes", "Clostridia")

FUNGUS = ("Fungi", "Ascomycota")

OFF_TARGET = {
    "SILVA": (BACTERIUM, ("Bacteria", "Proteobacteria", "Alphaproteobacteria", "Rickettsiales", "Mitochondria"), "mitochondria"),
    "Greengenes": (BACTERIUM, ("Bacteria", "Cyanobacteria", "Chloroplast", "Streptophyta"), "chloroplast"),
    "domain": (BACTERIUM, ("Eukaryota", "Opisthokonta"), "eukaryota"),
    "plants among fungi": (FUNGUS, ("Viridiplantae", "Anthophyta"), "viridiplantae"),
    "vertebrates among protists": (("Eukaryota", "Alveolata"), ("Eukaryota", "Metazoa", "Chordata"), "chordata"),
}  # fmt: skip


@pytest.mark.parametrize("name", OFF_TARGET)
def test_off_target_sequences_are_named_with_their_share(name):
    target, other, word = OFF_TARGET[name]
    names, reads = [f"A{k}" for k in range(10)], np.array([10] * 8 + [15, 5])

    (remark,) = off_target_remarks(names, [target] * 8 + [other] * 2, reads, 100)

    assert f"2 {word} (20.0 % of the reads), such as 'A8', 'A9'" in remark
    assert off_target_remarks(names, [target] * 10, reads, 100) == []


def test_organelles_are_named_by_inspect_and_by_crossval(tmp_path, capsys):
    config = write(tmp_path, "plants", related())
    lineages = ["d__Bacteria; p__Bacillota"] * 38 + ["d__Bacteria; p__Cyanobacteriota; c__; o__Chloroplast"] * 2
    rows = "".join(f"A{k:02}\t{lineage}\n" for k, lineage in enumerate(lineages))
    (tmp_path / "taxonomy.tsv").write_text(f"Feature ID\tTaxon\n{rows}")
    labels = "".join(f"S{k:02}\t{k + 0.5}\n" for k in range(12))
    (tmp_path / "metadata.tsv").write_text(f"sample-id\tage\n{labels}")
    files = ["--table", config.table, "--sequences", config.sequences, "--cache-dir", tmp_path / "cache"]
    files += [
        "--taxonomy",
        tmp_path / "taxonomy.tsv",
        "--metadata",
        tmp_path / "metadata.tsv",
        "--metadata-column",
        "age",
    ]
    share = 100 * counts_of()[:, 38:].sum() / counts_of().sum()

    assert main(["inspect", str(config.table), str(config.sequences), str(tmp_path / "taxonomy.tsv")]) == 0
    report = " ".join(capsys.readouterr().out.split())
    assert main(["crossval", *map(str, files), "--folds", "2", "--baselines", "guess", "--no-aam",
                 "--output-dir", str(tmp_path / "out")]) == 0  # fmt: skip

    assert f"2 chloroplast ({share:.1f} % of the reads), such as 'A3" in report
    assert f"2 chloroplast ({share:.1f} % of the reads), such as 'A3" in capsys.readouterr().err


@pytest.mark.parametrize(("n_starts", "start", "length"), [(4, 150, 300), (1, 160, 250), (10, 200, 1400)])
def test_asvs_that_differ_late_are_counted_and_stay_apart_for_the_kernel_head(
    n_starts, start, length, tmp_path, caplog
):
    starts, ends = unrelated(n_starts, start, seed=1), unrelated(40, length - start)
    study, _ = said(caplog, write(tmp_path, "long", [starts[k % n_starts] + end for k, end in enumerate(ends)]))

    for advice in ([], [TO_PREDICT]):
        warn_of_cut(study.cut(150), *advice)
    known = KnownASVs.of_training(study, np.arange(12))

    assert len(known) == 40
    assert np.unique(known.find(study)).tolist() == list(range(40))
    assert "40 of 40 sequences are longer than 150 nucleotides" in caplog.text
    lost = f"So {40 - n_starts} ASVs become the same as others, and {n_starts} are told apart: "
    assert f"{lost}pass --max-bp {length} to read all." in caplog.text
    assert f"{lost}only a model that is trained with --max-bp {length} reads all." in caplog.text


@pytest.mark.parametrize("n_ids", [2, 3, 5])
def test_a_sequence_under_several_ids_is_one_asv(n_ids, tmp_path, caplog):
    sequences, counts = related(20), counts_of(20)
    plain, nothing = said(caplog, write(tmp_path, "one", sequences, counts))
    runs = np.arange(12) % n_ids
    table = np.hstack([counts * (runs == run)[:, None] for run in range(n_ids)])
    ids = [f"{f'run{run}' if run else ''}A{k:02}" for run in range(n_ids) for k in range(20)]

    study, remarks = said(caplog, write(tmp_path, "several", sequences * n_ids, table, ids))

    assert nothing == []
    assert study.content == plain.content
    assert len(remarks) == 1
    assert remarks[0].startswith(f"20 sequences have {20 * n_ids} ids, such as 'A00' and 'run1A00'")


LENGTHS = {"two": [100, 150], "many": list(range(90, 150, 2)), "one short": [149] * 39 + [80]}


@pytest.mark.parametrize("name", LENGTHS)
def test_longer_reads_are_found_though_training_has_several_lengths(name, tmp_path, caplog):
    whole, lengths = related(40, 250), LENGTHS[name]
    short = [s[: lengths[k % len(lengths)]] for k, s in enumerate(whole)]
    training, _ = said(caplog, write(tmp_path, "training", short))
    longer, _ = said(caplog, write(tmp_path, "longer", whole))

    known = KnownASVs.of_training(training, np.arange(12))

    of_training = dict(zip(training.feature_ids, known.find(training).tolist(), strict=True))
    assert dict(zip(longer.feature_ids, known.find(longer).tolist(), strict=True)) == of_training
    assert len(set(of_training.values()) - {-1}) == 40


def test_an_asv_that_goes_on_where_another_ends_is_not_taken_for_it(tmp_path, caplog):
    sequences = [s[: 150 - k % 3] for k, s in enumerate(related(40, 150))]
    training, _ = said(caplog, write(tmp_path, "training", sequences))
    new, _ = said(caplog, write(tmp_path, "new", [*sequences, sequences[2] + "A"]))

    known = KnownASVs.of_training(training, np.arange(12))

    number = dict(zip(new.feature_ids, known.find(new).tolist(), strict=True))
    assert number["A40"] == -1
    assert min(number[f"A{k:02}"] for k in range(40)) == 0
