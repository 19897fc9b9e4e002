"""Pre-training with each objective, alone and together, as a user runs it."""

import json
import re

import numpy as np
import pytest

from aam.config.objectives import OBJECTIVES, encoder_types
from helpers.commands import QUIET, SMALL, files_of, run, simulate, succeed

SHORT = [*SMALL, "--rarefy-depth", "500", "--batch-size", "8", "--lr", "0.003"]

pytestmark = QUIET


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = simulate(tmp_path_factory.mktemp("study") / "study", 60, 60, 40)
    from aam.io.tables import read_table

    ids = read_table(folder / "table.biom").sample_ids
    points = np.random.default_rng(0).random((len(ids), 3))
    np.save(folder / "d.npy", np.linalg.norm(points[:, None] - points[None], axis=2))
    (folder / "d.ids").write_text("\n".join(ids))
    return folder


def files(study, needs):
    distances = ["--distances", study / "d.npy"] if "distances" in needs else []
    return [*files_of(study, *sorted(set(needs) - {"distances"})), *distances]


def pretrain(study, output, types, *options):
    needs = {need for name in types for need in OBJECTIVES[name].needs}
    succeed(
        "pretrain", *files(study, needs), "--output-dir", output, *SHORT, "--epochs", 1, "--encoder-type", *types, *options,
    )  # fmt: skip
    return json.loads((output / "metrics.json").read_text())


@pytest.mark.parametrize("name", [name for name in encoder_types() if name != "distance"])
def test_a_run_with_each_type_reports_it_beside_its_trivial_prediction(name, study, tmp_path):
    scores = pretrain(study, tmp_path / "out", [name], "--nuc-penalty", 0)

    assert np.isfinite(scores[f"{name}_loss"])
    trivial = [metric for metric in scores if metric.startswith(f"{name}_baseline_")]
    assert trivial
    assert {metric.replace("baseline_", "") for metric in trivial} <= set(scores)


def test_several_types_share_one_sample_vector_and_the_first_distance_is_its_own(study, tmp_path):
    types = ["bray-curtis", "unweighted-unifrac", "distance", "faith-pd", "taxonomy"]

    scores = pretrain(
        study, tmp_path / "out", types, "--encoder-weights", 1, 0.5, 0.1, 0.2, 0.3, "--loss-balancing", "uncertainty",
        "--count-penalty", 0.1, "--count-loss", "multinomial", "--nuc-mask-strategy", "span",
    )  # fmt: skip

    from aam.inference.model_directory import load_model

    model, description = load_model(tmp_path / "out")
    assert set(description.objectives) == {*types, "nucleotides", "counts"}
    assert not list(model.objectives["bray-curtis"].projection.parameters())
    assert [tuple(model.objectives[name].projection.weight.shape) for name in types[1:3]] == [(16, 16), (16, 16)]
    assert all(np.isfinite(scores[f"{name}_loss"]) for name in types)
    assert not [name for name in model.state_dict() if "log_variance" in name]
    assert {"nucleotides_baseline_position_accuracy", "nucleotides_baseline_markov_perplexity"} <= set(scores)


def test_the_last_lines_give_each_objective_its_main_score_beside_what_needs_no_model(study, tmp_path, capsys):
    scores = pretrain(study, tmp_path / "out", ["jaccard", "taxonomy", "composition"], "--count-penalty", 0.1)

    said = capsys.readouterr().err.splitlines()
    first = next(number for number, line in enumerate(said) if line.startswith("Validation, epoch 1, "))

    def beside(name, metric):
        return f"{metric} {scores[f'{name}_{metric}']:.4g} (without a model {scores[f'{name}_baseline_{metric}']:.4g})"

    assert sorted(said[first + 1 : first + 6]) == sorted([
        f"  jaccard: r2 {scores['jaccard_r2']:.4g}, {beside('jaccard', 'mae')}",
        f"  taxonomy: {beside('taxonomy', 'species_accuracy')}",
        f"  composition: {beside('composition', 'bray_curtis')}",
        f"  nucleotides: accuracy {scores['nucleotides_accuracy']:.4g} (without a model position "
        f"{scores['nucleotides_baseline_position_accuracy']:.4g}, markov {scores['nucleotides_baseline_markov_accuracy']:.4g})",
        f"  counts: r2 {scores['counts_r2']:.4g}, {beside('counts', 'mae')}",
    ])  # fmt: skip
    assert said[first + 6] == f"All scores: {tmp_path / 'out' / 'metrics.tsv'}"


def test_fine_tuning_takes_the_same_types_beside_the_target(study, tmp_path):
    pretrain(study, tmp_path / "pretrained", ["shannon"])
    needs = ["tree", "taxonomy"]

    code = run(
        "train", "--head", "network", *files(study, needs),
        "--metadata", study / "metadata.tsv", "--metadata-column", "age", "--pretrained", tmp_path / "pretrained",
        "--output-dir", tmp_path / "out", *SHORT, "--epochs", 1, "--encoder-type", "jaccard", "composition",
        "weighted-unifrac", "--taxonomy-rank", "family", "--nuc-penalty", 0.1, "--loss-balancing", "uncertainty",
    )  # fmt: skip

    assert code == 0
    config = json.loads((tmp_path / "out/model/config.json").read_text())
    assert set(config["objectives"]) == {"jaccard", "composition", "weighted-unifrac", "nucleotides", "counts"}


def test_a_file_that_no_objective_reads_is_said_to_have_no_effect(study, tmp_path, capsys):
    extra = ["--taxonomy", study / "taxonomy.tsv"]

    pretrain(study, tmp_path / "out", ["jaccard"], *extra)

    assert re.search(r"--taxonomy: .*no effect", capsys.readouterr().err)


def test_a_taxonomy_of_other_features_is_one_message(study, tmp_path, capsys):
    (tmp_path / "taxonomy.tsv").write_text("Feature ID\tTaxon\nx\tk__Bacteria\n")

    code = run(
        "pretrain", *files(study, []), "--taxonomy", tmp_path / "taxonomy.tsv", "--encoder-type", "taxonomy", "--output-dir",
        tmp_path / "out", *SHORT,
    )  # fmt: skip

    assert code == 2
    assert "none of the 60 features" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("lineage", "objective", "message"),
    [
        (
            "k__Bacteria",
            "taxonomy",
            "--taxonomy .*no two taxa",
        ),
        (
            "k__Bacteria",
            "composition",
            "--taxonomy .*no taxon of rank genus",
        ),
        ("k__A;p__B;c__C;o__D;f__E;g__F", "composition", r"--taxonomy .*\b1 taxon of rank genus"),
    ],
)
def test_a_taxonomy_that_tells_nothing_apart_is_one_message(lineage, objective, message, study, tmp_path, capsys):
    from aam.io.tables import read_table

    ids = read_table(study / "table.biom").feature_ids
    rows = "".join(f"{name}\t{lineage}\n" for name in ids)
    (tmp_path / "taxonomy.tsv").write_text(f"Feature ID\tTaxon\n{rows}")

    code = run(
        "pretrain", *files(study, []), "--taxonomy", tmp_path / "taxonomy.tsv", "--encoder-type", objective, "--output-dir",
        tmp_path / "out", *SHORT,
    )  # fmt: skip

    assert code == 2
    assert re.search(message, capsys.readouterr().err)
    assert not (tmp_path / "out").exists()
