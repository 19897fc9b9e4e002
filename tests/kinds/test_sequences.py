"""Sequences that are not those that were meant: what is said of them, and what is right once it is done."""

import dataclasses

import numpy as np
import pytest

from aam.cli import main
from aam.data.orientation import KmerSketch
from aam.data.study_build import read_study
from aam.errors import SequenceError
from helpers.kinds import Kind
from helpers.reads import counts_of, md5, related, said, turned, unrelated, write
from helpers.studies import dense

KINDS = {
    "reversed for a model": Kind(
        "Sequences",
        "New reads in the other orientation than those of training, all or some",
        "`predict`, `embed` and `evaluate` compare k-mers with the training sequences, for every head, and count the ASVs that "
        "match as reverse complements",
        "`--orient` turns these; the predictions are then those of the table in the right orientation. Models saved before have "
        "nothing to compare with, but for the kernel head",
    ),
    "trimmed for a model": Kind(
        "Sequences",
        "New reads that begin or end at another place than those that a network was trained on",
        "`predict`, `embed` and `evaluate` say so if half of the ASVs begin, or nearly all end, elsewhere; a kernel head says that "
        "it does not know them",
        "Trim them as those of training; where they are only shorter, train with `--truncate N`",
    ),
    "reversed within": Kind(
        "Sequences",
        "Reads in both orientations in one table, such as of two runs",
        "Every command counts ASVs that are reverse complements of others, or like others as reverse complements",
        "`--orient` turns those of the orientation with fewer reads; equal ones then are one ASV",
    ),
    "reversed 16S": Kind(
        "Sequences",
        "All reads of a table in reverse orientation",
        "Every command says so where conserved stretches of 16S, 18S or ITS show it; of other genes nothing can be said without "
        "a model",
        "`--orient`",
    ),
    "turned after naming": Kind(
        "Sequences",
        "Ids are MD5 sums of the reverse complements of the sequences",
        "They are read as they stand in the file, with a word",
        "Nothing",
    ),
    "trimmed after naming": Kind(
        "Sequences",
        "Ids are MD5 sums of other sequences, such as untrimmed ones",
        "Refused, as the file may be of another table",
        "`--sequence-ids keep`, or rename the features in both files",
    ),
}


def test_new_reads_in_the_other_orientation_are_counted_and_turned_to_the_bit(tmp_path, caplog):
    sequences = related()
    plain, _ = said(caplog, write(tmp_path, "plain", sequences))
    sketch = KmerSketch.of(plain)
    members = {"all": range(40), "a third": range(13), "rare ones": range(30, 40)}

    for name, chosen in members.items():
        config = write(tmp_path, name, [turned(s) if k in chosen else s for k, s in enumerate(sequences)])

        _, remarks = said(caplog, config, sketch)
        oriented, silent = said(caplog, dataclasses.replace(config, orient=True), sketch)

        assert len(remarks) == 1
        assert remarks[0].startswith(f"{len(chosen)} of 40 ASVs (")
        assert "match the training sequences of the model as reverse complements. Pass --orient" in remarks[0]
        assert silent == []
        assert oriented.content == plain.content


def test_new_reads_of_other_asvs_of_the_same_gene_are_turned_too(tmp_path, caplog):
    training, new = related(80)[:40], related(80)[40:]
    sketch = KmerSketch.of(said(caplog, write(tmp_path, "training", training))[0])
    plain, nothing = said(caplog, write(tmp_path, "new", new), sketch)
    reversed_config = write(tmp_path, "reversed", list(map(turned, new)))

    oriented, _ = said(caplog, dataclasses.replace(reversed_config, orient=True), sketch)

    assert nothing == []
    assert oriented.content == plain.content


TRIMMED = {
    "19 nucleotides further in": (lambda s: s[19:], 40, "begin further in than"),
    "three quarters of them further in": (lambda s: s[12:] if s < "GG" else s, None, "begin further in than"),
    "a primer before them": (lambda s: "CATTAGCGATCACGTTA" + s, 40, "begin before"),
    "100 nucleotides of 150": (lambda s: s[:100], 40, "end before"),
    "longer at the end": (lambda s: s + "CATTAGCGATCACGTTA", 0, ""),
    "one nucleotide further in": (lambda s: s[1:], 0, ""),
    "as they are": (str, 0, ""),
}


