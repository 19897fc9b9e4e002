"""The demo, on a study and models so small that it takes seconds."""

import dataclasses
import json

import pytest

from aam.cli import main
from aam.commands import demo
from aam.config.model import tiny
from aam.config.tools import SimulationConfig
from aam.io.metadata import read_metadata
from aam.io.tables import read_table


@pytest.fixture
def output(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "STUDY", SimulationConfig(samples=40, features=40, sequence_length=40))
    monkeypatch.setattr(demo, "MODEL", tiny())
    monkeypatch.setattr(demo, "PRETRAINING", dataclasses.replace(demo.PRETRAINING, epochs=1))
    return tmp_path / "demo"


def test_the_whole_demo_runs_and_compares_with_a_forest_on_subjects_held_out(output, capsys):
    assert main(["demo", "--output-dir", str(output), "--seed", "3"]) == 0

    shown = capsys.readouterr().err
    metrics = json.loads((output / "evaluation/metrics.json").read_text())
    rows = {line.split("  ")[1]: line.split()[-2:] for line in shown.splitlines() if line.startswith("  ")}
    assert rows["aam"] == [f"{metrics['mae']:.1f}", f"{metrics['r2']:.3f}"]
    assert rows["guess (median)"] == [f"{metrics['guess_mae']:.1f}", f"{metrics['guess_r2']:.3f}"]
    assert "random forest" in rows
    train, test = (set(read_table(output / f"study/table_{part}.biom").sample_ids) for part in ("train", "test"))
    subject = read_metadata(output / "study/metadata.tsv").column("subject")
    assert len(train | test) == 40
    assert not set(subject.loc[sorted(train)]) & set(subject.loc[sorted(test)])
    assert len((output / "predictions.tsv").read_text().splitlines()) - 1 == metrics["n"]
    for picture in ("evaluation/plots/target.png", "pretrained/plots/unweighted-unifrac.png"):
        assert (output / picture).is_file()
        assert str(output / picture) in shown
