"""Clean studies give no remark: simulated ones, and real ones beyond what is true of them."""

import json

import pytest

from helpers.commands import run, simulate
from helpers.kinds import Kind
from helpers.studies import real_study

KINDS: dict[str, Kind] = {}
"""Nothing here goes wrong."""

N_SIMULATED = 50

MOST_FALSE_ALARMS = 1

FILES = ("table.biom", "sequences.fasta", "tree.nwk", "metadata.tsv", "taxonomy.tsv")

TRUE_REMARKS = {
    "celiac_active": ["longer than 150 nucleotides"],
    "cfs": ["not as sample ids: 'SampleID'", "it holds 'no' (1 sample) beside numbers", "'100' (1 sample), 'no' (1 sample)"],
    "crc_baxter": ["longer than 150 nucleotides"],
    "crc_udca": [],
    "crc_zeller": ["longer than 150 nucleotides"],
    "crohn_israel": ["age_band: too few samples"],
    "ecam_infant": [
        "4 of 741 samples have nearly identical", "abx_all_sources holds two numbers", "mom_courses_ofdeliveryabx holds",
        "mom_prenatal_abx_trimester holds three", "diet_2_month: too few samples", "abx_name: too few samples",
    ],
    "ibd_2538": [
        "anti_tnf holds two numbers", "asa_5_asa holds two numbers", "immunosuppressants holds two numbers", "'Stable' (105",
        "'Never' (180 samples)", "128 of 10,074 features of the table are not tips",
    ],
    "moving_pictures": [
        "year holds two numbers", "month holds five numbers", "13 of 770 features of the table have no row", "10 chloroplast",
    ],
    "ocean_v34": ["cruise is classified, because it holds dates", "cruise: too few samples"],
    "ocean_v4": ["cruise is classified, because it holds dates", "cruise: too few samples"],
}  # fmt: skip
"""What is said of each real study, in its order; each was looked up in the files and is so."""


def remarks_of(folder, output):
    """Return what ``aam inspect`` notes of the files of a folder, of any of them and of all together."""
    files = [folder / name for name in FILES if (folder / name).exists()]
    assert run("inspect", *files, "--output-dir", output) == 0
    report = json.loads((output / "inspect.json").read_text())
    assert report["study"]["problems"] == {}
    return [note for part in [*report["files"], report["study"]] for note in part["notes"]]


def test_simulated_studies_are_hardly_ever_remarked_on(tmp_path):
    remarks = {}
    for seed in range(N_SIMULATED):
        samples, features = 20 + seed, 30 + 3 * seed
        study = simulate(tmp_path / f"study{seed}", samples, features, 60 + seed, "--seed", seed)
        remarks[seed] = remarks_of(study, tmp_path / f"report{seed}")

    alarms = {seed: notes for seed, notes in remarks.items() if notes}
    assert len(alarms) <= MOST_FALSE_ALARMS, alarms


@pytest.mark.parametrize("name", TRUE_REMARKS)
def test_real_studies_are_remarked_on_where_it_is_so(name, tmp_path):
    remarks = remarks_of(real_study(name), tmp_path / "report")

    assert len(remarks) == len(TRUE_REMARKS[name]), remarks
    for remark, part in zip(remarks, TRUE_REMARKS[name], strict=True):
        assert part in remark