@pytest.mark.parametrize("make", [related, unrelated])
@pytest.mark.parametrize("name", TRIMMED)
def test_new_reads_that_are_trimmed_otherwise_are_counted_for_a_network(name, make, tmp_path, caplog):
    trim, n_trimmed, verb = TRIMMED[name]
    sequences = make()
    sketch = KmerSketch.of(said(caplog, write(tmp_path, "training", sequences))[0])
    new = list(map(trim, sequences))
    caplog.clear()

    read_study(write(tmp_path, "new", new), 150, sketch)

    remarks = [text for text in caplog.messages if text.startswith("The reads are trimmed otherwise")]
    n = sum(a != b for a, b in zip(new, sequences, strict=True)) if n_trimmed is None else n_trimmed
    assert len(remarks) == (n >= 20)
    assert all(f"training: {n} of 40 ASVs (" in text and verb in text for text in remarks)


def test_two_orientations_in_one_table_are_counted_and_made_one(tmp_path, caplog):
    counts = counts_of()
    two_runs = np.hstack([counts * (np.arange(12) % 3 > 0)[:, None], counts * (np.arange(12) % 3 == 0)[:, None]])
    alike, alone = related(), unrelated()
    members = {
        "two runs of related ASVs": (alike + list(map(turned, alike)), two_runs, 40, 40),
        "two runs of unlike ASVs": (alone + list(map(turned, alone)), two_runs, 40, 40),
        "every fifth of a run": ([turned(s) if k % 5 == 0 else s for k, s in enumerate(alike)], counts, 8, 40),
    }

    for name, (sequences, table, n_reversed, n_asvs) in members.items():
        config = write(tmp_path, name, sequences, table)

        _, remarks = said(caplog, config)
        oriented, _ = said(caplog, dataclasses.replace(config, orient=True))

        assert any(text.startswith(f"Two orientations are mixed: {n_reversed} of") for text in remarks), (name, remarks)
        assert oriented.n_features == n_asvs
        assert sorted(dense(oriented).sum(axis=0).tolist()) == sorted(counts.sum(axis=0).tolist())


V4 = "{}GTGCCAGCAGCCGCGGTAA{}ATTACTGGGCGTAAAGGG{}AACAGGATTAGATACCC{}"
"""Conserved stretches of 16S between variable ones."""

ITS2 = "{}GCATCGATGAAGAACGCAGC{}GTGAATCATCGAATCTTTG{}"


@pytest.mark.parametrize(("gene", "length"), [(V4, 40), (ITS2, 40), ("{}GCAACGAGCGCAACCC{}", 60)])
def test_a_table_of_reversed_ribosomal_genes_is_known_without_a_model(gene, length, tmp_path, caplog):
    parts = iter(unrelated(5 * 20, length))
    genes = [gene.format(*(next(parts) for _ in range(gene.count("{}")))) for _ in range(20)]
    forward, nothing = said(caplog, write(tmp_path, "forward", genes))
    config = write(tmp_path, "reversed", list(map(turned, genes)))

    _, remarks = said(caplog, config)
    oriented, _ = said(caplog, dataclasses.replace(config, orient=True))

    assert nothing == []
    assert remarks[0].startswith("The reads seem to be in reverse orientation: 20 of 20 ASVs")
    assert oriented.content == forward.content


@pytest.mark.parametrize("spell", [str, str.upper, lambda name: name[:16] + name[16:].upper()])
def test_sequences_turned_after_they_were_named_are_read_as_they_stand(spell, tmp_path, caplog):
    sequences = related()
    config = write(tmp_path, "turned", list(map(turned, sequences)), ids=[spell(md5(s)) for s in sequences])

    study, remarks = said(caplog, config)
    again = said(caplog, config)[1]

    assert remarks == again
    assert "40 of 40 sequences were turned after they were named" in remarks[0]
    assert main(["prepare", "--table", str(config.table), "--sequences", str(config.sequences)]) == 0
    assert study.n_features == 40


@pytest.mark.parametrize("change", [lambda s: s[19:], lambda s: s[:120], lambda s: turned(s)[5:]])
def test_sequences_trimmed_after_they_were_named_are_kept_on_request(change, tmp_path, caplog):
    sequences = related()
    ids = [md5(s) for s in sequences]
    config = write(tmp_path, "trimmed", [change(s) for s in sequences], ids=ids)

    with pytest.raises(
        SequenceError, match=r"40 of 40 .*rename the features in both files, or pass --sequence-ids keep"
    ):
        said(caplog, config)
    kept, remarks = said(caplog, dataclasses.replace(config, sequence_ids="keep"))

    assert sorted(kept.feature_ids) == sorted(ids)
    assert remarks == []


@pytest.mark.parametrize("seed", range(25))
def test_a_clean_table_gives_no_word_on_its_sequences(seed, tmp_path, caplog):
    sequences = related(60, seed=seed, changes=0.05 + 0.03 * (seed % 10)) if seed % 2 else unrelated(60, seed=seed)

    assert said(caplog, write(tmp_path, "clean", sequences))[1] == []
